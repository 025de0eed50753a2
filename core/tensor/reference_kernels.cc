// The oracle: the formulas as they stand in a textbook, one loop per symbol, sums in double. Slow
// on purpose; shares no arithmetic with the kernels it judges.
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "core/base/check.h"
#include "core/tensor/kernels.h"

namespace trainyard {
namespace {

constexpr double kSeluScale = 1.0507009873554804934193349852946;
constexpr double kSeluAlpha = 1.6732632423543772848170429916717;

double Sigmoid(double z) { return 1 / (1 + std::exp(-z)); }
double HardSigmoid(double z) { return z < -3 ? 0 : (z > 3 ? 1 : z / 6 + 0.5); }

double GeluTanh(double z) {
  return z / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (z + 0.044715 * z * z * z)));
}

double Activate(Activation activation, double alpha, double z) {
  switch (activation) {
    case Activation::kRelu:
      return z < 0 ? 0 : z;
    case Activation::kSigmoid:
      return Sigmoid(z);
    case Activation::kTanh:
      return std::tanh(z);
    case Activation::kLeakyRelu:
      return z < 0 ? alpha * z : z;
    case Activation::kElu:
      return z < 0 ? alpha * std::expm1(z) : z;
    case Activation::kSelu:
      return kSeluScale * (z < 0 ? kSeluAlpha * std::expm1(z) : z);
    case Activation::kGelu:
      return z * std::erfc(-z / std::numbers::sqrt2) / 2;
    case Activation::kGeluTanh:
      return GeluTanh(z);
    case Activation::kSilu:
      return z * Sigmoid(z);
    case Activation::kSoftplus:
      return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z));
    case Activation::kHardSigmoid:
      return HardSigmoid(z);
    case Activation::kHardTanh:
      return z < -1 ? -1 : (z > 1 ? 1 : z);
    case Activation::kHardSwish:
      return z * HardSigmoid(z);
    default:
      return z;
  }
}

// Of the output. REQUIRES: !GradientNeedsInput.
double ActivationSlope(Activation activation, double alpha, double y) {
  switch (activation) {
    case Activation::kRelu:
      return y > 0 ? 1 : 0;
    case Activation::kSigmoid:
      return y * (1 - y);
    case Activation::kTanh:
      return 1 - y * y;
    case Activation::kLeakyRelu:
      return y > 0 ? 1 : alpha;
    case Activation::kElu:
      return y > 0 ? 1 : y + alpha;
    case Activation::kSelu:
      return y > 0 ? kSeluScale : y + kSeluScale * kSeluAlpha;
    case Activation::kSoftplus:
      return -std::expm1(-y);
    case Activation::kHardSigmoid:
      return y > 0 && y < 1 ? 1.0 / 6 : 0;
    case Activation::kHardTanh:
      return y > -1 && y < 1 ? 1 : 0;
    default:
      return 1;
  }
}

// The nearest number with 8 significant bits, ties to even. Not for values below the smallest
// normal float.
float RoundedToBf16(float value) {
  if (value == 0 || !std::isfinite(value)) return value;
  int exponent = 0;
  const double fraction = std::frexp(static_cast<double>(value), &exponent);
  return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8));
}

class ReferenceLinear : public LinearKernel {
 public:
  explicit ReferenceLinear(const LinearShape& shape) : shape_(shape) {
    TY_CHECK(!shape.backward || !GradientNeedsInput(shape.activation));
  }

  absl::Status Forward(const float* x_values, const float* weight_values, const float* biases,
                       float* y) override {
    const std::vector<float> x_rounded = Rounded(x_values, shape_.batch * shape_.in);
    const std::vector<float> weights_rounded = Rounded(weight_values, shape_.in * shape_.out);
    const float* x = x_rounded.data();
    const float* weights = weights_rounded.data();
    for (int64_t r = 0; r < shape_.batch; ++r) {
      for (int64_t o = 0; o < shape_.out; ++o) {
        const double bias = shape_.bias ? biases[o] : 0;
        const double z = bias + Dot(x + r * shape_.in, 1, weights + o, shape_.out, shape_.in);
        y[r * shape_.out + o] = static_cast<float>(Activate(shape_.activation, shape_.alpha, z));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const float* x, const float* weights, const float* y, float* dy,
                        const LinearGradients& gradients) override {
    TY_CHECK(shape_.backward);
    for (int64_t i = 0; i < shape_.batch * shape_.out; ++i) {
      dy[i] = static_cast<float>(dy[i] * ActivationSlope(shape_.activation, shape_.alpha, y[i]));
    }
    if (shape_.bias) BiasGradient(dy, gradients.biases);
    const std::vector<float> dz = Rounded(dy, shape_.batch * shape_.out);
    WeightGradient(Rounded(x, shape_.batch * shape_.in).data(), dz.data(), gradients.weights);
    if (!shape_.input_gradient) return absl::OkStatus();
    InputGradient(Rounded(weights, shape_.in * shape_.out).data(), dz.data(), gradients.input);
    return absl::OkStatus();
  }

 private:
  // The values as the shape's precision sees them.
  std::vector<float> Rounded(const float* values, int64_t count) const {
    std::vector<float> rounded(values, values + count);
    if (shape_.precision != Precision::kBf16) return rounded;
    for (float& value : rounded) value = RoundedToBf16(value);
    return rounded;
  }

  // Σ a[i·a_stride]·b[i·b_stride]
  static double Dot(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                    int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i)
      sum += static_cast<double>(a[i * a_stride]) * b[i * b_stride];
    return sum;
  }

  void BiasGradient(const float* dz, float* biases) const {
    constexpr float kOne = 1;
    for (int64_t o = 0; o < shape_.out; ++o) {
      biases[o] = static_cast<float>(Dot(dz + o, shape_.out, &kOne, 0, shape_.batch));
    }
  }

  void WeightGradient(const float* x, const float* dz, float* weights) const {
    for (int64_t i = 0; i < shape_.in; ++i) {
      for (int64_t o = 0; o < shape_.out; ++o) {
        weights[i * shape_.out + o] =
            static_cast<float>(Dot(x + i, shape_.in, dz + o, shape_.out, shape_.batch));
      }
    }
  }

  void InputGradient(const float* weights, const float* dz, float* input) const {
    for (int64_t r = 0; r < shape_.batch; ++r) {
      for (int64_t i = 0; i < shape_.in; ++i) {
        input[r * shape_.in + i] = static_cast<float>(
            Dot(dz + r * shape_.out, 1, weights + i * shape_.out, 1, shape_.out));
      }
    }
  }

  const LinearShape shape_;
};

class ReferenceKernels : public Kernels {
 public:
  absl::StatusOr<std::unique_ptr<LinearKernel>> CreateLinear(
      const LinearShape& shape) const override {
    return std::make_unique<ReferenceLinear>(shape);
  }
};

}  // namespace

std::unique_ptr<Kernels> CreateReferenceKernels() { return std::make_unique<ReferenceKernels>(); }

}  // namespace trainyard
