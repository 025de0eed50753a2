#include "core/train/non_finite.h"

#include "absl/strings/str_cat.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

std::string Hint(const TrainConfig& config) {
  std::string hint = "lower optimizer.learning_rate (by a factor of 10 to begin with)";
  if (config.data.scaling == Scaling::kNone)
    absl::StrAppend(&hint, ", and use scaling STANDARDIZE");
  if (config.loss.kind == LossKind::kMeanSquaredError) {
    absl::StrAppend(&hint, ", and give the target in a larger unit if its values are large");
  }
  return hint;
}

std::string InForce(const NonFiniteSite& site, const TrainConfig& config) {
  const OptimizerConfig& optimizer = config.optimizer;
  std::string text =
      absl::StrCat("optimizer ", optimizer.kind == OptimizerKind::kAdam ? "ADAM" : "SGD",
                   ", learning_rate ", NumberText(site.learning_rate));
  if (optimizer.momentum) absl::StrAppend(&text, ", momentum ", NumberText(*optimizer.momentum));
  absl::StrAppend(&text, ", weight_decay ", NumberText(optimizer.weight_decay.value_or(0)),
                  ", batch_size ", config.batch_size, ", scaling ",
                  config.data.scaling == Scaling::kNone ? "NONE" : "STANDARDIZE");
  return text;
}

}  // namespace

absl::Status NonFiniteError(const NonFiniteSite& site, const TrainConfig& config) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("training diverged at epoch ", site.epoch, ", step ", site.step,
                                ": a number is infinite or not a number, first in ", site.layer),
                   {.reason = ErrorReason::kNonFiniteLoss,
                    .hint = Hint(config),
                    .in_force = InForce(site, config),
                    .metadata = {{"step", absl::StrCat(site.step)},
                                 {"epoch", absl::StrCat(site.epoch)},
                                 {"learning_rate", NumberText(site.learning_rate)},
                                 {"layer", site.layer}}});
}

}  // namespace trainyard
