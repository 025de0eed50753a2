// CsvReader turns a stream of bytes into records of fields (RFC 4180: quotes, doubled quotes, line
// breaks in quotes, CRLF or LF; a UTF-8 byte order mark at the start is skipped; blank lines and
// comment lines between records are skipped). Blanks before an opening quote and after a closing
// one are not part of the field; a quote inside an unquoted field is an ordinary character. Spaces
// as the delimiter: any number of them is one, and those around a record are none. It knows nothing
// of types or what columns mean; see csv_ingest.h.
//
//   CsvReader reader(options);
//   reader.Append(chunk);  // any split of the input gives the same records
//   while (true) {
//     TY_ASSIGN_OR_RETURN(bool more, reader.Next(&record));
//     if (!more) break;    // wants more bytes
//     ...                  // record.fields point into the reader
//   }
//   reader.FinishInput();  // then Next() gives a last record without line break
//
// Thread-safety: none; one reader per stream.
// Lifetime: a record is valid until the next call of a non-const method.
// Memory: a chunk, or the record that is being read.
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
#include "core/data/plain_cells.h"

namespace trainyard {

// How a file is read; trainyard.v1.CsvOptions says what each choice means. "Detect" is for
// csv_dialect.h to fill in. The reader itself uses delimiter, quote and comment only, and takes
// what is left to detect for a comma, double quotes and no comments.
struct CsvOptions {
  enum class Header { kDetect, kPresent, kAbsent };
  enum class DecimalMark { kDetect, kPoint, kComma };
  enum class Quote { kDetect, kDouble, kSingle, kNone };
  static constexpr char kDetectCharacter = '\0';
  static constexpr char kNoComment = '\n';
  // What may be given; where two delimiters do as well, the first is detected.
  static constexpr absl::string_view kDelimiters = ",;\t| ";
  static constexpr absl::string_view kComments = "#%;/*!";
  char delimiter = kDetectCharacter;
  Header header = Header::kDetect;
  int64_t bad_rows_max = 0;
  DecimalMark decimal_mark = DecimalMark::kDetect;
  Quote quote = Quote::kDetect;
  char comment = kDetectCharacter;
  // Cells that are missing besides empty ones; the default ones unless given.
  std::vector<std::string> missing_markers = DefaultMissingMarkers();

  static std::vector<std::string> DefaultMissingMarkers();
  char decimal_character() const { return decimal_mark == DecimalMark::kComma ? ',' : '.'; }
  bool operator==(const CsvOptions&) const = default;
};

// Errors: INVALID_ARGUMENT/INVALID_REQUEST naming every field of csv that is out of range or does
// not go with another.
absl::Status CheckCsvOptions(const CsvOptions& options);

// `delimiter ',', header present, bad_rows_max 0`: the options in force, for messages. Quote,
// decimal mark and comment are told when they are not the usual ones.
std::string DescribeCsvOptions(const CsvOptions& options);

// INVALID_ARGUMENT/DATASET_REJECTED of a file read with `options`.
absl::Status CsvRejected(absl::string_view message, absl::string_view hint,
                         const CsvOptions& options);

// "tab", "space" or the character.
std::string DelimiterName(char delimiter);

struct CsvRecord {
  int64_t line = 0;                       // 1-based line of the file where the record starts
  int64_t byte_offset = 0;                // 0-based, of its first byte
  std::vector<absl::string_view> fields;  // unquoted, not trimmed
  bool is_ascii = false;                  // true: all of it is, so that it is UTF-8
};

// Records whose fields are just what is between the delimiters, and which are a line each. A last
// field may end with a carriage return, which is not part of it.
struct CsvPlainRecords {
  CellRun fields;  // field_count of each record
  size_t count = 0;
  int64_t line = 0;  // of the first
};

class CsvReader {
 public:
  // Bytes behind each field of a record that may be read, whatever they are.
  static constexpr size_t kPadding = 64;

  explicit CsvReader(const CsvOptions& options);

  void Append(absl::string_view bytes);
  void FinishInput();
  // True: `*record` is the next record. False: the bytes so far hold no further whole record.
  absl::StatusOr<bool> Next(CsvRecord* record);

  // The short way for tables of numbers: the next records, as long as they are plain and have
  // `field_count` fields, without taking them; at most `count_max`. None does not mean that Next()
  // has none. REQUIRES: field_count > 1.
  CsvPlainRecords PeekPlain(size_t field_count, size_t count_max);
  // Takes the first `count` of the records that PeekPlain just gave.
  void TakePlain(size_t field_count, size_t count);

 private:
  enum class State : uint8_t { kRecordStart, kComment, kUnquoted, kQuoted, kAfterQuote };
  enum class Scan : uint8_t { kNeedsBytes, kGoOn, kRecordEnd };

  // Each scans on from where it stopped, and stops where it can go on when more bytes have come.
  absl::StatusOr<Scan> ScanRecord();
  Scan StartRecord();
  absl::StatusOr<Scan> SkipComment();
  absl::StatusOr<Scan> ScanUnquoted();
  absl::StatusOr<Scan> ScanQuoted();
  absl::StatusOr<Scan> ScanAfterQuote();
  absl::StatusOr<Scan> EndRecord(size_t end);

  // Position of the next special character (delimiter, quote, line feed, NUL) that has not been
  // taken, or size_ when there is none yet. The index of them is made window by window.
  size_t PeekSpecial() {
    return next_special_ < special_count_ ? SpecialAt(next_special_) : IndexMore();
  }
  size_t SpecialAt(size_t i) const {
    return static_cast<size_t>(window_begin_ + static_cast<int64_t>(specials()[i]));
  }
  const uint32_t* specials() const { return specials_.data() + 1; }
  bool AtPlainRecord();
  void TakeSpecial() {
    PeekSpecial();
    ++next_special_;
  }
  size_t IndexMore();

  // False when it takes more bytes to know whether the input starts with a byte order mark.
  bool SkipByteOrderMark();
  bool IsBlank(char c) const { return (c == ' ' || c == '\t') && c != delimiter_; }
  bool AllBlank(size_t begin, size_t end) const;
  bool RecordIsBlank() const;
  // Pushes the fields of the window before its next special that is not a delimiter.
  void PushPlainFields();
  // The field is [field_begin_, end). False, and not pushed, when the record has become too large.
  bool PushUnquoted(size_t end);
  bool PushField(size_t end);
  void GiveRecord(CsvRecord* record);
  void GoToNextRecord();
  void UnquoteDoubled(absl::string_view* field);
  absl::Status Rejected(size_t position, absl::string_view what, absl::string_view hint) const;
  absl::Status RecordTooLarge() const;
  absl::Status TooLarge(absl::string_view what, int64_t limit) const;

  // Constant after construction.
  const CsvOptions options_;
  const char delimiter_;
  const char quote_;    // line feed: none
  const char comment_;  // line feed: none
  const bool runs_;     // of delimiters are one

  // Positions below count from the start of the buffer.
  std::string buffer_;  // size_ bytes of the input, then kPadding zeros
  size_t size_ = 0;
  int64_t dropped_ = 0;  // bytes of the input before the buffer
  int64_t line_ = 1;     // where the record being scanned starts
  bool finished_ = false;
  bool at_start_ = true;
  absl::Status status_;

  size_t indexed_ = 0;              // what is before has been looked through for specials
  size_t not_ascii_until_ = 0;      // end of the last window with a byte that is not ASCII
  int64_t window_begin_ = 0;        // the last window looked through; negative: dropped in part
  // One more than -1, where the byte before the window is: special characters in it, from its
  // start.
  std::vector<uint32_t> specials_;
  size_t special_count_ = 0;
  size_t next_special_ = 0;
  std::vector<uint32_t> line_feeds_;  // their indices in specials()
  size_t line_feed_count_ = 0;
  size_t next_line_feed_ = 0;  // may be behind next_special_
  bool window_plain_ = false;  // specials are delimiters and line feeds

  // The record being scanned.
  State state_ = State::kRecordStart;
  size_t record_begin_ = 0;
  size_t field_begin_ = 0;         // after the opening quote, if any
  size_t scanned_ = 0;             // kAfterQuote: looked at so far; kRecordEnd: the next record
  size_t close_ = 0;               // kAfterQuote: the closing quote
  bool any_quoted_ = false;        // field so far
  bool has_text_ = false;          // before a quote in the field, so that it opens nothing
  int64_t line_breaks_ = 0;        // inside quotes, so far
  int64_t field_line_breaks_ = 0;  // line_breaks_ where the open quote is
  std::vector<absl::string_view> fields_;
  std::vector<size_t> doubled_;  // indices of fields with doubled quotes
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CSV_READER_H_
