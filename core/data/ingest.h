// ReadCsvTable turns an uploaded file into a Table: reader → types → cells → statistics. Two passes
// over the file: the first infers types and finds what is no table at all, the second fills the
// columns and collects bad records.
//
//   FileSource source(path);                                  // or StringSource in tests
//   TY_ASSIGN_OR_RETURN(IngestResult result, ReadCsvTable(source, {.delimiter = ','}));
//
// Spaces and tabs around a cell are not part of it; a cell that is then empty is missing. A column
// is numeric when at least 90 % of its cells that are not empty are finite decimal numbers
// (number.h), and text otherwise; the other cells are then bad. A record with a wrong number of
// fields is bad. Bad rows are dropped up to CsvOptions::bad_rows_max, beyond it the table is
// rejected. Thread-safety: none; one call per source.
#ifndef TRAINYARD_CORE_DATA_INGEST_H_
#define TRAINYARD_CORE_DATA_INGEST_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "core/data/csv_reader.h"
#include "core/data/table.h"

namespace trainyard {

// Bytes that can be read twice. Implementations: StringSource here, a file in the server.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Goes back to the first byte.
  virtual absl::Status Rewind() = 0;
  // The next bytes, at most 1 MiB, empty at the end; valid until the next call.
  virtual absl::StatusOr<absl::string_view> Next() = 0;
};

class StringSource : public ByteSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::Status Rewind() override;
  absl::StatusOr<absl::string_view> Next() override;

 private:
  std::string bytes_;
  size_t position_ = 0;
};

struct RejectedCell {
  int64_t line = 0;         // 1-based, where the record starts
  std::string column;       // empty: the whole record
  int64_t byte_offset = 0;  // 0-based, of the record
  std::string expected;     // "a number", "31 fields"
  std::string actual;       // at most 100 bytes
};

// The reject of a cell that should be a number; `cell` is trimmed and in UTF-8.
RejectedCell NotANumber(const CsvRecord& record, absl::string_view column, absl::string_view cell);
// The reject of a record of a wrong number of fields.
RejectedCell WrongFieldCount(const CsvRecord& record, size_t expected);
// {`line 41, column "age"`, `expected a number, found "n/a"`}.
FieldViolation ViolationOf(const RejectedCell& rejected);

struct IngestResult {
  Table table;
  CsvOptions csv;  // as used: header is kPresent or kAbsent
  int64_t rejected_row_count = 0;
  std::vector<RejectedCell> rejected_cells;  // the first limits::kRejectsKeptMax
};

// Errors, all with an ErrorInfo: INVALID_ARGUMENT/DATASET_REJECTED with one violation per kept
// rejected cell (field `line 41, column "age"`), or for what is no table at all (empty, NUL bytes,
// a quote left open, no rows, one column without a delimiter in sight, not UTF-8, names twice);
// INVALID_ARGUMENT/INVALID_REQUEST for options out of range; RESOURCE_EXHAUSTED/TOO_LARGE beyond
// limits.h.
absl::StatusOr<IngestResult> ReadCsvTable(ByteSource& source, const CsvOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_INGEST_H_
