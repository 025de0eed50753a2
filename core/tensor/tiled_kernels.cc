// Own kernels for narrow layers, on the register tiles of tile_loops.h. A call into oneDNN costs
// 0.3 to 1 µs, which is more than a whole layer of the smallest nets.
#include <memory>

#include "core/base/check.h"
#include "core/tensor/kernels.h"
#include "core/tensor/matrix.h"
#include "core/tensor/tile_loops.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

// Rows whose bias gradients are added up in float.
constexpr int64_t kFloatSumRowsMax = 256;
constexpr float kOne = 1;

class TiledLinear : public LinearKernel {
 public:
  TiledLinear(const LinearShape& shape, const TileLoops& loops) : shape_(shape), loops_(loops) {
    TY_CHECK(shape.precision == Precision::kFp32);
    TY_CHECK(!shape.backward || !GradientNeedsInput(shape.activation));
    if (shape.input_gradient && shape.out > 1) {
      transposed_weights_ = AllocateFloats(shape.in * shape.out);
    }
  }

  absl::Status Forward(const float* x, const float* weights, const float* biases,
                       float* y) override {
    const LinearShape& s = shape_;
    const bool relu = s.activation == Activation::kRelu;
    const float* bias = s.bias ? biases : nullptr;
    if (s.out == 1) {
      loops_.row_dots(x, s.batch, s.in, weights, bias, relu, y);
    } else {
      loops_.multiply({.m = s.batch,
                       .n = s.out,
                       .k = s.in,
                       .a = x,
                       .a_row = s.in,
                       .a_step = 1,
                       .b = weights,
                       .b_row = s.out,
                       .bias = bias,
                       .c = y,
                       .relu = relu});
    }
    if (!relu) ApplyActivation(s.activation, s.alpha, y, y, s.batch * s.out);
    return absl::OkStatus();
  }

  absl::Status Backward(const float* x, const float* weights, const float* y, float* dy,
                        const LinearGradients& gradients) override {
    TY_CHECK(shape_.backward);
    ApplyActivationGradient(shape_.activation, shape_.alpha, nullptr, y, dy,
                            shape_.batch * shape_.out);
    if (shape_.bias) BiasGradient(dy, gradients.biases);
    WeightGradient(x, dy, gradients.weights);
    if (shape_.input_gradient) InputGradient(dy, weights, gradients.input);
    return absl::OkStatus();
  }

 private:
  void BiasGradient(const float* dz, float* biases) const {
    const LinearShape& s = shape_;
    if (s.batch > kFloatSumRowsMax || s.out == 1) return ColumnSums(dz, s.batch, s.out, biases);
    loops_.multiply(
        {.m = 1, .n = s.out, .k = s.batch, .a = &kOne, .b = dz, .b_row = s.out, .c = biases});
  }

  // xᵀ·dz; of a single output as its transpose dzᵀ·x, which has the longer rows.
  void WeightGradient(const float* x, const float* dz, float* weights) const {
    const LinearShape& s = shape_;
    if (s.out == 1) {
      loops_.multiply({.m = 1,
                       .n = s.in,
                       .k = s.batch,
                       .a = dz,
                       .a_step = 1,
                       .b = x,
                       .b_row = s.in,
                       .c = weights});
      return;
    }
    loops_.multiply({.m = s.in,
                     .n = s.out,
                     .k = s.batch,
                     .a = x,
                     .a_row = 1,
                     .a_step = s.in,
                     .b = dz,
                     .b_row = s.out,
                     .c = weights});
  }

  // dz·wᵀ. The weights of a single output are their own transpose.
  void InputGradient(const float* dz, const float* weights, float* input) {
    const LinearShape& s = shape_;
    if (s.out > 1) loops_.transpose(weights, s.in, s.out, transposed_weights_.get());
    loops_.multiply({.m = s.batch,
                     .n = s.in,
                     .k = s.out,
                     .a = dz,
                     .a_row = s.out,
                     .a_step = 1,
                     .b = s.out > 1 ? transposed_weights_.get() : weights,
                     .b_row = s.in,
                     .c = input});
  }

  const LinearShape shape_;
  const TileLoops& loops_;
  AlignedFloats transposed_weights_;  // [out, in]; null where not needed
};

class TiledKernels : public Kernels {
 public:
  explicit TiledKernels(const TileLoops& loops) : loops_(loops) {}
  absl::StatusOr<std::unique_ptr<LinearKernel>> CreateLinear(
      const LinearShape& shape) const override {
    return std::make_unique<TiledLinear>(shape, loops_);
  }

 private:
  const TileLoops& loops_;
};

}  // namespace

const TileLoops& TileLoopsOfThisMachine() {
  if (__builtin_cpu_supports("avx512f")) return TileLoopsAvx512();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return TileLoopsAvx2();
  return TileLoopsBaseline();
}

std::unique_ptr<Kernels> CreateTiledKernels(const TileLoops& loops) {
  return std::make_unique<TiledKernels>(loops);
}

std::unique_ptr<Kernels> CreateTiledKernels() {
  return CreateTiledKernels(TileLoopsOfThisMachine());
}

}  // namespace trainyard
