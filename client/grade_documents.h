// The files and lines that other graders want of `trainyard grade`, on every way out: Gradescope
// takes a missing file for a fault of the course.
//
// Thread-safety: none; writes files.
// Errors: usage errors (exit_code.h) that name the file.
#ifndef TRAINYARD_CLIENT_GRADE_DOCUMENTS_H_
#define TRAINYARD_CLIENT_GRADE_DOCUMENTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

// Paths; those that are empty are not written.
struct GradeDocuments {
  std::string junit;
  std::string gradescope;
  std::string reporter;       // of autograding-grading-reporter
  std::string classroom50;    // result.json
  bool github = false;        // notices on stdout; outputs go to
  std::string github_output;  // a file that is appended to
};

// Writes what `submission`, or why there is none, means to each of them. `metric` and `assignment`
// (a name) are those that were asked for. One that cannot be written does not keep the others from
// being so; the first such error is returned.
absl::Status WriteGradeDocuments(const GradeDocuments& documents,
                                 const absl::StatusOr<v1::Submission>& submission,
                                 v1::ScoreMetric metric, const std::string& assignment);

// What --github prints; empty without it.
std::string GithubLines(const GradeDocuments& documents,
                        const absl::StatusOr<v1::Submission>& submission);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_GRADE_DOCUMENTS_H_
