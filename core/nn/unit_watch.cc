#include "core/nn/unit_watch.h"

#include <algorithm>

namespace trainyard {
namespace {

// Distance from a bound, as a share of the activation's range, within which it counts as saturated.
constexpr double kSaturatedShare = 0.01;

// The values between which an activation is confined; equal when it is not on both sides.
std::pair<double, double> BoundsOf(Activation activation) {
  switch (activation) {
    case Activation::kSigmoid:
    case Activation::kHardSigmoid:
      return {0, 1};
    case Activation::kTanh:
    case Activation::kHardTanh:
      return {-1, 1};
    default:
      return {0, 0};
  }
}

std::pair<float, float> InsideOf(Activation activation) {
  const auto [low, high] = BoundsOf(activation);
  const double margin = kSaturatedShare * (high - low);
  return {static_cast<float>(low + margin), static_cast<float>(high - margin)};
}

}  // namespace

UnitWatch::UnitWatch(int64_t units, Activation activation, bool residual)
    : units_(units),
      residual_(residual),
      inside_(InsideOf(activation)),
      changes_(static_cast<size_t>(units)) {}

void UnitWatch::Add(const float* inputs, const float* outputs, int64_t rows) {
  const float* activations = residual_ ? Unadded(inputs, outputs, rows) : outputs;
  LookForChanges(activations, rows);
  CountSaturated(activations, rows);
  rows_ += rows;
}

double UnitWatch::dead_unit_fraction() const {
  const auto dead = std::count(changes_.begin(), changes_.end(), false);
  return rows_ > 1 ? static_cast<double>(dead) / static_cast<double>(units_) : 0;
}

double UnitWatch::saturated_fraction() const {
  return rows_ == 0 ? 0 : static_cast<double>(saturated_) / static_cast<double>(rows_ * units_);
}

// What a residual layer adds to its input.
const float* UnitWatch::Unadded(const float* inputs, const float* outputs, int64_t rows) {
  added_.resize(static_cast<size_t>(rows * units_));
  for (size_t i = 0; i < added_.size(); ++i) added_[i] = outputs[i] - inputs[i];
  return added_.data();
}

void UnitWatch::LookForChanges(const float* activations, int64_t rows) {
  if (first_.empty()) first_.assign(activations, activations + units_);
  for (int64_t row = 0; row < rows; ++row) {
    const float* values = activations + row * units_;
    for (size_t u = 0; u < first_.size(); ++u) {
      changes_[u] = static_cast<char>(changes_[u] | (values[u] != first_[u]));
    }
  }
}

void UnitWatch::CountSaturated(const float* activations, int64_t rows) {
  if (inside_.first == inside_.second) return;
  saturated_ += std::count_if(activations, activations + rows * units_, [this](float y) {
    return y <= inside_.first || y >= inside_.second;
  });
}

}  // namespace trainyard
