#include "server/grading/score_metric.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/data/number.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

RowErrors Classes(int64_t right, int64_t rows) {
  RowErrors errors{.task = Task::kMulticlass};
  for (int64_t i = 0; i < rows; ++i) errors.errors.push_back(i < right ? 0 : 1);
  return errors;
}

ScoreValue Score(ScoreMetric metric, const RowErrors& rows) {
  const auto score = MeasureScore(metric, rows);
  EXPECT_THAT(score, IsOk());
  return score.ok() ? *score : ScoreValue{};
}

// Expected numbers: Python's statistics and math.
TEST(ScoreMetricTest, ValuesAndErrorsByHand) {
  const ScoreValue accuracy = Score(ScoreMetric::kAccuracy, Classes(1800, 2000));
  EXPECT_DOUBLE_EQ(accuracy.value, 0.9);
  EXPECT_NEAR(accuracy.standard_error, 0.0067, 0.00003);  // GRADING 4.4
  const RowErrors rows{
      .task = Task::kRegression, .errors = {1, -2, 3, -4}, .targets = {10, 20, 30, 50}};
  const ScoreValue mae = Score(ScoreMetric::kMae, rows);
  EXPECT_DOUBLE_EQ(mae.value, 2.5);
  EXPECT_NEAR(mae.standard_error, 0.6454972243679028, 1e-12);  // stdev([1, 2, 3, 4]) / 2
  const ScoreValue rmse = Score(ScoreMetric::kRmse, rows);
  EXPECT_NEAR(rmse.value, 2.7386127875258306, 1e-12);  // sqrt(7.5)
  // stdev([1, 4, 9, 16]) / 2 / (2 * sqrt(7.5))
  EXPECT_NEAR(rmse.standard_error, 6.557438524302000 / 2 / (2 * 2.7386127875258306), 1e-12);
  const ScoreValue r2 = Score(ScoreMetric::kR2, rows);
  EXPECT_NEAR(r2.value, 1 - 30 / 875.0, 1e-12);
}

TEST(ScoreMetricTest, AnAccuracyOfAllOrNoneIsNotCertain) {
  for (const int64_t right : {0, 100}) {
    const ScoreValue score = Score(ScoreMetric::kAccuracy, Classes(right, 100));
    EXPECT_DOUBLE_EQ(score.value, static_cast<double>(right) / 100);
    EXPECT_NEAR(score.standard_error, std::sqrt(2 * 102.0 / (104.0 * 104 * 104)), 1e-12);
  }
}

// Errors of a model that explains about half of a target with a slope in it: not normal, and e² and
// d² go together.
RowErrors DrawRows(int64_t rows, Rng* rng) {
  RowErrors errors{.task = Task::kRegression};
  for (int64_t i = 0; i < rows; ++i) {
    const double x = rng->Normal();
    const double e = (0.5 + rng->Uniform()) * rng->Normal();
    errors.targets.push_back(100 + x + e);
    errors.errors.push_back(e);
  }
  return errors;
}

// Independent of every formula: the spread of the value over test sets drawn anew.
TEST(ScoreMetricTest, StandardErrorsAreTheSpreadOverTestSets) {
  constexpr int kSets = 2000;
  for (const ScoreMetric metric : {ScoreMetric::kRmse, ScoreMetric::kMae, ScoreMetric::kR2}) {
    SCOPED_TRACE(std::string(ScoreMetricName(metric)));
    Rng rng(11, RngStream::kAnalysis);
    double sum = 0, squares = 0, errors = 0;
    for (int i = 0; i < kSets; ++i) {
      const ScoreValue score = Score(metric, DrawRows(400, &rng));
      sum += score.value;
      squares += score.value * score.value;
      errors += score.standard_error;
    }
    const double spread = std::sqrt(squares / kSets - sum / kSets * (sum / kSets));
    EXPECT_NEAR(errors / kSets, spread, 0.06 * spread);
  }
}

TEST(ScoreMetricTest, ExpectedErrorsAreThoseOfNormalErrors) {
  Rng rng(12, RngStream::kAnalysis);
  constexpr int64_t kRows = 20000;
  RowErrors rows{.task = Task::kRegression};
  for (int64_t i = 0; i < kRows; ++i) {
    rows.errors.push_back(3 * rng.Normal());
    rows.targets.push_back(rows.errors.back() + 4 * rng.Normal());
  }
  for (const ScoreMetric metric : {ScoreMetric::kRmse, ScoreMetric::kMae, ScoreMetric::kR2}) {
    const ScoreValue score = Score(metric, rows);
    EXPECT_NEAR(ExpectedStandardError(metric, score.value, kRows), score.standard_error,
                0.05 * score.standard_error)
        << ScoreMetricName(metric);
  }
  EXPECT_NEAR(ExpectedStandardError(ScoreMetric::kAccuracy, 0.9, 2000), 0.0067, 0.00003);
  EXPECT_EQ(ExpectedStandardError(ScoreMetric::kR2, -0.5, 2000), 0);
}

TEST(ScoreMetricTest, WhatCannotBeMeasuredIsRefused) {
  const RowErrors numbers{.task = Task::kRegression, .errors = {1, 2}, .targets = {3, 3}};
  EXPECT_THAT(MeasureScore(ScoreMetric::kR2, numbers),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("are equal")));
  EXPECT_THAT(MeasureScore(ScoreMetric::kAccuracy, numbers).status(),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(MeasureScore(ScoreMetric::kRmse, Classes(1, 3)).status(),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(ViolatedFields(MeasureScore(ScoreMetric::kUnspecified, Classes(1, 1)).status()),
            (std::vector<std::string>{"metric", "rows"}));
  for (const double bad : {double{NAN}, double{INFINITY}, 1e200}) {
    const RowErrors rows{.task = Task::kRegression, .errors = {1, bad}, .targets = {1, 2}};
    EXPECT_THAT(MeasureScore(ScoreMetric::kRmse, rows).status(),
                HasReason(ErrorReason::kNonFiniteLoss))
        << bad;
  }
}

TEST(ScoreMetricTest, RoundingIsToADecimalStepOfTheError) {
  struct Case {
    double value, error, expected;
  };
  const Case cases[] = {{0.9276, 0.0058, 0.93},
                        {0.9276, 0.005, 0.93},
                        {0.9234, 0.005, 0.925},
                        {0.9234, 0.002, 0.924},
                        {0.9234, 0.0020001, 0.925},
                        {0.9234, 0.001, 0.923},
                        {0.9234, 0, 0.9234},
                        {1234.5, 30, 1250},
                        {1234.5, 200, 1200},
                        {-0.001, 0.01, 0},
                        {0.1234567891234, 0, 0.123456789},
                        {17, 1e9, 0},
                        {1.2345e300, 1e299, 1.2e300}};
  for (const Case& c : cases) {
    SCOPED_TRACE(absl::StrCat(c.value, " ± ", c.error));
    const double rounded = RoundToError(c.value, c.error);
    EXPECT_FALSE(std::signbit(rounded) && rounded == 0);
    if (c.value < 1e300) {
      EXPECT_EQ(NumberText(rounded), NumberText(c.expected));
    }
    EXPECT_DOUBLE_EQ(rounded, c.expected);
    EXPECT_LE(std::fabs(rounded - c.value), DecimalStep(c.error) / 2 * (1 + 1e-6));
  }
}

TEST(ScoreMetricTest, StepsAreOneTwoOrFiveAndNotBelowTheError) {
  Rng rng(3, RngStream::kAnalysis);
  for (int i = 0; i < 20000; ++i) {
    const double error = std::pow(10, 20 * rng.Uniform() - 11);
    const double step = DecimalStep(error);
    ASSERT_GE(step, error);
    ASSERT_GE(step, 1e-9);
    if (error > 1e-9) {
      ASSERT_LE(step, 2.5 * error);
    }
    const std::string digits = absl::StrCat(step);
    const size_t first = digits.find_first_not_of("0.");
    ASSERT_TRUE(digits[first] == '1' || digits[first] == '2' || digits[first] == '5') << digits;
  }
}

std::set<double> ReportedAccuracies(int64_t rows) {
  std::set<double> values;
  for (int64_t right = 0; right <= rows; ++right) {
    values.insert(
        ReportedValue(ScoreMetric::kAccuracy, Score(ScoreMetric::kAccuracy, Classes(right, rows))));
  }
  return values;
}

// By counting all of them.
TEST(ScoreMetricTest, NoMoreAccuraciesAreToldThanAreCounted) {
  for (int64_t rows = 2; rows <= 2100; rows += rows < 150 ? 1 : 97) {
    const std::set<double> values = ReportedAccuracies(rows);
    EXPECT_GE(*values.begin(), 0);
    EXPECT_LE(*values.rbegin(), 1);
    const auto told = static_cast<int64_t>(values.size());
    const int64_t counted = ReportedValueCount(ScoreMetric::kAccuracy, rows);
    ASSERT_GE(counted, told) << rows;
    ASSERT_LE(counted, 2 * told + 4) << rows;
  }
  EXPECT_LT(ReportedValueCount(ScoreMetric::kAccuracy, 2000), 256);
  EXPECT_LT(ReportedValueCount(ScoreMetric::kAccuracy, 10'000'000), 1'000'000);
}

TEST(ScoreMetricTest, ReportedErrorsHaveThreeDigits) {
  Rng rng(4, RngStream::kAnalysis);
  std::set<double> decade;
  for (int i = 0; i < 100000; ++i) {
    const double value = std::pow(10, 3 * rng.Uniform() - 1);  // 0.1 to 100
    const double told = ReportedValue(ScoreMetric::kRmse, {value, 0.01 * value * rng.Uniform()});
    if (told >= 1 && told < 10) decade.insert(told);
    ASSERT_NEAR(told, value, 0.0125 * value + 1e-9);
  }
  EXPECT_LE(decade.size(), 900u);
  EXPECT_GE(decade.size(), 800u);
  EXPECT_EQ(ReportedValue(ScoreMetric::kMae, {1e300, 1}), kReportedErrorMax);
  EXPECT_EQ(ReportedValue(ScoreMetric::kMae, {9.999e8, 1}), kReportedErrorMax);
  EXPECT_EQ(ReportedValue(ScoreMetric::kMae, {1e-12, 0}), 0);
  EXPECT_EQ(ReportedValue(ScoreMetric::kMae, {3, 1e9}), 0);
  EXPECT_EQ(ReportedValueCount(ScoreMetric::kMae, 10), 16202);
}

TEST(ScoreMetricTest, ReportedR2IsAThousandthInItsBounds) {
  EXPECT_EQ(ReportedValue(ScoreMetric::kR2, {0.98765, 1e-6}), 0.988);
  EXPECT_EQ(ReportedValue(ScoreMetric::kR2, {0.98765, 0.004}), 0.99);
  EXPECT_EQ(ReportedValue(ScoreMetric::kR2, {-4000, 100}), -1);
  EXPECT_EQ(ReportedValue(ScoreMetric::kR2, {-0.0001, 0.1}), 0);
  EXPECT_EQ(ReportedValueCount(ScoreMetric::kR2, 10), 2001);
}

TEST(ScoreMetricTest, TheMedianOfSeedsIsTheWorseOfTheMiddleTwo) {
  const double odd[] = {0.91, 0.94, 0.92};
  const SeedScores a = MedianOfSeeds(ScoreMetric::kAccuracy, odd);
  EXPECT_EQ(a.median, 0.92);
  EXPECT_EQ(a.median_index, 2);
  EXPECT_NEAR(a.spread, 0.03, 1e-12);
  const double even[] = {0.4, 0.1, 0.3, 0.2};
  EXPECT_EQ(MedianOfSeeds(ScoreMetric::kAccuracy, even).median, 0.2);
  EXPECT_EQ(MedianOfSeeds(ScoreMetric::kR2, even).median, 0.2);
  EXPECT_EQ(MedianOfSeeds(ScoreMetric::kRmse, even).median, 0.3);
  EXPECT_EQ(MedianOfSeeds(ScoreMetric::kMae, even).median_index, 2);
  const double one[] = {0.5};
  EXPECT_EQ(MedianOfSeeds(ScoreMetric::kAccuracy, one).spread, 0);
}

TEST(ScoreMetricTest, NamesAndDirectionsAreTheMeters) {
  for (auto number = static_cast<uint8_t>(ScoreMetric::kAccuracy);
       number <= static_cast<uint8_t>(kScoreMetricLast); ++number) {
    const ScoreMetric metric{number};
    EXPECT_EQ(HigherIsBetter(metric), HigherIsBetter(ScoreMetricName(metric)));
    EXPECT_FALSE(IsBetter(metric, 1, 1));
    EXPECT_NE(IsBetter(metric, 1, 2), IsBetter(metric, 2, 1));
  }
}

}  // namespace
}  // namespace trainyard
