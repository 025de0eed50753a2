// Loss functions and their gradients with respect to the logits, L(θ) = (1/N) Σ L(y_i, f(x_i, θ)):
// softmax and binary cross-entropy from logits (stable), mean squared error. Loss sums are
// accumulated in double.
//
//   const double loss = LossAndGradient(LossKind::kSoftmaxCrossEntropy, logits, {.classes =
//   classes}, rows, 10, dlogits);
//
// As PyTorch's BCEWithLogitsLoss, CrossEntropyLoss and MSELoss (no factor ½) with reduction "mean".
// Units: nats for the cross-entropies; the target's unit squared for the squared error.
// Non-finite logits give a non-finite loss, never a crash; for finite ones the loss is finite
// unless the true value does not fit. Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_NN_LOSS_H_
#define TRAINYARD_CORE_NN_LOSS_H_

#include <cstdint>

#include "core/base/task.h"

namespace trainyard {

// Numbers equal trainyard.v1.Loss.
enum class LossKind : uint8_t {
  kUnspecified = 0,
  kBinaryCrossEntropy = 1,
  kSoftmaxCrossEntropy = 2,
  kMeanSquaredError = 3,
};

// The loss that fits a task; kUnspecified for kUnspecified.
LossKind LossOf(Task task);

// What the outputs are compared with, row by row. Points into arrays it does not own; one of the
// two is set.
struct LossTargets {
  const float* values = nullptr;     // binary: [rows] of 0 or 1; regression: [rows]
  const int32_t* classes = nullptr;  // multiclass: [rows], each in [0, outputs)

  // The targets from row `row` on.
  LossTargets From(int64_t row) const {
    return {values == nullptr ? nullptr : values + row,
            classes == nullptr ? nullptr : classes + row};
  }
};

// Mean loss over the rows; fills dlogits with the gradient of that mean. logits, dlogits: [rows,
// outputs]. REQUIRES: rows ≥ 1; outputs is 1 for the binary and the squared loss; `kind` is not
// kUnspecified.
double LossAndGradient(LossKind kind, const float* logits, const LossTargets& targets, int64_t rows,
                       int64_t outputs, float* dlogits);

// Sum of the loss over the rows. REQUIRES: as LossAndGradient, but rows may be 0.
double LossSum(LossKind kind, const float* logits, const LossTargets& targets, int64_t rows,
               int64_t outputs);

// Logits of one row as probabilities of the classes: the binary {1 - p, p} of one logit, or
// softmax. probabilities: [classes], adding up to 1; logits: [1] when classes is 2 and `kind` is
// binary, else [classes]. REQUIRES: `kind` is a cross-entropy.
void Probabilities(LossKind kind, const float* logits, int64_t classes, double* probabilities);

// Index of the most probable class of one row of logits: 0 or 1 by the sign for binary, else the
// first largest.
int32_t PredictedClass(LossKind kind, const float* logits, int64_t outputs);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_LOSS_H_
