// ComputeLossLine evaluates the loss at (1 − a)·θ + a·θ' between two networks of one shape
// (Goodfellow et al. 2014, "Qualitatively characterizing neural network optimization problems");
// everything is interpolated: weights, biases, normalisation and its running values (beyond the
// ends a variance may become negative: the loss is infinite there). The network is in evaluation
// mode.
#ifndef TRAINYARD_CORE_ANALYSIS_LOSS_LINE_H_
#define TRAINYARD_CORE_ANALYSIS_LOSS_LINE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/analysis/analysis_input.h"
#include "core/base/error_info.h"

namespace trainyard {

inline constexpr int64_t kLinePointsMax = 10'001;
// Of |from| and |to|: further out there is nothing to see, and float runs out of digits.
inline constexpr double kLineEndMax = 1000;

// Ranges and defaults: trainyard.v1.LossLineSpec.
struct LossLineOptions {
  int64_t points = 51;
  double from = -0.5;
  double to = 1.5;
};

struct LossLineResult {
  std::vector<double> axis;    // [points], values of a
  std::vector<double> losses;  // [points]; infinite where the loss is not finite
  // Largest loss(a) − ((1 − a)·loss(0) + a·loss(1)) over points with a in [0, 1], at least 0.
  double barrier = 0;
  int64_t row_count = 0;
};

// Faults with paths "analysis.loss_line.…".
void CheckLossLineOptions(const LossLineOptions& options, std::vector<FieldViolation>* violations);

// `other`: θ'. A point of progress is a point of the line. Errors also: INVALID_ARGUMENT when the
// shapes differ. REQUIRES: the options passed their check.
absl::StatusOr<LossLineResult> ComputeLossLine(const AnalysisInput& input, const MlpWeights& other,
                                               const LossLineOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_LOSS_LINE_H_
