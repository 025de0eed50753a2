// TY_MULTIVERSION before a function compiles it for AVX-512, AVX2 and the baseline; the loader
// picks at start. Bodies must be plain loops over pointers; what they call must be inlined into
// them.
//
//   TY_MULTIVERSION void Scale(float factor, float* x, int64_t count) { ... }
//
// Where a loop of the vectoriser is not enough, TY_VERSIONS_BY_HAND says whether a function may be
// written twice, once with intrinsics for AVX-512; all that it calls is inlined into it:
//
//   #ifdef TY_VERSIONS_BY_HAND
//   TY_TARGET_V4 void Scale(float factor, float* x, int64_t count) { ... }
//   TY_TARGET_DEFAULT
//   #endif
//   void Scale(float factor, float* x, int64_t count) { ... }
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
#define TY_VERSIONS_BY_HAND
#define TY_TARGET_V4 __attribute__((target("arch=x86-64-v4")))
#define TY_TARGET_DEFAULT __attribute__((target("default")))
#endif

#endif  // TRAINYARD_CORE_TENSOR_MULTIVERSION_H_
