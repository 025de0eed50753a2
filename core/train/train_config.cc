#include "core/train/train_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/data/number.h"
#include "core/data/split.h"

namespace trainyard {
namespace {

constexpr double kLearningRateMax = 1e6;
constexpr double kWeightDecayMax = 1e6;
constexpr double kRuntimeSecondsMin = 0.1;

// For the default of step_event_interval only: what a fast machine does with one thread. An
// optimistic speed gives fewer events than 10 a second, never more.
constexpr double kNominalFlopsPerSecond = 250e9;
constexpr double kNominalStepSeconds = 1e-6;
constexpr double kEventsPerSecondMax = 10;

using Violations = std::vector<FieldViolation>;

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
    default:
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
    default:
      break;
  }
  return "TASK_UNSPECIFIED";
}

// A count that must be in [min, max].
void CheckCount(absl::string_view field, int64_t value, int64_t min, int64_t max,
                absl::string_view remedy, Violations* violations) {
  if (value >= min && value <= max) return;
  violations->push_back({std::string(field), absl::StrCat("is ", value, "; must be from ", min,
                                                          " to ", max, ": ", remedy)});
}

// A number with the range in words; NaN is in no range.
void CheckNumber(absl::string_view field, double value, bool in_range, absl::string_view range,
                 absl::string_view remedy, Violations* violations) {
  if (in_range) return;
  violations->push_back(
      {std::string(field), absl::StrCat("is ", Text(value), "; must be ", range, ": ", remedy)});
}

void CheckAbsent(absl::string_view field, const std::optional<double>& value,
                 absl::string_view kind, absl::string_view owner, Violations* violations) {
  if (!value.has_value()) return;
  violations->push_back(
      {absl::StrCat("optimizer.", field),
       absl::StrCat("is ", Text(*value), " but the optimizer is ", kind, ", which has no ", field,
                    ": leave it out, or choose kind ", owner)});
}

void CheckFraction(absl::string_view field, const std::optional<double>& value,
                   Violations* violations) {
  if (!value.has_value()) return;
  CheckNumber(absl::StrCat("optimizer.", field), *value, *value >= 0 && *value < 1,
              "at least 0 and below 1", "0.9 is usual, 0.999 for beta2", violations);
}

void CheckSgd(const OptimizerConfig& config, Violations* violations) {
  CheckAbsent("beta1", config.beta1, "SGD", "ADAM", violations);
  CheckAbsent("beta2", config.beta2, "SGD", "ADAM", violations);
  CheckAbsent("epsilon", config.epsilon, "SGD", "ADAM", violations);
  CheckFraction("momentum", config.momentum, violations);
}

void CheckAdam(const OptimizerConfig& config, Violations* violations) {
  CheckAbsent("momentum", config.momentum, "ADAM", "SGD", violations);
  CheckFraction("beta1", config.beta1, violations);
  CheckFraction("beta2", config.beta2, violations);
  if (!config.epsilon) return;
  CheckNumber("optimizer.epsilon", *config.epsilon, *config.epsilon > 0 && *config.epsilon <= 1,
              "above 0 and at most 1", "1e-8 is usual", violations);
}

OptimizerConfig ResolveOptimizer(const OptimizerConfig& config, Violations* violations) {
  const OptimizerConfig full = WithDefaults(config);
  const double lr = *full.learning_rate;
  CheckNumber("optimizer.learning_rate", lr, lr > 0 && lr <= kLearningRateMax,
              "above 0 and at most 1e6", "0.001 is usual for ADAM, 0.01 for SGD", violations);
  const double decay = *full.weight_decay;
  CheckNumber("optimizer.weight_decay", decay, decay >= 0 && decay <= kWeightDecayMax,
              "at least 0 and at most 1e6", "1e-4 is usual, 0 turns it off", violations);
  (full.kind == OptimizerKind::kAdam ? CheckAdam : CheckSgd)(full, violations);
  return full;
}

std::vector<LayerConfig> ResolveLayers(const std::vector<LayerConfig>& layers,
                                       Violations* violations) {
  if (static_cast<int64_t>(layers.size()) > limits::kLayersMax) {
    violations->push_back(
        {"layers", absl::StrCat("has ", layers.size(), " hidden layers; at most ",
                                limits::kLayersMax, ": use fewer, wider layers")});
  }
  std::vector<LayerConfig> full = layers;
  for (size_t i = 0; i < full.size(); ++i) {
    CheckCount(absl::StrCat("layers[", i, "].units"), full[i].units, 1, limits::kUnitsMax,
               "the number of units of the layer, e.g. 64", violations);
    if (full[i].activation == Activation::kUnspecified) full[i].activation = Activation::kRelu;
  }
  return full;
}

LossKind ResolveLoss(LossKind loss, Task task, Violations* violations) {
  const LossKind fitting = LossOf(task);
  if (loss == LossKind::kUnspecified) return fitting;
  if (fitting != LossKind::kUnspecified && loss != fitting) {
    violations->push_back(
        {"loss",
         absl::StrCat("is ", LossName(loss), " but the task is ", TaskName(task),
                      ", whose loss is ", LossName(fitting), ": leave loss out, or change task")});
  }
  return loss;
}

void CheckInit(const TrainConfig& config, Violations* violations) {
  if (config.init.kind != InitKind::kZeros || config.layers.empty()) return;
  violations->push_back(
      {"init",
       absl::StrCat("is ZEROS with ", config.layers.size(),
                    " hidden layers; only a network without hidden layers may start at zero, "
                    "the units of a layer would stay alike: leave init out")});
}

// REQUIRES: counts of `config` are in range.
void CheckParameterCount(const TrainConfig& config, const Schema& schema, Violations* violations) {
  const int64_t outputs = OutputCountOf(config, schema);
  const auto features = static_cast<int64_t>(config.data.feature_columns.size());
  const int64_t count = ParameterCount(MlpConfigOf(config, features, outputs));
  if (count <= limits::kParametersMax) return;
  violations->push_back(
      {"layers", absl::StrCat("make ", count, " parameters; at most ", limits::kParametersMax,
                              ": use fewer or narrower layers")});
}

// Steps between events so that a fast machine makes at most kEventsPerSecondMax of them in a
// second, and the whole run no more than may be kept.
int64_t ChooseStepEventInterval(const TrainConfig& config, const Schema& schema) {
  const auto features = static_cast<int64_t>(config.data.feature_columns.size());
  const MlpConfig shape = MlpConfigOf(config, features, OutputCountOf(config, schema));
  const int64_t batch = std::min(config.batch_size, TrainRowCount(config, schema.rows));
  const double step_flops =
      static_cast<double>(TrainFlopsPerRow(shape)) * static_cast<double>(batch);
  const double step_seconds =
      kNominalStepSeconds +
      step_flops / (kNominalFlopsPerSecond * static_cast<double>(config.threads));
  const auto by_speed = static_cast<int64_t>(std::ceil(1 / (kEventsPerSecondMax * step_seconds)));
  const int64_t left = std::max<int64_t>(limits::kTrainingEventsMax - config.epochs, 1);
  const int64_t by_count = (StepsTotal(config, schema.rows) + left - 1) / left;
  return std::max({int64_t{1}, by_speed, by_count});
}

// REQUIRES: counts of `config` are in range.
void CheckEventCount(const TrainConfig& config, const Schema& schema, Violations* violations) {
  const int64_t steps = StepsTotal(config, schema.rows);
  const int64_t interval = config.step_event_interval;
  const int64_t events = (steps + interval - 1) / interval + config.epochs;
  if (events <= limits::kTrainingEventsMax) return;
  violations->push_back({"step_event_interval",
                         absl::StrCat("is ", interval, ", which makes ", events, " events of ",
                                      steps, " steps and ", config.epochs, " epochs; at most ",
                                      limits::kTrainingEventsMax, ": raise it, or leave it out")});
}

void CheckCounts(const TrainConfig& config, Violations* violations) {
  CheckCount("batch_size", config.batch_size, 1, limits::kBatchSizeMax, "32 is usual", violations);
  CheckCount("epochs", config.epochs, 1, limits::kEpochsMax, "20 is the default", violations);
  CheckCount("threads", config.threads, 1, limits::kThreadsMax, "1 is the default", violations);
  const double seconds = config.runtime_seconds_max;
  CheckNumber("max_runtime", seconds,
              seconds >= kRuntimeSecondsMin && seconds <= limits::kRuntimeSecondsMax,
              absl::StrCat("from 0.1 to ", limits::kRuntimeSecondsMax, " seconds"),
              "leave it out for the longest", violations);
  if (config.step_event_interval >= 0) return;
  violations->push_back(
      {"step_event_interval", absl::StrCat("is ", config.step_event_interval,
                                           "; must be 1 or more: leave it out to have it chosen")});
}

void AddNotes(const TrainConfig& config, std::vector<std::string>* notes) {
  const auto is_identity = [](const LayerConfig& layer) {
    return layer.activation == Activation::kIdentity;
  };
  if (config.layers.empty()) return;
  if (!std::all_of(config.layers.begin(), config.layers.end(), is_identity)) return;
  notes->push_back(
      "layers: every activation is IDENTITY, so the network is a linear model whatever its depth");
}

}  // namespace

TrainConfig ResolveTrainConfig(const TrainConfig& config, const Schema& schema,
                               Violations* violations, std::vector<std::string>* notes) {
  Violations found;
  TrainConfig full = config;
  full.data = ResolveDataConfig(config.data, schema, &found, notes);
  const bool data_ok = found.empty();
  full.layers = ResolveLayers(config.layers, &found);
  full.loss.kind = ResolveLoss(config.loss.kind, full.data.task, &found);
  full.optimizer = ResolveOptimizer(config.optimizer, &found);
  CheckInit(full, &found);
  CheckCounts(full, &found);
  AddNotes(full, notes);
  // What follows counts parameters and steps: meaningless, and may overflow, with faulty numbers.
  if (data_ok && found.empty()) {
    CheckParameterCount(full, schema, &found);
    if (full.step_event_interval == 0) {
      full.step_event_interval = ChooseStepEventInterval(full, schema);
    }
    CheckEventCount(full, schema, &found);
  }
  std::move(found.begin(), found.end(), std::back_inserter(*violations));
  return full;
}

MlpConfig MlpConfigOf(const TrainConfig& config, int64_t features, int64_t outputs) {
  return {.features = features,
          .layers = config.layers,
          .outputs = outputs,
          .init = config.init,
          .input_dropout = config.input_dropout,
          .output_bias = config.output_bias,
          .precision = config.precision};
}

LossConfig LossConfigOf(const TrainConfig& config, const Dataset& /*dataset*/) {
  return config.loss;
}

int64_t OutputCountOf(const TrainConfig& config, const Schema& schema) {
  if (config.data.task != Task::kMulticlass) return 1;
  for (const ColumnInfo& column : schema.columns) {
    if (column.name == config.data.target_column) return column.distinct_count;
  }
  return 1;
}

int64_t TrainRowCount(const TrainConfig& config, int64_t rows) {
  return CountSplit(rows, config.data.split).train;
}

int64_t StepsTotal(const TrainConfig& config, int64_t rows) {
  const int64_t train_rows = TrainRowCount(config, rows);
  const int64_t batch = std::min(config.batch_size, train_rows);
  if (batch == 0) return 0;
  return (train_rows + batch - 1) / batch * config.epochs;
}

}  // namespace trainyard
