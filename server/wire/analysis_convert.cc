#include "server/wire/analysis_convert.h"

#include "absl/strings/str_cat.h"
#include "server/wire/convert.h"
#include "server/wire/field_table.h"
#include "server/wire/unknown_fields.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr Field<GradientCheckOptions> kGradientCheckFields[] = {
    {"parameters_per_tensor", &GradientCheckOptions::parameters_per_tensor},
    {"epsilon", &GradientCheckOptions::epsilon},
    {"tolerance", &GradientCheckOptions::tolerance},
    {"batch_size", &GradientCheckOptions::batch_size},
};

constexpr Field<LossLandscapeOptions> kLossLandscapeFields[] = {
    {"resolution", &LossLandscapeOptions::resolution},
    {"range", &LossLandscapeOptions::range},
    {"seed", &LossLandscapeOptions::seed},
};

constexpr Field<LossLineOptions> kLossLineFields[] = {
    {"points", &LossLineOptions::points},
    {"from", &LossLineOptions::from},
    {"to", &LossLineOptions::to},
};

constexpr Field<LayerStatisticsOptions> kLayerStatisticsFields[] = {
    {"bins", &LayerStatisticsOptions::bins},
};

constexpr Field<DecisionBoundaryOptions> kDecisionBoundaryFields[] = {
    {"x_feature", &DecisionBoundaryOptions::x_feature},
    {"y_feature", &DecisionBoundaryOptions::y_feature},
    {"resolution", &DecisionBoundaryOptions::resolution},
    {"rows_shown", &DecisionBoundaryOptions::rows_shown},
};

constexpr Field<HessianOptions> kHessianFields[] = {
    {"iterations_max", &HessianOptions::iterations_max},
    {"tolerance", &HessianOptions::tolerance},
    {"seed", &HessianOptions::seed},
};

constexpr Field<LearningRateFinderOptions> kLearningRateFinderFields[] = {
    {"start", &LearningRateFinderOptions::start},
    {"end", &LearningRateFinderOptions::end},
    {"steps", &LearningRateFinderOptions::steps},
};

template <typename Numbers, typename Repeated>
void Copy(const Numbers& numbers, Repeated* repeated) {
  repeated->Assign(numbers.begin(), numbers.end());
}

void SummaryToProto(const NumberSummary& summary, v1::LayerStatisticsResult::Summary* proto) {
  proto->set_mean(summary.mean);
  proto->set_standard_deviation(summary.standard_deviation);
  proto->set_min(summary.min);
  proto->set_max(summary.max);
  proto->set_zero_fraction(summary.zero_fraction);
  Copy(summary.histogram, proto->mutable_histogram());
}

// The learning-rate finder trains: on the training rows, in batches.
void CheckChoosesNoRows(const v1::AnalysisSpec& analysis, Violations* violations) {
  constexpr absl::string_view kWhy =
      "is given with learning_rate_finder, which trains on all training rows: leave it out, or set "
      "split and batch_size in the spec";
  if (analysis.part() != v1::DATASET_PART_UNSPECIFIED) {
    violations->push_back({"analysis.part", std::string(kWhy)});
  }
  if (analysis.has_rows_max()) violations->push_back({"analysis.rows_max", std::string(kWhy)});
}

void ResolveRows(v1::AnalysisSpec* analysis, Violations* violations) {
  if (analysis->has_learning_rate_finder()) return CheckChoosesNoRows(*analysis, violations);
  if (analysis->part() == v1::DATASET_PART_UNSPECIFIED) {
    analysis->set_part(v1::DATASET_PART_TRAIN);
  }
  if (!analysis->has_rows_max()) analysis->set_rows_max(kAnalysisRowsDefault);
  if (analysis->rows_max() >= 1) return;
  violations->push_back(
      {"analysis.rows_max", absl::StrCat("is ", analysis->rows_max(), "; give 1 or more")});
}

// Writes core's defaults into `spec`, and returns what was checked.
template <typename Options, typename Spec, size_t kCount>
Options Resolve(const Field<Options> (&fields)[kCount], Spec* spec) {
  const Options options = OptionsFromProto(*spec);
  WriteFields<Options>(options, fields, spec);
  return options;
}

void ResolveKind(const TrainConfig& config, v1::AnalysisSpec* analysis, Violations* violations) {
  switch (analysis->kind_case()) {
    case v1::AnalysisSpec::kGradientCheck:
      return CheckGradientCheckOptions(
          Resolve(kGradientCheckFields, analysis->mutable_gradient_check()), violations);
    case v1::AnalysisSpec::kLossLandscape:
      return CheckLossLandscapeOptions(
          Resolve(kLossLandscapeFields, analysis->mutable_loss_landscape()), violations);
    case v1::AnalysisSpec::kLossLine:
      return CheckLossLineOptions(Resolve(kLossLineFields, analysis->mutable_loss_line()),
                                  violations);
    case v1::AnalysisSpec::kLinearCollapse:
      return;
    case v1::AnalysisSpec::kLayerStatistics:
      return CheckLayerStatisticsOptions(
          Resolve(kLayerStatisticsFields, analysis->mutable_layer_statistics()), violations);
    case v1::AnalysisSpec::kDecisionBoundary:
      return CheckDecisionBoundaryOptions(
          Resolve(kDecisionBoundaryFields, analysis->mutable_decision_boundary()), config.data,
          violations);
    case v1::AnalysisSpec::kHessian:
      return CheckHessianOptions(Resolve(kHessianFields, analysis->mutable_hessian()), violations);
    case v1::AnalysisSpec::kLearningRateFinder:
      return CheckLearningRateFinderOptions(
          Resolve(kLearningRateFinderFields, analysis->mutable_learning_rate_finder()), config,
          violations);
    case v1::AnalysisSpec::KIND_NOT_SET:
      violations->push_back({"analysis", "has no kind; say what to compute, e.g. loss_landscape"});
  }
}

}  // namespace

v1::AnalysisSpec ResolveAnalysis(const v1::AnalysisSpec& analysis, const v1::TrainingSpec& spec,
                                 Violations* violations) {
  AddUnknowns(analysis, "analysis", violations);
  Violations ignored;  // the spec is checked when it is resolved
  const TrainConfig config = TrainConfigFromProto(spec, &ignored);
  v1::AnalysisSpec resolved = analysis;
  ResolveRows(&resolved, violations);
  ResolveKind(config, &resolved, violations);
  return resolved;
}

GradientCheckOptions OptionsFromProto(const v1::GradientCheckSpec& spec) {
  GradientCheckOptions options;
  ReadFields<GradientCheckOptions>(spec, kGradientCheckFields, &options);
  return options;
}

LossLandscapeOptions OptionsFromProto(const v1::LossLandscapeSpec& spec) {
  LossLandscapeOptions options;
  ReadFields<LossLandscapeOptions>(spec, kLossLandscapeFields, &options);
  return options;
}

LossLineOptions OptionsFromProto(const v1::LossLineSpec& spec) {
  LossLineOptions options;
  ReadFields<LossLineOptions>(spec, kLossLineFields, &options);
  return options;
}

LayerStatisticsOptions OptionsFromProto(const v1::LayerStatisticsSpec& spec) {
  LayerStatisticsOptions options;
  ReadFields<LayerStatisticsOptions>(spec, kLayerStatisticsFields, &options);
  return options;
}

DecisionBoundaryOptions OptionsFromProto(const v1::DecisionBoundarySpec& spec) {
  DecisionBoundaryOptions options;
  ReadFields<DecisionBoundaryOptions>(spec, kDecisionBoundaryFields, &options);
  return options;
}

HessianOptions OptionsFromProto(const v1::HessianSpec& spec) {
  HessianOptions options;
  ReadFields<HessianOptions>(spec, kHessianFields, &options);
  return options;
}

LearningRateFinderOptions OptionsFromProto(const v1::LearningRateFinderSpec& spec) {
  LearningRateFinderOptions options;
  ReadFields<LearningRateFinderOptions>(spec, kLearningRateFinderFields, &options);
  return options;
}

void ResultToProto(const GradientCheckResult& result, v1::AnalysisResult* proto) {
  proto->set_row_count(result.row_count);
  v1::GradientCheckResult& check = *proto->mutable_gradient_check();
  check.set_passed(result.passed);
  for (const GradientCheckResult::Tensor& tensor : result.tensors) {
    v1::GradientCheckResult::Tensor& out = *check.add_tensors();
    out.set_name(tensor.name);
    out.set_checked_count(tensor.checked_count);
    out.set_failed_count(tensor.failed_count);
    out.set_error_max(tensor.error_max);
    out.set_worst_index(tensor.worst_index);
    out.set_worst_analytic(tensor.worst_analytic);
    out.set_worst_numeric(tensor.worst_numeric);
  }
}

void ResultToProto(const LossLandscapeResult& result, v1::AnalysisResult* proto) {
  proto->set_row_count(result.row_count);
  v1::LossLandscapeResult& landscape = *proto->mutable_loss_landscape();
  Copy(result.axis, landscape.mutable_axis());
  Copy(result.losses, landscape.mutable_losses());
  landscape.set_centre(result.centre);
}

void ResultToProto(const LossLineResult& result, v1::AnalysisResult* proto) {
  proto->set_row_count(result.row_count);
  v1::LossLineResult& line = *proto->mutable_loss_line();
  Copy(result.axis, line.mutable_axis());
  Copy(result.losses, line.mutable_losses());
  line.set_barrier(result.barrier);
}

void ResultToProto(const LinearCollapseResult& result, v1::AnalysisResult* proto) {
  proto->set_row_count(result.row_count);
  v1::LinearCollapseResult& collapse = *proto->mutable_linear_collapse();
  collapse.set_linear(result.linear);
  collapse.set_reason(result.reason);
  Copy(result.weights, collapse.mutable_weights());
  Copy(result.biases, collapse.mutable_biases());
  collapse.set_difference_max(result.difference_max);
  collapse.set_parameter_count(result.parameter_count);
  collapse.set_collapsed_parameter_count(result.collapsed_parameter_count);
}

void ResultToProto(const LayerStatisticsResult& result, v1::AnalysisResult* proto) {
  proto->set_row_count(result.row_count);
  for (const LayerStatistics& layer : result.layers) {
    v1::LayerStatisticsResult::Layer& out = *proto->mutable_layer_statistics()->add_layers();
    out.set_name(layer.name);
    SummaryToProto(layer.weights, out.mutable_weights());
    SummaryToProto(layer.activations, out.mutable_activations());
    SummaryToProto(layer.gradients, out.mutable_gradients());
    out.set_gradient_norm(layer.gradient_norm);
    out.set_weight_norm(layer.weight_norm);
    out.set_dead_unit_fraction(layer.dead_unit_fraction);
    out.set_saturated_fraction(layer.saturated_fraction);
  }
}

void ResultToProto(const DecisionBoundaryResult& result, v1::AnalysisResult* proto) {
  proto->set_row_count(result.row_count);
  v1::DecisionBoundaryResult& boundary = *proto->mutable_decision_boundary();
  Copy(result.x_axis, boundary.mutable_x_axis());
  Copy(result.y_axis, boundary.mutable_y_axis());
  Copy(result.values, boundary.mutable_values());
  Copy(result.class_indices, boundary.mutable_class_indices());
  Copy(result.classes, boundary.mutable_classes());
  for (const DecisionBoundaryResult::Point& point : result.points) {
    v1::DecisionBoundaryResult::Point& out = *boundary.add_points();
    out.set_x(point.x);
    out.set_y(point.y);
    out.set_class_index(point.class_index);
    out.set_value(point.value);
  }
}

void ResultToProto(const HessianResult& result, v1::AnalysisResult* proto) {
  proto->set_row_count(result.row_count);
  v1::HessianResult& hessian = *proto->mutable_hessian();
  hessian.set_eigenvalue_max(result.eigenvalue_max);
  hessian.set_eigenvalue_min(result.eigenvalue_min);
  hessian.set_iterations(static_cast<int32_t>(result.iterations));
  hessian.set_converged(result.converged);
  hessian.set_residual(result.residual);
  hessian.set_gradient_norm(result.gradient_norm);
}

void ResultToProto(const LearningRateFinderResult& result, v1::AnalysisResult* proto) {
  v1::LearningRateFinderResult& finder = *proto->mutable_learning_rate_finder();
  Copy(result.learning_rates, finder.mutable_learning_rates());
  Copy(result.losses, finder.mutable_losses());
  Copy(result.smoothed_losses, finder.mutable_smoothed_losses());
  finder.set_suggestion(result.suggestion);
  finder.set_diverged(result.diverged);
}

}  // namespace trainyard
