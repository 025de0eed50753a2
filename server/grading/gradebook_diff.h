// Two gradebooks compared, and one named by a digest: for previews of a policy or a regrade, for
// what has changed since grades were published, for frozen snapshots.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_GRADEBOOK_DIFF_H_
#define TRAINYARD_SERVER_GRADING_GRADEBOOK_DIFF_H_

#include <optional>
#include <string>
#include <vector>

#include "server/grading/gradebook.h"

namespace trainyard {

// One figure that differs; a side is absent where there was no such student, assignment or exam.
struct GradeChange {
  std::string what;  // "final", "homework", "exams", "so far", "flags", "assignment hw1", "exam e1"
  std::optional<std::string> before;  // "7.49"
  std::optional<std::string> after;
  bool operator==(const GradeChange&) const = default;
};

struct StudentChange {
  std::string student;
  std::string display_name;
  std::optional<int64_t> final_before_hundredths;  // absent: the student was not there
  std::optional<int64_t> final_after_hundredths;
  std::vector<GradeChange> changes;  // at least one
};

// Students with any difference, those of `after` first, in its order, then those that only `before`
// has. What a student's run was chosen for, and other words, are no difference.
std::vector<StudentChange> DiffGradebooks(const Gradebook& before, const Gradebook& after);

// Everything of the rows that is not explanation, one field a line: equal books have equal text on
// every machine. Warnings are not in it.
std::string CanonicalText(const Gradebook& book);
// Sha256Digest (ids.h) of CanonicalText.
std::string GradebookDigest(const Gradebook& book);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_GRADEBOOK_DIFF_H_
