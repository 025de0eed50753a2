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

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace trainyard {

// Persisted in table files: do not change values.
enum class ColumnType : uint8_t { kNumeric = 1, kText = 2 };

// Exact statistics of one column; see trainyard.v1.Column for each field.
struct ColumnStats {
  int64_t missing_count = 0;
  int64_t distinct_count = 0;                                 // stops at limits::kDistinctCountMax
  double min = 0, max = 0, mean = 0, standard_deviation = 0;  // numeric columns; divisor N
  bool integers = false;                                      // numeric: every value is an integer
  std::vector<std::pair<std::string, int64_t>> top_values;    // most frequent first, ties by value
};

struct Column {
  static constexpr double kMissingNumber = std::numeric_limits<double>::quiet_NaN();
  static constexpr int32_t kMissingCode = -1;

  std::string name;
  ColumnType type = ColumnType::kNumeric;
  ColumnStats stats;
  std::vector<double> numbers;          // kNumeric: [rows]; NaN where missing, finite elsewhere
  std::vector<int32_t> codes;           // kText: [rows]; index into categories, -1 where missing
  std::vector<std::string> categories;  // kText: the different values, sorted bytewise
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
