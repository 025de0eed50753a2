// The gradebook of a course as the exporters take it.
//
// Thread-safety: a pure function. Errors: those of ExportGradebook.
#ifndef TRAINYARD_SERVER_SERVICES_GRADEBOOK_FILES_H_
#define TRAINYARD_SERVER_SERVICES_GRADEBOOK_FILES_H_

#include "absl/status/statusor.h"
#include "server/grading/course_state.h"
#include "server/grading/gradebook.h"
#include "trainyard/v1/grades.pb.h"

namespace trainyard {

// `book` was computed from `state`, by `policy`, which says what a request without a format gets.
// A file of that format starts with a byte order mark, and has students without a name, as the
// policy says; other formats are as their importers want them.
absl::StatusOr<v1::ExportGradebookResponse> WriteGradebookFile(
    const v1::ExportGradebookRequest& request, const CourseState& state,
    const v1::PolicyVersion& policy, const Gradebook& book);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_GRADEBOOK_FILES_H_
