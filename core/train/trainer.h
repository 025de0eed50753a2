// Trainer runs gradient descent, θ' = θ − α ∂L/∂θ, on a Dataset: epochs of shuffled mini-batches,
// evaluation after each (and between, if asked for), a finite check at every step, early stopping,
// and a test at the end. What one step is stands in stepper.h.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Trainer> trainer, Trainer::Create(config, dataset));
//   TY_ASSIGN_OR_RETURN(TrainResult result, trainer->Run(observer, stop));
//
// A run can be taken apart at any border of two steps: `checkpoints` gets its state, and a Trainer
// of the same config and dataset into which that was loaded goes on as if nothing had happened.
//
// Thread-safety: none; Run() is called once, from one thread. `stop` may be set from any thread.
// Lifetime: `dataset` must outlive the Trainer; `observer` and `stop` the call of Run().
// Determinism: the same config, dataset, build, ISA and threads give the same bits.
#ifndef TRAINYARD_CORE_TRAIN_TRAINER_H_
#define TRAINYARD_CORE_TRAIN_TRAINER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/stop_flag.h"
#include "core/data/dataset.h"
#include "core/nn/mlp.h"
#include "core/optim/schedule.h"
#include "core/train/checkpoint.h"
#include "core/train/diagnosis.h"
#include "core/train/early_stopping.h"
#include "core/train/layer_monitor.h"
#include "core/train/observer.h"
#include "core/train/stepper.h"
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
inline constexpr StopReason kStopReasonLast = StopReason::kMaxSteps;

struct TrainResult {
  StopReason stop_reason = StopReason::kUnspecified;
  int64_t epochs_done = 0;  // whole ones
  int64_t steps_done = 0;
  EvalResult validation;  // of `weights`
  EvalResult test;        // of `weights`
  MlpWeights weights;     // what a bundle stores; see nn/mlp.h

  void TransferState(StateArchive* archive);
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
  // before every step. A run that ends inside an epoch evaluates once more (OnEvaluation), so that
  // its last steps count for the best too. L-BFGS that finds no descent any more has completed.
  // With kYield the state is saved and the run ends with CANCELLED, unless it was over already.
  // `checkpoints` may be null: none is taken then, and kYield loses the run.
  absl::StatusOr<TrainResult> Run(TrainObserver& observer, const StopFlag& stop,
                                  CheckpointSink* checkpoints = nullptr);

  // The state of the run between two steps. Loading: before Run, of a Trainer of the same config
  // and dataset; when it fails, this one is of no use.
  void TransferState(StateArchive* archive);

 private:
  // What an evaluation of the validation rows left.
  struct Best {
    bool found = false;
    EvalResult validation;
    std::vector<float> parameters;
    std::vector<float> running_statistics;

    void TransferState(StateArchive* archive);
  };

  // The epoch that is being trained, so far.
  struct Epoch {
    int64_t steps = 0;
    double loss_sum = 0;  // Σ weight · loss of its steps
    double weight = 0;
    double learning_rate = 0;  // of the last step

    double train_loss() const { return weight == 0 ? 0 : loss_sum / weight; }
  };

  Trainer(const TrainConfig& config, const Dataset& dataset, std::unique_ptr<Stepper> stepper);

  // Whether a limit of the run is reached; `stop` aside.
  bool IsOver() const;
  absl::Status RunEpoch(TrainObserver& observer, const StopFlag& stop, CheckpointSink* checkpoints);
  void Save(CheckpointSink* checkpoints);
  bool StateIsPossible() const;
  absl::StatusOr<StepRecord> Step();
  double LearningRate(int64_t step) const;
  void Report(const StepRecord& step, TrainObserver& observer);
  absl::Status EndEpoch(TrainObserver& observer);
  absl::StatusOr<std::vector<LayerRecord>> LookAtLayers();
  absl::Status EvaluateBetween(TrainObserver& observer);
  absl::StatusOr<TrainResult> Finish(TrainObserver& observer, const StopFlag& stop);
  absl::Status Cancelled(absl::string_view how) const;
  StopReason ReasonOf() const;

  // Measures the validation rows and draws every conclusion from it: best, patience, plateau.
  absl::StatusOr<EvalResult> Validate();
  void KeepBest(const EvalResult& validation);
  // Makes the network what the result is: the best evaluation's, or the averaged weights.
  void LoadResult();
  // Has the averaged weights in the network while `measure` runs.
  template <typename Measure>
  absl::StatusOr<EvalResult> WithAverage(const Measure& measure);
  // Measures a part; `name` is how an error calls its loss, e.g. "validation loss".
  absl::StatusOr<EvalResult> EvaluateFinite(const Part& part, const MeterConfig& meter,
                                            absl::string_view name);
  // Parameters, running statistics and the optimizer's state.
  absl::Status CheckWeights() const;
  // Errors: INVALID_ARGUMENT/INVALID_SPEC when a metric that decides something is not defined.
  absl::Status CheckMonitored(const EvalResult& validation) const;
  // The error for a step whose loss or gradient is not finite.
  absl::Status Diverged(int64_t step, absl::string_view layer) const;

  // Constant after construction.
  const TrainConfig config_;
  const Dataset& dataset_;
  const MeterConfig meter_;
  const ScheduleConfig schedule_;
  const bool constant_rate_;  // the schedule need not be asked
  const bool keeps_best_;
  const int64_t warmup_epochs_;

  const std::unique_ptr<Stepper> stepper_;
  LayerMonitor monitor_;
  Diagnosis diagnosis_;
  EarlyStopper stopper_;
  PlateauTracker plateau_;
  Best best_;
  std::vector<float> trained_;    // the network's own weights while the averaged ones are in it
  EvalResult validation_;         // of the last evaluation
  int64_t evaluated_steps_ = -1;  // steps_done_ then
  StepOutcome last_step_;         // the last one that was finite
  StepOutcome previous_step_;     // the one before it
  StepOutcome bad_step_;          // the one that was not
  bool converged_ = false;
  Epoch epoch_;
  int64_t epochs_done_ = 0;
  int64_t steps_done_ = 0;
  int64_t rows_seen_ = 0;
  int64_t next_event_step_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_TRAINER_H_
