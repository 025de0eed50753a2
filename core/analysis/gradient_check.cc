#include "core/analysis/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/analysis/double_network.h"
#include "core/analysis/loss_evaluator.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

constexpr int64_t kParametersPerTensorMax = 10'000;
constexpr int64_t kCheckBatchMax = 4'096;
// What a smooth function's difference quotients may be off what half the step foretells, as a share
// of the larger one; more is a kink.
constexpr double kKinkShare = 1e-2;
// Below this a difference quotient is rounding: of no use to tell kinks.
constexpr double kQuotientFloor = 1e-7;

// The difference quotients of a function on both sides of a point.
struct Differences {
  double right = 0;
  double left = 0;
  double central() const { return (right + left) / 2; }
  double bend() const { return right - left; }
};

// Whether there is a kink within the longer step. Of a smooth function the bend halves with the
// step and the central quotient stays. A kink at the point leaves the bend as it is; one beside it
// moves the central quotient.
bool HasKink(const Differences& whole, const Differences& half) {
  const double scale = std::max({std::fabs(whole.right), std::fabs(whole.left), kQuotientFloor});
  const double limit = kKinkShare * scale;
  return std::fabs(whole.bend() - 2 * half.bend()) > limit ||
         std::fabs(whole.central() - half.central()) > limit;
}

// The loss of the batch as a function of one parameter, in double: that of the scaled target, whose
// gradient backpropagation gives.
class NumericLoss {
 public:
  NumericLoss(const AnalysisInput& input, const LossEvaluator& evaluator, int64_t outputs)
      : network_(input.weights),
        loss_(evaluator.loss_config()),
        rows_(evaluator.rows()),
        outputs_(outputs),
        unit_(LossUnit(loss_)),
        here_(Loss()) {}

  // f at θ and with one parameter h above and below.
  Differences At(double* parameter, double h) const {
    const double value = *parameter;
    *parameter = value + h;
    const double above = Loss();
    *parameter = value - h;
    const double below = Loss();
    *parameter = value;
    return {.right = (above - here_) / h, .left = (here_ - below) / h};
  }

  DoubleNetwork& network() { return network_; }

 private:
  double Loss() const {
    const std::vector<double> logits =
        network_.Forward(rows_.part->features.data(), rows_.count, DoubleNetwork::Mode::kTraining);
    const LossTargets targets = TargetsOf(*rows_.part, 0, outputs_);
    return DoubleLoss(loss_, logits, targets, rows_.count, outputs_) / unit_;
  }

  DoubleNetwork network_;
  const LossConfig& loss_;
  const AnalysisRows rows_;
  const int64_t outputs_;
  const double unit_;  // of the reported loss in that of the scaled target
  const double here_;  // the loss at θ
};

// Which parameters of a tensor are checked: all, or `count` different ones, in ascending order
// (Floyd's sample).
std::vector<int64_t> ChooseIndices(int64_t size, int64_t count, Rng* rng) {
  std::set<int64_t> chosen;
  for (int64_t last = std::max<int64_t>(size - count, 0); last < size; ++last) {
    const auto any = static_cast<int64_t>(rng->Below(static_cast<uint64_t>(last) + 1));
    chosen.insert(size > count && chosen.count(any) == 0 ? any : last);
  }
  return {chosen.begin(), chosen.end()};
}

// Relative to both numbers, or to `floor` where they are smaller.
double RelativeError(double analytic, double numeric, double floor) {
  if (analytic == numeric) return 0;
  const double error =
      std::fabs(analytic - numeric) / std::max(std::fabs(analytic) + std::fabs(numeric), floor);
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

// Compares one parameter at a time and adds up what it finds.
class Comparison {
 public:
  Comparison(const GradientCheckOptions& options, double floor, NumericLoss* numeric)
      : options_(options), floor_(floor), numeric_(numeric) {}

  // `gradient`: that of the parameter by backpropagation.
  void Compare(const ParameterTensor& tensor, int64_t index, double gradient,
               GradientCheckResult::Tensor* result) const {
    double* parameter =
        &numeric_->network().tensor(tensor.layer, tensor.kind)[static_cast<size_t>(index)];
    const double h = options_.epsilon * std::max(1.0, std::fabs(*parameter));
    const Differences differences = numeric_->At(parameter, h);
    if (HasKink(differences, numeric_->At(parameter, h / 2))) return;
    const double n = differences.central();
    const double error = RelativeError(gradient, n, floor_);
    ++result->checked_count;
    if (error > options_.tolerance) ++result->failed_count;
    if (error < result->error_max) return;
    result->error_max = error;
    result->worst_index = index;
    result->worst_analytic = gradient;
    result->worst_numeric = n;
  }

 private:
  const GradientCheckOptions& options_;
  const double floor_;
  NumericLoss* const numeric_;
};

void CheckRange(absl::string_view field, int64_t value, int64_t max,
                std::vector<FieldViolation>* violations) {
  if (value >= 1 && value <= max) return;
  violations->push_back({absl::StrCat("analysis.gradient_check.", field),
                         absl::StrCat("is ", value, "; must be from 1 to ", max)});
}

}  // namespace

void CheckGradientCheckOptions(const GradientCheckOptions& options,
                               std::vector<FieldViolation>* violations) {
  CheckRange("parameters_per_tensor", options.parameters_per_tensor, kParametersPerTensorMax,
             violations);
  CheckRange("batch_size", options.batch_size, kCheckBatchMax, violations);
  if (!(options.epsilon >= 1e-8 && options.epsilon <= 1e-1)) {
    violations->push_back({"analysis.gradient_check.epsilon",
                           absl::StrCat("is ", NumberText(options.epsilon),
                                        "; must be from 1e-8 to 0.1: 1e-5 is usual")});
  }
  if (options.tolerance > 0 && std::isfinite(options.tolerance)) return;
  violations->push_back(
      {"analysis.gradient_check.tolerance",
       absl::StrCat("is ", NumberText(options.tolerance), "; must be above 0: 0.001 is usual")});
}

absl::StatusOr<GradientCheckResult> CheckGradients(const AnalysisInput& input,
                                                   const GradientCheckOptions& options) {
  AnalysisInput batch = input;
  batch.rows_max = std::min(input.rows_max, options.batch_size);
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<LossEvaluator> evaluator,
                      LossEvaluator::Create(batch, LossEvaluator::Mode::kGradient, kCheckBatchMax));
  const Mlp& mlp = evaluator->mlp();
  std::vector<double> gradient(mlp.parameters().size());
  TY_RETURN_IF_ERROR(evaluator->LossAndGradient(gradient).status());
  double largest = 0;
  for (const double g : gradient) largest = std::max(largest, std::fabs(g));

  Rng rng(input.config.seed, RngStream::kAnalysis, 5);
  std::vector<std::vector<int64_t>> indices;
  int64_t total = 0;
  for (const ParameterTensor& tensor : mlp.tensors()) {
    indices.push_back(ChooseIndices(tensor.size(), options.parameters_per_tensor, &rng));
    total += static_cast<int64_t>(indices.back().size());
  }
  NumericLoss numeric(batch, *evaluator, mlp.config().outputs);
  const double floor = std::max(kGradientFloorShare * largest, kGradientFloor);
  const Comparison comparison(options, floor, &numeric);
  GradientCheckResult result{.passed = true, .row_count = evaluator->rows().count};
  int64_t done = 0;
  for (size_t i = 0; i < indices.size(); ++i) {
    const ParameterTensor& tensor = mlp.tensors()[i];
    GradientCheckResult::Tensor found{.name = tensor.name};
    for (const int64_t index : indices[i]) {
      TY_RETURN_IF_ERROR(CheckNotStopped(input));
      comparison.Compare(tensor, index, gradient[static_cast<size_t>(tensor.begin + index)],
                         &found);
      input.Report(++done, total);
    }
    result.passed = result.passed && found.failed_count == 0;
    result.tensors.push_back(std::move(found));
  }
  return result;
}

}  // namespace trainyard
