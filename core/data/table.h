// Table is a frozen table in memory: typed columns, dictionary-coded text, statistics. It is what
// Finalize makes of an upload and what a worker trains on. It knows nothing of targets or features;
// see dataset.h.
//
//   TY_ASSIGN_OR_RETURN(Table table, DecodeTable(bytes));
//   const Column* target = table.FindColumn("diagnosis");
//
// Thread-safety: immutable once built; const methods may run concurrently.
// On disk (EncodeTable) it is the grammar in table_codec.h.
#ifndef TRAINYARD_CORE_DATA_TABLE_H_
#define TRAINYARD_CORE_DATA_TABLE_H_

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/data/cells.h"

namespace trainyard {

// Persisted in table files: do not change values.
enum class ColumnType : uint8_t { kNumeric = 1, kText = 2 };

// What a column is for a model; see trainyard.v1.ColumnKind, whose numbers these are. Persisted in
// table files.
enum class ColumnKind : uint8_t {
  kUnspecified = 0,
  kNumeric = 1,
  kIntegerCategory = 2,
  kCategory = 3,
  kBoolean = 4,
  kIdentifier = 5,
  kConstant = 6,
  kFreeText = 7,
};

// The shares of cells whose bounds ColumnStats::quantiles has.
inline constexpr std::array<double, 7> kQuantileProbabilities = {0.01, 0.05, 0.25, 0.5,
                                                                 0.75, 0.95, 0.99};

// Exact statistics of one column; see trainyard.v1.Column for each field.
struct ColumnStats {
  int64_t missing_count = 0;
  int64_t distinct_count = 0;
  double min = 0, max = 0, mean = 0, standard_deviation = 0;  // numeric columns; divisor N
  bool integers = false;                                      // numeric: every value is an integer
  // Numeric, with any cell that is not missing: linear interpolation, as numpy.quantile. Else empty.
  std::vector<double> quantiles;  // [kQuantileProbabilities]
  std::vector<std::pair<std::string, int64_t>> top_values;    // most frequent first, ties by value
};

struct Column {
  static constexpr double kMissingNumber = std::numeric_limits<double>::quiet_NaN();
  static constexpr int32_t kMissingCode = -1;

  std::string name;
  ColumnType type = ColumnType::kNumeric;
  ColumnKind kind = ColumnKind::kUnspecified;
  bool kind_given = false;  // by the user, not inferred
  ColumnStats stats;
  Cells<double> numbers;                // kNumeric: [rows]; NaN where missing, finite elsewhere
  Cells<int32_t> codes;                 // kText: [rows]; index into categories, -1 where missing
  std::vector<std::string> categories;  // kText: the different values, sorted bytewise

  // numbers or codes, whichever it has.
  absl::string_view cell_bytes() const {
    return type == ColumnType::kNumeric ? numbers.bytes() : codes.bytes();
  }
};

struct Table {
  int64_t rows = 0;
  std::vector<Column> columns;  // in file order, names unique

  // nullptr when there is none of that name. The pointer is valid while the table lives.
  const Column* FindColumn(absl::string_view name) const;
  // The cell as text; empty when missing. Numbers print with the fewest digits that read back the
  // same.
  std::string CellText(int64_t row, int64_t column) const;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_TABLE_H_
