#include "server/grading/course_names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr size_t kIdBytesMax = 63;
constexpr size_t kShownBytesMax = 100;

bool IsIdCharacter(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; }

// The ids of `name`, which alternates with `collections`.
absl::StatusOr<std::vector<std::string>> ParseIds(
    absl::string_view field, absl::string_view name,
    const std::vector<absl::string_view>& collections) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  std::vector<std::string> ids;
  std::string expected;
  bool valid = parts.size() == 2 * collections.size();
  for (size_t i = 0; i < collections.size(); ++i) {
    absl::StrAppend(&expected, i == 0 ? "" : "/", collections[i], "/{id}");
    valid = valid && parts[2 * i] == collections[i] && IsId(parts[2 * i + 1]);
    if (valid) ids.emplace_back(parts[2 * i + 1]);
  }
  if (valid) return ids;
  return MakeViolationsError(
      ErrorReason::kInvalidRequest,
      {{std::string(field),
        absl::StrCat("\"", name.substr(0, kShownBytesMax), "\" is no resource name; expected ",
                     expected, " with ids of 1 to ", kIdBytesMax,
                     " characters of a-z, 0-9 and -")}});
}

}  // namespace

bool IsId(absl::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && id.front() != '-' &&
         std::all_of(id.begin(), id.end(), IsIdCharacter);
}

void CheckId(absl::string_view field, absl::string_view id,
             std::vector<FieldViolation>* violations) {
  if (IsId(id)) return;
  violations->push_back(
      {std::string(field),
       absl::StrCat("\"", id.substr(0, kShownBytesMax), "\" is no id; give 1 to ", kIdBytesMax,
                    " characters of a-z, 0-9 and -, a letter or digit first")});
}

std::string CourseName(absl::string_view course) { return absl::StrCat("courses/", course); }

std::string SnapshotName(absl::string_view course, int number) {
  return absl::StrCat("courses/", course, "/snapshots/", number);
}

std::string AssignmentName::Course() const { return CourseName(course); }

std::string AssignmentName::ToString() const {
  return absl::StrCat("courses/", course, "/assignments/", assignment);
}

std::string SubmissionName::ToString() const {
  return absl::StrCat(parent.ToString(), "/submissions/", submission);
}

std::string RegradeName::ToString() const {
  return absl::StrCat(parent.ToString(), "/regrades/", regrade);
}

absl::StatusOr<std::string> ParseCourseName(absl::string_view field, absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> ids, ParseIds(field, name, {"courses"}));
  return ids[0];
}

absl::StatusOr<AssignmentName> ParseAssignmentName(absl::string_view field,
                                                   absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                      ParseIds(field, name, {"courses", "assignments"}));
  return AssignmentName{ids[0], ids[1]};
}

absl::StatusOr<SubmissionName> ParseSubmissionName(absl::string_view field,
                                                   absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                      ParseIds(field, name, {"courses", "assignments", "submissions"}));
  return SubmissionName{{ids[0], ids[1]}, ids[2]};
}

absl::StatusOr<RegradeName> ParseRegradeName(absl::string_view field, absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                      ParseIds(field, name, {"courses", "assignments", "regrades"}));
  return RegradeName{{ids[0], ids[1]}, ids[2]};
}

absl::Status NoSuch(absl::string_view name, absl::string_view hint) {
  return MakeError(absl::StatusCode::kNotFound, absl::StrCat(name, " does not exist"),
                   {.reason = ErrorReason::kNotFound,
                    .hint = std::string(hint),
                    .metadata = {{"resource", std::string(name)}}});
}

}  // namespace trainyard
