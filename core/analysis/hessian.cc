#include "core/analysis/hessian.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
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

double Dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void Scale(double factor, Vector* v) {
  for (double& x : *v) x *= factor;
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

// A random direction of length 1; gaps between tensors stay 0.
Vector RandomDirection(uint64_t seed, uint64_t number, const ParameterTensors& tensors,
                       size_t size) {
  Vector v(size);
  Rng rng(seed, RngStream::kAnalysis, number);
  for (const ParameterTensor& tensor : tensors) {
    for (int64_t i = 0; i < tensor.size(); ++i)
      v[static_cast<size_t>(tensor.begin + i)] = rng.Normal();
  }
  Scale(1 / std::sqrt(Dot(v, v)), &v);
  return v;
}

struct Eigenpair {
  double value = 0;
  double residual = 0;
  int64_t iterations = 0;
  bool converged = false;
};

// Power iteration on H − shift·I from `v`: the eigenvalue of H that is farthest from `shift`, by
// the Rayleigh quotient.
absl::StatusOr<Eigenpair> FarthestEigenvalue(const AnalysisInput& input,
                                             const HessianOptions& options, double shift,
                                             int64_t points_before, HessianProduct* hessian,
                                             Vector v) {
  Eigenpair pair;
  Vector product(v.size());
  while (pair.iterations < options.iterations_max) {
    TY_RETURN_IF_ERROR(CheckNotStopped(input));
    TY_RETURN_IF_ERROR(hessian->Multiply(v, &product));
    ++pair.iterations;
    input.Report(points_before + pair.iterations, 2 * options.iterations_max);
    const double value = Dot(v, product);
    const double square = Dot(product, product);
    pair.residual =
        std::sqrt(std::max(0.0, square - value * value)) / std::max(std::fabs(value), 1e-300);
    pair.converged = pair.iterations > 1 &&
                     std::fabs(value - pair.value) <= options.tolerance * std::fabs(value - shift);
    pair.value = value;
    for (size_t i = 0; i < v.size(); ++i) product[i] -= shift * v[i];
    const double length = std::sqrt(Dot(product, product));
    // The product is zero (or not a number): v is an eigenvector already, or there is nothing to
    // follow.
    if (!(length > 0)) pair.converged = length == 0;
    if (pair.converged || !(length > 0)) break;
    v = product;
    Scale(1 / length, &v);
  }
  return pair;
}

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
  const ParameterTensors& tensors = evaluator->mlp().tensors();
  TY_ASSIGN_OR_RETURN(
      const Eigenpair first,
      FarthestEigenvalue(input, options, /*shift=*/0, /*points_before=*/0, &hessian,
                         RandomDirection(options.seed, 3, tensors, hessian.size())));
  // With the one largest in magnitude at one end of the spectrum, the other end is what is farthest
  // from it.
  TY_ASSIGN_OR_RETURN(
      const Eigenpair second,
      FarthestEigenvalue(input, options, first.value, first.iterations, &hessian,
                         RandomDirection(options.seed, 4, tensors, hessian.size())));
  return HessianResult{.eigenvalue_max = std::max(first.value, second.value),
                       .eigenvalue_min = std::min(first.value, second.value),
                       .iterations = first.iterations + second.iterations,
                       .converged = first.converged && second.converged,
                       .residual = first.residual,
                       .gradient_norm = gradient_norm,
                       .row_count = evaluator->rows().count};
}

}  // namespace trainyard
