#include "client/spec_flags.h"

#include <set>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/feature_flag.h"
#include "client/initial_weights.h"
#include "client/local_file.h"
#include "client/proto_text.h"
#include "client/spec_yaml.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Texts = std::vector<std::string>;

constexpr char kHiddenFlag[] = "--hidden";
constexpr char kResidualFlag[] = "--residual";
constexpr char kBatchNormFlag[] = "--batch-norm";
constexpr char kLayerNormFlag[] = "--layer-norm";
constexpr char kNesterovFlag[] = "--nesterov";
constexpr char kNoNesterovFlag[] = "--no-nesterov";
constexpr char kRestoreOnlyFlag[] = "--restore-only";
constexpr char kNoRestoreBestFlag[] = "--no-restore-best";
constexpr char kFeatureFlag[] = "--feature";
constexpr char kInitialWeightsFlag[] = "--initial-weights";
constexpr char kInitialModelFlag[] = "--initial-model";

constexpr FlagSpec kDataFlags[] = {
    {"--target", "target_column", "COLUMN",
     "Column to predict (default the one called target, label, class, y or outcome, else the "
     "last)"},
    {"--label", "label_columns", "COLUMN", "Columns of 0 and 1 to predict instead, comma between"},
    {"--task", "task", "TASK",
     "binary, multiclass, regression or multilabel (default by the target's values)"},
    {"--features", "feature_columns", "COLUMN",
     "Feature columns, comma between (default all others but identifiers and free text)"},
    {"--exclude", "exclude_columns", "COLUMN", "Columns that are not features, comma between"},
    {"--weight-column", "weight_column", "COLUMN", "How much each row counts"},
    {"--validation-fraction", "split.validation_fraction", "RATIO",
     "Rows for validation (default 0.15)"},
    {"--test-fraction", "split.test_fraction", "RATIO", "Rows for the final test (default 0.15)"},
    {"--stratify", "split.stratify", "", "Keep the class proportions in each part"},
    {"--group-column", "split.group_column", "COLUMN",
     "Rows with one value in it stay together in one part"},
    {"--time-column", "split.time_column", "COLUMN",
     "The earliest rows by it train, the latest test"},
    {"--part-column", "split.part_column", "COLUMN",
     "It says of each row: train, validation or test"},
    {"--folds", "split.fold_count", "K",
     "Cross-validation: train K times, each time another part validates"},
    {kTestDatasetFlag, "test_dataset", "DATASET",
     "datasets/ID, or a file to upload first: its rows are the test rows"},
};

constexpr FlagSpec kFeatureFlags[] = {
    {"--scaling", "scaling", "WORD",
     "Of numbers: standardize, min_max, robust or none (default standardize)"},
    {"--impute", "feature_defaults.imputation", "WORD",
     "For missing numbers: mean, median, constant or refuse (default mean where cells are missing, "
     "else refuse)"},
    {"--fill-value", "feature_defaults.fill_value", "NUMBER", "With constant (default 0)"},
    {"--missing-indicator", "feature_defaults.missing_indicator", "",
     "One more feature that is 1 where a number is missing"},
    {"--encoding", "feature_defaults.encoding", "WORD",
     "Of categories: one_hot, ordinal, hashing or number (default by the column)"},
    {"--categories-max", "feature_defaults.categories_max", "N",
     "With one_hot: the rarest beyond share one feature (default 64)"},
    {"--hash-buckets", "feature_defaults.hash_buckets", "N", "With hashing (default 32)"},
    {"--unseen", "feature_defaults.unseen", "WORD",
     "A category that training did not see: other, zeros or refuse (default other where there is "
     "one, else zeros)"},
    {"--target-scaling", "target_scaling", "WORD",
     "Of a regression's target in training: standardize or none (default standardize; poisson: "
     "none)"},
};

constexpr FlagSpec kNetworkFlags[] = {
    {"--input-dropout", "input_dropout", "RATIO", "Features zeroed in training (default 0)"},
    {"--init", "init", "INIT",
     "he_normal, he_uniform, xavier_normal, xavier_uniform, lecun_normal, lecun_uniform, "
     "orthogonal, normal, uniform or zeros (default by the activation)"},
    {"--init-gain", "init_options.gain", "FACTOR",
     "On the spread of the initial weights, but for normal, uniform and zeros (default 1)"},
    {"--init-scale", "init_options.scale", "SCALE", "Of normal and uniform (default 0.01)"},
    {"--no-output-bias", "output_bias", "", "Output layer without biases", "false"},
    {kInitialModelFlag, "initial_model", "MODEL", "models/ID to start from"},
    {"--precision", "precision", "WORD", "fp32 or bf16 (default fp32)"},
};

constexpr FlagSpec kLossFlags[] = {
    {"--loss", "loss", "LOSS",
     "binary_cross_entropy, softmax_cross_entropy, hinge, mean_squared_error, "
     "mean_absolute_error, huber, quantile or poisson (default by the task)"},
    {"--label-smoothing", "loss_options.label_smoothing", "RATIO",
     "With softmax_cross_entropy (default 0)"},
    {"--class-weight", "loss_options.class_weights", "CLASS=W",
     "Weight of a class's rows, comma between (default 1)"},
    {"--balanced", "loss_options.balanced_class_weights", "", "Weigh classes by how rare they are"},
    {"--quantile", "loss_options.quantile", "Q", "With quantile (default 0.5)"},
    {"--huber-delta", "loss_options.delta", "DELTA", "With huber (default 1)"},
};

constexpr FlagSpec kOptimizerFlags[] = {
    {"--optimizer", "optimizer.kind", "KIND",
     "sgd, adam, adamw, amsgrad, nadam, radam, adagrad, adadelta, rmsprop, lion, muon or lbfgs "
     "(default adam)"},
    {"--learning-rate", "optimizer.learning_rate", "ALPHA",
     "Step size (default by the optimizer: 0.001 for adam, 0.01 for sgd)"},
    {"--momentum", "optimizer.momentum", "M", "With sgd, rmsprop, muon (default 0; muon 0.95)"},
    {"--dampening", "optimizer.dampening", "D", "Of the gradient in sgd's momentum (default 0)"},
    {kNesterovFlag, "optimizer.nesterov", "", "Nesterov's form of momentum, with sgd"},
    {kNoNesterovFlag, "optimizer.nesterov", "", "Plain momentum with muon", "false"},
    {"--beta1", "optimizer.beta1", "BETA", "Decay of the mean gradient (default 0.9)"},
    {"--beta2", "optimizer.beta2", "BETA", "Decay of the mean square (default 0.999)"},
    {"--rho", "optimizer.rho", "RHO",
     "Decay of the mean square of rmsprop and adadelta (default 0.99; adadelta 0.9)"},
    {"--centered", "optimizer.centered", "", "With rmsprop: normalise by the variance"},
    {"--learning-rate-decay", "optimizer.learning_rate_decay", "DECAY",
     "Of adagrad, by the step (default 0)"},
    {"--momentum-decay", "optimizer.momentum_decay", "DECAY", "Of nadam (default 0.004)"},
    {"--history-size", "optimizer.history_size", "N", "Pairs that lbfgs keeps (default 10)"},
    {"--secondary-learning-rate", "optimizer.secondary_learning_rate", "ALPHA",
     "Of muon, for all but hidden weights (default 0.001)"},
    {"--epsilon", "optimizer.epsilon", "EPS", "Against division by zero (default 1e-8)"},
    {"--weight-decay", "optimizer.weight_decay", "LAMBDA",
     "L2 coefficient (default 0; adamw 0.01)"},
    {"--l1", "optimizer.l1", "LAMBDA", "L1 coefficient (default 0)"},
    {"--max-norm", "optimizer.max_norm", "NORM", "Largest norm of a unit's weights"},
    {"--clip-norm", "optimizer.clip_norm", "NORM", "Largest norm of the gradient"},
    {"--clip-value", "optimizer.clip_value", "VALUE", "Largest element of the gradient"},
    {"--gradient-noise", "optimizer.gradient_noise", "VARIANCE",
     "Noise on the gradient, less with each step (default 0)"},
    {"--ema-decay", "optimizer.ema_decay", "BETA", "Keep a moving average of the weights"},
    {"--schedule", "schedule.kind", "KIND",
     "constant, step, multi_step, exponential, polynomial, cosine, cosine_restarts, one_cycle, "
     "cyclic or reduce_on_plateau (default constant)"},
    {"--warmup-steps", "schedule.warmup_steps", "N", "Steps of linear rise in front"},
    {"--schedule-unit", "schedule.unit", "UNIT",
     "steps or epochs: what the schedule counts (default by the kind)"},
    {"--schedule-period", "schedule.period", "N", "Period in units (default by the kind)"},
    {"--schedule-period-factor", "schedule.period_factor", "N",
     "With cosine_restarts: each period against the one before (default 1)"},
    {"--schedule-power", "schedule.power", "P", "With polynomial (default 1)"},
    {"--schedule-warm-fraction", "schedule.warm_fraction", "RATIO",
     "With one_cycle: of the period, rising (default 0.3)"},
    {"--schedule-patience", "schedule.patience", "N",
     "With reduce_on_plateau: evaluations without improvement (default 10)"},
    {"--schedule-metric", "schedule.metric", "METRIC", "With reduce_on_plateau (default loss)"},
    {"--gamma", "schedule.gamma", "FACTOR",
     "With step, multi_step, exponential, reduce_on_plateau"},
    {"--milestones", "schedule.milestones", "N", "With multi_step: in units, comma between"},
    {"--final-learning-rate", "schedule.final_learning_rate", "ALPHA", "Where the schedule ends"},
};

constexpr FlagSpec kRunFlags[] = {
    {"--epochs", "epochs", "N",
     "Passes over the training rows (default: 1000 steps, in 20 to 200 epochs)"},
    {"--max-steps", "max_steps", "N", "Stop after so many steps"},
    {"--batch-size", "batch_size", "ROWS", "Rows per step (default 32)"},
    {"--accumulation-steps", "accumulation_steps", "N", "Batches for one step (default 1)"},
    {"--early-stopping", "early_stopping.metric", "[METRIC]",
     "Stop when validation no longer improves, keep the best (default loss)", "loss"},
    {"--patience", "early_stopping.patience", "N",
     "Evaluations without improvement before that (default 10)"},
    {"--min-delta", "early_stopping.min_delta", "DELTA",
     "An improvement is larger than this (default 0)"},
    {kRestoreOnlyFlag, "early_stopping.restore_only", "",
     "Keep the best evaluation's model, but do all epochs"},
    {kNoRestoreBestFlag, "early_stopping.restore_best", "", "Keep the last model, not the best",
     "false"},
    {"--evaluation-interval", "evaluation_interval", "STEPS", "Evaluate also every so many steps"},
    {"--metrics", "metrics", "METRIC", "More validation metrics, e.g. roc_auc, comma between"},
    {"--seed", "seed", "N", "Decides split, weights and order of rows (default 0)"},
    {"--seeds", "seed_count", "K", "Train with K seeds, keep the best (default 1)"},
    {"--threads", "threads", "N", "CPU threads (default 1)"},
    {"--max-runtime", "max_runtime", "DURATION",
     "Stop by itself, keeping the model, e.g. 90s, 10m"},
    {"--max-memory", "max_memory_bytes", "BYTES", "The worker is killed beyond this"},
    {"--layer-records", "layer_records", "WORD",
     "What each epoch records of the layers: none, summary or histograms (default none)"},
    {"--step-event-interval", "step_event_interval", "N",
     "Record every so many steps (default: about 10 a second)"},
};

struct LayerFlag {
  const char* flag;
  const char* field;
  const char* type;
  const char* help;
};

constexpr LayerFlag kLayerFlags[] = {
    {"--activation", "activation", "WORD",
     "relu, leaky_relu, elu, selu, gelu, gelu_tanh, silu, softplus, sigmoid, tanh, hard_sigmoid, "
     "hard_tanh, hard_swish or identity: one, or one per hidden layer (default relu)"},
    {"--alpha", "alpha", "ALPHA", "With leaky_relu and elu: one, or one per hidden layer"},
    {"--dropout", "dropout", "RATIO",
     "Outputs zeroed in training: one, or one per hidden layer (default 0)"},
};

struct LayerSwitch {
  const char* flag;
  const char* field;
  const char* value;
  const char* help;
};

constexpr LayerSwitch kLayerSwitches[] = {
    {kBatchNormFlag, "normalization", "batch", "Normalise every hidden layer over the batch"},
    {kLayerNormFlag, "normalization", "layer", "Normalise every hidden layer over its units"},
    {"--no-bias", "bias", "false", "Hidden layers without biases"},
};

// Flags that say the opposite of each other.
constexpr const char* kContradictions[][2] = {{kBatchNormFlag, kLayerNormFlag},
                                              {kNesterovFlag, kNoNesterovFlag},
                                              {kRestoreOnlyFlag, kNoRestoreBestFlag},
                                              {kInitialWeightsFlag, kInitialModelFlag}};

const google::protobuf::FieldDescriptor& LayerField(const std::string& name) {
  return *v1::LayerSpec::descriptor()->FindFieldByName(name);
}

void AddLayerFlags(CLI::App& app, const std::string& group, SpecFlags* flags) {
  const auto add_list = [&](const char* flag, const char* type, const char* help, auto set) {
    app.add_option_function<Texts>(flag, set, help)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name(type)
        ->group(group);
  };
  add_list(kHiddenFlag, "UNITS",
           "Widths of the hidden layers, e.g. 64,32; none: a linear model (default 100)",
           [flags](const Texts& units) { flags->SetHidden(units); });
  for (const LayerFlag& spec : kLayerFlags) {
    add_list(spec.flag, spec.type, spec.help, [flags, &spec](const Texts& values) {
      flags->SetOfLayers(spec.flag, spec.field, values);
    });
  }
  for (const LayerSwitch& spec : kLayerSwitches) {
    app.add_flag_callback(
           spec.flag, [flags, &spec] { flags->SetOfLayers(spec.flag, spec.field, {spec.value}); },
           spec.help)
        ->group(group);
  }
  app.add_flag_callback(
         kResidualFlag, [flags] { flags->SetResidual(); },
         "Hidden layers as wide as the one before add their input")
      ->group(group);
}

void AddFeatureFlag(CLI::App& app, const std::string& group, SpecFlags* flags) {
  app.add_option_function<Texts>(
         kFeatureFlag, [flags](const Texts& texts) { flags->SetFeatures(texts); },
         "What is done to one column, in the words of these flags, e.g. "
         "age:scaling=robust,impute=median or size:encoding=ordinal,categories=S|M|L; may be "
         "repeated")
      ->allow_extra_args(false)
      ->type_name("COLUMN:WORD=VALUE,…")
      ->group(group);
}

void AddInitialWeightsFlag(CLI::App& app, const std::string& group, SpecFlags* flags) {
  app.add_option_function<std::string>(
         kInitialWeightsFlag, [flags](const std::string& path) { flags->SetInitialWeights(path); },
         "Weights to start from, as numpy.savez writes them: W1, b1, W2, … or layer0.weights, … "
         "[in, out], or PyTorch's 0.weight, 0.bias, …")
      ->type_name("FILE.npz")
      ->group(group);
}

}  // namespace

bool SpecFlags::empty() const {
  return fields_.empty() && hidden_.empty() && layer_entries_.empty() && !residual_ &&
         features_.empty() && initial_weights_path_.empty();
}

absl::Status SpecFlags::ApplyTo(v1::TrainingSpec* spec, std::vector<std::string>* notes) const {
  std::vector<FieldViolation> faults;
  fields_.ApplyTo(spec, &faults);
  ApplyHidden(spec, &faults);
  if (notes != nullptr && hidden_.empty()) ChooseHidden(spec, notes);
  for (const LayerEntry& entry : layer_entries_) ApplyToLayers(entry, spec, &faults);
  ApplyResidual(spec, &faults);
  for (const std::string& text : features_) {
    std::string fault = ApplyFeatureText(text, spec);
    if (!fault.empty()) faults.push_back({kFeatureFlag, std::move(fault)});
  }
  if (!faults.empty())
    return AsUsageError(MakeViolationsError(ErrorReason::kInvalidSpec, std::move(faults)));
  if (initial_weights_path_.empty()) return absl::OkStatus();
  return ReadInitialWeights(initial_weights_path_, spec);
}

void SpecFlags::ApplyHidden(v1::TrainingSpec* spec, std::vector<FieldViolation>* faults) const {
  if (hidden_.empty()) return;
  spec->clear_layers();
  if (hidden_ == Texts{"none"}) return;
  for (const std::string& units : hidden_) {
    const std::string fault = SetScalar(spec->add_layers(), LayerField("units"), units);
    if (!fault.empty()) faults->push_back({kHiddenFlag, fault});
  }
}

void SpecFlags::ChooseHidden(v1::TrainingSpec* spec, std::vector<std::string>* notes) const {
  const bool has_start = !initial_weights_path_.empty() || spec->initial_weights_size() > 0 ||
                         !spec->initial_model().empty();
  // Hidden units of zeros would stay alike, so that zeros are asked for with a linear model.
  if (has_start || spec->init() == v1::INIT_ZEROS) return;
  spec->add_layers()->set_units(kHiddenUnits);
  notes->push_back(absl::StrCat("layers: one of ", kHiddenUnits,
                                " units, because neither --hidden nor layers of --spec says "
                                "otherwise; --hidden none is a linear model"));
}

void SpecFlags::ApplyToLayers(const LayerEntry& entry, v1::TrainingSpec* spec,
                              std::vector<FieldViolation>* faults) const {
  const auto layers = static_cast<size_t>(spec->layers_size());
  const size_t given = entry.values.size();
  if (layers == 0 || (given != 1 && given != layers)) {
    faults->push_back({entry.flag, absl::StrCat(given, " given for ", layers,
                                                " hidden layers; give one for all, or one for "
                                                "each of --hidden")});
    return;
  }
  for (size_t i = 0; i < layers; ++i) {
    v1::LayerSpec* const layer = spec->mutable_layers(static_cast<int>(i));
    const std::string& value = given == 1 ? entry.values[0] : entry.values[i];
    const std::string fault = SetScalar(layer, LayerField(entry.field), value);
    if (!fault.empty()) faults->push_back({entry.flag, fault});
  }
}

void SpecFlags::ApplyResidual(v1::TrainingSpec* spec, std::vector<FieldViolation>* faults) const {
  if (!residual_) return;
  bool any = false;
  for (int i = 1; i < spec->layers_size(); ++i) {
    if (spec->layers(i).units() != spec->layers(i - 1).units()) continue;
    spec->mutable_layers(i)->set_residual(true);
    any = true;
  }
  if (any) return;
  faults->push_back({kResidualFlag, "no hidden layer is as wide as the one before it"});
}

void AddSpecFlags(CLI::App& app, SpecFlags* flags, bool hidden) {
  const auto group = [hidden](const char* name) { return std::string(hidden ? "" : name); };
  const google::protobuf::Descriptor& type = *v1::TrainingSpec::descriptor();
  AddFieldFlags(app, group("Spec: data (each flag replaces the field of --spec)"), kDataFlags, type,
                &flags->fields());
  AddFieldFlags(app, group("Spec: features"), kFeatureFlags, type, &flags->fields());
  AddFeatureFlag(app, group("Spec: features"), flags);
  AddLayerFlags(app, group("Spec: network"), flags);
  AddFieldFlags(app, group("Spec: network"), kNetworkFlags, type, &flags->fields());
  AddInitialWeightsFlag(app, group("Spec: network"), flags);
  AddFieldFlags(app, group("Spec: loss"), kLossFlags, type, &flags->fields());
  AddFieldFlags(app, group("Spec: optimizer"), kOptimizerFlags, type, &flags->fields());
  AddFieldFlags(app, group("Spec: the run"), kRunFlags, type, &flags->fields());
  for (const auto& [flag, opposite] : kContradictions) {
    app.get_option(flag)->excludes(app.get_option(opposite));
  }
}

absl::StatusOr<v1::TrainingSpec> ReadSpec(const std::string& path, const SpecFlags& flags,
                                          std::vector<std::string>* notes) {
  v1::TrainingSpec spec;
  std::set<std::string> keys;
  if (!path.empty()) {
    TY_ASSIGN_OR_RETURN(const std::string text, ReadWhole(path, limits::kSpecBytesMax));
    TY_RETURN_IF_ERROR(Annotate(ParseYaml(text, &spec, &keys), path));
  }
  TY_RETURN_IF_ERROR(flags.ApplyTo(&spec, keys.count("layers") > 0 ? nullptr : notes));
  return spec;
}

}  // namespace trainyard
