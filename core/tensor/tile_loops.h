// Matrix products in register tiles, for layers that fit into the caches: no packing, no blocking
// over the sum. The same source (tile_loops_impl.h) is compiled for three instruction sets; the
// caller picks at run time.
//
// Every element of a product is one chain of fused multiply-additions in the order of the sum's
// index (multiply, then add, on the baseline), so its bits depend on the instruction set but not on
// where it lies in a tile: a batch worked on in parts gives the bits of the whole.
//
// Thread-safety: pure functions. Nothing is read or written outside the arrays described.
#ifndef TRAINYARD_CORE_TENSOR_TILE_LOOPS_H_
#define TRAINYARD_CORE_TENSOR_TILE_LOOPS_H_

#include <cstdint>

namespace trainyard {

// c = a·b + bias, then ReLU if asked. Element (i, k) of a is a[i·a_row + k·a_step], of b it is
// b[k·b_row + j], of c it is c[i·n + j].
struct TileProduct {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  const float* a = nullptr;  // [m, k] by its strides
  int64_t a_row = 0;
  int64_t a_step = 0;
  const float* b = nullptr;  // [k, n], rows b_row apart
  int64_t b_row = 0;
  const float* bias = nullptr;  // [n], or null
  float* c = nullptr;           // [m, n]
  bool relu = false;            // NaN stays NaN
};

struct TileLoops {
  void (*multiply)(const TileProduct& product);
  // c[i] = Σ_k x[i, k]·w[k] + bias, then ReLU if asked. x: [m, k], w: [k], c: [m]; bias may be
  // null.
  void (*row_dots)(const float* x, int64_t m, int64_t k, const float* w, const float* bias,
                   bool relu, float* c);
  // to[j, i] = from[i, j]. from: [rows, cols], to: [cols, rows].
  void (*transpose)(const float* from, int64_t rows, int64_t cols, float* to);
};

// For AVX-512F, for AVX2 with FMA, and for any x86-64-v2. REQUIRES: the machine has it.
const TileLoops& TileLoopsAvx512();
const TileLoops& TileLoopsAvx2();
const TileLoops& TileLoopsBaseline();
// The best of them on this machine.
const TileLoops& TileLoopsOfThisMachine();

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_TILE_LOOPS_H_
