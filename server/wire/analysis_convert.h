// Analyses between core's words and the contract's: options one way, results the other.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_ANALYSIS_CONVERT_H_
#define TRAINYARD_SERVER_WIRE_ANALYSIS_CONVERT_H_

#include <vector>

#include "core/analysis/decision_boundary.h"
#include "core/analysis/gradient_check.h"
#include "core/analysis/hessian.h"
#include "core/analysis/layer_statistics.h"
#include "core/analysis/linear_collapse.h"
#include "core/analysis/loss_landscape.h"
#include "core/analysis/loss_line.h"
#include "core/base/error_info.h"
#include "core/train/learning_rate_finder.h"
#include "trainyard/v1/analysis.pb.h"
#include "trainyard/v1/analysis_spec.pb.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {

// `analysis` with every default filled in. All faults go to `violations`, with paths "analysis.…":
// unknown fields and values, no kind, options out of range or that do not go with the spec.
// REQUIRES: `spec` is resolved; it may have faults, which are not reported here. Whether models
// exist and fit is not looked at.
v1::AnalysisSpec ResolveAnalysis(const v1::AnalysisSpec& analysis, const v1::TrainingSpec& spec,
                                 std::vector<FieldViolation>* violations);

// Options of each kind; fields that are absent have core's defaults.
GradientCheckOptions OptionsFromProto(const v1::GradientCheckSpec& spec);
LossLandscapeOptions OptionsFromProto(const v1::LossLandscapeSpec& spec);
LossLineOptions OptionsFromProto(const v1::LossLineSpec& spec);
LayerStatisticsOptions OptionsFromProto(const v1::LayerStatisticsSpec& spec);
DecisionBoundaryOptions OptionsFromProto(const v1::DecisionBoundarySpec& spec);
HessianOptions OptionsFromProto(const v1::HessianSpec& spec);
LearningRateFinderOptions OptionsFromProto(const v1::LearningRateFinderSpec& spec);

// Each sets the kind of its own, and row_count where the result has one.
void ResultToProto(const GradientCheckResult& result, v1::AnalysisResult* proto);
void ResultToProto(const LossLandscapeResult& result, v1::AnalysisResult* proto);
void ResultToProto(const LossLineResult& result, v1::AnalysisResult* proto);
void ResultToProto(const LinearCollapseResult& result, v1::AnalysisResult* proto);
void ResultToProto(const LayerStatisticsResult& result, v1::AnalysisResult* proto);
void ResultToProto(const DecisionBoundaryResult& result, v1::AnalysisResult* proto);
void ResultToProto(const HessianResult& result, v1::AnalysisResult* proto);
void ResultToProto(const LearningRateFinderResult& result, v1::AnalysisResult* proto);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_ANALYSIS_CONVERT_H_
