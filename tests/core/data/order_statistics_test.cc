#include "core/data/order_statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <vector>

#include "core/base/rng.h"
#include "core/data/table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

// Against a full sort, all ranks asked for at once up to 200 of them.
void ExpectOrder(const std::vector<double>& numbers, OrderStatistics* order) {
  std::vector<double> sorted;
  for (const double x : numbers) {
    if (!std::isnan(x)) sorted.push_back(x);
  }
  std::sort(sorted.begin(), sorted.end());
  const auto count = static_cast<int64_t>(sorted.size());
  std::vector<int64_t> ranks;
  std::vector<double> at_ranks;
  for (int64_t rank = 0; rank < count; rank += 1 + count / 200) {
    ranks.insert(ranks.end(), 2, rank);  // twice the same is allowed
    at_ranks.insert(at_ranks.end(), 2, sorted[rank]);
  }
  const OrderStatistics::Result result = order->Compute(numbers, ComputeMoments(numbers), ranks);
  EXPECT_EQ(result.distinct_count, std::unique(sorted.begin(), sorted.end()) - sorted.begin());
  EXPECT_EQ(result.at_ranks, at_ranks);
}

TEST(OrderStatisticsTest, AsAfterSorting) {
  Rng rng(5, RngStream::kAnalysis);
  struct Case {
    const char* name;
    std::function<double()> number;
  };
  const Case cases[] = {
      {"uniform", [&] { return rng.Uniform(); }},
      {"all equal", [] { return -2.5; }},
      {"two far apart", [&] { return rng.Below(2) == 0 ? -1e308 : 1e308; }},
      {"the whole range",
       [&] { return std::ldexp(rng.Normal(), 1000 - static_cast<int>(rng.Below(2000))); }},
      {"subnormal", [&] { return 5e-324 * static_cast<double>(rng.Below(100'000)); }},
      {"one far number", [&] { return rng.Below(10'000) == 0 ? 1e300 : rng.Uniform(); }},
      {"zero half the time", [&] { return rng.Below(2) == 0 ? 0 : rng.Normal(); }},
      {"a few among many",
       [&] { return rng.Below(20) == 0 ? rng.Normal() : std::floor(9 * rng.Uniform()); }},
      {"neighbours", [&] { return 1 + 0x1p-52 * static_cast<double>(rng.Below(50'000)); }},
      {"missing", [&] { return rng.Below(3) == 0 ? Column::kMissingNumber : rng.Normal(); }},
      {"integers far away", [&] { return 0x1p60 + 256 * static_cast<double>(rng.Below(1000)); }},
      {"powers of powers", [&] { return std::exp(std::exp(6 * rng.Uniform())); }},
  };
  OrderStatistics order;  // one for all: what a call leaves behind must not matter to the next
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    for (const int size : {1, 5, 1000, 20'000, 300'000}) {
      std::vector<double> numbers(size);
      std::generate(numbers.begin(), numbers.end(), c.number);
      std::replace(numbers.begin(), numbers.end(), HUGE_VAL, 0.0);
      ExpectOrder(numbers, &order);
    }
  }
}

TEST(OrderStatisticsTest, AscendingAndDescendingNumbers) {
  std::vector<double> numbers;
  for (int i = 0; i < 100'000; ++i) numbers.push_back(i + 0.5);
  OrderStatistics order;
  ExpectOrder(numbers, &order);
  std::reverse(numbers.begin(), numbers.end());
  ExpectOrder(numbers, &order);
}

TEST(OrderStatisticsTest, FewValuesAreCounted) {
  const std::vector<double> numbers = {3, -0.0, 0, Column::kMissingNumber, 3, 2.5, 3};
  const std::vector<int64_t> ranks = {};
  const auto result = OrderStatistics().Compute(numbers, ComputeMoments(numbers), ranks);
  using testing::Pair;
  EXPECT_THAT(result.counts, testing::ElementsAre(Pair(0, 2), Pair(2.5, 1), Pair(3, 3)));
}

}  // namespace
}  // namespace trainyard
