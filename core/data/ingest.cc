#include "core/data/ingest.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/csv_header.h"
#include "core/data/number.h"
#include "core/data/table_builder.h"
#include "core/data/utf8.h"

namespace trainyard {
namespace {

constexpr size_t kSourceChunkBytes = size_t{1} << 20;
constexpr size_t kActualBytesMax = 100;
constexpr size_t kRejectsInMessageMax = 3;

absl::Status TableRejected(absl::string_view message, absl::string_view hint,
                           const CsvOptions& options) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = std::string(hint),
                    .in_force = DescribeCsvOptions(options)});
}

absl::Status TableTooLarge(absl::string_view what, int64_t limit, const CsvOptions& options) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the table has more than ", limit, " ", what),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = absl::StrCat("upload a part of it, of at most ", limit, " ", what),
                    .in_force = DescribeCsvOptions(options)});
}

// Calls `on_record` for each record of the source from its start, until it returns an error.
template <typename OnRecord>
absl::Status ForEachRecord(ByteSource& source, const CsvOptions& options, OnRecord on_record) {
  TY_RETURN_IF_ERROR(source.Rewind());
  CsvReader reader(options);
  CsvRecord record;
  bool ended = false;
  while (!ended) {
    TY_ASSIGN_OR_RETURN(const absl::string_view bytes, source.Next());
    ended = bytes.empty();
    if (ended) reader.FinishInput();
    reader.Append(bytes);
    absl::StatusOr<bool> more = reader.Next(&record);
    for (; more.ok() && *more; more = reader.Next(&record)) TY_RETURN_IF_ERROR(on_record(record));
    TY_RETURN_IF_ERROR(more.status());
  }
  return absl::OkStatus();
}

// The first pass: header, names, types.
class Inference {
 public:
  explicit Inference(const CsvOptions& options) : options_(options) {}

  absl::Status Observe(const CsvRecord& record) {
    if (columns_.empty()) {
      TY_RETURN_IF_ERROR(ObserveFirst(record));
      if (options_.header == CsvOptions::Header::kPresent) return absl::OkStatus();
    }
    ++records_;
    if (record.fields.size() != columns_.size())
      return absl::OkStatus();  // the second pass lists it
    for (size_t i = 0; i < columns_.size(); ++i) TY_RETURN_IF_ERROR(ObserveCell(record, i));
    return CheckSize();
  }

  // After all records. Errors: DATASET_REJECTED when there were none.
  absl::Status CheckAnyRows() const {
    if (columns_.empty()) {
      return TableRejected("the file has no records: it is empty",
                           "upload a CSV file with at least one row", options_);
    }
    if (records_ > 0) return absl::OkStatus();
    return TableRejected("the file has a header and no rows",
                         "add rows, or set csv.header to ABSENT if the first line is data",
                         options_);
  }

  std::vector<TableBuilder::ColumnPlan> Plans() const {
    std::vector<TableBuilder::ColumnPlan> plans;
    for (const Counts& c : columns_) {
      const bool numeric = c.numbers * 10 >= (c.numbers + c.texts) * 9;
      plans.push_back({c.name, numeric ? ColumnType::kNumeric : ColumnType::kText});
    }
    return plans;
  }

  int64_t records() const { return records_; }
  const CsvOptions& options() const { return options_; }
  int64_t first_line() const { return first_line_; }

 private:
  struct Counts {
    std::string name;
    int64_t numbers = 0;
    int64_t texts = 0;
  };

  absl::Status ObserveFirst(const CsvRecord& first) {
    first_line_ = first.line;
    const bool has_header = HasHeader(first, options_);
    options_.header = has_header ? CsvOptions::Header::kPresent : CsvOptions::Header::kAbsent;
    if (first.fields.size() == 1) return OneColumn(first);
    std::vector<std::string> names = DefaultNames(first.fields.size());
    if (has_header) {
      TY_ASSIGN_OR_RETURN(names, HeaderNames(first, options_));
    }
    for (std::string& name : names) columns_.push_back({.name = std::move(name)});
    return absl::OkStatus();
  }

  absl::Status OneColumn(const CsvRecord& first) const {
    const absl::string_view field = first.fields[0];
    std::string hint = "separate the cells with one of , ; tab | and set csv.delimiter to it";
    for (const char other : {',', ';', '\t', '|'}) {
      const auto count = std::count(field.begin(), field.end(), other);
      if (other == options_.delimiter || count == 0) continue;
      const std::string name = other == '\t' ? "tab" : std::string(1, other);
      hint = absl::StrCat("the line has ", count, " times ", name, ": set csv.delimiter to it");
    }
    if (field.find('\r') != absl::string_view::npos)
      hint = "end the lines with LF or CRLF, not with CR alone";
    return TableRejected(absl::StrCat("line ", first.line, ": there is only one column"), hint,
                         options_);
  }

  absl::Status ObserveCell(const CsvRecord& record, size_t index) {
    const absl::string_view cell = TrimCell(record.fields[index]);
    if (cell.empty()) return absl::OkStatus();
    Counts& counts = columns_[index];
    if (ParseNumber(cell).has_value()) {
      ++counts.numbers;
      return absl::OkStatus();
    }
    ++counts.texts;
    if (IsUtf8(cell)) return absl::OkStatus();
    return TableRejected(
        absl::StrCat("line ", record.line, ", column \"", counts.name, "\": the text is not UTF-8"),
        "convert the file to UTF-8, for example with `iconv -f LATIN1 -t UTF-8`", options_);
  }

  absl::Status CheckSize() const {
    if (records_ > limits::kDatasetRowsMax)
      return TableTooLarge("rows", limits::kDatasetRowsMax, options_);
    const int64_t cells = records_ * static_cast<int64_t>(columns_.size());
    if (cells > limits::kDatasetCellsMax)
      return TableTooLarge("cells", limits::kDatasetCellsMax, options_);
    return absl::OkStatus();
  }

  CsvOptions options_;
  std::vector<Counts> columns_;
  int64_t records_ = 0;  // without the header
  int64_t first_line_ = 0;
};

// Bad rows as they are met: all are counted, the first are kept.
struct Rejects {
  int64_t row_count = 0;
  std::vector<RejectedCell> kept;

  void Add(std::vector<RejectedCell>* cells) {
    ++row_count;
    for (RejectedCell& cell : *cells) {
      if (kept.size() < static_cast<size_t>(limits::kRejectsKeptMax))
        kept.push_back(std::move(cell));
    }
    cells->clear();
  }
};

absl::Status TooManyBadRows(const Rejects& rejects, const CsvOptions& options,
                            bool header_may_be_data) {
  ErrorInfo info{.reason = ErrorReason::kDatasetRejected,
                 .hint = "mend the cells, or raise csv.bad_rows_max to drop such rows",
                 .in_force = DescribeCsvOptions(options)};
  if (header_may_be_data) {
    absl::StrAppend(
        &info.hint,
        "; if the first line is a header, set csv.header to PRESENT and give each column a "
        "name of its own");
  }
  std::string message =
      absl::StrCat(rejects.row_count, rejects.row_count == 1 ? " bad row" : " bad rows", ", ",
                   options.bad_rows_max, " allowed");
  for (const RejectedCell& cell : rejects.kept) {
    info.violations.push_back(ViolationOf(cell));
    if (info.violations.size() > kRejectsInMessageMax) continue;
    absl::StrAppend(&message, "; ", info.violations.back().field, ": ",
                    info.violations.back().description);
  }
  return MakeError(absl::StatusCode::kInvalidArgument, message, info);
}

std::string LineColumn(const RejectedCell& rejected) {
  if (rejected.column.empty()) return absl::StrCat("line ", rejected.line);
  return absl::StrCat("line ", rejected.line, ", column \"", rejected.column, "\"");
}

// The second pass.
absl::StatusOr<IngestResult> FillTable(ByteSource& source, const Inference& inference) {
  const CsvOptions& options = inference.options();
  TableBuilder builder(inference.Plans(), inference.records());
  Rejects rejects;
  std::vector<RejectedCell> bad_cells;
  bool is_header = options.header == CsvOptions::Header::kPresent;
  TY_RETURN_IF_ERROR(ForEachRecord(source, options, [&](const CsvRecord& record) -> absl::Status {
    if (is_header) {
      is_header = false;
      return absl::OkStatus();
    }
    TY_ASSIGN_OR_RETURN(const bool good, builder.AddRow(record, &bad_cells));
    if (!good) rejects.Add(&bad_cells);
    return absl::OkStatus();
  }));
  if (rejects.row_count > options.bad_rows_max) {
    const bool header_may_be_data = options.header == CsvOptions::Header::kAbsent &&
                                    rejects.kept.front().line == inference.first_line();
    return TooManyBadRows(rejects, options, header_may_be_data);
  }
  if (rejects.row_count == inference.records()) {
    return TableRejected(absl::StrCat("all ", rejects.row_count, " rows are bad"),
                         "lower csv.bad_rows_max to see what is wrong with them", options);
  }
  return IngestResult{std::move(builder).Finish(), options, rejects.row_count,
                      std::move(rejects.kept)};
}

}  // namespace

absl::Status StringSource::Rewind() {
  position_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> StringSource::Next() {
  const absl::string_view chunk = absl::string_view(bytes_).substr(position_, kSourceChunkBytes);
  position_ += chunk.size();
  return chunk;
}

RejectedCell NotANumber(const CsvRecord& record, absl::string_view column, absl::string_view cell) {
  return {record.line, std::string(column), record.byte_offset, "a number",
          std::string(Utf8Prefix(cell, kActualBytesMax))};
}

RejectedCell WrongFieldCount(const CsvRecord& record, size_t expected) {
  const size_t actual = record.fields.size();
  return {record.line, "", record.byte_offset, absl::StrCat(expected, " fields"),
          absl::StrCat(actual, actual == 1 ? " field" : " fields")};
}

FieldViolation ViolationOf(const RejectedCell& rejected) {
  return {LineColumn(rejected),
          absl::StrCat("expected ", rejected.expected, ", found ",
                       rejected.column.empty() ? rejected.actual
                                               : absl::StrCat("\"", rejected.actual, "\""))};
}

absl::StatusOr<IngestResult> ReadCsvTable(ByteSource& source, const CsvOptions& options) {
  TY_RETURN_IF_ERROR(CheckCsvOptions(options));
  Inference inference(options);
  TY_RETURN_IF_ERROR(ForEachRecord(
      source, options, [&](const CsvRecord& record) { return inference.Observe(record); }));
  TY_RETURN_IF_ERROR(inference.CheckAnyRows());
  return FillTable(source, inference);
}

}  // namespace trainyard
