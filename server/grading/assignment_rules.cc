#include "server/grading/assignment_rules.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/limits.h"
#include "server/grading/attempt_bucket.h"
#include "server/grading/course_checks.h"
#include "server/grading/course_names.h"
#include "server/grading/course_state.h"
#include "server/grading/gradebook_limits.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr int kAttemptsMax = 1'000;
constexpr int kQueuedMax = 100;
constexpr absl::Duration kPeriodMin = absl::Minutes(1);
constexpr absl::Duration kPeriodMax = absl::Hours(24 * 30);

void CheckRange(absl::string_view field, int64_t value, int64_t min, int64_t max,
                Violations* violations) {
  if (value >= min && value <= max) return;
  violations->push_back(
      {std::string(field), absl::StrCat("is ", value, "; give ", min, " to ", max)});
}

void CheckDataset(absl::string_view field, const std::string& name, bool required,
                  Violations* violations) {
  if (name.empty() && !required) return;
  if (ParseName(kDatasets, name).ok()) return;
  violations->push_back(
      {std::string(field), absl::StrCat("\"", name.substr(0, 100), "\" is no dataset; give datasets/{id}")});
}

void CheckAttempts(const v1::AttemptLimits& attempts, Violations* violations) {
  CheckRange("assignment.attempts.burst", attempts.burst(), 0, kAttemptsMax, violations);
  CheckRange("assignment.attempts.queued_max", attempts.queued_max(), 0, kQueuedMax, violations);
  CheckRange("assignment.attempts.ungradable_max", attempts.ungradable_max(), 0, kAttemptsMax,
             violations);
  if (!attempts.has_refill_period()) return;
  const absl::Duration period = absl::Seconds(attempts.refill_period().seconds()) +
                                absl::Nanoseconds(attempts.refill_period().nanos());
  if (period >= kPeriodMin && period <= kPeriodMax) return;
  violations->push_back({"assignment.attempts.refill_period",
                         absl::StrCat("is ", absl::FormatDuration(period), "; give ",
                                      absl::FormatDuration(kPeriodMin), " to ",
                                      absl::FormatDuration(kPeriodMax))});
}

// InfinitePast when there is none, or it is faulty.
absl::Time CheckTime(absl::string_view field, const std::string& text, const std::string& time_zone,
                     Violations* violations) {
  absl::Time time = absl::InfinitePast();
  if (text.empty() || ParseCivil(text, time_zone, &time)) return time;
  violations->push_back(
      {std::string(field), absl::StrCat("\"", text.substr(0, 40),
                                        "\" is no time; give YYYY-MM-DD HH:MM:SS, which is meant in ",
                                        time_zone)});
  return absl::InfinitePast();
}

void CheckTimes(const v1::Assignment& assignment, const std::string& time_zone,
                Violations* violations) {
  const absl::Time never = absl::InfinitePast();
  const absl::Time opens = CheckTime("assignment.opens", assignment.opens(), time_zone, violations);
  const absl::Time due = CheckTime("assignment.due", assignment.due(), time_zone, violations);
  const absl::Time closes =
      CheckTime("assignment.closes", assignment.closes(), time_zone, violations);
  if (due != never && due <= opens) {
    violations->push_back({"assignment.due", "is not after opens"});
  }
  if (closes != never && (closes <= opens || closes < due)) {
    violations->push_back({"assignment.closes", "is before opens or due"});
  }
  if (assignment.release() == v1::POINTS_RELEASE_AFTER_CLOSE && assignment.closes().empty()) {
    violations->push_back(
        {"assignment.release", "is AFTER_CLOSE, but the assignment never closes; give closes"});
  }
}

void CheckBudget(absl::string_view path, const v1::WorkBudget& budget, Violations* violations) {
  const auto check = [&](absl::string_view field, int64_t value) {
    if (value >= 0) return;
    violations->push_back(
        {absl::StrCat(path, ".", field), absl::StrCat("is ", value, "; give 0 for no limit, or more")});
  };
  check("parameters_max", budget.parameters_max());
  check("train_flops_max", budget.train_flops_max());
  check("epochs_max", budget.epochs_max());
}

void CheckLeaks(const v1::LeakLimits& limits, Violations* violations) {
  CheckRange("assignment.leak_limits.student_bits_max", limits.student_bits_max(), -1, 1'000'000,
             violations);
  CheckRange("assignment.leak_limits.class_bits_max", limits.class_bits_max(), -1, 1'000'000'000,
             violations);
}

std::optional<int64_t> LimitOf(int64_t value) {
  return value > 0 ? std::optional<int64_t>(value) : std::nullopt;
}

}  // namespace

v1::Assignment ResolveAssignment(const v1::Assignment& assignment, v1::Task task) {
  v1::Assignment resolved = assignment;
  if (resolved.seed_count() == 0) resolved.set_seed_count(kSeedCountDefault);
  if (!resolved.has_replay_fraction()) resolved.set_replay_fraction(kReplayFractionDefault);
  if (resolved.release() == v1::POINTS_RELEASE_UNSPECIFIED) {
    resolved.set_release(v1::POINTS_RELEASE_IMMEDIATE);
  }
  *resolved.mutable_attempts() = ResolveAttempts(assignment.attempts());
  v1::LeakLimits& leaks = *resolved.mutable_leak_limits();
  if (leaks.student_bits_max() == 0) leaks.set_student_bits_max(kStudentBitsDefault);
  if (leaks.class_bits_max() == 0) leaks.set_class_bits_max(kClassBitsDefault);
  v1::ScoreRule& rule = *resolved.mutable_score_rule();
  if (rule.metric() == v1::SCORE_METRIC_UNSPECIFIED) {
    rule.set_metric(task == v1::TASK_REGRESSION ? v1::SCORE_METRIC_R2 : v1::SCORE_METRIC_ACCURACY);
  }
  resolved.clear_commitments();
  resolved.clear_warnings();
  return resolved;
}

ScoreMetric MetricOf(const v1::Assignment& assignment) {
  static_assert(static_cast<int>(ScoreMetric::kAccuracy) == v1::SCORE_METRIC_ACCURACY &&
                    static_cast<int>(ScoreMetric::kRmse) == v1::SCORE_METRIC_RMSE &&
                    static_cast<int>(ScoreMetric::kMae) == v1::SCORE_METRIC_MAE &&
                    static_cast<int>(ScoreMetric::kR2) == v1::SCORE_METRIC_R2,
                "the numbers are the contract's");
  return static_cast<ScoreMetric>(assignment.score_rule().metric());
}

bool HasLeakLimit(const v1::Assignment& assignment) {
  const v1::LeakLimits& limits = assignment.leak_limits();
  return limits.student_bits_max() >= 0 || limits.class_bits_max() >= 0;
}

ScoreRule RuleOf(const v1::Assignment& assignment) {
  const v1::ScoreRule& proto = assignment.score_rule();
  ScoreRule rule{.max_points = assignment.max_points()};
  for (const v1::ScoreRule::Step& step : proto.steps()) {
    rule.steps.push_back({.threshold = step.threshold(), .points = step.points()});
  }
  if (proto.has_linear()) {
    rule.linear = LinearScore{.from_value = proto.linear().from_value(),
                              .from_points = proto.linear().from_points(),
                              .to_value = proto.linear().to_value(),
                              .to_points = proto.linear().to_points()};
  }
  if (proto.has_budget_bonus()) {
    const v1::WorkBudget& budget = proto.budget_bonus().budget();
    rule.budget_bonus =
        BudgetBonus{.budget = LimitsOf(budget), .points = proto.budget_bonus().points()};
  }
  return rule;
}

WorkLimits LimitsOf(const v1::WorkBudget& budget) {
  return {.parameters_max = LimitOf(budget.parameters_max()),
          .train_flops_max = LimitOf(budget.train_flops_max()),
          .epochs_max = LimitOf(budget.epochs_max())};
}

v1::SubmissionResult ResultToProto(const v1::Assignment& assignment, const ScoreValue& score,
                                   const Work& work) {
  const ScoreMetric metric = MetricOf(assignment);
  const ScoreRule rule = RuleOf(assignment);
  v1::SubmissionResult result;
  result.set_points(PointsOf(rule, metric, score.value, work));
  result.set_max_points(assignment.max_points());
  result.set_score(ReportedValue(metric, score));
  result.set_metric(assignment.score_rule().metric());
  result.set_sealed(!assignment.sealed_dataset().empty());
  for (Criterion& criterion : CriteriaOf(rule, metric, score.value, work)) {
    v1::Criterion& proto = *result.add_criteria();
    proto.set_name(std::move(criterion.name));
    proto.set_points(criterion.points);
    proto.set_max_points(criterion.max_points);
    proto.set_passed(criterion.passed);
  }
  return result;
}

void CheckAssignmentForm(const v1::Assignment& assignment, const std::string& time_zone,
                         Violations* violations) {
  CheckText("assignment.title", assignment.title(), limits::kDisplayNameBytesMax, violations);
  CheckRange("assignment.max_points", assignment.max_points(), 1, kPointsMax, violations);
  CheckRange("assignment.module", assignment.module(), 0, limits::kModuleMax, violations);
  CheckRange("assignment.seed_count", assignment.seed_count(), 0, kSeedCountMax, violations);
  CheckDataset("assignment.training_dataset", assignment.training_dataset(), true, violations);
  CheckDataset("assignment.public_dataset", assignment.public_dataset(), false, violations);
  CheckDataset("assignment.sealed_dataset", assignment.sealed_dataset(), false, violations);
  if (assignment.public_dataset().empty() && assignment.sealed_dataset().empty()) {
    violations->push_back(
        {"assignment.sealed_dataset", "is missing, as is public_dataset; give one to evaluate on"});
  }
  if (!v1::PointsRelease_IsValid(assignment.release())) {
    violations->push_back({"assignment.release", "is unknown; give IMMEDIATE or AFTER_CLOSE"});
  }
  const double fraction = assignment.replay_fraction();
  if (!(fraction >= 0 && fraction <= 1)) {
    violations->push_back(
        {"assignment.replay_fraction", absl::StrCat("is ", fraction, "; give 0 to 1")});
  }
  if (!v1::ScoreMetric_IsValid(assignment.score_rule().metric())) {
    violations->push_back(
        {"assignment.score_rule.metric", "is unknown; give ACCURACY, RMSE, MAE or R2"});
  }
  CheckBudget("assignment.budget", assignment.budget(), violations);
  CheckBudget("assignment.score_rule.budget_bonus.budget",
              assignment.score_rule().budget_bonus().budget(), violations);
  CheckAttempts(assignment.attempts(), violations);
  CheckLeaks(assignment.leak_limits(), violations);
  CheckTimes(assignment, time_zone, violations);
}

}  // namespace trainyard
