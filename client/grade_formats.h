// A submission's outcome as the documents that other graders and CI systems read: Gradescope,
// JUnit, GitHub Actions, autograding-grading-reporter, Classroom 50.
//
//   TY_RETURN_IF_ERROR(target->Append(JUnitXml(submission)));
//
// Only what was released is said: of a withheld result nothing is, even if the message has it, as
// it has for staff. Of sealed data there is at most SubmissionResult.score.
//
// Points are integers, of criteria too. A submission without a released result (withheld,
// ungradable, failed, cancelled, not finished) has 0 points in formats that need some, and says
// why.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_GRADE_FORMATS_H_
#define TRAINYARD_CLIENT_GRADE_FORMATS_H_

#include <string>

#include "absl/status/status.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

// Gradescope's results.json: the points as the score, one test per criterion, the public score and
// the work on the leaderboard.
std::string GradescopeJson(const v1::Submission& submission, v1::ScoreMetric metric);
// The same when there is no submission to speak of: 0 points, and the error's message.
// REQUIRES: !error.ok().
std::string GradescopeJson(const absl::Status& error);

// JUnit XML: a test case per criterion. Not passed → failure; points withheld, or no result yet →
// skipped; a fault of the service → error. Points stand in the properties.
std::string JUnitXml(const v1::Submission& submission);
// `assignment` names the suite. REQUIRES: !error.ok().
std::string JUnitXml(const absl::Status& error, const std::string& assignment);

// Lines for the log of a GitHub job: with a released result exactly the two notices that graders
// look for ("Autograding complete" and "Autograding report"), else one notice, or error, that says
// why not. Not to be printed between ::stop-commands:: lines.
std::string GithubNotices(const v1::Submission& submission);
// REQUIRES: !error.ok().
std::string GithubNotices(const absl::Status& error);
// Lines for the file that $GITHUB_OUTPUT names: points, max-points, receipt; points are empty
// without a released result. No "Points" as the old action had: GitHub does not tell it from
// "points".
std::string GithubOutputs(const v1::Submission& submission);

// The runner result of autograding-grading-reporter, base64. Each entry is all or nothing, because
// the reporter shows an entry's maximum for every one that passed: a criterion that gave a part of
// its points is two.
std::string ReporterResult(const v1::Submission& submission);

// Classroom 50's result.json.
std::string Classroom50Json(const v1::Submission& submission);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_GRADE_FORMATS_H_
