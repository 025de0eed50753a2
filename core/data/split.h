// SplitRows decides which rows train, validate and test: a pure function of (seed, row) and, stratified, of the row's
// class. Rows are ordered by Philox(seed, row); the first go to test, the next to validation, the rest to training, with
// exact counts (rounded to nearest). Within a part rows are in table order.
//
// Thread-safety: pure.
#ifndef TRAINYARD_CORE_DATA_SPLIT_H_
#define TRAINYARD_CORE_DATA_SPLIT_H_

#include <cstdint>
#include <span>
#include <vector>

namespace trainyard {

struct SplitConfig;

struct RowSplit {
  std::vector<int64_t> train, validation, test;  // row numbers, ascending; a partition of [0, rows)
};

// `classes` is [rows] when config.stratify, else ignored. REQUIRES: fractions in range.
RowSplit SplitRows(int64_t rows, const SplitConfig& config, std::span<const int32_t> classes, uint64_t seed);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_SPLIT_H_
