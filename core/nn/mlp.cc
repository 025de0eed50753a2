#include "core/nn/mlp.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

constexpr int64_t kFloatsPerCacheLine = 16;

int64_t RoundUp(int64_t count) {
  return (count + kFloatsPerCacheLine - 1) / kFloatsPerCacheLine * kFloatsPerCacheLine;
}

int64_t Largest(const std::vector<int64_t>& sizes) {
  return sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
}

// Calls visit(in, out, activation) for every layer, input to output.
template <typename Visit>
void ForEachLayer(const MlpConfig& config, Visit visit) {
  int64_t in = config.features;
  for (const LayerConfig& layer : config.layers) {
    visit(in, layer.units, layer.activation);
    in = layer.units;
  }
  visit(in, config.outputs, Activation::kIdentity);
}

bool SameShape(const LayerWeights& a, const LayerWeights& b) {
  return a.in == b.in && a.out == b.out && a.activation == b.activation &&
         a.weights.size() == b.weights.size() && a.biases.size() == b.biases.size();
}

absl::Status CheckShapes(const MlpWeights& expected, const MlpWeights& actual) {
  if (expected.size() != actual.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights have ", actual.size(), " layers, the network has ", expected.size()));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (SameShape(expected[i], actual[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "weights of layer ", i, " are ", actual[i].in, " x ", actual[i].out, " with activation ",
        static_cast<int>(actual[i].activation), ", the network's are ", expected[i].in, " x ",
        expected[i].out, " with activation ", static_cast<int>(expected[i].activation)));
  }
  return absl::OkStatus();
}

}  // namespace

int64_t ParameterCount(const MlpConfig& config) {
  int64_t count = 0;
  ForEachLayer(config, [&](int64_t in, int64_t out, Activation) { count += (in + 1) * out; });
  return count;
}

int64_t ForwardFlopsPerRow(const MlpConfig& config) {
  int64_t flops = 0;
  ForEachLayer(config, [&](int64_t in, int64_t out, Activation) { flops += 2 * in * out; });
  return flops;
}

int64_t TrainFlopsPerRow(const MlpConfig& config) {
  // Gradients of weights and of inputs are a product each; nobody asks for the gradient of the
  // first layer's input.
  const int64_t first =
      2 * config.features * (config.layers.empty() ? config.outputs : config.layers.front().units);
  return 3 * ForwardFlopsPerRow(config) - first;
}

MlpWeights ZeroWeights(const MlpConfig& config) {
  MlpWeights weights;
  ForEachLayer(config, [&](int64_t in, int64_t out, Activation activation) {
    weights.push_back({.in = in,
                       .out = out,
                       .activation = activation,
                       .weights = std::vector<float>(static_cast<size_t>(in * out)),
                       .biases = std::vector<float>(static_cast<size_t>(out))});
  });
  return weights;
}

MlpConfig ConfigOf(const MlpWeights& weights) {
  TY_CHECK(!weights.empty());
  MlpConfig config{.features = weights.front().in, .outputs = weights.back().out};
  for (size_t i = 0; i + 1 < weights.size(); ++i) {
    config.layers.push_back({.units = weights[i].out, .activation = weights[i].activation});
  }
  return config;
}

Mlp::Mlp(const MlpConfig& config) : config_(config) {}

absl::StatusOr<std::unique_ptr<Mlp>> Mlp::Create(const MlpConfig& config, const Kernels& kernels,
                                                 const BatchSizes& sizes, Mlp* leader) {
  TY_CHECK(leader == nullptr);
  std::unique_ptr<Mlp> mlp(new Mlp(config));
  mlp->LayOut();
  mlp->Allocate(sizes);
  for (const int64_t rows : sizes.train) {
    TY_RETURN_IF_ERROR(mlp->AddPlan(rows, /*train=*/true, kernels));
  }
  for (const int64_t rows : sizes.forward) {
    TY_RETURN_IF_ERROR(mlp->AddPlan(rows, /*train=*/false, kernels));
  }
  return mlp;
}

void Mlp::LayOut() {
  int64_t end = 0;
  ForEachLayer(config_, [&](int64_t in, int64_t out, Activation activation) {
    layers_.push_back({.in = in, .out = out, .activation = activation, .weight_begin = end});
    end += RoundUp(in * out);
  });
  weight_count_ = end;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const bool last = i + 1 == layers_.size();
    tensors_.push_back(
        {.name = absl::StrCat(last ? "output" : absl::StrCat("layers[", i, "]"), " weights"),
         .kind = TensorKind::kWeights,
         .layer = static_cast<int64_t>(i),
         .hidden = !last,
         .begin = layers_[i].weight_begin,
         .rows = layers_[i].in,
         .cols = layers_[i].out});
  }
  for (Layer& layer : layers_) {
    layer.bias_begin = end;
    end += RoundUp(layer.out);
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    const bool last = i + 1 == layers_.size();
    tensors_.push_back(
        {.name = absl::StrCat(last ? "output" : absl::StrCat("layers[", i, "]"), " biases"),
         .kind = TensorKind::kBiases,
         .layer = static_cast<int64_t>(i),
         .hidden = !last,
         .begin = layers_[i].bias_begin,
         .rows = 1,
         .cols = layers_[i].out});
  }
  parameter_end_ = end;
}

void Mlp::Allocate(const BatchSizes& sizes) {
  const int64_t train_rows = Largest(sizes.train);
  const int64_t rows = std::max(train_rows, Largest(sizes.forward));
  parameters_ = AllocateFloats(parameter_end_);
  if (train_rows > 0) gradients_ = AllocateFloats(parameter_end_);
  for (const Layer& layer : layers_) {
    outputs_.emplace_back(rows, layer.out);
    output_gradients_.emplace_back(train_rows, layer.out);
  }
}

absl::Status Mlp::AddPlan(int64_t rows, bool train, const Kernels& kernels) {
  if (FindPlan(rows) != nullptr) return absl::OkStatus();  // train sizes come first and do both
  Plan plan{.rows = rows, .train = train};
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LinearShape shape{.batch = rows,
                            .in = layers_[i].in,
                            .out = layers_[i].out,
                            .activation = layers_[i].activation,
                            .backward = train,
                            .input_gradient = train && i > 0};
    TY_ASSIGN_OR_RETURN(std::unique_ptr<LinearKernel> kernel, kernels.CreateLinear(shape));
    plan.layers.push_back(std::move(kernel));
  }
  plans_.push_back(std::move(plan));
  return absl::OkStatus();
}

const Mlp::Plan* Mlp::FindPlan(int64_t rows) const {
  for (const Plan& plan : plans_) {
    if (plan.rows == rows) return &plan;
  }
  return nullptr;
}

absl::Status Mlp::LoadWeights(const MlpWeights& weights) {
  TY_RETURN_IF_ERROR(CheckShapes(ZeroWeights(config_), weights));
  for (size_t i = 0; i < layers_.size(); ++i) {
    std::copy(weights[i].weights.begin(), weights[i].weights.end(),
              parameters_.get() + layers_[i].weight_begin);
    std::copy(weights[i].biases.begin(), weights[i].biases.end(),
              parameters_.get() + layers_[i].bias_begin);
  }
  return absl::OkStatus();
}

MlpWeights Mlp::ToWeights() const {
  MlpWeights weights = ZeroWeights(config_);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const float* source = parameters_.get() + layers_[i].weight_begin;
    std::copy_n(source, weights[i].weights.size(), weights[i].weights.begin());
    source = parameters_.get() + layers_[i].bias_begin;
    std::copy_n(source, weights[i].biases.size(), weights[i].biases.begin());
  }
  return weights;
}

absl::Status Mlp::Forward(const float* x, int64_t rows) {
  const Plan* plan = FindPlan(rows);
  TY_CHECK(plan != nullptr);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const float* input = i == 0 ? x : outputs_[i - 1].data();
    TY_RETURN_IF_ERROR(plan->layers[i]->Forward(input, parameters_.get() + layers_[i].weight_begin,
                                                parameters_.get() + layers_[i].bias_begin,
                                                outputs_[i].data()));
  }
  return absl::OkStatus();
}

absl::Status Mlp::ForwardTrain(const float* x, int64_t rows, const TrainPass& /*pass*/) {
  return Forward(x, rows);
}

absl::Status Mlp::Backward(const float* x, int64_t rows) {
  const Plan* plan = FindPlan(rows);
  TY_CHECK(plan != nullptr);
  TY_CHECK(plan->train);
  for (size_t i = layers_.size(); i-- > 0;) {
    const float* input = i == 0 ? x : outputs_[i - 1].data();
    const LinearGradients gradients{.weights = gradients_.get() + layers_[i].weight_begin,
                                    .biases = gradients_.get() + layers_[i].bias_begin,
                                    .input = i == 0 ? nullptr : output_gradients_[i - 1].data()};
    TY_RETURN_IF_ERROR(plan->layers[i]->Backward(input, parameters_.get() + layers_[i].weight_begin,
                                                 outputs_[i].data(), output_gradients_[i].data(),
                                                 gradients));
  }
  return absl::OkStatus();
}

std::string Mlp::FindNonFinite(int64_t rows) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const bool last = i + 1 == layers_.size();
    const std::string name = last ? std::string("output") : absl::StrCat("layers[", i, "]");
    if (!AllFinite(parameters_.get() + layer.weight_begin, layer.in * layer.out)) {
      return absl::StrCat(name, " weights");
    }
    if (!AllFinite(parameters_.get() + layer.bias_begin, layer.out)) {
      return absl::StrCat(name, " biases");
    }
    if (!AllFinite(outputs_[i].data(), rows * layer.out)) {
      return absl::StrCat(name, last ? " logits" : " outputs");
    }
  }
  return FindNonFiniteGradient();
}

std::string Mlp::FindNonFiniteGradient() const {
  if (gradients_ == nullptr) return "";
  // The gradient flows from the output: what is nearest to it went wrong first.
  for (size_t i = layers_.size(); i-- > 0;) {
    const Layer& layer = layers_[i];
    if (AllFinite(gradients_.get() + layer.weight_begin, layer.in * layer.out) &&
        AllFinite(gradients_.get() + layer.bias_begin, layer.out)) {
      continue;
    }
    return i + 1 == layers_.size() ? "output gradients" : absl::StrCat("layers[", i, "] gradients");
  }
  return "";
}

}  // namespace trainyard
