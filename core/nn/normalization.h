// The loops of batch and layer normalisation: x̂ = (z - mean) / sqrt(variance + ε), over each column
// (unit) of a batch or over each row of it, then y = gain·x̂ + shift unit by unit. Formulas are
// PyTorch's BatchNorm1d and LayerNorm: biased variances, but an unbiased one in the running mean.
//
//   NormalizeColumns(z, rows, units, z, deviations, running);     // z becomes x̂
//   ScaleAndShift(z, rows, units, gains, shifts, y);
//   ...
//   NormalizationGradients(dy, x_hat, rows, units, d_gains, d_shifts);
//   ColumnsBackward(x_hat, rows, units, deviations, gains, d_gains, d_shifts, dy);   // becomes
//   ∂L/∂z
//
// Matrices are [rows, units], row-major; sums over rows run in blocks, in an order fixed by the
// sizes alone. Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_NN_NORMALIZATION_H_
#define TRAINYARD_CORE_NN_NORMALIZATION_H_

#include <cstdint>

namespace trainyard {

// PyTorch's, for both kinds.
inline constexpr float kNormalizationEpsilon = 1e-5F;
// Share of a batch's mean and variance in the new running ones, as PyTorch's `momentum`.
inline constexpr float kBatchNormMomentum = 0.1F;

struct RunningMoments {
  float* means = nullptr;      // [units]
  float* variances = nullptr;  // [units]
};

// Batch normalisation by the batch's own moments, in place. inverses: [units], becomes
// 1 / sqrt(variance + ε). Moves `running` towards the batch's moments; a batch of one row has no
// variance and leaves them alone.
void NormalizeColumns(float* z, int64_t rows, int64_t units, float* inverses,
                      const RunningMoments& running);

// Batch normalisation in evaluation, by given moments, in place; `inverses` as above.
void NormalizeColumnsBy(const RunningMoments& running, float* z, int64_t rows, int64_t units,
                        float* inverses);

// Layer normalisation, in place. inverses: [rows].
void NormalizeRows(float* z, int64_t rows, int64_t units, float* inverses);

// y = gains·x_hat + shifts; y may be x_hat itself.
void ScaleAndShift(const float* x_hat, int64_t rows, int64_t units, const float* gains,
                   const float* shifts, float* y);

// d_gains = Σ dy·x_hat and d_shifts = Σ dy over the rows: [units] each.
void NormalizationGradients(const float* dy, const float* x_hat, int64_t rows, int64_t units,
                            float* d_gains, float* d_shifts);

// dy becomes ∂L/∂z of NormalizeColumns; d_gains and d_shifts are those of NormalizationGradients.
void ColumnsBackward(const float* x_hat, int64_t rows, int64_t units, const float* inverses,
                     const float* gains, const float* d_gains, const float* d_shifts, float* dy);

// dy becomes ∂L/∂z of NormalizeRows.
void RowsBackward(const float* x_hat, int64_t rows, int64_t units, const float* inverses,
                  const float* gains, float* dy);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_NORMALIZATION_H_
