// ComputeHessianSpectrum finds the two ends of the spectrum of the Hessian of the mean loss over
// the rows: the largest eigenvalue by power iteration, the smallest by power iteration on H −
// λmax·I (or the other way round when the one largest in magnitude is negative). A negative
// smallest one proves that the loss is not convex at θ; 2 / λmax is the largest stable learning
// rate of plain gradient descent. Hessian-vector products are central differences of the engine's
// gradient, (∇L(θ + h·v) − ∇L(θ − h·v)) / 2h.
//
// With batch normalisation the loss is that of training batches. At a kink (ReLU) the differences
// see a mean over a short way.
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
  int64_t iterations_max = 100;  // for each of the two
  double tolerance = 1e-3;       // relative change at which to stop
  uint64_t seed = 0;
};

struct HessianResult {
  double eigenvalue_max = 0;
  double eigenvalue_min = 0;
  int64_t iterations = 0;  // of both
  bool converged = false;  // both met the tolerance
  double residual = 0;     // ‖H·v − λ·v‖ / |λ| of the one found first
  double gradient_norm = 0;
  int64_t row_count = 0;
};

// Faults with paths "analysis.hessian.…".
void CheckHessianOptions(const HessianOptions& options, std::vector<FieldViolation>* violations);

// A point of progress is an iteration; it may end before all are done. REQUIRES: the options passed
// their check.
absl::StatusOr<HessianResult> ComputeHessianSpectrum(const AnalysisInput& input,
                                                     const HessianOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_HESSIAN_H_
