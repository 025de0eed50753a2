#include "core/train/train_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/data/resolve_features.h"
#include "core/data/split.h"
#include "core/optim/optimizer_checks.h"
#include "core/train/config_checks.h"
#include "core/train/layer_monitor.h"

namespace trainyard {
namespace {

// For the default of step_event_interval only: what a fast machine does with one thread. An
// optimistic speed gives fewer events than 10 a second, never more.
constexpr double kNominalFlopsPerSecond = 250e9;
constexpr double kNominalStepSeconds = 1e-6;
constexpr double kEventsPerSecondMax = 10;

constexpr double kInitScaleDefault = 0.01;

LayerConfig WithDefaults(const LayerConfig& layer) {
  LayerConfig full = layer;
  if (full.activation == Activation::kUnspecified) full.activation = Activation::kRelu;
  if (HasAlpha(full.activation) && !full.alpha) {
    // Not the float: it would show more digits than anybody wrote.
    full.alpha = full.activation == Activation::kLeakyRelu ? 0.01 : 1.0;
  }
  if (full.normalization == Normalization::kUnspecified) full.normalization = Normalization::kNone;
  return full;
}

InitConfig WithDefaults(const InitConfig& init) {
  InitConfig full = init;
  const bool scaled = init.kind == InitKind::kNormal || init.kind == InitKind::kUniform;
  if (scaled && !init.scale) full.scale = kInitScaleDefault;
  return full;
}

// Of classes there is nothing to scale, and the Poisson loss is of counts.
TargetScaling TargetScalingOf(const TrainConfig& config) {
  if (config.data.task != Task::kRegression) return TargetScaling::kUnspecified;
  return config.loss.kind == LossKind::kPoisson ? TargetScaling::kNone
                                                : TargetScaling::kStandardize;
}

// Every default that does not depend on how long the run is. Adds the faults of the optimizer,
// which are told before its defaults are filled in.
void FillDefaults(TrainConfig* config, Violations* violations) {
  for (LayerConfig& layer : config->layers) layer = WithDefaults(layer);
  config->init = WithDefaults(config->init);
  if (config->layer_records == LayerRecords::kUnspecified) {
    config->layer_records = LayerRecords::kNone;
  }
  if (config->precision == Precision::kUnspecified) config->precision = Precision::kFp32;
  if (config->loss.kind == LossKind::kUnspecified) config->loss.kind = LossOf(config->data.task);
  if (config->data.target_scaling == TargetScaling::kUnspecified) {
    config->data.target_scaling = TargetScalingOf(*config);
  }
  if (config->early_stopping.enabled) config->early_stopping.metric = MonitoredMetric(*config);
  std::vector<std::string> metrics;
  for (const std::string& metric : config->metrics) {
    if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) {
      metrics.push_back(metric);
    }
  }
  config->metrics = std::move(metrics);
  CheckOptimizer(config->optimizer, violations);
  config->optimizer = WithDefaults(config->optimizer);
  CheckSchedule(config->schedule, *config->optimizer.learning_rate, violations);
}

// Folds differ by a row. What only groups decide is found when training begins.
void CheckBatchesOfRuns(const TrainConfig& config, const Schema& schema, bool data_ok,
                        Violations* violations) {
  const SplitConfig& split = config.data.split;
  if (!data_ok || !split.group_column.empty()) return CheckBatches(config, -1, violations);
  const size_t before = violations->size();
  const int64_t fewest = TrainRowCount(config, schema);
  CheckBatches(config, fewest, violations);
  if (split.fold_count == 0 || violations->size() > before) return;
  const int64_t most = CountSplit(schema, split, split.fold_count - 1).train;
  if (most > fewest) CheckBatches(config, most, violations);
}

// Nothing to count where layers are out of range, which is a fault of its own.
void CheckParameterCount(const TrainConfig& config, const Schema& schema, Violations* violations) {
  const bool countable =
      config.data.task != Task::kUnspecified &&
      static_cast<int64_t>(config.layers.size()) <= limits::kLayersMax &&
      std::all_of(config.layers.begin(), config.layers.end(), [](const LayerConfig& layer) {
        return layer.units >= 1 && layer.units <= limits::kUnitsMax;
      });
  if (!countable) return;
  const int64_t outputs = OutputCountOf(config, schema);
  const int64_t features = FeatureCountMax(config.data, schema);
  const int64_t count = ParameterCount(MlpConfigOf(config, features, outputs));
  if (count <= limits::kParametersMax) return;
  violations->push_back(
      {"layers", absl::StrCat("make ", count, " parameters; at most ", limits::kParametersMax,
                              ": use fewer or narrower layers")});
}

// A run that ends within its warm-up has hardly begun.
void CheckWarmup(const TrainConfig& config, const RunLength& length, Violations* violations) {
  const int64_t warmup = *config.schedule.warmup_steps;
  if (warmup == 0 || warmup < length.steps) return;
  violations->push_back(
      {"schedule.warmup_steps", absl::StrCat("is ", warmup, " but the run has ", length.steps,
                                             " steps; must be fewer: a tenth of them is usual")});
}

// Epochs, and evaluations between them, of all runs.
int64_t EvaluationsTotal(const TrainConfig& config, const Schema& schema) {
  const int64_t epochs =
      RunLengthOf(config, TrainRowCount(config, schema)).epochs * RunCountOf(config);
  if (config.evaluation_interval == 0) return epochs;
  return epochs + StepsTotal(config, schema) / config.evaluation_interval;
}

// Steps between events so that a fast machine makes at most kEventsPerSecondMax of them in a
// second, and the whole run no more than may be kept.
int64_t ChooseStepEventInterval(const TrainConfig& config, const Schema& schema) {
  const int64_t features = FeatureCountMax(config.data, schema);
  const MlpConfig shape = MlpConfigOf(config, features, OutputCountOf(config, schema));
  const int64_t train_rows = TrainRowCount(config, schema);
  const int64_t batch = std::min(config.batch_size * config.accumulation_steps, train_rows);
  const double step_flops =
      static_cast<double>(TrainFlopsPerRow(shape)) * static_cast<double>(batch);
  const double step_seconds =
      kNominalStepSeconds +
      step_flops / (kNominalFlopsPerSecond * static_cast<double>(config.threads));
  const auto by_speed = static_cast<int64_t>(std::ceil(1 / (kEventsPerSecondMax * step_seconds)));
  const int64_t left =
      std::max<int64_t>(limits::kTrainingEventsMax - EvaluationsTotal(config, schema), 1);
  const int64_t by_count = (StepsTotal(config, schema) + left - 1) / left;
  return std::max({int64_t{1}, by_speed, by_count});
}

// REQUIRES: counts of `config` are in range.
void CheckEventCount(const TrainConfig& config, const Schema& schema, Violations* violations) {
  const int64_t steps = StepsTotal(config, schema);
  const int64_t interval = config.step_event_interval;
  const int64_t evaluations = EvaluationsTotal(config, schema);
  if (evaluations > limits::kTrainingEventsMax) {
    violations->push_back(
        {config.evaluation_interval > 0 ? "evaluation_interval" : "epochs",
         absl::StrCat("makes ", evaluations, " evaluations of all runs together; at most ",
                      limits::kTrainingEventsMax, ": evaluate less often, or use fewer epochs")});
    return;
  }
  const int64_t events = (steps + interval - 1) / interval + evaluations;
  if (events <= limits::kTrainingEventsMax) return;
  violations->push_back({"step_event_interval",
                         absl::StrCat("is ", interval, ", which makes ", events, " events of ",
                                      steps, " steps and ", evaluations, " evaluations; at most ",
                                      limits::kTrainingEventsMax, ": raise it, or leave it out")});
}

// REQUIRES: as CheckEventCount.
void CheckLayerRecords(const TrainConfig& config, Violations* violations) {
  const int64_t epochs = config.epochs * RunCountOf(config);
  const int64_t numbers = epochs * LayerMonitor::NumbersPerEpoch(config);
  if (numbers <= LayerMonitor::kRecordNumbersMax) return;
  violations->push_back(
      {"layer_records",
       absl::StrCat("make ", numbers, " numbers in ", epochs, " epochs of ",
                    config.layers.size() + 1, " layers; at most ", LayerMonitor::kRecordNumbersMax,
                    ": record SUMMARY instead of HISTOGRAMS, or use fewer epochs")});
}

// An affine map stays one behind another; batch normalisation is affine in evaluation.
bool IsLinear(const LayerConfig& layer) {
  return layer.activation == Activation::kIdentity && layer.normalization != Normalization::kLayer;
}

void AddNotes(const TrainConfig& config, std::vector<std::string>* notes) {
  if (config.layers.empty()) return;
  if (!std::all_of(config.layers.begin(), config.layers.end(), IsLinear)) return;
  notes->push_back(
      "layers: every activation is IDENTITY, so the network is a linear model whatever its depth");
}

// `steps` are those of one epoch.
void ChooseEpochs(int64_t steps, TrainConfig* config, std::vector<std::string>* notes) {
  config->epochs =
      std::clamp((kChosenSteps + steps - 1) / steps, kChosenEpochsMin, kChosenEpochsMax);
  notes->push_back(absl::StrCat("epochs: ", config->epochs, ", because one has ", steps,
                                steps == 1 ? " step" : " steps", " and training takes at least ",
                                kChosenSteps, ", in ", kChosenEpochsMin, " to ", kChosenEpochsMax,
                                " epochs; name epochs to choose another number"));
}

// The choices and checks that count rows, parameters and steps: meaningless, and may overflow, with
// faulty numbers. REQUIRES: every field by itself is in order.
void ResolveCounts(const Schema& schema, TrainConfig* config, Violations* violations,
                   std::vector<std::string>* notes) {
  const int64_t train_rows = TrainRowCount(*config, schema);
  if (config->epochs == 0) {
    ChooseEpochs(std::max<int64_t>(StepsPerEpoch(*config, train_rows), 1), config, notes);
  }
  const RunLength length = RunLengthOf(*config, train_rows);
  config->schedule = WithDefaults(config->schedule, *config->optimizer.learning_rate, length);
  CheckWarmup(*config, length, violations);
  if (config->step_event_interval == 0) {
    config->step_event_interval = ChooseStepEventInterval(*config, schema);
  }
  CheckEventCount(*config, schema, violations);
  CheckLayerRecords(*config, violations);
}

// Weights so that each class counts the same in the sum over the training rows.
std::vector<float> BalancedWeights(const std::vector<int64_t>& class_rows) {
  int64_t rows = 0;
  for (const int64_t count : class_rows) rows += count;
  const auto classes = static_cast<double>(class_rows.size());
  std::vector<float> weights;
  for (const int64_t count : class_rows) {
    const double weight =
        count == 0 ? 1 : static_cast<double>(rows) / (classes * static_cast<double>(count));
    weights.push_back(static_cast<float>(weight));
  }
  return weights;
}

// Training rows of each class.
std::vector<int64_t> CountClasses(const Dataset& dataset) {
  std::vector<int64_t> counts(dataset.classes.size(), 0);
  for (const int32_t k : dataset.train.classes) ++counts[static_cast<size_t>(k)];
  for (const float y : dataset.train.targets) ++counts[y > 0.5F ? 1 : 0];
  return counts;
}

std::vector<float> WeightsByName(const ClassWeights& weights,
                                 const std::vector<std::string>& classes) {
  std::vector<float> by_class(classes.size(), 1.0F);
  for (const auto& [name, weight] : weights.by_name) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end()) continue;
    by_class[static_cast<size_t>(found - classes.begin())] = static_cast<float>(weight);
  }
  return by_class;
}

void AddOnce(const std::string& name, std::vector<std::string>* names) {
  if (name.empty() || std::find(names->begin(), names->end(), name) != names->end()) return;
  names->push_back(name);
}

}  // namespace

TrainConfig ResolveTrainConfig(const TrainConfig& config, const Schema& schema,
                               Violations* violations, std::vector<std::string>* notes) {
  Violations found;
  TrainConfig full = config;
  full.data = ResolveDataConfig(config.data, schema, &found, notes);
  const bool data_ok = found.empty();
  FeatureCounts features;
  if (data_ok) {
    features.max = FeatureCountMax(full.data, schema);
    features.exact = FeatureCountIfKnown(full.data, schema).value_or(-1);
  }
  FillDefaults(&full, &found);
  CheckNetwork(full, schema, features, &found);
  CheckLoss(full, schema, &found);
  CheckMetrics(full, schema, &found);
  CheckRun(full, &found);
  CheckBatchesOfRuns(full, schema, data_ok, &found);
  if (data_ok) CheckParameterCount(full, schema, &found);
  AddNotes(full, notes);
  if (found.empty()) ResolveCounts(schema, &full, &found, notes);
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

LossConfig LossConfigOf(const TrainConfig& config, const Dataset& dataset) {
  LossConfig loss = config.loss;
  const ClassWeights& weights = config.class_weights;
  if (weights.balanced) loss.class_weights = BalancedWeights(CountClasses(dataset));
  if (!weights.by_name.empty()) {
    loss.class_weights = WeightsByName(weights, dataset.classes);
  }
  loss.target_offset = dataset.target_offset;
  loss.target_scale = dataset.target_scale;
  return loss;
}

std::string MonitoredMetric(const TrainConfig& config) {
  return config.early_stopping.metric.empty() ? "loss" : config.early_stopping.metric;
}

MeterConfig MeterConfigOf(const TrainConfig& config, const Dataset& dataset) {
  MeterConfig meter{.loss = LossConfigOf(config, dataset),
                    .task = config.data.task,
                    .outputs = dataset.output_count(),
                    .metrics = config.metrics};
  AddOnce(config.early_stopping.metric, &meter.metrics);
  AddOnce(config.schedule.metric, &meter.metrics);
  return meter;
}

int64_t OutputCountOf(const TrainConfig& config, const Schema& schema) {
  if (config.data.task == Task::kMultilabel) {
    return static_cast<int64_t>(config.data.label_columns.size());
  }
  if (config.data.task != Task::kMulticlass) return 1;
  for (const ColumnInfo& column : schema.columns) {
    if (column.name == config.data.target_column) return column.distinct_count;
  }
  return 1;
}

int64_t RunCountOf(const TrainConfig& config) {
  return std::max(config.data.split.fold_count, config.seed_count);
}

int64_t TrainRowCount(const TrainConfig& config, const Schema& schema) {
  return CountSplit(schema, config.data.split).train;
}

int64_t StepsPerEpoch(const TrainConfig& config, int64_t train_rows) {
  const int64_t batch = std::min(config.batch_size, train_rows);
  if (batch == 0) return 0;
  const int64_t batches = (train_rows + batch - 1) / batch;
  return (batches + config.accumulation_steps - 1) / config.accumulation_steps;
}

RunLength RunLengthOf(const TrainConfig& config, int64_t train_rows) {
  const int64_t per_epoch = StepsPerEpoch(config, train_rows);
  const int64_t steps = per_epoch * config.epochs;
  if (config.max_steps == 0 || config.max_steps >= steps) {
    return {.steps = steps, .epochs = config.epochs, .steps_per_epoch = per_epoch};
  }
  return {.steps = config.max_steps,
          .epochs = (config.max_steps + per_epoch - 1) / per_epoch,
          .steps_per_epoch = per_epoch};
}

int64_t StepsTotal(const TrainConfig& config, const Schema& schema) {
  const SplitConfig& split = config.data.split;
  if (split.fold_count == 0) {
    return RunLengthOf(config, TrainRowCount(config, schema)).steps * config.seed_count;
  }
  int64_t steps = 0;
  for (int64_t fold = 0; fold < split.fold_count; ++fold) {
    steps += RunLengthOf(config, CountSplit(schema, split, fold).train).steps;
  }
  return steps;
}

}  // namespace trainyard
