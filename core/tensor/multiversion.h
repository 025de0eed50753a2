// TY_MULTIVERSION before a function compiles it for AVX-512, AVX2 and the baseline; the loader
// picks at start. Bodies must be plain loops over pointers; what they call must be inlined into
// them.
//
//   TY_MULTIVERSION void Scale(float factor, float* x, int64_t count) { ... }
#ifndef TRAINYARD_CORE_TENSOR_MULTIVERSION_H_
#define TRAINYARD_CORE_TENSOR_MULTIVERSION_H_

// "arch=skylake-avx512" would silently fall back to SSE2 on AMD; the levels do not. Clang 14 has no
// levels here, and the sanitizers' runtime is not up when the loader resolves the clones: both get
// the baseline.
#if defined(__clang__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TY_MULTIVERSION
#else
#define TY_MULTIVERSION \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif

#endif  // TRAINYARD_CORE_TENSOR_MULTIVERSION_H_
