// What every analysis is given: a network, the rows it is looked at on, and the way to report and
// to be stopped.
//
//   const AnalysisInput input{.config = config, .dataset = dataset, .weights = weights, .stop =
//   stop}; TY_ASSIGN_OR_RETURN(LossLandscapeResult result, ComputeLossLandscape(input, {.resolution
//   = 41}));
//
// Errors that every analysis may have: INVALID_ARGUMENT/INVALID_REQUEST (the part has no rows, the
// weights are those of another network), CANCELLED when the stop flag says so, for whatever cause:
// half an analysis is none. Thread-safety: an analysis runs in the calling thread. Lifetime:
// everything referred to must outlive the call. Determinism: the same input and options give the
// same bits on the same ISA.
#ifndef TRAINYARD_CORE_ANALYSIS_ANALYSIS_INPUT_H_
#define TRAINYARD_CORE_ANALYSIS_ANALYSIS_INPUT_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/stop_flag.h"
#include "core/data/dataset.h"
#include "core/nn/mlp.h"
#include "core/train/train_config.h"

namespace trainyard {

// Numbers equal trainyard.v1.DatasetPart.
enum class DatasetPart : uint8_t { kUnspecified = 0, kTrain = 1, kValidation = 2, kTest = 3 };

inline constexpr int64_t kAnalysisRowsDefault = 10'000;

struct AnalysisInput {
  const TrainConfig& config;  // resolved: its loss, batch size and seed are used
  const Dataset& dataset;     // built from the config
  const MlpWeights& weights;  // θ
  DatasetPart part = DatasetPart::kTrain;
  int64_t rows_max = kAnalysisRowsDefault;  // the first so many rows of the part
  // Called with points done and points in all; may be null.
  std::function<void(int64_t done, int64_t total)> progress;
  const StopFlag& stop;

  void Report(int64_t done, int64_t total) const {
    if (progress) progress(done, total);
  }
};

// The rows of a dataset that an analysis looks at.
struct AnalysisRows {
  const Part* part = nullptr;
  int64_t count = 0;  // the first so many
};

// Errors: INVALID_ARGUMENT when the part is empty or the weights do not fit the dataset.
absl::StatusOr<AnalysisRows> SelectRows(const AnalysisInput& input);

// OK, or CANCELLED.
absl::Status CheckNotStopped(const AnalysisInput& input);

// Targets and weights of the part from `row` on.
LossTargets TargetsOf(const Part& part, int64_t row, int64_t outputs);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_ANALYSIS_INPUT_H_
