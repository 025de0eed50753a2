// CollapseLinear multiplies a network whose activations are all the identity out to one affine map
// W'x + b', and compares both on the rows: why nonlinearities matter. Batch normalisation in
// evaluation mode is affine and residual connections of identities are too; layer normalisation is
// not.
#ifndef TRAINYARD_CORE_ANALYSIS_LINEAR_COLLAPSE_H_
#define TRAINYARD_CORE_ANALYSIS_LINEAR_COLLAPSE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/analysis/analysis_input.h"

namespace trainyard {

struct LinearCollapseResult {
  bool linear = false;
  std::string reason;           // why not, e.g. "layers[0] is not linear: its activation is RELU"
  std::vector<double> weights;  // W' [features, outputs], row-major, on scaled features and, of a
                                // regression, of the scaled target; only when linear
  std::vector<double> biases;   // b' [outputs]
  double difference_max = 0;    // largest |network − (W'x + b')| over rows and outputs
  int64_t parameter_count = 0;
  int64_t collapsed_parameter_count = 0;
  int64_t row_count = 0;
};

// A point of progress is a layer.
absl::StatusOr<LinearCollapseResult> CollapseLinear(const AnalysisInput& input);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_LINEAR_COLLAPSE_H_
