// TrainSeeds trains a config once for each of its seeds (TrainConfig::seed_count) on the same
// dataset and keeps the best by the early-stopping metric on the validation rows. With one seed it
// is Trainer::Run.
//
//   TY_ASSIGN_OR_RETURN(SeedsResult result, TrainSeeds(config, dataset, initial, observer, stop));
//
// Records to `observer` carry the number of the run; steps, epochs and rows go on counting over all
// runs. Thread-safety: as Trainer.
#ifndef TRAINYARD_CORE_TRAIN_SEED_RUNS_H_
#define TRAINYARD_CORE_TRAIN_SEED_RUNS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/train/trainer.h"

namespace trainyard {

struct SeedSummary {
  uint64_t seed = 0;
  StopReason stop_reason = StopReason::kUnspecified;
  int64_t steps_done = 0;
  EvalResult validation;
  EvalResult test;
};

struct SeedsResult {
  TrainResult best;
  std::vector<SeedSummary>
      seeds;  // one per run that ended, in order; one only when seed_count is 1
};

// `initial`: as Trainer::Create. Errors: as Trainer::Run; a run that diverges fails the whole. A
// runtime limit ends all runs: the best of those begun is the result, its stop_reason
// kRuntimeLimit.
absl::StatusOr<SeedsResult> TrainSeeds(const TrainConfig& config, const Dataset& dataset,
                                       const MlpWeights* initial, TrainObserver& observer,
                                       const StopFlag& stop);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_SEED_RUNS_H_
