// Backpropagation against central differences of a second, independent forward pass in double:
// every activation, loss and depth, for the fast kernels and for the reference ones.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/nn/init.h"
#include "core/nn/loss.h"
#include "core/nn/mlp.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

constexpr int64_t kRows = 6;
constexpr int64_t kFeatures = 3;

struct DoubleLayer {
  int64_t in, out;
  Activation activation;
  std::vector<double> parameters;  // weights [in, out], then biases [out]
};

double Activate(Activation activation, double z) {
  if (activation == Activation::kRelu) return std::max(z, 0.0);
  if (activation == Activation::kSigmoid) return 1 / (1 + std::exp(-z));
  if (activation == Activation::kTanh) return std::tanh(z);
  return z;
}

std::vector<double> ForwardRow(const std::vector<DoubleLayer>& net, std::vector<double> row) {
  for (const DoubleLayer& layer : net) {
    std::vector<double> next(layer.parameters.end() - layer.out, layer.parameters.end());
    for (int64_t o = 0; o < layer.out; ++o) {
      for (int64_t i = 0; i < layer.in; ++i)
        next[o] += row[i] * layer.parameters[i * layer.out + o];
      next[o] = Activate(layer.activation, next[o]);
    }
    row = std::move(next);
  }
  return row;
}

struct Data {
  std::vector<float> x;
  std::vector<float> values;
  std::vector<int32_t> classes;
};

double RowLoss(LossKind kind, const std::vector<double>& z, const Data& data, int64_t row) {
  if (kind == LossKind::kMeanSquaredError) return std::pow(z[0] - data.values[row], 2);
  if (kind == LossKind::kBinaryCrossEntropy) {
    return std::log(1 + std::exp(z[0])) - z[0] * data.values[row];
  }
  double sum = 0;
  for (const double v : z) sum += std::exp(v);
  return std::log(sum) - z[data.classes[row]];
}

double MeanLoss(LossKind kind, const std::vector<DoubleLayer>& net, const Data& data) {
  double sum = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    const auto begin = data.x.begin() + r * kFeatures;
    sum += RowLoss(kind, ForwardRow(net, {begin, begin + kFeatures}), data, r);
  }
  return sum / kRows;
}

std::vector<DoubleLayer> ToDouble(const MlpWeights& weights) {
  std::vector<DoubleLayer> net;
  for (const LayerWeights& layer : weights) {
    net.push_back(
        {layer.in, layer.out, layer.activation, {layer.weights.begin(), layer.weights.end()}});
    net.back().parameters.insert(net.back().parameters.end(), layer.biases.begin(),
                                 layer.biases.end());
  }
  return net;
}

Data MakeData(LossKind kind, int64_t outputs, Rng* rng) {
  Data data;
  for (int64_t i = 0; i < kRows * kFeatures; ++i) {
    data.x.push_back(static_cast<float>(rng->Normal()));
  }
  for (int64_t r = 0; r < kRows; ++r) {
    data.classes.push_back(static_cast<int32_t>(rng->Below(static_cast<uint64_t>(outputs))));
    data.values.push_back(kind == LossKind::kBinaryCrossEntropy
                              ? static_cast<float>(rng->Below(2))
                              : static_cast<float>(rng->Normal()));
  }
  return data;
}

MlpWeights RandomWeights(const MlpConfig& config, Rng* rng) {
  MlpWeights weights = InitialWeights(config, 3);
  for (LayerWeights& layer : weights) {
    for (float& b : layer.biases) b = static_cast<float>(0.5 * rng->Normal());
  }
  return weights;
}

// The network's gradient in the order of DoubleLayer::parameters.
std::vector<std::vector<double>> Backpropagate(const MlpConfig& config, LossKind kind,
                                               const MlpWeights& weights, const Data& data,
                                               const Kernels& kernels) {
  auto mlp = Mlp::Create(config, kernels, {.train = {kRows}});
  EXPECT_THAT(mlp, IsOk());
  EXPECT_THAT((*mlp)->LoadWeights(weights), IsOk());
  EXPECT_THAT((*mlp)->Forward(data.x.data(), kRows), IsOk());
  LossAndGradient(kind, (*mlp)->logits(),
                  {.values = data.values.data(), .classes = data.classes.data()}, kRows,
                  config.outputs, (*mlp)->logit_gradients());
  EXPECT_THAT((*mlp)->Backward(data.x.data(), kRows), IsOk());
  // Read out through ToWeights of a second network that holds the gradients as its parameters.
  auto holder = Mlp::Create(config, kernels, {.forward = {1}});
  EXPECT_THAT(holder, IsOk());
  std::copy((*mlp)->gradients().begin(), (*mlp)->gradients().end(),
            (*holder)->parameters().begin());
  std::vector<std::vector<double>> gradients;
  for (const DoubleLayer& layer : ToDouble((*holder)->ToWeights())) {
    gradients.push_back(layer.parameters);
  }
  return gradients;
}

void CheckGradients(const MlpConfig& config, LossKind kind, const Kernels& kernels) {
  Rng rng(11, RngStream::kAnalysis);
  const Data data = MakeData(kind, config.outputs, &rng);
  const MlpWeights weights = RandomWeights(config, &rng);
  const auto gradients = Backpropagate(config, kind, weights, data, kernels);
  std::vector<DoubleLayer> net = ToDouble(weights);
  constexpr double kStep = 1e-6;  // small enough that no sum crosses a kink of ReLU with this data
  for (size_t layer = 0; layer < net.size(); ++layer) {
    for (size_t i = 0; i < net[layer].parameters.size(); ++i) {
      double& parameter = net[layer].parameters[i];
      const double before = parameter;
      parameter = before + kStep;
      const double above = MeanLoss(kind, net, data);
      parameter = before - kStep;
      const double below = MeanLoss(kind, net, data);
      parameter = before;
      const double expected = (above - below) / (2 * kStep);
      ASSERT_NEAR(gradients[layer][i], expected, 2e-6 + 1e-5 * std::fabs(expected))
          << "layer " << layer << " parameter " << i;
    }
  }
}

TEST(GradientCheckTest, EveryActivationLossAndDepth) {
  const std::unique_ptr<Kernels> kernels[] = {CreateReferenceKernels(), CreateDnnlKernels(),
                                              CreateTiledKernels()};
  for (const Activation activation :
       {Activation::kIdentity, Activation::kRelu, Activation::kSigmoid, Activation::kTanh}) {
    for (const LossKind kind : {LossKind::kBinaryCrossEntropy, LossKind::kSoftmaxCrossEntropy,
                                LossKind::kMeanSquaredError}) {
      for (size_t depth = 0; depth <= 2; ++depth) {
        MlpConfig config{.features = kFeatures};
        if (depth > 0) config.layers.push_back({5, activation});
        if (depth > 1) config.layers.push_back({4, activation});
        config.outputs = kind == LossKind::kSoftmaxCrossEntropy ? 3 : 1;
        for (const auto& k : kernels) {
          SCOPED_TRACE(absl::StrCat("activation ", static_cast<int>(activation), " loss ",
                                    static_cast<int>(kind), " depth ", depth, " kernels ",
                                    &k - kernels));
          CheckGradients(config, kind, *k);
        }
      }
    }
  }
}

}  // namespace
}  // namespace trainyard
