#include "core/train/config_checks.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/limits.h"
#include "core/base/nearest.h"
#include "core/data/number.h"
#include "core/data/split.h"
#include "core/nn/meter.h"

namespace trainyard {
namespace {

constexpr double kRuntimeSecondsMin = 0.1;
// About two minutes of one core.
constexpr double kOrthogonalCostMax = 137'438'953'472;  // 2 · 4096³
constexpr double kInitFactorMax = 1e3;
constexpr double kAlphaMax = 100;
constexpr double kClassWeightMax = 1e6;
constexpr double kDeltaMax = 1e30;
// Names listed in an error; more would not be read.
constexpr size_t kNamesShownMax = 20;

std::string Text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "infinity" : "-infinity";
  return NumberText(value);
}

absl::string_view LossName(LossKind kind) {
  switch (kind) {
    case LossKind::kBinaryCrossEntropy:
      return "BINARY_CROSS_ENTROPY";
    case LossKind::kSoftmaxCrossEntropy:
      return "SOFTMAX_CROSS_ENTROPY";
    case LossKind::kMeanSquaredError:
      return "MEAN_SQUARED_ERROR";
    case LossKind::kMeanAbsoluteError:
      return "MEAN_ABSOLUTE_ERROR";
    case LossKind::kHuber:
      return "HUBER";
    case LossKind::kQuantile:
      return "QUANTILE";
    case LossKind::kPoisson:
      return "POISSON";
    case LossKind::kHinge:
      return "HINGE";
    case LossKind::kUnspecified:
      break;
  }
  return "LOSS_UNSPECIFIED";
}

absl::string_view TaskName(Task task) {
  switch (task) {
    case Task::kBinary:
      return "BINARY";
    case Task::kMulticlass:
      return "MULTICLASS";
    case Task::kRegression:
      return "REGRESSION";
    case Task::kMultilabel:
      return "MULTILABEL";
    case Task::kUnspecified:
      break;
  }
  return "TASK_UNSPECIFIED";
}

void CheckDropout(absl::string_view field, double value, Violations* violations) {
  // Layers have it as a float, and the largest doubles below 1 round to 1.
  CheckNumber(field, value, value >= 0 && static_cast<float>(value) < 1, "at least 0 and below 1",
              "0.2 to 0.5 is usual, 0 turns it off", violations);
}

void CheckAlpha(const std::string& field, const LayerConfig& layer, Violations* violations) {
  if (!layer.alpha) return;
  const double alpha = *layer.alpha;
  if (layer.activation == Activation::kLeakyRelu) {
    CheckNumber(field, alpha, alpha >= 0 && alpha < 1, "at least 0 and below 1", "0.01 is usual",
                violations);
    return;
  }
  if (layer.activation == Activation::kElu) {
    CheckNumber(field, alpha, alpha > 0 && alpha <= kAlphaMax, "above 0 and at most 100",
                "1 is usual", violations);
    return;
  }
  violations->push_back(
      {field, absl::StrCat("is ", Text(alpha),
                           " but the activation has no alpha, only LEAKY_RELU and ELU have: leave "
                           "it out, or choose one of them")});
}

// `width`: of the layer's input; -1 when it is not known.
void CheckResidual(const std::string& field, const LayerConfig& layer, int64_t width,
                   Violations* violations) {
  if (!layer.residual || width < 0 || width == layer.units) return;
  violations->push_back(
      {field,
       absl::StrCat("is true for a layer of ", layer.units, " units whose input is ", width,
                    " wide; both must be equal: use ", width, " units, or leave residual out")});
}

void CheckLayers(const TrainConfig& config, int64_t features, Violations* violations) {
  if (static_cast<int64_t>(config.layers.size()) > limits::kLayersMax) {
    violations->push_back(
        {"layers", absl::StrCat("has ", config.layers.size(), " hidden layers; at most ",
                                limits::kLayersMax, ": use fewer, wider layers")});
  }
  int64_t width = features;
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    const std::string path = absl::StrCat("layers[", i, "]");
    CheckCount(path + ".units", layer.units, 1, limits::kUnitsMax,
               "the number of units of the layer, e.g. 64", violations);
    CheckAlpha(path + ".alpha", layer, violations);
    CheckDropout(path + ".dropout", layer.dropout, violations);
    CheckResidual(path + ".residual", layer, width, violations);
    width = layer.units;
  }
}

bool HasScale(InitKind kind) { return kind == InitKind::kNormal || kind == InitKind::kUniform; }

void CheckInitFactor(absl::string_view name, const std::optional<double>& value, bool belongs,
                     absl::string_view owners, Violations* violations) {
  if (!value) return;
  const std::string field = absl::StrCat("init_options.", name);
  if (!belongs) {
    violations->push_back({field, absl::StrCat("is ", Text(*value), " but only ", owners, " a ",
                                               name, ": leave it out, or choose another init")});
    return;
  }
  CheckNumber(field, *value, *value > 0 && *value <= kInitFactorMax, "above 0 and at most 1000",
              "leave it out for the default", violations);
}

// Orthonormal vectors cost count² · length, and no stop flag ends their drawing. `outputs`: -1 when
// it is not known.
void CheckOrthogonal(const TrainConfig& config, int64_t features, int64_t outputs,
                     Violations* violations) {
  std::vector<int64_t> widths = {features};
  for (const LayerConfig& layer : config.layers) widths.push_back(layer.units);
  widths.push_back(outputs);
  double cost = 0;
  for (size_t i = 1; i < widths.size(); ++i) {
    const auto fewer =
        static_cast<double>(std::max<int64_t>(std::min(widths[i - 1], widths[i]), 0));
    cost += fewer * fewer * static_cast<double>(std::max(widths[i - 1], widths[i]));
  }
  cost *= static_cast<double>(std::max<int64_t>(config.seed_count, 1));
  if (cost <= kOrthogonalCostMax) return;
  violations->push_back(
      {"init", absl::StrCat(
                   "is ORTHOGONAL, which takes ", Text(cost),
                   " operations for these layers and seeds; at most ", Text(kOrthogonalCostMax),
                   " (two layers of 4096 units after 4096): choose another init, or fewer units")});
}

void CheckInit(const TrainConfig& config, int64_t features, int64_t outputs,
               Violations* violations) {
  const InitKind kind = config.init.kind;
  if (kind == InitKind::kOrthogonal) CheckOrthogonal(config, features, outputs, violations);
  if (kind == InitKind::kZeros && !config.layers.empty()) {
    violations->push_back(
        {"init",
         absl::StrCat("is ZEROS with ", config.layers.size(),
                      " hidden layers; only a network without hidden layers may start at zero, "
                      "the units of a layer would stay alike: leave init out")});
  }
  CheckInitFactor("gain", config.init.gain, !HasScale(kind) && kind != InitKind::kZeros,
                  "init other than ZEROS, NORMAL and UNIFORM has", violations);
  CheckInitFactor("scale", config.init.scale, HasScale(kind), "NORMAL and UNIFORM have",
                  violations);
}

// Values of one array of initial weights: their number, and that they are numbers.
void CheckValues(const std::string& field, const std::vector<float>& values, int64_t expected,
                 const std::string& shape, Violations* violations) {
  if (static_cast<int64_t>(values.size()) != expected) {
    violations->push_back({field, absl::StrCat("has ", values.size(), " values; must have ",
                                               expected, " (", shape, "): give them all")});
    return;
  }
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (bad == values.end()) return;
  violations->push_back(
      {field, absl::StrCat("value ", bad - values.begin(), " is ", Text(*bad),
                           "; must be a finite number: weights of about 1 are usual")});
}

void CheckInitialBiases(const std::string& field, const std::vector<float>& biases, int64_t units,
                        bool has_biases, Violations* violations) {
  if (biases.empty()) return;
  if (has_biases) {
    CheckValues(field, biases, units, "one per unit", violations);
    return;
  }
  violations->push_back(
      {field, "are given for a layer without biases: leave them out, or set bias to true"});
}

// `features`, `outputs`: -1 when not known.
void CheckInitialLayers(const TrainConfig& config, int64_t features, int64_t outputs,
                        Violations* violations) {
  const std::vector<InitialLayerConfig>& given = config.initial_weights;
  if (given.empty()) return;
  if (config.init.kind != InitKind::kUnspecified) {
    violations->push_back(
        {"init",
         "is given together with initial_weights, which leave nothing to draw: leave one "
         "of them out"});
  }
  if (given.size() != config.layers.size() + 1) {
    violations->push_back(
        {"initial_weights",
         absl::StrCat("has ", given.size(), " layers; must have ", config.layers.size() + 1,
                      ": the hidden layers, then the output layer")});
    return;
  }
  int64_t in = features;
  for (size_t i = 0; i < given.size(); ++i) {
    const bool is_output = i == config.layers.size();
    const int64_t out = is_output ? outputs : config.layers[i].units;
    const bool has_biases = is_output ? config.output_bias : config.layers[i].bias;
    const std::string path = absl::StrCat("initial_weights[", i, "]");
    if (in > 0 && out > 0) {
      CheckValues(path + ".weights", given[i].weights, in * out,
                  absl::StrCat(in, " inputs of ", out, " units"), violations);
    }
    if (out > 0) {
      CheckInitialBiases(path + ".biases", given[i].biases, out, has_biases, violations);
    }
    in = out;
  }
}

const ColumnInfo* FindColumn(const Schema& schema, absl::string_view name) {
  for (const ColumnInfo& column : schema.columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

bool HasClasses(Task task) { return task == Task::kBinary || task == Task::kMulticlass; }

// "roc_auc", with what was probably meant.
std::string UnknownName(absl::string_view name, const std::vector<std::string>& names) {
  const std::string nearest = Nearest(name, names);
  const size_t shown = std::min(names.size(), kNamesShownMax);
  return absl::StrCat(
      nearest.empty() ? "" : absl::StrCat("did you mean \"", nearest, "\"? "), "there is ",
      absl::StrJoin(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
      shown < names.size() ? ", …" : "");
}

void CheckClassNames(const TrainConfig& config, const Schema& schema, Violations* violations) {
  const ColumnInfo* target = FindColumn(schema, config.data.target_column);
  const bool known = target != nullptr && !target->values.empty();
  for (const auto& [name, weight] : config.class_weights.by_name) {
    const std::string field = absl::StrCat("loss_options.class_weights[\"", name, "\"]");
    CheckNumber(field, weight, weight >= 0 && weight <= kClassWeightMax,
                "at least 0 and at most 1e6", "1 is the weight of classes that are not named",
                violations);
    if (!known) continue;
    const std::vector<std::string>& values = target->values;
    if (std::find(values.begin(), values.end(), name) != values.end()) continue;
    violations->push_back({field, absl::StrCat("is no class of \"", config.data.target_column,
                                               "\": ", UnknownName(name, values))});
  }
}

void CheckClassWeights(const TrainConfig& config, const Schema& schema, Violations* violations) {
  const ClassWeights& weights = config.class_weights;
  if (weights.by_name.empty() && !weights.balanced) return;
  const absl::string_view field =
      weights.balanced ? "loss_options.balanced_class_weights" : "loss_options.class_weights";
  const Task task = config.data.task;
  if (task != Task::kUnspecified && !HasClasses(task)) {
    violations->push_back(
        {std::string(field), absl::StrCat("is given but the task is ", TaskName(task),
                                          ", which has no classes to weigh: leave it out")});
    return;
  }
  if (weights.balanced && !weights.by_name.empty()) {
    violations->push_back(
        {std::string(field), "is given together with class_weights: leave one of them out"});
  }
  CheckClassNames(config, schema, violations);
}

// An option of one loss, given with another one.
void AddForeignOption(absl::string_view field, double value, LossKind owner, LossKind loss,
                      Violations* violations) {
  violations->push_back(
      {absl::StrCat("loss_options.", field),
       absl::StrCat("is ", Text(value), " but the loss is ", LossName(loss), ", which has no ",
                    field, ": leave it out, or choose ", LossName(owner))});
}

void CheckTargetScaling(const TrainConfig& config, Violations* violations) {
  if (config.data.target_scaling != TargetScaling::kStandardize) return;
  if (config.loss.kind == LossKind::kPoisson) {
    violations->push_back({"target_scaling",
                           "is STANDARDIZE but the loss is POISSON, whose targets are counts of 0 "
                           "or more: leave it out, or choose MEAN_SQUARED_ERROR"});
  } else if (config.data.task != Task::kUnspecified && config.data.task != Task::kRegression) {
    violations->push_back({"target_scaling", absl::StrCat("is STANDARDIZE but the task is ",
                                                          TaskName(config.data.task),
                                                          ", whose target is no number: leave it "
                                                          "out")});
  }
}

void CheckLossOptions(const LossConfig& loss, Violations* violations) {
  const LossConfig defaults;
  if (loss.kind == LossKind::kSoftmaxCrossEntropy) {
    CheckNumber("loss_options.label_smoothing", loss.label_smoothing,
                loss.label_smoothing >= 0 && loss.label_smoothing < 1, "at least 0 and below 1",
                "0.1 is usual, 0 turns it off", violations);
  } else if (loss.label_smoothing != 0) {
    AddForeignOption("label_smoothing", loss.label_smoothing, LossKind::kSoftmaxCrossEntropy,
                     loss.kind, violations);
  }
  if (loss.kind == LossKind::kHuber) {
    CheckNumber("loss_options.delta", loss.delta, loss.delta > 0 && loss.delta <= kDeltaMax,
                "above 0 and at most 1e30", "1 is the default", violations);
  } else if (loss.delta != defaults.delta) {
    AddForeignOption("delta", loss.delta, LossKind::kHuber, loss.kind, violations);
  }
  if (loss.kind == LossKind::kQuantile) {
    CheckNumber("loss_options.quantile", loss.quantile, loss.quantile > 0 && loss.quantile < 1,
                "above 0 and below 1", "0.5 is the median", violations);
  } else if (loss.quantile != defaults.quantile) {
    AddForeignOption("quantile", loss.quantile, LossKind::kQuantile, loss.kind, violations);
  }
}

void CheckMetricName(absl::string_view field, absl::string_view metric,
                     const std::vector<std::string>& names, Violations* violations) {
  if (std::find(names.begin(), names.end(), metric) != names.end()) return;
  violations->push_back({std::string(field), absl::StrCat("\"", metric,
                                                          "\" is no metric of the "
                                                          "task: ",
                                                          UnknownName(metric, names))});
}

// Something that chooses by what it sees on the validation rows.
void CheckHasValidation(absl::string_view field, const TrainConfig& config, const Schema& schema,
                        Violations* violations) {
  const SplitConfig& split = config.data.split;
  if (HasValidation(schema, split)) return;
  violations->push_back(
      {std::string(field),
       split.part_column.empty()
           ? "needs validation rows but split.validation_fraction is 0: set it to 0.15, or leave "
             "this out"
           : absl::StrCat("needs validation rows but column \"", split.part_column,
                          "\" has no row for \"validation\": leave this out")});
}

void CheckRunCounts(const TrainConfig& config, Violations* violations) {
  if (config.data.split.fold_count == 0 || config.seed_count <= 1) return;
  violations->push_back(
      {"seed_count", absl::StrCat("is ", config.seed_count,
                                  " together with split.fold_count, which trains once for each "
                                  "fold: leave one of the two out")});
}

void CheckEarlyStopping(const EarlyStoppingConfig& stopping, Violations* violations) {
  CheckCount("early_stopping.patience", stopping.patience, 1, limits::kPatienceMax,
             "evaluations without improvement, 10 is the default", violations);
  if (stopping.restore_only && !stopping.restore_best) {
    violations->push_back({"early_stopping.restore_best",
                           "is false together with restore_only, so early stopping would do "
                           "nothing: leave one of the two out"});
  }
  const double delta = stopping.min_delta;
  CheckNumber("early_stopping.min_delta", delta, delta >= 0 && std::isfinite(delta),
              "at least 0 and finite", "0 is the default", violations);
}

bool HasBatchNorm(const TrainConfig& config) {
  return std::any_of(config.layers.begin(), config.layers.end(), [](const LayerConfig& layer) {
    return layer.normalization == Normalization::kBatch;
  });
}

bool HasDropout(const TrainConfig& config) {
  return config.input_dropout > 0 ||
         std::any_of(config.layers.begin(), config.layers.end(),
                     [](const LayerConfig& layer) { return layer.dropout > 0; });
}

// The nearest larger size that leaves no batch of one row.
int64_t NextFitBatchSize(int64_t batch_size, int64_t train_rows) {
  int64_t size = batch_size + 1;
  while (train_rows % size == 1) ++size;
  return size;
}

void CheckBatchNorm(const TrainConfig& config, int64_t train_rows, Violations* violations) {
  if (config.batch_size == 1 || train_rows == 1) {
    violations->push_back(
        {"batch_size",
         absl::StrCat("makes batches of 1 row, in which BATCH normalisation finds no variance; at "
                      "least 2 rows: use a batch_size of 32, or LAYER normalisation")});
    return;
  }
  if (train_rows < 0 || train_rows <= config.batch_size || train_rows % config.batch_size != 1) {
    return;
  }
  violations->push_back(
      {"batch_size",
       absl::StrCat("is ", config.batch_size, ", which leaves 1 of the ", train_rows,
                    " training rows for the last batch; BATCH normalisation needs at least 2 rows "
                    "in each: use a batch_size of ",
                    NextFitBatchSize(config.batch_size, train_rows), ", or LAYER normalisation")});
}

void CheckLbfgs(const TrainConfig& config, int64_t train_rows, Violations* violations) {
  const auto refuse = [&](absl::string_view field, const std::string& what) {
    violations->push_back(
        {std::string(field),
         absl::StrCat(what,
                      " but the optimizer is LBFGS, whose line search needs the loss to be "
                      "the same function in every evaluation: leave it out, or choose ADAM")});
  };
  if (train_rows > config.batch_size) {
    violations->push_back(
        {"batch_size", absl::StrCat("is ", config.batch_size, " with ", train_rows,
                                    " training rows but the optimizer is LBFGS, which needs full "
                                    "batches: ",
                                    train_rows <= limits::kBatchSizeMax
                                        ? absl::StrCat("use a batch_size of ", train_rows,
                                                       " or more, or choose ADAM")
                                        : std::string("choose ADAM"))});
  }
  if (HasDropout(config)) refuse("layers", "have dropout");
  if (HasBatchNorm(config)) refuse("layers", "have BATCH normalisation");
  if (config.accumulation_steps > 1) {
    refuse("accumulation_steps", absl::StrCat("is ", config.accumulation_steps));
  }
}

}  // namespace

void CheckCount(absl::string_view field, int64_t value, int64_t min, int64_t max,
                absl::string_view remedy, Violations* violations) {
  if (value >= min && value <= max) return;
  violations->push_back({std::string(field), absl::StrCat("is ", value, "; must be from ", min,
                                                          " to ", max, ": ", remedy)});
}

void CheckNumber(absl::string_view field, double value, bool in_range, absl::string_view range,
                 absl::string_view remedy, Violations* violations) {
  if (in_range) return;
  violations->push_back(
      {std::string(field), absl::StrCat("is ", Text(value), "; must be ", range, ": ", remedy)});
}

void CheckNetwork(const TrainConfig& config, const Schema& schema, const FeatureCounts& features,
                  Violations* violations) {
  const bool task_known = config.data.task != Task::kUnspecified;
  const int64_t outputs = task_known && features.max > 0 ? OutputCountOf(config, schema) : -1;
  CheckLayers(config, features.exact, violations);
  CheckDropout("input_dropout", config.input_dropout, violations);
  CheckInit(config, features.max, outputs, violations);
  CheckInitialLayers(config, features.exact, outputs, violations);
}

void CheckLoss(const TrainConfig& config, const Schema& schema, Violations* violations) {
  const Task task = config.data.task;
  const LossKind kind = config.loss.kind;
  CheckClassWeights(config, schema, violations);
  if (task != Task::kUnspecified && !LossFits(kind, task)) {
    violations->push_back(
        {"loss", absl::StrCat("is ", LossName(kind), " but the task is ", TaskName(task),
                              ", whose loss is ", LossName(LossOf(task)),
                              " unless another that fits is chosen: leave loss out, or change "
                              "task")});
  }
  if (kind != LossKind::kUnspecified) CheckLossOptions(config.loss, violations);
  CheckTargetScaling(config, violations);
}

void CheckMetrics(const TrainConfig& config, const Schema& schema, Violations* violations) {
  const bool plateau = config.schedule.kind == ScheduleKind::kReduceOnPlateau;
  const bool stopping = config.early_stopping.enabled;
  if (stopping) CheckEarlyStopping(config.early_stopping, violations);
  if (stopping) CheckHasValidation("early_stopping", config, schema, violations);
  if (plateau) CheckHasValidation("schedule.kind", config, schema, violations);
  if (config.seed_count > 1) CheckHasValidation("seed_count", config, schema, violations);
  if (config.evaluation_interval > 0)
    CheckHasValidation("evaluation_interval", config, schema, violations);
  CheckRunCounts(config, violations);
  if (config.data.task == Task::kUnspecified) return;
  const std::vector<std::string> names =
      MetricNames(config.data.task, OutputCountOf(config, schema));
  for (size_t i = 0; i < config.metrics.size(); ++i) {
    CheckMetricName(absl::StrCat("metrics[", i, "]"), config.metrics[i], names, violations);
  }
  CheckMetricName("early_stopping.metric", MonitoredMetric(config), names, violations);
  if (!plateau || config.schedule.metric.empty()) return;
  CheckMetricName("schedule.metric", config.schedule.metric, names, violations);
}

void CheckRun(const TrainConfig& config, Violations* violations) {
  CheckCount("batch_size", config.batch_size, 1, limits::kBatchSizeMax, "32 is usual", violations);
  if (config.epochs != 0) {
    CheckCount("epochs", config.epochs, 1, limits::kEpochsMax, "leave it out to have it chosen",
               violations);
  }
  CheckCount("threads", config.threads, 1, limits::kThreadsMax, "1 is the default", violations);
  CheckCount("max_steps", config.max_steps, 0, limits::kMaxStepsMax, "leave it out for no limit",
             violations);
  CheckCount("accumulation_steps", config.accumulation_steps, 1, limits::kAccumulationStepsMax,
             "1 is the default", violations);
  CheckCount("evaluation_interval", config.evaluation_interval, 0, limits::kMaxStepsMax,
             "leave it out to evaluate after each epoch only", violations);
  CheckCount("seed_count", config.seed_count, 1, limits::kSeedCountMax, "1 is the default",
             violations);
  const double seconds = config.runtime_seconds_max;
  CheckNumber("max_runtime", seconds,
              seconds >= kRuntimeSecondsMin && seconds <= limits::kRuntimeSecondsMax,
              absl::StrCat("from 0.1 to ", limits::kRuntimeSecondsMax, " seconds"),
              "leave it out for the longest", violations);
  if (!SupportsPrecision(config.precision)) {
    violations->push_back(
        {"precision",
         "is BF16 but the CPU of this machine has no bfloat16 arithmetic (avx512_bf16 or "
         "amx_bf16): leave it out for FP32"});
  }
  if (config.step_event_interval >= 0) return;
  violations->push_back(
      {"step_event_interval", absl::StrCat("is ", config.step_event_interval,
                                           "; must be 1 or more: leave it out to have it chosen")});
}

void CheckBatches(const TrainConfig& config, int64_t train_rows, Violations* violations) {
  if (config.batch_size < 1) return;  // has a fault of its own
  if (HasBatchNorm(config)) CheckBatchNorm(config, train_rows, violations);
  if (config.optimizer.kind == OptimizerKind::kLbfgs) CheckLbfgs(config, train_rows, violations);
}

}  // namespace trainyard
