// Elementwise and reducing loops over plain arrays. Sums run in an order fixed by the sizes alone.
//
// Thread-safety: pure functions. Arrays do not overlap unless one is named twice.
#ifndef TRAINYARD_CORE_TENSOR_VECTOR_OPS_H_
#define TRAINYARD_CORE_TENSOR_VECTOR_OPS_H_

#include <cstdint>

#include "core/tensor/kernels.h"

namespace trainyard {

// y = act(z); z and y may be the same array. z, y: [count]. NaN stays NaN, for every activation.
// `alpha` counts only where HasAlpha.
void ApplyActivation(Activation activation, float alpha, const float* z, float* y, int64_t count);

// dy *= act'(z) where y = act(z). At kinks it is PyTorch's choice (ReLU: 0). z is read only where
// GradientNeedsInput, and may be null elsewhere; y is read everywhere else. z, y, dy: [count].
void ApplyActivationGradient(Activation activation, float alpha, const float* z, const float* y,
                             float* dy, int64_t count);

// Which random numbers decide what drops out.
struct DropoutKey {
  uint64_t seed = 0;
  int64_t layer = 0;  // REQUIRES: in [0, 2^16)
  int64_t step = 0;   // REQUIRES: in [0, 2^48)
};

// y[i] = 0 with probability `rate`, else x[i] / (1 - rate). Whether it drops is a function of the
// key and of the element's index first_index + i alone, so that a batch may be worked on in parts:
// word (index % 32) / 8 of Philox 4x32-10's block index / 32 · 8 + index % 8 against rate·2^32 (the
// blocks are those of Rng(seed, kDropout, layer·2^48 + step)). A dropped NaN is 0. The gradient is
// the same call on dy. x, y: [count], may be the same array. REQUIRES: rate in [0, 1).
void ApplyDropout(const DropoutKey& key, float rate, int64_t first_index, const float* x, float* y,
                  int64_t count);

// bits[i] = x[i] rounded to bfloat16 (the upper half of a float), to nearest, ties to even; NaN
// stays NaN. x, bits: [count].
void RoundToBf16(const float* x, uint16_t* bits, int64_t count);

// sums[c] = Σ_r matrix[r, c]. matrix: [rows, cols], sums: [cols].
void ColumnSums(const float* matrix, int64_t rows, int64_t cols, float* sums);

// Σ x². Finite whenever all of x is; not finite when one element is not. x: [count].
double SumOfSquares(const float* x, int64_t count);

// x: [count].
bool AllFinite(const float* x, int64_t count);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_VECTOR_OPS_H_
