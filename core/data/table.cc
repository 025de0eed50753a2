#include "core/data/table.h"

#include <cmath>

#include "core/data/number.h"

namespace trainyard {

const Column* Table::FindColumn(absl::string_view name) const {
  for (const Column& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

std::string Table::CellText(int64_t row, int64_t column) const {
  const Column& c = columns[column];
  if (c.type == ColumnType::kText) {
    const int32_t code = c.codes[row];
    return code == Column::kMissingCode ? "" : c.categories[code];
  }
  const double number = c.numbers[row];
  return std::isnan(number) ? "" : NumberText(number);
}

}  // namespace trainyard
