#include "server/submissions/scoring.h"

#include <cmath>
#include <cstdint>
#include <set>

#include "gtest/gtest.h"
#include "tests/server/grading/course_events.h"

namespace trainyard {
namespace {

v1::Assignment Sealed() {
  return FromText<v1::Assignment>(R"(
      max_points: 100 public_dataset: "datasets/p" sealed_dataset: "datasets/s"
      score_rule { metric: SCORE_METRIC_ACCURACY steps { threshold: 0.5 points: 40 } steps { threshold: 0.8 points: 100 } })");
}
v1::Assignment OfErrors() {
  return FromText<v1::Assignment>(R"(
      max_points: 100 public_dataset: "datasets/p"
      score_rule { metric: SCORE_METRIC_RMSE linear { from_value: 10 from_points: 0 to_value: 0 to_points: 100 } })");
}

// One run with these values; a negative one: not measured.
Evaluation Of(double public_value, double sealed_value, int64_t rows = 1'000, double error = 0.01) {
  Evaluation evaluation{.deciding_rows = rows};
  if (public_value >= 0)
    evaluation.public_score = ScoreValue{.value = public_value, .standard_error = 0.5};
  if (sealed_value >= 0)
    evaluation.sealed_score = ScoreValue{.value = sealed_value, .standard_error = error};
  return evaluation;
}

StoredSubmission Scored(const v1::Assignment& assignment,
                        const std::vector<Evaluation>& evaluations) {
  StoredSubmission submission;
  for (size_t i = 0; i < evaluations.size(); ++i) submission.sealed.add_runs()->set_seed(i);
  ScoreRuns(assignment, evaluations, &submission);
  return submission;
}

TEST(ScoringTest, TheSealedMedianDecidesAndThePublicOneIsKeptApart) {
  const StoredSubmission scored =
      Scored(Sealed(),
             {Of(0.6, 0.9, 1'000, 0.009), Of(0.7, 0.3, 1'000, 0.015), Of(0.1, 0.5, 1'000, 0.016)});
  const v1::SealedRecord& sealed = scored.sealed;
  EXPECT_EQ(sealed.result().points(), 40);  // of 0.5
  EXPECT_TRUE(sealed.result().sealed());
  EXPECT_EQ(sealed.standard_error(), 0.016);
  EXPECT_EQ(sealed.public_median(), 0.6);
  EXPECT_EQ(sealed.public_median_run(), 0);
  EXPECT_EQ(sealed.runs(1).sealed_value(), 0.3);
  EXPECT_EQ(sealed.runs(2).public_value(), 0.1);
  EXPECT_EQ(sealed.runs(2).seed(), 2u);
  // What the student sees is for who releases it.
  EXPECT_FALSE(scored.record.has_result());
  EXPECT_FALSE(scored.record.has_public_score());
}

TEST(ScoringTest, OfAnEvenNumberTheWorseOfTheMiddleTwoCounts) {
  const StoredSubmission higher =
      Scored(Sealed(), {Of(0.1, 0.8), Of(0.2, 0.4), Of(0.3, 0.9), Of(0.4, 0.49)});
  EXPECT_EQ(higher.sealed.result().points(), 0);  // of 0.49, not 0.8
  EXPECT_EQ(higher.sealed.public_median(), 0.2);
  EXPECT_EQ(higher.sealed.public_median_run(), 1);
  // Of errors the larger one is worse.
  const StoredSubmission lower = Scored(OfErrors(), {Of(4, -1), Of(2, -1)});
  EXPECT_EQ(lower.sealed.public_median(), 4);
  EXPECT_EQ(lower.sealed.result().points(), 60);
}

TEST(ScoringTest, WithoutSealedDataThePublicDecides) {
  const StoredSubmission scored = Scored(OfErrors(), {Of(1, -1), Of(3, -1), Of(2, -1)});
  EXPECT_EQ(scored.sealed.result().points(), 80);
  EXPECT_FALSE(scored.sealed.result().sealed());
  EXPECT_EQ(scored.sealed.standard_error(), 0.5);
  EXPECT_FALSE(scored.sealed.runs(0).has_sealed_value());
}

TEST(ScoringTest, WithoutPublicDataThereIsNoPublicMedian) {
  const StoredSubmission scored = Scored(Sealed(), {Of(-1, 0.85)});
  EXPECT_EQ(scored.sealed.result().points(), 100);
  EXPECT_FALSE(scored.sealed.has_public_median());
  EXPECT_EQ(PublicRank(Sealed(), scored.sealed), 0);
}

TEST(ScoringTest, TheBudgetBonusGoesByTheWorkOfTheRecord) {
  v1::Assignment assignment = Sealed();
  assignment.mutable_score_rule()->mutable_steps(1)->set_points(90);
  assignment.mutable_score_rule()->mutable_budget_bonus()->set_points(10);
  assignment.mutable_score_rule()->mutable_budget_bonus()->mutable_budget()->set_train_flops_max(
      5'000'000'000);
  StoredSubmission submission;
  submission.sealed.add_runs();
  submission.record.mutable_work()->set_train_flops(5'000'000'000);
  ScoreRuns(assignment, {Of(-1, 0.9)}, &submission);
  EXPECT_EQ(submission.sealed.result().points(), 100);
  submission.record.mutable_work()->set_train_flops(5'000'000'001);
  ScoreRuns(assignment, {Of(-1, 0.9)}, &submission);
  EXPECT_EQ(submission.sealed.result().points(), 90);
}

TEST(ScoringTest, ABetterScoreHasTheGreaterRank) {
  const auto rank = [](const v1::Assignment& assignment, double median) {
    v1::SealedRecord sealed;
    sealed.set_public_median(median);
    return PublicRank(assignment, sealed);
  };
  EXPECT_EQ(rank(Sealed(), 0.5), 500'000'000);
  EXPECT_GT(rank(Sealed(), 0.5 + 2e-9), rank(Sealed(), 0.5));
  EXPECT_EQ(rank(OfErrors(), 2), -2'000'000'000);
  EXPECT_GT(rank(OfErrors(), 1e300), INT64_MIN);
  EXPECT_LT(rank(OfErrors(), 1e300), rank(OfErrors(), 1e9));
}

// The points are a function of the exact value, and so is what is told: pairs of them are at most
// values + levels - 1.
TEST(ScoringTest, TellingBothCostsNoMoreThanThePairsThatThereAre) {
  const v1::Assignment assignment = Sealed();
  const int64_t rows = 200;
  std::set<std::pair<double, int64_t>> pairs;
  for (int64_t right = 0; right <= rows; ++right) {
    const double p = static_cast<double>(right) / static_cast<double>(rows);
    const double q = (static_cast<double>(right) + 2) / (static_cast<double>(rows) + 4);
    const double error = std::max(std::sqrt(p * (1 - p) / static_cast<double>(rows)),
                                  std::sqrt(q * (1 - q) / (static_cast<double>(rows) + 4)));
    const StoredSubmission scored = Scored(assignment, {Of(-1, p, rows, error)});
    pairs.insert({scored.sealed.result().score(), scored.sealed.result().points()});
    EXPECT_EQ(scored.sealed.leak_millibits(), ResultMillibits(assignment, rows));
  }
  EXPECT_GE(static_cast<double>(ResultMillibits(assignment, rows)),
            1'000 * std::log2(static_cast<double>(pairs.size())));
  // By hand: at most one value for each number of right rows, and 3 levels.
  EXPECT_LE(ResultMillibits(assignment, rows),
            static_cast<int64_t>(std::ceil(1'000 * std::log2(203))));
}

TEST(ScoringTest, ALineHasALevelForEachPointAndOneForNone) {
  v1::Assignment assignment = OfErrors();
  const int64_t line = ResultMillibits(assignment, 1'000);
  assignment.mutable_score_rule()->mutable_linear()->set_to_points(1'000'000);
  EXPECT_GT(ResultMillibits(assignment, 1'000), line);
  EXPECT_GE(ResultMillibits(assignment, 1'000),
            static_cast<int64_t>(1'000 * std::log2(1'000'000.0)));
}

}  // namespace
}  // namespace trainyard
