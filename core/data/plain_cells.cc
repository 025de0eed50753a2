#include "core/data/plain_cells.h"

#include <immintrin.h>

#include <array>
#include <bit>

#include "core/data/padded_number.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

// Parses the cells from the one at `first` on. `unusual_count` places are there already.
[[gnu::always_inline]] inline size_t ParseOneByOne(const CellRun& cells, char decimal_mark,
                                                   size_t first, double* numbers, uint32_t* unusual,
                                                   size_t unusual_count) {
  for (size_t i = first; i < cells.count; ++i) {
    unusual[unusual_count] = static_cast<uint32_t>(i);
    unusual_count += ParsePlainNumber(cells[i], decimal_mark, &numbers[i]) ? 0 : 1;
  }
  return unusual_count;
}

#ifdef TY_VERSIONS_BY_HAND

constexpr size_t kAtOnce = 8;
// Every second cell is in one register and the others in another, 16 bytes each: what is packed of
// both has then the order of the cells.
struct Halves {
  __m512i even;
  __m512i odd;
};

// One word for each cell, with a bit for each of its bytes.
struct HalfMasks {
  __mmask64 even;
  __mmask64 odd;
};

TY_TARGET_V4 [[gnu::always_inline]] inline __m512i LoadFour(const char* data,
                                                            const uint32_t* ends) {
  const auto before = [&](size_t i) {
    return reinterpret_cast<const __m128i*>(data + ends[i] - CellRun::kPaddingBefore);
  };
  __m512i cells = _mm512_castsi128_si512(_mm_loadu_si128(before(0)));
  cells = _mm512_inserti32x4(cells, _mm_loadu_si128(before(2)), 1);
  cells = _mm512_inserti32x4(cells, _mm_loadu_si128(before(4)), 2);
  return _mm512_inserti32x4(cells, _mm_loadu_si128(before(6)), 3);
}

TY_TARGET_V4 [[gnu::always_inline]] inline __m128i WordsOf(const HalfMasks& masks) {
  return _mm_unpacklo_epi16(_mm_cvtsi64_si128(static_cast<int64_t>(masks.even)),
                            _mm_cvtsi64_si128(static_cast<int64_t>(masks.odd)));
}

TY_TARGET_V4 [[gnu::always_inline]] inline HalfMasks MasksOf(__m128i words) {
  const __m128i halves =
      _mm_shuffle_epi8(words, _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
  return {static_cast<__mmask64>(_mm_cvtsi128_si64(halves)),
          static_cast<__mmask64>(_mm_extract_epi64(halves, 1))};
}

// What stands in the 16 bytes before the end of each of four cells; `begins` has the place of the
// cell's first byte in each byte of its lane.
struct FourMasks {
  __mmask64 minus;   // the first byte, if it is one
  __mmask64 body;    // the cell without its sign
  __mmask64 marks;   // in the body
  __mmask64 others;  // in the body, neither digits nor marks
};

TY_TARGET_V4 [[gnu::always_inline]] inline FourMasks Classify(__m512i bytes, __m512i digits,
                                                              __m512i begins, __m512i mark) {
  const __m512i places =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const __mmask64 first = _mm512_cmpeq_epi8_mask(places, begins);
  const __mmask64 minus = _mm512_mask_cmpeq_epi8_mask(first, bytes, _mm512_set1_epi8('-'));
  const __mmask64 plus = _mm512_mask_cmpeq_epi8_mask(first, bytes, _mm512_set1_epi8('+'));
  const __mmask64 body = _mm512_cmpge_epu8_mask(places, begins) & ~(minus | plus);
  const __mmask64 marks = _mm512_mask_cmpeq_epi8_mask(body, bytes, mark);
  const __mmask64 others = _mm512_mask_cmpgt_epu8_mask(body & ~marks, digits, _mm512_set1_epi8(9));
  return {minus, body, marks, others};
}

// The digits of four cells at the ends of their lanes, with zeros before them: those before a
// decimal mark, `moved`, go one place on, over it.
TY_TARGET_V4 [[gnu::always_inline]] inline __m512i Align(__m512i digits, __mmask64 moved,
                                                         __mmask64 kept) {
  const __m512i closed = _mm512_mask_mov_epi8(digits, moved, _mm512_bslli_epi128(digits, 1));
  return _mm512_maskz_mov_epi8(kept, closed);
}

TY_TARGET_V4 [[gnu::always_inline]] inline __m512i CombineFours(__m512i digits) {
  const __m512i twos = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010A));  // 10, 1
  return _mm512_madd_epi16(twos, _mm512_set1_epi32(0x0001'0064));                // 100, 1
}

// Sixteen digits of each of eight cells as integers.
TY_TARGET_V4 [[gnu::always_inline]] inline __m512i Combine(const Halves& digits) {
  const __m512i packed = _mm512_packus_epi32(CombineFours(digits.even), CombineFours(digits.odd));
  const __m512i eights = _mm512_madd_epi16(packed, _mm512_set1_epi32(0x0001'2710));  // 10000, 1
  return _mm512_add_epi64(_mm512_mul_epu32(eights, _mm512_set1_epi64(100'000'000)),
                          _mm512_srli_epi64(eights, 32));
}

// Ten to the power of each of `exponents`, modulo 16.
TY_TARGET_V4 [[gnu::always_inline]] inline __m512d PowersOfTen(__m512i exponents) {
  return _mm512_permutex2var_pd(_mm512_loadu_pd(padded_number_internal::kPowers), exponents,
                                _mm512_loadu_pd(padded_number_internal::kPowers + 8));
}

// Sets eight numbers, and gives the bits of those that are not plain. What ParsePlainNumber does
// for one cell is done here for eight, with the cells' ends in line instead of their beginnings.
TY_TARGET_V4 [[gnu::always_inline]] inline uint32_t ParseEight(const char* data,
                                                               const uint32_t* ends, __m512i mark,
                                                               double* numbers) {
  const __m256i sizes = _mm256_sub_epi32(
      _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends)),
                       _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends - 1))),
      _mm256_set1_epi32(1));
  const __mmask8 too_long = _mm256_cmpgt_epu32_mask(sizes, _mm256_set1_epi32(16));
  const __m512i begins = _mm512_castsi256_si512(
      _mm256_shuffle_epi8(_mm256_sub_epi32(_mm256_set1_epi32(16), sizes),
                          _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 0, 0,
                                           0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12)));
  const __m512i to_even = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
  const Halves bytes{LoadFour(data, ends), LoadFour(data, ends + 1)};
  const __m512i zero = _mm512_set1_epi8('0');
  Halves digits{_mm512_sub_epi8(bytes.even, zero), _mm512_sub_epi8(bytes.odd, zero)};
  const FourMasks even =
      Classify(bytes.even, digits.even, _mm512_permutexvar_epi32(to_even, begins), mark);
  const FourMasks odd = Classify(
      bytes.odd, digits.odd,
      _mm512_permutexvar_epi32(_mm512_add_epi32(to_even, _mm512_set1_epi32(1)), begins), mark);

  const __m128i body = WordsOf({even.body, odd.body});
  const __m128i marks = WordsOf({even.marks, odd.marks});
  const __m128i others = WordsOf({even.others, odd.others});
  const __m128i all = _mm_set1_epi16(-1);
  const __m128i below_mark = _mm_add_epi16(marks, all);
  const __m128i has_mark = _mm_xor_si128(_mm_cmpeq_epi16(marks, _mm_setzero_si128()), all);
  const __mmask8 two_marks = _mm_test_epi16_mask(marks, below_mark);
  const __mmask8 no_digits = _mm_cmpeq_epi16_mask(body, marks);
  const HalfMasks moved = MasksOf(_mm_and_si128(_mm_xor_si128(marks, below_mark), has_mark));
  // Over the mark everything moves away from the first place.
  const HalfMasks kept = MasksOf(_mm_and_si128(body, _mm_add_epi16(body, has_mark)));
  digits.even = Align(digits.even, moved.even, kept.even);
  digits.odd = Align(digits.odd, moved.odd, kept.odd);

  const __m512i integers = Combine(digits);
  const __mmask8 inexact = _mm512_cmpgt_epu64_mask(
      integers, _mm512_set1_epi64(padded_number_internal::kExactIntegerMax));
  // A mark in the last place, bit 15, has 16 leading zeros as 32 bits; no mark has 32.
  const __m256i decimals =
      _mm256_and_si256(_mm256_lzcnt_epi32(_mm256_cvtepu16_epi32(marks)), _mm256_set1_epi32(15));
  const __m512d magnitudes =
      _mm512_div_pd(_mm512_cvtepi64_pd(integers), PowersOfTen(_mm512_cvtepu32_epi64(decimals)));
  const __m128i minus = WordsOf({even.minus, odd.minus});
  const __m512d values =
      _mm512_mask_sub_pd(magnitudes, _mm_test_epi16_mask(minus, minus), _mm512_setzero_pd(),
                         magnitudes);  // 0 - 0 is no -0
  _mm512_storeu_pd(numbers, values);
  return static_cast<uint32_t>(too_long | two_marks | no_digits | inexact |
                               _mm_test_epi16_mask(others, others));
}

// Appends the places of the set bits.
inline size_t AppendPlaces(uint32_t bits, size_t first, uint32_t* unusual, size_t count) {
  for (; bits != 0; bits &= bits - 1)
    unusual[count++] = static_cast<uint32_t>(first + static_cast<size_t>(std::countr_zero(bits)));
  return count;
}

TY_TARGET_V4 size_t ParseRun(const CellRun& cells, char decimal_mark, double* numbers,
                             uint32_t* unusual) {
  const __m512i mark = _mm512_set1_epi8(decimal_mark);
  size_t unusual_count = 0;
  size_t i = 0;
  for (; i + kAtOnce <= cells.count; i += kAtOnce) {
    const uint32_t bits = ParseEight(cells.data, cells.ends + i, mark, numbers + i);
    if (bits != 0) unusual_count = AppendPlaces(bits, i, unusual, unusual_count);
  }
  return ParseOneByOne(cells, decimal_mark, i, numbers, unusual, unusual_count);
}

TY_TARGET_DEFAULT
#endif  // TY_VERSIONS_BY_HAND
size_t ParseRun(const CellRun& cells, char decimal_mark, double* numbers, uint32_t* unusual) {
  return ParseOneByOne(cells, decimal_mark, 0, numbers, unusual, 0);
}

}  // namespace

size_t ParsePlainCells(const CellRun& cells, char decimal_mark, double* numbers,
                       uint32_t* unusual) {
  return ParseRun(cells, decimal_mark, numbers, unusual);
}

}  // namespace trainyard
