// exp, expm1, log1p, tanh and erf as branch-free float arithmetic that a compiler can vectorise;
// the C library's functions it cannot. Worst error seen by vector_ops_test over the whole range: 3
// units in the last place.
//
// Thread-safety: pure functions. Header only: they must be inlined into multiversioned loops.
#ifndef TRAINYARD_CORE_TENSOR_VECTOR_MATH_H_
#define TRAINYARD_CORE_TENSOR_VECTOR_MATH_H_

#include <bit>
#include <cstdint>

namespace trainyard {

// e^x. Below -87.3 the result is 0 or a very small number; above 88.7 it is infinite. NaN gives
// NaN.
[[gnu::always_inline]] inline float Exp(float x) {
  // x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r by its Taylor-like minimax polynomial (Cephes expf); then
  // 2^n through the exponent bits, in two factors so that the ends of the range neither wrap nor
  // lose the denormals' neighbours.
  const float clamped = x < -104.0f ? -104.0f : (x > 89.0f ? 89.0f : x);
  const float shifted =
      clamped * 1.44269504f + 12582912.0f;  // 1.5·2^23: rounds to the nearest integer
  const float n = shifted - 12582912.0f;
  const float r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(12582912.0f);
  const int32_t half = exponent >> 1;
  const float scale1 = std::bit_cast<float>((half + 127) << 23);
  const float scale2 = std::bit_cast<float>((exponent - half + 127) << 23);
  return p * scale1 * scale2;
}

// e^x - 1 for x ≤ 0, exact near 0 where Exp(x) - 1 would cancel. NaN gives NaN.
[[gnu::always_inline]] inline float Expm1(float x) {
  // As Exp: e^x - 1 = 2^n·(e^r - 1) + (2^n - 1).
  const float clamped = x < -20.0f ? -20.0f : x;
  const float shifted = clamped * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(12582912.0f);
  const float scale = std::bit_cast<float>((exponent + 127) << 23);
  return p * scale + (scale - 1.0f);
}

// log(1 + x) for x in [0, 1]. NaN gives NaN.
[[gnu::always_inline]] inline float Log1p(float x) {
  // log(1 + x) = 2·artanh(s) = 2(s + s³/3 + s⁵/5 + …), s = x / (2 + x) ≤ 1/3. The terms left out
  // are below 2^-26 of it.
  const float s = x / (2.0f + x);
  const float s2 = s * s;
  float p = 1.0f / 15.0f;
  p = p * s2 + 1.0f / 13.0f;
  p = p * s2 + 1.0f / 11.0f;
  p = p * s2 + 1.0f / 9.0f;
  p = p * s2 + 1.0f / 7.0f;
  p = p * s2 + 1.0f / 5.0f;
  p = p * s2 + 1.0f / 3.0f;
  return 2.0f * (s + s * s2 * p);
}

// 1 / (1 + e^-z), without overflow. NaN gives NaN.
[[gnu::always_inline]] inline float Sigmoid(float z) {
  const float e = Exp(z < 0 ? z : -z);  // in (0, 1]
  const float p = 1.0f / (1.0f + e);
  return z < 0 ? e * p : p;
}

// NaN gives NaN.
[[gnu::always_inline]] inline float Tanh(float x) {
  const float size = std::bit_cast<float>(std::bit_cast<int32_t>(x) & 0x7fffffff);
  // Below 0.625 by Cephes' polynomial in x², which keeps the relative error where x is small.
  const float s = x * x;
  float p = -5.70498872745e-3f;
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  const float near_zero = x + x * s * p;
  const float far = 1.0f - 2.0f / (Exp(2.0f * size) + 1.0f);
  return size < 0.625f ? near_zero : (x < 0 ? -far : far);
}

// NaN gives NaN.
[[gnu::always_inline]] inline float Erf(float x) {
  // Minimax polynomials of N. Juffa: of x² near zero, of log(1 - erf |x|) from there on.
  const float size = std::bit_cast<float>(std::bit_cast<int32_t>(x) & 0x7fffffff);
  const float s = x * x;
  float p = -5.96761703e-4f;
  p = p * s + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  const float near_zero = x + x * p;
  const float t = size > 4.0f ? 4.0f : size;  // erf is 1 in float from 3.92 on
  float q = -1.72853470e-5f * t + 3.83197126e-4f;
  q = q * (t * t) + (-3.88396438e-3f * t + 2.42546219e-2f);
  q = q * t - 1.06777877e-1f;
  q = q * t - 6.34846687e-1f;
  q = q * t - 1.28717512e-1f;
  q = q * t - t;
  const float far = 1.0f - Exp(q);
  return size < 0.927734375f ? near_zero : (x < 0 ? -far : far);
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_VECTOR_MATH_H_
