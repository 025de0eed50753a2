#include "core/data/preprocessor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/check.h"

namespace trainyard {
namespace {

struct Moments {
  double mean = 0;
  double inverse_deviation = 0;  // 0 for a constant feature
};

// Extended precision: neither the sum of ten million values nor the square of a large one loses
// what matters.
Moments MomentsOf(const std::vector<double>& numbers, std::span<const int64_t> rows) {
  if (rows.empty()) return {};
  const auto count = static_cast<long double>(rows.size());
  double min = numbers[rows[0]];
  double max = min;
  long double sum = 0;
  for (const int64_t row : rows) {
    min = std::min(min, numbers[row]);
    max = std::max(max, numbers[row]);
    sum += numbers[row];
  }
  // Compared exactly: the rounding of a mean would give a constant feature a tiny deviation, and a
  // huge factor.
  if (min == max) return {min, 0};
  const long double mean = sum / count;
  long double squares = 0;
  for (const int64_t row : rows) squares += (numbers[row] - mean) * (numbers[row] - mean);
  const auto inverse = static_cast<double>(1 / std::sqrt(squares / count));
  return {static_cast<double>(mean), std::isfinite(inverse) ? inverse : 0};
}

}  // namespace

Preprocessor::Preprocessor(std::vector<double> offsets, std::vector<double> scales)
    : offsets_(std::move(offsets)), scales_(std::move(scales)) {
  TY_CHECK(offsets_.size() == scales_.size());
}

Preprocessor Preprocessor::Fit(std::span<const Column* const> columns,
                               std::span<const int64_t> rows, Scaling scaling) {
  std::vector<double> offsets(columns.size(), 0.0);
  std::vector<double> scales(columns.size(), 1.0);
  if (scaling == Scaling::kNone) return Preprocessor(std::move(offsets), std::move(scales));
  for (size_t i = 0; i < columns.size(); ++i) {
    const Moments moments = MomentsOf(columns[i]->numbers, rows);
    offsets[i] = moments.mean;
    scales[i] = moments.inverse_deviation;
  }
  return Preprocessor(std::move(offsets), std::move(scales));
}

void Preprocessor::Apply(std::span<const double> raw, std::span<float> out) const {
  for (size_t i = 0; i < offsets_.size(); ++i) {
    out[i] = static_cast<float>((raw[i] - offsets_[i]) * scales_[i]);
  }
}

}  // namespace trainyard
