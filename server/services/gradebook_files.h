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

// `book` was computed from `state`, by the policy of `policy_version`.
absl::StatusOr<v1::ExportGradebookResponse> WriteGradebookFile(
    const v1::ExportGradebookRequest& request, const CourseState& state, int policy_version,
    const Gradebook& book);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_GRADEBOOK_FILES_H_
