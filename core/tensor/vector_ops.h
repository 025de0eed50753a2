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

// sums[c] = Σ_r matrix[r, c]. matrix: [rows, cols], sums: [cols].
void ColumnSums(const float* matrix, int64_t rows, int64_t cols, float* sums);

// Σ x². Finite whenever all of x is; not finite when one element is not. x: [count].
double SumOfSquares(const float* x, int64_t count);

// x: [count].
bool AllFinite(const float* x, int64_t count);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_VECTOR_OPS_H_
