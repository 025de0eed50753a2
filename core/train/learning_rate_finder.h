// FindLearningRate trains with a learning rate that grows exponentially and records the loss (Smith
// 2015, "Cyclical Learning Rates for Training Neural Networks"): too small a rate leaves the loss
// where it is, too large a one makes it grow. See trainyard.v1.LearningRateFinderSpec.
//
//   TY_ASSIGN_OR_RETURN(LearningRateFinderResult result,
//                       FindLearningRate(config, dataset, nullptr, {}, nullptr, stop));
//   result.suggestion;  // e.g. 0.012
//
// The optimizer, batches, dropout and threads are those of the config; its schedule, epochs and
// early stopping are not looked at. Thread-safety: as Trainer. Unit of losses: that of the loss.
#ifndef TRAINYARD_CORE_TRAIN_LEARNING_RATE_FINDER_H_
#define TRAINYARD_CORE_TRAIN_LEARNING_RATE_FINDER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/error_info.h"
#include "core/base/stop_flag.h"
#include "core/data/dataset.h"
#include "core/nn/mlp.h"
#include "core/train/train_config.h"

namespace trainyard {

// Below it no weight would move, and end / start might not be finite.
inline constexpr double kFinderRateMin = 1e-30;
inline constexpr int64_t kFinderStepsMin = 10;
inline constexpr int64_t kFinderStepsMax = 10'000;

struct LearningRateFinderOptions {
  double start = 1e-7;  // at least kFinderRateMin
  double end = 10;      // above start, at most 1e6
  int64_t steps = 100;  // kFinderStepsMin to kFinderStepsMax
};

struct LearningRateFinderResult {
  // One per step done.
  std::vector<double> learning_rates;
  std::vector<double> losses;           // of the step's batch, before the update; all finite
  std::vector<double> smoothed_losses;  // exponential mean (0.9, bias corrected)
  double suggestion = 0;  // where the smoothed loss falls fastest per decade; 0: it never falls
  bool diverged = false;  // the loss grew too large, or a number was not finite
};

// Faults with paths "analysis.learning_rate_finder.start", …; an optimizer that has no use for a
// learning rate (LBFGS) is one too.
void CheckLearningRateFinderOptions(const LearningRateFinderOptions& options,
                                    const TrainConfig& config,
                                    std::vector<FieldViolation>* violations);

// `initial`: as Trainer::Create. `progress` (may be null) is called after each step. A stop with
// kRuntimeLimit ends it with what there is. Errors: those of Trainer::Create; CANCELLED.
// REQUIRES: config came out of ResolveTrainConfig and options passed the check.
absl::StatusOr<LearningRateFinderResult> FindLearningRate(
    const TrainConfig& config, const Dataset& dataset, const MlpWeights* initial,
    const LearningRateFinderOptions& options,
    const std::function<void(int64_t steps_done, int64_t steps_total)>& progress,
    const StopFlag& stop);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_LEARNING_RATE_FINDER_H_
