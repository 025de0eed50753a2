// Own loops for narrow layers. A call into oneDNN costs 0.3 to 1 µs, which is more than a whole
// layer of this size. One row is worked on at a time; the inner loops run over outputs (or inputs
// where that is the unit stride) and are left to the vectoriser.
#include <memory>

#include "core/base/check.h"
#include "core/tensor/kernels.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

// z = x·w + b. x: [batch, in], w: [in, out], b: [out], z: [batch, out].
TY_MULTIVERSION void Affine(const LinearShape& s, const float* __restrict x,
                            const float* __restrict w, const float* b, float* __restrict z) {
  for (int64_t r = 0; r < s.batch; ++r, x += s.in, z += s.out) {
    for (int64_t o = 0; o < s.out; ++o) z[o] = b[o];
    for (int64_t i = 0; i < s.in; ++i) {
      for (int64_t o = 0; o < s.out; ++o) z[o] += x[i] * w[i * s.out + o];
    }
  }
}

// z[r] = x[r]·w + b for a single output: 16 partial sums per row, added in a fixed tree.
TY_MULTIVERSION void AffineOne(const LinearShape& s, const float* __restrict x,
                               const float* __restrict w, const float* b, float* __restrict z) {
  constexpr int64_t kLanes = 16;
  const int64_t whole = s.in - s.in % kLanes;
  for (int64_t r = 0; r < s.batch; ++r, x += s.in) {
    float lanes[kLanes] = {};
    for (int64_t i = 0; i < whole; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane] * w[i + lane];
    }
    for (int64_t i = whole; i < s.in; ++i) lanes[i - whole] += x[i] * w[i];
    for (int64_t half = kLanes / 2; half > 0; half /= 2) {
      for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    }
    z[r] = b[0] + lanes[0];
  }
}

// dw = xᵀ·dz. dw: [in, out].
TY_MULTIVERSION void WeightGradient(const LinearShape& s, const float* __restrict x,
                                    const float* __restrict dz, float* __restrict dw) {
  for (int64_t i = 0; i < s.in * s.out; ++i) dw[i] = 0;
  for (int64_t r = 0; r < s.batch; ++r, x += s.in, dz += s.out) {
    for (int64_t i = 0; i < s.in; ++i) {
      for (int64_t o = 0; o < s.out; ++o) dw[i * s.out + o] += x[i] * dz[o];
    }
  }
}

// As WeightGradient for a single output, with the unit stride along the inputs.
TY_MULTIVERSION void WeightGradientOne(const LinearShape& s, const float* __restrict x,
                                       const float* __restrict dz, float* __restrict dw) {
  for (int64_t i = 0; i < s.in; ++i) dw[i] = 0;
  for (int64_t r = 0; r < s.batch; ++r, x += s.in) {
    for (int64_t i = 0; i < s.in; ++i) dw[i] += x[i] * dz[r];
  }
}

// dx = dz·wᵀ. dx: [batch, in].
TY_MULTIVERSION void InputGradient(const LinearShape& s, const float* __restrict dz,
                                   const float* __restrict w, float* __restrict dx) {
  for (int64_t r = 0; r < s.batch; ++r, dz += s.out, dx += s.in) {
    for (int64_t i = 0; i < s.in; ++i) {
      float sum = 0;
      for (int64_t o = 0; o < s.out; ++o) sum += dz[o] * w[i * s.out + o];
      dx[i] = sum;
    }
  }
}

class SmallLinear : public LinearKernel {
 public:
  explicit SmallLinear(const LinearShape& shape) : shape_(shape) {}

  absl::Status Forward(const float* x, const float* weights, const float* biases,
                       float* y) override {
    (shape_.out == 1 ? AffineOne : Affine)(shape_, x, weights, biases, y);
    ApplyActivation(shape_.activation, y, shape_.batch * shape_.out);
    return absl::OkStatus();
  }

  absl::Status Backward(const float* x, const float* weights, const float* y, float* dy,
                        const LinearGradients& gradients) override {
    TY_CHECK(shape_.backward);
    ApplyActivationGradient(shape_.activation, y, dy, shape_.batch * shape_.out);
    ColumnSums(dy, shape_.batch, shape_.out, gradients.biases);
    (shape_.out == 1 ? WeightGradientOne : WeightGradient)(shape_, x, dy, gradients.weights);
    if (shape_.input_gradient) InputGradient(shape_, dy, weights, gradients.input);
    return absl::OkStatus();
  }

 private:
  const LinearShape shape_;
};

class SmallKernels : public Kernels {
 public:
  absl::StatusOr<std::unique_ptr<LinearKernel>> CreateLinear(
      const LinearShape& shape) const override {
    return std::make_unique<SmallLinear>(shape);
  }
};

}  // namespace

std::unique_ptr<Kernels> CreateSmallKernels() { return std::make_unique<SmallKernels>(); }

}  // namespace trainyard
