// SplitTable decides which rows train, validate and test. It is a pure function of the seed and of
// the row's number, or of what the row says in the column that the split goes by, so that it is the
// same on every machine and whatever else the table holds.
//
//   TY_ASSIGN_OR_RETURN(const RowSplit split, SplitTable(table, config.split, classes, seed,
//   fold));
//
// Within a part rows are in table order. The kinds of split:
// - random: rows are ordered by Philox(seed, row); the first go to test, the next to validation,
//   the rest to training, with exact counts (rounded to nearest).
// - stratified: the parts are as large as they would be otherwise; each class gives each part its
//   share rounded down or up (largest remainders first).
// - group column: the same with groups instead of rows, ordered by Philox(seed, StableHash(value)),
//   equal ones by value; the value is a cell's text. All rows of a group are in one part. Fractions
//   are of groups; a part that is wanted has at least one.
// - time column: rows are ordered by the cell (numbers by value, text bytewise), equal ones by row;
//   the earliest train, the next validate, the latest test, with the counts of a random split.
// - part column: as the cells say.
// - fold_count k: test rows first, as above; the rest is dealt out one by one in the same order, to
//   fold 0, 1, …, k - 1, 0, …: rows, or groups; stratified, class after class without starting anew
//   at fold 0, so that folds and the classes in them differ by one row at most. Fold f validates,
//   the others train.
//
// Thread-safety: pure.
#ifndef TRAINYARD_CORE_DATA_SPLIT_H_
#define TRAINYARD_CORE_DATA_SPLIT_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

struct Schema;
struct SplitConfig;
struct Table;

enum class PartId : uint8_t { kTrain, kValidation, kTest };

struct RowSplit {
  std::vector<int64_t> train, validation, test;  // row numbers, ascending; a partition of [0, rows)
};

// How many rows each part gets. All are ≥ 0 and sum to `rows`.
struct SplitCounts {
  int64_t train = 0, validation = 0, test = 0;
  bool operator==(const SplitCounts&) const = default;
};

// Of a random split, and of any that has its counts. A fraction that is not given is 0.
// REQUIRES: fractions in range, fold in [0, fold_count).
SplitCounts CountSplit(int64_t rows, const SplitConfig& config, int64_t fold = 0);

// The same for each class of a stratified split; `class_rows` is [classes]. The sums over the
// classes are those of CountSplit of all rows.
std::vector<SplitCounts> CountStratifiedSplit(std::span<const int64_t> class_rows,
                                              const SplitConfig& config, int64_t fold = 0);

// The same for groups: as CountSplit, but no part that is wanted is empty.
// REQUIRES: `groups` ≥ GroupsNeeded.
SplitCounts CountGroupSplit(int64_t groups, const SplitConfig& config, int64_t fold = 0);

// One for each part that is wanted, or for each fold.
int64_t GroupsNeeded(const SplitConfig& config);

// What can be said without cells: exact, but for groups, where it is what holds on average.
SplitCounts CountSplit(const Schema& schema, const SplitConfig& config, int64_t fold = 0);

// True when there are validation rows. REQUIRES: `config` is resolved; faults may be left.
bool HasValidation(const Schema& schema, const SplitConfig& config);

// True when a part that is wanted gets no row of the class, or a fold gets none.
bool IsClassTooSmall(const SplitCounts& counts, const SplitConfig& config);

// What to tell the user then.
std::string DescribeTooSmallClass(absl::string_view name, int64_t rows);

// "train"; "validation", "val" or "valid"; "test"; upper or lower case. Else nullopt.
std::optional<PartId> ParsePartId(absl::string_view word);

// Random and stratified splits. `classes` is [rows], values ≥ 0, when config.stratify, else
// ignored. REQUIRES: fractions in range, no columns in `config`.
RowSplit SplitRows(int64_t rows, const SplitConfig& config, std::span<const int32_t> classes,
                   uint64_t seed, int64_t fold = 0);

// Every kind. REQUIRES: `config` came out of ResolveDataConfig without violations.
// Errors: INVALID_ARGUMENT/INVALID_SPEC with field "split.…" when the table does not fit it after
// all: no such column, a missing or unknown cell (the 0-based row is named), too few groups, no
// training row.
absl::StatusOr<RowSplit> SplitTable(const Table& table, const SplitConfig& config,
                                    std::span<const int32_t> classes, uint64_t seed,
                                    int64_t fold = 0);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_SPLIT_H_
