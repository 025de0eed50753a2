#include "core/nn/loss.h"

#include <algorithm>
#include <cmath>

#include "core/base/check.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_math.h"

namespace trainyard {
namespace {

// Rows handled together: terms in float arrays that stay in the first-level cache, then added up in
// double.
constexpr int64_t kBlock = 64;

double Sum(const float* terms, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += terms[i];
  return sum;
}

// L = max(z, 0) - z·y + log(1 + e^-|z|): no exponential of a positive number, so nothing overflows
// early.
TY_MULTIVERSION void BinaryTerms(const float* __restrict z, const float* __restrict y,
                                 int64_t count, float* __restrict terms) {
  for (int64_t i = 0; i < count; ++i) {
    const float positive = z[i] > 0 ? z[i] : 0;
    terms[i] = positive - z[i] * y[i] + Log1p(Exp(z[i] > 0 ? -z[i] : z[i]));
  }
}

// ∂L/∂z = σ(z) - y
TY_MULTIVERSION void BinaryGradient(const float* __restrict z, const float* __restrict y,
                                    int64_t count, float scale, float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) dz[i] = (Sigmoid(z[i]) - y[i]) * scale;
}

TY_MULTIVERSION void SquaredGradient(const float* __restrict z, const float* __restrict y,
                                     int64_t count, float scale, float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) dz[i] = 2 * (z[i] - y[i]) * scale;
}

double SquaredSum(const float* z, const float* y, int64_t rows) {
  double sum = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const double error = static_cast<double>(z[i]) - y[i];
    sum += error * error;
  }
  return sum;
}

double BinarySum(const float* z, const float* y, int64_t rows) {
  double sum = 0;
  for (int64_t begin = 0; begin < rows; begin += kBlock) {
    float terms[kBlock];
    const int64_t count = std::min(kBlock, rows - begin);
    BinaryTerms(z + begin, y + begin, count, terms);
    sum += Sum(terms, count);
  }
  return sum;
}

// exps[j] = e^(z[j] - largest); returns their sum.
TY_MULTIVERSION float ShiftedExps(const float* __restrict z, int64_t outputs, float largest,
                                  float* __restrict exps) {
  for (int64_t j = 0; j < outputs; ++j) exps[j] = Exp(z[j] - largest);
  float sum = 0;
  for (int64_t j = 0; j < outputs; ++j) sum += exps[j];
  return sum;
}

TY_MULTIVERSION void Scale(float factor, float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] *= factor;
}

// Loss of one row, log Σ e^z - z[class] with the largest logit taken out; gradient (softmax(z) -
// one-hot)·scale.
double SoftmaxRow(const float* z, int32_t target, int64_t outputs, float scale, float* dz) {
  const float largest = *std::max_element(z, z + outputs);
  const float sum = ShiftedExps(z, outputs, largest, dz);
  Scale(scale / sum, dz, outputs);
  dz[target] -= scale;
  return std::log(static_cast<double>(sum)) + (static_cast<double>(largest) - z[target]);
}

double SoftmaxLoss(const float* z, int32_t target, int64_t outputs) {
  const double largest = *std::max_element(z, z + outputs);
  double sum = 0;
  for (int64_t j = 0; j < outputs; ++j) sum += std::exp(z[j] - largest);
  return std::log(sum) + (largest - z[target]);
}

}  // namespace

LossKind LossOf(Task task) {
  switch (task) {
    case Task::kBinary:
      return LossKind::kBinaryCrossEntropy;
    case Task::kMulticlass:
      return LossKind::kSoftmaxCrossEntropy;
    case Task::kRegression:
      return LossKind::kMeanSquaredError;
    case Task::kMultilabel:
      return LossKind::kBinaryCrossEntropy;
    case Task::kUnspecified:
      break;
  }
  return LossKind::kUnspecified;
}

bool LossFits(LossKind kind, Task task) {
  return kind != LossKind::kUnspecified && kind == LossOf(task);
}

bool IsClassification(LossKind kind) {
  return kind == LossKind::kBinaryCrossEntropy || kind == LossKind::kSoftmaxCrossEntropy ||
         kind == LossKind::kHinge;
}

double BatchWeight(const LossConfig& /*loss*/, const LossTargets& /*targets*/, int64_t rows,
                   int64_t /*outputs*/) {
  return static_cast<double>(rows);
}

double LossAndGradient(const LossConfig& loss, const float* logits, const LossTargets& targets,
                       int64_t rows, int64_t outputs, double weight, float* dlogits) {
  const float scale = static_cast<float>(1.0 / weight);
  switch (loss.kind) {
    case LossKind::kBinaryCrossEntropy:
      BinaryGradient(logits, targets.values, rows, scale, dlogits);
      return BinarySum(logits, targets.values, rows) / weight;
    case LossKind::kMeanSquaredError:
      SquaredGradient(logits, targets.values, rows, scale, dlogits);
      return SquaredSum(logits, targets.values, rows) / weight;
    case LossKind::kSoftmaxCrossEntropy:
      break;
    default:
      TY_CHECK(false);
  }
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    sum +=
        SoftmaxRow(logits + r * outputs, targets.classes[r], outputs, scale, dlogits + r * outputs);
  }
  return sum / weight;
}

double LossSum(const LossConfig& loss, const float* logits, const LossTargets& targets,
               int64_t rows, int64_t outputs) {
  const LossKind kind = loss.kind;
  if (kind == LossKind::kBinaryCrossEntropy) return BinarySum(logits, targets.values, rows);
  if (kind == LossKind::kMeanSquaredError) return SquaredSum(logits, targets.values, rows);
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    sum += SoftmaxLoss(logits + r * outputs, targets.classes[r], outputs);
  }
  return sum;
}

void Probabilities(LossKind kind, const float* logits, int64_t classes, double* probabilities) {
  TY_CHECK(kind != LossKind::kMeanSquaredError);
  if (kind == LossKind::kBinaryCrossEntropy) {
    TY_CHECK(classes == 2);
    const double e = std::exp(-std::fabs(static_cast<double>(logits[0])));
    const bool positive = logits[0] > 0;
    probabilities[positive ? 1 : 0] = 1 / (1 + e);
    probabilities[positive ? 0 : 1] = e / (1 + e);
    return;
  }
  const double largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t j = 0; j < classes; ++j) sum += probabilities[j] = std::exp(logits[j] - largest);
  for (int64_t j = 0; j < classes; ++j) probabilities[j] /= sum;
}

void LabelProbabilities(const float* logits, int64_t labels, double* probabilities) {
  for (int64_t j = 0; j < labels; ++j)
    probabilities[j] = 1 / (1 + std::exp(-static_cast<double>(logits[j])));
}

double ValueOf(LossKind kind, float output) {
  return kind == LossKind::kPoisson ? std::exp(static_cast<double>(output)) : output;
}

int32_t PredictedClass(const float* logits, int64_t outputs) {
  if (outputs == 1) return logits[0] > 0 ? 1 : 0;
  return static_cast<int32_t>(std::max_element(logits, logits + outputs) - logits);
}

}  // namespace trainyard
