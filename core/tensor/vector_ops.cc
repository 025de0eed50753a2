#include "core/tensor/vector_ops.h"

#include <algorithm>
#include <cmath>

#include "core/base/check.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_math.h"

namespace trainyard {
namespace {

// Independent partial sums: enough to hide the latency of an addition in the widest registers.
constexpr int64_t kLanes = 64;
// Floats summed in float before the partial sums go into a double.
constexpr int64_t kBlock = 4096;
constexpr int64_t kRowBlock = 256;

// Written so that a NaN falls into the branch that keeps it.
TY_MULTIVERSION void Relu(float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = y[i] < 0 ? 0 : y[i];
}

TY_MULTIVERSION void SigmoidAll(float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = Sigmoid(y[i]);
}

void TanhAll(float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = std::tanh(y[i]);
}

TY_MULTIVERSION void ReluGradient(const float* y, float* dy, int64_t count) {
  for (int64_t i = 0; i < count; ++i) dy[i] = y[i] > 0 ? dy[i] : 0;
}

TY_MULTIVERSION void SigmoidGradient(const float* y, float* dy, int64_t count) {
  for (int64_t i = 0; i < count; ++i) dy[i] *= y[i] * (1 - y[i]);
}

TY_MULTIVERSION void TanhGradient(const float* y, float* dy, int64_t count) {
  for (int64_t i = 0; i < count; ++i) dy[i] *= 1 - y[i] * y[i];
}

// Adds the squares of x[0, count) into lanes. REQUIRES: count is a multiple of kLanes.
TY_MULTIVERSION void AddSquares(const float* x, int64_t count, float* lanes) {
  float sums[kLanes] = {};
  for (int64_t i = 0; i < count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += x[i + lane] * x[i + lane];
  }
  std::copy(sums, sums + kLanes, lanes);
}

double SumOfSquaresExactly(const float* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

// Adds rows [0, rows) of `cols` columns, `stride` apart, in float. REQUIRES: cols ≤ kLanes.
TY_MULTIVERSION void AddRows(const float* matrix, int64_t rows, int64_t cols, int64_t stride,
                             float* sums) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) sums[c] += matrix[r * stride + c];
  }
}

// Sums of a strip of at most kLanes columns: floats within a block of rows, doubles over the
// blocks, so that the error does not grow with the batch.
void StripSums(const float* matrix, int64_t rows, int64_t cols, int64_t stride, float* sums) {
  double totals[kLanes] = {};
  for (int64_t begin = 0; begin < rows; begin += kRowBlock) {
    float block[kLanes] = {};
    AddRows(matrix + begin * stride, std::min(kRowBlock, rows - begin), cols, stride, block);
    for (int64_t c = 0; c < cols; ++c) totals[c] += block[c];
  }
  for (int64_t c = 0; c < cols; ++c) sums[c] = static_cast<float>(totals[c]);
}

// Sum of x[0, count) in float, over kLanes chains that run side by side: a single one would wait
// for each addition.
TY_MULTIVERSION float ContiguousSum(const float* x, int64_t count) {
  float lanes[kLanes] = {};
  const int64_t whole = count - count % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane];
  }
  for (int64_t i = whole; i < count; ++i) lanes[i - whole] += x[i];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

// One column, as of a layer with a single output: the rows are contiguous.
float ColumnSum(const float* column, int64_t rows) {
  double total = 0;
  for (int64_t begin = 0; begin < rows; begin += kBlock) {
    total += ContiguousSum(column + begin, std::min(kBlock, rows - begin));
  }
  return static_cast<float>(total);
}

}  // namespace

void ApplyActivation(Activation activation, float /*alpha*/, const float* z, float* y,
                     int64_t count) {
  if (z != y) std::copy_n(z, count, y);
  switch (activation) {
    case Activation::kIdentity:
      return;
    case Activation::kRelu:
      return Relu(y, count);
    case Activation::kSigmoid:
      return SigmoidAll(y, count);
    case Activation::kTanh:
      return TanhAll(y, count);
    default:
      break;
  }
  TY_CHECK(false);
}

void ApplyActivationGradient(Activation activation, float /*alpha*/, const float* /*z*/,
                             const float* y, float* dy, int64_t count) {
  switch (activation) {
    case Activation::kIdentity:
      return;
    case Activation::kRelu:
      return ReluGradient(y, dy, count);
    case Activation::kSigmoid:
      return SigmoidGradient(y, dy, count);
    case Activation::kTanh:
      return TanhGradient(y, dy, count);
    default:
      break;
  }
  TY_CHECK(false);
}

void ColumnSums(const float* matrix, int64_t rows, int64_t cols, float* sums) {
  if (cols == 1) {
    sums[0] = ColumnSum(matrix, rows);
    return;
  }
  for (int64_t c = 0; c < cols; c += kLanes) {
    StripSums(matrix + c, rows, std::min(kLanes, cols - c), cols, sums + c);
  }
}

double SumOfSquares(const float* x, int64_t count) {
  double sum = 0;
  const int64_t whole = count - count % kLanes;
  for (int64_t begin = 0; begin < whole; begin += kBlock) {
    float lanes[kLanes];
    AddSquares(x + begin, std::min(kBlock, whole - begin), lanes);
    for (const float lane : lanes) sum += lane;
  }
  sum += SumOfSquaresExactly(x + whole, count - whole);
  // Squares of finite floats may overflow a float, never a double.
  return std::isfinite(sum) ? sum : SumOfSquaresExactly(x, count);
}

bool AllFinite(const float* x, int64_t count) { return std::isfinite(SumOfSquares(x, count)); }

}  // namespace trainyard
