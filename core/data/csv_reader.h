// CsvReader turns a stream of bytes into records of fields (RFC 4180: quotes, doubled quotes, line breaks in quotes,
// CRLF or LF; a UTF-8 byte order mark at the start is skipped; empty lines between records are skipped). It knows
// nothing of types or what columns mean; see ingest.h.
//
//   CsvReader reader(options);
//   reader.Append(chunk);                                     // any split of the input gives the same records
//   while (true) {
//     TY_ASSIGN_OR_RETURN(bool more, reader.Next(&record));   // false: wants more bytes
//     if (!more) break;
//     ...                                                     // record.fields point into the reader
//   }
//   reader.FinishInput();                                     // then Next() gives a last record without line break
//
// Thread-safety: none; one reader per stream.
// Lifetime: a record is valid until the next call of a non-const method.
// Limits: limits::kRecordBytesMax, kFieldBytesMax, kDatasetColumnsMax; beyond them RESOURCE_EXHAUSTED/TOO_LARGE.
// Errors: INVALID_ARGUMENT/DATASET_REJECTED with line (1-based) and byte (0-based): NUL byte, quote left open, text
// after a closing quote.
#ifndef TRAINYARD_CORE_DATA_CSV_READER_H_
#define TRAINYARD_CORE_DATA_CSV_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

struct CsvOptions {
  enum class Header { kDetect, kPresent, kAbsent };
  char delimiter = ',';
  Header header = Header::kDetect;  // used by ingest.h, not by the reader
  int64_t bad_rows_max = 0;         // likewise
};

struct CsvRecord {
  int64_t line = 0;         // 1-based line of the file where the record starts
  int64_t byte_offset = 0;  // 0-based, of its first byte
  std::vector<absl::string_view> fields;  // unquoted, not trimmed
};

class CsvReader {
 public:
  explicit CsvReader(const CsvOptions& options);

  void Append(absl::string_view bytes);
  void FinishInput();
  // True: `*record` is the next record. False: the bytes so far hold no further whole record.
  absl::StatusOr<bool> Next(CsvRecord* record);

 private:
  // Scans one record from buffer_[position_]; false when it is not whole yet.
  absl::StatusOr<bool> ScanRecord(CsvRecord* record);

  const CsvOptions options_;
  std::string buffer_;
  size_t position_ = 0;
  int64_t line_ = 1;
  int64_t byte_offset_ = 0;
  bool finished_ = false;
  bool at_start_ = true;
  std::vector<std::string> unquoted_;  // fields that had doubled quotes
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CSV_READER_H_
