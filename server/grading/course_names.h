// Names of what a course has: `courses/{c}`, `courses/{c}/assignments/{a}`, `…/submissions/{s}`, `…/regrades/{r}`, and
// `courses/{c}/snapshots/{number}`. Ids as in server/wire/names.h.
//
// Thread-safety: pure functions. Errors: INVALID_ARGUMENT/INVALID_REQUEST with the field and what was expected.
#ifndef TRAINYARD_SERVER_GRADING_COURSE_NAMES_H_
#define TRAINYARD_SERVER_GRADING_COURSE_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"

namespace trainyard {

// Whether `id` is 1 to 63 characters of a-z, 0-9 and -, the first a letter or digit.
bool IsId(absl::string_view id);
// A violation of `field` unless IsId.
void CheckId(absl::string_view field, absl::string_view id,
             std::vector<FieldViolation>* violations);

struct AssignmentName {
  std::string course, assignment;  // ids

  std::string Course() const;  // courses/{c}
  std::string ToString() const;
};

struct SubmissionName {
  AssignmentName parent;
  std::string submission;  // id

  std::string ToString() const;
};

struct RegradeName {
  AssignmentName parent;
  std::string regrade;  // id

  std::string ToString() const;
};

std::string CourseName(absl::string_view course);
std::string SnapshotName(absl::string_view course, int number);

// The id of `courses/{c}`.
absl::StatusOr<std::string> ParseCourseName(absl::string_view field, absl::string_view name);
absl::StatusOr<AssignmentName> ParseAssignmentName(absl::string_view field, absl::string_view name);
absl::StatusOr<SubmissionName> ParseSubmissionName(absl::string_view field, absl::string_view name);
absl::StatusOr<RegradeName> ParseRegradeName(absl::string_view field, absl::string_view name);

// What a course has not. Who may not see the course is told PERMISSION before.
absl::Status NoSuch(absl::string_view name, absl::string_view hint);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_COURSE_NAMES_H_
