#include "core/nn/meter.h"

#include <cmath>
#include <limits>

#include "core/base/check.h"

namespace trainyard {

double EvalResult::Find(absl::string_view name) const {
  for (const auto& [metric, value] : metrics) {
    if (metric == name) return value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::vector<std::string> UsualMetricNames(Task task) {
  if (task == Task::kRegression) return {"loss", "rmse", "mae", "r2"};
  return {"loss", "accuracy"};
}

std::vector<std::string> MetricNames(Task task, int64_t /*outputs*/) {
  return UsualMetricNames(task);
}

bool HigherIsBetter(absl::string_view metric) { return metric == "accuracy" || metric == "r2"; }

class EvalMeter::Impl {
 public:
  explicit Impl(const MeterConfig& config)
      : config_(config), kind_(config.loss.kind), outputs_(config.outputs) {}
  void Add(const float* logits, const LossTargets& targets, int64_t rows);
  EvalResult Result() const;

 private:
  void AddClasses(const float* logits, const LossTargets& targets, int64_t rows);
  void AddErrors(const float* values, const float* targets, int64_t rows);
  double RSquared() const;

  const MeterConfig config_;
  const LossKind kind_;
  const int64_t outputs_;
  int64_t rows_ = 0;
  double loss_sum_ = 0;
  int64_t correct_count_ = 0;
  double absolute_sum_ = 0;
  double target_mean_ = 0;
  double target_square_sum_ = 0;  // of the distances from target_mean_
};

EvalMeter::EvalMeter(const MeterConfig& config) : impl_(std::make_unique<Impl>(config)) {}
EvalMeter::~EvalMeter() = default;
void EvalMeter::Add(const float* logits, const LossTargets& targets, int64_t rows) {
  impl_->Add(logits, targets, rows);
}
EvalResult EvalMeter::Result() const { return impl_->Result(); }

void EvalMeter::Impl::Add(const float* logits, const LossTargets& targets, int64_t rows) {
  loss_sum_ += LossSum(config_.loss, logits, targets, rows, outputs_);
  if (kind_ == LossKind::kMeanSquaredError) {
    AddErrors(logits, targets.values, rows);
  } else {
    AddClasses(logits, targets, rows);
  }
}

void EvalMeter::Impl::AddClasses(const float* logits, const LossTargets& targets, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const int32_t actual =
        targets.classes != nullptr ? targets.classes[r] : static_cast<int32_t>(targets.values[r]);
    if (PredictedClass(logits + r * outputs_, outputs_) == actual) ++correct_count_;
  }
  rows_ += rows;
}

// The spread of the targets by Welford's update: it does not cancel when the mean is large.
void EvalMeter::Impl::AddErrors(const float* values, const float* targets, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const double target = targets[r];
    absolute_sum_ += std::fabs(values[r] - target);
    const double distance = target - target_mean_;
    target_mean_ += distance / static_cast<double>(++rows_);
    target_square_sum_ += distance * (target - target_mean_);
  }
}

double EvalMeter::Impl::RSquared() const {
  if (target_square_sum_ > 0) return 1 - loss_sum_ / target_square_sum_;
  return loss_sum_ > 0 ? 0 : 1;
}

EvalResult EvalMeter::Impl::Result() const {
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
