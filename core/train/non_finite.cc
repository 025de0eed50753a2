#include "core/train/non_finite.h"

#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

std::string Text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "infinity" : "-infinity";
  return NumberText(value);
}

absl::string_view OptimizerName(OptimizerKind kind) {
  constexpr std::array<absl::string_view, 13> kNames = {
      "UNSPECIFIED", "SGD",   "ADAM",  "ADAGRAD", "ADADELTA", "RMSPROP", "ADAMW",
      "AMSGRAD",     "NADAM", "RADAM", "LION",    "MUON",     "LBFGS"};
  return kNames[static_cast<size_t>(kind)];
}

std::string Hint(const TrainConfig& config) {
  std::string hint = "lower optimizer.learning_rate (by a factor of 10 to begin with)";
  if (!config.optimizer.clip_norm) absl::StrAppend(&hint, ", or set optimizer.clip_norm to 1");
  if (config.data.scaling == Scaling::kNone) {
    absl::StrAppend(&hint, ", and use scaling STANDARDIZE");
  }
  const bool scaled = config.data.target_scaling == TargetScaling::kStandardize;
  if (config.loss.kind == LossKind::kMeanSquaredError && !scaled) {
    absl::StrAppend(&hint, ", and use target_scaling STANDARDIZE if its values are large");
  }
  return hint;
}

std::string InForce(const NonFiniteSite& site, const TrainConfig& config) {
  const OptimizerConfig& optimizer = config.optimizer;
  std::string text = absl::StrCat("optimizer ", OptimizerName(optimizer.kind), ", learning_rate ",
                                  NumberText(site.learning_rate));
  if (optimizer.momentum) absl::StrAppend(&text, ", momentum ", NumberText(*optimizer.momentum));
  absl::StrAppend(&text, ", weight_decay ", NumberText(optimizer.weight_decay.value_or(0)));
  if (optimizer.clip_norm) absl::StrAppend(&text, ", clip_norm ", NumberText(*optimizer.clip_norm));
  absl::StrAppend(&text, ", batch_size ", config.batch_size, ", scaling ",
                  config.data.scaling == Scaling::kNone ? "NONE" : "STANDARDIZE");
  return text;
}

std::string Message(const NonFiniteSite& site) {
  std::string message =
      absl::StrCat("training diverged at epoch ", site.epoch, ", step ", site.step,
                   ": a number is infinite or not a number, first in ", site.layer,
                   "; learning rate ", NumberText(site.learning_rate), ", loss ", Text(site.loss),
                   ", gradient norm ", Text(site.gradient_norm));
  if (site.step == 0) return message;
  absl::StrAppend(&message, "; at the step before: loss ", Text(site.previous_loss),
                  ", gradient norm ", Text(site.previous_gradient_norm));
  return message;
}

}  // namespace

absl::Status NonFiniteError(const NonFiniteSite& site, const TrainConfig& config) {
  ErrorInfo info{.reason = ErrorReason::kNonFiniteLoss,
                 .hint = Hint(config),
                 .in_force = InForce(site, config),
                 .metadata = {{"step", absl::StrCat(site.step)},
                              {"epoch", absl::StrCat(site.epoch)},
                              {"learning_rate", NumberText(site.learning_rate)},
                              {"layer", site.layer},
                              {"loss", Text(site.loss)},
                              {"gradient_norm", Text(site.gradient_norm)}}};
  if (site.step > 0) {
    info.metadata.emplace_back("previous_loss", Text(site.previous_loss));
    info.metadata.emplace_back("previous_gradient_norm", Text(site.previous_gradient_norm));
  }
  return MakeError(absl::StatusCode::kFailedPrecondition, Message(site), info);
}

}  // namespace trainyard
