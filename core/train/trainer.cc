#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/nn/loss.h"
#include "core/tensor/vector_ops.h"
#include "core/train/evaluate.h"
#include "core/train/non_finite.h"

namespace trainyard {
namespace {

ScheduleConfig ScheduleOf(const TrainConfig& config, const Dataset& dataset) {
  return WithDefaults(config.schedule, *config.optimizer.learning_rate,
                      RunLengthOf(config, dataset.train.rows()));
}

std::string PlateauMetric(const ScheduleConfig& schedule) {
  return schedule.metric.empty() ? "loss" : schedule.metric;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const TrainConfig& config,
                                                         const Dataset& dataset,
                                                         const MlpWeights* initial,
                                                         const Kernels* kernels) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Stepper> stepper,
                      Stepper::Create(config, dataset, initial, kernels));
  try {
    return std::unique_ptr<Trainer>(new Trainer(config, dataset, std::move(stepper)));
  } catch (const std::bad_alloc&) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     "no memory for a second copy of the weights",
                     {.reason = ErrorReason::kOutOfMemory,
                      .hint = "use fewer or narrower layers, or leave early_stopping out",
                      .in_force = absl::StrCat(config.layers.size(), " hidden layers")});
  }
}

Trainer::Trainer(const TrainConfig& config, const Dataset& dataset,
                 std::unique_ptr<Stepper> stepper)
    : config_(config),
      dataset_(dataset),
      meter_(MeterConfigOf(config, dataset)),
      schedule_(ScheduleOf(config, dataset)),
      constant_rate_(schedule_.kind == ScheduleKind::kConstant &&
                     schedule_.warmup_steps.value_or(0) == 0),
      keeps_best_(config.early_stopping.enabled && config.early_stopping.restore_best),
      warmup_epochs_(WarmupEpochs(schedule_, StepsPerEpoch(config, dataset.train.rows()))),
      stepper_(std::move(stepper)),
      monitor_(config, dataset.train),
      diagnosis_(config, dataset.train.rows()),
      stopper_(config.early_stopping),
      plateau_(schedule_, *config.optimizer.learning_rate,
               HigherIsBetter(PlateauMetric(schedule_))) {
  const size_t size = stepper_->network().parameters().size();
  if (keeps_best_) best_.parameters.resize(size);
  if (config.optimizer.ema_decay) trained_.resize(size);
}

absl::StatusOr<TrainResult> Trainer::Run(TrainObserver& observer, const StopFlag& stop,
                                         CheckpointSink* checkpoints) {
  stepper_->UseThisThread();
  while (!IsOver() && !stop.requested()) {
    TY_RETURN_IF_ERROR(RunEpoch(observer, stop, checkpoints));
  }
  if (stop.cause() != StopCause::kYield || IsOver()) return Finish(observer, stop);
  if (checkpoints != nullptr) Save(checkpoints);
  return Cancelled("has yielded");
}

bool Trainer::IsOver() const {
  return epochs_done_ == config_.epochs || stopper_.exhausted() || converged_ ||
         (config_.max_steps > 0 && steps_done_ >= config_.max_steps);
}

// From where the epoch stands; leaves it there when it ends early.
absl::Status Trainer::RunEpoch(TrainObserver& observer, const StopFlag& stop,
                               CheckpointSink* checkpoints) {
  stepper_->StartEpoch(epochs_done_, epoch_.steps);
  const int64_t steps = stepper_->steps_per_epoch();
  while (epoch_.steps < steps) {
    if (stop.requested() || IsOver()) return absl::OkStatus();
    if (checkpoints != nullptr && checkpoints->IsDue(epoch_.steps == 0)) Save(checkpoints);
    if (epoch_.steps + 1 == steps) monitor_.BeforeLastStep(stepper_->network());
    TY_ASSIGN_OR_RETURN(const StepRecord step, Step());
    ++epoch_.steps;
    epoch_.loss_sum += step.loss * last_step_.weight;
    epoch_.weight += last_step_.weight;
    epoch_.learning_rate = step.learning_rate;
    Report(step, observer);
    // The evaluation of the epoch's end stands for one that is due at its last step.
    if (epoch_.steps < steps) TY_RETURN_IF_ERROR(EvaluateBetween(observer));
  }
  return EndEpoch(observer);
}

void Trainer::Save(CheckpointSink* checkpoints) {
  checkpoints->Save(steps_done_, [this](StateArchive* archive) { TransferState(archive); });
}

void Trainer::TransferState(StateArchive* archive) {
  archive->Count(&epochs_done_);
  archive->Count(&steps_done_);
  archive->Count(&rows_seen_);
  archive->Count(&next_event_step_);
  archive->Value(&evaluated_steps_);
  archive->Value(&converged_);
  archive->Count(&epoch_.steps);
  archive->Value(&epoch_.loss_sum);
  archive->Value(&epoch_.weight);
  archive->Value(&epoch_.learning_rate);
  last_step_.TransferState(archive);
  previous_step_.TransferState(archive);
  validation_.TransferState(archive);
  diagnosis_.TransferState(archive);
  stopper_.TransferState(archive);
  plateau_.TransferState(archive);
  stepper_->TransferState(archive);
  best_.TransferState(archive);
  if (archive->loading() && !StateIsPossible()) archive->Fail();
}

void TrainResult::TransferState(StateArchive* archive) {
  archive->Value(&stop_reason, kStopReasonLast);
  archive->Count(&epochs_done);
  archive->Count(&steps_done);
  validation.TransferState(archive);
  test.TransferState(archive);
  trainyard::TransferState(&weights, archive);
}

void Trainer::Best::TransferState(StateArchive* archive) {
  archive->Value(&found);
  if (!found) return;
  validation.TransferState(archive);
  archive->Values(std::span(parameters));
  archive->Values(&running_statistics);
}

bool Trainer::StateIsPossible() const {
  const size_t running = stepper_->network().running_statistics().size();
  return epochs_done_ <= config_.epochs && epoch_.steps <= stepper_->steps_per_epoch() &&
         (!best_.found || (keeps_best_ && best_.running_statistics.size() == running));
}

absl::StatusOr<StepRecord> Trainer::Step() {
  const double lr = LearningRate(steps_done_);
  TY_ASSIGN_OR_RETURN(const StepOutcome step, stepper_->Step(lr));
  if (!step.finite) {
    bad_step_ = step;
    return Diverged(steps_done_, stepper_->FindNonFinite(/*parameters_only=*/false));
  }
  previous_step_ = last_step_;
  last_step_ = step;
  converged_ = !step.moved;
  rows_seen_ += step.rows;
  diagnosis_.AddStep(step.loss, step.gradient_norm);
  return StepRecord{.step = steps_done_++,
                    .epoch = epochs_done_,
                    .loss = step.loss,
                    .learning_rate = lr,
                    .gradient_norm = step.gradient_norm,
                    .rows_seen = rows_seen_};
}

double Trainer::LearningRate(int64_t step) const {
  const double alpha = *config_.optimizer.learning_rate;
  if (constant_rate_) return alpha;
  return LearningRateAt(schedule_, alpha,
                        {.step = step,
                         .epoch = std::max<int64_t>(epochs_done_ - warmup_epochs_, 0),
                         .plateau_factor = plateau_.factor()});
}

void Trainer::Report(const StepRecord& step, TrainObserver& observer) {
  if (step.step == next_event_step_) {
    observer.OnStep(step);
    next_event_step_ += config_.step_event_interval;
  }
  observer.OnProgress(steps_done_, rows_seen_);
}

absl::Status Trainer::EndEpoch(TrainObserver& observer) {
  TY_ASSIGN_OR_RETURN(EvalResult validation, Validate());
  EpochRecord record = {.epoch = epochs_done_,
                        .steps_done = steps_done_,
                        .train_loss = epoch_.train_loss(),
                        .validation = std::move(validation),
                        .learning_rate = epoch_.learning_rate,
                        .rows_seen = rows_seen_};
  TY_ASSIGN_OR_RETURN(std::vector<LayerRecord> layers, LookAtLayers());
  const std::vector<TrainingWarning> warnings = diagnosis_.EndEpoch(record, layers);
  if (monitor_.records()) record.layers = std::move(layers);
  observer.OnEpoch(record);
  for (const TrainingWarning& warning : warnings) observer.OnWarning(warning);
  ++epochs_done_;
  epoch_ = Epoch();
  return absl::OkStatus();
}

// None when it is not the time to look.
absl::StatusOr<std::vector<LayerRecord>> Trainer::LookAtLayers() {
  if (!monitor_.IsDue(epochs_done_)) return std::vector<LayerRecord>();
  return monitor_.Look(stepper_->network());
}

absl::Status Trainer::EvaluateBetween(TrainObserver& observer) {
  if (config_.evaluation_interval == 0 || steps_done_ % config_.evaluation_interval != 0) {
    return absl::OkStatus();
  }
  TY_ASSIGN_OR_RETURN(EvalResult validation, Validate());
  observer.OnEvaluation(
      {.steps_done = steps_done_, .epoch = epochs_done_, .validation = std::move(validation)});
  return absl::OkStatus();
}

absl::StatusOr<TrainResult> Trainer::Finish(TrainObserver& observer, const StopFlag& stop) {
  if (stop.cause() == StopCause::kCancelled) return Cancelled("was cancelled");
  const StopReason reason = ReasonOf();
  if (evaluated_steps_ != steps_done_) {
    TY_ASSIGN_OR_RETURN(const EvalResult validation, Validate());
    const bool worth_telling = validation.rows > 0 && steps_done_ > 0;
    if (worth_telling) observer.OnEvaluation({steps_done_, epochs_done_, validation});
  }
  LoadResult();
  MeterConfig everything = meter_;
  everything.all = true;
  TY_ASSIGN_OR_RETURN(EvalResult test, EvaluateFinite(dataset_.test, everything, "test loss"));
  stepper_->ReleaseOptimizer();  // the copy of the weights takes its place
  return TrainResult{.stop_reason = reason,
                     .epochs_done = epochs_done_,
                     .steps_done = steps_done_,
                     .validation = validation_,
                     .test = std::move(test),
                     .weights = stepper_->network().ToWeights()};
}

absl::Status Trainer::Cancelled(absl::string_view how) const {
  return MakeError(absl::StatusCode::kCancelled,
                   absl::StrCat("training ", how, " after ", steps_done_, " steps"),
                   {.reason = ErrorReason::kCancelled});
}

StopReason Trainer::ReasonOf() const {
  if (epochs_done_ == config_.epochs || converged_) return StopReason::kCompleted;
  if (stopper_.exhausted()) return StopReason::kEarlyStopped;
  return IsOver() ? StopReason::kMaxSteps : StopReason::kRuntimeLimit;
}

absl::StatusOr<EvalResult> Trainer::Validate() {
  TY_RETURN_IF_ERROR(CheckWeights());
  TY_ASSIGN_OR_RETURN(EvalResult validation, WithAverage([this]() -> absl::StatusOr<EvalResult> {
                        TY_ASSIGN_OR_RETURN(
                            EvalResult result,
                            EvaluateFinite(dataset_.validation, meter_, "validation loss"));
                        KeepBest(result);
                        return result;
                      }));
  TY_RETURN_IF_ERROR(CheckMonitored(validation));
  if (validation.rows > 0) plateau_.Add(validation.Find(PlateauMetric(schedule_)));
  evaluated_steps_ = steps_done_;
  validation_ = validation;
  return validation;
}

// What is chosen by a metric cannot be, where it is not defined.
absl::Status Trainer::CheckMonitored(const EvalResult& validation) const {
  if (dataset_.validation.rows() == 0) return absl::OkStatus();
  std::vector<FieldViolation> violations;
  const auto check = [&](absl::string_view field, const std::string& metric) {
    if (!std::isnan(validation.Find(metric))) return;
    violations.push_back(
        {std::string(field),
         absl::StrCat("is \"", metric, "\", which is not defined on the ",
                      dataset_.validation.rows(),
                      " validation rows (classes without rows, or rows that all weigh 0): set "
                      "split.stratify or a larger split.validation_fraction, or choose \"loss\"")});
  };
  if (config_.early_stopping.enabled) check("spec.early_stopping.metric", MonitoredMetric(config_));
  if (schedule_.kind == ScheduleKind::kReduceOnPlateau) {
    check("spec.schedule.metric", PlateauMetric(schedule_));
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

void Trainer::KeepBest(const EvalResult& validation) {
  if (!config_.early_stopping.enabled || validation.rows == 0) return;
  if (!stopper_.Add(validation.Find(MonitoredMetric(config_))) || !keeps_best_) return;
  Mlp& network = stepper_->network();
  best_.found = true;
  best_.validation = validation;
  std::copy(network.parameters().begin(), network.parameters().end(), best_.parameters.begin());
  best_.running_statistics.assign(network.running_statistics().begin(),
                                  network.running_statistics().end());
}

void Trainer::LoadResult() {
  Mlp& network = stepper_->network();
  if (best_.found) {
    std::copy(best_.parameters.begin(), best_.parameters.end(), network.parameters().begin());
    std::copy(best_.running_statistics.begin(), best_.running_statistics.end(),
              network.running_statistics().begin());
    validation_ = std::move(best_.validation);
    return;
  }
  const std::span<const float> average = stepper_->averaged_parameters();
  std::copy(average.begin(), average.end(), network.parameters().begin());
}

template <typename Measure>
absl::StatusOr<EvalResult> Trainer::WithAverage(const Measure& measure) {
  const std::span<const float> average = stepper_->averaged_parameters();
  if (average.empty()) return measure();
  const std::span<float> parameters = stepper_->network().parameters();
  std::copy(parameters.begin(), parameters.end(), trained_.begin());
  std::copy(average.begin(), average.end(), parameters.begin());
  absl::StatusOr<EvalResult> result = measure();
  std::copy(trained_.begin(), trained_.end(), parameters.begin());
  return result;
}

absl::StatusOr<EvalResult> Trainer::EvaluateFinite(const Part& part, const MeterConfig& meter,
                                                   absl::string_view name) {
  TY_ASSIGN_OR_RETURN(EvalResult result, Evaluate(meter, part, stepper_->network()));
  for (const auto& [metric, value] : result.metrics) {
    if (!std::isfinite(value)) return Diverged(std::max<int64_t>(steps_done_ - 1, 0), name);
  }
  return result;
}

// A step's own check looks at what it computed with, not at the weights it leaves behind: after the
// last step before an evaluation nothing else would.
absl::Status Trainer::CheckWeights() const {
  const Mlp& network = stepper_->network();
  const auto finite = [](std::span<const float> numbers) {
    return AllFinite(numbers.data(), static_cast<int64_t>(numbers.size()));
  };
  if (finite(network.parameters()) && finite(network.running_statistics())) {
    // A mean of squares that has overflowed lets nothing move any more, without a trace in θ.
    if (stepper_->OptimizerIsFinite()) return absl::OkStatus();
    return Diverged(std::max<int64_t>(steps_done_ - 1, 0), "optimizer state");
  }
  return Diverged(std::max<int64_t>(steps_done_ - 1, 0),
                  stepper_->FindNonFinite(/*parameters_only=*/true));
}

absl::Status Trainer::Diverged(int64_t step, absl::string_view layer) const {
  // Between steps it is the last one that led there.
  const StepOutcome& at = bad_step_.finite ? last_step_ : bad_step_;
  const StepOutcome& before = bad_step_.finite ? previous_step_ : last_step_;
  const NonFiniteSite site{.step = step,
                           .epoch = epochs_done_,
                           .learning_rate = LearningRate(step),
                           .layer = std::string(layer.empty() ? "loss" : layer),
                           .loss = at.loss,
                           .gradient_norm = at.gradient_norm,
                           .previous_loss = before.loss,
                           .previous_gradient_norm = before.gradient_norm};
  return NonFiniteError(site, config_);
}

}  // namespace trainyard
