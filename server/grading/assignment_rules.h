// What an assignment says, in the words of scoring: metric, rule and budgets, with defaults; and whether it says anything wrong.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_ASSIGNMENT_RULES_H_
#define TRAINYARD_SERVER_GRADING_ASSIGNMENT_RULES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error_info.h"
#include "server/grading/score_metric.h"
#include "server/grading/score_rule.h"
#include "server/grading/work_budget.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/spec.pb.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

inline constexpr int kSeedCountDefault = 3;
inline constexpr int kSeedCountMax = 15;
inline constexpr double kReplayFractionDefault = 0.02;
inline constexpr int kStudentBitsDefault = 256;
inline constexpr int kClassBitsDefault = 20'000;

// With defaults filled in, but for base_spec. REQUIRES: `task` is that of the resolved base spec.
v1::Assignment ResolveAssignment(const v1::Assignment& assignment, v1::Task task);

// REQUIRES below: the assignment is resolved.
ScoreMetric MetricOf(const v1::Assignment& assignment);
// Whether points may have to wait because enough was told already.
bool HasLeakLimit(const v1::Assignment& assignment);
ScoreRule RuleOf(const v1::Assignment& assignment);
WorkLimits LimitsOf(const v1::WorkBudget& budget);

// A result as scoring has it, as the contract does.
v1::SubmissionResult ResultToProto(const v1::Assignment& assignment, const ScoreValue& score,
                                   const Work& work);

// Every fault of what can be said without datasets and spec: ids, lengths, ranges, times and their order. `time_zone` is the course's.
void CheckAssignmentForm(const v1::Assignment& assignment, const std::string& time_zone,
                         std::vector<FieldViolation>* violations);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_ASSIGNMENT_RULES_H_
