#include "core/data/csv_dialect.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/csv_header.h"
#include "core/data/number.h"
#include "core/data/utf8.h"

namespace trainyard {
namespace {

using DecimalMark = CsvOptions::DecimalMark;
using Quote = CsvOptions::Quote;

constexpr absl::string_view kInsideText = ",;\t|";      // a space in a text says nothing
constexpr absl::string_view kOneColumnComments = "#%";  // the others begin texts, too

struct Sample {
  absl::string_view head;
  bool is_whole = false;
};

// Gives each record of the sample to `on_record`, until it returns false. A record that the sample
// cuts off is left out. False: the reader met an error.
template <typename OnRecord>
bool ForEachRecord(const Sample& sample, const CsvOptions& options, OnRecord on_record) {
  CsvReader reader(options);
  reader.Append(sample.head);
  if (sample.is_whole) reader.FinishInput();
  CsvRecord record;
  absl::StatusOr<bool> more = reader.Next(&record);
  for (; more.ok() && *more; more = reader.Next(&record)) {
    if (!on_record(record)) return true;
  }
  return more.ok();
}

// Cells by the quotes of one kind at their ends.
struct QuoteCounts {
  int64_t both = 0;
  int64_t first_only = 0;
  int64_t last_only = 0;

  void Observe(absl::string_view cell, char quote) {
    const bool first = cell.front() == quote;
    const bool last = cell.back() == quote && cell.size() > 1;
    if (first && last) ++both;
    if (first && !last) ++first_only;
    if (!first && last) ++last_only;
  }
};

struct ColumnCounts {
  int64_t cells = 0;  // that are not empty
  int64_t numbers = 0;
  QuoteCounts single_quotes;
};

// What a way to split the sample makes of it.
class Tally {
 public:
  Tally(const Sample& sample, const CsvOptions& options) : options_(options) {
    const bool ok = ForEachRecord(sample, options, [this](const CsvRecord& record) {
      Observe(record);
      return true;
    });
    broken_ = ok ? 0 : 1;
  }

  const CsvOptions& options() const { return options_; }
  bool ok() const { return broken_ == 0; }
  int64_t first_line() const { return first_line_; }
  int64_t first_fields() const { return first_fields_; }
  const QuoteCounts& double_quotes() const { return double_quotes_; }
  bool comma_is_decimal_mark() const { return comma_numbers_ > point_numbers_; }

  double Score() const { return cells_ == 0 ? 0 : Share() * worth_ / static_cast<double>(cells_); }

  bool InQuestion() const {
    const bool splits = first_fields_ > 1 || split_records_ * 2 > records_;
    if (options_.delimiter != ' ' || !splits) return splits;
    return Share() >= 0.9 && HasColumnOfNumbers();
  }

  bool HasColumnOfNumbers() const {
    return std::any_of(columns_.begin(), columns_.end(), [](const ColumnCounts& c) {
      return c.numbers > 0 && c.numbers * 10 >= c.cells * 9;
    });
  }

  // Of a tally without quotes: whether a column is written in single quotes.
  bool HasSingleQuotedColumn() const {
    return std::any_of(columns_.begin(), columns_.end(), [](const ColumnCounts& c) {
      return c.single_quotes.both > 0 && c.single_quotes.both * 2 >= c.cells;
    });
  }

 private:
  // Of records with the most frequent number of fields above 1.
  double Share() const {
    int64_t most = 0;
    for (const auto& [fields, count] : records_by_fields_) most = std::max(most, count);
    return static_cast<double>(most) /
           static_cast<double>(std::max<int64_t>(1, records_ + broken_));
  }

  void Observe(const CsvRecord& record) {
    const auto fields = static_cast<int64_t>(record.fields.size());
    if (records_ == 0) {
      first_line_ = record.line;
      first_fields_ = fields;
    }
    ++records_;
    if (fields > 1) {
      ++split_records_;
      ++records_by_fields_[fields];
    }
    if (columns_.size() < record.fields.size()) columns_.resize(record.fields.size());
    for (size_t i = 0; i < record.fields.size(); ++i) {
      ObserveCell(TrimCell(record.fields[i]), &columns_[i]);
    }
  }

  void ObserveCell(absl::string_view cell, ColumnCounts* column) {
    ++cells_;
    if (cell.empty()) {
      worth_ += 0.5;
      return;
    }
    ++column->cells;
    column->single_quotes.Observe(cell, '\'');
    double_quotes_.Observe(cell, '"');
    if (ObserveNumber(cell)) {
      ++column->numbers;
      worth_ += 1;
    } else {
      worth_ += cell.find_first_of(kInsideText) == absl::string_view::npos ? 0.5 : 0.25;
    }
  }

  bool ObserveNumber(absl::string_view cell) {
    const bool has_comma = cell.find(',') != absl::string_view::npos;
    if (options_.decimal_mark != DecimalMark::kComma && !has_comma && ParseNumber(cell, '.')) {
      if (cell.find('.') != absl::string_view::npos) ++point_numbers_;
      return true;
    }
    if (options_.decimal_mark == DecimalMark::kPoint || !ParseNumber(cell, ',')) return false;
    if (has_comma) ++comma_numbers_;
    return true;
  }

  CsvOptions options_;
  int64_t broken_ = 0;  // 1: a record that could not be read ended it
  int64_t records_ = 0;
  int64_t split_records_ = 0;  // of more than one field
  int64_t first_line_ = 0;
  int64_t first_fields_ = 0;
  std::map<int64_t, int64_t> records_by_fields_;  // of more than one field
  std::vector<ColumnCounts> columns_;
  QuoteCounts double_quotes_;
  int64_t point_numbers_ = 0;
  int64_t comma_numbers_ = 0;
  int64_t cells_ = 0;
  double worth_ = 0;
};

bool Has(const Sample& sample, char c) { return sample.head.find(c) != absl::string_view::npos; }

Tally TallyWith(const Sample& sample, CsvOptions options, Quote quote) {
  options.quote = quote;
  return Tally(sample, options);
}

// Double quotes open more cells than they close, so that they are just characters.
bool QuotesAreCharacters(const QuoteCounts& quotes) {
  const int64_t open = quotes.first_only - quotes.last_only;
  return open >= 2 && open > quotes.both;
}

// The sample split by options.delimiter, with the quote that goes best with it.
Tally BestQuote(const Sample& sample, const CsvOptions& options) {
  if (options.quote != Quote::kDetect) return Tally(sample, options);
  Tally with_double = TallyWith(sample, options, Quote::kDouble);
  const bool any_single = Has(sample, '\'');
  if (!any_single && with_double.ok()) return with_double;
  Tally without = TallyWith(sample, options, Quote::kNone);
  if (!with_double.ok()) {
    const bool none = without.ok() && QuotesAreCharacters(without.double_quotes());
    return none ? without : with_double;
  }
  Tally with_single = TallyWith(sample, options, Quote::kSingle);
  const bool single = with_single.ok() && (with_single.Score() > with_double.Score() ||
                                           without.HasSingleQuotedColumn());
  return single ? with_single : with_double;
}

// Of a file of one column: any that it does not have.
char UnusedDelimiter(const Sample& sample) {
  for (const char delimiter : kInsideText) {
    if (!Has(sample, delimiter)) return delimiter;
  }
  return ',';
}

// Of a file whose first record is longer than the sample, or no CSV at all: the most frequent one.
char FrequentDelimiter(const Sample& sample) {
  char best = ',';
  int64_t most = 0;
  for (const char delimiter : kInsideText) {
    const int64_t count = std::count(sample.head.begin(), sample.head.end(), delimiter);
    if (count > most) best = delimiter;
    most = std::max(most, count);
  }
  return best;
}

bool MayDelimit(char delimiter, const CsvOptions& options) {
  if (delimiter == options.comment) return false;
  return delimiter != ',' || options.decimal_mark != DecimalMark::kComma;
}

// The sample split in the best way; options.comment is given.
Tally BestSplit(const Sample& sample, CsvOptions options) {
  if (options.delimiter != CsvOptions::kDetectCharacter) return BestQuote(sample, options);
  std::optional<Tally> best;
  bool any_record = false;
  for (const char delimiter : CsvOptions::kDelimiters) {
    if (!MayDelimit(delimiter, options) || !Has(sample, delimiter)) continue;
    options.delimiter = delimiter;
    Tally tally = BestQuote(sample, options);
    any_record = any_record || tally.first_fields() > 0;
    if (!tally.InQuestion()) continue;
    if (!best.has_value() || tally.Score() > best->Score()) best = std::move(tally);
  }
  if (best.has_value()) return *std::move(best);
  options.delimiter = any_record ? UnusedDelimiter(sample) : FrequentDelimiter(sample);
  return BestQuote(sample, options);
}

// The lines at the start that begin with `comment`.
absl::string_view LeadingLines(absl::string_view head, char comment) {
  size_t end = 0;
  while (end < head.size() && head[end] == comment) {
    const size_t line_feed = head.find('\n', end);
    if (line_feed == absl::string_view::npos) return head;
    end = line_feed + 1;
  }
  return head.substr(0, end);
}

// Whether `lines`, which begin with a comment character, are no records like those of `rest`.
bool AreComments(absl::string_view lines, const Tally& rest) {
  const int64_t fields = rest.first_fields();
  if (fields == 0) return false;  // nothing but such lines
  CsvOptions options = rest.options();
  const char comment = options.comment;
  options.comment = CsvOptions::kNoComment;
  int64_t count = 0;
  bool different = false;
  const bool ok = ForEachRecord({lines, true}, options, [&](const CsvRecord& record) {
    ++count;
    different = different || static_cast<int64_t>(record.fields.size()) != fields;
    return true;
  });
  const bool one_column =
      fields == 1 && count > 1 && kOneColumnComments.find(comment) != absl::string_view::npos;
  return !ok || different || one_column;
}

Tally BestDialect(const Sample& sample, CsvOptions options) {
  if (options.comment != CsvOptions::kDetectCharacter) return BestSplit(sample, options);
  const char first = sample.head.empty() ? '\n' : sample.head.front();
  const bool may_be_comment =
      CsvOptions::kComments.find(first) != absl::string_view::npos && first != options.delimiter;
  if (may_be_comment) {
    options.comment = first;
    Tally tally = BestSplit(sample, options);
    if (AreComments(LeadingLines(sample.head, first), tally)) return tally;
  }
  options.comment = CsvOptions::kNoComment;
  return BestSplit(sample, options);
}

// Whether a cell of the first record comes again in its column.
bool AnyNameComesAgain(const Sample& sample, const CsvOptions& options) {
  std::vector<std::string> names;
  bool again = false;
  ForEachRecord(sample, options, [&](const CsvRecord& record) {
    const size_t known = std::min(names.size(), record.fields.size());
    for (size_t i = 0; i < known && !again; ++i) again = names[i] == TrimCell(record.fields[i]);
    if (!names.empty()) return !again;
    for (const absl::string_view field : record.fields) names.emplace_back(TrimCell(field));
    return true;
  });
  return again;
}

// Still to detect when the sample has no whole record.
CsvOptions::Header DetectHeader(const Sample& sample, const Tally& tally,
                                const CsvOptions& options) {
  if (tally.first_fields() == 0) return CsvOptions::Header::kDetect;
  bool header = false;
  ForEachRecord(sample, options, [&](const CsvRecord& first) {
    header = HasHeader(first, options);
    return false;
  });
  if (header && !tally.HasColumnOfNumbers()) header = !AnyNameComesAgain(sample, options);
  return header ? CsvOptions::Header::kPresent : CsvOptions::Header::kAbsent;
}

// A delimiter that was given and splits nothing, while another one would.
absl::Status CheckSplits(const Sample& sample, const Tally& tally, const CsvOptions& options) {
  if (options.delimiter == CsvOptions::kDetectCharacter || tally.first_fields() != 1)
    return absl::OkStatus();
  CsvOptions free = tally.options();
  free.delimiter = CsvOptions::kDetectCharacter;
  const Tally other = BestSplit(sample, free);
  if (other.first_fields() < 2) return absl::OkStatus();
  return CsvRejected(absl::StrCat("line ", tally.first_line(), ": there is only one column"),
                     absl::StrCat("the line has ", other.first_fields() - 1, " times ",
                                  DelimiterName(other.options().delimiter),
                                  ": set csv.delimiter to it, or leave it out"),
                     tally.options());
}

absl::Status CheckLineEnds(const Sample& sample, const CsvOptions& options) {
  const size_t first = sample.head.find('\r');
  const bool ends_a_line = first != absl::string_view::npos && first + 1 < sample.head.size();
  if (!ends_a_line || Has(sample, '\n')) return absl::OkStatus();
  return CsvRejected("the file has no line feeds",
                     "end the lines with LF or CRLF, not with CR alone", options);
}

}  // namespace

absl::StatusOr<CsvOptions> DetectCsvOptions(absl::string_view head, bool is_whole,
                                            const CsvOptions& options) {
  TY_RETURN_IF_ERROR(CheckCsvOptions(options));
  if (head.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    head.remove_prefix(kByteOrderMark.size());
  const size_t nul = head.find('\0');  // the reader tells of it
  const Sample sample{head.substr(0, nul), is_whole && nul == absl::string_view::npos};
  const Tally tally = BestDialect(sample, options);
  CsvOptions used = tally.options();
  if (used.quote == Quote::kDetect) used.quote = Quote::kDouble;
  if (used.decimal_mark == DecimalMark::kDetect) {
    const bool comma = used.delimiter != ',' && tally.comma_is_decimal_mark();
    used.decimal_mark = comma ? DecimalMark::kComma : DecimalMark::kPoint;
  }
  if (nul == absl::string_view::npos) {
    TY_RETURN_IF_ERROR(CheckLineEnds(sample, used));
    TY_RETURN_IF_ERROR(CheckSplits(sample, tally, options));
  }
  if (used.header == CsvOptions::Header::kDetect) used.header = DetectHeader(sample, tally, used);
  return used;
}

void DetectingCsvReader::Append(absl::string_view bytes) {
  if (reader_.has_value()) {
    reader_->Append(bytes);
  } else {
    head_.append(bytes.data(), bytes.size());
  }
}

void DetectingCsvReader::FinishInput() {
  finished_ = true;
  if (reader_.has_value()) reader_->FinishInput();
}

absl::StatusOr<bool> DetectingCsvReader::Next(CsvRecord* record) {
  TY_RETURN_IF_ERROR(status_);
  if (reader_.has_value()) return reader_->Next(record);
  if (head_.size() < kCsvHeadBytes && !finished_) return false;
  const absl::string_view head = absl::string_view(head_).substr(0, kCsvHeadBytes);
  absl::StatusOr<CsvOptions> used = DetectCsvOptions(head, head_.size() < kCsvHeadBytes, options_);
  status_ = used.status();
  TY_RETURN_IF_ERROR(status_);
  options_ = *std::move(used);
  reader_.emplace(options_);
  reader_->Append(head_);
  if (finished_) reader_->FinishInput();
  head_ = std::string();
  return reader_->Next(record);
}

}  // namespace trainyard
