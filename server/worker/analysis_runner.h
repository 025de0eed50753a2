// RunAnalysis computes what an analysis asks for: the one place that knows which core function
// belongs to which kind of trainyard.v1.AnalysisSpec.
//
//   TY_ASSIGN_OR_RETURN(v1::AnalysisResult result, RunAnalysis(task, progress, stop));
//
// Thread-safety: as Trainer; one thread at a time.
#ifndef TRAINYARD_SERVER_WORKER_ANALYSIS_RUNNER_H_
#define TRAINYARD_SERVER_WORKER_ANALYSIS_RUNNER_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "core/base/stop_flag.h"
#include "core/data/dataset.h"
#include "core/nn/mlp.h"
#include "core/train/train_config.h"
#include "server/worker/reporter.h"
#include "trainyard/v1/analysis.pb.h"
#include "trainyard/v1/analysis_spec.pb.h"

namespace trainyard {

struct AnalysisTask {
  const v1::AnalysisSpec& spec;  // resolved
  const TrainConfig& config;     // resolved
  const Dataset& dataset;
  const MlpWeights& network;  // empty: the initial weights of the config
  const MlpWeights& other;    // of loss_line's other_model, else empty
};

// Called with points done and points in all.
using ProgressCallback = std::function<void(int64_t done, int64_t total)>;

// Errors: CANCELLED when `stop` is requested, for whatever cause (but for the learning-rate finder,
// which gives what it has at a runtime limit); those of the analysis.
absl::StatusOr<v1::AnalysisResult> RunAnalysis(const AnalysisTask& task,
                                               const ProgressCallback& progress,
                                               const StopFlag& stop);

// Progress of an analysis as counters, and as an event at the first point and then each 20th part:
// by points, not by the clock, so that a repeated run gives the same events.
class AnalysisReporter {
 public:
  explicit AnalysisReporter(Reporter* reporter) : reporter_(reporter) {}
  void Add(int64_t points_done, int64_t points_total);

 private:
  Reporter* const reporter_;
  int64_t parts_done_ = -1;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_ANALYSIS_RUNNER_H_
