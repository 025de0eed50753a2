#include "core/data/table_writer.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/coding.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/column_kind.h"

namespace trainyard {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kPage = 4096;
// A table of few rows should not take the memory of many: groups grow from 1 MiB on.
constexpr int64_t kFirstGroupCells = int64_t{128} << 10;
constexpr int64_t kGroupGrowth = 4;
// Rows of a reserved column in small pages: the rest of it begins on the border of a large page.
constexpr int64_t kSmallPageRows = 8192;
constexpr size_t kCacheLinesInPage = kPage / kCacheLine;

size_t CellBytes(ColumnType type) {
  return type == ColumnType::kNumeric ? sizeof(double) : sizeof(int32_t);
}

// Of a column in a group of `room` rows. A column starts one cache line further into its page than
// the one before: cells of one row would otherwise all fall into one set of the cache.
size_t ColumnBytes(ColumnType type, int64_t room) {
  return (static_cast<size_t>(room) * CellBytes(type) / kPage + 1) * kPage + kCacheLine;
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

// Every `step`th number, `count` of them.
void CopyColumn(const double* numbers, size_t step, size_t count, double* column) {
  for (size_t i = 0; i < count; ++i) column[i] = numbers[i * step];
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
    : plans_(std::move(plans)),
      options_(std::move(options)),
      numbers_(plans_.size()),
      codes_(plans_.size()),
      dictionaries_(plans_.size()) {
  const auto columns = std::max<int64_t>(1, static_cast<int64_t>(plans_.size()));
  rows_max_ = std::min(limits::kDatasetRowsMax, limits::kDatasetCellsMax / columns);
  group_rows_max_ = std::clamp<int64_t>(options_.group_cells / columns, 1, rows_max_ + 1);
  numeric_before_.push_back(0);
  for (const ColumnPlan& plan : plans_) {
    const bool numeric = plan.type == ColumnType::kNumeric;
    numeric_before_.push_back(numeric_before_.back() + (numeric ? 1 : 0));
  }
  if (options_.spill_path.empty() && ReserveGroup()) return;
  StartGroup(std::clamp<int64_t>(kFirstGroupCells / columns, 1, group_rows_max_));
}

size_t TableWriter::ReservedBegin(size_t column) const {
  const size_t stride =
      AlignUp(static_cast<size_t>(rows_max_ + 1) * sizeof(double), kLargePageBytes) +
      kLargePageBytes;
  const size_t small_bytes = static_cast<size_t>(kSmallPageRows) * CellBytes(plans_[column].type);
  // Cells of one row in different cache lines of their pages, as in ColumnBytes.
  const size_t shift = column % kCacheLinesInPage * kCacheLine;
  return column * stride + kLargePageBytes - small_bytes - shift;
}

bool TableWriter::ReserveGroup() {
  if (plans_.empty()) return false;
  const size_t columns = plans_.size();
  // A large page more: where its border is in the memory is only known afterwards.
  const size_t size = ReservedBegin(columns - 1) +
                      static_cast<size_t>(rows_max_ + 1) * sizeof(double) + kLargePageBytes;
  group_ = ReserveRaw(size);
  if (group_ == nullptr) return false;
  char* const begin = group_.get();
  const size_t to_border = AlignUp(reinterpret_cast<uintptr_t>(begin), kLargePageBytes) -
                           reinterpret_cast<uintptr_t>(begin);
  for (size_t i = 0; i < columns; ++i) SetCells(i, begin + to_border + ReservedBegin(i));
  group_room_ = rows_max_ + 1;
  group_end_ = std::min(kSmallPageRows, group_room_);
  return true;
}

void TableWriter::UseLargePages() {
  for (size_t i = 0; i < plans_.size(); ++i) {
    const size_t size = static_cast<size_t>(group_room_) * CellBytes(plans_[i].type);
    AskForLargePages(CellsInGroup(i), size);
  }
  group_end_ = group_room_;
}

char* TableWriter::CellsInGroup(size_t column) const {
  const bool numeric = plans_[column].type == ColumnType::kNumeric;
  return numeric ? reinterpret_cast<char*>(numbers_[column])
                 : reinterpret_cast<char*>(codes_[column]);
}

void TableWriter::SetCells(size_t column, char* cells) {
  const bool numeric = plans_[column].type == ColumnType::kNumeric;
  numbers_[column] = numeric ? reinterpret_cast<double*>(cells) : nullptr;
  codes_[column] = numeric ? nullptr : reinterpret_cast<int32_t*>(cells);
}

size_t TableWriter::CellsBegin(size_t column, int64_t room) const {
  const size_t numeric = numeric_before_[column];
  return numeric * ColumnBytes(ColumnType::kNumeric, room) +
         (column - numeric) * ColumnBytes(ColumnType::kText, room);
}

void TableWriter::StartGroup(int64_t room) {
  if (group_ == nullptr || room != group_room_)
    group_ = AllocateRaw(CellsBegin(plans_.size(), room));
  group_room_ = room;
  for (size_t i = 0; i < plans_.size(); ++i) SetCells(i, group_.get() + CellsBegin(i, room));
  group_row_ = 0;
  // One more than allowed, if that is nearer: then the table is too large.
  group_end_ = std::min(room, rows_max_ + 1 - rows_before_);
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

absl::Status TableWriter::AddNumberRows(std::span<const double> numbers) {
  const size_t columns = plans_.size();
  while (!numbers.empty()) {
    const size_t room = static_cast<size_t>(group_end_ - group_row_);
    const size_t rows = std::min(numbers.size() / columns, room);
    for (size_t i = 0; i < columns; ++i)
      CopyColumn(numbers.data() + i, columns, rows, numbers_[i] + group_row_);
    group_row_ += static_cast<int64_t>(rows);
    if (group_row_ == group_end_) TY_RETURN_IF_ERROR(EndGroup());
    numbers = numbers.subspan(rows * columns);
  }
  return absl::OkStatus();
}

absl::Status TableWriter::EndGroup() {
  if (rows() > limits::kDatasetRowsMax) return TableTooLarge("rows", limits::kDatasetRowsMax);
  if (rows() > rows_max_) return TableTooLarge("cells", limits::kDatasetCellsMax);
  if (group_row_ < group_room_) {
    UseLargePages();
    return absl::OkStatus();
  }
  const int64_t room_next = std::min(group_room_ * kGroupGrowth, group_rows_max_);
  rows_before_ += group_row_;
  groups_.push_back({.cells = std::move(group_), .room = group_room_, .rows = group_row_});
  if (!options_.spill_path.empty()) TY_RETURN_IF_ERROR(SpillWhatIsTooMuch());
  StartGroup(room_next);
  return absl::OkStatus();
}

// Dictionaries have to be in memory; groups get what they leave.
absl::Status TableWriter::SpillWhatIsTooMuch() {
  const int64_t held_max = options_.memory_bytes_max - dictionary_bytes_;
  int64_t held = 0;
  for (size_t i = spilled_count_; i < groups_.size(); ++i) held += SizeOf(groups_[i]);
  for (; held > held_max && spilled_count_ < groups_.size(); ++spilled_count_) {
    Group& oldest = groups_[spilled_count_];
    held -= SizeOf(oldest);
    TY_RETURN_IF_ERROR(Spill(&oldest));
    group_ = std::move(oldest.cells);  // its memory is good for a next group of its size
    group_room_ = oldest.room;
  }
  return absl::OkStatus();
}

absl::Status TableWriter::Spill(Group* group) {
  if (!spill_.has_value()) {
    TY_ASSIGN_OR_RETURN(spill_, SpillFile::Create(options_.spill_path));
  }
  group->spill_offset = spill_->size_bytes();
  // With the gaps between columns: one write instead of one for each column.
  return spill_->Append({group->cells.get(), CellsBegin(plans_.size(), group->room)});
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

void TableWriter::MakeGathered(size_t size_bytes) {
  if (gathered_.use_count() == 1 && gathered_bytes_ >= size_bytes) return;
  gathered_ = AllocateRaw(size_bytes);
  gathered_bytes_ = size_bytes;
}

absl::Status TableWriter::GatherCells(size_t column, char* out) const {
  const size_t cell_bytes = CellBytes(plans_[column].type);
  for (const Group& group : groups_) {
    const size_t begin = CellsBegin(column, group.room);
    const size_t size = static_cast<size_t>(group.rows) * cell_bytes;
    if (group.cells != nullptr) {
      std::memcpy(out, group.cells.get() + begin, size);
    } else {
      TY_RETURN_IF_ERROR(
          spill_->Read(group.spill_offset + static_cast<int64_t>(begin), {out, size}));
    }
    out += size;
  }
  std::memcpy(out, CellsInGroup(column), static_cast<size_t>(group_row_) * cell_bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<char>> TableWriter::WholeCells(size_t column) {
  if (groups_.empty()) return std::shared_ptr<char>(group_, CellsInGroup(column));
  MakeGathered(static_cast<size_t>(rows()) * CellBytes(plans_[column].type));
  TY_RETURN_IF_ERROR(GatherCells(column, gathered_.get()));
  return std::shared_ptr<char>(gathered_, gathered_.get());
}

absl::StatusOr<Column> TableWriter::TakeColumn(size_t column) {
  Column taken;
  taken.name = std::move(plans_[column].name);
  taken.type = plans_[column].type;
  const auto rows_count = static_cast<size_t>(rows());
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<char> cells, WholeCells(column));
  if (taken.type == ColumnType::kNumeric) {
    const auto* numbers = reinterpret_cast<const double*>(cells.get());
    taken.numbers = Cells<double>::InMemory({numbers, rows_count}, cells);
  } else {
    const std::span<int32_t> codes(reinterpret_cast<int32_t*>(cells.get()), rows_count);
    taken.categories = SortCategories(dictionaries_[column], codes);
    taken.codes = Cells<int32_t>::InMemory(codes, cells);
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
