#include "server/wire/analysis_convert.h"

#include "absl/strings/str_cat.h"
#include "server/wire/convert.h"
#include "server/wire/field_table.h"
#include "server/wire/unknown_fields.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr int64_t kRowsMaxDefault = 10'000;

constexpr Field<LearningRateFinderOptions> kFinderFields[] = {
    {"start", &LearningRateFinderOptions::start},
    {"end", &LearningRateFinderOptions::end},
    {"steps", &LearningRateFinderOptions::steps},
};

void ResolveCommon(v1::AnalysisSpec* analysis, Violations* violations) {
  if (analysis->part() == v1::DATASET_PART_UNSPECIFIED) {
    analysis->set_part(v1::DATASET_PART_TRAIN);
  }
  if (!analysis->has_rows_max()) analysis->set_rows_max(kRowsMaxDefault);
  if (analysis->rows_max() >= 1) return;
  violations->push_back(
      {"analysis.rows_max", absl::StrCat("is ", analysis->rows_max(), "; give 1 or more")});
}

}  // namespace

v1::AnalysisSpec ResolveAnalysis(const v1::AnalysisSpec& analysis, const v1::TrainingSpec& spec,
                                 Violations* violations) {
  AddUnknowns(analysis, "analysis", violations);
  v1::AnalysisSpec resolved = analysis;
  ResolveCommon(&resolved, violations);
  std::vector<FieldViolation> ignored;  // the spec was checked when it was resolved
  const TrainConfig config = TrainConfigFromProto(spec, &ignored);
  switch (analysis.kind_case()) {
    case v1::AnalysisSpec::kLearningRateFinder: {
      const LearningRateFinderOptions options = OptionsFromProto(analysis.learning_rate_finder());
      CheckLearningRateFinderOptions(options, config, violations);
      WriteFields<LearningRateFinderOptions>(options, kFinderFields,
                                             resolved.mutable_learning_rate_finder());
      return resolved;
    }
    case v1::AnalysisSpec::KIND_NOT_SET:
      violations->push_back({"analysis", "has no kind; say what to compute, e.g. loss_landscape"});
      return resolved;
    default:
      violations->push_back({"analysis", "is of a kind that this server cannot compute"});
      return resolved;
  }
}

LearningRateFinderOptions OptionsFromProto(const v1::LearningRateFinderSpec& spec) {
  LearningRateFinderOptions options;
  ReadFields<LearningRateFinderOptions>(spec, kFinderFields, &options);
  return options;
}

void ResultToProto(const LearningRateFinderResult& result, v1::AnalysisResult* proto) {
  v1::LearningRateFinderResult& finder = *proto->mutable_learning_rate_finder();
  *finder.mutable_learning_rates() = {result.learning_rates.begin(), result.learning_rates.end()};
  *finder.mutable_losses() = {result.losses.begin(), result.losses.end()};
  *finder.mutable_smoothed_losses() = {result.smoothed_losses.begin(),
                                       result.smoothed_losses.end()};
  finder.set_suggestion(result.suggestion);
  finder.set_diverged(result.diverged);
}

}  // namespace trainyard
