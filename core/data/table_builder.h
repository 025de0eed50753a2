// TableBuilder fills the columns of a table row by row: numbers parsed, text coded. Its types are
// fixed from the start; see ingest.h for how they are found.
//
//   TableBuilder builder({{"age", ColumnType::kNumeric}, {"job", ColumnType::kText}}, rows);
//   TY_ASSIGN_OR_RETURN(bool good, builder.AddRow(record, &rejected));
//   TY_ASSIGN_OR_RETURN(Table table, std::move(builder).Finish());
//
// Thread-safety: none.
#ifndef TRAINYARD_CORE_DATA_TABLE_BUILDER_H_
#define TRAINYARD_CORE_DATA_TABLE_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/data/csv_reader.h"
#include "core/data/ingest.h"
#include "core/data/table.h"

namespace trainyard {

class TableBuilder {
 public:
  struct ColumnPlan {
    std::string name;
    ColumnType type = ColumnType::kNumeric;
  };
  // `rows_expected` reserves memory.
  TableBuilder(const std::vector<ColumnPlan>& columns, int64_t rows_expected);

  // True: the row is in. False: it is bad and left out; each bad cell is appended to `*rejected`.
  // Errors: RESOURCE_EXHAUSTED/TOO_LARGE beyond limits::kDistinctTextMax.
  absl::StatusOr<bool> AddRow(const CsvRecord& record, std::vector<RejectedCell>* rejected);

  // The table with sorted categories and statistics.
  Table Finish() &&;

 private:
  struct Building {
    Column column;
    absl::flat_hash_map<std::string, int32_t> codes;  // in order of appearance
  };

  bool ParseNumbers(const CsvRecord& record, std::vector<RejectedCell>* rejected);
  absl::Status AddText(absl::string_view cell, const CsvRecord& record, Building* building);

  std::vector<Building> columns_;
  std::vector<double> row_numbers_;  // [columns] of the row being added
  int64_t rows_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_TABLE_BUILDER_H_
