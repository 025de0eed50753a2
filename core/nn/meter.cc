#include "core/nn/meter.h"

#include <cmath>

#include "core/base/check.h"

namespace trainyard {

EvalMeter::EvalMeter(LossKind kind, int64_t outputs) : kind_(kind), outputs_(outputs) {
  TY_CHECK(kind != LossKind::kUnspecified);
}

void EvalMeter::Add(const float* logits, const LossTargets& targets, int64_t rows) {
  loss_sum_ += LossSum(kind_, logits, targets, rows, outputs_);
  if (kind_ == LossKind::kMeanSquaredError) {
    AddErrors(logits, targets.values, rows);
  } else {
    AddClasses(logits, targets, rows);
  }
}

void EvalMeter::AddClasses(const float* logits, const LossTargets& targets, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const int32_t actual =
        targets.classes != nullptr ? targets.classes[r] : static_cast<int32_t>(targets.values[r]);
    if (PredictedClass(kind_, logits + r * outputs_, outputs_) == actual) ++correct_count_;
  }
  rows_ += rows;
}

// The spread of the targets by Welford's update: it does not cancel when the mean is large.
void EvalMeter::AddErrors(const float* values, const float* targets, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const double target = targets[r];
    absolute_sum_ += std::fabs(values[r] - target);
    const double distance = target - target_mean_;
    target_mean_ += distance / static_cast<double>(++rows_);
    target_square_sum_ += distance * (target - target_mean_);
  }
}

double EvalMeter::RSquared() const {
  if (target_square_sum_ > 0) return 1 - loss_sum_ / target_square_sum_;
  return loss_sum_ > 0 ? 0 : 1;
}

EvalResult EvalMeter::Result() const {
  EvalResult result{.rows = rows_};
  if (rows_ == 0) return result;
  const double rows = static_cast<double>(rows_);
  const double loss = loss_sum_ / rows;
  result.metrics.emplace_back("loss", loss);
  if (kind_ != LossKind::kMeanSquaredError) {
    result.metrics.emplace_back("accuracy", static_cast<double>(correct_count_) / rows);
    return result;
  }
  result.metrics.emplace_back("rmse", std::sqrt(loss));
  result.metrics.emplace_back("mae", absolute_sum_ / rows);
  result.metrics.emplace_back("r2", RSquared());
  return result;
}

}  // namespace trainyard
