#include "server/worker/analysis_runner.h"

#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/train/learning_rate_finder.h"
#include "server/wire/analysis_convert.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

using Progress = std::function<void(int64_t done, int64_t total)>;

// Events of a whole analysis.
constexpr int64_t kProgressParts = 20;

absl::StatusOr<v1::AnalysisResult> RunLearningRateFinder(const AnalysisTask& task,
                                                         const Progress& progress,
                                                         const StopFlag& stop) {
  const MlpWeights* const initial = task.network.empty() ? nullptr : &task.network;
  TY_ASSIGN_OR_RETURN(
      const LearningRateFinderResult result,
      FindLearningRate(task.config, task.dataset, initial,
                       OptionsFromProto(task.spec.learning_rate_finder()), progress, stop));
  v1::AnalysisResult proto;
  ResultToProto(result, &proto);
  proto.set_row_count(task.dataset.train.rows());
  return proto;
}

}  // namespace

absl::StatusOr<v1::AnalysisResult> RunAnalysis(const AnalysisTask& task, const Progress& progress,
                                               const StopFlag& stop) {
  switch (task.spec.kind_case()) {
    case v1::AnalysisSpec::kLearningRateFinder:
      return RunLearningRateFinder(task, progress, stop);
    default:
      break;
  }
  return MakeError(absl::StatusCode::kInvalidArgument,
                   "the analysis is of a kind that this worker cannot compute",
                   {.reason = ErrorReason::kInvalidSpec,
                    .hint = "install trainyard-server and trainyard-worker of one build"});
}

void AnalysisReporter::Add(int64_t points_done, int64_t points_total) {
  reporter_->SetProgress(points_done, /*rows_done=*/0);
  const int64_t parts = points_total > 0 ? points_done * kProgressParts / points_total : 0;
  if (parts == parts_done_) return;
  parts_done_ = parts;
  reporter_->Add(AnalysisProgressToProto(points_done, points_total));
}

}  // namespace trainyard
