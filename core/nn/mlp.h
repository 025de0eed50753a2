// Mlp is the model family f(x, θ): layers y = σ(Wx + b) stacked, the last one without activation
// (its outputs are logits, or the value in regression). With no hidden layer it is a linear model
// or logistic regression. A hidden layer may also normalise (before its activation), drop out
// (after it) and add its input (last):
//
//   y = [x +] dropout(act(normalise(xW + b)))
//
// It is the network's memory and the order of its kernels; the arithmetic is in tensor/, loss and
// update are elsewhere.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> mlp,
//                       Mlp::Create(config, *kernels, {.train = {32, 5}, .forward = {256}}));
//   TY_RETURN_IF_ERROR(mlp->LoadWeights(InitialWeights(config, seed)));
//   TY_RETURN_IF_ERROR(mlp->ForwardTrain(x, 32, pass));       // mlp->logits() is [32, outputs]
//   LossAndGradient(..., mlp->logits(), ..., mlp->logit_gradients());
//   TY_RETURN_IF_ERROR(mlp->Backward(x, 32));      // mlp->gradients()
//   TY_RETURN_IF_ERROR(mlp->Forward(x, 256));      // evaluation mode: no dropout, running means
//
// Prediction: Create with only .forward sizes (no memory for gradients), LoadWeights, Forward. The
// last, shorter batch either has a size of its own in the plan or is padded by the caller.
//
// Thread-safety: none; one thread at a time. Several Mlps may share one Kernels.
// Memory: parameters and gradients are one flat array each, weights of all layers first, then
// biases, each tensor on a 64-byte border (the gaps are zero and stay zero): update, norm and
// finite check are one loop each.
#ifndef TRAINYARD_CORE_NN_MLP_H_
#define TRAINYARD_CORE_NN_MLP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/nn/parameters.h"
#include "core/tensor/kernels.h"
#include "core/tensor/matrix.h"

namespace trainyard {

// Numbers equal trainyard.v1.Init.
enum class InitKind : uint8_t {
  kUnspecified = 0,
  kHeNormal = 1,
  kHeUniform = 2,
  kXavierNormal = 3,
  kXavierUniform = 4,
  kZeros = 5,
  kNormal = 6,
  kUniform = 7,
  kLecunNormal = 8,
  kLecunUniform = 9,
  kOrthogonal = 10,
};

// Numbers equal trainyard.v1.Normalization and are persisted in bundles: do not change existing
// values.
enum class Normalization : uint8_t { kUnspecified = 0, kNone = 1, kBatch = 2, kLayer = 3 };

// PyTorch's, for both kinds.
inline constexpr float kNormalizationEpsilon = 1e-5F;
// Share of a batch's mean and variance in the new running ones, as PyTorch's `momentum`.
inline constexpr float kBatchNormMomentum = 0.1F;

struct InitConfig {
  InitKind kind = InitKind::kUnspecified;
  std::optional<double>
      gain;  // factor on deviation or bound; default 1; not for kZeros, kNormal, kUniform
  std::optional<double> scale;  // kNormal: deviation, kUniform: bound; default 0.01
};

// One hidden layer.
struct LayerConfig {
  int64_t units = 0;
  Activation activation = Activation::kRelu;
  std::optional<double> alpha;  // where HasAlpha; default DefaultAlpha
  bool bias = true;
  Normalization normalization = Normalization::kNone;
  double dropout = 0;     // ratio of outputs zeroed in training, [0, 1)
  bool residual = false;  // adds the layer's input; its width must be `units`
};

struct MlpConfig {
  int64_t features = 0;
  std::vector<LayerConfig> layers;  // hidden
  int64_t outputs = 0;
  InitConfig init;
  double input_dropout = 0;  // ratio of features zeroed in training, [0, 1)
  bool output_bias = true;
  Precision precision = Precision::kFp32;
};

// Number of parameters: weights, biases, gains and shifts. REQUIRES: sizes within limits.h (the
// result then fits).
int64_t ParameterCount(const MlpConfig& config);

// Floating-point operations of the matrix products of one row, a multiplication and an addition
// counted as two: forward alone, or forward and backward.
int64_t ForwardFlopsPerRow(const MlpConfig& config);
int64_t TrainFlopsPerRow(const MlpConfig& config);

// One layer as prediction needs it: what a bundle stores. Dropout leaves no trace.
struct LayerWeights {
  int64_t in = 0;
  int64_t out = 0;
  Activation activation = Activation::kIdentity;  // kIdentity for the output layer
  std::vector<float> weights;                     // [in, out], row-major: y = x·weights + biases
  std::vector<float> biases;                      // [out], or empty: no bias
  float alpha = 0;                                // of the activation, where HasAlpha
  Normalization normalization = Normalization::kNone;
  std::vector<float> gains, shifts;                     // [out] unless kNone
  std::vector<float> running_means, running_variances;  // [out] for kBatch
  bool residual = false;
};
using MlpWeights = std::vector<LayerWeights>;  // input to output, output layer included

// Layers of the right shapes; all zero, but gains and running variances one.
MlpWeights ZeroWeights(const MlpConfig& config);

// The shape of the network that `weights` belong to; init is unspecified and nothing drops out.
// REQUIRES: at least one layer.
MlpConfig ConfigOf(const MlpWeights& weights);

// The numbers of rows that will be given to Forward: `train` with Backward after it, `forward`
// without. Sizes may repeat.
struct BatchSizes {
  std::vector<int64_t> train;
  std::vector<int64_t> forward;
};

// What a training pass needs to know beside its rows. The dropout of a row is a function of (seed,
// layer, step, row), so that it does not depend on how a batch is shared out over threads.
struct TrainPass {
  uint64_t seed = 0;
  int64_t step = 0;       // of the run; with accumulation, the number of the batch
  int64_t first_row = 0;  // of the batch that x begins with
};

class Mlp {
 public:
  // Prepares kernels for every batch size and allocates everything Forward and Backward need;
  // weights are zero. REQUIRES: units, features, outputs and batch sizes ≥ 1. Errors: those of
  // Kernels::CreateLinear. Out of memory is std::bad_alloc.
  // With `leader`, parameters() and running_statistics() are the leader's own memory, which must
  // outlive this network: one of several that compute parts of a batch. Batch normalisation cannot
  // be shared out so: REQUIRES that there is none then.
  static absl::StatusOr<std::unique_ptr<Mlp>> Create(const MlpConfig& config,
                                                     const Kernels& kernels,
                                                     const BatchSizes& sizes,
                                                     Mlp* leader = nullptr);
  Mlp(const Mlp&) = delete;
  Mlp& operator=(const Mlp&) = delete;

  // Errors: INVALID_ARGUMENT when a shape or activation is not this network's; nothing is loaded
  // then.
  absl::Status LoadWeights(const MlpWeights& weights);
  MlpWeights ToWeights() const;

  // In evaluation mode. x: [rows, features], row-major. REQUIRES: `rows` is one of the sizes given
  // to Create. Errors: those of LinearKernel.
  absl::Status Forward(const float* x, int64_t rows);
  // In training mode: with dropout, normalising by the batch's own means, and updating the running
  // ones. REQUIRES: `rows` is one of the train sizes.
  absl::Status ForwardTrain(const float* x, int64_t rows, const TrainPass& pass);
  // Fills gradients() from logit_gradients(), which it overwrites.
  // REQUIRES: ForwardTrain(x, rows, …) was the last call, or Forward(x, rows) in a network without
  // batch normalisation and dropout; `rows` is one of the train sizes.
  absl::Status Backward(const float* x, int64_t rows);

  const float* logits() const { return outputs_.back().data(); }  // [rows, outputs]
  float* logit_gradients() { return output_gradients_.back().data(); }
  // What leaves hidden layer `layer` (0-based) in the last Forward: [rows, units].
  const float* hidden_outputs(int64_t layer) const {
    return outputs_[static_cast<size_t>(layer)].data();
  }

  std::span<float> parameters() { return {parameters_.get(), ArenaSize()}; }
  std::span<const float> parameters() const { return {parameters_.get(), ArenaSize()}; }
  std::span<const float> gradients() const { return {gradients_.get(), ArenaSize()}; }
  std::span<float> gradients() { return {gradients_.get(), ArenaSize()}; }
  // Running means and variances of batch normalisation: not parameters, but part of the model.
  // Empty without it.
  std::span<float> running_statistics() { return running_; }
  const ParameterTensors& tensors() const { return tensors_; }
  // The first so many of parameters() are weights (and gaps), the rest biases, gains and shifts,
  // which are not decayed.
  int64_t weight_count() const { return weight_count_; }

  const MlpConfig& config() const { return config_; }

  // Where, looking from input to output, the first non-finite number of the last Forward (and
  // Backward, if it followed) stands: "layers[1] weights", "layers[0] biases", "layers[0] outputs",
  // "output weights", "output logits", "layers[0] gradients"; empty when there is none.
  std::string FindNonFinite(int64_t rows) const;

 private:
  // Kernels of all layers for one batch size.
  struct Plan {
    int64_t rows = 0;
    bool train = false;
    std::vector<std::unique_ptr<LinearKernel>> layers;
  };
  // One layer's place in the arenas.
  struct Layer {
    int64_t in = 0;
    int64_t out = 0;
    Activation activation = Activation::kIdentity;
    int64_t weight_begin = 0;
    int64_t bias_begin = 0;
  };

  explicit Mlp(const MlpConfig& config);
  void LayOut();
  void Allocate(const BatchSizes& sizes);
  absl::Status AddPlan(int64_t rows, bool train, const Kernels& kernels);
  const Plan* FindPlan(int64_t rows) const;
  size_t ArenaSize() const { return static_cast<size_t>(parameter_end_); }
  std::string FindNonFiniteGradient() const;

  // Constant after Create.
  const MlpConfig config_;
  std::vector<Layer> layers_;
  ParameterTensors tensors_;
  std::vector<Plan> plans_;
  int64_t weight_count_ = 0;
  int64_t parameter_end_ = 0;

  std::vector<float> running_;
  AlignedFloats parameters_;
  AlignedFloats gradients_;               // null without train sizes
  std::vector<Matrix> outputs_;           // per layer [rows_max, out]
  std::vector<Matrix> output_gradients_;  // per layer [train_rows_max, out]
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_MLP_H_
