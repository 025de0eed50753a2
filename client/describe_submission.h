// Submissions, where students stand, leaderboards and regrades as text for people; with -o json the
// messages themselves are printed instead (screen.h).
//
// Points are shown only where they are released: of a withheld result nothing is said, even if the
// message has it, as it has for staff.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_DESCRIBE_SUBMISSION_H_
#define TRAINYARD_CLIENT_DESCRIBE_SUBMISSION_H_

#include <string>

#include "trainyard/v1/submission.pb.h"

namespace trainyard {

bool IsTerminal(v1::SubmissionState state);
std::string StateWord(v1::SubmissionState state);  // "EVALUATING"
std::string MetricWord(v1::ScoreMetric metric);    // "accuracy"; "score" when nobody said which

// "position 3" while it is QUEUED; nothing later.
std::string PositionText(const v1::Submission& submission);
// One line without its end: state, position and ETA while it waits, epochs while it is trained.
std::string SubmissionLine(const v1::Submission& submission);

// Several lines each, ending with a line end.
std::string DescribeSubmission(const v1::Submission& submission);
std::string DescribeSubmissions(const v1::ListSubmissionsResponse& list);
// What was accepted when, with the attempts that are left; a null `standing` is not known.
std::string DescribeAccepted(const v1::Submission& submission, const v1::Standing* standing);
// What it came to, in short: state, scores, criteria, or why there are none.
std::string DescribeGraded(const v1::Submission& submission);
// With validate_only: what would be trained, and what it takes.
std::string DescribeChecked(const v1::Submission& submission);
std::string DescribeStanding(const v1::Standing& standing);
std::string DescribeLeaderboard(const v1::Leaderboard& board);
std::string DescribeIntegrity(const v1::IntegrityReport& report);
// Per submission: before, after, whether the bits are the same; then what it does to final grades.
std::string DescribeRegrade(const v1::Regrade& regrade);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_DESCRIBE_SUBMISSION_H_
