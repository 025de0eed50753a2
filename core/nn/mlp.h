// Mlp is the model family f(x, θ): layers y = σ(Wx + b) stacked, the last one without activation
// (its outputs are logits, or the value in regression). With no hidden layer it is a linear model
// or logistic regression. It is the network's memory and the order of its kernels; the arithmetic
// is in tensor/, loss and update are elsewhere.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> mlp,
//                       Mlp::Create(config, *kernels, {.train = {32, 5}, .forward = {256}}));
//   TY_RETURN_IF_ERROR(mlp->LoadWeights(InitialWeights(config, seed)));
//   TY_RETURN_IF_ERROR(mlp->Forward(x, 32));       // mlp->logits() is [32, outputs]
//   LossAndGradient(..., mlp->logits(), ..., mlp->logit_gradients());
//   TY_RETURN_IF_ERROR(mlp->Backward(x, 32));      // mlp->gradients()
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
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
};

// One hidden layer.
struct LayerConfig {
  int64_t units = 0;
  Activation activation = Activation::kRelu;
};

struct MlpConfig {
  int64_t features = 0;
  std::vector<LayerConfig> layers;  // hidden
  int64_t outputs = 0;
  InitKind init = InitKind::kUnspecified;
};

// Number of parameters, weights and biases. REQUIRES: sizes within limits.h (the result then fits).
int64_t ParameterCount(const MlpConfig& config);

// Floating-point operations of the matrix products of one row, a multiplication and an addition
// counted as two: forward alone, or forward and backward.
int64_t ForwardFlopsPerRow(const MlpConfig& config);
int64_t TrainFlopsPerRow(const MlpConfig& config);

// One affine map with the activation after it: what a bundle stores of a layer.
struct LayerWeights {
  int64_t in = 0;
  int64_t out = 0;
  Activation activation = Activation::kIdentity;  // kIdentity for the output layer
  std::vector<float> weights;                     // [in, out], row-major: y = x·weights + biases
  std::vector<float> biases;                      // [out]
};
using MlpWeights = std::vector<LayerWeights>;  // input to output, output layer included

// Layers of the right shapes, all zero.
MlpWeights ZeroWeights(const MlpConfig& config);

// The shape of the network that `weights` belong to. REQUIRES: at least one layer.
MlpConfig ConfigOf(const MlpWeights& weights);

// The numbers of rows that will be given to Forward: `train` with Backward after it, `forward`
// without. Sizes may repeat.
struct BatchSizes {
  std::vector<int64_t> train;
  std::vector<int64_t> forward;
};

class Mlp {
 public:
  // Prepares kernels for every batch size and allocates everything Forward and Backward need;
  // weights are zero. REQUIRES: units, features, outputs and batch sizes ≥ 1. Errors: those of
  // Kernels::CreateLinear. Out of memory is std::bad_alloc.
  static absl::StatusOr<std::unique_ptr<Mlp>> Create(const MlpConfig& config,
                                                     const Kernels& kernels,
                                                     const BatchSizes& sizes);
  Mlp(const Mlp&) = delete;
  Mlp& operator=(const Mlp&) = delete;

  // Errors: INVALID_ARGUMENT when a shape or activation is not this network's; nothing is loaded
  // then.
  absl::Status LoadWeights(const MlpWeights& weights);
  MlpWeights ToWeights() const;

  // x: [rows, features], row-major. REQUIRES: `rows` is one of the sizes given to Create.
  // Errors: those of LinearKernel.
  absl::Status Forward(const float* x, int64_t rows);
  // Fills gradients() from logit_gradients(), which it overwrites.
  // REQUIRES: Forward(x, rows) was the last call; `rows` is one of the train sizes.
  absl::Status Backward(const float* x, int64_t rows);

  const float* logits() const { return outputs_.back().data(); }  // [rows, outputs]
  float* logit_gradients() { return output_gradients_.back().data(); }

  std::span<float> parameters() { return {parameters_.get(), ArenaSize()}; }
  std::span<const float> parameters() const { return {parameters_.get(), ArenaSize()}; }
  std::span<const float> gradients() const { return {gradients_.get(), ArenaSize()}; }
  // The first so many of parameters() are weights (and gaps), the rest biases.
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
  std::vector<Plan> plans_;
  int64_t weight_count_ = 0;
  int64_t parameter_end_ = 0;

  AlignedFloats parameters_;
  AlignedFloats gradients_;               // null without train sizes
  std::vector<Matrix> outputs_;           // per layer [rows_max, out]
  std::vector<Matrix> output_gradients_;  // per layer [train_rows_max, out]
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_MLP_H_
