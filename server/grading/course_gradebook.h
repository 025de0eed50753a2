// The gradebook of a course: its events' facts as gradebook.h wants them, and grades as the contract tells them.
//
//   TY_ASSIGN_OR_RETURN(const CourseBook book, BookOf(state, policy, {.as_of = state.last_time}));
//
// Thread-safety: pure functions. Errors: those of ComputeGradebook.
#ifndef TRAINYARD_SERVER_GRADING_COURSE_GRADEBOOK_H_
#define TRAINYARD_SERVER_GRADING_COURSE_GRADEBOOK_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "server/grading/course_state.h"
#include "server/grading/gradebook.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/grades.pb.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

struct BookOptions {
  absl::Time as_of;            // what has expired by then does not count
  bool released_only = false;  // as students may see it: what was not told to them does not count
  std::string student;         // one row only; empty: all. What others have changes no row.
};

// Without retired assignments, and what was submitted to them or decided about them; a sanction on
// one keeps what it does to the whole course.
GradebookInput InputOf(const CourseState& state, const BookOptions& options);
// `policy` is resolved.
absl::StatusOr<Gradebook> BookOf(const CourseState& state, const v1::GradingPolicy& policy,
                                 const BookOptions& options);
// The policy in force, or `version`; nullptr: there is none.
const v1::PolicyVersion* FindPolicy(const CourseState& state, int version);

v1::GradeRow RowToProto(const StudentGrade& row, bool explain);
// Students whose grades differ.
google::protobuf::RepeatedPtrField<v1::GradeChange> ChangesToProto(const Gradebook& before,
                                                                   const Gradebook& after);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_COURSE_GRADEBOOK_H_
