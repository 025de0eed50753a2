#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/nn/init.h"
#include "core/nn/loss.h"
#include "core/optim/schedule.h"
#include "core/tensor/kernels.h"
#include "core/tensor/vector_ops.h"
#include "core/train/evaluate.h"
#include "core/train/non_finite.h"

namespace trainyard {
namespace {

// Row-weighted mean of the losses of an epoch's steps.
class RunningMean {
 public:
  void Add(double value, int64_t rows) {
    sum_ += value * static_cast<double>(rows);
    rows_ += rows;
  }
  double mean() const { return rows_ == 0 ? 0 : sum_ / static_cast<double>(rows_); }

 private:
  double sum_ = 0;
  int64_t rows_ = 0;
};

absl::Status CheckFits(const TrainConfig& config, const Dataset& dataset) {
  if (dataset.train.rows() == 0) {
    return absl::InvalidArgumentError("the dataset has no training rows");
  }
  const bool classes = !dataset.train.classes.empty();
  const bool softmax = config.loss.kind == LossKind::kSoftmaxCrossEntropy;
  if (classes == softmax && (softmax || dataset.output_count() == 1)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("loss ", static_cast<int>(config.loss.kind),
                                                 " does not fit a dataset with ",
                                                 dataset.output_count(), " outputs"));
}

BatchSizes BatchSizesOf(const TrainConfig& config, const Dataset& dataset) {
  const int64_t rows = dataset.train.rows();
  const int64_t batch = std::min(config.batch_size, rows);
  BatchSizes sizes{.train = {batch}};
  if (rows % batch > 0) sizes.train.push_back(rows % batch);
  for (const Part* part : {&dataset.validation, &dataset.test}) {
    for (const int64_t size : EvalBatchSizes(part->rows())) sizes.forward.push_back(size);
  }
  return sizes;
}

absl::StatusOr<std::unique_ptr<Mlp>> BuildNetwork(const TrainConfig& config, const Dataset& dataset,
                                                  const MlpWeights* initial,
                                                  const Kernels& kernels) {
  const MlpConfig shape = MlpConfigOf(config, dataset.feature_count(), dataset.output_count());
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> mlp,
                      Mlp::Create(shape, kernels, BatchSizesOf(config, dataset)));
  TY_RETURN_IF_ERROR(
      mlp->LoadWeights(initial != nullptr ? *initial : InitialWeights(shape, config.seed)));
  return mlp;
}

absl::Status OutOfMemoryError(const TrainConfig& config, const Dataset& dataset) {
  const MlpConfig shape = MlpConfigOf(config, dataset.feature_count(), dataset.output_count());
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("no memory for a network of ", ParameterCount(shape),
                   " parameters at batch_size ", std::min(config.batch_size, dataset.train.rows())),
      {.reason = ErrorReason::kOutOfMemory,
       .hint = "use fewer or narrower layers, or a smaller batch_size",
       .in_force =
           absl::StrCat(config.layers.size(), " hidden layers, batch_size ", config.batch_size)});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const TrainConfig& config,
                                                         const Dataset& dataset,
                                                         const MlpWeights* initial,
                                                         const Kernels* kernels) {
  TY_RETURN_IF_ERROR(CheckFits(config, dataset));
  SetKernelThreads(config.threads);  // kernels are planned for so many
  try {
    const std::unique_ptr<Kernels> fast = CreateFastKernels();
    TY_ASSIGN_OR_RETURN(
        std::unique_ptr<Mlp> mlp,
        BuildNetwork(config, dataset, initial, kernels != nullptr ? *kernels : *fast));
    return std::unique_ptr<Trainer>(new Trainer(config, dataset, std::move(mlp)));
  } catch (const std::bad_alloc&) {
    return OutOfMemoryError(config, dataset);
  }
}

Trainer::Trainer(const TrainConfig& config, const Dataset& dataset, std::unique_ptr<Mlp> mlp)
    : config_(config),
      dataset_(dataset),
      mlp_(std::move(mlp)),
      optimizer_(config.optimizer, mlp_->tensors(), config.seed),
      batcher_(dataset.train, config.batch_size, config.seed) {}

absl::StatusOr<TrainResult> Trainer::Run(TrainObserver& observer, const StopFlag& stop) {
  SetKernelThreads(config_.threads);
  while (epochs_done_ < config_.epochs && !stop.requested()) {
    TY_RETURN_IF_ERROR(RunEpoch(observer, stop));
  }
  return Finish(stop);
}

// Leaves epochs_done_ as it is when `stop` ends the epoch early.
absl::Status Trainer::RunEpoch(TrainObserver& observer, const StopFlag& stop) {
  RunningMean train_loss;
  double lr = 0;
  batcher_.StartEpoch(epochs_done_);
  while (const Batch* batch = batcher_.Next()) {
    if (stop.requested()) return absl::OkStatus();
    TY_ASSIGN_OR_RETURN(const StepRecord step, Step(*batch));
    train_loss.Add(step.loss, batch->rows);
    lr = step.learning_rate;
    Report(step, observer);
  }
  TY_RETURN_IF_ERROR(CheckWeights());
  TY_ASSIGN_OR_RETURN(EvalResult validation,
                      EvaluateFinite(dataset_.validation, "validation loss"));
  observer.OnEpoch({.epoch = epochs_done_,
                    .steps_done = steps_done_,
                    .train_loss = train_loss.mean(),
                    .validation = std::move(validation),
                    .learning_rate = lr,
                    .rows_seen = rows_seen_});
  ++epochs_done_;
  return absl::OkStatus();
}

// Forward, loss, backward, finite check, update.
absl::StatusOr<StepRecord> Trainer::Step(const Batch& batch) {
  const double lr = LearningRateAt(config_.schedule, *config_.optimizer.learning_rate,
                                   {.step = steps_done_, .epoch = epochs_done_});
  TY_RETURN_IF_ERROR(mlp_->Forward(batch.features, batch.rows));
  const LossTargets targets{.values = batch.targets, .classes = batch.classes};
  const int64_t outputs = mlp_->config().outputs;
  const double loss = LossAndGradient(config_.loss, mlp_->logits(), targets, batch.rows, outputs,
                                      BatchWeight(config_.loss, targets, batch.rows, outputs),
                                      mlp_->logit_gradients());
  TY_RETURN_IF_ERROR(mlp_->Backward(batch.features, batch.rows));
  const double gradient_norm = optimizer_.PrepareGradients(mlp_->gradients());
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm)) {
    return Diverged(steps_done_, mlp_->FindNonFinite(batch.rows));
  }
  optimizer_.Step(lr, mlp_->gradients(), mlp_->parameters());
  rows_seen_ += batch.rows;
  return StepRecord{.step = steps_done_++,
                    .epoch = epochs_done_,
                    .loss = loss,
                    .learning_rate = lr,
                    .gradient_norm = gradient_norm,
                    .rows_seen = rows_seen_};
}

void Trainer::Report(const StepRecord& step, TrainObserver& observer) const {
  if (step.step % config_.step_event_interval == 0) observer.OnStep(step);
  observer.OnProgress(steps_done_, rows_seen_);
}

absl::StatusOr<TrainResult> Trainer::Finish(const StopFlag& stop) {
  if (stop.cause() == StopCause::kCancelled) {
    return MakeError(absl::StatusCode::kCancelled,
                     absl::StrCat("training was cancelled after ", steps_done_, " steps"),
                     {.reason = ErrorReason::kCancelled});
  }
  TY_RETURN_IF_ERROR(CheckWeights());
  TY_ASSIGN_OR_RETURN(EvalResult test, EvaluateFinite(dataset_.test, "test loss"));
  const bool completed = epochs_done_ == config_.epochs;
  return TrainResult{.stop_reason = completed ? StopReason::kCompleted : StopReason::kRuntimeLimit,
                     .epochs_done = epochs_done_,
                     .steps_done = steps_done_,
                     .test = std::move(test),
                     .weights = mlp_->ToWeights()};
}

absl::StatusOr<EvalResult> Trainer::EvaluateFinite(const Part& part, absl::string_view name) {
  TY_ASSIGN_OR_RETURN(
      EvalResult result,
      Evaluate({.loss = config_.loss, .task = config_.data.task, .outputs = mlp_->config().outputs},
               part, *mlp_));
  for (const auto& [metric, value] : result.metrics) {
    if (!std::isfinite(value)) return Diverged(std::max<int64_t>(steps_done_ - 1, 0), name);
  }
  return result;
}

// A step's own check looks at what it computed with, not at the weights it leaves behind: after the
// last step of an epoch nothing else would.
absl::Status Trainer::CheckWeights() const {
  if (AllFinite(mlp_->parameters().data(), static_cast<int64_t>(mlp_->parameters().size()))) {
    return absl::OkStatus();
  }
  return Diverged(std::max<int64_t>(steps_done_ - 1, 0), mlp_->FindNonFinite(/*rows=*/0));
}

absl::Status Trainer::Diverged(int64_t step, absl::string_view layer) const {
  const NonFiniteSite site{
      .step = step,
      .epoch = epochs_done_,
      .learning_rate = LearningRateAt(config_.schedule, *config_.optimizer.learning_rate,
                                      {.step = step, .epoch = epochs_done_}),
      .layer = std::string(layer.empty() ? "loss" : layer)};
  return NonFiniteError(site, config_);
}

}  // namespace trainyard
