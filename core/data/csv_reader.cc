#include "core/data/csv_reader.h"

#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr absl::string_view kDelimiters = ",;\t|";

// Position of the first `special`, line feed or NUL in [begin, end), or `end`. Sixteen bytes at a
// time: fields are short, so that one load finds most of their ends.
size_t FindSpecial(const char* data, size_t begin, size_t end, char special) {
  const __m128i specials = _mm_set1_epi8(special);
  const __m128i line_feeds = _mm_set1_epi8('\n');
  const __m128i zeros = _mm_setzero_si128();
  size_t i = begin;
  for (; i + 16 <= end; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i));
    const __m128i hits = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, specials), _mm_cmpeq_epi8(bytes, line_feeds)),
        _mm_cmpeq_epi8(bytes, zeros));
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(hits));
    if (mask != 0) return i + static_cast<size_t>(std::countr_zero(mask));
  }
  while (i < end && data[i] != special && data[i] != '\n' && data[i] != '\0') ++i;
  return i;
}

absl::string_view HeaderName(CsvOptions::Header header) {
  switch (header) {
    case CsvOptions::Header::kPresent:
      return "present";
    case CsvOptions::Header::kAbsent:
      return "absent";
    case CsvOptions::Header::kDetect:
      return "detected";
  }
  return "detected";
}

}  // namespace

absl::Status CheckCsvOptions(const CsvOptions& options) {
  std::vector<FieldViolation> violations;
  if (options.delimiter == '\0' || kDelimiters.find(options.delimiter) == absl::string_view::npos) {
    violations.push_back({"csv.delimiter", "must be one of , ; tab |"});
  }
  if (options.bad_rows_max < 0 || options.bad_rows_max > limits::kBadRowsMax) {
    violations.push_back(
        {"csv.bad_rows_max",
         absl::StrCat("is ", options.bad_rows_max, "; must be 0 to ", limits::kBadRowsMax)});
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

std::string DescribeCsvOptions(const CsvOptions& options) {
  const std::string delimiter =
      options.delimiter == '\t' ? "tab" : absl::StrCat("'", std::string(1, options.delimiter), "'");
  return absl::StrCat("delimiter ", delimiter, ", header ", HeaderName(options.header),
                      ", bad_rows_max ", options.bad_rows_max);
}

CsvReader::CsvReader(const CsvOptions& options) : options_(options) {}

void CsvReader::Append(absl::string_view bytes) {
  buffer_.erase(0, record_begin_);
  dropped_bytes_ += static_cast<int64_t>(record_begin_);
  record_begin_ = 0;
  buffer_.append(bytes.data(), bytes.size());
}

void CsvReader::FinishInput() { finished_ = true; }

absl::StatusOr<bool> CsvReader::Next(CsvRecord* record) {
  if (at_start_ && !SkipByteOrderMark()) return false;
  while (true) {
    TY_ASSIGN_OR_RETURN(const Scan scan, ScanRecord());
    if (scan == Scan::kNeedsBytes) return false;
    const char first = *record_data();
    const bool blank = spans_.size() == 1 && spans_[0].end == 0 && first != '"';
    if (!blank) FillRecord(record);
    record_begin_ += scanned_;
    line_ += line_breaks_ + 1;
    scanned_ = 0;
    line_breaks_ = 0;
    spans_.clear();
    state_ = State::kFieldStart;
    if (!blank) return true;
  }
}

absl::StatusOr<CsvReader::Scan> CsvReader::ScanRecord() {
  while (true) {
    absl::StatusOr<Scan> scan = Scan::kGoOn;
    switch (state_) {
      case State::kFieldStart:
        scan = StartField();
        break;
      case State::kUnquoted:
        scan = ScanUnquoted();
        break;
      case State::kQuoted:
        scan = ScanQuoted();
        break;
      case State::kAfterQuote:
        scan = ScanAfterQuote();
        break;
    }
    if (!scan.ok() || *scan != Scan::kGoOn) return scan;
    TY_RETURN_IF_ERROR(CheckRecordLimits());
  }
}

CsvReader::Scan CsvReader::StartField() {
  if (scanned_ == record_size()) {
    if (!finished_ || spans_.empty()) return Scan::kNeedsBytes;
    field_begin_ = scanned_;
    PushField(scanned_);
    return EndRecord(scanned_);
  }
  const bool quoted = record_data()[scanned_] == '"';
  if (quoted) ++scanned_;
  field_begin_ = scanned_;
  field_line_breaks_ = line_breaks_;
  state_ = quoted ? State::kQuoted : State::kUnquoted;
  return Scan::kGoOn;
}

// Goes through all unquoted fields in a row: the hot loop.
absl::StatusOr<CsvReader::Scan> CsvReader::ScanUnquoted() {
  const char* const data = record_data();
  const size_t size = record_size();
  while (true) {
    const size_t field_limit = field_begin_ + limits::kFieldBytesMax + 1;
    const size_t window = std::min(size, field_limit);
    const size_t end = FindSpecial(data, scanned_, window, options_.delimiter);
    if (end == field_limit) return TooLarge("a field of more bytes than", limits::kFieldBytesMax);
    scanned_ = end;
    if (end == size && !finished_) return Scan::kNeedsBytes;
    const bool at_delimiter = end < size && data[end] == options_.delimiter;
    if (end < size && data[end] == '\0') return Rejected(end, "NUL byte", "");
    if (!at_delimiter) {
      const bool carriage_return = end > field_begin_ && data[end - 1] == '\r';
      PushField(carriage_return ? end - 1 : end);
      return EndRecord(std::min(end + 1, size));
    }
    PushField(end);
    scanned_ = end + 1;
    state_ = State::kFieldStart;
    if (scanned_ == size || data[scanned_] == '"') return Scan::kGoOn;
    TY_RETURN_IF_ERROR(CheckRecordLimits());
    state_ = State::kUnquoted;
    field_begin_ = scanned_;
  }
}

absl::StatusOr<CsvReader::Scan> CsvReader::ScanQuoted() {
  const char* const data = record_data();
  const size_t size = record_size();
  const size_t field_limit = field_begin_ + limits::kFieldBytesMax + 1;
  const size_t window = std::min(size, field_limit);
  while (true) {
    const size_t end = FindSpecial(data, scanned_, window, '"');
    if (end == field_limit) return TooLarge("a field of more bytes than", limits::kFieldBytesMax);
    scanned_ = end;
    if (end == size && !finished_) return Scan::kNeedsBytes;
    if (end == size) {
      line_breaks_ = field_line_breaks_;
      return Rejected(field_begin_ - 1, "quote left open",
                      "close the quote, and double the quotes inside a quoted field");
    }
    if (data[end] == '\0') return Rejected(end, "NUL byte", "");
    if (data[end] == '"') break;
    ++line_breaks_;
    ++scanned_;
  }
  ++scanned_;
  state_ = State::kAfterQuote;
  return Scan::kGoOn;
}

// scanned_ is one past a quote inside a quoted field: half of a doubled one, or the closing one.
absl::StatusOr<CsvReader::Scan> CsvReader::ScanAfterQuote() {
  const size_t size = record_size();
  if (scanned_ == size && !finished_) return Scan::kNeedsBytes;
  const size_t close = scanned_ - 1;
  const char next = scanned_ < size ? record_data()[scanned_] : '\n';
  if (next == '"') {
    has_doubled_quotes_ = true;
    ++scanned_;
    state_ = State::kQuoted;
    return Scan::kGoOn;
  }
  if (next == options_.delimiter) {
    PushField(close);
    ++scanned_;
    state_ = State::kFieldStart;
    return Scan::kGoOn;
  }
  const size_t line_end = next == '\r' ? scanned_ + 1 : scanned_;
  if (line_end == size && !finished_) return Scan::kNeedsBytes;
  const bool ends =
      next == '\n' || (next == '\r' && (line_end == size || record_data()[line_end] == '\n'));
  if (!ends) {
    return Rejected(scanned_, "text after a closing quote",
                    "double the quotes inside a quoted field, and put nothing between its closing "
                    "quote and the "
                    "delimiter");
  }
  PushField(close);
  return EndRecord(std::min(line_end + 1, size));
}

bool CsvReader::SkipByteOrderMark() {
  const absl::string_view start = absl::string_view(buffer_).substr(0, kByteOrderMark.size());
  if (start == kByteOrderMark) {
    record_begin_ = kByteOrderMark.size();
  } else if (!finished_ && kByteOrderMark.substr(0, start.size()) == start) {
    return false;
  }
  at_start_ = false;
  return true;
}

void CsvReader::PushField(size_t end) {
  spans_.push_back({field_begin_, end, has_doubled_quotes_});
  has_doubled_quotes_ = false;
}

CsvReader::Scan CsvReader::EndRecord(size_t next_record) {
  scanned_ = next_record;
  return Scan::kRecordEnd;
}

void CsvReader::FillRecord(CsvRecord* record) {
  record->line = line_;
  record->byte_offset = dropped_bytes_ + static_cast<int64_t>(record_begin_);
  record->fields.clear();
  unquoted_.clear();
  // Reserved before any view into it is handed out: unquoting only makes text shorter.
  size_t doubled_size = 0;
  for (const FieldSpan& span : spans_) {
    if (span.has_doubled_quotes) doubled_size += span.end - span.begin;
  }
  unquoted_.reserve(doubled_size);
  for (const FieldSpan& span : spans_) {
    record->fields.push_back(span.has_doubled_quotes ? Unquote(span)
                                                     : absl::string_view(record_data() + span.begin,
                                                                         span.end - span.begin));
  }
}

absl::string_view CsvReader::Unquote(const FieldSpan& span) {
  const char* const data = record_data();
  const size_t begin = unquoted_.size();
  for (size_t i = span.begin; i < span.end; ++i) {
    unquoted_.push_back(data[i]);
    if (data[i] == '"') ++i;  // the second of the pair
  }
  return absl::string_view(unquoted_).substr(begin);
}

absl::Status CsvReader::CheckRecordLimits() const {
  if (scanned_ > static_cast<size_t>(limits::kRecordBytesMax)) {
    return TooLarge("more bytes than", limits::kRecordBytesMax);
  }
  if (spans_.size() >= static_cast<size_t>(limits::kDatasetColumnsMax)) {
    return TooLarge("more fields than", limits::kDatasetColumnsMax);
  }
  return absl::OkStatus();
}

absl::Status CsvReader::Rejected(size_t position, absl::string_view what,
                                 absl::string_view hint) const {
  const int64_t byte = dropped_bytes_ + static_cast<int64_t>(record_begin_ + position);
  const absl::string_view not_text =
      "this is not a CSV file in UTF-8: decompress it, or export the table as CSV in UTF-8";
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("line ", line_ + line_breaks_, " (byte ", byte, "): ", what),
      {.reason = ErrorReason::kDatasetRejected,
       .hint = std::string(hint.empty() ? not_text : hint),
       .in_force = DescribeCsvOptions(options_),
       .metadata = {{"line", absl::StrCat(line_ + line_breaks_)}, {"byte", absl::StrCat(byte)}}});
}

absl::Status CsvReader::TooLarge(absl::string_view what, int64_t limit) const {
  const int64_t byte = dropped_bytes_ + static_cast<int64_t>(record_begin_);
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("line ", line_, " (byte ", byte,
                                "): the record that starts here has ", what, " ", limit),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "look for a quote that is never closed and for the right delimiter",
                    .in_force = DescribeCsvOptions(options_),
                    .metadata = {{"line", absl::StrCat(line_)}, {"byte", absl::StrCat(byte)}}});
}

}  // namespace trainyard
