#include "server/services/request_checks.h"

#include <cctype>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/limits.h"

namespace trainyard {
namespace {

constexpr absl::string_view kUuidForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

bool IsUuid(absl::string_view text) {
  if (text.size() != kUuidForm.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool fits = kUuidForm[i] == '-' ? text[i] == '-'
                                          : std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
    if (!fits) return false;
  }
  return true;
}

}  // namespace

void CheckDisplayName(absl::string_view field, absl::string_view name,
                      std::vector<FieldViolation>* violations) {
  if (static_cast<int64_t>(name.size()) <= limits::kDisplayNameBytesMax) return;
  violations->push_back(
      {std::string(field), absl::StrCat("has ", name.size(), " bytes; shorten it to at most ",
                                        limits::kDisplayNameBytesMax)});
}

void CheckRequestId(absl::string_view request_id, std::vector<FieldViolation>* violations) {
  if (request_id.empty() || IsUuid(request_id)) return;
  violations->push_back(
      {"request_id", absl::StrCat("\"", request_id.substr(0, 50), "\" is no UUID (", kUuidForm,
                                  "); make a new one for each new request")});
}

absl::Status InvalidRequest(std::vector<FieldViolation> violations) {
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

absl::Status InvalidRequest(absl::string_view field, absl::string_view description) {
  return InvalidRequest({{std::string(field), std::string(description)}});
}

absl::Status CheckChunk(absl::string_view data) {
  if (static_cast<int64_t>(data.size()) <= limits::kChunkBytesMax) return absl::OkStatus();
  return InvalidRequest("data", absl::StrCat("has ", data.size(), " bytes; send at most ",
                                             limits::kChunkBytesMax, " in one message"));
}

absl::Status CheckReady(const v1::Dataset& dataset) {
  if (dataset.sealed()) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat(dataset.name(), " is sealed"),
                     {.reason = ErrorReason::kInvalidState,
                      .hint = "only the grading of submissions uses it",
                      .metadata = {{"resource", dataset.name()}}});
  }
  if (dataset.state() == v1::Dataset::READY) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(dataset.name(), " is still being uploaded"),
      {.reason = ErrorReason::kInvalidState,
       .hint = "upload the rest and finalize it first",
       .in_force = absl::StrCat("state UPLOADING, ", dataset.size_bytes(), " bytes so far"),
       .metadata = {{"resource", dataset.name()}}});
}

absl::Status CheckNotGraded(absl::string_view name, const v1::TrainingJob& job) {
  if (job.submission().empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(name, " is of ", job.submission()),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "what its points come from stays; cancel the submission to end it"});
}

v1::Dataset VisibleOf(v1::Dataset dataset) {
  if (!dataset.sealed()) return dataset;
  v1::Dataset visible;
  visible.set_name(dataset.name());
  visible.set_display_name(dataset.display_name());
  visible.set_state(dataset.state());
  visible.set_owner(dataset.owner());
  *visible.mutable_create_time() = dataset.create_time();
  *visible.mutable_finalize_time() = dataset.finalize_time();
  visible.set_sealed(true);
  for (const v1::Column& column : dataset.columns()) {
    v1::Column& shown = *visible.add_columns();
    shown.set_name(column.name());
    shown.set_type(column.type());
    shown.set_kind(column.kind());
  }
  return visible;
}

}  // namespace trainyard
