#include "server/worker/analysis_runner.h"

#include <utility>

#include "core/analysis/analysis_input.h"
#include "core/base/status_macros.h"
#include "core/train/stepper.h"
#include "server/wire/analysis_convert.h"
#include "server/wire/convert.h"
#include "server/wire/enum_cast.h"

namespace trainyard {
namespace {

// Events of a whole analysis.
constexpr int64_t kProgressParts = 20;

template <typename Result>
absl::StatusOr<v1::AnalysisResult> ToProto(const absl::StatusOr<Result>& result) {
  TY_RETURN_IF_ERROR(result.status());
  v1::AnalysisResult proto;
  ResultToProto(*result, &proto);
  return proto;
}

// The weights that a training of the config would begin with.
absl::StatusOr<MlpWeights> InitialNetwork(const AnalysisTask& task) {
  TrainConfig config = task.config;
  config.threads = 1;
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Stepper> stepper,
                      Stepper::Create(config, task.dataset));
  return stepper->network().ToWeights();
}

absl::StatusOr<v1::AnalysisResult> FindRate(const AnalysisTask& task,
                                            const ProgressCallback& progress,
                                            const StopFlag& stop) {
  const MlpWeights* const initial = task.network.empty() ? nullptr : &task.network;
  TY_ASSIGN_OR_RETURN(v1::AnalysisResult proto,
                      ToProto(FindLearningRate(task.config, task.dataset, initial,
                                               OptionsFromProto(task.spec.learning_rate_finder()),
                                               progress, stop)));
  proto.set_row_count(task.dataset.train.rows());
  return proto;
}

absl::StatusOr<v1::AnalysisResult> Analyze(const AnalysisInput& input, const AnalysisTask& task) {
  const v1::AnalysisSpec& spec = task.spec;
  switch (spec.kind_case()) {
    case v1::AnalysisSpec::kGradientCheck:
      return ToProto(CheckGradients(input, OptionsFromProto(spec.gradient_check())));
    case v1::AnalysisSpec::kLossLandscape:
      return ToProto(ComputeLossLandscape(input, OptionsFromProto(spec.loss_landscape())));
    case v1::AnalysisSpec::kLossLine:
      return ToProto(ComputeLossLine(input, task.other, OptionsFromProto(spec.loss_line())));
    case v1::AnalysisSpec::kLinearCollapse:
      return ToProto(CollapseLinear(input));
    case v1::AnalysisSpec::kLayerStatistics:
      return ToProto(ComputeLayerStatistics(input, OptionsFromProto(spec.layer_statistics())));
    case v1::AnalysisSpec::kDecisionBoundary:
      return ToProto(ComputeDecisionBoundary(input, OptionsFromProto(spec.decision_boundary())));
    case v1::AnalysisSpec::kHessian:
      return ToProto(ComputeHessianSpectrum(input, OptionsFromProto(spec.hessian())));
    case v1::AnalysisSpec::kLearningRateFinder:  // it trains: see RunAnalysis
    case v1::AnalysisSpec::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the analysis has no kind");
}

}  // namespace

absl::StatusOr<v1::AnalysisResult> RunAnalysis(const AnalysisTask& task,
                                               const ProgressCallback& progress,
                                               const StopFlag& stop) {
  if (task.spec.has_learning_rate_finder()) return FindRate(task, progress, stop);
  MlpWeights drawn;
  if (task.network.empty()) {
    TY_ASSIGN_OR_RETURN(drawn, InitialNetwork(task));
  }
  return Analyze({.config = task.config,
                  .dataset = task.dataset,
                  .weights = task.network.empty() ? drawn : task.network,
                  .part = EnumCast<DatasetPart>(task.spec.part()),
                  .rows_max = task.spec.rows_max(),
                  .progress = progress,
                  .stop = stop},
                 task);
}

void AnalysisReporter::Add(int64_t points_done, int64_t points_total) {
  reporter_->SetProgress(points_done, /*rows_done=*/0);
  const int64_t parts = points_total > 0 ? points_done * kProgressParts / points_total : 0;
  if (parts == parts_done_) return;
  parts_done_ = parts;
  reporter_->Add(AnalysisProgressToProto(points_done, points_total));
}

}  // namespace trainyard
