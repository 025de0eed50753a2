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
    for (int64_t o = 0; o < s.out; ++o) z[o] = b != nullptr ? b[o] : 0;
    for (int64_t i = 0; i < s.in; ++i) {
      for (int64_t o = 0; o < s.out; ++o) z[o] += x[i] * w[i * s.out + o];
    }
  }
}

constexpr int64_t kLanes = 16;

// lanes += x·w element by element, over the first `count` ≤ kLanes. The condition instead of a
// shorter loop lets the compiler use a masked load where there is one.
[[gnu::always_inline]] inline void AddProducts(const float* __restrict x, const float* __restrict w,
                                               int64_t count, float* __restrict lanes) {
  for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += lane < count ? x[lane] * w[lane] : 0;
}

// z[r] = x[r]·w + b for a single output: 16 partial sums a row. They are kept for kRowBlock rows
// and then added up across the rows, lane by lane in a fixed order, so that no row waits for its
// own chain of additions.
TY_MULTIVERSION void AffineOne(const LinearShape& s, const float* __restrict x,
                               const float* __restrict w, const float* b, float* __restrict z) {
  constexpr int64_t kRowBlock = 16;
  const int64_t whole = s.in - s.in % kLanes;
  for (int64_t begin = 0; begin < s.batch; begin += kRowBlock) {
    const int64_t rows = s.batch - begin < kRowBlock ? s.batch - begin : kRowBlock;
    float partial[kRowBlock][kLanes] = {};
    for (int64_t r = 0; r < rows; ++r, x += s.in) {
      float lanes[kLanes] = {};
      for (int64_t i = 0; i < whole; i += kLanes) AddProducts(x + i, w + i, kLanes, lanes);
      if (whole < s.in) AddProducts(x + whole, w + whole, s.in - whole, lanes);
      for (int64_t lane = 0; lane < kLanes; ++lane) partial[r][lane] = lanes[lane];
    }
    float sums[kRowBlock] = {};
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      for (int64_t r = 0; r < kRowBlock; ++r) sums[r] += partial[r][lane];
    }
    for (int64_t r = 0; r < rows; ++r) z[begin + r] = (b != nullptr ? b[0] : 0) + sums[r];
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

// As InputGradient for a single output, with the unit stride along the inputs.
TY_MULTIVERSION void InputGradientOne(const LinearShape& s, const float* __restrict dz,
                                      const float* __restrict w, float* __restrict dx) {
  for (int64_t r = 0; r < s.batch; ++r, dx += s.in) {
    for (int64_t i = 0; i < s.in; ++i) dx[i] = dz[r] * w[i];
  }
}

class SmallLinear : public LinearKernel {
 public:
  explicit SmallLinear(const LinearShape& shape) : shape_(shape) {}

  absl::Status Forward(const float* x, const float* weights, const float* biases,
                       float* y) override {
    (shape_.out == 1 ? AffineOne : Affine)(shape_, x, weights, biases, y);
    ApplyActivation(shape_.activation, shape_.alpha, y, y, shape_.batch * shape_.out);
    return absl::OkStatus();
  }

  absl::Status Backward(const float* x, const float* weights, const float* y, float* dy,
                        const LinearGradients& gradients) override {
    TY_CHECK(shape_.backward);
    ApplyActivationGradient(shape_.activation, shape_.alpha, nullptr, y, dy,
                            shape_.batch * shape_.out);
    if (shape_.bias) ColumnSums(dy, shape_.batch, shape_.out, gradients.biases);
    (shape_.out == 1 ? WeightGradientOne : WeightGradient)(shape_, x, dy, gradients.weights);
    if (!shape_.input_gradient) return absl::OkStatus();
    (shape_.out == 1 ? InputGradientOne : InputGradient)(shape_, dy, weights, gradients.input);
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
