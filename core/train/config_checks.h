// The checks behind ResolveTrainConfig, part by part. Each adds every fault it finds to
// `violations`: path, value, limit, remedy. What belongs to data, optimizer or schedule is checked
// where those are known: ResolveDataConfig, CheckOptimizer, CheckSchedule.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_TRAIN_CONFIG_CHECKS_H_
#define TRAINYARD_CORE_TRAIN_CONFIG_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "core/train/train_config.h"

namespace trainyard {

using Violations = std::vector<FieldViolation>;

// A count that must be in [min, max].
void CheckCount(absl::string_view field, int64_t value, int64_t min, int64_t max,
                absl::string_view remedy, Violations* violations);

// A number with the range in words; NaN is in no range.
void CheckNumber(absl::string_view field, double value, bool in_range, absl::string_view range,
                 absl::string_view remedy, Violations* violations);

// Inputs of a network; -1 when not known. The training rows decide on the categories of one-hot
// columns, so that there may be only a bound before they are read.
struct FeatureCounts {
  int64_t exact = -1;
  int64_t max = -1;
};

// "layers", "init", "init_options", "input_dropout", and "initial_weights": as many as the network
// has.
void CheckNetwork(const TrainConfig& config, const Schema& schema, const FeatureCounts& features,
                  Violations* violations);

// "loss", "loss_options" and "target_scaling". The task may be unspecified (it has a fault of its
// own then).
void CheckLoss(const TrainConfig& config, const Schema& schema, Violations* violations);

// "early_stopping", "schedule.metric", "metrics", "seed_count": what is measured and chosen by it.
void CheckMetrics(const TrainConfig& config, const Schema& schema, Violations* violations);

// Batches, epochs, threads, precision, limits of the run.
void CheckRun(const TrainConfig& config, Violations* violations);

// What L-BFGS cannot do, and batch normalisation with batches of one row. `train_rows`: -1 when the
// data has faults of its own.
void CheckBatches(const TrainConfig& config, int64_t train_rows, Violations* violations);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_CONFIG_CHECKS_H_
