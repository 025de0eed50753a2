#include "core/train/diagnosis.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace trainyard {
namespace {

// Comparisons are such that a number that is none is no reason to warn.

// A gradient that is so many times the first one has exploded.
constexpr double kExplosion = 1000;
// The first layer's gradient, per parameter, as a share of the output layer's: below it vanishes. A
// sigmoid passes at most a quarter of a gradient on, so that it takes about five of them.
constexpr double kVanished = 1e-3;
constexpr double kDeadUnits = 0.5;
constexpr double kSaturated = 0.9;
// Fewer say nothing of a unit.
constexpr int64_t kIdleRowsMin = 16;
// A rise of the validation loss over its best: by this share of it, and of the first epoch's
// training loss, so many epochs later.
constexpr double kRise = 0.1;
constexpr double kRiseOfFirst = 0.05;
constexpr int64_t kRiseEpochs = 5;
// A loss that has moved by less than this share after so many epochs and steps has not moved.
constexpr double kMoved = 1e-3;
constexpr int64_t kStuckEpochs = 5;
constexpr int64_t kStuckSteps = 100;
// Nor has it in the first epoch, when that epoch's mean is not below this share of the first
// batch's.
constexpr double kFirstEpochShare = 0.8;

std::string Text(double number) { return absl::StrFormat("%.3g", number); }
std::string Percent(double share) { return absl::StrFormat("%.0f %%", 100 * share); }

double GradientPerParameter(const LayerRecord& layer) {
  return layer.gradient_norm / std::sqrt(static_cast<double>(layer.parameter_count));
}

}  // namespace

Diagnosis::Diagnosis(const TrainConfig& config, int64_t train_rows)
    : learning_rate_(*config.optimizer.learning_rate),
      watches_units_(train_rows >= kIdleRowsMin),
      idle_warned_(config.layers.size()) {
  for (const LayerConfig& layer : config.layers) activations_.push_back(layer.activation);
}

std::vector<TrainingWarning> Diagnosis::EndEpoch(const EpochRecord& epoch,
                                                 const std::vector<LayerRecord>& layers) {
  Warnings warnings;
  LookForExplosion(&warnings);
  LookForVanishing(layers, &warnings);
  LookForIdleUnits(layers, &warnings);
  LookForStuckLoss(epoch, &warnings);
  LookForOverfitting(epoch, &warnings);
  epoch_steps_ = 0;
  gradient_norm_sum_ = 0;
  return warnings;
}

void Diagnosis::LookForExplosion(Warnings* warnings) {
  const double mean = gradient_norm_sum_ / static_cast<double>(std::max<int64_t>(epoch_steps_, 1));
  const bool explodes = first_gradient_norm_ > 0 && mean > kExplosion * first_gradient_norm_;
  if (!explodes) return;
  Warn(WarningKind::kExplodingGradients,
       absl::StrCat("the gradient explodes: its norm is ", Text(mean), " over this epoch and was ",
                    Text(first_gradient_norm_), " at the first step"),
       absl::StrCat("lower optimizer.learning_rate (now ", Text(learning_rate_),
                    "), or set optimizer.clip_norm"),
       warnings);
}

void Diagnosis::LookForVanishing(const std::vector<LayerRecord>& layers, Warnings* warnings) {
  if (layers.size() < 3) return;  // with one hidden layer nothing is passed on
  const double first = GradientPerParameter(layers.front());
  const double last = GradientPerParameter(layers.back());
  // Dead units pass nothing on either, and have a warning of their own.
  const bool vanishes = first > 0 && first < kVanished * last;
  if (!vanishes) return;
  Warn(WarningKind::kVanishingGradients,
       absl::StrCat("the gradient vanishes on its way back: per parameter it is ", Text(last),
                    " in the output layer and ", Text(first), " in layers[0], which hardly learns"),
       "use RELU or TANH instead of SIGMOID, fewer layers, residual layers, or normalization BATCH "
       "or LAYER",
       warnings);
}

void Diagnosis::LookForIdleUnits(const std::vector<LayerRecord>& layers, Warnings* warnings) {
  for (size_t i = 0; watches_units_ && i + 1 < layers.size(); ++i) {
    const LayerRecord& layer = layers[i];
    if (idle_warned_[i] != 0) continue;
    if (layer.dead_unit_fraction >= kDeadUnits) {
      idle_warned_[i] = 1;
      warnings->push_back(
          {WarningKind::kDeadUnits,
           absl::StrCat(Percent(layer.dead_unit_fraction), " of the units of ", layer.name,
                        " are dead: the same for every row"),
           absl::StrCat("lower optimizer.learning_rate (now ", Text(learning_rate_), "), ",
                        activations_[i] == Activation::kRelu
                            ? "or use LEAKY_RELU, ELU or GELU, which have a slope below zero"
                            : "or draw larger initial weights")});
    } else if (layer.saturated_fraction >= kSaturated) {
      idle_warned_[i] = 1;
      warnings->push_back({WarningKind::kSaturatedUnits,
                           absl::StrCat(Percent(layer.saturated_fraction), " of the outputs of ",
                                        layer.name, " stand at a bound, where there is no slope"),
                           absl::StrCat("lower optimizer.learning_rate (now ", Text(learning_rate_),
                                        "), scale the features, draw smaller initial weights, or "
                                        "use RELU")});
    }
  }
}

void Diagnosis::LookForStuckLoss(const EpochRecord& epoch, Warnings* warnings) {
  if (!epoch_loss_.has_value()) epoch_loss_ = best_train_loss_ = epoch.train_loss;
  best_train_loss_ = std::min(best_train_loss_, epoch.train_loss);
  if (epoch.epoch + 1 < kStuckEpochs || steps_ < kStuckSteps) return;
  const double size = std::abs(*epoch_loss_);
  const bool stuck = size > 0 && *epoch_loss_ - best_train_loss_ <= kMoved * size &&
                     *epoch_loss_ >= kFirstEpochShare * first_loss_;
  if (!stuck) return;
  Warn(WarningKind::kStuckLoss,
       absl::StrCat("the training loss does not move: ", Text(*epoch_loss_),
                    " over the first epoch, at best ", Text(best_train_loss_), " in the ",
                    epoch.epoch + 1, " since"),
       absl::StrCat("raise optimizer.learning_rate (now ", Text(learning_rate_),
                    "; `trainyard analyze lr-finder` looks for one), do not start from "
                    "equal weights, and see whether the features say anything of the target"),
       warnings);
}

void Diagnosis::LookForOverfitting(const EpochRecord& epoch, Warnings* warnings) {
  const double validation = epoch.validation.Find("loss");
  if (std::isnan(validation)) return;
  if (!has_validation_ || validation < best_.validation) {
    has_validation_ = true;
    best_ = {.epoch = epoch.epoch, .train = epoch.train_loss, .validation = validation};
    return;
  }
  const double rise = validation - best_.validation;
  const bool large = rise > kRise * std::abs(best_.validation) &&
                     rise > kRiseOfFirst * std::abs(epoch_loss_.value_or(0));
  if (!large || epoch.epoch - best_.epoch < kRiseEpochs || epoch.train_loss >= best_.train) return;
  Warn(WarningKind::kOverfitting,
       absl::StrCat("the network overfits: the validation loss was best after epoch ",
                    best_.epoch + 1, " (", Text(best_.validation), ") and is ", Text(validation),
                    " now, while the training loss fell from ", Text(best_.train), " to ",
                    Text(epoch.train_loss)),
       "set early_stopping, which keeps the best epoch's weights; or use weight_decay, dropout, a "
       "smaller network, or more rows",
       warnings);
}

void Diagnosis::Warn(WarningKind kind, std::string message, std::string remedy,
                     Warnings* warnings) {
  const uint32_t bit = 1U << static_cast<int>(kind);
  if ((warned_ & bit) != 0) return;
  warned_ |= bit;
  warnings->push_back({kind, std::move(message), std::move(remedy)});
}

void Diagnosis::Losses::TransferState(StateArchive* archive) {
  archive->Count(&epoch);
  archive->Value(&train);
  archive->Value(&validation);
}

void Diagnosis::TransferState(StateArchive* archive) {
  archive->Count(&steps_);
  archive->Value(&first_loss_);
  archive->Value(&first_gradient_norm_);
  archive->Count(&epoch_steps_);
  archive->Value(&gradient_norm_sum_);
  archive->Value(&has_validation_);
  best_.TransferState(archive);
  archive->Value(&epoch_loss_);
  archive->Value(&best_train_loss_);
  archive->Value(&warned_);
  archive->Values(std::span<uint8_t>(idle_warned_));
}

}  // namespace trainyard
