// What is worth looking at in a table before training, though nothing is wrong with it; see
// trainyard.v1.DatasetWarning, whose codes these are. What depends on a target or a split is told
// later (data_warnings.h).
//
//   for (const TableWarning& warning : FindTableWarnings(table)) …
//
// Thread-safety: pure. Work: statistics first; equal columns and equal rows need the cells, which
// are read column by column. Memory: about 11 bytes a row, and 8 for each row that is equal to
// another.
#ifndef TRAINYARD_CORE_DATA_TABLE_WARNINGS_H_
#define TRAINYARD_CORE_DATA_TABLE_WARNINGS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/data/table.h"

namespace trainyard {

struct TableWarning {
  // Numbers equal trainyard.v1.DatasetWarning.Code.
  enum class Code : uint8_t {
    kUnspecified = 0,
    kConstantColumn = 1,
    kIdentifierColumn = 2,
    kFreeTextColumn = 3,
    kMostlyMissingColumn = 4,
    kDuplicateColumn = 5,
    kDuplicateRows = 6,
    kExtremeValues = 7,
    kSimilarCategories = 8,
  };
  Code code = Code::kUnspecified;
  std::string column;   // empty: the table
  std::string message;  // what was found, and what to do
};

// Told when the cells of a column have been read and are not needed for a while.
using OnColumnRead = std::function<void(const Column& column)>;

// Column by column in table order, then the rows; at most limits::kTableWarningsMax.
// REQUIRES: the table has its cells.
std::vector<TableWarning> FindTableWarnings(
    const Table& table, const OnColumnRead& on_read = [](const Column&) {});

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_TABLE_WARNINGS_H_
