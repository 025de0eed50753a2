#include "core/data/column_stats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/limits.h"
#include "core/data/moments.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

using TopValues = std::vector<std::pair<std::string, int64_t>>;

// The most frequent of `counts`, whose order is that of ties; `text_of` gives a value's text.
template <typename TextOf>
TopValues MostFrequent(const std::vector<int64_t>& counts, TextOf text_of) {
  std::vector<size_t> order(counts.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const size_t kept = std::min<size_t>(order.size(), limits::kTopValuesMax);
  std::partial_sort(
      order.begin(), order.begin() + static_cast<int64_t>(kept), order.end(),
      [&](size_t a, size_t b) { return counts[a] != counts[b] ? counts[a] > counts[b] : a < b; });
  TopValues values;
  for (size_t i = 0; i < kept; ++i) values.emplace_back(text_of(order[i]), counts[order[i]]);
  return values;
}

ColumnStats TextStats(const Column& column) {
  ColumnStats stats;
  // The first one counts missing cells, whose code is -1.
  std::vector<int64_t> counts(column.categories.size() + 1, 0);
  for (const int32_t code : column.codes) ++counts[code - Column::kMissingCode];
  stats.missing_count = counts.front();
  counts.erase(counts.begin());
  stats.distinct_count = static_cast<int64_t>(counts.size());
  stats.top_values = MostFrequent(counts, [&](size_t i) { return column.categories[i]; });
  return stats;
}

// Where the quantiles lie among `count` numbers in order: numpy's (count - 1) · p.
std::array<double, kQuantileProbabilities.size()> QuantilePositions(int64_t count) {
  std::array<double, kQuantileProbabilities.size()> positions;
  for (size_t i = 0; i < positions.size(); ++i)
    positions[i] = static_cast<double>(count - 1) * kQuantileProbabilities[i];
  return positions;
}

void FillOrder(std::span<const double> numbers, const Moments& moments, OrderStatistics* order,
               ColumnStats* stats) {
  const auto positions = QuantilePositions(moments.count);
  std::vector<int64_t> ranks;
  for (const double position : positions) {
    const auto below = static_cast<int64_t>(position);
    ranks.push_back(below);
    ranks.push_back(std::min(below + 1, moments.count - 1));
  }
  // In very small columns the rank above one quantile lies above the next one's too.
  std::vector<int64_t> ascending = ranks;
  std::sort(ascending.begin(), ascending.end());
  const OrderStatistics::Result result = order->Compute(numbers, moments, ascending);
  const auto at_rank = [&](int64_t rank) {
    const auto it = std::lower_bound(ascending.begin(), ascending.end(), rank);
    return result.at_ranks[it - ascending.begin()];
  };
  for (size_t i = 0; i < positions.size(); ++i) {
    stats->quantiles.push_back(Interpolate(at_rank(ranks[2 * i]), at_rank(ranks[2 * i + 1]),
                                           positions[i] - std::floor(positions[i])));
  }
  stats->distinct_count = result.distinct_count;
  std::vector<int64_t> counts;
  for (const auto& [value, count] : result.counts) counts.push_back(count);
  stats->top_values =
      MostFrequent(counts, [&](size_t i) { return NumberText(result.counts[i].first); });
}

}  // namespace

ColumnStats StatsComputer::Compute(const Column& column) {
  if (column.type == ColumnType::kText) return TextStats(column);
  const Moments moments = ComputeMoments(column.numbers);
  ColumnStats stats;
  stats.missing_count = static_cast<int64_t>(column.numbers.size()) - moments.count;
  stats.min = moments.min;
  stats.max = moments.max;
  stats.mean = moments.mean;
  stats.standard_deviation = moments.standard_deviation;
  stats.integers = moments.integers;
  if (moments.count > 0) FillOrder(column.numbers, moments, &order_, &stats);
  return stats;
}

ColumnStats ComputeStats(const Column& column) { return StatsComputer().Compute(column); }

double Interpolate(double a, double b, double fraction) {
  const double distance = b - a;
  if (!std::isfinite(distance)) return a * (1 - fraction) + b * fraction;
  return fraction < 0.5 ? a + distance * fraction : b - distance * (1 - fraction);
}

}  // namespace trainyard
