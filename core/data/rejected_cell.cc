#include "core/data/rejected_cell.h"

#include "absl/strings/str_cat.h"
#include "core/data/utf8.h"

namespace trainyard {
namespace {

constexpr size_t kActualBytesMax = 100;

std::string LineColumn(const RejectedCell& rejected) {
  if (rejected.column.empty()) return absl::StrCat("line ", rejected.line);
  return absl::StrCat("line ", rejected.line, ", column \"", rejected.column, "\"");
}

}  // namespace

RejectedCell NotANumber(const CsvRecord& record, absl::string_view column, absl::string_view cell) {
  return {record.line, std::string(column), record.byte_offset, "a number",
          std::string(Utf8Prefix(cell, kActualBytesMax))};
}

RejectedCell WrongFieldCount(const CsvRecord& record, size_t expected) {
  const size_t actual = record.fields.size();
  return {record.line, "", record.byte_offset,
          absl::StrCat(expected, expected == 1 ? " field" : " fields"),
          absl::StrCat(actual, actual == 1 ? " field" : " fields")};
}

FieldViolation ViolationOf(const RejectedCell& rejected) {
  return {LineColumn(rejected),
          absl::StrCat("expected ", rejected.expected, ", found ",
                       rejected.column.empty() ? rejected.actual
                                               : absl::StrCat("\"", rejected.actual, "\""))};
}

}  // namespace trainyard
