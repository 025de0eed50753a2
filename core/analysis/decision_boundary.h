// ComputeDecisionBoundary asks the network about a grid over two features, the others held at their
// mean over the rows: the picture of what it has learned. The grid spans the rows and a tenth more
// on each side. Units are the original ones; rows whose cell is missing are where it is filled in.
#ifndef TRAINYARD_CORE_ANALYSIS_DECISION_BOUNDARY_H_
#define TRAINYARD_CORE_ANALYSIS_DECISION_BOUNDARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/analysis/analysis_input.h"
#include "core/base/error_info.h"

namespace trainyard {

inline constexpr int64_t kBoundaryResolutionMax = 401;
inline constexpr int64_t kBoundaryRowsShownMax = 2'000;

// Ranges and defaults: trainyard.v1.DecisionBoundarySpec.
struct DecisionBoundaryOptions {
  std::string x_feature;
  std::string y_feature;
  int64_t resolution = 81;
  int64_t rows_shown = 300;
};

struct DecisionBoundaryResult {
  struct Point {
    double x = 0;
    double y = 0;
    int32_t class_index = 0;  // classification; multi-label: of the first label
    double value = 0;         // regression
  };
  std::vector<double> x_axis, y_axis;
  // [y, x] row-major: binary, multi-label: probability of the positive class or first label;
  // multiclass: of the predicted class; regression: the value.
  std::vector<double> values;
  std::vector<int32_t> class_indices;  // [y, x]; empty for regression
  std::vector<std::string> classes;
  std::vector<Point> points;  // the first rows_shown rows
  int64_t row_count = 0;
};

// Faults with paths "analysis.decision_boundary.…"; an unknown feature comes with the nearest known
// one, and one of categories is refused: they are no axis. `data`: resolved; without feature
// columns, as it is when it has faults of its own, names are taken on trust.
void CheckDecisionBoundaryOptions(const DecisionBoundaryOptions& options, const DataConfig& data,
                                  std::vector<FieldViolation>* violations);

// A point of progress is a row of the grid. REQUIRES: the options passed their check.
absl::StatusOr<DecisionBoundaryResult> ComputeDecisionBoundary(
    const AnalysisInput& input, const DecisionBoundaryOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_DECISION_BOUNDARY_H_
