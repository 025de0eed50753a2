#include "core/train/early_stopping.h"

#include "core/nn/meter.h"

namespace trainyard {

bool IsBetter(double value, double other, double min_delta, bool higher_is_better) {
  return higher_is_better ? value > other + min_delta : value < other - min_delta;
}

EarlyStopper::EarlyStopper(const EarlyStoppingConfig& config)
    : stops_(config.enabled && !config.restore_only),
      higher_is_better_(HigherIsBetter(config.metric.empty() ? "loss" : config.metric)),
      patience_(config.patience),
      min_delta_(config.min_delta) {}

bool EarlyStopper::Add(double value) {
  const bool is_number = value == value;
  if (is_number && (!reference_ || IsBetter(value, *reference_, min_delta_, higher_is_better_))) {
    reference_ = value;
    bad_count_ = 0;
  } else {
    ++bad_count_;
  }
  if (!is_number || (best_ && !IsBetter(value, *best_, 0, higher_is_better_))) return false;
  best_ = value;
  return true;
}

void EarlyStopper::TransferState(StateArchive* archive) {
  archive->Value(&best_);
  archive->Value(&reference_);
  archive->Count(&bad_count_);
}

}  // namespace trainyard
