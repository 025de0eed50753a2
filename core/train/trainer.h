// Trainer runs gradient descent, θ' = θ − α ∂L/∂θ, on a Dataset: epochs of shuffled mini-batches,
// evaluation after each, a finite check at every step, and a test at the end.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Trainer> trainer, Trainer::Create(config, dataset));
//   TY_ASSIGN_OR_RETURN(TrainResult result, trainer->Run(observer, stop));
//
// Thread-safety: none; Run() is called once, from one thread. `stop` may be set from any thread.
// Lifetime: `dataset` must outlive the Trainer; `observer` and `stop` the call of Run().
// Determinism: the same config, dataset, build, ISA and threads give the same bits.
#ifndef TRAINYARD_CORE_TRAIN_TRAINER_H_
#define TRAINYARD_CORE_TRAIN_TRAINER_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/stop_flag.h"
#include "core/data/batcher.h"
#include "core/data/dataset.h"
#include "core/nn/mlp.h"
#include "core/optim/optimizer.h"
#include "core/train/observer.h"
#include "core/train/train_config.h"

namespace trainyard {

// Numbers equal trainyard.v1.StopReason.
enum class StopReason : int {
  kUnspecified = 0,
  kCompleted = 1,
  kRuntimeLimit = 2,
  kEarlyStopped = 3,
  kMaxSteps = 4,
};

struct TrainResult {
  StopReason stop_reason = StopReason::kUnspecified;
  int64_t epochs_done = 0;  // whole ones
  int64_t steps_done = 0;
  EvalResult validation;  // of `weights`
  EvalResult test;        // of `weights`
  MlpWeights weights;     // what a bundle stores; see nn/mlp.h
};

// Diverging (a loss, gradient or weight that is infinite or not a number) ends a run with
// FAILED_PRECONDITION / NON_FINITE_LOSS at the step where it is first seen; see non_finite.h for
// the metadata.
class Trainer {
 public:
  // Builds the network, its kernels and buffers. `initial` replaces the drawn weights when not null
  // (golden curves); `kernels` replaces the fast ones when not null (tests). Neither is referred to
  // later. Errors: INVALID_ARGUMENT when config, dataset and initial weights do not fit each other,
  // RESOURCE_EXHAUSTED/OUT_OF_MEMORY.
  // REQUIRES: config came out of ResolveTrainConfig without violations.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(const TrainConfig& config,
                                                         const Dataset& dataset,
                                                         const MlpWeights* initial = nullptr,
                                                         const Kernels* kernels = nullptr);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Errors: FAILED_PRECONDITION/NON_FINITE_LOSS at the step it happens; CANCELLED when `stop` says
  // kCancelled. A stop with kRuntimeLimit is a result with that stop_reason. `stop` is looked at
  // before every step.
  absl::StatusOr<TrainResult> Run(TrainObserver& observer, const StopFlag& stop);

 private:
  Trainer(const TrainConfig& config, const Dataset& dataset, std::unique_ptr<Mlp> mlp);

  absl::Status RunEpoch(TrainObserver& observer, const StopFlag& stop);
  absl::StatusOr<StepRecord> Step(const Batch& batch);
  void Report(const StepRecord& step, TrainObserver& observer) const;
  absl::StatusOr<TrainResult> Finish(const StopFlag& stop);
  // Measures a part; `name` is how an error calls its loss, e.g. "validation loss".
  absl::StatusOr<EvalResult> EvaluateFinite(const Part& part, absl::string_view name);
  absl::Status CheckWeights() const;
  // The error for a step whose loss or gradient is not finite.
  absl::Status Diverged(int64_t step, absl::string_view layer) const;

  // Constant after construction.
  const TrainConfig config_;
  const Dataset& dataset_;

  const std::unique_ptr<Mlp> mlp_;
  Optimizer optimizer_;
  Batcher batcher_;
  int64_t epochs_done_ = 0;
  int64_t steps_done_ = 0;
  int64_t rows_seen_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_TRAINER_H_
