// A grade in words, for the student whose it is: the computation in its order, one step a line.
// What must not be told (points of other runs on sealed rows, authors of adjustments) is not.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_EXPLAIN_H_
#define TRAINYARD_SERVER_GRADING_EXPLAIN_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/grading/adjustments.h"
#include "server/grading/gradebook.h"
#include "server/grading/late_rule.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

// "2027-02-10 21:42:07 MSK".
std::string FormatInstant(absl::Time time, const absl::TimeZone& zone);

// REQUIRES: every figure of `row` is computed.
std::vector<std::string> ExplainGrade(const StudentGrade& row,
                                      const StudentAdjustments& adjustments, const LateRule& late,
                                      const v1::GradingPolicy& policy);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_EXPLAIN_H_
