// CheckGradients compares backpropagation with central differences, (f(θ + h) − f(θ − h)) / 2h,
// where f is computed in double precision by an implementation that shares nothing with the engine
// (double_network.h). The batch is the first rows of the part; batch normalisation is in training
// mode, dropout off. Where a kink (ReLU, hinge) lies between θ − h and θ + h, or at θ, the
// difference is no derivative: such a parameter is told by the differences over h and h/2, and left
// out.
#ifndef TRAINYARD_CORE_ANALYSIS_GRADIENT_CHECK_H_
#define TRAINYARD_CORE_ANALYSIS_GRADIENT_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/analysis/analysis_input.h"
#include "core/base/error_info.h"

namespace trainyard {

// Ranges and defaults: trainyard.v1.GradientCheckSpec.
struct GradientCheckOptions {
  int64_t parameters_per_tensor = 50;
  double epsilon = 1e-5;    // h relative to max(1, |θ|)
  double tolerance = 1e-3;  // relative error
  int64_t batch_size = 64;
};

struct GradientCheckResult {
  struct Tensor {
    std::string name;  // as ParameterTensor::name
    int64_t checked_count = 0;
    int64_t failed_count = 0;
    double error_max = 0;  // |a − n| / max(|a| + |n|, floor): see kGradientFloorShare; infinite
                           // where one is not finite
    int64_t worst_index = 0;
    double worst_analytic = 0;
    double worst_numeric = 0;
  };
  std::vector<Tensor> tensors;
  bool passed = false;
  int64_t row_count = 0;
};

// Gradients below this share of the largest one checked are compared with that share instead of
// with themselves: a float's rounding there says nothing about the formula.
inline constexpr double kGradientFloorShare = 1e-3;
// The same where all gradients are rounding, as at an optimum.
inline constexpr double kGradientFloor = 1e-6;

// Faults with paths "analysis.gradient_check.…".
void CheckGradientCheckOptions(const GradientCheckOptions& options,
                               std::vector<FieldViolation>* violations);

// A point of progress is one parameter. REQUIRES: the options passed their check.
absl::StatusOr<GradientCheckResult> CheckGradients(const AnalysisInput& input,
                                                   const GradientCheckOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_GRADIENT_CHECK_H_
