#include "core/nn/mlp_layer.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

TY_MULTIVERSION void AddTo(const float* __restrict x, int64_t count, float* __restrict sums) {
  for (int64_t i = 0; i < count; ++i) sums[i] += x[i];
}

TY_MULTIVERSION void Scale(float factor, int64_t count, float* x) {
  for (int64_t i = 0; i < count; ++i) x[i] *= factor;
}

// Whether the output is what leaves the activation.
bool EndsWithActivation(const LayerConfig& config) {
  return config.dropout == 0 && !config.residual;
}

// Whether the output tells what the way back asks of the layer. ReLU's does in spite of dropout: it
// is positive just where the slope is 1 and nothing was dropped.
bool OutputTellsSlope(const LayerConfig& config) {
  if (Normalizes(config) || GradientNeedsInput(config.activation)) return false;
  if (EndsWithActivation(config) || config.activation == Activation::kIdentity) return true;
  return config.activation == Activation::kRelu && !config.residual;
}

int64_t InversesOf(const LayerConfig& config, int64_t rows) {
  if (config.normalization == Normalization::kBatch) return config.units;
  return config.normalization == Normalization::kLayer ? rows : 0;
}

}  // namespace

void DropOut(const TrainPass& pass, int64_t place, double ratio, const float* x, int64_t rows,
             int64_t cols, float* y) {
  ApplyDropout({.seed = pass.seed, .layer = place, .step = pass.step}, static_cast<float>(ratio),
               pass.first_row * cols, x, y, rows * cols);
}

MlpLayer::MlpLayer(const LayerConfig& config, int64_t number, int64_t in, const LayerRows& rows)
    : config_(config),
      number_(number),
      in_(in),
      alpha_(AlphaOf(config)),
      fused_(!Normalizes(config) && !GradientNeedsInput(config.activation)),
      plain_(fused_ && EndsWithActivation(config)),
      output_(rows.forward, config.units),
      gradient_(rows.train, config.units),
      kept_(OutputTellsSlope(config) ? 0 : rows.train, config.units),
      inverses_(AllocateFloats(InversesOf(config, rows.forward))) {
  TY_CHECK(!config.residual || in == config.units);
}

LinearShape MlpLayer::KernelShape(int64_t rows, bool backward, Precision precision) const {
  return {.batch = rows,
          .in = in_,
          .out = out(),
          .activation = fused_ ? config_.activation : Activation::kIdentity,
          .alpha = alpha_,
          .bias = config_.bias,
          .precision = precision,
          .backward = backward,
          .input_gradient = backward && number_ > 0};
}

int64_t MlpLayer::scratch_size() const {
  return Normalizes(config_) || config_.residual ? gradient_.size() : 0;
}

void MlpLayer::Normalize(float* z, int64_t rows, bool training) {
  if (config_.normalization == Normalization::kLayer) {
    return NormalizeRows(z, rows, out(), inverses_.get());
  }
  if (training) return NormalizeColumns(z, rows, out(), inverses_.get(), running);
  NormalizeColumnsBy(running, z, rows, out(), inverses_.get());
}

// Without `kept` everything happens in the output.
absl::Status MlpLayer::ForwardComposed(LinearKernel& kernel, const float* x, int64_t rows,
                                       float* kept, const TrainPass* pass) {
  float* const y = output();
  float* const first = kept != nullptr ? kept : y;
  const int64_t count = rows * out();
  TY_RETURN_IF_ERROR(kernel.Forward(x, values.weights, values.biases, first));
  if (normalizes()) {
    Normalize(first, rows, pass != nullptr);
    ScaleAndShift(first, rows, out(), values.gains, values.shifts, y);
  }
  dropped_ = pass != nullptr && config_.dropout > 0;
  const float* source = normalizes() ? y : first;
  if (!fused_) {
    ApplyActivation(config_.activation, alpha_, source, y, count);
    source = y;
  }
  if (dropped_) {
    pass_ = *pass;
    DropOut(pass_, number_ + 1, config_.dropout, source, rows, out(), y);
  } else if (source != y) {
    std::copy_n(source, count, y);
  }
  if (config_.residual) AddTo(x, count, y);
  return absl::OkStatus();
}

absl::Status MlpLayer::BackwardComposed(LinearKernel& kernel, const float* x, int64_t rows,
                                        float* dx, float* scratch) {
  const bool adds = config_.residual && dx != nullptr;
  if (adds) std::copy_n(gradient(), rows * out(), dx);
  if (dropped_) DropOutBackward(rows);
  if (!fused_) ActivationBackward(rows, scratch);
  if (normalizes()) NormalizationBackward(rows);
  const float* y = kept_.data() != nullptr ? kept_.data() : output();
  TY_RETURN_IF_ERROR(kernel.Backward(x, values.weights, y, gradient(),
                                     {gradients.weights, gradients.biases, adds ? scratch : dx}));
  if (adds) AddTo(scratch, rows * in_, dx);
  return absl::OkStatus();
}

void MlpLayer::DropOutBackward(int64_t rows) {
  const bool relu_drops = fused_ && config_.activation == Activation::kRelu &&
                          kept_.data() == nullptr;  // the kernel's slope is 0 there anyway
  if (relu_drops) {
    return Scale(1 / (1 - static_cast<float>(config_.dropout)), rows * out(), gradient());
  }
  DropOut(pass_, number_ + 1, config_.dropout, gradient(), rows, out(), gradient());
}

// Of an activation that is not the kernel's. What stands between normalisation and activation is
// computed again: a pass over the outputs instead of a buffer for each layer.
void MlpLayer::ActivationBackward(int64_t rows, float* scratch) {
  const Activation activation = config_.activation;
  if (activation == Activation::kIdentity) return;
  const int64_t count = rows * out();
  const float* z = kept_.data();
  const float* y = output();
  const bool from_input = GradientNeedsInput(activation);
  if (normalizes() && (from_input || !EndsWithActivation(config_))) {
    ScaleAndShift(kept_.data(), rows, out(), values.gains, values.shifts, scratch);
    if (!from_input) ApplyActivation(activation, alpha_, scratch, scratch, count);
    z = scratch;
    y = scratch;
  }
  ApplyActivationGradient(activation, alpha_, z, y, gradient(), count);
}

void MlpLayer::NormalizationBackward(int64_t rows) {
  const float* x_hat = kept_.data();
  NormalizationGradients(gradient(), x_hat, rows, out(), gradients.gains, gradients.shifts);
  if (config_.normalization == Normalization::kLayer) {
    return RowsBackward(x_hat, rows, out(), inverses_.get(), values.gains, gradient());
  }
  ColumnsBackward(x_hat, rows, out(), inverses_.get(), values.gains, gradients.gains,
                  gradients.shifts, gradient());
}

}  // namespace trainyard
