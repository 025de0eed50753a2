#include "core/analysis/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
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
// Two difference quotients, with h and h/2, that differ by more than this share have a kink between
// them.
constexpr double kKinkShare = 1e-2;
// Below this a difference quotient is rounding: of no use to tell kinks.
constexpr double kQuotientFloor = 1e-7;

// The loss of the batch as a function of one parameter, in double.
class NumericLoss {
 public:
  NumericLoss(const AnalysisInput& input, const LossEvaluator& evaluator, int64_t outputs)
      : network_(input.weights),
        loss_(evaluator.loss_config()),
        rows_(evaluator.rows()),
        outputs_(outputs) {}

  // (f(θ + h) − f(θ − h)) / 2h.
  double Quotient(double* parameter, double h) const {
    const double value = *parameter;
    *parameter = value + h;
    const double above = Loss();
    *parameter = value - h;
    const double below = Loss();
    *parameter = value;
    return (above - below) / (2 * h);
  }

  DoubleNetwork& network() { return network_; }

 private:
  double Loss() const {
    const std::vector<double> logits =
        network_.Forward(rows_.part->features.data(), rows_.count, DoubleNetwork::Mode::kTraining);
    return DoubleLoss(loss_, logits, TargetsOf(*rows_.part, 0, outputs_), rows_.count, outputs_);
  }

  DoubleNetwork network_;
  const LossConfig& loss_;
  const AnalysisRows rows_;
  const int64_t outputs_;
};

// Which parameters of a tensor are checked: all, or so many different ones in ascending order.
std::vector<int64_t> ChooseIndices(int64_t size, int64_t count, Rng* rng) {
  std::vector<int64_t> indices(static_cast<size_t>(size));
  std::iota(indices.begin(), indices.end(), 0);
  if (size <= count) return indices;
  for (int64_t i = 0; i < count; ++i) {
    std::swap(indices[static_cast<size_t>(i)],
              indices[static_cast<size_t>(i) + rng->Below(static_cast<uint64_t>(size - i))]);
  }
  indices.resize(static_cast<size_t>(count));
  std::sort(indices.begin(), indices.end());
  return indices;
}

bool IsKink(double whole, double half) {
  const double scale = std::max(std::fabs(whole), std::fabs(half));
  return scale > kQuotientFloor && std::fabs(whole - half) > kKinkShare * scale;
}

// Compares one tensor; `gradient` is its gradient by backpropagation, `floor` as
// kGradientFloorShare says.
GradientCheckResult::Tensor CheckTensor(const ParameterTensor& tensor,
                                        const std::vector<int64_t>& indices, const double* gradient,
                                        double floor, const GradientCheckOptions& options,
                                        NumericLoss* numeric) {
  GradientCheckResult::Tensor result{.name = tensor.name};
  std::vector<double>& values = numeric->network().tensor(tensor.layer, tensor.kind);
  for (const int64_t index : indices) {
    double* parameter = &values[static_cast<size_t>(index)];
    const double h = options.epsilon * std::max(1.0, std::fabs(*parameter));
    const double n = numeric->Quotient(parameter, h);
    if (IsKink(n, numeric->Quotient(parameter, h / 2))) continue;
    const double a = gradient[index];
    const double error = std::fabs(a - n) / std::max(std::fabs(a) + std::fabs(n), floor);
    ++result.checked_count;
    if (!(error <= options.tolerance)) ++result.failed_count;
    if (error < result.error_max) continue;
    result.error_max = error;
    result.worst_index = index;
    result.worst_analytic = a;
    result.worst_numeric = n;
  }
  return result;
}

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
  GradientCheckResult result{.passed = true, .row_count = evaluator->rows().count};
  int64_t done = 0;
  for (size_t i = 0; i < indices.size(); ++i) {
    TY_RETURN_IF_ERROR(CheckNotStopped(input));
    const ParameterTensor& tensor = mlp.tensors()[i];
    result.tensors.push_back(CheckTensor(tensor, indices[i], gradient.data() + tensor.begin,
                                         kGradientFloorShare * largest, options, &numeric));
    result.passed = result.passed && result.tensors.back().failed_count == 0;
    done += static_cast<int64_t>(indices[i].size());
    input.Report(done, total);
  }
  return result;
}

}  // namespace trainyard
