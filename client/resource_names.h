// Names of what belongs to a course, short as people type them: `dl` for courses/dl, `dl/hw1` for
// courses/dl/assignments/hw1, `dl/hw1/s7` for a submission of it. What begins with `courses/`, or
// has another number of parts, stays as it is: the server says what it expected.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_RESOURCE_NAMES_H_
#define TRAINYARD_CLIENT_RESOURCE_NAMES_H_

#include <string>

#include "absl/strings/string_view.h"

namespace trainyard {

std::string CourseName(absl::string_view text);
std::string AssignmentName(absl::string_view text);
std::string SubmissionName(absl::string_view text);
std::string RegradeName(absl::string_view text);
std::string SnapshotName(absl::string_view text);

// The way back, for tables: `dl/hw1/s7`. Anything else stays as it is.
std::string ShortName(absl::string_view name);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_RESOURCE_NAMES_H_
