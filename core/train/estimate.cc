#include "core/train/estimate.h"

#include <algorithm>

#include "core/data/feature_builder.h"
#include "core/data/resolve_features.h"
#include "core/data/split.h"
#include "core/optim/optimizer.h"

namespace trainyard {
namespace {

struct Rows {
  double train = 0;  // through all steps of all runs
  double forward = 0;
};

// Of one run.
Rows RowsOf(const TrainConfig& config, const SplitCounts& counts) {
  const RunLength length = RunLengthOf(config, counts.train);
  const auto train = static_cast<double>(counts.train);
  const auto whole =
      static_cast<double>(length.steps / std::max<int64_t>(length.steps_per_epoch, 1));
  const auto rest =
      static_cast<double>(length.steps % std::max<int64_t>(length.steps_per_epoch, 1));
  const auto step_rows = static_cast<double>(config.batch_size * config.accumulation_steps);
  double evaluations = static_cast<double>(length.epochs);
  if (config.evaluation_interval > 0) {
    evaluations += static_cast<double>(length.steps / config.evaluation_interval);
  }
  return {.train = whole * train + std::min(rest * step_rows, train),
          .forward = evaluations * static_cast<double>(counts.validation) +
                     static_cast<double>(counts.test)};
}

Rows RowsOfAllRuns(const TrainConfig& config, const Schema& schema) {
  const SplitConfig& split = config.data.split;
  Rows all;
  for (int64_t run = 0; run < RunCountOf(config); ++run) {
    const Rows rows = RowsOf(config, CountSplit(schema, split, split.fold_count > 0 ? run : 0));
    all.train += rows.train;
    all.forward += rows.forward;
  }
  return all;
}

// Arrays of as many floats as there are parameters.
int64_t ArrayCount(const TrainConfig& config) {
  int64_t arrays = 2 + StateArrayCount(config.optimizer);  // they and their gradients
  if (config.optimizer.ema_decay) ++arrays;                // they while the average is measured
  if (config.early_stopping.enabled && config.early_stopping.restore_best) ++arrays;
  if (config.accumulation_steps > 1) ++arrays;
  if (config.layer_records != LayerRecords::kNone) ++arrays;  // they before an epoch's last step
  return arrays + (config.threads - 1);  // a helper's gradients
}

// Outputs and gradients of every layer, and the input.
int64_t ActivationCount(const MlpConfig& shape) {
  int64_t per_row = shape.features + 3 * shape.outputs;
  for (const LayerConfig& layer : shape.layers) per_row += 3 * layer.units;
  return per_row;
}

}  // namespace

ResourceEstimate EstimateResources(const TrainConfig& config, const Schema& schema) {
  const int64_t features = FeatureCountMax(config.data, schema);
  const MlpConfig shape = MlpConfigOf(config, features, OutputCountOf(config, schema));
  const SplitCounts counts = CountSplit(schema, config.data.split);
  const Rows rows = RowsOfAllRuns(config, schema);
  ResourceEstimate estimate;
  estimate.parameter_count = ParameterCount(shape);
  estimate.flops = rows.train * static_cast<double>(TrainFlopsPerRow(shape)) +
                   rows.forward * static_cast<double>(ForwardFlopsPerRow(shape));
  estimate.steps = StepsTotal(config, schema);
  const int64_t table = (counts.train + counts.validation + counts.test) * features;
  const int64_t batch = std::min(config.batch_size, counts.train);
  const int64_t floats =
      ArrayCount(config) * estimate.parameter_count + batch * ActivationCount(shape);
  estimate.memory_bytes =
      4 * floats + std::min<int64_t>(4 * table, FeatureMemory().memory_bytes_max);
  return estimate;
}

}  // namespace trainyard
