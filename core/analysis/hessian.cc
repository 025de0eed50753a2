#include "core/analysis/hessian.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/analysis/lanczos.h"
#include "core/analysis/loss_evaluator.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

using Vector = std::vector<double>;

// Length of the step h·v as a share of the length of θ (at least 1), for v of length 1: the
// engine's gradient has about 7 digits, so the error of a difference is least near the cube root of
// its rounding, 6e-8 ^ (1/3).
constexpr double kStepShare = 4e-3;

// Before so many products a small residual may be that of a vector which had nothing of the ends.
constexpr int64_t kIterationsMin = 3;

double Dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// H·v at θ.
class HessianProduct {
 public:
  explicit HessianProduct(LossEvaluator* evaluator)
      : evaluator_(evaluator),
        theta_(evaluator->parameters().begin(), evaluator->parameters().end()),
        plus_(theta_.size()),
        minus_(theta_.size()) {
    const double length =
        std::sqrt(std::inner_product(theta_.begin(), theta_.end(), theta_.begin(), 0.0));
    step_ = kStepShare * std::max(1.0, length);
  }

  size_t size() const { return theta_.size(); }

  absl::StatusOr<double> GradientNorm() {
    TY_RETURN_IF_ERROR(GradientAt(Vector(size()), 0, &plus_));
    return std::sqrt(Dot(plus_, plus_));
  }

  // REQUIRES: ‖v‖ = 1.
  absl::Status Multiply(const Vector& v, Vector* product) {
    TY_RETURN_IF_ERROR(GradientAt(v, step_, &plus_));
    TY_RETURN_IF_ERROR(GradientAt(v, -step_, &minus_));
    for (size_t i = 0; i < size(); ++i) (*product)[i] = (plus_[i] - minus_[i]) / (2 * step_);
    return absl::OkStatus();
  }

 private:
  absl::Status GradientAt(const Vector& v, double step, Vector* gradient) {
    const std::span<float> parameters = evaluator_->parameters();
    for (size_t i = 0; i < size(); ++i) parameters[i] = static_cast<float>(theta_[i] + step * v[i]);
    TY_RETURN_IF_ERROR(evaluator_->LossAndGradient(*gradient).status());
    return absl::OkStatus();
  }

  LossEvaluator* const evaluator_;
  const std::vector<float> theta_;
  double step_ = 0;
  Vector plus_, minus_;
};

// A random vector; gaps between tensors stay 0.
Vector RandomVector(uint64_t seed, const ParameterTensors& tensors, size_t size) {
  Vector v(size);
  Rng rng(seed, RngStream::kAnalysis, 3);
  for (const ParameterTensor& tensor : tensors) {
    for (int64_t i = 0; i < tensor.size(); ++i)
      v[static_cast<size_t>(tensor.begin + i)] = rng.Normal();
  }
  return v;
}

absl::Status NotFiniteError() {
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      "the gradient next to the weights is not finite, so there are no second derivatives",
      {.reason = ErrorReason::kNonFiniteLoss,
       .hint = "look at the weights with layer statistics; scale the features, or "
               "train with a smaller learning rate"});
}

struct Spectrum {
  RitzValue largest;
  RitzValue smallest;
  double radius() const { return std::max(std::fabs(largest.value), std::fabs(smallest.value)); }
  double residual() const { return std::max(largest.residual, smallest.residual); }
};

}  // namespace

void CheckHessianOptions(const HessianOptions& options, std::vector<FieldViolation>* violations) {
  if (options.iterations_max < 1 || options.iterations_max > kHessianIterationsMax) {
    violations->push_back({"analysis.hessian.iterations_max",
                           absl::StrCat("is ", options.iterations_max, "; must be from 1 to ",
                                        kHessianIterationsMax, ": 100 is usual")});
  }
  if (options.tolerance > 0 && options.tolerance < 1) return;
  violations->push_back({"analysis.hessian.tolerance",
                         absl::StrCat("is ", NumberText(options.tolerance),
                                      "; must be above 0 and below 1: 0.001 is usual")});
}

absl::StatusOr<HessianResult> ComputeHessianSpectrum(const AnalysisInput& input,
                                                     const HessianOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<LossEvaluator> evaluator,
                      LossEvaluator::Create(input, LossEvaluator::Mode::kGradient));
  HessianProduct hessian(evaluator.get());
  TY_ASSIGN_OR_RETURN(const double gradient_norm, hessian.GradientNorm());
  Lanczos lanczos(RandomVector(options.seed, evaluator->mlp().tensors(), hessian.size()),
                  ParameterCount(evaluator->mlp().config()));
  HessianResult result{.gradient_norm = gradient_norm, .row_count = evaluator->rows().count};
  Vector product(hessian.size());
  while (!lanczos.complete() && !result.converged && result.iterations < options.iterations_max) {
    TY_RETURN_IF_ERROR(CheckNotStopped(input));
    TY_RETURN_IF_ERROR(hessian.Multiply(lanczos.vector(), &product));
    input.Report(++result.iterations, options.iterations_max);
    if (!lanczos.Add(product)) return NotFiniteError();
    const Spectrum found{lanczos.Largest(), lanczos.Smallest()};
    result.eigenvalue_max = found.largest.value;
    result.eigenvalue_min = found.smallest.value;
    result.residual = found.radius() > 0 ? found.residual() / found.radius() : 0;
    result.converged = lanczos.complete() || (result.iterations >= kIterationsMin &&
                                              result.residual <= options.tolerance);
  }
  return result;
}

}  // namespace trainyard
