// Backpropagation against central differences of a second, independent forward pass in double:
// every activation, normalisation, dropout, residual, bias and loss, for the reference kernels, and
// every layer for the fast ones.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/nn/init.h"
#include "core/nn/loss.h"
#include "core/nn/mlp.h"
#include "core/tensor/vector_ops.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

constexpr int64_t kRows = 5;
constexpr int64_t kWidth = 3;  // of features and hidden layers: residual connections fit everywhere
constexpr double kDropout = 0.3;
constexpr TrainPass kPass = {.seed = 5, .step = 2, .first_row = 7};

using Values = std::vector<double>;

double HardSigmoid(double z) { return std::clamp(z / 6 + 0.5, 0.0, 1.0); }
double Sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

double Activate(Activation activation, double alpha, double z) {
  switch (activation) {
    case Activation::kRelu:
      return std::max(z, 0.0);
    case Activation::kSigmoid:
      return Sigmoid(z);
    case Activation::kTanh:
      return std::tanh(z);
    case Activation::kLeakyRelu:
      return z > 0 ? z : alpha * z;
    case Activation::kElu:
      return z > 0 ? z : alpha * (std::exp(z) - 1);
    case Activation::kSelu:
      return 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * (std::exp(z) - 1));
    case Activation::kGelu:
      return z / 2 * (1 + std::erf(z / std::numbers::sqrt2));
    case Activation::kGeluTanh:
      return z / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (z + 0.044715 * z * z * z)));
    case Activation::kSilu:
      return z * Sigmoid(z);
    case Activation::kSoftplus:
      return std::log(1 + std::exp(z));
    case Activation::kHardSigmoid:
      return HardSigmoid(z);
    case Activation::kHardTanh:
      return std::clamp(z, -1.0, 1.0);
    case Activation::kHardSwish:
      return z * HardSigmoid(z);
    default:
      return z;
  }
}

// What dropout multiplies the values of a layer by.
Values Mask(int64_t place, double ratio) {
  const std::vector<float> ones(kRows * kWidth, 1);
  std::vector<float> mask(ones.size());
  ApplyDropout({.seed = kPass.seed, .layer = place, .step = kPass.step}, static_cast<float>(ratio),
               kPass.first_row * kWidth, ones.data(), mask.data(), kRows * kWidth);
  return {mask.begin(), mask.end()};
}

// The network in double, as slow and plain as it can be. Parameters stand as in the Mlp's array.
class DoubleNet {
 public:
  explicit DoubleNet(const MlpConfig& config) : config_(config), tensors_(LayOut(config)) {
    for (size_t place = 0; place <= config.layers.size(); ++place) {
      const double ratio = place == 0 ? config.input_dropout : config.layers[place - 1].dropout;
      masks_.push_back(Mask(static_cast<int64_t>(place), ratio));
    }
  }

  // Logits of a training pass. x: [kRows, kWidth].
  Values Forward(const Values& parameters, Values x) const {
    Multiply(masks_[0], &x);
    for (int64_t i = 0; i < static_cast<int64_t>(config_.layers.size()); ++i) {
      const LayerConfig& layer = config_.layers[static_cast<size_t>(i)];
      Values y = Affine(parameters, i, x);
      if (layer.normalization != Normalization::kNone) Normalize(parameters, i, &y);
      for (double& v : y) v = Activate(layer.activation, AlphaOf(layer), v);
      Multiply(masks_[static_cast<size_t>(i) + 1], &y);
      for (size_t j = 0; j < y.size() && layer.residual; ++j) y[j] += x[j];
      x = std::move(y);
    }
    return Affine(parameters, static_cast<int64_t>(config_.layers.size()), x);
  }

  const ParameterTensors& tensors() const { return tensors_; }

 private:
  static void Multiply(const Values& factors, Values* x) {
    for (size_t i = 0; i < x->size(); ++i) (*x)[i] *= factors[i];
  }

  // Null where the layer has none.
  const double* Find(const Values& parameters, int64_t layer, TensorKind kind) const {
    for (const ParameterTensor& tensor : tensors_) {
      if (tensor.layer == layer && tensor.kind == kind) return parameters.data() + tensor.begin;
    }
    return nullptr;
  }

  Values Affine(const Values& parameters, int64_t layer, const Values& x) const {
    const int64_t in = InputsOf(config_, layer);
    const int64_t out = LayerOf(config_, layer).units;
    const double* weights = Find(parameters, layer, TensorKind::kWeights);
    const double* biases = Find(parameters, layer, TensorKind::kBiases);
    Values y(static_cast<size_t>(kRows * out));
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t o = 0; o < out; ++o) {
        double sum = biases == nullptr ? 0 : biases[o];
        for (int64_t i = 0; i < in; ++i) {
          sum += x[static_cast<size_t>(r * in + i)] * weights[i * out + o];
        }
        y[static_cast<size_t>(r * out + o)] = sum;
      }
    }
    return y;
  }

  // y: [kRows, kWidth], over its columns or rows.
  void Normalize(const Values& parameters, int64_t layer, Values* y) const {
    const bool by_column = LayerOf(config_, layer).normalization == Normalization::kBatch;
    const int64_t groups = by_column ? kWidth : kRows;
    const int64_t members = by_column ? kRows : kWidth;
    for (int64_t group = 0; group < groups; ++group) {
      const auto at = [&](int64_t member) -> double& {
        return (
            *y)[static_cast<size_t>(by_column ? member * kWidth + group : group * kWidth + member)];
      };
      double mean = 0;
      for (int64_t m = 0; m < members; ++m) mean += at(m) / static_cast<double>(members);
      double variance = 0;
      for (int64_t m = 0; m < members; ++m) {
        variance += (at(m) - mean) * (at(m) - mean) / static_cast<double>(members);
      }
      for (int64_t m = 0; m < members; ++m) at(m) = (at(m) - mean) / std::sqrt(variance + 1e-5);
    }
    const double* gains = Find(parameters, layer, TensorKind::kGains);
    const double* shifts = Find(parameters, layer, TensorKind::kShifts);
    for (int64_t i = 0; i < kRows * kWidth; ++i) {
      double& value = (*y)[static_cast<size_t>(i)];
      value = gains[i % kWidth] * value + shifts[i % kWidth];
    }
  }

  const MlpConfig config_;
  const ParameterTensors tensors_;
  std::vector<Values> masks_;  // of the input and of each hidden layer
};

struct Data {
  std::vector<float> x;
  std::vector<float> values;
  std::vector<int32_t> classes;
  std::vector<float> weights;

  LossTargets targets(LossKind kind) const {
    const bool by_class = kind == LossKind::kSoftmaxCrossEntropy;
    return {.values = by_class ? nullptr : values.data(),
            .classes = by_class ? classes.data() : nullptr,
            .weights = weights.data()};
  }
};

double RowLoss(LossKind kind, const double* z, int64_t outputs, const Data& data, size_t row) {
  const double y = data.values[row];
  const double error = y - z[0];
  switch (kind) {
    case LossKind::kBinaryCrossEntropy:
      return std::log(1 + std::exp(z[0])) - z[0] * y;
    case LossKind::kMeanSquaredError:
      return error * error;
    case LossKind::kMeanAbsoluteError:
      return std::fabs(error);
    case LossKind::kHuber:
      return std::fabs(error) <= 1 ? error * error / 2 : std::fabs(error) - 0.5;
    case LossKind::kQuantile:
      return error >= 0 ? 0.3 * error : -0.7 * error;
    case LossKind::kPoisson:
      return std::exp(z[0]) - y * z[0];
    case LossKind::kHinge:
      return std::max(0.0, 1 - (2 * y - 1) * z[0]);
    default:
      break;
  }
  double sum = 0;
  for (int64_t o = 0; o < outputs; ++o) sum += std::exp(z[o]);
  return std::log(sum) - z[data.classes[row]];
}

double MeanLoss(LossKind kind, const Values& logits, const Data& data) {
  const auto outputs = static_cast<int64_t>(logits.size()) / kRows;
  double sum = 0;
  double weight = 0;
  for (size_t r = 0; r < kRows; ++r) {
    sum += data.weights[r] *
           RowLoss(kind, logits.data() + static_cast<int64_t>(r) * outputs, outputs, data, r);
    weight += data.weights[r];
  }
  return sum / weight;
}

bool HasLabels(LossKind kind) {
  return kind == LossKind::kBinaryCrossEntropy || kind == LossKind::kHinge;
}

Data MakeData(LossKind kind, int64_t outputs, Rng* rng) {
  Data data;
  for (int64_t i = 0; i < kRows * kWidth; ++i) {
    data.x.push_back(static_cast<float>(rng->Normal()));
  }
  for (int64_t r = 0; r < kRows; ++r) {
    data.classes.push_back(static_cast<int32_t>(rng->Below(static_cast<uint64_t>(outputs))));
    data.weights.push_back(static_cast<float>(0.5 + rng->Uniform()));
    const double number =
        kind == LossKind::kPoisson ? static_cast<double>(rng->Below(5)) : 2 * rng->Normal();
    data.values.push_back(HasLabels(kind) ? static_cast<float>(rng->Below(2))
                                          : static_cast<float>(number));
  }
  return data;
}

// Weights as drawn by `init`; everything else random around its start.
MlpWeights RandomWeights(const MlpConfig& config, Rng* rng) {
  MlpWeights weights = InitialWeights(config, 3);
  for (LayerWeights& layer : weights) {
    for (std::vector<float>* values : {&layer.biases, &layer.gains, &layer.shifts}) {
      for (float& v : *values) v += static_cast<float>(0.5 * rng->Normal());
    }
  }
  return weights;
}

LossConfig LossOf(LossKind kind) { return {.kind = kind, .quantile = 0.3}; }

// A forward and a backward pass in training mode.
std::unique_ptr<Mlp> Backpropagate(const MlpConfig& config, LossKind kind, const Data& data,
                                   const MlpWeights& weights, const Kernels& kernels) {
  auto mlp = Mlp::Create(config, kernels, {.train = {kRows}});
  EXPECT_THAT(mlp, IsOk());
  EXPECT_THAT((*mlp)->LoadWeights(weights), IsOk());
  EXPECT_THAT((*mlp)->ForwardTrain(data.x.data(), kRows, kPass), IsOk());
  const LossTargets targets = data.targets(kind);
  LossAndGradient(LossOf(kind), (*mlp)->logits(), targets, kRows, config.outputs,
                  BatchWeight(LossOf(kind), targets, kRows, config.outputs),
                  (*mlp)->logit_gradients());
  EXPECT_THAT((*mlp)->Backward(data.x.data(), kRows), IsOk());
  return *std::move(mlp);
}

void ExpectLogits(const Mlp& mlp, const Values& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(mlp.logits()[i], expected[i], 1e-5 + 1e-5 * std::fabs(expected[i]))
        << "logit " << i;
  }
}

void CheckGradients(const MlpConfig& config, LossKind kind, const Kernels& kernels) {
  Rng rng(11, RngStream::kAnalysis);
  const Data data = MakeData(kind, config.outputs, &rng);
  const auto mlp = Backpropagate(config, kind, data, RandomWeights(config, &rng), kernels);
  const DoubleNet net(config);
  const Values x(data.x.begin(), data.x.end());
  Values parameters(mlp->parameters().begin(), mlp->parameters().end());
  ASSERT_NO_FATAL_FAILURE(ExpectLogits(*mlp, net.Forward(parameters, x)));
  constexpr double kStep = 1e-6;  // small enough that no sum crosses a kink with this data
  for (const ParameterTensor& tensor : net.tensors()) {
    for (int64_t i = 0; i < tensor.size(); ++i) {
      double& parameter = parameters[static_cast<size_t>(tensor.begin + i)];
      const double before = parameter;
      parameter = before + kStep;
      const double above = MeanLoss(kind, net.Forward(parameters, x), data);
      parameter = before - kStep;
      const double below = MeanLoss(kind, net.Forward(parameters, x), data);
      parameter = before;
      const double expected = (above - below) / (2 * kStep);
      const double actual = mlp->gradients()[static_cast<size_t>(tensor.begin + i)];
      ASSERT_NEAR(actual, expected, 1e-5 + 1e-4 * std::fabs(expected)) << tensor.name << " " << i;
    }
  }
}

std::vector<LossKind> AllLosses() {
  std::vector<LossKind> kinds;
  for (int i = 1; i <= static_cast<int>(LossKind::kHinge); ++i) {
    kinds.push_back(static_cast<LossKind>(i));
  }
  return kinds;
}

// Calls check(layer, name) for every way to make a hidden layer.
template <typename Check>
void ForEveryLayer(Check check) {
  for (int a = 1; a <= static_cast<int>(kActivationLast); ++a) {
    for (int n = 1; n <= static_cast<int>(Normalization::kLayer); ++n) {
      for (int flags = 0; flags < 8; ++flags) {
        const LayerConfig layer{.units = kWidth,
                                .activation = static_cast<Activation>(a),
                                .alpha = 0.3,
                                .bias = (flags & 1) != 0,
                                .normalization = static_cast<Normalization>(n),
                                .dropout = (flags & 2) != 0 ? kDropout : 0,
                                .residual = (flags & 4) != 0};
        check(layer, absl::StrCat("activation ", a, " normalization ", n, " bias ", layer.bias,
                                  " dropout ", layer.dropout, " residual ", layer.residual));
      }
    }
  }
}

MlpConfig TwoLayersOf(const LayerConfig& layer, LossKind kind) {
  return {.features = kWidth,
          .layers = {layer, layer},
          .outputs = kind == LossKind::kSoftmaxCrossEntropy ? 4 : 1,
          .input_dropout = layer.dropout,
          .output_bias = layer.bias};
}

TEST(GradientCheckTest, EveryLayerAndLoss) {
  const std::unique_ptr<Kernels> kernels = CreateReferenceKernels();
  ForEveryLayer([&](const LayerConfig& layer, const std::string& name) {
    for (const LossKind kind : AllLosses()) {
      SCOPED_TRACE(absl::StrCat(name, " loss ", static_cast<int>(kind)));
      CheckGradients(TwoLayersOf(layer, kind), kind, *kernels);
      if (testing::Test::HasFatalFailure()) return;
    }
  });
}

TEST(GradientCheckTest, EveryLayerOnFastKernels) {
  const std::unique_ptr<Kernels> kernels[] = {CreateDnnlKernels(), CreateTiledKernels()};
  ForEveryLayer([&](const LayerConfig& layer, const std::string& name) {
    for (const auto& k : kernels) {
      SCOPED_TRACE(absl::StrCat(name, " kernels ", &k - kernels));
      const LossKind kind = LossKind::kSoftmaxCrossEntropy;
      CheckGradients(TwoLayersOf(layer, kind), kind, *k);
      if (testing::Test::HasFatalFailure()) return;
    }
  });
}

TEST(GradientCheckTest, NoHiddenLayer) {
  for (const auto& kernels :
       {CreateReferenceKernels(), CreateDnnlKernels(), CreateTiledKernels()}) {
    for (const LossKind kind : AllLosses()) {
      SCOPED_TRACE(static_cast<int>(kind));
      CheckGradients({.features = kWidth,
                      .outputs = kind == LossKind::kSoftmaxCrossEntropy ? 4 : 1,
                      .input_dropout = kDropout},
                     kind, *kernels);
    }
  }
}

}  // namespace
}  // namespace trainyard
