#include "core/tensor/vector_ops.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/tensor/activation_math.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_math.h"

namespace trainyard {
namespace {

// Independent partial sums: enough to hide the latency of an addition in the widest registers.
constexpr int64_t kLanes = 64;
// Floats summed in float before the partial sums go into a double.
constexpr int64_t kBlock = 4096;
constexpr int64_t kRowBlock = 256;
// Elements whose random words are drawn together: they stay in the first-level cache.
constexpr int64_t kDropChunk = 1024;

namespace math = activation_math;

// y[i] = f(z[i]), which may be one array: no element depends on another.
template <typename Function>
[[gnu::always_inline]] inline void Map(const float* z, float* y, int64_t count, Function f) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) y[i] = f(z[i]);
}

// dy[i] *= slope(v[i])
template <typename Function>
[[gnu::always_inline]] inline void MapGradient(const float* __restrict v, float* __restrict dy,
                                               int64_t count, Function slope) {
  for (int64_t i = 0; i < count; ++i) dy[i] *= slope(v[i]);
}

#define TY_FUNCTION(argument, expression) \
  [=](float argument) __attribute__((always_inline)) { return expression; }

TY_MULTIVERSION void ActivateCheap(Activation activation, float alpha, const float* z, float* y,
                                   int64_t count) {
  switch (activation) {
    case Activation::kRelu:
      return Map(z, y, count, TY_FUNCTION(v, math::Relu(v)));
    case Activation::kLeakyRelu:
      return Map(z, y, count, TY_FUNCTION(v, math::LeakyRelu(v, alpha)));
    case Activation::kHardSigmoid:
      return Map(z, y, count, TY_FUNCTION(v, math::HardSigmoid(v)));
    case Activation::kHardTanh:
      return Map(z, y, count, TY_FUNCTION(v, math::Clamp(v, -1, 1)));
    case Activation::kHardSwish:
      return Map(z, y, count, TY_FUNCTION(v, math::HardSwish(v)));
    default:
      return Map(z, y, count, TY_FUNCTION(v, v));
  }
}

TY_MULTIVERSION void ActivateByExp(Activation activation, float alpha, const float* z, float* y,
                                   int64_t count) {
  switch (activation) {
    case Activation::kSigmoid:
      return Map(z, y, count, TY_FUNCTION(v, Sigmoid(v)));
    case Activation::kTanh:
      return Map(z, y, count, TY_FUNCTION(v, Tanh(v)));
    case Activation::kElu:
      return Map(z, y, count, TY_FUNCTION(v, math::Elu(v, alpha)));
    case Activation::kSelu:
      return Map(z, y, count, TY_FUNCTION(v, math::Selu(v)));
    case Activation::kGelu:
      return Map(z, y, count, TY_FUNCTION(v, math::Gelu(v)));
    case Activation::kGeluTanh:
      return Map(z, y, count, TY_FUNCTION(v, math::GeluTanh(v)));
    case Activation::kSilu:
      return Map(z, y, count, TY_FUNCTION(v, math::Silu(v)));
    default:
      return Map(z, y, count, TY_FUNCTION(v, math::Softplus(v)));
  }
}

// The derivatives that are functions of the output.
TY_MULTIVERSION void GradientOfOutput(Activation activation, float alpha, const float* y, float* dy,
                                      int64_t count) {
  switch (activation) {
    case Activation::kRelu:
      // Not a product: what does not flow is 0, whatever came down.
      for (int64_t i = 0; i < count; ++i) dy[i] = y[i] > 0 ? dy[i] : 0;
      return;
    case Activation::kSigmoid:
      return MapGradient(y, dy, count, TY_FUNCTION(v, math::SigmoidSlope(v)));
    case Activation::kTanh:
      return MapGradient(y, dy, count, TY_FUNCTION(v, math::TanhSlope(v)));
    case Activation::kLeakyRelu:
      return MapGradient(y, dy, count, TY_FUNCTION(v, math::LeakyReluSlope(v, alpha)));
    case Activation::kElu:
      return MapGradient(y, dy, count, TY_FUNCTION(v, math::EluSlope(v, alpha)));
    case Activation::kSelu:
      return MapGradient(y, dy, count, TY_FUNCTION(v, math::SeluSlope(v)));
    case Activation::kSoftplus:
      return MapGradient(y, dy, count, TY_FUNCTION(v, math::SoftplusSlope(v)));
    case Activation::kHardSigmoid:
      return MapGradient(y, dy, count, TY_FUNCTION(v, math::HardSigmoidSlope(v)));
    default:
      return MapGradient(y, dy, count, TY_FUNCTION(v, math::HardTanhSlope(v)));
  }
}

// The derivatives that are functions of the input.
TY_MULTIVERSION void GradientOfInput(Activation activation, const float* z, float* dy,
                                     int64_t count) {
  switch (activation) {
    case Activation::kGelu:
      return MapGradient(z, dy, count, TY_FUNCTION(v, math::GeluSlope(v)));
    case Activation::kGeluTanh:
      return MapGradient(z, dy, count, TY_FUNCTION(v, math::GeluTanhSlope(v)));
    case Activation::kSilu:
      return MapGradient(z, dy, count, TY_FUNCTION(v, math::SiluSlope(v)));
    default:
      return MapGradient(z, dy, count, TY_FUNCTION(v, math::HardSwishSlope(v)));
  }
}

#undef TY_FUNCTION

bool IsCheap(Activation activation) {
  return activation == Activation::kRelu || activation == Activation::kLeakyRelu ||
         activation == Activation::kHardSigmoid || activation == Activation::kHardTanh ||
         activation == Activation::kHardSwish || activation == Activation::kIdentity;
}

TY_MULTIVERSION void Drop(const uint32_t* __restrict words, uint32_t below, float scale,
                          const float* x, float* y, int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) y[i] = words[i] < below ? 0 : x[i] * scale;
}

TY_MULTIVERSION void RoundAll(const float* __restrict x, uint16_t* __restrict bits, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t word = std::bit_cast<uint32_t>(x[i]);
    const uint32_t rounded = word + 0x7fffU + (word >> 16 & 1U);
    // Rounding could carry a NaN over to zero; its quiet bit cannot be lost.
    const bool nan = (word & 0x7fffffffU) > 0x7f800000U;
    bits[i] = static_cast<uint16_t>((nan ? word | 0x400000U : rounded) >> 16);
  }
}

// Squares in kLanes float sums, those in kDoubles double ones: every chain of additions is short
// for small arrays too. REQUIRES: count ≤ kBlock.
TY_MULTIVERSION double BlockOfSquares(const float* x, int64_t count) {
  constexpr int64_t kDoubles = 8;
  float lanes[kLanes] = {};
  const int64_t whole = count - count % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane] * x[i + lane];
  }
  for (int64_t i = whole; i < count; ++i) lanes[i - whole] += x[i] * x[i];
  double sums[kDoubles] = {};
  for (int64_t lane = 0; lane < kLanes; lane += kDoubles) {
    for (int64_t i = 0; i < kDoubles; ++i) sums[i] += lanes[lane + i];
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
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

void ApplyActivation(Activation activation, float alpha, const float* z, float* y, int64_t count) {
  TY_CHECK(activation != Activation::kUnspecified);
  if (activation == Activation::kIdentity && z == y) return;
  (IsCheap(activation) ? ActivateCheap : ActivateByExp)(activation, alpha, z, y, count);
}

void ApplyActivationGradient(Activation activation, float alpha, const float* z, const float* y,
                             float* dy, int64_t count) {
  TY_CHECK(activation != Activation::kUnspecified);
  if (activation == Activation::kIdentity) return;
  if (!GradientNeedsInput(activation)) return GradientOfOutput(activation, alpha, y, dy, count);
  TY_CHECK(z != nullptr);
  GradientOfInput(activation, z, dy, count);
}

void ApplyDropout(const DropoutKey& key, float rate, int64_t first_index, const float* x, float* y,
                  int64_t count) {
  TY_CHECK(rate >= 0 && rate < 1);
  const PhiloxKey philox = KeyOf(key.seed, RngStream::kDropout);
  const uint64_t substream =
      static_cast<uint64_t>(key.layer) << 48 | static_cast<uint64_t>(key.step);
  const uint32_t below = static_cast<uint32_t>(std::ldexp(static_cast<double>(rate), 32));
  const float scale = 1 / (1 - rate);
  alignas(64) uint32_t words[kDropChunk];
  for (int64_t done = 0; done < count;) {
    const int64_t index = first_index + done;
    const int64_t skipped = index % kPhiloxGroupWords;
    const int64_t drawn = std::min(kDropChunk, skipped + count - done);
    const int64_t groups = (drawn + kPhiloxGroupWords - 1) / kPhiloxGroupWords;
    FillPhilox(philox, substream, static_cast<uint64_t>(index / kPhiloxGroupWords), groups, words);
    Drop(words + skipped, below, scale, x + done, y + done, drawn - skipped);
    done += drawn - skipped;
  }
}

void RoundToBf16(const float* x, uint16_t* bits, int64_t count) { RoundAll(x, bits, count); }

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
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    sum += BlockOfSquares(x + begin, std::min(kBlock, count - begin));
  }
  // Squares of finite floats may overflow a float, never a double.
  return std::isfinite(sum) ? sum : SumOfSquaresExactly(x, count);
}

bool AllFinite(const float* x, int64_t count) { return std::isfinite(SumOfSquares(x, count)); }

}  // namespace trainyard
