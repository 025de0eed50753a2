// What a graded submission comes to for a script: a line, an exit code, and why there are no
// points.
//
// Only what is released counts. Where nothing can be compared the answer is no.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_GRADE_OUTCOME_H_
#define TRAINYARD_CLIENT_GRADE_OUTCOME_H_

#include <optional>
#include <string>

#include "client/exit_code.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

// Whether its points may be told: DONE, with a result that is not withheld.
bool IsReleased(const v1::Submission& submission);

// `Points 86/100` with a line end, as the course's hook reads it; empty unless IsReleased().
std::string PointsLine(const v1::Submission& submission);

// Whether the released score, else what the Ladder reported of the public data, is at least as good
// as `at_least`: not below it, for an error (RMSE, MAE) not above it. False without any score.
// `metric` is the assignment's, for a public score.
bool Reaches(const v1::Submission& submission, double at_least, v1::ScoreMetric metric);

// kOk: graded, and with `at_least` it is reached. kRefused: below it, ungradable, or cancelled.
// kInfra: the service failed. kUnfinished: not terminal.
ExitCode GradeExitCode(const v1::Submission& submission, std::optional<double> at_least,
                       v1::ScoreMetric metric);

// A sentence for people when there is no Points line, or --at-least is not reached; else empty.
// `closes` is when withheld points are told, as text; empty: not known.
std::string GradeRemark(const v1::Submission& submission, std::optional<double> at_least,
                        v1::ScoreMetric metric, const std::string& closes);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_GRADE_OUTCOME_H_
