// ComputeLayerStatistics describes weights, activations and gradients layer by layer, over one pass
// of forward and backward through the rows: vanishing and exploding gradients, dead and saturated
// units are seen here. Gradients are of the mean loss over all the rows, as a step of gradient
// descent on all of them would use.
#ifndef TRAINYARD_CORE_ANALYSIS_LAYER_STATISTICS_H_
#define TRAINYARD_CORE_ANALYSIS_LAYER_STATISTICS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/analysis/analysis_input.h"
#include "core/base/error_info.h"
#include "core/nn/number_summary.h"

namespace trainyard {

inline constexpr int64_t kHistogramBinsMax = 200;

// Ranges and defaults: trainyard.v1.LayerStatisticsSpec.
struct LayerStatisticsOptions {
  int64_t bins = 30;
};

struct LayerStatistics {
  std::string name;  // "layers[0]" or "output"
  NumberSummary weights, activations, gradients;
  double gradient_norm = 0;
  double weight_norm = 0;
  double dead_unit_fraction = 0;
  double saturated_fraction = 0;
};

struct LayerStatisticsResult {
  std::vector<LayerStatistics> layers;  // input to output
  int64_t row_count = 0;
};

// Faults with paths "analysis.layer_statistics.…".
void CheckLayerStatisticsOptions(const LayerStatisticsOptions& options,
                                 std::vector<FieldViolation>* violations);

// A point of progress is a batch; activations are gone through twice. REQUIRES: the options passed
// their check.
absl::StatusOr<LayerStatisticsResult> ComputeLayerStatistics(const AnalysisInput& input,
                                                             const LayerStatisticsOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_LAYER_STATISTICS_H_
