#include "core/data/csv_ingest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/csv_dialect.h"
#include "core/data/csv_header.h"
#include "core/data/number.h"
#include "core/data/padded_number.h"
#include "core/data/plain_cells.h"
#include "core/data/utf8.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

constexpr size_t kRejectsInMessageMax = 3;
// Rejects that are held back until the types are certain; more of them take a pass of their own.
constexpr size_t kRejectsHeldMax = 10'000;
// What the reader is given at once, which it copies: small enough to be in the second-level cache
// until it has been parsed.
constexpr size_t kPieceBytes = size_t{64} << 10;
// Plain rows that are parsed before they go into their columns.
constexpr size_t kBlockRowsMax = 256;

absl::Status TableTooLarge(absl::string_view what, int64_t limit, const CsvOptions& options) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the table has more than ", limit, " ", what),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = absl::StrCat("upload a part of it, of at most ", limit, " ", what),
                    .in_force = DescribeCsvOptions(options)});
}

absl::Status SourceChanged() {
  return MakeError(absl::StatusCode::kInternal, "the file changed while it was read",
                   {.reason = ErrorReason::kInternal, .hint = "upload it again"});
}

absl::StatusOr<CsvOptions> DetectOptions(ByteSource& source, const CsvOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::string head, ReadHead(source, kCsvHeadBytes));
  const bool is_whole = head.size() < kCsvHeadBytes;
  return DetectCsvOptions(head, is_whole, options);
}

// The records of a source from its start.
class RecordStream {
 public:
  // REQUIRES: the source is rewound.
  RecordStream(ByteSource& source, const CsvOptions& options) : source_(source), reader_(options) {}

  // False: there are no more.
  absl::StatusOr<bool> Next(CsvRecord* record) {
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool more, reader_.Next(record));
      if (more || ended_) return more;
      TY_RETURN_IF_ERROR(Feed());
    }
  }
  CsvReader& reader() { return reader_; }

 private:
  absl::Status Feed() {
    if (chunk_.empty()) {
      TY_ASSIGN_OR_RETURN(chunk_, source_.Next());
      ended_ = chunk_.empty();
      if (ended_) reader_.FinishInput();
    }
    const absl::string_view piece = chunk_.substr(0, kPieceBytes);
    reader_.Append(piece);
    chunk_.remove_prefix(piece.size());
    return absl::OkStatus();
  }

  ByteSource& source_;
  CsvReader reader_;
  absl::string_view chunk_;  // what the reader has not got yet
  bool ended_ = false;
};

// What makes a cell missing, with the cheap questions first.
class MissingCells {
 public:
  explicit MissingCells(const CsvOptions& options)
      : markers_(options.missing_markers.begin(), options.missing_markers.end()) {
    for (const std::string& marker : options.missing_markers) {
      first_[static_cast<uint8_t>(marker[0])] = true;
      size_max_ = std::max(size_max_, marker.size());
      any_number_ = any_number_ || ParseNumber(marker, options.decimal_character()).has_value();
    }
  }

  bool Has(absl::string_view cell) const {
    if (cell.empty()) return true;
    return first_[static_cast<uint8_t>(cell[0])] && cell.size() <= size_max_ &&
           markers_.contains(cell);
  }
  // Whether a number can be a marker, so that it is not enough that a cell is a number.
  bool any_number() const { return any_number_; }

 private:
  absl::flat_hash_set<std::string> markers_;
  std::array<bool, 256> first_{};
  size_t size_max_ = 0;
  bool any_number_ = false;
};

// Parses the cells of `columns` from the one at `place` on, until one is no plain number, and gives
// its place, or the end. `numbers` are by place. A loop of its own, so that it is compiled for
// newer instructions too.
TY_MULTIVERSION size_t ParsePlainFields(const absl::string_view* fields,
                                        std::span<const size_t> columns, char decimal_mark,
                                        size_t place, double* numbers) {
  for (; place < columns.size(); ++place) {
    const absl::string_view cell = TrimCell(fields[columns[place]]);
    if (!ParsePlainNumber(cell, decimal_mark, &numbers[place])) break;
  }
  return place;
}

bool MayBeginNumber(char c) {
  return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == ',';
}

// Of the cells of a column in records of the right number of fields, missing ones left out.
struct CellCounts {
  int64_t numbers = 0;
  int64_t texts = 0;
  ColumnType type() const {
    return numbers * 10 >= (numbers + texts) * 9 ? ColumnType::kNumeric : ColumnType::kText;
  }
};

// What the whole of the reading knows.
struct Plan {
  CsvOptions csv;
  int64_t first_line = 0;  // of the first record
  std::vector<std::string> names;
  CsvIngestOptions::GivenTypes given;  // [names]
  std::vector<ColumnType> types;       // [names]
};

// Guesses names and types from the start of the file. Errors: no records, faulty names.
class Planner {
 public:
  explicit Planner(const CsvOptions& csv) : missing_(csv) { plan_.csv = csv; }

  absl::StatusOr<bool> Observe(const CsvRecord& record) {
    if (plan_.names.empty()) {
      TY_RETURN_IF_ERROR(ObserveFirst(record));
      if (plan_.csv.header == CsvOptions::Header::kPresent) return true;
    }
    const bool right = record.fields.size() == plan_.names.size();
    for (size_t i = 0; right && i < record.fields.size(); ++i) {
      Count(TrimCell(record.fields[i]), &counts_[i]);
    }
    return record.byte_offset < static_cast<int64_t>(kCsvHeadBytes);
  }

  absl::StatusOr<Plan> Finish(const CsvIngestOptions& options) && {
    if (plan_.names.empty()) {
      return CsvRejected("the file has no records: it is empty",
                         "upload a CSV file with at least one row", plan_.csv);
    }
    plan_.given.resize(plan_.names.size());
    if (options.give_types) {
      TY_ASSIGN_OR_RETURN(plan_.given, options.give_types(plan_.names));
    }
    for (size_t i = 0; i < counts_.size(); ++i) {
      plan_.types.push_back(plan_.given[i].value_or(counts_[i].type()));
    }
    return std::move(plan_);
  }

 private:
  absl::Status ObserveFirst(const CsvRecord& first) {
    plan_.first_line = first.line;
    const bool has_header = HasHeader(first, plan_.csv);
    plan_.csv.header = has_header ? CsvOptions::Header::kPresent : CsvOptions::Header::kAbsent;
    plan_.names = DefaultNames(first.fields.size());
    if (has_header) {
      TY_ASSIGN_OR_RETURN(plan_.names, HeaderNames(first, plan_.csv));
    }
    counts_.resize(plan_.names.size());
    return absl::OkStatus();
  }

  void Count(absl::string_view cell, CellCounts* counts) const {
    if (missing_.Has(cell)) return;
    const bool number = ParseNumber(cell, plan_.csv.decimal_character()).has_value();
    ++(number ? counts->numbers : counts->texts);
  }

  Plan plan_;
  const MissingCells missing_;
  std::vector<CellCounts> counts_;
};

absl::Status ObserveHead(ByteSource& source, const CsvOptions& csv, Planner* planner) {
  TY_RETURN_IF_ERROR(source.Rewind());
  RecordStream stream(source, csv);
  CsvRecord record;
  bool more = true;
  while (more) {
    TY_ASSIGN_OR_RETURN(more, stream.Next(&record));
    if (!more) break;
    TY_ASSIGN_OR_RETURN(more, planner->Observe(record));
  }
  return absl::OkStatus();
}

// Bad rows as they are met: all are counted, the first cells are kept.
class Rejects {
 public:
  // `report` may be empty; see CsvIngestOptions::on_rejected. `hold`: until Release.
  Rejects(const std::function<absl::Status(const RejectedCell&)>& report, bool hold)
      : report_(report), hold_(hold) {}

  void CountRow() { ++row_count_; }

  template <typename MakeCell>
  absl::Status Add(MakeCell make_cell) {
    ++cell_count_;
    const bool keep = kept_.size() < static_cast<size_t>(limits::kRejectsKeptMax);
    const bool report = report_ && cell_count_ <= limits::kBadRowsMax;
    const bool hold = report && hold_ && held_.size() < kRejectsHeldMax;
    if (!keep && !hold && !(report && !hold_)) return absl::OkStatus();
    const RejectedCell cell = make_cell();
    if (keep) kept_.push_back(cell);
    if (hold) held_.push_back(cell);
    return report && !hold_ ? report_(cell) : absl::OkStatus();
  }

  // Whether Release can report all that there is to report.
  bool HoldsAll() const {
    const auto count = static_cast<size_t>(std::min(cell_count_, limits::kBadRowsMax));
    return !report_ || !hold_ || held_.size() == count;
  }
  absl::Status Release() const {
    for (const RejectedCell& cell : held_) TY_RETURN_IF_ERROR(report_(cell));
    return absl::OkStatus();
  }

  int64_t row_count() const { return row_count_; }
  std::vector<RejectedCell>& kept() { return kept_; }

 private:
  const std::function<absl::Status(const RejectedCell&)>& report_;
  const bool hold_;
  int64_t row_count_ = 0;
  int64_t cell_count_ = 0;
  std::vector<RejectedCell> kept_;
  std::vector<RejectedCell> held_;
};

// One pass over the file with the types of `plan`, which must outlive it.
class Pass {
 public:
  // Without `writer`, rejects are all that it makes.
  Pass(const Plan& plan, TableWriter* writer, Rejects* rejects)
      : plan_(plan),
        missing_(plan.csv),
        decimal_mark_(plan.csv.decimal_character()),
        writer_(writer),
        rejects_(rejects),
        header_pending_(plan.csv.header == CsvOptions::Header::kPresent),
        counts_(plan.names.size()) {
    for (size_t i = 0; i < plan.types.size(); ++i) {
      (plan.types[i] == ColumnType::kNumeric ? numeric_ : text_).push_back(i);
    }
    numbers_.resize(numeric_.size());
  }

  absl::Status Run(ByteSource& source) {
    TY_RETURN_IF_ERROR(source.Rewind());
    RecordStream stream(source, plan_.csv);
    CsvRecord record;
    bool more = true;
    while (more) {
      if (PlainRowsHelp()) TY_RETURN_IF_ERROR(AddPlainRows(&stream.reader()));
      TY_ASSIGN_OR_RETURN(more, stream.Next(&record));
      if (more && !header_pending_) TY_RETURN_IF_ERROR(AddRow(record));
      header_pending_ = false;
    }
    return absl::OkStatus();
  }

  int64_t records() const { return records_; }
  // The first TOO_LARGE of the writer, after which there is no table with these types.
  const absl::Status& writer_status() const { return writer_status_; }

  // The types by all cells.
  std::vector<ColumnType> Types() const {
    std::vector<ColumnType> types;
    for (size_t i = 0; i < plan_.types.size(); ++i) {
      CellCounts counts = counts_[i];
      if (plan_.types[i] == ColumnType::kNumeric)
        counts.numbers = right_records_ - missing_counts_[i] - counts.texts;
      types.push_back(plan_.given[i].value_or(counts.type()));
    }
    return types;
  }

 private:
  absl::Status AddRow(const CsvRecord& record) {
    ++records_;
    TY_RETURN_IF_ERROR(CheckSize());
    if (record.fields.size() != plan_.names.size()) {
      rejects_->CountRow();
      return rejects_->Add([&] { return WrongFieldCount(record, plan_.names.size()); });
    }
    ++right_records_;
    // Numbers first: the texts of a bad row do not come into the dictionaries.
    good_ = true;
    TY_RETURN_IF_ERROR(AddNumbers(record));
    for (const size_t i : text_) TY_RETURN_IF_ERROR(AddText(record, i));
    if (!good_) rejects_->CountRow();
    return good_ && writer_ != nullptr ? Written(writer_->EndRow(), record.line) : absl::OkStatus();
  }

  // Whether rows may be read in blocks: all cells are numbers, and no number is a missing cell.
  bool PlainRowsHelp() const {
    return !header_pending_ && text_.empty() && numeric_.size() > 1 && !missing_.any_number();
  }

  // Adds rows block by block, as AddRow would one by one, until one needs it.
  absl::Status AddPlainRows(CsvReader* reader) {
    const size_t width = numeric_.size();
    while (true) {
      const CsvPlainRecords block = reader->PeekPlain(width, block_rows_);
      if (block.count == 0) return absl::OkStatus();
      const size_t good = ParseBlock(block);
      TY_RETURN_IF_ERROR(AddGoodRows({block_.data(), good * width}, block.line));
      reader->TakePlain(width, good);
      // Behind a bad row there may soon be another: what is parsed in vain stays less than the
      // rest.
      block_rows_ = good < block.count ? 1 : std::min(2 * block_rows_, kBlockRowsMax);
      if (good < block.count) return absl::OkStatus();
    }
  }

  // Parses the rows of `records` into block_, and gives how many are good before one that is not.
  size_t ParseBlock(const CsvPlainRecords& records) {
    const CellRun& cells = records.fields;
    block_.resize(std::max(block_.size(), cells.count));
    unusual_.resize(block_.size());
    const size_t count = ParsePlainCells(cells, decimal_mark_, block_.data(), unusual_.data());
    for (size_t i = 0; i < count; ++i) {
      const size_t row = unusual_[i] / numeric_.size();
      if (!ParseUnusualCell(cells, unusual_[i])) return CountMissing(i, row);
    }
    return CountMissing(count, records.count);
  }

  bool ParseUnusualCell(const CellRun& cells, size_t place) {
    absl::string_view cell = cells[place];
    const bool is_last = (place + 1) % numeric_.size() == 0;
    if (is_last && !cell.empty() && cell.back() == '\r') cell.remove_suffix(1);
    cell = TrimCell(cell);
    block_[place] = Column::kMissingNumber;
    return missing_.Has(cell) || ParsePaddedNumber(cell, decimal_mark_, &block_[place]);
  }

  // Counts what is missing in the first `rows` rows of block_, of which the first `unusual_count`
  // of unusual_ are, and gives `rows`.
  size_t CountMissing(size_t unusual_count, size_t rows) {
    for (size_t i = 0; i < unusual_count && unusual_[i] < rows * numeric_.size(); ++i) {
      if (std::isnan(block_[unusual_[i]])) ++missing_counts_[unusual_[i] % numeric_.size()];
    }
    return rows;
  }

  // `line` is that of the first.
  absl::Status AddGoodRows(std::span<const double> numbers, int64_t line) {
    const auto count = static_cast<int64_t>(numbers.size() / numeric_.size());
    records_ += count;
    right_records_ += count;
    TY_RETURN_IF_ERROR(CheckSize());
    return writer_ != nullptr ? Written(writer_->AddNumberRows(numbers), line) : absl::OkStatus();
  }

  absl::Status AddNumbers(const CsvRecord& record) {
    for (size_t place = 0; place < numeric_.size(); ++place) {
      if (!missing_.any_number()) {
        place =
            ParsePlainFields(record.fields.data(), numeric_, decimal_mark_, place, numbers_.data());
      }
      if (place < numeric_.size()) TY_RETURN_IF_ERROR(AddUnusualNumber(record, place));
    }
    for (size_t place = 0; writer_ != nullptr && place < numeric_.size(); ++place) {
      writer_->SetNumber(numeric_[place], numbers_[place]);
    }
    return absl::OkStatus();
  }

  absl::Status AddUnusualNumber(const CsvRecord& record, size_t place) {
    const size_t column = numeric_[place];
    const absl::string_view cell = TrimCell(record.fields[column]);
    if (missing_.Has(cell)) {
      ++missing_counts_[column];
      numbers_[place] = Column::kMissingNumber;
      return absl::OkStatus();
    }
    if (ParsePaddedNumber(cell, decimal_mark_, &numbers_[place])) return absl::OkStatus();
    good_ = false;
    ++counts_[column].texts;
    if (!IsUtf8(cell)) return NotUtf8(record, column);
    return rejects_->Add([&] { return NotANumber(record, plan_.names[column], cell); });
  }

  absl::Status AddText(const CsvRecord& record, size_t column) {
    const absl::string_view cell = TrimCell(record.fields[column]);
    if (missing_.Has(cell)) {
      if (good_ && writer_ != nullptr) writer_->SetMissing(column);
      return absl::OkStatus();
    }
    double number = 0;
    const bool is_number =
        MayBeginNumber(cell[0]) && ParsePaddedNumber(cell, decimal_mark_, &number);
    ++(is_number ? counts_[column].numbers : counts_[column].texts);
    if (!record.is_ascii && !IsUtf8(cell)) return NotUtf8(record, column);
    if (!good_ || writer_ == nullptr) return absl::OkStatus();
    return Written(writer_->SetText(column, cell), record.line);
  }

  // What the writer said. When it is too large, it may still be that the types are wrong.
  absl::Status Written(absl::Status status, int64_t line) {
    if (status.ok()) return status;
    const std::optional<ErrorInfo> info = GetErrorInfo(status);
    if (!info.has_value() || info->reason != ErrorReason::kTooLarge) return status;
    writer_status_ = Annotate(status, absl::StrCat("line ", line, ": "));
    writer_ = nullptr;
    return absl::OkStatus();
  }

  absl::Status NotUtf8(const CsvRecord& record, size_t column) const {
    return CsvRejected(absl::StrCat("line ", record.line, ", column \"", plan_.names[column],
                                    "\": the text is not UTF-8"),
                       "convert the file to UTF-8, for example with `iconv -f LATIN1 -t UTF-8`",
                       plan_.csv);
  }

  absl::Status CheckSize() const {
    if (records_ > limits::kDatasetRowsMax)
      return TableTooLarge("rows", limits::kDatasetRowsMax, plan_.csv);
    if (records_ * static_cast<int64_t>(plan_.names.size()) > limits::kDatasetCellsMax)
      return TableTooLarge("cells", limits::kDatasetCellsMax, plan_.csv);
    return absl::OkStatus();
  }

  // Constant after construction.
  const Plan& plan_;
  const MissingCells missing_;
  const char decimal_mark_;
  std::vector<size_t> numeric_;  // columns
  std::vector<size_t> text_;

  TableWriter* writer_;
  Rejects* rejects_;
  bool header_pending_;
  std::vector<double> numbers_;  // [numeric_] of the row
  std::vector<double> block_;    // [rows, numeric_] of a block of plain rows, or more
  std::vector<uint32_t> unusual_;  // [block_] places in it
  size_t block_rows_ = kBlockRowsMax;
  bool good_ = true;           // the row so far
  int64_t records_ = 0;        // without the header
  int64_t right_records_ = 0;  // of the right number of fields
  // Of numeric columns, texts and missing cells are counted and numbers are the rest; of text
  // columns, numbers and texts.
  std::vector<CellCounts> counts_;
  std::vector<int64_t> missing_counts_ = std::vector<int64_t>(counts_.size());
  absl::Status writer_status_;
};

absl::Status TooManyBadRows(int64_t row_count, const std::vector<RejectedCell>& kept,
                            const Plan& plan) {
  ErrorInfo info{.reason = ErrorReason::kDatasetRejected,
                 .hint = "mend the cells, or raise csv.bad_rows_max to drop such rows",
                 .in_force = DescribeCsvOptions(plan.csv)};
  if (plan.csv.header == CsvOptions::Header::kAbsent && kept.front().line == plan.first_line) {
    absl::StrAppend(
        &info.hint,
        "; if the first line is a header, set csv.header to PRESENT and give each column a "
        "name of its own");
  }
  std::string message = absl::StrCat(row_count, row_count == 1 ? " bad row" : " bad rows", ", ",
                                     plan.csv.bad_rows_max, " allowed");
  for (const RejectedCell& cell : kept) {
    info.violations.push_back(ViolationOf(cell));
    if (info.violations.size() > kRejectsInMessageMax) continue;
    absl::StrAppend(&message, "; ", info.violations.back().field, ": ",
                    info.violations.back().description);
  }
  return MakeError(absl::StatusCode::kInvalidArgument, message, info);
}

absl::Status CheckRows(int64_t records, int64_t bad_rows, const std::vector<RejectedCell>& kept,
                       const Plan& plan) {
  if (records == 0) {
    return CsvRejected("the file has a header and no rows",
                       "add rows, or set csv.header to ABSENT if the first line is data", plan.csv);
  }
  if (bad_rows > plan.csv.bad_rows_max) return TooManyBadRows(bad_rows, kept, plan);
  if (bad_rows < records) return absl::OkStatus();
  return CsvRejected(absl::StrCat("all ", bad_rows, " rows are bad"),
                     "lower csv.bad_rows_max to see what is wrong with them", plan.csv);
}

std::vector<TableWriter::ColumnPlan> ColumnPlans(const Plan& plan) {
  std::vector<TableWriter::ColumnPlan> columns;
  for (size_t i = 0; i < plan.names.size(); ++i) {
    columns.push_back({.name = plan.names[i], .type = plan.types[i]});
  }
  return columns;
}

// A pass with plan->types, guessed or `certain`. False: they were wrong and are right now.
absl::StatusOr<std::optional<CsvIngestResult>> RunPass(ByteSource& source,
                                                       const CsvIngestOptions& options,
                                                       bool certain, Plan* plan) {
  CsvIngestResult result{.writer = TableWriter(ColumnPlans(*plan), options.writer),
                         .csv = plan->csv};
  Rejects rejects(options.on_rejected, /*hold=*/!certain);
  Pass pass(*plan, &result.writer, &rejects);
  TY_RETURN_IF_ERROR(pass.Run(source));
  std::vector<ColumnType> types = pass.Types();
  if (types != plan->types) {
    plan->types = std::move(types);
    return std::nullopt;
  }
  TY_RETURN_IF_ERROR(pass.writer_status());
  if (rejects.HoldsAll()) {
    TY_RETURN_IF_ERROR(rejects.Release());
  } else {
    ++result.pass_count;
    Rejects reported(options.on_rejected, /*hold=*/false);
    TY_RETURN_IF_ERROR(Pass(*plan, nullptr, &reported).Run(source));
  }
  TY_RETURN_IF_ERROR(CheckRows(pass.records(), rejects.row_count(), rejects.kept(), *plan));
  result.rejected_row_count = rejects.row_count();
  result.rejected_cells = std::move(rejects.kept());
  return result;
}

}  // namespace

absl::StatusOr<CsvIngestResult> ReadCsv(ByteSource& source, const CsvIngestOptions& options) {
  TY_ASSIGN_OR_RETURN(const CsvOptions csv, DetectOptions(source, options.csv));
  Planner planner(csv);
  TY_RETURN_IF_ERROR(ObserveHead(source, csv, &planner));
  TY_ASSIGN_OR_RETURN(Plan plan, std::move(planner).Finish(options));
  TY_ASSIGN_OR_RETURN(std::optional<CsvIngestResult> result,
                      RunPass(source, options, /*certain=*/false, &plan));
  if (result.has_value()) return *std::move(result);
  TY_ASSIGN_OR_RETURN(std::optional<CsvIngestResult> again,
                      RunPass(source, options, /*certain=*/true, &plan));
  // Types are a function of the bytes: only a source that changed under the reader has others now.
  if (!again.has_value()) return SourceChanged();
  ++again->pass_count;
  return *std::move(again);
}

}  // namespace trainyard
