#include "core/data/csv_reader.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"
#include "core/data/padded_number.h"
#include "core/data/utf8.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

constexpr size_t kMarkerBytesMax = 100;

// Bytes whose specials are indexed at once: so few that they and the index stay in the first cache.
constexpr size_t kWindowBytes = 16384;
constexpr size_t kBlockBytes = 64;
static_assert(CsvReader::kPadding >= kBlockBytes && CsvReader::kPadding >= kNumberPadding);

// Where special characters are found.
struct SpecialIndex {
  uint32_t* positions;   // room for the window and a block more
  uint32_t* line_feeds;  // indices in positions; room for the window
  size_t count = 0;
  size_t line_feed_count = 0;
  bool plain = true;  // all are delimiters and line feeds
  bool ascii = true;
};

// The bits of the positions in a block that hold something.
struct BlockBits {
  uint64_t delimiters = 0;
  uint64_t line_feeds = 0;
  uint64_t others = 0;  // quotes, NUL; delimiters and line feeds where they are taken for quotes
  uint64_t not_ascii = 0;
};

[[gnu::always_inline]] inline BlockBits BitsOfBlock(const char* block, char delimiter, char quote) {
  BlockBits bits;
#pragma GCC unroll 4
  for (int i = 0; i < 64; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + i));
    const auto put = [i](__m128i hits, uint64_t* out) {
      *out |= uint64_t{static_cast<uint16_t>(_mm_movemask_epi8(hits))} << i;
    };
    put(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(delimiter)), &bits.delimiters);
    put(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')), &bits.line_feeds);
    put(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(quote)),
                     _mm_cmpeq_epi8(bytes, _mm_setzero_si128())),
        &bits.others);
    put(bytes, &bits.not_ascii);
  }
  return bits;
}

// Appends the positions of the set bits. Eight are written whether there are so many or not: a loop
// of as many rounds as there are bits is mispredicted once a block.
[[gnu::always_inline]] inline void AppendPositions(uint64_t bits, size_t base, uint32_t* out) {
  while (bits != 0) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      out[i] = static_cast<uint32_t>(base + static_cast<size_t>(std::countr_zero(bits)));
      bits &= bits - 1;
    }
    out += 8;
  }
}

// Adds all of a block but the positions of its specials, and gives their bits.
[[gnu::always_inline]] inline uint64_t AddBlock(const BlockBits& block, uint64_t inside,
                                                SpecialIndex* index) {
  const uint64_t bits = (block.delimiters | block.line_feeds | block.others) & inside;
  const uint64_t usual = block.delimiters | block.line_feeds;
  index->plain = index->plain && (bits & ~usual) == 0;
  index->ascii = index->ascii && (block.not_ascii & inside) == 0;
  for (uint64_t rest = block.line_feeds & inside; rest != 0; rest &= rest - 1) {
    const int before = std::popcount(bits & ((rest & -rest) - 1));
    index->line_feeds[index->line_feed_count++] =
        static_cast<uint32_t>(index->count + static_cast<size_t>(before));
  }
  index->count += static_cast<size_t>(std::popcount(bits));
  return bits;
}

// The first `size` bytes of a block.
[[gnu::always_inline]] inline uint64_t InsideBits(size_t size) {
  return size >= kBlockBytes ? ~uint64_t{0} : (uint64_t{1} << size) - 1;
}

#ifdef TY_VERSIONS_BY_HAND

TY_TARGET_V4 [[gnu::always_inline]] inline BlockBits BitsOfBlock512(const char* block,
                                                                    char delimiter, char quote) {
  const __m512i bytes = _mm512_loadu_si512(block);
  return {.delimiters = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(delimiter)),
          .line_feeds = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n')),
          .others = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(quote)) |
                    _mm512_testn_epi8_mask(bytes, bytes),
          .not_ascii = _mm512_movepi8_mask(bytes)};
}

// The same with AVX-512, which has each kind's bits in one instruction and packs positions.
TY_TARGET_V4 [[gnu::always_inline]] inline void AppendPositions512(uint64_t bits, size_t base,
                                                                   uint32_t* out) {
  const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#pragma GCC unroll 4
  for (size_t i = 0; i < kBlockBytes; i += 16) {
    const auto part = static_cast<__mmask16>(bits >> i);
    const __m512i positions =
        _mm512_add_epi32(places, _mm512_set1_epi32(static_cast<int>(base + i)));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(part, positions));
    out += std::popcount(static_cast<uint16_t>(part));
  }
}

TY_TARGET_V4 void IndexSpecials(const char* window, size_t size, char delimiter, char quote,
                                SpecialIndex* index) {
  for (size_t i = 0; i < size; i += kBlockBytes) {
    uint32_t* const out = index->positions + index->count;
    const BlockBits block = BitsOfBlock512(window + i, delimiter, quote);
    AppendPositions512(AddBlock(block, InsideBits(size - i), index), i, out);
  }
}

TY_TARGET_DEFAULT
#endif  // TY_VERSIONS_BY_HAND
// Looks through the first `size` bytes of `window`; positions count from its start. Reads up to
// kBlockBytes more.
void IndexSpecials(const char* window, size_t size, char delimiter, char quote,
                   SpecialIndex* index) {
  for (size_t i = 0; i < size; i += kBlockBytes) {
    uint32_t* const out = index->positions + index->count;
    const BlockBits block = BitsOfBlock(window + i, delimiter, quote);
    AppendPositions(AddBlock(block, InsideBits(size - i), index), i, out);
  }
}

char QuoteCharacter(CsvOptions::Quote quote) {
  if (quote == CsvOptions::Quote::kNone) return '\n';
  return quote == CsvOptions::Quote::kSingle ? '\'' : '"';
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

// Empty when the marker is fine.
std::string MarkerFault(const std::string& marker) {
  if (TrimCell(marker).empty()) return "is blank; empty cells are missing without it";
  if (TrimCell(marker) != marker) return "has blanks around it, which cells have not";
  if (marker.size() > kMarkerBytesMax)
    return absl::StrCat("has ", marker.size(), " bytes; at most ", kMarkerBytesMax, " are allowed");
  return IsUtf8(marker) ? "" : "is not UTF-8";
}

void CheckMarkers(const std::vector<std::string>& markers,
                  std::vector<FieldViolation>* violations) {
  if (markers.size() > static_cast<size_t>(limits::kMissingMarkersMax)) {
    violations->push_back({"csv.missing_markers", absl::StrCat("has ", markers.size(), "; at most ",
                                                               limits::kMissingMarkersMax)});
    return;
  }
  for (size_t i = 0; i < markers.size(); ++i) {
    std::string fault = MarkerFault(markers[i]);
    if (fault.empty()) continue;
    violations->push_back({absl::StrCat("csv.missing_markers[", i, "]"), std::move(fault)});
  }
}

}  // namespace

absl::Status CheckCsvOptions(const CsvOptions& options) {
  std::vector<FieldViolation> violations;
  const bool detect_comment = options.comment == CsvOptions::kDetectCharacter;
  const bool no_comment = options.comment == CsvOptions::kNoComment;
  if (options.delimiter != CsvOptions::kDetectCharacter &&
      CsvOptions::kDelimiters.find(options.delimiter) == absl::string_view::npos) {
    violations.push_back({"csv.delimiter", "must be one of , ; tab | space"});
  }
  if (options.bad_rows_max < 0 || options.bad_rows_max > limits::kBadRowsMax) {
    violations.push_back(
        {"csv.bad_rows_max",
         absl::StrCat("is ", options.bad_rows_max, "; must be 0 to ", limits::kBadRowsMax)});
  }
  if (options.decimal_mark == CsvOptions::DecimalMark::kComma && options.delimiter == ',') {
    violations.push_back({"csv.decimal_mark", "cannot be a comma where the delimiter is one"});
  }
  if (!detect_comment && !no_comment &&
      CsvOptions::kComments.find(options.comment) == absl::string_view::npos) {
    violations.push_back({"csv.comment", "must be one of # % ; / * !"});
  } else if (!detect_comment && options.comment == options.delimiter) {
    violations.push_back({"csv.comment", "is the delimiter too"});
  }
  CheckMarkers(options.missing_markers, &violations);
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

std::string DelimiterName(char delimiter) {
  if (delimiter == '\t') return "tab";
  return delimiter == ' ' ? "space" : std::string(1, delimiter);
}

std::string DescribeCsvOptions(const CsvOptions& options) {
  std::string text = "delimiter ";
  if (options.delimiter == CsvOptions::kDetectCharacter) {
    text += "detected";
  } else if (options.delimiter == '\t' || options.delimiter == ' ') {
    text += DelimiterName(options.delimiter);
  } else {
    absl::StrAppend(&text, "'", DelimiterName(options.delimiter), "'");
  }
  absl::StrAppend(&text, ", header ", HeaderName(options.header));
  if (options.quote == CsvOptions::Quote::kSingle) text += ", quote single";
  if (options.quote == CsvOptions::Quote::kNone) text += ", quote none";
  if (options.decimal_mark == CsvOptions::DecimalMark::kComma) text += ", decimal mark comma";
  if (CsvOptions::kComments.find(options.comment) != absl::string_view::npos)
    absl::StrAppend(&text, ", comment '", std::string(1, options.comment), "'");
  absl::StrAppend(&text, ", bad_rows_max ", options.bad_rows_max);
  return text;
}

absl::Status CsvRejected(absl::string_view message, absl::string_view hint,
                         const CsvOptions& options) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = std::string(hint),
                    .in_force = DescribeCsvOptions(options)});
}

std::vector<std::string> CsvOptions::DefaultMissingMarkers() {
  return {"?", "NA", "N/A", "NaN", "nan", "null", "NULL"};
}

CsvReader::CsvReader(const CsvOptions& options)
    : options_(options),
      delimiter_(options.delimiter == CsvOptions::kDetectCharacter ? ',' : options.delimiter),
      quote_(QuoteCharacter(options.quote)),
      comment_(options.comment == CsvOptions::kDetectCharacter ? CsvOptions::kNoComment
                                                               : options.comment),
      runs_(options.delimiter == ' '),
      buffer_(kPadding, '\0'),
      specials_(1 + kWindowBytes + kBlockBytes),
      line_feeds_(kWindowBytes) {
  specials_[0] = ~uint32_t{0};
}

void CsvReader::Append(absl::string_view bytes) {
  const size_t shift = record_begin_;
  const char* const old_data = buffer_.data() + shift;
  std::vector<size_t> begins;  // of the fields of a record in two chunks
  for (const absl::string_view field : fields_) begins.push_back(field.data() - old_data);
  buffer_.resize(size_);
  buffer_.erase(0, shift);
  buffer_.append(bytes.data(), bytes.size());
  size_ = buffer_.size();
  buffer_.append(kPadding, '\0');
  for (size_t i = 0; i < fields_.size(); ++i) {
    fields_[i] = absl::string_view(buffer_).substr(begins[i], fields_[i].size());
  }
  dropped_ += static_cast<int64_t>(shift);
  indexed_ -= std::min(shift, indexed_);
  not_ascii_until_ -= std::min(shift, not_ascii_until_);
  window_begin_ -= static_cast<int64_t>(shift);
  record_begin_ = 0;
  field_begin_ -= shift;
  scanned_ -= std::min(shift, scanned_);
  close_ -= std::min(shift, close_);
}

void CsvReader::FinishInput() { finished_ = true; }

absl::StatusOr<bool> CsvReader::Next(CsvRecord* record) {
  TY_RETURN_IF_ERROR(status_);
  if (at_start_ && !SkipByteOrderMark()) return false;
  while (true) {
    const absl::StatusOr<Scan> scan = ScanRecord();
    status_ = scan.status();
    TY_RETURN_IF_ERROR(status_);
    if (*scan == Scan::kNeedsBytes) return false;
    const bool blank = RecordIsBlank();
    if (!blank) GiveRecord(record);
    GoToNextRecord();
    if (!blank) return true;
  }
}

// Whether a record starts that is in the last window from its first byte, after the one before it.
bool CsvReader::AtPlainRecord() {
  if (at_start_ || runs_ || !status_.ok() || state_ != State::kRecordStart) return false;
  if (record_begin_ < CellRun::kPaddingBefore || PeekSpecial() == size_) return false;
  if (!window_plain_ || window_begin_ < 0) return false;
  const int64_t before = next_special_ > 0 ? int64_t{specials()[next_special_ - 1]} : -1;
  return window_begin_ + before + 1 == static_cast<int64_t>(record_begin_);
}

CsvPlainRecords CsvReader::PeekPlain(size_t field_count, size_t count_max) {
  if (!AtPlainRecord()) return {};
  while (next_line_feed_ < line_feed_count_ && line_feeds_[next_line_feed_] < next_special_)
    ++next_line_feed_;
  const char* const data = buffer_.data() + window_begin_;
  const uint32_t* const ends = specials() + next_special_;
  const uint32_t* const line_feeds = line_feeds_.data() + next_line_feed_;
  const size_t line_feed_count = std::min(count_max, line_feed_count_ - next_line_feed_);
  size_t count = 0;
  for (size_t begin = next_special_; count < line_feed_count; ++count, begin += field_count) {
    if (line_feeds[count] != begin + field_count - 1) break;
    const char first = data[specials()[static_cast<ptrdiff_t>(begin) - 1] + 1];
    if (first == comment_) break;
  }
  return {.fields = {data, ends, count * field_count}, .count = count, .line = line_};
}

void CsvReader::TakePlain(size_t field_count, size_t count) {
  if (count == 0) return;
  next_special_ += field_count * count;
  scanned_ = SpecialAt(next_special_ - 1) + 1;
  line_ += static_cast<int64_t>(count) - 1;
  GoToNextRecord();
}

absl::StatusOr<CsvReader::Scan> CsvReader::ScanRecord() {
  while (true) {
    absl::StatusOr<Scan> scan = Scan::kGoOn;
    switch (state_) {
      case State::kRecordStart:
        scan = StartRecord();
        break;
      case State::kComment:
        scan = SkipComment();
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
  }
}

CsvReader::Scan CsvReader::StartRecord() {
  if (record_begin_ == size_) return Scan::kNeedsBytes;
  const char first = buffer_[record_begin_];
  const bool comment = first == comment_ && comment_ != CsvOptions::kNoComment;
  state_ = comment ? State::kComment : State::kUnquoted;
  return Scan::kGoOn;
}

absl::StatusOr<CsvReader::Scan> CsvReader::SkipComment() {
  while (true) {
    const size_t end = PeekSpecial();
    if (end - record_begin_ > static_cast<size_t>(limits::kRecordBytesMax))
      return TooLarge("more bytes than", limits::kRecordBytesMax);
    if (end == size_ && !finished_) return Scan::kNeedsBytes;
    scanned_ = std::min(end + 1, size_);
    if (end == size_) return Scan::kRecordEnd;
    ++next_special_;
    if (buffer_[end] == '\0') return Rejected(end, "NUL byte", "");
    if (buffer_[end] == '\n') return Scan::kRecordEnd;
  }
}

// The hot loop, in which nothing is checked that can be known before it.
void CsvReader::PushPlainFields() {
  if (runs_ || next_special_ == special_count_) return;
  const size_t last = SpecialAt(special_count_ - 1);
  const bool fits =
      last - record_begin_ < static_cast<size_t>(limits::kFieldBytesMax) &&
      fields_.size() + special_count_ <= static_cast<size_t>(limits::kDatasetColumnsMax);
  if (!fits) return;
  const char* const data = buffer_.data();
  const uint32_t* const specials = this->specials();
  const int64_t window_begin = window_begin_;
  const size_t count = special_count_;
  const char delimiter = delimiter_;
  const char* begin = data + field_begin_;
  size_t next = next_special_;
  for (; next < count; ++next) {
    const char* const end = data + (window_begin + int64_t{specials[next]});
    if (*end != delimiter) break;
    fields_.emplace_back(begin, static_cast<size_t>(end - begin));
    begin = end + 1;
  }
  if (next == next_special_) return;
  next_special_ = next;
  field_begin_ = static_cast<size_t>(begin - data);
  has_text_ = false;
}

// Goes through all unquoted fields in a row.
absl::StatusOr<CsvReader::Scan> CsvReader::ScanUnquoted() {
  const char* const data = buffer_.data();
  while (true) {
    PushPlainFields();
    const size_t end = PeekSpecial();
    if (end - field_begin_ > static_cast<size_t>(limits::kFieldBytesMax))
      return TooLarge("a field of more bytes than", limits::kFieldBytesMax);
    if (end == size_) return finished_ ? EndRecord(end) : Scan::kNeedsBytes;
    ++next_special_;
    const char special = data[end];
    if (special == delimiter_) [[likely]] {
      if (!PushUnquoted(end)) return RecordTooLarge();
      field_begin_ = end + 1;
      continue;
    }
    if (special == '\n') return EndRecord(end);
    if (special == '\0') return Rejected(end, "NUL byte", "");
    // A quote. Only the first one of a field can open it.
    if (has_text_ || !AllBlank(field_begin_, end)) {
      has_text_ = true;
      continue;
    }
    state_ = State::kQuoted;
    any_quoted_ = true;
    field_begin_ = end + 1;
    field_line_breaks_ = line_breaks_;
    return Scan::kGoOn;
  }
}

absl::StatusOr<CsvReader::Scan> CsvReader::ScanQuoted() {
  while (true) {
    const size_t end = PeekSpecial();
    if (end - field_begin_ > static_cast<size_t>(limits::kFieldBytesMax))
      return TooLarge("a field of more bytes than", limits::kFieldBytesMax);
    if (end == size_ && !finished_) return Scan::kNeedsBytes;
    if (end == size_) {
      line_breaks_ = field_line_breaks_;
      return Rejected(field_begin_ - 1, "quote left open",
                      "close the quote, and double the quotes inside a quoted field");
    }
    ++next_special_;
    const char special = buffer_[end];
    if (special == '\0') return Rejected(end, "NUL byte", "");
    if (special == '\n') ++line_breaks_;
    if (special != quote_) continue;
    close_ = end;
    scanned_ = end + 1;
    state_ = State::kAfterQuote;
    return Scan::kGoOn;
  }
}

// close_ is a quote inside a quoted field: half of a doubled one, or the closing one.
absl::StatusOr<CsvReader::Scan> CsvReader::ScanAfterQuote() {
  while (scanned_ < size_ && IsBlank(buffer_[scanned_])) ++scanned_;
  if (scanned_ - record_begin_ > static_cast<size_t>(limits::kRecordBytesMax))
    return RecordTooLarge();
  if (scanned_ == size_) return finished_ ? EndRecord(size_) : Scan::kNeedsBytes;
  const char next = buffer_[scanned_];
  if (next == quote_ && scanned_ == close_ + 1) {
    TakeSpecial();
    if (doubled_.empty() || doubled_.back() != fields_.size()) doubled_.push_back(fields_.size());
    state_ = State::kQuoted;
    return Scan::kGoOn;
  }
  if (next == delimiter_) {
    TakeSpecial();
    if (!PushField(close_)) return RecordTooLarge();
    field_begin_ = scanned_ + 1;
    state_ = State::kUnquoted;
    return Scan::kGoOn;
  }
  const size_t line_end = next == '\r' ? scanned_ + 1 : scanned_;
  if (line_end == size_) return finished_ ? EndRecord(size_) : Scan::kNeedsBytes;
  if (buffer_[line_end] == '\n') {
    TakeSpecial();
    return EndRecord(line_end);
  }
  return Rejected(scanned_, "text after a closing quote",
                  "double the quotes inside a quoted field, and put nothing between its closing "
                  "quote and the delimiter");
}

// `end` is the line feed or the end of the input.
absl::StatusOr<CsvReader::Scan> CsvReader::EndRecord(size_t end) {
  const bool carriage_return = end > field_begin_ && buffer_[end - 1] == '\r';
  const bool fits = state_ == State::kAfterQuote ? PushField(close_)
                                                 : PushUnquoted(end - (carriage_return ? 1 : 0));
  if (!fits) return RecordTooLarge();
  scanned_ = std::min(end + 1, size_);
  return Scan::kRecordEnd;
}

size_t CsvReader::IndexMore() {
  next_special_ = 0;
  special_count_ = 0;
  next_line_feed_ = 0;
  line_feed_count_ = 0;
  while (special_count_ == 0 && indexed_ < size_) {
    const size_t size = std::min(kWindowBytes, size_ - indexed_);
    SpecialIndex index{specials_.data() + 1, line_feeds_.data()};
    IndexSpecials(buffer_.data() + indexed_, size, delimiter_, quote_, &index);
    window_begin_ = static_cast<int64_t>(indexed_);
    special_count_ = index.count;
    line_feed_count_ = index.line_feed_count;
    window_plain_ = index.plain;
    indexed_ += size;
    if (!index.ascii) not_ascii_until_ = indexed_;
  }
  return special_count_ == 0 ? size_ : SpecialAt(0);
}

bool CsvReader::SkipByteOrderMark() {
  const absl::string_view start =
      absl::string_view(buffer_).substr(0, std::min(size_, kByteOrderMark.size()));
  if (start == kByteOrderMark) {
    record_begin_ = kByteOrderMark.size();
    field_begin_ = record_begin_;
    indexed_ = record_begin_;
  } else if (!finished_ && kByteOrderMark.substr(0, start.size()) == start) {
    return false;
  }
  at_start_ = false;
  return true;
}

bool CsvReader::AllBlank(size_t begin, size_t end) const {
  while (begin < end && IsBlank(buffer_[begin])) ++begin;
  return begin == end;
}

// A comment has no fields.
bool CsvReader::RecordIsBlank() const {
  if (fields_.empty()) return true;
  if (fields_.size() > 1 || any_quoted_) return false;
  const size_t begin = fields_[0].data() - buffer_.data();
  return AllBlank(begin, begin + fields_[0].size());
}

bool CsvReader::PushUnquoted(size_t end) {
  if (!runs_ || end > field_begin_) return PushField(end);
  return end - record_begin_ < static_cast<size_t>(limits::kRecordBytesMax);
}

bool CsvReader::PushField(size_t end) {
  const bool fits = fields_.size() < static_cast<size_t>(limits::kDatasetColumnsMax) &&
                    end - record_begin_ < static_cast<size_t>(limits::kRecordBytesMax);
  if (fits) fields_.emplace_back(buffer_.data() + field_begin_, end - field_begin_);
  has_text_ = false;
  return fits;
}

void CsvReader::GiveRecord(CsvRecord* record) {
  for (const size_t i : doubled_) UnquoteDoubled(&fields_[i]);
  record->line = line_;
  record->byte_offset = dropped_ + static_cast<int64_t>(record_begin_);
  record->is_ascii = record_begin_ >= not_ascii_until_;
  record->fields.swap(fields_);
}

void CsvReader::GoToNextRecord() {
  record_begin_ = scanned_;
  field_begin_ = scanned_;
  line_ += line_breaks_ + 1;
  line_breaks_ = 0;
  state_ = State::kRecordStart;
  any_quoted_ = false;
  has_text_ = false;
  fields_.clear();
  doubled_.clear();
}

// In place: the text only becomes shorter, and nobody reads it again.
void CsvReader::UnquoteDoubled(absl::string_view* field) {
  char* const begin = buffer_.data() + (field->data() - buffer_.data());
  char* out = begin;
  for (size_t i = 0; i < field->size(); ++i) {
    *out++ = begin[i];
    if (begin[i] == quote_) ++i;  // the second of the pair
  }
  *field = absl::string_view(begin, static_cast<size_t>(out - begin));
}

absl::Status CsvReader::RecordTooLarge() const {
  if (fields_.size() == static_cast<size_t>(limits::kDatasetColumnsMax))
    return TooLarge("more fields than", limits::kDatasetColumnsMax);
  return TooLarge("more bytes than", limits::kRecordBytesMax);
}

absl::Status CsvReader::Rejected(size_t position, absl::string_view what,
                                 absl::string_view hint) const {
  const int64_t byte = dropped_ + static_cast<int64_t>(position);
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
  const int64_t byte = dropped_ + static_cast<int64_t>(record_begin_);
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("line ", line_, " (byte ", byte,
                                "): the record that starts here has ", what, " ", limit),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "look for a quote that is never closed and for the right delimiter",
                    .in_force = DescribeCsvOptions(options_),
                    .metadata = {{"line", absl::StrCat(line_)}, {"byte", absl::StrCat(byte)}}});
}

}  // namespace trainyard
