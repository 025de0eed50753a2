#include "core/data/column_stats.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/base/limits.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

using ValueCounts = std::vector<std::pair<std::string, int64_t>>;

// The first kTopValuesMax of `counts`, which come in the order of ties.
ValueCounts TopValues(ValueCounts counts) {
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (counts.size() > static_cast<size_t>(limits::kTopValuesMax))
    counts.resize(limits::kTopValuesMax);
  return counts;
}

ColumnStats TextStats(const Column& column) {
  ColumnStats stats;
  std::vector<int64_t> counts(column.categories.size(), 0);
  for (const int32_t code : column.codes) {
    if (code == Column::kMissingCode) {
      ++stats.missing_count;
    } else {
      ++counts[code];
    }
  }
  ValueCounts values;
  for (size_t i = 0; i < counts.size(); ++i) values.emplace_back(column.categories[i], counts[i]);
  stats.distinct_count =
      std::min<int64_t>(static_cast<int64_t>(values.size()), limits::kDistinctCountMax);
  stats.top_values = TopValues(std::move(values));
  return stats;
}

void FillMoments(const std::vector<double>& numbers, ColumnStats* stats) {
  long double sum = 0;
  int64_t count = 0;
  stats->integers = true;
  for (const double x : numbers) {
    if (std::isnan(x)) continue;
    stats->min = count == 0 ? x : std::min(stats->min, x);
    stats->max = count == 0 ? x : std::max(stats->max, x);
    stats->integers = stats->integers && x == std::trunc(x);
    sum += x;
    ++count;
  }
  stats->missing_count = static_cast<int64_t>(numbers.size()) - count;
  if (count == 0) {
    stats->integers = false;
    return;
  }
  const long double mean = sum / count;
  long double squares = 0;
  for (const double x : numbers) {
    if (!std::isnan(x)) squares += (x - mean) * (x - mean);
  }
  const bool constant = stats->min == stats->max;
  stats->mean = constant ? stats->min : static_cast<double>(mean);
  stats->standard_deviation = constant ? 0 : static_cast<double>(std::sqrt(squares / count));
}

// Counts different values until there are limits::kDistinctCountMax of them.
void FillDistinct(const std::vector<double>& numbers, ColumnStats* stats) {
  absl::flat_hash_map<double, int64_t> counts;
  for (const double x : numbers) {
    if (counts.size() == static_cast<size_t>(limits::kDistinctCountMax)) break;
    if (!std::isnan(x)) ++counts[x];
  }
  stats->distinct_count = static_cast<int64_t>(counts.size());
  if (stats->distinct_count > limits::kTopValuesMax) return;
  std::vector<std::pair<double, int64_t>> by_value(counts.begin(), counts.end());
  std::sort(by_value.begin(), by_value.end());
  ValueCounts values;
  for (const auto& [value, count] : by_value) values.emplace_back(NumberText(value), count);
  stats->top_values = TopValues(std::move(values));
}

}  // namespace

ColumnStats ComputeStats(const Column& column) {
  if (column.type == ColumnType::kText) return TextStats(column);
  ColumnStats stats;
  FillMoments(column.numbers, &stats);
  FillDistinct(column.numbers, &stats);
  return stats;
}

}  // namespace trainyard
