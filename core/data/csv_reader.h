// CsvReader turns a stream of bytes into records of fields (RFC 4180: quotes, doubled quotes, line
// breaks in quotes, CRLF or LF; a UTF-8 byte order mark at the start is skipped; empty lines
// between records are skipped). A quote inside an unquoted field is an ordinary character. It knows
// nothing of types or what columns mean; see ingest.h.
//
//   CsvReader reader(options);
//   reader.Append(chunk);                                     // any split of the input gives the
//   same records while (true) {
//     TY_ASSIGN_OR_RETURN(bool more, reader.Next(&record));   // false: wants more bytes
//     if (!more) break;
//     ...                                                     // record.fields point into the
//     reader
//   }
//   reader.FinishInput();                                     // then Next() gives a last record
//   without line break
//
// Thread-safety: none; one reader per stream.
// Lifetime: a record is valid until the next call of a non-const method.
// Limits: limits::kRecordBytesMax, kFieldBytesMax, kDatasetColumnsMax; beyond them
// RESOURCE_EXHAUSTED/TOO_LARGE. Errors: INVALID_ARGUMENT/DATASET_REJECTED with line (1-based) and
// byte (0-based): NUL byte, quote left open, text after a closing quote. After an error every call
// of Next() gives it again.
#ifndef TRAINYARD_CORE_DATA_CSV_READER_H_
#define TRAINYARD_CORE_DATA_CSV_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

struct CsvOptions {
  enum class Header { kDetect, kPresent, kAbsent };
  char delimiter = ',';
  Header header = Header::kDetect;  // used by ingest.h, not by the reader
  int64_t bad_rows_max = 0;         // likewise
};

// Errors: INVALID_ARGUMENT/INVALID_REQUEST naming csv.delimiter and csv.bad_rows_max when out of
// range.
absl::Status CheckCsvOptions(const CsvOptions& options);

// `delimiter ',', header present, bad_rows_max 0`: the options in force, for messages.
std::string DescribeCsvOptions(const CsvOptions& options);

struct CsvRecord {
  int64_t line = 0;                       // 1-based line of the file where the record starts
  int64_t byte_offset = 0;                // 0-based, of its first byte
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
  enum class State : uint8_t { kFieldStart, kUnquoted, kQuoted, kAfterQuote };
  enum class Scan : uint8_t { kNeedsBytes, kGoOn, kRecordEnd };
  // Offsets from the start of the record, without the quotes around.
  struct FieldSpan {
    size_t begin = 0;
    size_t end = 0;
    bool has_doubled_quotes = false;
  };

  // Each scans on from scanned_ and leaves the state so that it goes on when more bytes have come.
  absl::StatusOr<Scan> ScanRecord();
  Scan StartField();
  absl::StatusOr<Scan> ScanUnquoted();
  absl::StatusOr<Scan> ScanQuoted();
  absl::StatusOr<Scan> ScanAfterQuote();

  // False when it takes more bytes to know whether the input starts with a byte order mark.
  bool SkipByteOrderMark();
  void PushField(size_t end);
  Scan EndRecord(size_t next_record);
  void FillRecord(CsvRecord* record);
  absl::string_view Unquote(const FieldSpan& span);
  absl::Status CheckRecordLimits() const;
  absl::Status Rejected(size_t position, absl::string_view what, absl::string_view hint) const;
  absl::Status TooLarge(absl::string_view what, int64_t limit) const;

  const char* record_data() const { return buffer_.data() + record_begin_; }
  size_t record_size() const { return buffer_.size() - record_begin_; }

  // Constant after construction.
  const CsvOptions options_;

  std::string buffer_;
  size_t record_begin_ = 0;    // of the record being scanned, in buffer_
  int64_t dropped_bytes_ = 0;  // bytes of the input before buffer_
  int64_t line_ = 1;           // where the record being scanned starts
  bool finished_ = false;
  bool at_start_ = true;

  // The record being scanned; positions count from record_begin_.
  State state_ = State::kFieldStart;
  size_t scanned_ = 0;
  size_t field_begin_ = 0;
  bool has_doubled_quotes_ = false;
  int64_t line_breaks_ = 0;        // inside quotes, so far
  int64_t field_line_breaks_ = 0;  // line_breaks_ where the open quote is
  std::vector<FieldSpan> spans_;

  std::string unquoted_;  // text of the last record's fields that had doubled quotes
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CSV_READER_H_
