#include "server/grading/score_rule.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr ScoreMetric kAccuracy = ScoreMetric::kAccuracy;

ScoreRule Steps() { return {.steps = {{0.85, 40}, {0.90, 70}, {0.93, 100}}, .max_points = 100}; }

ScoreRule Linear() { return {.linear = LinearScore{0.80, 0, 0.95, 100}, .max_points = 100}; }

std::vector<std::string> FieldsOf(const RuleFindings& findings) {
  std::vector<std::string> fields;
  for (const FieldViolation& v : findings.violations) fields.push_back(v.field);
  return fields;
}

TEST(ScoreRuleTest, AStepIsReachedWhenMet) {
  struct Case {
    double score;
    int64_t points;
  };
  for (const Case& c :
       {Case{0.8499999, 0}, Case{0.85, 40}, Case{0.8999999, 40}, Case{0.9, 70}, Case{0.93, 100},
        Case{1, 100}, Case{0, 0}, Case{NAN, 0}, Case{INFINITY, 0}}) {
    EXPECT_EQ(PointsOf(Steps(), kAccuracy, c.score, {}), c.points) << c.score;
  }
}

TEST(ScoreRuleTest, LinearPointsAreFloored) {
  struct Case {
    double score;
    int64_t points;
  };
  // 0.801 is 0.67 points, 0.8015 exactly one.
  for (const Case& c :
       {Case{0.79, 0}, Case{0.80, 0}, Case{0.801, 0}, Case{0.8014999, 0}, Case{0.8015, 1},
        Case{0.875, 50}, Case{0.914, 76}, Case{0.9499999, 99}, Case{0.95, 100}, Case{1, 100}}) {
    EXPECT_EQ(PointsOf(Linear(), kAccuracy, c.score, {}), c.points) << c.score;
  }
  ScoreRule rule = Linear();
  rule.linear->from_points = 30;
  EXPECT_EQ(PointsOf(rule, kAccuracy, 0.80, {}), 30);
  EXPECT_EQ(PointsOf(rule, kAccuracy, 0.7999, {}), 0);
}

// Every hundredth of a point of a line of 10000 points, against integers alone.
TEST(ScoreRuleTest, ScoresInDecimalsHaveTheirPointsExactly) {
  const ScoreRule rule{.linear = LinearScore{0, 0, 1, 10000}, .max_points = 10000};
  for (int64_t i = 0; i <= 10000; ++i) {
    ASSERT_EQ(PointsOf(rule, kAccuracy, static_cast<double>(i) / 10000, {}), i);
    ASSERT_EQ(PointsOf(rule, kAccuracy, 1 - static_cast<double>(10000 - i) / 10000, {}), i);
  }
  const ScoreRule noisy{.steps = {{0.95, 1}}, .max_points = 1};
  EXPECT_EQ(PointsOf(noisy, kAccuracy, 0.8 + 0.15, {}), 1);
  const ScoreRule below{.steps = {{0.1 + 0.2, 1}}, .max_points = 1};
  EXPECT_EQ(PointsOf(below, kAccuracy, 0.3, {}), 1);
  EXPECT_EQ(PointsOf(below, kAccuracy, 0.3 - 1e-8, {}), 0);
}

TEST(ScoreRuleTest, LessIsBetterForErrors) {
  const ScoreRule steps{.steps = {{10, 40}, {5, 100}}, .max_points = 100};
  EXPECT_EQ(PointsOf(steps, ScoreMetric::kRmse, 10.1, {}), 0);
  EXPECT_EQ(PointsOf(steps, ScoreMetric::kRmse, 10, {}), 40);
  EXPECT_EQ(PointsOf(steps, ScoreMetric::kRmse, 0, {}), 100);
  EXPECT_EQ(PointsOf(steps, ScoreMetric::kRmse, std::numeric_limits<double>::max(), {}), 0);
  const ScoreRule line{.linear = LinearScore{10, 0, 5, 100}, .max_points = 100};
  EXPECT_EQ(PointsOf(line, ScoreMetric::kMae, 7.51, {}), 49);
  EXPECT_EQ(PointsOf(line, ScoreMetric::kMae, 7.5, {}), 50);
  EXPECT_THAT(CriteriaOf(steps, ScoreMetric::kRmse, 7, {})[1].name, "rmse at most 5");
}

TEST(ScoreRuleTest, TheBonusIsForASmallNetworkThatDoesSomething) {
  ScoreRule rule = Steps();
  rule.budget_bonus = BudgetBonus{{.parameters_max = 1000, .train_flops_max = 5000}, 10};
  rule.max_points = 110;
  EXPECT_THAT(CheckScoreRule(rule, kAccuracy, 100'000, "r").violations, IsEmpty());
  EXPECT_EQ(PointsOf(rule, kAccuracy, 0.9, {.parameters = 1000, .train_flops = 5000}), 80);
  EXPECT_EQ(PointsOf(rule, kAccuracy, 0.9, {.parameters = 1001, .train_flops = 5000}), 70);
  EXPECT_EQ(PointsOf(rule, kAccuracy, 0.9, {.parameters = 1000, .train_flops = 5001}), 70);
  EXPECT_EQ(PointsOf(rule, kAccuracy, 0.5, {.parameters = 1, .train_flops = 1}), 0);
  const auto criteria = CriteriaOf(rule, kAccuracy, 0.9, {.parameters = 9});
  ASSERT_EQ(criteria.size(), 4u);
  EXPECT_EQ(criteria[3].name, "budget: at most 1000 parameters, 5000 training operations");
  EXPECT_TRUE(criteria[3].passed);
  rule.budget_bonus->budget = {.epochs_max = 5};
  EXPECT_EQ(CriteriaOf(rule, kAccuracy, 0.9, {}).back().name, "budget: at most 5 epochs");
  EXPECT_EQ(PointsOf(rule, kAccuracy, 0.9, {.epochs = 5}), 80);
  EXPECT_EQ(PointsOf(rule, kAccuracy, 0.9, {.epochs = 6}), 70);
}

TEST(ScoreRuleTest, CriteriaOfStepsAreAllOrNothing) {
  const auto criteria = CriteriaOf(Steps(), kAccuracy, 0.91, {});
  ASSERT_EQ(criteria.size(), 3u);
  EXPECT_EQ(criteria[0].name, "accuracy at least 0.85");
  EXPECT_EQ(criteria[1].points, 30);
  EXPECT_TRUE(criteria[1].passed);
  EXPECT_EQ(criteria[2].points, 0);
  EXPECT_EQ(criteria[2].max_points, 30);
  EXPECT_FALSE(criteria[2].passed);
  const auto line = CriteriaOf(Linear(), kAccuracy, 0.914, {});
  ASSERT_EQ(line.size(), 1u);
  EXPECT_EQ(line[0].name, "accuracy, linear from 0.8 to 0.95");
  EXPECT_EQ(line[0].points, 76);
  EXPECT_FALSE(line[0].passed);
}

ScoreRule RandomRule(ScoreMetric metric, Rng* rng) {
  ScoreRule rule;
  const double sign = HigherIsBetter(metric) ? 1 : -1;
  double threshold = HigherIsBetter(metric) ? 0.1 : 1;
  const auto step = [&] { return sign * (0.001 + 0.08 * rng->Uniform()); };
  const auto points = [&] { return 1 + static_cast<int64_t>(rng->Below(1000)); };
  if (rng->Below(2) == 0) {
    const int64_t from = points();
    rule.linear = LinearScore{threshold, from, threshold + step(), from + points()};
    rule.max_points = rule.linear->to_points;
  } else {
    for (uint64_t i = 1 + rng->Below(8); i > 0; --i) {
      threshold += step();
      rule.max_points += points();
      rule.steps.push_back({threshold, rule.max_points});
    }
  }
  if (rng->Below(2) == 0) {
    rule.budget_bonus = BudgetBonus{{.parameters_max = 500}, points()};
    rule.max_points += rule.budget_bonus->points;
  }
  return rule;
}

// A better score never has fewer points, less work neither; the sum of the criteria is the points.
TEST(ScoreRuleTest, PointsGrowWithTheScoreUpToTheMaximum) {
  Rng rng(9, RngStream::kAnalysis);
  for (int round = 0; round < 400; ++round) {
    const ScoreMetric metric{static_cast<uint8_t>(1 + rng.Below(4))};
    const ScoreRule rule = RandomRule(metric, &rng);
    ASSERT_THAT(FieldsOf(CheckScoreRule(rule, metric, 1000, "rule")), IsEmpty());
    int64_t before = 0;
    for (int i = 0; i <= 500; ++i) {
      const double score = HigherIsBetter(metric) ? i / 500.0 : 1 - i / 500.0;
      const Work work{.parameters = 1000 - i};
      const int64_t points = PointsOf(rule, metric, score, work);
      ASSERT_GE(points, before);
      ASSERT_LE(points, rule.max_points);
      int64_t sum = 0, max_sum = 0;
      for (const Criterion& c : CriteriaOf(rule, metric, score, work)) {
        sum += c.points;
        max_sum += c.max_points;
        ASSERT_EQ(c.passed, c.points == c.max_points);
      }
      ASSERT_EQ(sum, points);
      ASSERT_EQ(max_sum, rule.max_points);
      before = points;
    }
    EXPECT_EQ(before, rule.max_points);
  }
}

TEST(ScoreRuleTest, EveryFaultOfStepsIsNamed) {
  const ScoreRule rule{.steps = {{0.9, 40}, {NAN, 40}, {0.85, -3}, {1.5, 2'000'000}, {0.85, 99}},
                       .linear = LinearScore{0.5, 10, INFINITY, 10},
                       .budget_bonus = BudgetBonus{{.parameters_max = 0}, 0},
                       .max_points = 0};
  const RuleFindings findings = CheckScoreRule(rule, kAccuracy, 1000, "assignment.score_rule");
  std::vector<std::string> fields;
  for (const std::string& field : FieldsOf(findings)) fields.push_back(field.substr(22));
  EXPECT_THAT(fields, ElementsAre("steps", "steps[1].points", "steps[1].threshold",
                                  "steps[2].points", "steps[2].threshold", "steps[3].points",
                                  "steps[3].threshold", "steps[4].points", "steps[4].threshold",
                                  "linear.to_points", "linear.to_value", "budget_bonus.points",
                                  "budget_bonus.budget.parameters_max", "max_points"));
  EXPECT_THAT(findings.violations[4].description, HasSubstr("not harder than 0.9"));
}

TEST(ScoreRuleTest, TheWholeOfARuleIsChecked) {
  EXPECT_THAT(CheckScoreRule(Steps(), kAccuracy, 100'000, "r").violations, IsEmpty());
  EXPECT_THAT(CheckScoreRule(Linear(), kAccuracy, 100'000, "r").violations, IsEmpty());
  EXPECT_THAT(FieldsOf(CheckScoreRule({.max_points = 5}, kAccuracy, 10, "r")),
              ElementsAre("r.steps"));
  ScoreRule rule = Steps();
  rule.max_points = 101;
  const RuleFindings findings = CheckScoreRule(rule, kAccuracy, 100'000, "r");
  ASSERT_THAT(FieldsOf(findings), ElementsAre("r.max_points"));
  EXPECT_THAT(findings.violations[0].description, HasSubstr("give 100"));
  rule = Steps();
  rule.budget_bonus = BudgetBonus{{}, 10};
  EXPECT_THAT(FieldsOf(CheckScoreRule(rule, kAccuracy, 100'000, "r")),
              ElementsAre("r.budget_bonus.budget"));
  // Harder is less for an error: what is in order for accuracy is not for rmse.
  EXPECT_THAT(FieldsOf(CheckScoreRule(Steps(), ScoreMetric::kRmse, 100'000, "r")),
              ElementsAre("r.steps[1].threshold", "r.steps[2].threshold"));
  rule.steps.assign(kScoreStepsMax + 1, {0.5, 1});
  EXPECT_THAT(FieldsOf(CheckScoreRule(rule, kAccuracy, 10, "r"))[0], "r.steps");
}

// GRADING 4.4: n = 2000 and accuracy 0.9: the standard error is 0.0067, steps closer than 0.013
// grade noise.
TEST(ScoreRuleTest, StepsCloserThanTwoStandardErrorsAreWarnedOf) {
  const ScoreRule close{.steps = {{0.9, 1}, {0.912, 2}}, .max_points = 2};
  const ScoreRule apart{.steps = {{0.9, 1}, {0.914, 2}}, .max_points = 2};
  EXPECT_THAT(CheckScoreRule(apart, kAccuracy, 2000, "r").warnings, IsEmpty());
  const RuleFindings findings = CheckScoreRule(close, kAccuracy, 2000, "r");
  EXPECT_THAT(findings.violations, IsEmpty());
  ASSERT_EQ(findings.warnings.size(), 1u);
  EXPECT_THAT(findings.warnings[0], HasSubstr("r.steps[0].threshold (0.9)"));
  EXPECT_THAT(findings.warnings[0], HasSubstr("0.0067"));
  EXPECT_THAT(findings.warnings[0], HasSubstr("2000 test rows"));
  EXPECT_THAT(CheckScoreRule(Linear(), kAccuracy, 20, "r").warnings.size(), 1u);
}

}  // namespace
}  // namespace trainyard
