#include "core/data/column_stats.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

ColumnStats StatsOfNumbers(std::vector<double> numbers) {
  Column column;
  column.numbers = std::move(numbers);
  return ComputeStats(column);
}

TEST(ColumnStatsTest, NumbersByHand) {
  const ColumnStats stats = StatsOfNumbers({1, 2, Column::kMissingNumber, 4, 1});
  EXPECT_EQ(stats.missing_count, 1);
  EXPECT_EQ(stats.distinct_count, 3);
  EXPECT_EQ(stats.min, 1);
  EXPECT_EQ(stats.max, 4);
  EXPECT_EQ(stats.mean, 2);
  EXPECT_DOUBLE_EQ(stats.standard_deviation, std::sqrt(1.5));
  EXPECT_TRUE(stats.integers);
  EXPECT_THAT(stats.top_values, ElementsAre(Pair("1", 2), Pair("2", 1), Pair("4", 1)));
}

TEST(ColumnStatsTest, NoCancellationAndNoOverflow) {
  const ColumnStats far = StatsOfNumbers({1e9 + 1, 1e9 + 2, 1e9 + 3});
  EXPECT_NEAR(far.standard_deviation, std::sqrt(2.0 / 3.0), 1e-12);
  const ColumnStats huge = StatsOfNumbers({1e308, -1e308});
  EXPECT_EQ(huge.mean, 0);
  EXPECT_DOUBLE_EQ(huge.standard_deviation, 1e308);
}

TEST(ColumnStatsTest, AConstantColumnHasNoDeviation) {
  const ColumnStats stats = StatsOfNumbers(std::vector<double>(1000, 0.1));
  EXPECT_EQ(stats.mean, 0.1);
  EXPECT_EQ(stats.standard_deviation, 0);
  EXPECT_FALSE(stats.integers);
}

TEST(ColumnStatsTest, AColumnOfMissingCells) {
  const ColumnStats stats = StatsOfNumbers({Column::kMissingNumber, Column::kMissingNumber});
  EXPECT_EQ(stats.missing_count, 2);
  EXPECT_EQ(stats.distinct_count, 0);
  EXPECT_EQ(stats.mean, 0);
  EXPECT_FALSE(stats.integers);
}

TEST(ColumnStatsTest, DifferentNumbersAreCountedToTheLast) {
  std::vector<double> numbers;
  for (int i = 0; i < 30'000; ++i) numbers.push_back(0.25 * (i % 20'011));
  const ColumnStats stats = StatsOfNumbers(numbers);
  EXPECT_EQ(stats.distinct_count, 20'011);
  EXPECT_THAT(stats.top_values, IsEmpty());
}

TEST(ColumnStatsTest, QuantilesInterpolate) {
  const ColumnStats stats = StatsOfNumbers({4, Column::kMissingNumber, 1, 3, 2, 5});
  EXPECT_THAT(stats.quantiles,
              ElementsAre(DoubleEq(1.04), DoubleEq(1.2), 2, 3, 4, DoubleEq(4.8), DoubleEq(4.96)));
}

TEST(ColumnStatsTest, TextCountsMostFrequentFirstTiesByValue) {
  Column column;
  column.type = ColumnType::kText;
  column.categories = {"a", "b", "c"};
  column.codes = {2, 1, 2, 0, Column::kMissingCode};
  const ColumnStats stats = ComputeStats(column);
  EXPECT_EQ(stats.missing_count, 1);
  EXPECT_EQ(stats.distinct_count, 3);
  EXPECT_THAT(stats.top_values, ElementsAre(Pair("c", 2), Pair("a", 1), Pair("b", 1)));
}

}  // namespace
}  // namespace trainyard
