// Loss functions and their gradients with respect to the logits, L(θ) = Σ w_i L(y_i, f(x_i, θ)) / Σ
// w_i, where w_i is the row's weight times its class's: 1 unless given. Cross-entropies are from
// logits (stable). Sums are accumulated in double.
//
// The divisor is what PyTorch's CrossEntropyLoss has; its other losses divide weighted sums by the
// number of rows, which makes the step depend on the unit of the weights.
//
//   const LossConfig loss{.kind = LossKind::kSoftmaxCrossEntropy};
//   const LossTargets targets{.classes = classes};
//   const double weight = BatchWeight(loss, targets, rows, 10);
//   const double value = LossAndGradient(loss, logits, targets, rows, 10, weight, dlogits);
//
// Formulas are trainyard.v1.Loss's, as PyTorch's BCEWithLogitsLoss, CrossEntropyLoss (label
// smoothing and class weights too), MSELoss (no factor ½), L1Loss, HuberLoss, PoissonNLLLoss and
// MultiMarginLoss with reduction "mean". Units: nats for the cross-entropies; the target's unit
// squared for the squared error. Of a scaled target (LossConfig::target_scale) losses are in the
// unit of y all the same, and gradients those of the scaled target, LossUnit times smaller: so that
// numbers can be read and steps do not depend on the unit. Non-finite logits give a non-finite
// loss, never a crash; for finite ones the loss is finite unless the true value does not fit
// float32. Thread-safety: pure functions.
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
  double label_smoothing = 0;  // kSoftmaxCrossEntropy, [0, 1)
  // Classification: [classes], ≥ 0, or empty: all 1. Multi-label: [labels], each the weight of the
  // rows that have the label, as PyTorch's pos_weight.
  std::vector<float> class_weights;
  double delta = 1;       // kHuber, unit of the target
  double quantile = 0.5;  // kQuantile
  // Regression on a scaled target: what the network learns is (y - target_offset) / target_scale.
  // Losses are given in the unit of y; their gradients are those of the scaled target. Not with
  // kPoisson.
  double target_offset = 0;
  double target_scale = 1;  // > 0
};

// How many units of a loss are one unit of that of the scaled target: scale² for squares
// (kMeanSquaredError, kHuber), scale for distances (kMeanAbsoluteError, kQuantile), 1 for others.
double LossUnit(const LossConfig& loss);

// The loss that a task has unless another is asked for; kUnspecified for kUnspecified.
LossKind LossOf(Task task);
// Whether the loss can be that of the task. False for kUnspecified.
bool LossFits(LossKind kind, Task task);
// Whether the network's outputs say how probable classes are (or how far from the border, for the
// hinge), and not a value.
bool IsClassification(LossKind kind);
// Index of the first target of a regression that the loss is not defined for (kPoisson: below 0),
// -1 when there is none. values: [rows].
int64_t FirstUnfitTarget(LossKind kind, const float* values, int64_t rows);

// What the outputs are compared with, row by row. Points into arrays it does not own; one of the
// first two is set.
struct LossTargets {
  // [rows, outputs]: binary, multi-label: 0 or 1; regression: numbers
  const float* values = nullptr;
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
// outputs of kBinaryCrossEntropy a row counts once, whatever its labels weigh, and its loss is the
// mean over its outputs. With label smoothing the other classes' weights are in the row's loss and
// not in its w_i, as in PyTorch.
double BatchWeight(const LossConfig& loss, const LossTargets& targets, int64_t rows,
                   int64_t outputs);

// Σ w_i L_i / weight, and its gradient, over LossUnit, in dlogits: the mean over the batch when
// `weight` is that of the whole batch; parts of a batch then add up to it, but for the last bits. 0
// and zeros when `weight` is 0. logits, dlogits: [rows, outputs]. REQUIRES: rows ≥ 1; outputs fits
// the kind; the kind is not kUnspecified.
double LossAndGradient(const LossConfig& loss, const float* logits, const LossTargets& targets,
                       int64_t rows, int64_t outputs, double weight, float* dlogits);

// Σ w_i L_i. REQUIRES: as LossAndGradient, but rows may be 0.
double LossSum(const LossConfig& loss, const float* logits, const LossTargets& targets,
               int64_t rows, int64_t outputs);

// Logits of one row as probabilities of its classes: {1 - p, p} with p = σ(logit) of one output,
// else softmax. logits: [outputs]; probabilities: [2] of one output, else [outputs], adding up to
// 1. Of kHinge they are a squashed score, not calibrated.
void Probabilities(const float* logits, int64_t outputs, double* probabilities);

// Probabilities of labels that exclude nothing: σ of each logit. logits, probabilities: [labels].
void LabelProbabilities(const float* logits, int64_t labels, double* probabilities);

// The value a regression's output stands for, in the unit of y: exp(z) for kPoisson, z · scale +
// offset for the others.
double ValueOf(const LossConfig& loss, float output);

// Index of the most probable class of one row of logits: 0 or 1 by the sign for one output, else
// the first largest.
int32_t PredictedClass(const float* logits, int64_t outputs);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_LOSS_H_
