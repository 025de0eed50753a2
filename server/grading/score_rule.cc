#include "server/grading/score_rule.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

constexpr double kDecimalsPerUnit = 1e9;

// The score in units of 1e-9, turned so that more is better. What is beyond every threshold stays
// beyond. REQUIRES: not NaN.
int64_t MeritOf(ScoreMetric metric, double score) {
  const double bound = 2 * kThresholdMax;
  const double within = std::clamp(score, -bound, bound);
  const int64_t decimal = std::llround(within * kDecimalsPerUnit);
  return HigherIsBetter(metric) ? decimal : -decimal;
}

struct Range {
  double min;
  double max;
};

Range RangeOf(ScoreMetric metric) {
  switch (metric) {
    case ScoreMetric::kAccuracy:
      return {0, 1};
    case ScoreMetric::kR2:
      return {kReportedR2Min, 1};
    default:
      return {0, kThresholdMax};
  }
}

// Collects what is wrong with one rule.
class RuleChecker {
 public:
  RuleChecker(ScoreMetric metric, int64_t rows, absl::string_view path)
      : metric_(metric), rows_(rows), path_(path) {}

  void Check(const ScoreRule& rule);
  RuleFindings Take() { return std::move(findings_); }

 private:
  void CheckSteps(const std::vector<ScoreStep>& steps);
  void CheckLinear(const LinearScore& linear);
  void CheckBonus(const BudgetBonus& bonus);
  void CheckTotal(const ScoreRule& rule);
  // Whether it is a threshold of the metric.
  bool CheckThreshold(const std::string& field, double threshold);
  void CheckPoints(const std::string& field, int64_t points, int64_t min);
  void CheckBound(const std::string& field, const std::optional<int64_t>& bound);
  // Whether `to` is harder than `from`, and far enough from it.
  void CheckDistance(const std::string& from_field, double from, const std::string& field,
                     double to);
  void Add(const std::string& field, std::string description) {
    findings_.violations.push_back({absl::StrCat(path_, ".", field), std::move(description)});
  }

  // Constant after construction.
  const ScoreMetric metric_;
  const int64_t rows_;
  const std::string path_;

  RuleFindings findings_;
};

void RuleChecker::Check(const ScoreRule& rule) {
  if (rule.steps.empty() == !rule.linear.has_value()) {
    Add("steps", rule.steps.empty() ? "and linear are both left out; give one of them"
                                    : "are given together with linear; leave one of both out");
  }
  CheckSteps(rule.steps);
  if (rule.linear.has_value()) CheckLinear(*rule.linear);
  if (rule.budget_bonus.has_value()) CheckBonus(*rule.budget_bonus);
  CheckPoints("max_points", rule.max_points, 1);
  // A sum of faulty numbers says nothing.
  if (findings_.violations.empty()) CheckTotal(rule);
}

void RuleChecker::CheckSteps(const std::vector<ScoreStep>& steps) {
  if (steps.size() > static_cast<size_t>(kScoreStepsMax)) {
    Add("steps", absl::StrCat("are ", steps.size(), "; give at most ", kScoreStepsMax));
    return;
  }
  const ScoreStep* before = nullptr;  // the last one with a threshold that is one
  std::string before_field;
  int64_t points_before = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const std::string field = absl::StrCat("steps[", i, "]");
    CheckPoints(absl::StrCat(field, ".points"), steps[i].points, points_before + 1);
    points_before = std::clamp<int64_t>(steps[i].points, points_before, kPointsMax - 1);
    const std::string threshold_field = absl::StrCat(field, ".threshold");
    if (!CheckThreshold(threshold_field, steps[i].threshold)) continue;
    if (before != nullptr) {
      CheckDistance(before_field, before->threshold, threshold_field, steps[i].threshold);
    }
    before = &steps[i];
    before_field = threshold_field;
  }
}

void RuleChecker::CheckLinear(const LinearScore& linear) {
  CheckPoints("linear.from_points", linear.from_points, 0);
  CheckPoints("linear.to_points", linear.to_points,
              std::clamp<int64_t>(linear.from_points, 0, kPointsMax - 1) + 1);
  const bool from_right = CheckThreshold("linear.from_value", linear.from_value);
  const bool to_right = CheckThreshold("linear.to_value", linear.to_value);
  if (!from_right || !to_right) return;
  CheckDistance("linear.from_value", linear.from_value, "linear.to_value", linear.to_value);
}

void RuleChecker::CheckBonus(const BudgetBonus& bonus) {
  CheckPoints("budget_bonus.points", bonus.points, 1);
  const WorkLimits& budget = bonus.budget;
  CheckBound("budget_bonus.budget.parameters_max", budget.parameters_max);
  CheckBound("budget_bonus.budget.train_flops_max", budget.train_flops_max);
  CheckBound("budget_bonus.budget.epochs_max", budget.epochs_max);
  if (budget.parameters_max.has_value() || budget.train_flops_max.has_value() ||
      budget.epochs_max.has_value()) {
    return;
  }
  Add("budget_bonus.budget", "has no limit; give parameters_max, train_flops_max or epochs_max");
}

void RuleChecker::CheckTotal(const ScoreRule& rule) {
  const int64_t metric =
      rule.linear.has_value() ? rule.linear->to_points : rule.steps.back().points;
  const int64_t bonus = rule.budget_bonus.has_value() ? rule.budget_bonus->points : 0;
  if (rule.max_points == metric + bonus) return;
  Add("max_points", absl::StrCat("is ", rule.max_points, ", but full marks give ", metric,
                                 " for the ", ScoreMetricName(metric_), " and ", bonus,
                                 " for the budget; give ", metric + bonus));
}

bool RuleChecker::CheckThreshold(const std::string& field, double threshold) {
  const Range range = RangeOf(metric_);
  if (threshold >= range.min && threshold <= range.max) return true;  // NaN is neither
  const std::string text = std::isfinite(threshold) ? NumberText(threshold) : "not finite";
  Add(field, absl::StrCat("is ", text, "; give ", NumberText(range.min), " to ",
                          NumberText(range.max), " for ", ScoreMetricName(metric_)));
  return false;
}

void RuleChecker::CheckPoints(const std::string& field, int64_t points, int64_t min) {
  if (points >= min && points <= kPointsMax) return;
  Add(field, absl::StrCat("is ", points, "; give a whole number from ", min, " to ", kPointsMax));
}

void RuleChecker::CheckBound(const std::string& field, const std::optional<int64_t>& bound) {
  if (!bound.has_value() || *bound >= 1) return;
  Add(field, absl::StrCat("is ", *bound, "; give 1 or more, or leave it out"));
}

void RuleChecker::CheckDistance(const std::string& from_field, double from,
                                const std::string& field, double to) {
  if (MeritOf(metric_, to) <= MeritOf(metric_, from)) {
    Add(field, absl::StrCat("is ", NumberText(to), ", which is not harder than ", NumberText(from),
                            " before it; give ", HigherIsBetter(metric_) ? "more" : "less",
                            " by 1e-9 at least"));
    return;
  }
  const double error = std::max(ExpectedStandardError(metric_, from, rows_),
                                ExpectedStandardError(metric_, to, rows_));
  const double distance = std::fabs(to - from);
  if (distance >= 2 * error) return;
  findings_.warnings.push_back(
      absl::StrCat(path_, ".", from_field, " (", NumberText(from), ") and ", path_, ".", field,
                   " (", NumberText(to), ") are ", distance, " apart, but the standard error of ",
                   ScoreMetricName(metric_), " on ", rows_, " test rows is ", error,
                   " there: such a distance grades noise. Choose thresholds at least ", 2 * error,
                   " apart, or more test rows"));
}

int64_t StepPoints(const ScoreRule& rule, ScoreMetric metric, int64_t merit) {
  int64_t points = 0;
  for (const ScoreStep& step : rule.steps) {
    if (merit >= MeritOf(metric, step.threshold)) points = step.points;
  }
  return points;
}

int64_t LinearPoints(const LinearScore& linear, ScoreMetric metric, int64_t merit) {
  const int64_t from = MeritOf(metric, linear.from_value);
  const int64_t to = MeritOf(metric, linear.to_value);
  if (merit < from) return 0;
  if (merit >= to) return linear.to_points;
  const absl::int128 gained = absl::int128(merit - from) * (linear.to_points - linear.from_points);
  return linear.from_points + static_cast<int64_t>(gained / (to - from));  // of positives: floor
}

int64_t MetricPoints(const ScoreRule& rule, ScoreMetric metric, double score) {
  if (!std::isfinite(score)) return 0;
  const int64_t merit = MeritOf(metric, score);
  if (rule.linear.has_value()) return LinearPoints(*rule.linear, metric, merit);
  return StepPoints(rule, metric, merit);
}

int64_t BonusPoints(const ScoreRule& rule, int64_t metric_points, const Work& work) {
  if (!rule.budget_bonus.has_value() || metric_points == 0) return 0;
  return IsWithin(work, rule.budget_bonus->budget) ? rule.budget_bonus->points : 0;
}

std::string BonusName(const WorkLimits& budget) {
  std::vector<std::string> limits;
  if (budget.parameters_max.has_value()) {
    limits.push_back(absl::StrCat(*budget.parameters_max, " parameters"));
  }
  if (budget.train_flops_max.has_value()) {
    limits.push_back(absl::StrCat(*budget.train_flops_max, " training operations"));
  }
  if (budget.epochs_max.has_value()) limits.push_back(absl::StrCat(*budget.epochs_max, " epochs"));
  return absl::StrCat("budget: at most ", absl::StrJoin(limits, ", "));
}

Criterion MakeCriterion(std::string name, int64_t points, int64_t max_points) {
  return {std::move(name), points, max_points, points == max_points};
}

std::vector<Criterion> StepCriteria(const ScoreRule& rule, ScoreMetric metric, int64_t points) {
  std::vector<Criterion> criteria;
  int64_t before = 0;
  for (const ScoreStep& step : rule.steps) {
    const int64_t added = step.points - before;
    criteria.push_back(MakeCriterion(
        absl::StrCat(ScoreMetricName(metric), HigherIsBetter(metric) ? " at least " : " at most ",
                     NumberText(step.threshold)),
        points >= step.points ? added : 0, added));
    before = step.points;
  }
  return criteria;
}

Criterion LinearCriterion(const LinearScore& linear, ScoreMetric metric, int64_t points) {
  return MakeCriterion(
      absl::StrCat(ScoreMetricName(metric), ", linear from ", NumberText(linear.from_value), " to ",
                   NumberText(linear.to_value)),
      points, linear.to_points);
}

}  // namespace

RuleFindings CheckScoreRule(const ScoreRule& rule, ScoreMetric metric, int64_t rows,
                            absl::string_view path) {
  RuleChecker checker(metric, rows, path);
  checker.Check(rule);
  return checker.Take();
}

int64_t PointsOf(const ScoreRule& rule, ScoreMetric metric, double score, const Work& work) {
  const int64_t points = MetricPoints(rule, metric, score);
  return points + BonusPoints(rule, points, work);
}

std::vector<Criterion> CriteriaOf(const ScoreRule& rule, ScoreMetric metric, double score,
                                  const Work& work) {
  const int64_t points = MetricPoints(rule, metric, score);
  std::vector<Criterion> criteria;
  if (rule.linear.has_value()) {
    criteria.push_back(LinearCriterion(*rule.linear, metric, points));
  } else {
    criteria = StepCriteria(rule, metric, points);
  }
  if (rule.budget_bonus.has_value()) {
    criteria.push_back(MakeCriterion(BonusName(rule.budget_bonus->budget),
                                     BonusPoints(rule, points, work), rule.budget_bonus->points));
  }
  return criteria;
}

}  // namespace trainyard
