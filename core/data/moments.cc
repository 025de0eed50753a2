#include "core/data/moments.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/data/table.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

// Independent partial results: enough to hide the latency of an addition in the widest registers.
constexpr int kLanes = 32;
// Numbers looked at by one loop after the other while they are in the first-level cache.
constexpr int64_t kBlock = 2048;
static_assert(kBlock % kLanes == 0);

// A sum and the rounding errors of its additions.
struct SumLanes {
  double sum[kLanes] = {};
  double error[kLanes] = {};

  long double Total() const {
    long double total = 0;
    for (int j = 0; j < kLanes; ++j) total += static_cast<long double>(sum[j]) + error[j];
    return total;
  }
};

// *sum + *error grows by v, but for the rounding of the error.
[[gnu::always_inline]] inline void AddExactly(double v, double* sum, double* error) {
  const double total = *sum + v;
  const double added = total - *sum;
  *error += (*sum - (total - added)) + (v - added);
  *sum = total;
}

struct ExtremeLanes {
  double min[kLanes];
  double max[kLanes];
  double missing[kLanes] = {};   // counts; doubles, so that all lanes are of one kind
  double fraction[kLanes] = {};  // the largest distance from the integer nearer to zero
};

// Comparisons with NaN are false: a missing number changes nothing.
TY_MULTIVERSION void FindExtremes(const double* x, int64_t count, ExtremeLanes* lanes) {
  for (int64_t i = 0; i < count; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) {
      const double v = x[i + j];
      lanes->min[j] = v < lanes->min[j] ? v : lanes->min[j];
      lanes->max[j] = v > lanes->max[j] ? v : lanes->max[j];
      lanes->missing[j] += v == v ? 0.0 : 1.0;
    }
  }
  for (int64_t i = 0; i < count; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) {
      const double fraction = std::fabs(x[i + j] - std::trunc(x[i + j]));
      lanes->fraction[j] = fraction > lanes->fraction[j] ? fraction : lanes->fraction[j];
    }
  }
}

// Adds x[i] · scale to the lane of i.
TY_MULTIVERSION void AddNumbers(const double* x, int64_t count, double scale, SumLanes* lanes) {
  for (int64_t i = 0; i < count; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) {
      const double v = x[i + j] == x[i + j] ? x[i + j] * scale : 0.0;
      AddExactly(v, &lanes->sum[j], &lanes->error[j]);
    }
  }
}

// The mean in two parts, since its own rounding may be as large as the deviation.
struct Center {
  double scale = 1;
  double high = 0;  // both of scaled numbers
  double low = 0;
};

TY_MULTIVERSION void AddSquares(const double* x, int64_t count, const Center& center,
                                SumLanes* lanes) {
  for (int64_t i = 0; i < count; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) {
      const double distance = (x[i + j] * center.scale - center.high) - center.low;
      const double v = x[i + j] == x[i + j] ? distance * distance : 0.0;
      AddExactly(v, &lanes->sum[j], &lanes->error[j]);
    }
  }
}

// Calls `block` for pieces of at most kBlock numbers whose count is a multiple of kLanes; the last
// one is filled up with missing numbers. Their count.
template <typename OnBlock>
int64_t ForEachBlock(std::span<const double> numbers, OnBlock on_block) {
  const auto size = static_cast<int64_t>(numbers.size());
  const int64_t whole = size / kBlock * kBlock;
  for (int64_t i = 0; i < whole; i += kBlock) on_block(numbers.data() + i, kBlock);
  if (whole == size) return 0;
  double last[kBlock];
  const int64_t rest = (size - whole + kLanes - 1) / kLanes * kLanes;
  std::copy(numbers.begin() + whole, numbers.end(), last);
  std::fill(last + (size - whole), last + rest, Column::kMissingNumber);
  on_block(last, rest);
  return whole + rest - size;
}

// Fills count, min, max and integers.
void FillExtremes(const ExtremeLanes& lanes, int64_t size_with_padding, Moments* moments) {
  double missing = 0;
  double fraction = 0;
  moments->min = std::numeric_limits<double>::infinity();
  moments->max = -moments->min;
  for (int j = 0; j < kLanes; ++j) {
    missing += lanes.missing[j];
    fraction = std::max(fraction, lanes.fraction[j]);
    moments->min = std::min(moments->min, lanes.min[j]);
    moments->max = std::max(moments->max, lanes.max[j]);
  }
  moments->count = size_with_padding - static_cast<int64_t>(missing);
  moments->integers = fraction == 0;
}

// 2^-k, where k is the exponent of x: x · scale is in [0.5, 1). As near to it as a double can be.
double ScaleOf(double x) {
  if (x == 0) return 1;
  return std::ldexp(1.0, std::clamp(-std::ilogb(x) - 1, -1022, 1022));
}

// `sums` are those of the numbers as they are.
long double Mean(std::span<const double> numbers, const Moments& moments, const SumLanes& sums) {
  const auto count = static_cast<long double>(moments.count);
  const long double sum = sums.Total();
  if (std::isfinite(sum)) return sum / count;
  const double scale = ScaleOf(std::max(std::fabs(moments.min), std::fabs(moments.max)));
  SumLanes scaled;
  ForEachBlock(numbers,
               [&](const double* x, int64_t size) { AddNumbers(x, size, scale, &scaled); });
  return scaled.Total() / count / scale;
}

double Deviation(std::span<const double> numbers, const Moments& moments, long double mean) {
  // Halves: the distance of two numbers may be too large for a double.
  const long double half_reach = std::max(moments.max - mean, mean - moments.min) / 2;
  Center center{.scale = ScaleOf(static_cast<double>(half_reach)) / 2};
  center.high = static_cast<double>(mean * center.scale);
  center.low = static_cast<double>(mean * center.scale - center.high);
  SumLanes squares;
  ForEachBlock(numbers,
               [&](const double* x, int64_t size) { AddSquares(x, size, center, &squares); });
  const long double variance = squares.Total() / static_cast<long double>(moments.count);
  return static_cast<double>(std::sqrt(variance) / center.scale);
}

}  // namespace

Moments ComputeMoments(std::span<const double> numbers) {
  ExtremeLanes extremes;
  std::fill_n(extremes.min, kLanes, std::numeric_limits<double>::infinity());
  std::fill_n(extremes.max, kLanes, -std::numeric_limits<double>::infinity());
  SumLanes sums;
  const int64_t padding = ForEachBlock(numbers, [&](const double* x, int64_t count) {
    FindExtremes(x, count, &extremes);
    AddNumbers(x, count, 1, &sums);
  });
  Moments moments;
  FillExtremes(extremes, static_cast<int64_t>(numbers.size()) + padding, &moments);
  if (moments.count == 0) return {};
  if (moments.min == moments.max) {
    moments.mean = moments.min;
    return moments;
  }
  const long double mean = Mean(numbers, moments, sums);
  moments.mean = static_cast<double>(mean);
  moments.standard_deviation = Deviation(numbers, moments, mean);
  return moments;
}

}  // namespace trainyard
