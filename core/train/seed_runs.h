// TrainSeeds and TrainFolds train one config several times and keep the run that is best by the
// early-stopping metric on the validation rows: once for each seed (TrainConfig::seed_count) on the
// same dataset, or once for each fold of a cross-validation (SplitConfig::fold_count) on a dataset
// of its own. One seed is Trainer::Run.
//
//   TY_ASSIGN_OR_RETURN(SeedsResult result, TrainSeeds(config, dataset, initial, observer, stop));
//
//   const auto build = [&](int64_t fold) {
//     return BuildDataset(table, config.data, config.seed, {.fold = fold});
//   };
//   TY_ASSIGN_OR_RETURN(FoldsResult result, TrainFolds(config, build, initial, observer, stop));
//   SpreadOf(result.runs.seeds);    // mean and deviation of "validation_loss", …
//
// Records to `observer` carry the number of the run; steps, epochs and rows go on counting over all
// runs. So do checkpoints: one has what the runs before came to, and the state of the one that is
// being trained. Thread-safety: as Trainer.
#ifndef TRAINYARD_CORE_TRAIN_SEED_RUNS_H_
#define TRAINYARD_CORE_TRAIN_SEED_RUNS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/train/checkpoint.h"
#include "core/train/trainer.h"

namespace trainyard {

// One run that ended.
struct SeedSummary {
  uint64_t seed = 0;
  std::optional<int64_t> fold;  // the one that validated; with TrainFolds only
  StopReason stop_reason = StopReason::kUnspecified;
  int64_t steps_done = 0;
  EvalResult validation;
  EvalResult test;

  void TransferState(StateArchive* archive);
};

struct SeedsResult {
  TrainResult best;
  int64_t best_run = 0;            // whose result that is: an index into `seeds`
  std::vector<SeedSummary> seeds;  // one per run that ended, in order
};

// `initial`: as Trainer::Create. Errors: as Trainer::Run; a run that diverges fails the whole. A
// runtime limit ends all runs: the best of those begun is the result, its stop_reason
// kRuntimeLimit. DATA_LOSS/CORRUPT_CHECKPOINT, before anything is observed, when the state to go on
// from is not one of such a training.
absl::StatusOr<SeedsResult> TrainSeeds(const TrainConfig& config, const Dataset& dataset,
                                       const MlpWeights* initial, TrainObserver& observer,
                                       const StopFlag& stop,
                                       const Checkpointing& checkpointing = {});

// Makes the dataset in which `fold` validates, fitted on that fold's training rows. A pure
// function: the best fold's is asked for twice.
using FoldBuilder = std::function<absl::StatusOr<Dataset>(int64_t fold)>;

struct FoldsResult {
  SeedsResult runs;
  Dataset dataset;  // the best fold's: the preprocessor and classes of runs.best
};

// Every run has the seed of the config. At any time one dataset is in memory, so the best fold's is
// built again at the end. Errors: as TrainSeeds, and those of `build`; both name the fold.
// REQUIRES: config.data.split.fold_count ≥ 1.
absl::StatusOr<FoldsResult> TrainFolds(const TrainConfig& config, const FoldBuilder& build,
                                       const MlpWeights* initial, TrainObserver& observer,
                                       const StopFlag& stop,
                                       const Checkpointing& checkpointing = {});

// A metric over several runs; trainyard.v1.MetricSpread.
struct MetricSpread {
  std::string name;               // "validation_loss", "test_accuracy", …
  double mean = 0;                // over the runs that have it
  double standard_deviation = 0;  // divisor count - 1; 0 when only one run has it
  int64_t count = 0;              // runs that have it
};

// Of every metric of the validation rows, then of the test rows, in the order in which runs name
// them. Empty for fewer than two runs.
std::vector<MetricSpread> SpreadOf(const std::vector<SeedSummary>& runs);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_SEED_RUNS_H_
