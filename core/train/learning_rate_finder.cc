#include "core/train/learning_rate_finder.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/train/config_checks.h"
#include "core/train/stepper.h"

namespace trainyard {
namespace {

constexpr absl::string_view kPath = "analysis.learning_rate_finder.";
constexpr double kLearningRateMax = 1e6;
constexpr double kSmoothing = 0.9;
constexpr double kGrowthMax = 4;  // of the smoothed loss over its best

// Exponential mean without the pull of the zero it starts from.
class SmoothedLoss {
 public:
  double Add(double loss) {
    mean_ = kSmoothing * mean_ + (1 - kSmoothing) * loss;
    share_ *= kSmoothing;
    return mean_ / (1 - share_);
  }

 private:
  double mean_ = 0;
  double share_ = 1;
};

// A loss below zero (Poisson's may be) grows by its size too.
bool GrewTooLarge(double loss, double best) {
  return loss > best + (kGrowthMax - 1) * std::fabs(best);
}

// Step `i` of `options.steps`: equal steps of the logarithm, both ends included.
double LearningRateOf(const LearningRateFinderOptions& options, int64_t i) {
  const double ratio = static_cast<double>(i) / static_cast<double>(options.steps - 1);
  return options.start * std::pow(options.end / options.start, ratio);
}

// Central differences over the decades of the learning rate.
double SteepestDescent(const LearningRateFinderResult& result) {
  double steepest = 0;
  double suggestion = 0;
  for (size_t i = 1; i + 1 < result.smoothed_losses.size(); ++i) {
    const double slope = (result.smoothed_losses[i + 1] - result.smoothed_losses[i - 1]) /
                         std::log10(result.learning_rates[i + 1] / result.learning_rates[i - 1]);
    if (slope >= steepest) continue;
    steepest = slope;
    suggestion = result.learning_rates[i];
  }
  return suggestion;
}

// The batches of all epochs in a row.
class EndlessSteps {
 public:
  explicit EndlessSteps(Stepper& stepper) : stepper_(stepper) {}
  absl::StatusOr<StepOutcome> Step(double learning_rate) {
    if (left_ == 0) {
      stepper_.StartEpoch(epoch_++);
      left_ = stepper_.steps_per_epoch();
    }
    --left_;
    return stepper_.Step(learning_rate);
  }

 private:
  Stepper& stepper_;
  int64_t epoch_ = 0;
  int64_t left_ = 0;
};

}  // namespace

void CheckLearningRateFinderOptions(const LearningRateFinderOptions& options,
                                    const TrainConfig& config,
                                    std::vector<FieldViolation>* violations) {
  const auto path = [](absl::string_view field) { return absl::StrCat(kPath, field); };
  const bool start_ok = options.start >= kFinderRateMin && options.start < kLearningRateMax;
  CheckNumber(path("start"), options.start, start_ok, "at least 1e-30 and below 1e6",
              "1e-7 is the default", violations);
  const bool end_ok = options.end <= kLearningRateMax && options.end > 0 &&
                      (!start_ok || options.end > options.start);
  CheckNumber(path("end"), options.end, end_ok, "above start and at most 1e6", "10 is the default",
              violations);
  CheckCount(path("steps"), options.steps, kFinderStepsMin, kFinderStepsMax, "100 is the default",
             violations);
  if (config.optimizer.kind != OptimizerKind::kLbfgs) return;
  violations->push_back({"analysis.learning_rate_finder",
                         "is asked for with the optimizer LBFGS, whose line search finds its own "
                         "step: choose another optimizer in the spec"});
}

absl::StatusOr<LearningRateFinderResult> FindLearningRate(
    const TrainConfig& config, const Dataset& dataset, const MlpWeights* initial,
    const LearningRateFinderOptions& options,
    const std::function<void(int64_t steps_done, int64_t steps_total)>& progress,
    const StopFlag& stop) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Stepper> stepper,
                      Stepper::Create(config, dataset, initial));
  EndlessSteps steps(*stepper);
  SmoothedLoss smoothed;
  LearningRateFinderResult result;
  double best = 0;
  for (int64_t i = 0; i < options.steps && !stop.requested() && !result.diverged; ++i) {
    const double lr = LearningRateOf(options, i);
    TY_ASSIGN_OR_RETURN(const StepOutcome step, steps.Step(lr));
    result.diverged = !step.finite;
    if (result.diverged) break;
    const double mean = smoothed.Add(step.loss);
    result.learning_rates.push_back(lr);
    result.losses.push_back(step.loss);
    result.smoothed_losses.push_back(mean);
    best = i == 0 ? mean : std::min(best, mean);
    result.diverged = GrewTooLarge(mean, best);
    if (progress) progress(i + 1, options.steps);
  }
  if (stop.cause() == StopCause::kCancelled) {
    return MakeError(absl::StatusCode::kCancelled,
                     absl::StrCat("the learning-rate finder was cancelled after ",
                                  result.losses.size(), " steps"),
                     {.reason = ErrorReason::kCancelled});
  }
  result.suggestion = SteepestDescent(result);
  return result;
}

}  // namespace trainyard
