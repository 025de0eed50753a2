#include "core/nn/loss.h"

#include <algorithm>
#include <cmath>

#include "core/base/check.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_math.h"

namespace trainyard {
namespace {

// Elements handled together: their losses stay in the first-level cache until they are added up.
constexpr int64_t kBlock = 64;

// 0, but NaN where z is not finite: added where a formula would drop such a logit.
[[gnu::always_inline]] inline float NanUnlessFinite(float z) { return z - z; }

// Elementwise losses: terms[i] = L(z[i], y[i]) and dz[i] = scale·∂L/∂z[i]. `parameter` is the
// loss's own number. All arrays [count], count ≤ kBlock.
using ElementwiseLoss = void (*)(const float* z, const float* y, int64_t count, float parameter,
                                 float scale, double* terms, float* dz);

// L = max(z, 0) - z·y + log(1 + e^-|z|): no exponential of a positive number, so nothing overflows
// early. ∂L/∂z = σ(z) - y.
TY_MULTIVERSION void BinaryTerms(const float* __restrict z, const float* __restrict y,
                                 int64_t count, float /*parameter*/, float scale,
                                 double* __restrict terms, float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) {
    const float e = Exp(z[i] < 0 ? z[i] : -z[i]);
    const float p = 1.0f / (1.0f + e);
    const float positive = z[i] > 0 ? z[i] : 0;
    terms[i] = positive - z[i] * y[i] + Log1p(e);
    dz[i] = ((z[i] < 0 ? e * p : p) - y[i]) * scale;
  }
}

// The squares of float errors fit a double, always.
TY_MULTIVERSION void SquaredTerms(const float* __restrict z, const float* __restrict y,
                                  int64_t count, float /*parameter*/, float scale,
                                  double* __restrict terms, float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) {
    const double error = static_cast<double>(z[i]) - y[i];
    terms[i] = error * error;
    dz[i] = 2 * (z[i] - y[i]) * scale;
  }
}

TY_MULTIVERSION void AbsoluteTerms(const float* __restrict z, const float* __restrict y,
                                   int64_t count, float /*parameter*/, float scale,
                                   double* __restrict terms, float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) {
    const double error = static_cast<double>(z[i]) - y[i];
    terms[i] = error < 0 ? -error : error;
    dz[i] = error > 0 ? scale : (error < 0 ? -scale : 0);
  }
}

TY_MULTIVERSION void HuberTerms(const float* __restrict z, const float* __restrict y, int64_t count,
                                float delta, float scale, double* __restrict terms,
                                float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) {
    const double error = static_cast<double>(z[i]) - y[i];
    const double size = error < 0 ? -error : error;
    terms[i] = size <= delta ? 0.5 * error * error : delta * (size - 0.5 * delta);
    const float slope = error > 0 ? delta : -delta;
    dz[i] = (size <= delta ? static_cast<float>(error) : slope) * scale;
  }
}

// At an error of 0 the gradient is halfway between those of both sides: 0 for the median.
TY_MULTIVERSION void QuantileTerms(const float* __restrict z, const float* __restrict y,
                                   int64_t count, float quantile, float scale,
                                   double* __restrict terms, float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) {
    const double error = static_cast<double>(y[i]) - z[i];
    terms[i] = (error < 0 ? quantile - 1.0f : quantile) * error;
    const float below = error < 0 ? 1.0f : (error > 0 ? 0.0f : 0.5f);
    dz[i] = (below - quantile) * scale;
  }
}

TY_MULTIVERSION void PoissonTerms(const float* __restrict z, const float* __restrict y,
                                  int64_t count, float /*parameter*/, float scale,
                                  double* __restrict terms, float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) {
    const float rate = Exp(z[i]);
    terms[i] = static_cast<double>(rate) - static_cast<double>(y[i]) * z[i];
    dz[i] = (rate - y[i]) * scale;
  }
}

TY_MULTIVERSION void HingeTerms(const float* __restrict z, const float* __restrict y, int64_t count,
                                float /*parameter*/, float scale, double* __restrict terms,
                                float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) {
    const float side = 2 * y[i] - 1;  // -1 or 1
    const float margin = 1 - side * z[i];
    terms[i] = (margin <= 0 ? 0 : margin) + NanUnlessFinite(z[i]);
    dz[i] = margin > 0 ? -side * scale : 0;
  }
}

// nullptr for a loss that compares all outputs of a row.
ElementwiseLoss ElementwiseOf(LossKind kind, int64_t outputs) {
  switch (kind) {
    case LossKind::kBinaryCrossEntropy:
      return BinaryTerms;
    case LossKind::kMeanSquaredError:
      return SquaredTerms;
    case LossKind::kMeanAbsoluteError:
      return AbsoluteTerms;
    case LossKind::kHuber:
      return HuberTerms;
    case LossKind::kQuantile:
      return QuantileTerms;
    case LossKind::kPoisson:
      return PoissonTerms;
    case LossKind::kHinge:
      return outputs == 1 ? HingeTerms : nullptr;
    case LossKind::kSoftmaxCrossEntropy:
    case LossKind::kUnspecified:
      break;
  }
  return nullptr;
}

// Where the square ends is given in the unit of y.
float ParameterOf(const LossConfig& loss) {
  if (loss.kind == LossKind::kQuantile) return static_cast<float>(loss.quantile);
  return static_cast<float>(loss.delta / loss.target_scale);
}

double Sum(const double* terms, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += terms[i];
  return sum;
}

// Σ weights·terms; dz becomes weights·dz.
double WeightedSum(const double* terms, const float* weights, int64_t count, float* dz) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    sum += weights[i] * terms[i];
    dz[i] *= weights[i];
  }
  return sum;
}

float ClassWeight(const LossConfig& loss, int64_t index) {
  return loss.class_weights.empty() ? 1 : loss.class_weights[index];
}

float RowWeight(const LossTargets& targets, int64_t row) {
  return targets.weights == nullptr ? 1 : targets.weights[row];
}

// Whether the class weights are those of the two classes of one output, and not those of labels.
bool WeighsTwoClasses(const LossConfig& loss, int64_t outputs) {
  return outputs == 1 && loss.class_weights.size() == 2;
}

// Row weight times class weight of the elements from `begin` on, in `weights`. Of labels the class
// weight is that of the rows that have the label.
void FillWeights(const LossConfig& loss, const LossTargets& targets, int64_t outputs, int64_t begin,
                 int64_t count, float* weights) {
  const bool two_classes = WeighsTwoClasses(loss, outputs);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t element = begin + i;
    weights[i] = RowWeight(targets, outputs == 1 ? element : element / outputs);
    if (loss.class_weights.empty()) continue;
    const bool present = targets.values[element] > 0.5f;
    if (two_classes) {
      weights[i] *= loss.class_weights[present ? 1 : 0];
    } else if (present) {
      weights[i] *= loss.class_weights[element % outputs];
    }
  }
}

// Σ w_i L_i of an elementwise loss, a row's being the mean over its outputs; scale·w_i·∂L_i/∂z in
// `dlogits` unless it is null.
double ElementwiseSum(const LossConfig& loss, const float* logits, const LossTargets& targets,
                      int64_t rows, int64_t outputs, double scale, float* dlogits) {
  const ElementwiseLoss terms_of = ElementwiseOf(loss.kind, outputs);
  const bool weighted = targets.weights != nullptr || !loss.class_weights.empty();
  const auto element_scale = static_cast<float>(scale / static_cast<double>(outputs));
  const int64_t elements = rows * outputs;
  double terms[kBlock];
  float weights[kBlock];
  float unused[kBlock];
  double sum = 0;
  for (int64_t begin = 0; begin < elements; begin += kBlock) {
    const int64_t count = std::min(kBlock, elements - begin);
    float* const dz = dlogits == nullptr ? unused : dlogits + begin;
    terms_of(logits + begin, targets.values + begin, count, ParameterOf(loss), element_scale, terms,
             dz);
    if (weighted) FillWeights(loss, targets, outputs, begin, count, weights);
    sum += weighted ? WeightedSum(terms, weights, count, dz) : Sum(terms, count);
  }
  return sum / static_cast<double>(outputs);
}

// exps[j] = e^(z[j] - largest); returns their sum.
TY_MULTIVERSION float ShiftedExps(const float* __restrict z, int64_t outputs, float largest,
                                  float* __restrict exps) {
  for (int64_t j = 0; j < outputs; ++j) exps[j] = Exp(z[j] - largest) + NanUnlessFinite(z[j]);
  float sum = 0;
  for (int64_t j = 0; j < outputs; ++j) sum += exps[j];
  return sum;
}

TY_MULTIVERSION void Scale(float factor, float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] *= factor;
}

// The target of a row is not one class but a weight on each, t_c: (1 - ε)·w_y on its own and
// ε/K·w_c on every one. The loss is Σ t_c (log Σ e^z - z_c), its gradient softmax(z)·Σ t - t. As
// PyTorch's, the class weights are inside the sum and not the row's alone.
struct SoftTarget {
  explicit SoftTarget(const LossConfig& config, int32_t index, int64_t outputs)
      : loss(config),
        target(index),
        spread(config.label_smoothing / static_cast<double>(outputs)),
        own((1 - config.label_smoothing) * ClassWeight(config, index)) {}

  double Weight(int64_t output) const {
    return spread * ClassWeight(loss, output) + (output == target ? own : 0);
  }

  const LossConfig& loss;
  const int32_t target;
  const double spread;
  const double own;
};

// The loss of a row, class weights in it, from log Σ e^(z - largest).
double CrossEntropy(const LossConfig& loss, const float* z, int32_t target, int64_t outputs,
                    double largest, double log_sum) {
  if (loss.label_smoothing == 0) {
    return ClassWeight(loss, target) * (log_sum + (largest - z[target]));
  }
  const SoftTarget soft(loss, target, outputs);
  double sum = 0;
  for (int64_t j = 0; j < outputs; ++j) sum += soft.Weight(j) * (log_sum + (largest - z[j]));
  return sum;
}

// Turns dz = e^(z - largest), which add up to `sum`, into scale·gradient.
void CrossEntropyGradient(const LossConfig& loss, int32_t target, int64_t outputs, float sum,
                          float scale, float* dz) {
  if (loss.label_smoothing == 0) {
    const float weighted = scale * ClassWeight(loss, target);
    Scale(weighted / sum, dz, outputs);
    dz[target] -= weighted;
    return;
  }
  const SoftTarget soft(loss, target, outputs);
  double total = 0;
  for (int64_t j = 0; j < outputs; ++j) total += soft.Weight(j);
  Scale(static_cast<float>(total * scale / sum), dz, outputs);
  for (int64_t j = 0; j < outputs; ++j) dz[j] -= static_cast<float>(soft.Weight(j) * scale);
}

double SoftmaxRow(const LossConfig& loss, const float* z, int32_t target, int64_t outputs,
                  float scale, float* dz) {
  const float largest = *std::max_element(z, z + outputs);
  const float sum = ShiftedExps(z, outputs, largest, dz);
  CrossEntropyGradient(loss, target, outputs, sum, scale, dz);
  return CrossEntropy(loss, z, target, outputs, largest, std::log(static_cast<double>(sum)));
}

// SoftmaxRow without gradient: needs no memory, and takes the exponentials in double.
double SoftmaxRow(const LossConfig& loss, const float* z, int32_t target, int64_t outputs) {
  const double largest = *std::max_element(z, z + outputs);
  double sum = 0;
  for (int64_t j = 0; j < outputs; ++j) sum += std::exp(z[j] - largest) + NanUnlessFinite(z[j]);
  return CrossEntropy(loss, z, target, outputs, largest, std::log(sum));
}

// Σ_j≠y max(0, 1 - z_y + z_j) / K of one row, times its class weight. dz may be null.
double MarginRow(const LossConfig& loss, const float* z, int32_t target, int64_t outputs,
                 float scale, float* dz) {
  const float class_weight = ClassWeight(loss, target);
  const auto mean = 1 / static_cast<float>(outputs);
  double sum = 0;
  int64_t violations = 0;
  for (int64_t j = 0; j < outputs; ++j) {
    const double margin = 1 - (static_cast<double>(z[target]) - z[j]);
    const bool violated = margin > 0 && j != target;
    sum += (violated ? margin : 0) + NanUnlessFinite(z[j]);
    violations += violated ? 1 : 0;
    if (dz != nullptr) dz[j] = violated ? scale * class_weight * mean : 0;
  }
  if (dz != nullptr) dz[target] = -static_cast<float>(violations) * scale * class_weight * mean;
  return sum * class_weight * mean;
}

// Σ w_i L_i of the scaled target; its gradient times `scale` in `dlogits` unless that is null.
double WeightedLoss(const LossConfig& loss, const float* logits, const LossTargets& targets,
                    int64_t rows, int64_t outputs, double scale, float* dlogits) {
  if (ElementwiseOf(loss.kind, outputs) != nullptr) {
    return ElementwiseSum(loss, logits, targets, rows, outputs, scale, dlogits);
  }
  const bool is_softmax = loss.kind == LossKind::kSoftmaxCrossEntropy;
  TY_CHECK(is_softmax || loss.kind == LossKind::kHinge);
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const float* const z = logits + r * outputs;
    float* const dz = dlogits == nullptr ? nullptr : dlogits + r * outputs;
    const float weight = RowWeight(targets, r);
    const float row_scale = static_cast<float>(scale) * weight;
    const int32_t target = targets.classes[r];
    if (!is_softmax) {
      sum += weight * MarginRow(loss, z, target, outputs, row_scale, dz);
    } else if (dz == nullptr) {
      sum += weight * SoftmaxRow(loss, z, target, outputs);
    } else {
      sum += weight * SoftmaxRow(loss, z, target, outputs, row_scale, dz);
    }
  }
  return sum;
}

}  // namespace

LossKind LossOf(Task task) {
  switch (task) {
    case Task::kBinary:
    case Task::kMultilabel:
      return LossKind::kBinaryCrossEntropy;
    case Task::kMulticlass:
      return LossKind::kSoftmaxCrossEntropy;
    case Task::kRegression:
      return LossKind::kMeanSquaredError;
    case Task::kUnspecified:
      break;
  }
  return LossKind::kUnspecified;
}

bool LossFits(LossKind kind, Task task) {
  switch (kind) {
    case LossKind::kBinaryCrossEntropy:
      return task == Task::kBinary || task == Task::kMultilabel;
    case LossKind::kSoftmaxCrossEntropy:
      return task == Task::kMulticlass;
    case LossKind::kMeanSquaredError:
    case LossKind::kMeanAbsoluteError:
    case LossKind::kHuber:
    case LossKind::kQuantile:
    case LossKind::kPoisson:
      return task == Task::kRegression;
    case LossKind::kHinge:
      return task == Task::kBinary || task == Task::kMulticlass;
    case LossKind::kUnspecified:
      break;
  }
  return false;
}

bool IsClassification(LossKind kind) {
  return kind == LossKind::kBinaryCrossEntropy || kind == LossKind::kSoftmaxCrossEntropy ||
         kind == LossKind::kHinge;
}

int64_t FirstUnfitTarget(LossKind kind, const float* values, int64_t rows) {
  if (kind != LossKind::kPoisson) return -1;
  const float* const found =
      std::find_if(values, values + rows, [](float value) { return value < 0; });
  return found == values + rows ? -1 : found - values;
}

double LossUnit(const LossConfig& loss) {
  switch (loss.kind) {
    case LossKind::kMeanSquaredError:
    case LossKind::kHuber:
      return loss.target_scale * loss.target_scale;
    case LossKind::kMeanAbsoluteError:
    case LossKind::kQuantile:
      return loss.target_scale;
    case LossKind::kUnspecified:
    case LossKind::kBinaryCrossEntropy:
    case LossKind::kSoftmaxCrossEntropy:
    case LossKind::kPoisson:
    case LossKind::kHinge:
      break;
  }
  return 1;
}

double BatchWeight(const LossConfig& loss, const LossTargets& targets, int64_t rows,
                   int64_t outputs) {
  const bool by_class =
      !loss.class_weights.empty() &&
      (outputs > 1 ? targets.classes != nullptr : WeighsTwoClasses(loss, outputs));
  if (targets.weights == nullptr && !by_class) return static_cast<double>(rows);
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    double weight = RowWeight(targets, r);
    if (by_class) {
      const int64_t index =
          targets.classes != nullptr ? targets.classes[r] : (targets.values[r] > 0.5f ? 1 : 0);
      weight *= loss.class_weights[index];
    }
    sum += weight;
  }
  return sum;
}

double LossAndGradient(const LossConfig& loss, const float* logits, const LossTargets& targets,
                       int64_t rows, int64_t outputs, double weight, float* dlogits) {
  if (weight == 0) {
    std::fill_n(dlogits, rows * outputs, 0.0f);
    return 0;
  }
  const double sum = WeightedLoss(loss, logits, targets, rows, outputs, 1 / weight, dlogits);
  return LossUnit(loss) * (sum / weight);
}

double LossSum(const LossConfig& loss, const float* logits, const LossTargets& targets,
               int64_t rows, int64_t outputs) {
  return LossUnit(loss) *
         WeightedLoss(loss, logits, targets, rows, outputs, /*scale=*/1, /*dlogits=*/nullptr);
}

void Probabilities(const float* logits, int64_t outputs, double* probabilities) {
  if (outputs == 1) {
    const double e = std::exp(-std::fabs(static_cast<double>(logits[0])));
    const bool positive = logits[0] > 0;
    probabilities[positive ? 1 : 0] = 1 / (1 + e);
    probabilities[positive ? 0 : 1] = e / (1 + e);
    return;
  }
  const double largest = *std::max_element(logits, logits + outputs);
  double sum = 0;
  for (int64_t j = 0; j < outputs; ++j) sum += probabilities[j] = std::exp(logits[j] - largest);
  for (int64_t j = 0; j < outputs; ++j) probabilities[j] /= sum;
}

void LabelProbabilities(const float* logits, int64_t labels, double* probabilities) {
  for (int64_t j = 0; j < labels; ++j) {
    probabilities[j] = 1 / (1 + std::exp(-static_cast<double>(logits[j])));
  }
}

double ValueOf(const LossConfig& loss, float output) {
  if (loss.kind == LossKind::kPoisson) return std::exp(static_cast<double>(output));
  return output * loss.target_scale + loss.target_offset;
}

int32_t PredictedClass(const float* logits, int64_t outputs) {
  if (outputs == 1) return logits[0] > 0 ? 1 : 0;
  return static_cast<int32_t>(std::max_element(logits, logits + outputs) - logits);
}

}  // namespace trainyard
