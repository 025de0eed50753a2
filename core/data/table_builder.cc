#include "core/data/table_builder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/column_stats.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

// Codes are given in order of appearance while rows come; a table has them in bytewise order of the
// values, so that it does not depend on the order of rows.
void SortCategories(const absl::flat_hash_map<std::string, int32_t>& codes, Column* column) {
  std::vector<std::pair<std::string, int32_t>> sorted(codes.begin(), codes.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<int32_t> new_codes(sorted.size());
  for (size_t i = 0; i < sorted.size(); ++i) {
    new_codes[sorted[i].second] = static_cast<int32_t>(i);
    column->categories.push_back(std::move(sorted[i].first));
  }
  for (int32_t& code : column->codes) {
    if (code != Column::kMissingCode) code = new_codes[code];
  }
}

}  // namespace

TableBuilder::TableBuilder(const std::vector<ColumnPlan>& columns, int64_t rows_expected)
    : row_numbers_(columns.size()) {
  columns_.reserve(columns.size());
  for (const ColumnPlan& plan : columns) {
    Building& building = columns_.emplace_back();
    building.column.name = plan.name;
    building.column.type = plan.type;
    if (plan.type == ColumnType::kNumeric) {
      building.column.numbers.reserve(rows_expected);
    } else {
      building.column.codes.reserve(rows_expected);
    }
  }
}

absl::StatusOr<bool> TableBuilder::AddRow(const CsvRecord& record,
                                          std::vector<RejectedCell>* rejected) {
  if (record.fields.size() != columns_.size()) {
    rejected->push_back(WrongFieldCount(record, columns_.size()));
    return false;
  }
  // Before any column grows: a row goes in whole or not at all.
  if (!ParseNumbers(record, rejected)) return false;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].column.type == ColumnType::kNumeric) {
      columns_[i].column.numbers.push_back(row_numbers_[i]);
    } else {
      TY_RETURN_IF_ERROR(AddText(TrimCell(record.fields[i]), record, &columns_[i]));
    }
  }
  ++rows_;
  return true;
}

bool TableBuilder::ParseNumbers(const CsvRecord& record, std::vector<RejectedCell>* rejected) {
  bool good = true;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].column.type != ColumnType::kNumeric) continue;
    const absl::string_view cell = TrimCell(record.fields[i]);
    const std::optional<double> number = cell.empty() ? Column::kMissingNumber : ParseNumber(cell);
    row_numbers_[i] = number.value_or(Column::kMissingNumber);
    if (number.has_value()) continue;
    rejected->push_back(NotANumber(record, columns_[i].column.name, cell));
    good = false;
  }
  return good;
}

absl::Status TableBuilder::AddText(absl::string_view cell, const CsvRecord& record,
                                   Building* building) {
  int32_t code = Column::kMissingCode;
  if (!cell.empty()) {
    const auto next_code = static_cast<int32_t>(building->codes.size());
    code = building->codes.try_emplace(cell, next_code).first->second;
  }
  building->column.codes.push_back(code);
  if (building->codes.size() <= static_cast<size_t>(limits::kDistinctTextMax))
    return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("line ", record.line, ", column \"", building->column.name,
                   "\": the column has more than ", limits::kDistinctTextMax, " different texts"),
      {.reason = ErrorReason::kTooLarge,
       .hint = "leave the column out of the file: a text that is different in each row teaches "
               "nothing"});
}

Table TableBuilder::Finish() && {
  Table table;
  table.rows = rows_;
  table.columns.reserve(columns_.size());
  for (Building& building : columns_) {
    SortCategories(building.codes, &building.column);
    building.column.stats = ComputeStats(building.column);
    table.columns.push_back(std::move(building.column));
  }
  return table;
}

}  // namespace trainyard
