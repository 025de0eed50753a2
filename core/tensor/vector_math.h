// exp and log1p as branch-free float arithmetic that a compiler can vectorise; the C library's
// functions it cannot. Worst error seen by vector_ops_test over the whole range: 2 units in the
// last place for Exp, 2 for Log1p.
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

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_VECTOR_MATH_H_
