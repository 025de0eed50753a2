// IngestTable turns an uploaded file of any known format into a Table: decompressed, recognised by
// its content, read, and handed on column by column. It is the one place that knows all readers.
//
//   FileSource source(path);                                  // or StringSource in tests
//   TY_ASSIGN_OR_RETURN(IngestResult result, IngestTable(source, {.csv = {.delimiter = ';'}}));
//   // The table's file goes to `append`; result.table has neither cells nor categories:
//   TY_ASSIGN_OR_RETURN(result, IngestTable(source, options, append));
//
// Memory: TableWriter's, and the reader's buffers; not that of the file. Thread-safety: none; one
// call per source.
#ifndef TRAINYARD_CORE_DATA_INGEST_H_
#define TRAINYARD_CORE_DATA_INGEST_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/data/byte_source.h"
#include "core/data/column_kind.h"
#include "core/data/csv_reader.h"
#include "core/data/file_format.h"
#include "core/data/rejected_cell.h"
#include "core/data/table.h"
#include "core/data/table_writer.h"

namespace trainyard {

struct IngestOptions {
  FileFormat format = FileFormat::kUnspecified;  // unspecified: by content
  CsvOptions csv;                                // kCsv
  std::vector<std::string> npz_arrays;           // kNpz; empty: all
  // Of the file's own columns. FREE_TEXT makes a column of a CSV file text, cell by cell as it is
  // written, numbers too; in a file that has numbers only it is refused.
  std::vector<ColumnOverride> overrides;
  // Columns that go behind the file's own, of the same number of rows; or null. A single one whose name is taken becomes "label".
  const Table* labels = nullptr;
  TableWriter::Options writer;
  // Called for each rejected cell of a CSV file, in order, before a table is rejected for them; at most limits::kBadRowsMax times.
  std::function<absl::Status(const RejectedCell&)> on_rejected;
};

struct IngestResult {
  Table table;
  FileFormat format = FileFormat::kUnspecified;
  Compression compression = Compression::kUnspecified;
  CsvOptions csv;  // kCsv: as used, nothing is left to detect
  int64_t rejected_row_count = 0;
  std::vector<RejectedCell> rejected_cells;  // the first limits::kRejectsKeptMax
};

// Errors, all with an ErrorInfo: INVALID_ARGUMENT/DATASET_REJECTED for what is no table
// (csv_ingest.h and the other readers), for well-known formats that are not read (file_format.h),
// or labels of another length; INVALID_ARGUMENT/INVALID_REQUEST for options;
// RESOURCE_EXHAUSTED/TOO_LARGE beyond limits.h; those of source, writer and callbacks.
absl::StatusOr<IngestResult> IngestTable(ByteSource& source, const IngestOptions& options,
                                         const TableWriter::AppendBytes& append = {});

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_INGEST_H_
