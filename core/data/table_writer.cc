#include "core/data/table_writer.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/column_kind.h"

namespace trainyard {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kPage = 4096;

size_t CellBytes(ColumnType type) {
  return type == ColumnType::kNumeric ? sizeof(double) : sizeof(int32_t);
}

absl::Status TooLarge(absl::string_view message, absl::string_view hint) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = ErrorReason::kTooLarge, .hint = std::string(hint)});
}

absl::Status TableTooLarge(absl::string_view what, int64_t limit) {
  return TooLarge(absl::StrCat("the table has more than ", limit, " ", what),
                  absl::StrCat("upload a part of it, of at most ", limit, " ", what));
}

absl::Status LabelsRejected(absl::string_view message, absl::string_view hint) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = ErrorReason::kDatasetRejected, .hint = std::string(hint)});
}

// Codes are given in order of appearance while rows come; a table has them in bytewise order of the
// values, so that it does not depend on the order of rows. Texts without a row are left out.
std::vector<std::string> SortCategories(const TextDictionary& dictionary,
                                        std::span<int32_t> codes) {
  const std::vector<absl::string_view>& texts = dictionary.texts();
  std::vector<int32_t> new_codes(texts.size(), Column::kMissingCode);
  for (const int32_t code : codes) {
    if (code != Column::kMissingCode) new_codes[code] = 0;
  }
  std::vector<std::pair<absl::string_view, int32_t>> sorted;
  for (size_t code = 0; code < texts.size(); ++code) {
    if (new_codes[code] == 0) sorted.emplace_back(texts[code], static_cast<int32_t>(code));
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> categories;
  categories.reserve(sorted.size());
  for (const auto& [text, code] : sorted) {
    new_codes[code] = static_cast<int32_t>(categories.size());
    categories.emplace_back(text);
  }
  for (int32_t& code : codes) {
    if (code != Column::kMissingCode) code = new_codes[code];
  }
  return categories;
}

}  // namespace

TableWriter::TableWriter(std::vector<ColumnPlan> plans, Options options)
    : plans_(std::move(plans)), options_(std::move(options)), dictionaries_(plans_.size()) {
  const auto columns = std::max<int64_t>(1, static_cast<int64_t>(plans_.size()));
  rows_max_ = std::min(limits::kDatasetRowsMax, limits::kDatasetCellsMax / columns);
  group_rows_ = std::clamp<int64_t>(options_.group_cells / columns, 1, rows_max_ + 1);
  for (const ColumnPlan& plan : plans_) {
    cells_begin_.push_back(group_bytes_);
    // A column starts one cache line further into its page than the one before: cells of one row
    // would otherwise all fall into one set of the cache.
    const size_t pages = (static_cast<size_t>(group_rows_) * CellBytes(plan.type)) / kPage + 1;
    group_bytes_ += pages * kPage + kCacheLine;
  }
  StartGroup();
}

void TableWriter::StartGroup() {
  if (group_ == nullptr) group_ = std::make_unique_for_overwrite<char[]>(group_bytes_);
  numbers_.clear();
  codes_.clear();
  for (size_t i = 0; i < plans_.size(); ++i) {
    const bool numeric = plans_[i].type == ColumnType::kNumeric;
    numbers_.push_back(numeric ? reinterpret_cast<double*>(CellsOf(i)) : nullptr);
    codes_.push_back(numeric ? nullptr : reinterpret_cast<int32_t*>(CellsOf(i)));
  }
  group_row_ = 0;
  // One more than allowed, if that is nearer: then the table is too large.
  group_end_ = std::min(group_rows_, rows_max_ + 1 - rows_before_);
}

absl::Status TableWriter::SetText(size_t column, absl::string_view text) {
  TextDictionary& dictionary = dictionaries_[column];
  const int64_t bytes_before = dictionary.size_bytes();
  const int32_t code = dictionary.CodeOf(text);
  codes_[column][group_row_] = code;
  if (dictionary.size_bytes() == bytes_before) return absl::OkStatus();
  dictionary_bytes_ += dictionary.size_bytes() - bytes_before;
  if (code >= limits::kDistinctTextMax) {
    return TooLarge(absl::StrCat("column \"", plans_[column].name, "\" has more than ",
                                 limits::kDistinctTextMax, " different texts"),
                    "leave the column out of the file: a text that is different in each row "
                    "teaches nothing");
  }
  if (dictionary_bytes_ <= limits::kDictionaryBytesMax) return absl::OkStatus();
  return TooLarge(
      absl::StrCat("the different texts of the table take more than ", limits::kDictionaryBytesMax,
                   " bytes; column \"", plans_[column].name, "\" has ", dictionary.texts().size(),
                   " of them"),
      "leave columns of long texts out of the file: only few different ones teach anything");
}

void TableWriter::SetMissing(size_t column) {
  if (plans_[column].type == ColumnType::kNumeric) {
    SetNumber(column, Column::kMissingNumber);
  } else {
    codes_[column][group_row_] = Column::kMissingCode;
  }
}

absl::Status TableWriter::EndGroup() {
  if (rows() > limits::kDatasetRowsMax) return TableTooLarge("rows", limits::kDatasetRowsMax);
  if (rows() > rows_max_) return TableTooLarge("cells", limits::kDatasetCellsMax);
  rows_before_ += group_row_;
  groups_.push_back({.cells = std::move(group_), .rows = group_row_});
  if (!options_.spill_path.empty()) TY_RETURN_IF_ERROR(SpillWhatIsTooMuch());
  StartGroup();
  return absl::OkStatus();
}

// Dictionaries have to be in memory; groups get what they leave.
absl::Status TableWriter::SpillWhatIsTooMuch() {
  const int64_t held_max = options_.memory_bytes_max - dictionary_bytes_;
  const auto held = [this] {
    return static_cast<int64_t>(group_bytes_ * (groups_.size() - spilled_count_));
  };
  while (held() > held_max && spilled_count_ < groups_.size()) {
    Group& oldest = groups_[spilled_count_++];
    TY_RETURN_IF_ERROR(Spill(&oldest));
    group_ = std::move(oldest.cells);  // its memory is good for the next group
  }
  return absl::OkStatus();
}

absl::Status TableWriter::Spill(Group* group) {
  if (!spill_.has_value()) {
    TY_ASSIGN_OR_RETURN(spill_, SpillFile::Create(options_.spill_path));
  }
  group->spill_offset = spill_->size_bytes();
  // With the gaps between columns: one write instead of one for each column.
  return spill_->Append({group->cells.get(), group_bytes_});
}

void TableWriter::GiveKinds(const std::vector<ColumnKind>& kinds) {
  TY_CHECK(kinds.size() == plans_.size());
  for (size_t i = 0; i < plans_.size(); ++i) plans_[i].kind = kinds[i];
}

absl::Status TableWriter::AddColumns(const Table& labels) {
  if (labels.rows != rows()) {
    return LabelsRejected(
        absl::StrCat("the table has ", rows(), " rows and the labels have ", labels.rows),
        "give labels with one row for each row of the table, in its order");
  }
  absl::flat_hash_set<absl::string_view> names;
  for (const ColumnPlan& plan : plans_) names.insert(plan.name);
  for (const Column& column : added_) names.insert(column.name);
  for (const Column& column : labels.columns) {
    if (names.insert(column.name).second) continue;
    return LabelsRejected(
        absl::StrCat("the table and the labels both have a column \"", column.name, "\""),
        "give the columns of the labels names of their own");
  }
  added_.insert(added_.end(), labels.columns.begin(), labels.columns.end());
  const auto columns = static_cast<int64_t>(names.size());
  if (columns > limits::kDatasetColumnsMax)
    return TableTooLarge("columns", limits::kDatasetColumnsMax);
  if (columns * rows() > limits::kDatasetCellsMax)
    return TableTooLarge("cells", limits::kDatasetCellsMax);
  return absl::OkStatus();
}

absl::Status TableWriter::GatherCells(size_t column, char* out) const {
  const size_t cell_bytes = CellBytes(plans_[column].type);
  for (const Group& group : groups_) {
    const size_t size = static_cast<size_t>(group.rows) * cell_bytes;
    if (group.cells != nullptr) {
      std::memcpy(out, group.cells.get() + cells_begin_[column], size);
    } else {
      const auto begin = group.spill_offset + static_cast<int64_t>(cells_begin_[column]);
      TY_RETURN_IF_ERROR(spill_->Read(begin, {out, size}));
    }
    out += size;
  }
  std::memcpy(out, group_.get() + cells_begin_[column],
              static_cast<size_t>(group_row_) * cell_bytes);
  return absl::OkStatus();
}

absl::StatusOr<Column> TableWriter::TakeColumn(size_t column) {
  Column taken;
  taken.name = std::move(plans_[column].name);
  taken.type = plans_[column].type;
  const auto rows_count = static_cast<size_t>(rows());
  if (gathered_ == nullptr)
    gathered_ = std::make_unique_for_overwrite<char[]>(rows_count * sizeof(double));
  TY_RETURN_IF_ERROR(GatherCells(column, gathered_.get()));
  if (taken.type == ColumnType::kNumeric) {
    const auto* numbers = reinterpret_cast<const double*>(gathered_.get());
    taken.numbers = Cells<double>::View({numbers, rows_count}, nullptr);
  } else {
    const std::span<int32_t> codes(reinterpret_cast<int32_t*>(gathered_.get()), rows_count);
    taken.categories = SortCategories(dictionaries_[column], codes);
    taken.codes = Cells<int32_t>::View(codes, nullptr);
    dictionaries_[column] = TextDictionary();
  }
  taken.stats = stats_.Compute(taken);
  // It keeps what it needed, as much as two columns, for the next one.
  if (dictionary_bytes_ > options_.memory_bytes_max) stats_ = StatsComputer();
  taken.kind_given = plans_[column].kind != ColumnKind::kUnspecified;
  taken.kind = taken.kind_given ? plans_[column].kind : InferKind(taken, rows());
  return taken;
}

absl::Status TableWriter::ForEachColumn(const OnColumn& on_column) {
  for (size_t i = 0; i < plans_.size(); ++i) {
    TY_ASSIGN_OR_RETURN(Column column, TakeColumn(i));
    TY_RETURN_IF_ERROR(on_column(std::move(column)));
  }
  for (Column& column : added_) TY_RETURN_IF_ERROR(on_column(std::move(column)));
  return absl::OkStatus();
}

absl::StatusOr<Table> TableWriter::Finish() && {
  Table table;
  table.rows = rows();
  TY_RETURN_IF_ERROR(ForEachColumn([&](Column column) {
    // Copies of the views, for they end here.
    column.numbers = std::vector<double>(column.numbers.begin(), column.numbers.end());
    column.codes = std::vector<int32_t>(column.codes.begin(), column.codes.end());
    table.columns.push_back(std::move(column));
    return absl::OkStatus();
  }));
  return table;
}

absl::StatusOr<Table> TableWriter::FinishTo(const AppendBytes& append) && {
  Table table;
  table.rows = rows();
  TableFileWriter file(append);
  const OnColumn add = [&](Column column) -> absl::Status {
    TY_RETURN_IF_ERROR(file.AddColumn(column));
    column.numbers = {};
    column.codes = {};
    column.categories = {};
    table.columns.push_back(std::move(column));
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(ForEachColumn(add));
  TY_RETURN_IF_ERROR(file.Finish(table.rows));
  return table;
}

}  // namespace trainyard
