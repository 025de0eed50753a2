// MakeErrorMeter: metrics of a number against a number.
#include <cmath>

#include "core/nn/task_meter.h"

namespace trainyard {
namespace {

class ErrorMeter final : public TaskMeter {
 public:
  explicit ErrorMeter(const LossConfig& loss)
      : loss_(loss), zero_(static_cast<float>((0 - loss.target_offset) / loss.target_scale)) {}

  void Add(const float* logits, const LossTargets& targets, int64_t rows) override;
  MetricValues Values() const override;

 private:
  void AddRow(double value, double target, double weight);
  void AddRelative(double error, double target, double weight);
  double RSquared() const;

  // Constant after construction.
  const LossConfig loss_;
  const float zero_;  // what a target of 0 is, scaled

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
    if (weight == 0) continue;
    const double value = ValueOf(loss_, logits[r]);
    const double target = targets.values[r] * loss_.target_scale + loss_.target_offset;
    AddRow(value, target, weight);
    // Scaled there and back, a 0 would be the rounding of the offset.
    if (targets.values[r] != zero_) AddRelative(std::fabs(value - target), target, weight);
  }
}

// The spread of the targets by West's weighted form of Welford's update: it does not cancel when
// the mean is large.
void ErrorMeter::AddRow(double value, double target, double weight) {
  const double error = std::fabs(value - target);
  weight_ += weight;
  square_sum_ += weight * error * error;
  absolute_sum_ += weight * error;
  const double distance = target - target_mean_;
  target_mean_ += distance * weight / weight_;
  target_square_sum_ += weight * distance * (target - target_mean_);
}

void ErrorMeter::AddRelative(double error, double target, double weight) {
  relative_sum_ += weight * error / std::fabs(target);
  relative_weight_ += weight;
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

std::unique_ptr<TaskMeter> MakeErrorMeter(const LossConfig& loss) {
  return std::make_unique<ErrorMeter>(loss);
}

}  // namespace trainyard
