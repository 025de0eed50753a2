// MlpLayer is one layer of an Mlp: what it keeps of a pass, and the order of its loops around the
// affine map:
//
//   y = [x +] dropout(act(normalise(xW + b)))
//
// A layer that only maps and activates is one call of its kernel, on one buffer for outputs and one
// for gradients. Another buffer (`kept`) exists where the way back needs what the output no longer
// tells: normalised values, the input of an activation that rises and falls, or an output from
// before dropout or the addition of x.
//
// Thread-safety: none. Allocates only in its constructor.
#ifndef TRAINYARD_CORE_NN_MLP_LAYER_H_
#define TRAINYARD_CORE_NN_MLP_LAYER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/nn/mlp_config.h"
#include "core/nn/normalization.h"
#include "core/tensor/kernels.h"
#include "core/tensor/matrix.h"

namespace trainyard {

// What a training pass needs to know beside its rows. The dropout of a row is a function of (seed,
// layer, step, row), so that it does not depend on how a batch is shared out over threads.
struct TrainPass {
  uint64_t seed = 0;
  int64_t step = 0;       // of the run; with accumulation, the number of the batch
  int64_t first_row = 0;  // of the batch that x begins with
};

// Where a layer's tensors stand in one of the network's arrays; null where it has none.
struct LayerTensors {
  float* weights = nullptr;  // [in, out]
  float* biases = nullptr;   // [out]
  float* gains = nullptr;    // [out]
  float* shifts = nullptr;   // [out]
};

// The largest numbers of rows that a layer will see.
struct LayerRows {
  int64_t forward = 0;
  int64_t train = 0;  // at most `forward`
};

// y = dropout(x) as a training pass drops at `place`: 0 for the network's input, n for its n-th
// layer. Applied to a gradient of y it gives that of x. x, y: [rows, cols]; may be the same array.
void DropOut(const TrainPass& pass, int64_t place, double ratio, const float* x, int64_t rows,
             int64_t cols, float* y);

class MlpLayer {
 public:
  // `number`: 0-based. `config` is of the output layer too.
  MlpLayer(const LayerConfig& config, int64_t number, int64_t in, const LayerRows& rows);

  // The kernel for batches of so many rows.
  LinearShape KernelShape(int64_t rows, bool backward, Precision precision) const;
  // Floats that Backward needs for scratch; layers share it.
  int64_t scratch_size() const;

  // In evaluation mode. `keep`: Backward may follow; `rows` is at most LayerRows::train then.
  absl::Status Forward(LinearKernel& kernel, const float* x, int64_t rows, bool keep) {
    if (plain_) return kernel.Forward(x, values.weights, values.biases, output());
    return ForwardComposed(kernel, x, rows, keep ? kept_.data() : nullptr, nullptr);
  }
  absl::Status ForwardTrain(LinearKernel& kernel, const float* x, int64_t rows,
                            const TrainPass& pass) {
    if (plain_) return kernel.Forward(x, values.weights, values.biases, output());
    return ForwardComposed(kernel, x, rows, kept_.data(), &pass);
  }

  // Fills `gradients` from gradient(), which it overwrites, and `dx`, which is null for the first
  // layer: nobody asks for it. x: as given to Forward.
  absl::Status Backward(LinearKernel& kernel, const float* x, int64_t rows, float* dx,
                        float* scratch) {
    if (plain_) {
      return kernel.Backward(x, values.weights, output(), gradient(),
                             {gradients.weights, gradients.biases, dx});
    }
    return BackwardComposed(kernel, x, rows, dx, scratch);
  }

  float* output() { return output_.data(); }  // [rows, out]
  const float* output() const { return output_.data(); }
  float* gradient() { return gradient_.data(); }  // ∂L/∂output: [rows, out]

  const LayerConfig& config() const { return config_; }
  int64_t in() const { return in_; }
  int64_t out() const { return config_.units; }

  // Set by the owner of the arrays before the first pass.
  LayerTensors values;
  LayerTensors gradients;
  RunningMoments running;

 private:
  bool normalizes() const { return values.gains != nullptr; }
  absl::Status ForwardComposed(LinearKernel& kernel, const float* x, int64_t rows, float* kept,
                               const TrainPass* pass);
  absl::Status BackwardComposed(LinearKernel& kernel, const float* x, int64_t rows, float* dx,
                                float* scratch);
  void Normalize(float* z, int64_t rows, bool training);
  void DropOutBackward(int64_t rows);
  void ActivationBackward(int64_t rows, float* scratch);
  void NormalizationBackward(int64_t rows);

  // Constant after construction.
  const LayerConfig config_;
  const int64_t number_;
  const int64_t in_;
  const float alpha_;
  const bool fused_;  // the activation is the kernel's
  const bool plain_;  // the kernel is all there is

  Matrix output_;           // [rows, out]
  Matrix gradient_;         // [train rows, out]
  Matrix kept_;             // [train rows, out], or empty
  AlignedFloats inverses_;  // 1 / deviation: [out] for kBatch, [rows] for kLayer
  bool dropped_ = false;    // in the last pass, by pass_
  TrainPass pass_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_MLP_LAYER_H_
