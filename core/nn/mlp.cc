#include "core/nn/mlp.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

int64_t Largest(const std::vector<int64_t>& sizes) {
  return sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
}

LayerRows LargestRows(const BatchSizes& sizes) {
  const int64_t train = Largest(sizes.train);
  return {.forward = std::max(train, Largest(sizes.forward)), .train = train};
}

bool UsesBatchNormalization(const MlpConfig& config) {
  return std::any_of(config.layers.begin(), config.layers.end(), [](const LayerConfig& layer) {
    return layer.normalization == Normalization::kBatch;
  });
}

float*& PlaceOf(TensorKind kind, LayerTensors& tensors) {
  switch (kind) {
    case TensorKind::kWeights:
      return tensors.weights;
    case TensorKind::kBiases:
      return tensors.biases;
    case TensorKind::kGains:
      return tensors.gains;
    case TensorKind::kShifts:
      break;
  }
  return tensors.shifts;
}

// The vector of `layer` that holds a tensor of that kind; of a const layer for reading.
template <typename Weights>
auto& VectorOf(TensorKind kind, Weights& layer) {
  switch (kind) {
    case TensorKind::kWeights:
      return layer.weights;
    case TensorKind::kBiases:
      return layer.biases;
    case TensorKind::kGains:
      return layer.gains;
    case TensorKind::kShifts:
      break;
  }
  return layer.shifts;
}

std::string LayerName(size_t layer, size_t layer_count) {
  return layer + 1 == layer_count ? "output" : absl::StrCat("layers[", layer, "]");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Mlp>> Mlp::Create(const MlpConfig& config, const Kernels& kernels,
                                                 const BatchSizes& sizes, Mlp* leader) {
  std::unique_ptr<Mlp> mlp(new Mlp(config, sizes, leader));
  for (const int64_t rows : sizes.train) {
    TY_RETURN_IF_ERROR(mlp->AddPlan(rows, /*train=*/true, kernels));
  }
  for (const int64_t rows : sizes.forward) {
    TY_RETURN_IF_ERROR(mlp->AddPlan(rows, /*train=*/false, kernels));
  }
  return mlp;
}

Mlp::Mlp(const MlpConfig& config, const BatchSizes& sizes, Mlp* leader)
    : config_(config), tensors_(LayOut(config)), arena_size_(ArenaSizeOf(tensors_)) {
  const LayerRows rows = LargestRows(sizes);
  int64_t scratch_size = 0;
  for (int64_t i = 0; i <= static_cast<int64_t>(config.layers.size()); ++i) {
    layers_.emplace_back(LayerOf(config, i), i, InputsOf(config, i), rows);
    scratch_size = std::max(scratch_size, layers_.back().scratch_size());
  }
  scratch_ = AllocateFloats(scratch_size);
  if (config.input_dropout > 0) dropped_input_ = Matrix(rows.train, config.features);
  AllocateArrays(rows.train > 0, leader);
  PlaceTensors();
  PlaceRunningStatistics();
}

void Mlp::AllocateArrays(bool train, Mlp* leader) {
  if (train) gradients_ = AllocateFloats(arena_size_);
  if (leader == nullptr) {
    own_parameters_ = AllocateFloats(arena_size_);
    parameters_ = own_parameters_.get();
    return;
  }
  TY_CHECK(!UsesBatchNormalization(config_));
  TY_CHECK(leader->arena_size_ == arena_size_);
  parameters_ = leader->parameters_;
}

void Mlp::PlaceTensors() {
  for (const ParameterTensor& tensor : tensors_) {
    MlpLayer& layer = layers_[static_cast<size_t>(tensor.layer)];
    PlaceOf(tensor.kind, layer.values) = parameters_ + tensor.begin;
    if (gradients_ == nullptr) continue;
    PlaceOf(tensor.kind, layer.gradients) = gradients_.get() + tensor.begin;
  }
  // Weights are zero until they are loaded, but what normalises passes everything on.
  for (const MlpLayer& layer : layers_) {
    if (own_parameters_ != nullptr && layer.values.gains != nullptr) {
      std::fill_n(layer.values.gains, layer.out(), 1.0F);
    }
  }
}

void Mlp::PlaceRunningStatistics() {
  int64_t size = 0;
  for (const MlpLayer& layer : layers_) {
    if (layer.config().normalization == Normalization::kBatch) size += 2 * layer.out();
  }
  running_.resize(static_cast<size_t>(size));
  float* next = running_.data();
  for (MlpLayer& layer : layers_) {
    if (layer.config().normalization != Normalization::kBatch) continue;
    layer.running = {.means = next, .variances = next + layer.out()};
    std::fill_n(layer.running.variances, layer.out(), 1.0F);
    next += 2 * layer.out();
  }
}

absl::Status Mlp::AddPlan(int64_t rows, bool train, const Kernels& kernels) {
  if (FindPlan(rows) != nullptr) return absl::OkStatus();  // train sizes come first and do both
  Plan plan{.rows = rows, .train = train};
  for (const MlpLayer& layer : layers_) {
    TY_ASSIGN_OR_RETURN(std::unique_ptr<LinearKernel> kernel,
                        kernels.CreateLinear(layer.KernelShape(rows, train, config_.precision)));
    plan.kernels.push_back(std::move(kernel));
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
  TY_RETURN_IF_ERROR(CheckShapes(config_, weights));
  for (const ParameterTensor& tensor : tensors_) {
    const auto& source = VectorOf(tensor.kind, weights[static_cast<size_t>(tensor.layer)]);
    std::copy(source.begin(), source.end(), parameters_ + tensor.begin);
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    const RunningMoments& running = layers_[i].running;
    std::copy(weights[i].running_means.begin(), weights[i].running_means.end(), running.means);
    std::copy(weights[i].running_variances.begin(), weights[i].running_variances.end(),
              running.variances);
  }
  return absl::OkStatus();
}

MlpWeights Mlp::ToWeights() const {
  MlpWeights weights = ZeroWeights(config_);
  for (const ParameterTensor& tensor : tensors_) {
    auto& target = VectorOf(tensor.kind, weights[static_cast<size_t>(tensor.layer)]);
    std::copy_n(parameters_ + tensor.begin, target.size(), target.begin());
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    const RunningMoments& running = layers_[i].running;
    std::copy_n(running.means, weights[i].running_means.size(), weights[i].running_means.begin());
    std::copy_n(running.variances, weights[i].running_variances.size(),
                weights[i].running_variances.begin());
  }
  return weights;
}

absl::Status Mlp::Forward(const float* x, int64_t rows) {
  const Plan* plan = FindPlan(rows);
  TY_CHECK(plan != nullptr);
  input_dropped_ = false;
  for (size_t i = 0; i < layers_.size(); ++i) {
    TY_RETURN_IF_ERROR(layers_[i].Forward(*plan->kernels[i], x, rows, plan->train));
    x = layers_[i].output();
  }
  return absl::OkStatus();
}

absl::Status Mlp::ForwardTrain(const float* x, int64_t rows, const TrainPass& pass) {
  const Plan* plan = FindPlan(rows);
  TY_CHECK(plan != nullptr);
  TY_CHECK(plan->train);
  input_dropped_ = config_.input_dropout > 0;
  if (input_dropped_) x = DropInput(x, rows, pass);
  for (size_t i = 0; i < layers_.size(); ++i) {
    TY_RETURN_IF_ERROR(layers_[i].ForwardTrain(*plan->kernels[i], x, rows, pass));
    x = layers_[i].output();
  }
  return absl::OkStatus();
}

const float* Mlp::DropInput(const float* x, int64_t rows, const TrainPass& pass) {
  DropOut(pass, 0, config_.input_dropout, x, rows, config_.features, dropped_input_.data());
  return dropped_input_.data();
}

absl::Status Mlp::Backward(const float* x, int64_t rows) {
  const Plan* plan = FindPlan(rows);
  TY_CHECK(plan != nullptr);
  TY_CHECK(plan->train);
  if (input_dropped_) x = dropped_input_.data();
  for (size_t i = layers_.size(); i-- > 0;) {
    const float* input = i == 0 ? x : layers_[i - 1].output();
    float* input_gradient = i == 0 ? nullptr : layers_[i - 1].gradient();
    TY_RETURN_IF_ERROR(
        layers_[i].Backward(*plan->kernels[i], input, rows, input_gradient, scratch_.get()));
  }
  return absl::OkStatus();
}

std::string Mlp::FindNonFinite(int64_t rows) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    std::string found = FindNonFiniteIn(i, rows);
    if (!found.empty()) return found;
  }
  return FindNonFiniteGradient();
}

std::string Mlp::FindNonFiniteIn(size_t layer, int64_t rows) const {
  for (const ParameterTensor& tensor : tensors_) {
    if (tensor.layer != static_cast<int64_t>(layer)) continue;
    if (!AllFinite(parameters_ + tensor.begin, tensor.size())) return tensor.name;
  }
  const int64_t units = layers_[layer].out();
  const RunningMoments& running = layers_[layer].running;
  if (running.means != nullptr && !AllFinite(running.means, 2 * units)) {
    return absl::StrCat(LayerName(layer, layers_.size()), " running statistics");
  }
  if (AllFinite(layers_[layer].output(), rows * units)) return "";
  const bool last = layer + 1 == layers_.size();
  return absl::StrCat(LayerName(layer, layers_.size()), last ? " logits" : " outputs");
}

std::string Mlp::FindNonFiniteGradient() const {
  if (gradients_ == nullptr) return "";
  // The gradient flows from the output: what is nearest to it went wrong first.
  for (int64_t layer = static_cast<int64_t>(layers_.size()); layer-- > 0;) {
    for (const ParameterTensor& tensor : tensors_) {
      if (tensor.layer != layer) continue;
      if (AllFinite(gradients_.get() + tensor.begin, tensor.size())) continue;
      return absl::StrCat(LayerName(static_cast<size_t>(layer), layers_.size()), " gradients");
    }
  }
  return "";
}

}  // namespace trainyard
