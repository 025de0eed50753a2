#include "core/nn/normalization.h"

#include <algorithm>
#include <cmath>

#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

// Columns that are summed at once, and rows summed in float before the sums go into doubles.
constexpr int64_t kStrip = 64;
constexpr int64_t kRowBlock = 256;
constexpr int64_t kLanes = 16;

// What a strip of columns adds up over some rows; `stride` apart. REQUIRES: cols ≤ kStrip.
TY_MULTIVERSION void AddValues(const float* x, const float* /*centers*/, int64_t rows, int64_t cols,
                               int64_t stride, float* sums) {
  for (int64_t r = 0; r < rows; ++r, x += stride) {
    for (int64_t c = 0; c < cols; ++c) sums[c] += x[c];
  }
}

TY_MULTIVERSION void AddSquaredDistances(const float* x, const float* centers, int64_t rows,
                                         int64_t cols, int64_t stride, float* sums) {
  for (int64_t r = 0; r < rows; ++r, x += stride) {
    for (int64_t c = 0; c < cols; ++c) {
      const float distance = x[c] - centers[c];
      sums[c] += distance * distance;
    }
  }
}

TY_MULTIVERSION void AddProducts(const float* x, const float* y, int64_t rows, int64_t cols,
                                 int64_t stride, float* sums) {
  for (int64_t r = 0; r < rows; ++r, x += stride, y += stride) {
    for (int64_t c = 0; c < cols; ++c) sums[c] += x[c] * y[c];
  }
}

using AddRows = void (*)(const float* x, const float* other, int64_t rows, int64_t cols,
                         int64_t stride, float* sums);

// Sums over all rows of one strip: floats within a block of rows, doubles over the blocks, so that
// the error does not grow with the batch. `other` begins with its strip; it moves along with the
// rows when `other_stride` is not 0.
void SumStrip(AddRows add, const float* x, const float* other, int64_t other_stride, int64_t rows,
              int64_t cols, int64_t stride, double* sums) {
  std::fill_n(sums, cols, 0.0);
  for (int64_t begin = 0; begin < rows; begin += kRowBlock) {
    float block[kStrip] = {};
    add(x + begin * stride, other == nullptr ? nullptr : other + begin * other_stride,
        std::min(kRowBlock, rows - begin), cols, stride, block);
    for (int64_t c = 0; c < cols; ++c) sums[c] += block[c];
  }
}

float InverseDeviation(double variance) {
  return static_cast<float>(1 / std::sqrt(variance + kNormalizationEpsilon));
}

// z = (z - means)·inverses, row by row.
TY_MULTIVERSION void Standardize(float* __restrict z, int64_t rows, int64_t cols, int64_t stride,
                                 const float* __restrict means, const float* __restrict inverses) {
  for (int64_t r = 0; r < rows; ++r, z += stride) {
    for (int64_t c = 0; c < cols; ++c) z[c] = (z[c] - means[c]) * inverses[c];
  }
}

void Approach(double value, float* running) {
  *running += kBatchNormMomentum * (static_cast<float>(value) - *running);
}

void NormalizeStrip(float* z, int64_t rows, int64_t cols, int64_t stride, float* inverses,
                    const RunningMoments& running) {
  double sums[kStrip];
  float means[kStrip];
  const auto count = static_cast<double>(rows);
  SumStrip(AddValues, z, nullptr, 0, rows, cols, stride, sums);
  for (int64_t c = 0; c < cols; ++c) {
    means[c] = static_cast<float>(sums[c] / count);
    if (rows > 1) Approach(sums[c] / count, running.means + c);
  }
  SumStrip(AddSquaredDistances, z, means, 0, rows, cols, stride, sums);
  for (int64_t c = 0; c < cols; ++c) {
    inverses[c] = InverseDeviation(sums[c] / count);
    if (rows > 1) Approach(sums[c] / (count - 1), running.variances + c);
  }
  Standardize(z, rows, cols, stride, means, inverses);
}

// Sums over one row run in kLanes chains side by side that are added up in a fixed order.

[[gnu::always_inline]] inline float AddLanes(float* lanes) {
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

[[gnu::always_inline]] inline float SumRow(const float* x, int64_t count) {
  float lanes[kLanes] = {};
  const int64_t whole = count - count % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane];
  }
  for (int64_t i = whole; i < count; ++i) lanes[i - whole] += x[i];
  return AddLanes(lanes);
}

[[gnu::always_inline]] inline float SumRowSquares(const float* x, float center, int64_t count) {
  float lanes[kLanes] = {};
  const int64_t whole = count - count % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += (x[i + lane] - center) * (x[i + lane] - center);
    }
  }
  for (int64_t i = whole; i < count; ++i) lanes[i - whole] += (x[i] - center) * (x[i] - center);
  return AddLanes(lanes);
}

[[gnu::always_inline]] inline float SumRowProducts(const float* x, const float* y, int64_t count) {
  float lanes[kLanes] = {};
  const int64_t whole = count - count % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane] * y[i + lane];
  }
  for (int64_t i = whole; i < count; ++i) lanes[i - whole] += x[i] * y[i];
  return AddLanes(lanes);
}

}  // namespace

void NormalizeColumns(float* z, int64_t rows, int64_t units, float* inverses,
                      const RunningMoments& running) {
  for (int64_t c = 0; c < units; c += kStrip) {
    NormalizeStrip(z + c, rows, std::min(kStrip, units - c), units, inverses + c,
                   {running.means + c, running.variances + c});
  }
}

void NormalizeColumnsBy(const RunningMoments& running, float* z, int64_t rows, int64_t units,
                        float* inverses) {
  for (int64_t c = 0; c < units; ++c) {
    inverses[c] = InverseDeviation(static_cast<double>(running.variances[c]));
  }
  Standardize(z, rows, units, units, running.means, inverses);
}

TY_MULTIVERSION void NormalizeRows(float* z, int64_t rows, int64_t units, float* inverses) {
  const auto count = static_cast<float>(units);
  for (int64_t r = 0; r < rows; ++r, z += units) {
    const float mean = SumRow(z, units) / count;
    const float variance = SumRowSquares(z, mean, units) / count;
    const float inverse = 1 / std::sqrt(variance + kNormalizationEpsilon);
    inverses[r] = inverse;
    for (int64_t c = 0; c < units; ++c) z[c] = (z[c] - mean) * inverse;
  }
}

TY_MULTIVERSION void ScaleAndShift(const float* x_hat, int64_t rows, int64_t units,
                                   const float* __restrict gains, const float* __restrict shifts,
                                   float* y) {
  for (int64_t r = 0; r < rows; ++r, x_hat += units, y += units) {
    for (int64_t c = 0; c < units; ++c) y[c] = gains[c] * x_hat[c] + shifts[c];
  }
}

void NormalizationGradients(const float* dy, const float* x_hat, int64_t rows, int64_t units,
                            float* d_gains, float* d_shifts) {
  double sums[kStrip];
  for (int64_t c = 0; c < units; c += kStrip) {
    const int64_t cols = std::min(kStrip, units - c);
    SumStrip(AddProducts, dy + c, x_hat + c, units, rows, cols, units, sums);
    for (int64_t i = 0; i < cols; ++i) d_gains[c + i] = static_cast<float>(sums[i]);
    SumStrip(AddValues, dy + c, nullptr, 0, rows, cols, units, sums);
    for (int64_t i = 0; i < cols; ++i) d_shifts[c + i] = static_cast<float>(sums[i]);
  }
}

// With n rows: ∂L/∂z = gain·inverse·(dy - Σdy/n - x̂·Σ(dy·x̂)/n); the sums are the gradients of shift
// and gain.
TY_MULTIVERSION void ColumnsBackward(const float* __restrict x_hat, int64_t rows, int64_t units,
                                     const float* __restrict inverses,
                                     const float* __restrict gains, const float* __restrict d_gains,
                                     const float* __restrict d_shifts, float* __restrict dy) {
  const float share = 1 / static_cast<float>(rows);
  for (int64_t r = 0; r < rows; ++r, x_hat += units, dy += units) {
    for (int64_t c = 0; c < units; ++c) {
      dy[c] = gains[c] * inverses[c] * (dy[c] - share * (d_shifts[c] + x_hat[c] * d_gains[c]));
    }
  }
}

// With n units and g = dy·gain: ∂L/∂z = inverse·(g - Σg/n - x̂·Σ(g·x̂)/n), row by row.
TY_MULTIVERSION void RowsBackward(const float* __restrict x_hat, int64_t rows, int64_t units,
                                  const float* __restrict inverses, const float* __restrict gains,
                                  float* __restrict dy) {
  const float share = 1 / static_cast<float>(units);
  for (int64_t r = 0; r < rows; ++r, x_hat += units, dy += units) {
    for (int64_t c = 0; c < units; ++c) dy[c] *= gains[c];
    const float mean = SumRow(dy, units) * share;
    const float slope = SumRowProducts(dy, x_hat, units) * share;
    for (int64_t c = 0; c < units; ++c) dy[c] = inverses[r] * (dy[c] - mean - x_hat[c] * slope);
  }
}

}  // namespace trainyard
