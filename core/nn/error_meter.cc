// MakeErrorMeter: metrics of a number against a number.
#include <cmath>

#include "core/nn/task_meter.h"

namespace trainyard {
namespace {

class ErrorMeter final : public TaskMeter {
 public:
  explicit ErrorMeter(LossKind kind) : kind_(kind) {}

  void Add(const float* logits, const LossTargets& targets, int64_t rows) override;
  MetricValues Values() const override;

 private:
  void AddRow(double value, double target, double weight);
  double RSquared() const;

  // Constant after construction.
  const LossKind kind_;

  // Sums over rows, each times its weight.
  double weight_ = 0;
  double square_sum_ = 0;
  double absolute_sum_ = 0;
  double relative_sum_ = 0;
  double relative_weight_ = 0;  // of the rows whose target is not 0
  double target_mean_ = 0;
  double target_square_sum_ = 0;  // of the distances from target_mean_
};

void ErrorMeter::Add(const float* logits, const LossTargets& targets, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const double weight = targets.weights == nullptr ? 1 : targets.weights[r];
    if (weight > 0) AddRow(ValueOf(kind_, logits[r]), targets.values[r], weight);
  }
}

// The spread of the targets by West's weighted form of Welford's update: it does not cancel when
// the mean is large.
void ErrorMeter::AddRow(double value, double target, double weight) {
  const double error = std::fabs(value - target);
  weight_ += weight;
  square_sum_ += weight * error * error;
  absolute_sum_ += weight * error;
  if (target != 0) {
    relative_sum_ += weight * error / std::fabs(target);
    relative_weight_ += weight;
  }
  const double distance = target - target_mean_;
  target_mean_ += distance * weight / weight_;
  target_square_sum_ += weight * distance * (target - target_mean_);
}

double ErrorMeter::RSquared() const {
  if (target_square_sum_ > 0) return 1 - square_sum_ / target_square_sum_;
  return square_sum_ > 0 ? 0 : 1;
}

MetricValues ErrorMeter::Values() const {
  MetricValues values = {{"rmse", std::sqrt(square_sum_ / weight_)},
                         {"mae", absolute_sum_ / weight_},
                         {"r2", RSquared()}};
  if (relative_weight_ > 0) values.emplace_back("mape", relative_sum_ / relative_weight_);
  return values;
}

}  // namespace

std::unique_ptr<TaskMeter> MakeErrorMeter(LossKind kind) {
  return std::make_unique<ErrorMeter>(kind);
}

}  // namespace trainyard
