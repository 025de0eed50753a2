// ReadCsv turns a CSV file into the rows of a TableWriter: dialect → records → types → cells. The
// start of the file tells the dialect and lets types be guessed; then the whole file goes into the
// writer in one pass, which counts numbers as well. A column that was guessed wrong is found at the
// end, and the pass is done again with the right types, so that the result never depends on a
// guess.
//
//   TY_ASSIGN_OR_RETURN(CsvIngestResult result, ReadCsv(source, {.csv = {.bad_rows_max = 10}}));
//   TY_ASSIGN_OR_RETURN(Table table, std::move(result.writer).Finish());
//
// Blanks (spaces and tabs) around a cell are not part of it. A cell is missing when it is then
// empty or one of CsvOptions::missing_markers. A column is numeric when at least 90 % of its cells
// that are not missing are finite decimal numbers (number.h), and text otherwise; the other cells
// of a numeric column are bad, and so is a record with a wrong number of fields. Bad rows are
// dropped up to CsvOptions::bad_rows_max; beyond it the table is rejected.
//
// Thread-safety: none; one call per source.
#ifndef TRAINYARD_CORE_DATA_CSV_INGEST_H_
#define TRAINYARD_CORE_DATA_CSV_INGEST_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/data/byte_source.h"
#include "core/data/csv_reader.h"
#include "core/data/rejected_cell.h"
#include "core/data/table.h"
#include "core/data/table_writer.h"

namespace trainyard {

struct CsvIngestOptions {
  using GivenTypes = std::vector<std::optional<ColumnType>>;

  CsvOptions csv;
  TableWriter::Options writer;
  // Called once with the names of the columns: the types that are known better, one per column,
  // nullopt where the cells decide. An error is given back as it is. Empty: the cells decide all.
  std::function<absl::StatusOr<GivenTypes>(const std::vector<std::string>& names)> give_types;
  // Called for each rejected cell in the order of the file, limits::kBadRowsMax of them at most,
  // and before a table is rejected for them. An error is given back as it is. May be empty.
  std::function<absl::Status(const RejectedCell&)> on_rejected;
};

struct CsvIngestResult {
  TableWriter writer;  // with all rows; Finish is to come
  CsvOptions csv;      // as used: nothing is left to detect
  int64_t rejected_row_count = 0;
  std::vector<RejectedCell> rejected_cells;  // the first limits::kRejectsKeptMax
  int pass_count = 1;                        // over the whole file
};

// Errors, all with an ErrorInfo: INVALID_ARGUMENT/DATASET_REJECTED with one violation per kept
// rejected cell (field `line 41, column "age"`), or for what is no table at all (empty, NUL bytes,
// a quote left open, no rows, not UTF-8, names twice); INVALID_ARGUMENT/INVALID_REQUEST for options
// out of range; RESOURCE_EXHAUSTED/TOO_LARGE beyond limits.h; those of source, writer and
// callbacks.
absl::StatusOr<CsvIngestResult> ReadCsv(ByteSource& source, const CsvIngestOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CSV_INGEST_H_
