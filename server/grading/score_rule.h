// ScoreRule says how many points a score is worth, as a whole number: money-style, never rounded
// up.
//
//   ScoreRule rule{.steps = {{0.85, 40}, {0.90, 70}, {0.93, 100}}, .max_points = 100};
//   RuleFindings findings =
//       CheckScoreRule(rule, ScoreMetric::kAccuracy, /*rows=*/2000, "score_rule");
//   int64_t points = PointsOf(rule, ScoreMetric::kAccuracy, 0.9123, work);  // 70
//
// Scores and thresholds are compared as decimals: both are rounded to the nearest 1e-9 first, so
// that 0.8 + 0.15, which is 0.9500000000000001 in double, meets a threshold of 0.95, and so does
// 0.1 + 0.2 one of 0.3 from either side. Everything after that is in integers.
//
// Thread-safety: a value and pure functions.
#ifndef TRAINYARD_SERVER_GRADING_SCORE_RULE_H_
#define TRAINYARD_SERVER_GRADING_SCORE_RULE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "server/grading/gradebook_limits.h"
#include "server/grading/score_metric.h"
#include "server/grading/work_budget.h"

namespace trainyard {

inline constexpr int64_t kPointsMax = limits::kPointsMax;
inline constexpr int64_t kScoreStepsMax = 100;
// Largest threshold, either sign: beyond, 1e-9 is no decimal of a double anyway.
inline constexpr double kThresholdMax = 1e9;

struct ScoreStep {
  double threshold = 0;  // unit of the metric; reached when met exactly
  int64_t points = 0;    // all points at this step, not those added
};

// Points grow linearly from `from_points` at `from_value` to `to_points` at `to_value` and stay
// there. A score worse than `from_value` has none.
struct LinearScore {
  double from_value = 0;
  int64_t from_points = 0;
  double to_value = 0;
  int64_t to_points = 0;
};

// Points for a network within a second, tighter budget, of which at least one limit is given. Only
// for a score that has points: a network that does nothing is always small.
struct BudgetBonus {
  WorkLimits budget;
  int64_t points = 0;
};

struct ScoreRule {
  // Either steps, from the easiest to the hardest, or linear.
  std::vector<ScoreStep> steps;
  std::optional<LinearScore> linear;
  std::optional<BudgetBonus> budget_bonus;
  // The assignment's: of the last step or the end of the line, and the bonus, together.
  int64_t max_points = 0;
};

struct RuleFindings {
  std::vector<FieldViolation> violations;
  std::vector<std::string> warnings;
};

// Every fault: neither or both of steps and linear, more than kScoreStepsMax steps, numbers that
// are NaN, infinite or out of the metric's range (accuracy 0 to 1, r2 -1 to 1, rmse and mae 0 to
// kThresholdMax), thresholds that do not get harder by 1e-9 or more, points that do not grow from
// step to step or are not in [0, kPointsMax], a bonus without a limit, max_points that is not what
// full marks give. Fields are paths below `path` ("score_rule.steps[2].threshold").
// Warnings: thresholds that are closer than two standard errors of a test set of `rows` rows
// (ExpectedStandardError, the larger of both), with the numbers: such steps grade noise.
// REQUIRES: metric is specified; rows ≥ 1.
RuleFindings CheckScoreRule(const ScoreRule& rule, ScoreMetric metric, int64_t rows,
                            absl::string_view path);

// In [0, max_points]; the better the score and the less the work, the more or as many. 0 for a
// score that is not finite. REQUIRES: the rule has no violations.
int64_t PointsOf(const ScoreRule& rule, ScoreMetric metric, double score, const Work& work);

// One line of a report, and one test of an export format.
struct Criterion {
  std::string name;  // "accuracy at least 0.9"
  int64_t points = 0;
  int64_t max_points = 0;
  bool passed = false;  // points are max_points
};

// A criterion for each step (all or nothing, what it adds to the one before), or one for the line;
// and one for the bonus. Points and max_points add up to PointsOf and rule.max_points. REQUIRES: as
// PointsOf.
std::vector<Criterion> CriteriaOf(const ScoreRule& rule, ScoreMetric metric, double score,
                                  const Work& work);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_SCORE_RULE_H_
