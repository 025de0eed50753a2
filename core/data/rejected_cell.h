// RejectedCell says what is wrong with one cell, or with one whole record, of a CSV file, and where.
// Ingest, the reject report and prediction use the same words.
//
//   rejected.push_back(NotANumber(record, "age", "n/a"));
//   info.violations.push_back(ViolationOf(rejected.back()));
//
// Thread-safety: values, pure functions.
#ifndef TRAINYARD_CORE_DATA_REJECTED_CELL_H_
#define TRAINYARD_CORE_DATA_REJECTED_CELL_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "core/data/csv_reader.h"

namespace trainyard {

struct RejectedCell {
  int64_t line = 0;         // 1-based, where the record starts
  std::string column;       // empty: the whole record
  int64_t byte_offset = 0;  // 0-based, of the record
  std::string expected;     // "a number", "31 fields"
  std::string actual;       // at most 100 bytes
  bool operator==(const RejectedCell&) const = default;
};

// The reject of a cell that should be a number; `cell` is trimmed and in UTF-8.
RejectedCell NotANumber(const CsvRecord& record, absl::string_view column, absl::string_view cell);
// The reject of a record of a wrong number of fields.
RejectedCell WrongFieldCount(const CsvRecord& record, size_t expected);
// {`line 41, column "age"`, `expected a number, found "n/a"`}.
FieldViolation ViolationOf(const RejectedCell& rejected);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_REJECTED_CELL_H_
