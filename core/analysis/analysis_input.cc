#include "core/analysis/analysis_input.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/train/evaluate.h"

namespace trainyard {
namespace {

const Part& PartOf(const Dataset& dataset, DatasetPart part) {
  if (part == DatasetPart::kValidation) return dataset.validation;
  return part == DatasetPart::kTest ? dataset.test : dataset.train;
}

absl::string_view PartName(DatasetPart part) {
  if (part == DatasetPart::kValidation) return "VALIDATION";
  return part == DatasetPart::kTest ? "TEST" : "TRAIN";
}

absl::Status Unfit(absl::string_view field, std::string what) {
  return MakeViolationsError(ErrorReason::kInvalidRequest, {{std::string(field), std::move(what)}});
}

}  // namespace

absl::StatusOr<AnalysisRows> SelectRows(const AnalysisInput& input) {
  const Part& part = PartOf(input.dataset, input.part);
  if (part.rows() == 0) {
    return Unfit(
        "analysis.part",
        absl::StrCat("is ", PartName(input.part),
                     ", which has no rows in this split: choose another part, or give it a "
                     "fraction in spec.split"));
  }
  const int64_t features = input.weights.empty() ? 0 : input.weights.front().in;
  const int64_t outputs = input.weights.empty() ? 0 : input.weights.back().out;
  if (features != part.features.cols() || outputs != input.dataset.output_count()) {
    return Unfit(
        "analysis.model",
        absl::StrCat("has ", features, " features and ", outputs, " outputs, the dataset has ",
                     part.features.cols(), " and ", input.dataset.output_count(),
                     ": use a dataset with the model's columns and classes"));
  }
  return AnalysisRows{.part = &part, .count = std::min(part.rows(), input.rows_max)};
}

absl::Status CheckNotStopped(const AnalysisInput& input) {
  if (!input.stop.requested()) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kCancelled, "the analysis was stopped",
      {.reason = ErrorReason::kCancelled,
       .hint = "raise max_runtime, or ask for fewer points or rows, if it was not on purpose"});
}

LossTargets TargetsOf(const Part& part, int64_t row, int64_t outputs) {
  return TargetsOf(part).From(row, part.classes.empty() ? outputs : 1);
}

}  // namespace trainyard
