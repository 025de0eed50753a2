#include "core/analysis/double_network.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/check.h"

namespace trainyard {
namespace {

constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
constexpr double kSeluScale = 1.0507009873554804934193349852946;

double LogOnePlusExp(double z) {
  return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z));
}
double Logistic(double z) {
  return z > 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z));
}
double Ramp(double z) { return std::clamp(z / 6 + 0.5, 0.0, 1.0); }

double Activate(Activation activation, double alpha, double z) {
  switch (activation) {
    case Activation::kRelu:
      return std::max(z, 0.0);
    case Activation::kSigmoid:
      return Logistic(z);
    case Activation::kTanh:
      return std::tanh(z);
    case Activation::kLeakyRelu:
      return z > 0 ? z : alpha * z;
    case Activation::kElu:
      return z > 0 ? z : alpha * std::expm1(z);
    case Activation::kSelu:
      return kSeluScale * (z > 0 ? z : kSeluAlpha * std::expm1(z));
    case Activation::kGelu:
      return z / 2 * (1 + std::erf(z / std::numbers::sqrt2));
    case Activation::kGeluTanh:
      return z / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (z + 0.044715 * z * z * z)));
    case Activation::kSilu:
      return z * Logistic(z);
    case Activation::kSoftplus:
      return LogOnePlusExp(z);
    case Activation::kHardSigmoid:
      return Ramp(z);
    case Activation::kHardTanh:
      return std::clamp(z, -1.0, 1.0);
    case Activation::kHardSwish:
      return z * Ramp(z);
    case Activation::kIdentity:
    case Activation::kUnspecified:
      return z;
  }
  return z;
}

struct MeanAndVariance {
  double mean = 0;
  double variance = 0;  // divided by the count
};

// Of `count` numbers, `stride` apart.
MeanAndVariance Moments(const double* x, int64_t count, int64_t stride) {
  MeanAndVariance moments;
  for (int64_t i = 0; i < count; ++i) moments.mean += x[i * stride] / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    const double distance = x[i * stride] - moments.mean;
    moments.variance += distance * distance / static_cast<double>(count);
  }
  return moments;
}

double LogSumExp(const double* z, int64_t count) {
  const double largest = *std::max_element(z, z + count);
  double sum = 0;
  for (int64_t j = 0; j < count; ++j) sum += std::exp(z[j] - largest);
  return largest + std::log(sum);
}

double ClassWeight(const LossConfig& loss, int64_t index) {
  return loss.class_weights.empty() ? 1 : loss.class_weights[static_cast<size_t>(index)];
}

// -Σ_c w_c·q_c·log p_c with the smoothed target q, as PyTorch's CrossEntropyLoss.
double SoftmaxTerm(const LossConfig& loss, const double* z, int32_t target, int64_t outputs) {
  const double log_sum = LogSumExp(z, outputs);
  const double rest = loss.label_smoothing / static_cast<double>(outputs);
  double term = (1 - loss.label_smoothing) * ClassWeight(loss, target) * (log_sum - z[target]);
  for (int64_t j = 0; j < outputs; ++j) term += rest * ClassWeight(loss, j) * (log_sum - z[j]);
  return term;
}

double MultiMarginTerm(const double* z, int32_t target, int64_t outputs) {
  double term = 0;
  for (int64_t j = 0; j < outputs; ++j) {
    if (j != target) term += std::max(0.0, 1 - z[target] + z[j]);
  }
  return term / static_cast<double>(outputs);
}

// One output against one number, without weights. Both are of the scaled target, the error of y.
double ValueTerm(const LossConfig& loss, double z, double y) {
  const double e = (y - z) * loss.target_scale;
  switch (loss.kind) {
    case LossKind::kBinaryCrossEntropy:
      return LogOnePlusExp(z) - z * y;
    case LossKind::kHinge:
      return std::max(0.0, 1 - (2 * y - 1) * z);
    case LossKind::kMeanSquaredError:
      return e * e;
    case LossKind::kMeanAbsoluteError:
      return std::fabs(e);
    case LossKind::kHuber:
      return std::fabs(e) <= loss.delta ? e * e / 2 : loss.delta * (std::fabs(e) - loss.delta / 2);
    case LossKind::kQuantile:
      return e >= 0 ? loss.quantile * e : (loss.quantile - 1) * e;
    case LossKind::kPoisson:
      return std::exp(z) - y * z;
    default:
      TY_CHECK(false);
  }
}

// A row's weighted loss, and its weight.
struct RowTerm {
  double loss = 0;
  double weight = 0;
};

RowTerm ClassRow(const LossConfig& loss, const double* z, int32_t target, int64_t outputs) {
  const double weight = ClassWeight(loss, target);
  if (loss.kind == LossKind::kHinge) return {weight * MultiMarginTerm(z, target, outputs), weight};
  return {SoftmaxTerm(loss, z, target, outputs), weight};
}

RowTerm ValueRow(const LossConfig& loss, const double* z, const float* y, int64_t outputs) {
  RowTerm row;
  for (int64_t j = 0; j < outputs; ++j)
    row.loss += ValueTerm(loss, z[j], y[j]) / static_cast<double>(outputs);
  // Class weights are those of the two classes of one output.
  row.weight =
      outputs == 1 && IsClassification(loss.kind) ? ClassWeight(loss, y[0] > 0.5F ? 1 : 0) : 1;
  row.loss *= row.weight;
  return row;
}

}  // namespace

DoubleNetwork::DoubleNetwork(const MlpWeights& weights) {
  const auto wide = [](const std::vector<float>& values) {
    return std::vector<double>(values.begin(), values.end());
  };
  for (const LayerWeights& layer : weights) {
    layers_.push_back({.in = layer.in,
                       .out = layer.out,
                       .activation = layer.activation,
                       .alpha = layer.alpha,
                       .normalization = layer.normalization,
                       .residual = layer.residual,
                       .weights = wide(layer.weights),
                       .biases = wide(layer.biases),
                       .gains = wide(layer.gains),
                       .shifts = wide(layer.shifts),
                       .running_means = wide(layer.running_means),
                       .running_variances = wide(layer.running_variances)});
  }
}

std::vector<double>& DoubleNetwork::tensor(int64_t layer, TensorKind kind) {
  Layer& owner = layers_[static_cast<size_t>(layer)];
  if (kind == TensorKind::kWeights) return owner.weights;
  if (kind == TensorKind::kBiases) return owner.biases;
  return kind == TensorKind::kGains ? owner.gains : owner.shifts;
}

std::vector<double> DoubleNetwork::Forward(const float* x, int64_t rows, Mode mode) const {
  std::vector<double> input(x, x + rows * layers_.front().in);
  for (const Layer& layer : layers_) {
    std::vector<double> output;
    Affine(layer, input, rows, &output);
    Normalize(layer, rows, mode, &output);
    for (double& y : output) y = Activate(layer.activation, layer.alpha, y);
    for (size_t i = 0; layer.residual && i < output.size(); ++i) output[i] += input[i];
    input = std::move(output);
  }
  return input;
}

void DoubleNetwork::Affine(const Layer& layer, const std::vector<double>& x, int64_t rows,
                           std::vector<double>* z) {
  z->assign(static_cast<size_t>(rows * layer.out), 0);
  for (int64_t r = 0; r < rows; ++r) {
    double* row = z->data() + r * layer.out;
    if (!layer.biases.empty()) std::copy(layer.biases.begin(), layer.biases.end(), row);
    for (int64_t i = 0; i < layer.in; ++i) {
      const double value = x[static_cast<size_t>(r * layer.in + i)];
      const double* w = layer.weights.data() + i * layer.out;
      for (int64_t o = 0; o < layer.out; ++o) row[o] += value * w[o];
    }
  }
}

void DoubleNetwork::Normalize(const Layer& layer, int64_t rows, Mode mode, std::vector<double>* z) {
  if (layer.normalization == Normalization::kBatch) return NormalizeColumns(layer, rows, mode, z);
  if (layer.normalization == Normalization::kLayer) NormalizeRows(layer, rows, z);
}

void DoubleNetwork::NormalizeRows(const Layer& layer, int64_t rows, std::vector<double>* z) {
  for (int64_t r = 0; r < rows; ++r) {
    double* row = z->data() + r * layer.out;
    const MeanAndVariance moments = Moments(row, layer.out, 1);
    const double deviation = std::sqrt(moments.variance + double{kNormalizationEpsilon});
    for (int64_t o = 0; o < layer.out; ++o) {
      const auto u = static_cast<size_t>(o);
      row[o] = (row[o] - moments.mean) / deviation * layer.gains[u] + layer.shifts[u];
    }
  }
}

void DoubleNetwork::NormalizeColumns(const Layer& layer, int64_t rows, Mode mode,
                                     std::vector<double>* z) {
  for (int64_t o = 0; o < layer.out; ++o) {
    const auto u = static_cast<size_t>(o);
    const MeanAndVariance moments =
        mode == Mode::kTraining
            ? Moments(z->data() + o, rows, layer.out)
            : MeanAndVariance{layer.running_means[u], layer.running_variances[u]};
    const double deviation = std::sqrt(moments.variance + double{kNormalizationEpsilon});
    for (int64_t r = 0; r < rows; ++r) {
      double& value = (*z)[static_cast<size_t>(r * layer.out + o)];
      value = (value - moments.mean) / deviation * layer.gains[u] + layer.shifts[u];
    }
  }
}

double DoubleLoss(const LossConfig& loss, const std::vector<double>& logits,
                  const LossTargets& targets, int64_t rows, int64_t outputs) {
  double sum = 0;
  double weight = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const double* z = logits.data() + r * outputs;
    const RowTerm row = targets.classes != nullptr
                            ? ClassRow(loss, z, targets.classes[r], outputs)
                            : ValueRow(loss, z, targets.values + r * outputs, outputs);
    const double row_weight = targets.weights == nullptr ? 1 : targets.weights[r];
    sum += row_weight * row.loss;
    weight += row_weight * row.weight;
  }
  return weight > 0 ? sum / weight : 0;
}

}  // namespace trainyard
