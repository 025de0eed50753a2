// Trainer runs gradient descent, θ' = θ − α ∂L/∂θ, on a Dataset: epochs of shuffled mini-batches, evaluation after each,
// a finite check at every step, and a test at the end.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Trainer> trainer, Trainer::Create(config, dataset));
//   TY_ASSIGN_OR_RETURN(TrainResult result, trainer->Run(observer, stop));
//
// Thread-safety: none; Run() is called once, from one thread. `stop` may be set from any thread.
// Lifetime: `dataset` and `observer` must outlive the Trainer.
// Determinism: the same config, dataset, build, ISA and threads give the same bits.
#ifndef TRAINYARD_CORE_TRAIN_TRAINER_H_
#define TRAINYARD_CORE_TRAIN_TRAINER_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "core/base/stop_flag.h"
#include "core/data/dataset.h"
#include "core/nn/mlp.h"
#include "core/train/observer.h"
#include "core/train/train_config.h"

namespace trainyard {

// Numbers equal trainyard.v1.StopReason.
enum class StopReason : int { kUnspecified = 0, kCompleted = 1, kRuntimeLimit = 2 };

struct TrainResult {
  StopReason stop_reason = StopReason::kUnspecified;
  int64_t epochs_done = 0;  // whole ones
  int64_t steps_done = 0;
  EvalResult test;
  MlpWeights weights;  // what a bundle stores; see nn/mlp.h
};

// Where a non-finite value was met; travels as ErrorInfo metadata "step", "epoch", "learning_rate", "layer" of a
// FAILED_PRECONDITION/NON_FINITE_LOSS status.
class Trainer {
 public:
  // Builds the network, its kernels and buffers. `initial` replaces the drawn weights when not null (golden curves).
  // Errors: INVALID_ARGUMENT when config and dataset do not fit, RESOURCE_EXHAUSTED/OUT_OF_MEMORY.
  // REQUIRES: config came out of ResolveTrainConfig without violations.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(const TrainConfig& config, const Dataset& dataset,
                                                         const MlpWeights* initial = nullptr);
  virtual ~Trainer() = default;

  // Errors: FAILED_PRECONDITION/NON_FINITE_LOSS at the step it happens; CANCELLED when `stop` says kCancelled.
  // A stop with kRuntimeLimit is a result with that stop_reason.
  virtual absl::StatusOr<TrainResult> Run(TrainObserver& observer, const StopFlag& stop) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_TRAINER_H_
