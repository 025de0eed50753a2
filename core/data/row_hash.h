// How rows that repeat are found: cells as bits that are equal where cells are, and a hash of a
// row's bits. Rows whose hashes meet are then compared bit by bit.
//
//   std::vector<uint64_t> hashes(rows, 0);
//   for (const Column& column : columns) {              // in which order cells are stored
//     for (int64_t row = 0; row < rows; ++row) AddToRowHash(CellBits(column, row), &hashes[row]);
//   }
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_ROW_HASH_H_
#define TRAINYARD_CORE_DATA_ROW_HASH_H_

#include <bit>
#include <cmath>
#include <cstdint>

#include "core/data/table.h"

namespace trainyard {

// No number's bits: those of a NaN.
inline constexpr uint64_t kMissingBits = ~uint64_t{0};

// Of one column; a text's are its code, which means something only in this column.
inline uint64_t CellBits(const Column& column, int64_t row) {
  static_assert(static_cast<uint64_t>(Column::kMissingCode) == kMissingBits);
  if (column.type == ColumnType::kText) return static_cast<uint64_t>(column.codes[row]);
  const double number = column.numbers[row];
  if (std::isnan(number)) return kMissingBits;
  return std::bit_cast<uint64_t>(number == 0 ? 0.0 : number);  // -0 is 0
}

inline void AddToRowHash(uint64_t bits, uint64_t* hash) {
  *hash = (*hash ^ bits) * 0x9E3779B97F4A7C15u;  // 2^64 by the golden ratio
  *hash ^= *hash >> 32;
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_ROW_HASH_H_
