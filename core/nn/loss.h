// Loss functions and their gradients with respect to the logits, L(θ) = Σ w_i L(y_i, f(x_i, θ)) / Σ
// w_i, where w_i is the row's weight times its class's: 1 unless given. Cross-entropies are from
// logits (stable). Sums are accumulated in double.
//
//   const LossConfig loss{.kind = LossKind::kSoftmaxCrossEntropy};
//   const LossTargets targets{.classes = classes};
//   const double weight = BatchWeight(loss, targets, rows);
//   const double value = LossAndGradient(loss, logits, targets, rows, 10, weight, dlogits);
//
// Formulas are trainyard.v1.Loss's, as PyTorch's BCEWithLogitsLoss, CrossEntropyLoss (label
// smoothing and class weights too), MSELoss (no factor ½), L1Loss, HuberLoss, PoissonNLLLoss and
// MultiMarginLoss with reduction "mean". Units: nats for the cross-entropies; the target's unit
// squared for the squared error. Non-finite logits give a non-finite loss, never a crash; for
// finite ones the loss is finite unless the true value does not fit. Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_NN_LOSS_H_
#define TRAINYARD_CORE_NN_LOSS_H_

#include <cstdint>
#include <vector>

#include "core/base/task.h"

namespace trainyard {

// Numbers equal trainyard.v1.Loss.
enum class LossKind : uint8_t {
  kUnspecified = 0,
  kBinaryCrossEntropy = 1,
  kSoftmaxCrossEntropy = 2,
  kMeanSquaredError = 3,
  kMeanAbsoluteError = 4,
  kHuber = 5,
  kQuantile = 6,
  kPoisson = 7,
  kHinge = 8,
};

struct LossConfig {
  LossKind kind = LossKind::kUnspecified;
  double label_smoothing = 0;        // kSoftmaxCrossEntropy, [0, 1)
  std::vector<float> class_weights;  // classification: [classes], or empty: all 1
  double delta = 1;                  // kHuber
  double quantile = 0.5;             // kQuantile
};

// The loss that a task has unless another is asked for; kUnspecified for kUnspecified.
LossKind LossOf(Task task);
// Whether the loss can be that of the task. False for kUnspecified.
bool LossFits(LossKind kind, Task task);
// Whether the network's outputs say how probable classes are (or how far from the border, for the
// hinge), and not a value.
bool IsClassification(LossKind kind);

// What the outputs are compared with, row by row. Points into arrays it does not own; one of the
// first two is set.
struct LossTargets {
  const float* values =
      nullptr;  // [rows, outputs]: binary, multi-label: 0 or 1; regression: numbers
  const int32_t* classes = nullptr;  // multiclass: [rows], each in [0, outputs)
  const float* weights = nullptr;    // [rows], ≥ 0; null: all 1

  // The targets from row `row` on. `outputs`: values a row, 1 unless multi-label.
  LossTargets From(int64_t row, int64_t outputs = 1) const {
    return {values == nullptr ? nullptr : values + row * outputs,
            classes == nullptr ? nullptr : classes + row,
            weights == nullptr ? nullptr : weights + row};
  }
};

// Σ w_i over the rows: what a mean is divided by. 0 only when every weight is 0. With several
// outputs of kBinaryCrossEntropy a row counts once, and its loss is the mean over its outputs.
double BatchWeight(const LossConfig& loss, const LossTargets& targets, int64_t rows,
                   int64_t outputs);

// Σ w_i L_i / weight, and its gradient in dlogits: the mean over the batch when `weight` is that of
// the whole batch; parts of a batch then add up to it. 0 and zeros when `weight` is 0. logits,
// dlogits: [rows, outputs]. REQUIRES: rows ≥ 1; outputs fits the kind; the kind is not
// kUnspecified.
double LossAndGradient(const LossConfig& loss, const float* logits, const LossTargets& targets,
                       int64_t rows, int64_t outputs, double weight, float* dlogits);

// Σ w_i L_i. REQUIRES: as LossAndGradient, but rows may be 0.
double LossSum(const LossConfig& loss, const float* logits, const LossTargets& targets,
               int64_t rows, int64_t outputs);

// Logits of one row as probabilities of the classes: {1 - p, p} of one logit for two classes of
// kBinaryCrossEntropy or kHinge, else softmax. probabilities: [classes], adding up to 1; logits:
// [1] or [classes]. REQUIRES: IsClassification(kind).
void Probabilities(LossKind kind, const float* logits, int64_t classes, double* probabilities);

// Probabilities of labels that exclude nothing: σ of each logit. logits, probabilities: [labels].
void LabelProbabilities(const float* logits, int64_t labels, double* probabilities);

// The value a regression's output stands for: exp(z) for kPoisson, z for the others.
double ValueOf(LossKind kind, float output);

// Index of the most probable class of one row of logits: 0 or 1 by the sign for one output, else
// the first largest.
int32_t PredictedClass(const float* logits, int64_t outputs);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_LOSS_H_
