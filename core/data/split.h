// SplitRows decides which rows train, validate and test: a pure function of (seed, row) and,
// stratified, of the row's class. Rows are ordered by Philox(seed, row); the first go to test, the
// next to validation, the rest to training, with exact counts (rounded to nearest). Within a part
// rows are in table order. Stratified, the parts are as large as they would be otherwise; each
// class gives each part its share rounded down or up (largest remainders first).
//
// Thread-safety: pure.
#ifndef TRAINYARD_CORE_DATA_SPLIT_H_
#define TRAINYARD_CORE_DATA_SPLIT_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace trainyard {

struct SplitConfig;

struct RowSplit {
  std::vector<int64_t> train, validation, test;  // row numbers, ascending; a partition of [0, rows)
};

// How many rows each part gets. All are ≥ 0 and sum to `rows`.
struct SplitCounts {
  int64_t train = 0, validation = 0, test = 0;
  bool operator==(const SplitCounts&) const = default;
};

// REQUIRES: fractions in range.
SplitCounts CountSplit(int64_t rows, const SplitConfig& config);

// The same for each class of a stratified split; `class_rows` is [classes]. The sums over the
// classes are those of CountSplit of all rows.
std::vector<SplitCounts> CountStratifiedSplit(std::span<const int64_t> class_rows,
                                              const SplitConfig& config);

// True when a part with a fraction above 0 gets no row of the class.
bool IsClassTooSmall(const SplitCounts& counts, const SplitConfig& config);

// What to tell the user then.
std::string DescribeTooSmallClass(absl::string_view name, int64_t rows);

// `classes` is [rows], values ≥ 0, when config.stratify, else ignored. REQUIRES: fractions in
// range.
RowSplit SplitRows(int64_t rows, const SplitConfig& config, std::span<const int32_t> classes,
                   uint64_t seed);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_SPLIT_H_
