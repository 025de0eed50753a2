// Mlp is the model family f(x, θ): layers y = σ(Wx + b) stacked, the last one without activation
// (its outputs are logits, or the value in regression). With no hidden layer it is a linear model
// or logistic regression. A hidden layer may also normalise (before its activation), drop out
// (after it) and add its input (last):
//
//   y = [x +] dropout(act(normalise(xW + b)))
//
// It is the network's memory and the order of its layers (mlp_layer.h); the arithmetic is in
// tensor/, loss and update are elsewhere.
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
// Memory: parameters and gradients are one flat array each, as parameters.h lays them out (the gaps
// are zero and stay zero): update, norm and finite check are one loop each. All of it is allocated
// by Create; no pass allocates.
#ifndef TRAINYARD_CORE_NN_MLP_H_
#define TRAINYARD_CORE_NN_MLP_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/nn/mlp_config.h"
#include "core/nn/mlp_layer.h"
#include "core/nn/parameters.h"
#include "core/tensor/kernels.h"
#include "core/tensor/matrix.h"

namespace trainyard {

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
  // With `leader`, parameters() and running_statistics() are the leader's own memory, which must
  // outlive this network: one of several that compute parts of a batch. Batch normalisation cannot
  // be shared out so: REQUIRES that there is none then.
  static absl::StatusOr<std::unique_ptr<Mlp>> Create(const MlpConfig& config,
                                                     const Kernels& kernels,
                                                     const BatchSizes& sizes,
                                                     Mlp* leader = nullptr);
  Mlp(const Mlp&) = delete;
  Mlp& operator=(const Mlp&) = delete;

  // Errors: those of CheckShapes; nothing is loaded then.
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

  const float* logits() const { return layers_.back().output(); }  // [rows, outputs]
  float* logit_gradients() { return layers_.back().gradient(); }
  // What leaves hidden layer `layer` (0-based) in the last Forward: [rows, units].
  const float* hidden_outputs(int64_t layer) const {
    return layers_[static_cast<size_t>(layer)].output();
  }

  std::span<float> parameters() { return {parameters_, ArenaSize()}; }
  std::span<const float> parameters() const { return {parameters_, ArenaSize()}; }
  std::span<const float> gradients() const { return {gradients_.get(), ArenaSize()}; }
  std::span<float> gradients() { return {gradients_.get(), ArenaSize()}; }
  // Running means and variances of batch normalisation: not parameters, but part of the model.
  // Empty without it; else, per layer that has it, means [units], then variances [units].
  std::span<float> running_statistics() { return running_; }
  std::span<const float> running_statistics() const { return running_; }
  const ParameterTensors& tensors() const { return tensors_; }
  // The first so many of parameters() are weights (and gaps), the rest biases, gains and shifts,
  // which are not decayed.
  int64_t weight_count() const { return WeightCountOf(tensors_); }

  const MlpConfig& config() const { return config_; }

  // Where, looking from input to output, the first non-finite number of the last Forward (and
  // Backward, if it followed) stands: "layers[1] weights", "layers[0] gains", "layers[0] running
  // statistics", "layers[0] outputs", "output weights", "output logits", "layers[0] gradients";
  // empty when there is none.
  std::string FindNonFinite(int64_t rows) const;

 private:
  // Kernels of all layers for one batch size.
  struct Plan {
    int64_t rows = 0;
    bool train = false;
    std::vector<std::unique_ptr<LinearKernel>> kernels;
  };

  Mlp(const MlpConfig& config, const BatchSizes& sizes, Mlp* leader);
  void AllocateArrays(bool train, Mlp* leader);
  void PlaceTensors();
  void PlaceRunningStatistics();
  absl::Status AddPlan(int64_t rows, bool train, const Kernels& kernels);
  const Plan* FindPlan(int64_t rows) const;
  size_t ArenaSize() const { return static_cast<size_t>(arena_size_); }
  const float* DropInput(const float* x, int64_t rows, const TrainPass& pass);
  std::string FindNonFiniteIn(size_t layer, int64_t rows) const;
  std::string FindNonFiniteGradient() const;

  // Constant after Create.
  const MlpConfig config_;
  const ParameterTensors tensors_;
  const int64_t arena_size_;
  std::vector<Plan> plans_;

  AlignedFloats own_parameters_;  // null with a leader
  float* parameters_ = nullptr;
  AlignedFloats gradients_;  // null without train sizes
  std::vector<float> running_;
  std::vector<MlpLayer> layers_;
  Matrix dropped_input_;        // [train rows, features], or empty: no input dropout
  bool input_dropped_ = false;  // in the last pass
  AlignedFloats scratch_;       // of one layer's Backward at a time
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_MLP_H_
