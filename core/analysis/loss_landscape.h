// ComputeLossLandscape evaluates the loss at θ + a·d1 + b·d2 on a grid. d1 and d2 are random normal
// directions whose filters (the incoming weights of a unit: a column of [in, out]) are scaled to
// the norm that the filter has in θ, after Li et al. 2018, "Visualizing the Loss Landscape of
// Neural Nets". Biases, gains and shifts do not move. The network is in evaluation mode.
#ifndef TRAINYARD_CORE_ANALYSIS_LOSS_LANDSCAPE_H_
#define TRAINYARD_CORE_ANALYSIS_LOSS_LANDSCAPE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/analysis/analysis_input.h"
#include "core/base/error_info.h"

namespace trainyard {

inline constexpr int64_t kLandscapeResolutionMax = 201;

// Ranges and defaults: trainyard.v1.LossLandscapeSpec.
struct LossLandscapeOptions {
  int64_t resolution = 25;  // points along each axis, odd
  double range = 1;         // a and b from -range to range
  uint64_t seed = 0;
};

struct LossLandscapeResult {
  std::vector<double> axis;    // [resolution]
  std::vector<double> losses;  // [b, a] row-major; infinite where the loss is not finite
  double centre = 0;           // the loss at θ
  int64_t row_count = 0;
};

// Faults with paths "analysis.loss_landscape.…".
void CheckLossLandscapeOptions(const LossLandscapeOptions& options,
                               std::vector<FieldViolation>* violations);

// A point of progress is a point of the grid. REQUIRES: the options passed their check.
absl::StatusOr<LossLandscapeResult> ComputeLossLandscape(const AnalysisInput& input,
                                                         const LossLandscapeOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_LOSS_LANDSCAPE_H_
