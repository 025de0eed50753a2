#include "core/nn/ranking.h"

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

// Of every pair of a row of the class and another one: how often the first scores higher.
double RocByPairs(const std::vector<ScoredRow>& rows) {
  double won = 0, all = 0;
  for (const ScoredRow& own : rows) {
    for (const ScoredRow& other : rows) {
      if (own.signed_weight <= 0 || other.signed_weight >= 0) continue;
      const double weight = own.signed_weight * -static_cast<double>(other.signed_weight);
      all += weight;
      won += weight * (own.score > other.score ? 1 : own.score == other.score ? 0.5 : 0);
    }
  }
  return won / all;
}

TEST(RankingTest, RocIsTheShareOfPairsInOrder) {
  Rng rng(3, RngStream::kAnalysis);
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::vector<ScoredRow> rows = {{1, 1}, {1, -1}};
    for (int i = 0; i < 50; ++i) {
      const auto weight = static_cast<float>(0.1 + rng.Uniform());
      rows.push_back({static_cast<float>(rng.Below(10)), rng.Below(3) == 0 ? weight : -weight});
    }
    EXPECT_NEAR(AreasOf(rows)->roc_auc, RocByPairs(rows), 1e-12);
  }
}

// The example of scikit-learn's average_precision_score: 0.83.
TEST(RankingTest, AveragePrecisionByHand) {
  const std::optional<RankingAreas> areas =
      AreasOf({{0.1f, -1}, {0.4f, -1}, {0.35f, 1}, {0.8f, 1}});
  EXPECT_NEAR(areas->pr_auc, 0.5 * 1 + 0.5 * 2 / 3, 1e-12);
  EXPECT_NEAR(areas->roc_auc, 0.75, 1e-12);
}

TEST(RankingTest, EqualScoresAreAHalfAndTheShareOfTheClass) {
  const std::optional<RankingAreas> areas = AreasOf({{2, 1}, {2, -1}, {2, -1}, {2, -1}});
  EXPECT_EQ(areas->roc_auc, 0.5);
  EXPECT_EQ(areas->pr_auc, 0.25);
}

TEST(RankingTest, OneKindOfRowsHasNoAreas) {
  EXPECT_FALSE(AreasOf({}).has_value());
  EXPECT_FALSE(AreasOf({{1, 1}, {2, 1}}).has_value());
  EXPECT_FALSE(AreasOf({{1, -1}}).has_value());
}

TEST(RankingTest, NanComesLast) {
  const float nan = RankableScore(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(AreasOf({{nan, -1}, {-1e30f, 1}})->roc_auc, 1);
}

TEST(ScoreSampleTest, KeepsRowsEvenlyOnceThereAreTooMany) {
  ScoreSample sample(/*outputs=*/2, /*scores_max=*/20);
  std::vector<int> kept;
  constexpr int kRows = 100;
  for (int r = 0; r < kRows; ++r) {
    ScoredRow* const row = sample.NextRow();
    if (row == nullptr) continue;
    kept.push_back(r);
    // Of output 0, rows of the class and others in turn of 16 rows; output 1 has one kind only.
    row[0] = {static_cast<float>(r), r % 32 < 16 ? 1.0f : -1.0f};
    row[1] = {0, 1};
  }
  // Rows 0, 16, 32, … are left, at most 10 of them.
  const std::optional<RankingAreas> areas = sample.MacroAreas();
  ASSERT_TRUE(areas.has_value());
  std::vector<ScoredRow> expected;
  for (int r = 0; r < kRows; r += 16) {
    expected.push_back({static_cast<float>(r), r % 32 < 16 ? 1.0f : -1.0f});
  }
  EXPECT_EQ(areas->roc_auc, AreasOf(expected)->roc_auc);
  EXPECT_EQ(areas->pr_auc, AreasOf(expected)->pr_auc);
}

}  // namespace
}  // namespace trainyard
