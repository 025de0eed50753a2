// Every activation and its derivative for one float, branch-free, so that loops over them
// vectorise. Formulas: trainyard.v1.Activation. Derivatives at kinks, and GELU's forms, are
// PyTorch's.
//
// Thread-safety: pure functions. Header only: they must be inlined into multiversioned loops.
#ifndef TRAINYARD_CORE_TENSOR_ACTIVATION_MATH_H_
#define TRAINYARD_CORE_TENSOR_ACTIVATION_MATH_H_

#include "core/tensor/vector_math.h"

namespace trainyard::activation_math {

// Klambauer et al. 2017.
inline constexpr float kSeluScale = 1.0507009873554805F;
inline constexpr float kSeluAlpha = 1.6732632423543773F;

inline constexpr float kRootHalf = 0.70710678118654752F;          // √½
inline constexpr float kInverseRootTwoPi = 0.39894228040143268F;  // 1/√(2π)
inline constexpr float kRootTwoOverPi = 0.79788456080286536F;     // √(2/π)
inline constexpr float kGeluCubic = 0.044715F;

// Values. Comparisons are turned so that a NaN falls into the branch that keeps it.
[[gnu::always_inline]] inline float Relu(float z) { return z < 0 ? 0 : z; }
[[gnu::always_inline]] inline float LeakyRelu(float z, float alpha) {
  return z < 0 ? alpha * z : z;
}
[[gnu::always_inline]] inline float Elu(float z, float alpha) {
  return z > 0 ? z : alpha * Expm1(z);
}
[[gnu::always_inline]] inline float Selu(float z) {
  return kSeluScale * (z > 0 ? z : kSeluAlpha * Expm1(z));
}
[[gnu::always_inline]] inline float Gelu(float z) { return 0.5F * z * (1.0F + Erf(z * kRootHalf)); }
[[gnu::always_inline]] inline float GeluTanhArgument(float z) {
  return kRootTwoOverPi * (z + kGeluCubic * z * z * z);
}
[[gnu::always_inline]] inline float GeluTanh(float z) {
  return 0.5F * z * (1.0F + Tanh(GeluTanhArgument(z)));
}
[[gnu::always_inline]] inline float Silu(float z) { return z * Sigmoid(z); }
[[gnu::always_inline]] inline float Softplus(float z) {
  return (z < 0 ? 0 : z) + Log1p(Exp(z > 0 ? -z : z));
}
[[gnu::always_inline]] inline float Clamp(float z, float low, float high) {
  const float raised = z < low ? low : z;
  return raised > high ? high : raised;
}
[[gnu::always_inline]] inline float HardSigmoid(float z) {
  return Clamp(z * (1.0F / 6) + 0.5F, 0, 1);
}
[[gnu::always_inline]] inline float HardSwish(float z) { return z <= -3 ? 0 : z * HardSigmoid(z); }

// Derivatives from the output y.
[[gnu::always_inline]] inline float ReluSlope(float y) { return y > 0 ? 1.0F : 0.0F; }
[[gnu::always_inline]] inline float SigmoidSlope(float y) { return y * (1 - y); }
[[gnu::always_inline]] inline float TanhSlope(float y) { return 1 - y * y; }
[[gnu::always_inline]] inline float LeakyReluSlope(float y, float alpha) {
  return y > 0 ? 1.0F : alpha;
}
[[gnu::always_inline]] inline float EluSlope(float y, float alpha) {
  return y > 0 ? 1.0F : y + alpha;
}
[[gnu::always_inline]] inline float SeluSlope(float y) {
  return y > 0 ? kSeluScale : y + kSeluScale * kSeluAlpha;
}
// σ(z) = 1 - e^-y.
[[gnu::always_inline]] inline float SoftplusSlope(float y) { return -Expm1(-y); }
[[gnu::always_inline]] inline float HardSigmoidSlope(float y) {
  return y > 0 && y < 1 ? 1.0F / 6 : 0.0F;
}
[[gnu::always_inline]] inline float HardTanhSlope(float y) { return y > -1 && y < 1 ? 1.0F : 0.0F; }

// Derivatives from the input z (GradientNeedsInput).
[[gnu::always_inline]] inline float GeluSlope(float z) {
  return 0.5F * (1.0F + Erf(z * kRootHalf)) + z * kInverseRootTwoPi * Exp(-0.5F * z * z);
}
[[gnu::always_inline]] inline float GeluTanhSlope(float z) {
  const float t = Tanh(GeluTanhArgument(z));
  const float inner = kRootTwoOverPi * (1.0F + 3.0F * kGeluCubic * z * z);
  return 0.5F * (1.0F + t) + 0.5F * z * (1.0F - t * t) * inner;
}
[[gnu::always_inline]] inline float SiluSlope(float z) {
  const float s = Sigmoid(z);
  return s * (1.0F + z * (1.0F - s));
}
[[gnu::always_inline]] inline float HardSwishSlope(float z) {
  return z < -3 ? 0.0F : (z <= 3 ? z * (1.0F / 3) + 0.5F : 1.0F);
}

}  // namespace trainyard::activation_math

#endif  // TRAINYARD_CORE_TENSOR_ACTIVATION_MATH_H_
