// The body of tile_loops_{avx512,avx2,baseline}.cc, each compiled with the flags of its instruction
// set. Included by nothing else. Everything is in an unnamed namespace and no inline function of a
// library is called: the linker would be free to keep the copy that not every machine can run.
#ifndef TRAINYARD_CORE_TENSOR_TILE_LOOPS_IMPL_H_
#define TRAINYARD_CORE_TENSOR_TILE_LOOPS_IMPL_H_

#include <immintrin.h>

#include <cstdint>
#include <utility>

#include "core/tensor/tile_loops.h"

namespace trainyard {
namespace {

// A register of floats: Vec, how many (kLanes), the tile that fits the registers, loads and stores
// of all lanes and of the first `count` ≤ kLanes.
#if defined(__AVX512F__)
using Vec = __m512;
constexpr int kLanes = 16;
constexpr int kTileRows = 8;
constexpr int kTileVectors = 3;
inline __mmask16 MaskOf(int64_t count) { return static_cast<__mmask16>((1U << count) - 1); }
inline Vec Load(const float* p) { return _mm512_loadu_ps(p); }
inline Vec LoadFirst(const float* p, int64_t count) {
  return _mm512_maskz_loadu_ps(MaskOf(count), p);
}
inline void Store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline void StoreFirst(float* p, int64_t count, Vec v) {
  _mm512_mask_storeu_ps(p, MaskOf(count), v);
}
inline Vec Broadcast(float x) { return _mm512_set1_ps(x); }
inline Vec MultiplyAdd(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
// The second operand is kept when one is NaN.
inline Vec Relu(Vec v) { return _mm512_maskz_max_ps(0xffff, _mm512_setzero_ps(), v); }
#elif defined(__AVX2__)
using Vec = __m256;
constexpr int kLanes = 8;
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
inline __m256i MaskOf(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                            _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}
inline Vec Load(const float* p) { return _mm256_loadu_ps(p); }
inline Vec LoadFirst(const float* p, int64_t count) { return _mm256_maskload_ps(p, MaskOf(count)); }
inline void Store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline void StoreFirst(float* p, int64_t count, Vec v) { _mm256_maskstore_ps(p, MaskOf(count), v); }
inline Vec Broadcast(float x) { return _mm256_set1_ps(x); }
inline Vec MultiplyAdd(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec Relu(Vec v) { return _mm256_max_ps(_mm256_setzero_ps(), v); }
#else
using Vec = __m128;
constexpr int kLanes = 4;
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
inline Vec Load(const float* p) { return _mm_loadu_ps(p); }
inline Vec LoadFirst(const float* p, int64_t count) {
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < count && i < kLanes; ++i) lanes[i] = p[i];
  return Load(lanes);
}
inline void Store(float* p, Vec v) { _mm_storeu_ps(p, v); }
inline void StoreFirst(float* p, int64_t count, Vec v) {
  float lanes[kLanes];
  Store(lanes, v);
  for (int64_t i = 0; i < count && i < kLanes; ++i) p[i] = lanes[i];
}
inline Vec Broadcast(float x) { return _mm_set1_ps(x); }
inline Vec MultiplyAdd(Vec a, Vec b, Vec c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
inline Vec Relu(Vec v) { return _mm_max_ps(_mm_setzero_ps(), v); }
#endif

inline int64_t Least(int64_t a, int64_t b) { return a < b ? a : b; }

// One tile of c: kRows rows of kVectors registers, the last of which has `last` columns.
template <int kRows, int kVectors>
void Tile(const TileProduct& p, int64_t row, int64_t col, int64_t last) {
  Vec sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const int64_t count = v + 1 < kVectors ? kLanes : last;
    const Vec bias = p.bias != nullptr ? LoadFirst(p.bias + col + v * kLanes, count) : Broadcast(0);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sums[r][v] = bias;
  }
  const float* a = p.a + row * p.a_row;
  const float* b = p.b + col;
  for (int64_t k = 0; k < p.k; ++k, a += p.a_step, b += p.b_row) {
    Vec right[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v + 1 < kVectors; ++v) right[v] = Load(b + v * kLanes);
    right[kVectors - 1] = LoadFirst(b + (kVectors - 1) * kLanes, last);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec left = Broadcast(a[r * p.a_row]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[r][v] = MultiplyAdd(left, right[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    float* c = p.c + (row + r) * p.n + col;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      if (p.relu) sums[r][v] = Relu(sums[r][v]);
      if (v + 1 < kVectors) Store(c + v * kLanes, sums[r][v]);
    }
    StoreFirst(c + (kVectors - 1) * kLanes, last, sums[r][kVectors - 1]);
  }
}

template <int kRows, int kVectors>
inline void TileOfRows(int64_t rows, const TileProduct& p, int64_t row, int64_t col, int64_t last) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return TileOfRows<kRows - 1, kVectors>(rows, p, row, col, last);
  }
  Tile<kRows, kVectors>(p, row, col, last);
}

// A strip of c, kVectors registers wide, from `col` on.
template <int kVectors>
void Strip(const TileProduct& p, int64_t col) {
  const int64_t last = Least(p.n - col - (kVectors - 1) * kLanes, kLanes);
  const int64_t tiles = (p.m + kTileRows - 1) / kTileRows;
  int64_t row = 0;
  // Rows shared out evenly: a last tile of one or two would wait for its own additions.
  for (int64_t left = tiles; left > 0; --left) {
    const int64_t rows = (p.m - row + left - 1) / left;
    TileOfRows<kTileRows, kVectors>(rows, p, row, col, last);
    row += rows;
  }
}

template <int kVectors>
inline void StripOfVectors(int64_t vectors, const TileProduct& p, int64_t col) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return StripOfVectors<kVectors - 1>(vectors, p, col);
  }
  Strip<kVectors>(p, col);
}

void Multiply(const TileProduct& p) {
  int64_t vectors = (p.n + kLanes - 1) / kLanes;
  int64_t col = 0;
  for (int64_t left = (vectors + kTileVectors - 1) / kTileVectors; left > 0; --left) {
    const int64_t width = (vectors + left - 1) / left;
    StripOfVectors<kTileVectors>(width, p, col);
    col += width * kLanes;
    vectors -= width;
  }
}

using Lanes = std::make_integer_sequence<int, kLanes>;

// Lanes kFirst, kFirst + 1, … of `a` and of `b` by turns.
template <int kFirst, int... kLane>
inline Vec Interleave(Vec a, Vec b, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(a, b, (kFirst + kLane / 2 + kLane % 2 * kLanes)...);
}

// A perfect shuffle of register pairs, repeated log2(kLanes) times, is the transpose.
inline void TransposeSquare(Vec* v) {
#pragma GCC unroll 4
  for (int step = 1; step < kLanes; step *= 2) {
    Vec shuffled[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes / 2; ++i) {
      shuffled[2 * i] = Interleave<0>(v[i], v[i + kLanes / 2], Lanes());
      shuffled[2 * i + 1] = Interleave<kLanes / 2>(v[i], v[i + kLanes / 2], Lanes());
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) v[i] = shuffled[i];
  }
}

void Transpose(const float* from, int64_t rows, int64_t cols, float* to) {
  for (int64_t row = 0; row < rows; row += kLanes) {
    const int64_t height = Least(kLanes, rows - row);
    for (int64_t col = 0; col < cols; col += kLanes) {
      const int64_t width = Least(kLanes, cols - col);
      Vec block[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        // A row past the end is read as the last one and not stored.
        block[i] = LoadFirst(from + Least(row + i, rows - 1) * cols + col, width);
      }
      TransposeSquare(block);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        if (i < width) StoreFirst(to + (col + i) * rows + row, height, block[i]);
      }
    }
  }
}

void RowDots(const float* x, int64_t m, int64_t k, const float* w, const float* bias, bool relu,
             float* c) {
  const int64_t whole = k - k % kLanes;
  for (int64_t row = 0; row < m; row += kLanes) {
    Vec sums[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) sums[i] = Broadcast(0);
    for (int64_t j = 0; j < k; j += kLanes) {
      const int64_t count = j < whole ? kLanes : k - whole;
      const Vec weights = LoadFirst(w + j, count);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        const float* x_row = x + Least(row + i, m - 1) * k;
        sums[i] = MultiplyAdd(LoadFirst(x_row + j, count), weights, sums[i]);
      }
    }
    TransposeSquare(sums);
    Vec total = Broadcast(bias != nullptr ? bias[0] : 0);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) total = total + sums[i];
    StoreFirst(c + row, Least(kLanes, m - row), relu ? Relu(total) : total);
  }
}

constexpr TileLoops kLoops{.multiply = Multiply, .row_dots = RowDots, .transpose = Transpose};

}  // namespace
}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_TILE_LOOPS_IMPL_H_
