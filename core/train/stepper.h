// Stepper does optimizer steps: it takes batches, computes loss and gradient (Shards), adds up what
// accumulates, and moves the parameters. When to stop, what to measure and how large a step is are
// the caller's: Trainer, and the learning-rate finder.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Stepper> stepper, Stepper::Create(config, dataset));
//   stepper->StartEpoch(0);
//   for (int64_t i = 0; i < stepper->steps_per_epoch(); ++i) {
//     TY_ASSIGN_OR_RETURN(const StepOutcome step, stepper->Step(lr));
//     if (!step.finite) …
//   }
//
// Thread-safety: none; see Shards for its helpers. Lifetime: `dataset` must outlive it. Nothing is
// allocated by a step (L-BFGS and what oneDNN allocates and frees inside a call excepted).
#ifndef TRAINYARD_CORE_TRAIN_STEPPER_H_
#define TRAINYARD_CORE_TRAIN_STEPPER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/state_archive.h"
#include "core/data/batcher.h"
#include "core/data/dataset.h"
#include "core/nn/mlp.h"
#include "core/optim/lbfgs.h"
#include "core/optim/optimizer.h"
#include "core/train/shards.h"
#include "core/train/train_config.h"

namespace trainyard {

struct StepOutcome {
  double loss = 0;           // weighted mean over the step's rows, before the update; unit of y
  double gradient_norm = 0;  // Euclidean, over all parameters, before clipping; scaled target
  double weight = 0;         // sum of the rows' weights, what the mean is over
  int64_t rows = 0;
  bool finite = true;  // false: loss or gradient is not; the parameters are as they were
  bool moved = true;   // false: L-BFGS found no descent any more

  void TransferState(StateArchive* archive);
};

class Stepper {
 public:
  // `initial` replaces the drawn weights, and those of the config, when not null; `kernels` the
  // fast ones. Neither is referred to later. Errors: INVALID_ARGUMENT when config, dataset and
  // initial weights do not fit each other, RESOURCE_EXHAUSTED/OUT_OF_MEMORY. REQUIRES: config came
  // out of ResolveTrainConfig without violations.
  static absl::StatusOr<std::unique_ptr<Stepper>> Create(const TrainConfig& config,
                                                         const Dataset& dataset,
                                                         const MlpWeights* initial = nullptr,
                                                         const Kernels* kernels = nullptr);
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;

  // To be called by the thread that calls Step when it is not that of Create.
  void UseThisThread() const { shards_->UseThisThread(); }

  // 0-based; `steps_done`: of that epoch, by the Stepper that the state comes from.
  void StartEpoch(int64_t epoch, int64_t steps_done = 0) {
    batcher_.StartEpoch(epoch, steps_done * accumulation_steps_);
  }
  int64_t steps_per_epoch() const { return steps_per_epoch_; }

  // One update with the next batches of the epoch. REQUIRES: fewer than steps_per_epoch() calls
  // since StartEpoch. Errors: those of Mlp.
  absl::StatusOr<StepOutcome> Step(double learning_rate);

  Mlp& network() { return shards_->network(); }

  // The moving average of the parameters; empty without ema_decay, and before the first step.
  std::span<const float> averaged_parameters() const;

  // Whether all that the optimizer keeps between steps is: nothing of L-BFGS.
  bool OptimizerIsFinite();

  // Where the first non-finite number of the last step is: see Mlp. `parameters_only`: of the
  // parameters alone, whatever was computed with them.
  std::string FindNonFinite(bool parameters_only) const;

  // Everything that a later Step depends on, but the position in the epoch, which is StartEpoch's.
  void TransferState(StateArchive* archive);

  // Gives the optimizer's memory back: no Step after it.
  void ReleaseOptimizer();

 private:
  Stepper(const TrainConfig& config, const Dataset& dataset, std::unique_ptr<Shards> shards);

  absl::StatusOr<StepOutcome> StepLbfgs(double learning_rate);
  absl::Status Compute(StepOutcome* outcome);
  absl::Status ComputeBatch(const Batch& batch, StepOutcome* outcome);
  absl::Status Accumulate(StepOutcome* outcome);

  // Constant after construction.
  const LossConfig loss_;
  const uint64_t seed_;
  const int64_t accumulation_steps_;
  const int64_t steps_per_epoch_;
  const int64_t outputs_;

  const std::unique_ptr<Shards> shards_;
  std::unique_ptr<Optimizer> optimizer_;  // one of the two
  std::unique_ptr<Lbfgs> lbfgs_;
  Batcher batcher_;
  std::vector<float> accumulated_;  // Σ weight · gradient; empty unless accumulating
  int64_t batches_done_ = 0;
  int64_t last_rows_ = 0;  // of the last batch
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_STEPPER_H_
