// ComputeHessianSpectrum finds the two ends of the spectrum of the Hessian of the mean loss over
// the rows by Lanczos' method: power iteration that keeps its vectors (lanczos.h). A smallest
// eigenvalue below zero by more than the accuracy (tolerance · largest magnitude) proves that the
// loss is not convex at θ; 2 / λmax is the largest stable learning rate of plain gradient descent.
// Hessian-vector products are central differences of the engine's gradient,
// (∇L(θ + h·v) − ∇L(θ − h·v)) / 2h.
//
// Of a scaled target it is the loss of what the network learns, (y - offset) / scale: the one that
// a step of the optimizer goes by. With batch normalisation the loss is that of training batches.
// At a kink (ReLU) the differences see a mean over a short way.
#ifndef TRAINYARD_CORE_ANALYSIS_HESSIAN_H_
#define TRAINYARD_CORE_ANALYSIS_HESSIAN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/analysis/analysis_input.h"
#include "core/base/error_info.h"

namespace trainyard {

inline constexpr int64_t kHessianIterationsMax = 1'000;

// Ranges and defaults: trainyard.v1.HessianSpec.
struct HessianOptions {
  int64_t iterations_max = 100;  // Hessian-vector products
  double tolerance = 1e-3;       // residual at which to stop
  uint64_t seed = 0;
};

struct HessianResult {
  double eigenvalue_max = 0;
  double eigenvalue_min = 0;
  int64_t iterations = 0;  // Hessian-vector products
  bool converged = false;  // both met the tolerance
  double residual = 0;     // the larger ‖H·v − λ·v‖ of both over the larger |λ|
  double gradient_norm = 0;
  int64_t row_count = 0;
};

// Faults with paths "analysis.hessian.…".
void CheckHessianOptions(const HessianOptions& options, std::vector<FieldViolation>* violations);

// A point of progress is an iteration; it may end before all are done. REQUIRES: the options passed
// their check. Errors: INVALID_ARGUMENT/NON_FINITE_LOSS where a gradient next to θ is not finite.
absl::StatusOr<HessianResult> ComputeHessianSpectrum(const AnalysisInput& input,
                                                     const HessianOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_HESSIAN_H_
