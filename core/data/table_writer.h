// TableWriter makes a table of rows that come one after the other: columnar row groups that go to a
// spill file when memory is short, text coded by dictionaries; at the end, column by column,
// categories are sorted, statistics and kinds found, and the cells handed out. It does not parse;
// see csv_ingest.h and row_sink.h for who fills it.
//
//   TableWriter writer({{"age", ColumnType::kNumeric}, {"job", ColumnType::kText}}, {.spill_path =
//   path}); writer.SetNumber(0, 41); TY_RETURN_IF_ERROR(writer.SetText(1, "nurse"));
//   TY_RETURN_IF_ERROR(writer.EndRow());
//   TY_ASSIGN_OR_RETURN(Table table, std::move(writer).Finish());
//
// Memory: a row group (at most Options::group_cells cells; the first ones are smaller), the groups
// before it and the dictionaries up to Options::memory_bytes_max, or the dictionaries alone where
// they take more (at most limits::kDictionaryBytesMax), and, while it finishes, about two columns
// (160 MB with 10 million rows) and the file's header, which has the dictionaries' texts. Without a
// spill path all is one group in address space reserved for the largest table, whose cells nobody
// copies. Thread-safety: none. Lifetime: the spill file is made when it is needed and has no name
// from then on (spill_file.h). Errors: RESOURCE_EXHAUSTED/TOO_LARGE beyond limits.h (rows, cells,
// different texts of a column, bytes of all texts); RESOURCE_EXHAUSTED/STORAGE_FULL and INTERNAL of
// the spill file. After an error the writer is of no use.
#ifndef TRAINYARD_CORE_DATA_TABLE_WRITER_H_
#define TRAINYARD_CORE_DATA_TABLE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/raw_memory.h"
#include "core/base/spill_file.h"
#include "core/data/column_stats.h"
#include "core/data/table.h"
#include "core/data/table_codec.h"
#include "core/data/text_dictionary.h"

namespace trainyard {

class TableWriter {
 public:
  struct ColumnPlan {
    std::string name;
    ColumnType type = ColumnType::kNumeric;
    ColumnKind kind = ColumnKind::kUnspecified;  // given by the user; unspecified: inferred
  };
  struct Options {
    std::string spill_path;  // empty: all in memory, in one group
    // Of whole groups and dictionaries; groups beyond it are spilled, the first ones first.
    int64_t memory_bytes_max = int64_t{256} << 20;
    int64_t group_cells = int64_t{4} << 20;  // 32 MiB of numbers, with a spill path
  };

  // REQUIRES: at most limits::kDatasetColumnsMax columns, whose names are different and not empty.
  TableWriter(std::vector<ColumnPlan> plans, Options options);
  TableWriter(TableWriter&&) = default;
  TableWriter& operator=(TableWriter&&) = default;

  // The cell of the row that is being filled. Each cell has to be set in each row, by one of these,
  // any number of times: the last one counts. SetNumber takes what is finite, or NaN for a missing
  // cell. SetText takes UTF-8, trimmed and not empty. REQUIRES: the column has that type.
  void SetNumber(size_t column, double number) { numbers_[column][group_row_] = number; }
  absl::Status SetText(size_t column, absl::string_view text);
  void SetMissing(size_t column);

  // Counts the row that is being filled in. A row that is not ended is overwritten by the next, so
  // that a bad one is dropped by not ending it; texts that only such rows had do not get into the
  // table.
  absl::Status EndRow() {
    ++group_row_;
    return group_row_ < group_end_ ? absl::OkStatus() : EndGroup();
  }

  // Adds whole rows, [rows, columns], which are faster together. REQUIRES: all columns are numeric,
  // and no row is being filled.
  absl::Status AddNumberRows(std::span<const double> numbers);

  // Ended so far.
  int64_t rows() const { return rows_before_ + group_row_; }
  const std::vector<ColumnPlan>& plans() const { return plans_; }
  // On disk so far.
  int64_t spilled_bytes() const { return spill_.has_value() ? spill_->size_bytes() : 0; }

  // Sets the kinds given by the user, one per column, kUnspecified where none is given; see
  // ResolveOverrides in column_kind.h. Any time before the end.
  void GiveKinds(const std::vector<ColumnKind>& kinds);

  // Puts the columns of `labels` after those here. Errors: INVALID_ARGUMENT/DATASET_REJECTED when
  // the numbers of rows differ (both are told) or both have a column of one name. After the last
  // row.
  absl::Status AddColumns(const Table& labels);

  // The table, in memory.
  absl::StatusOr<Table> Finish() &&;

  using AppendBytes = trainyard::AppendBytes;
  // Writes the table as a file (table_codec.h) piece by piece. The table that comes back has
  // columns, kinds and statistics, but neither cells nor categories. An error of `append` is given
  // back as it is.
  absl::StatusOr<Table> FinishTo(const AppendBytes& append) &&;

 private:
  // Rows one after the other, column by column, in memory or in the spill file.
  struct Group {
    std::shared_ptr<char[]> cells;  // null: spilled
    int64_t spill_offset = 0;
    int64_t room = 0;  // rows that it could have had
    int64_t rows = 0;
  };
  using OnColumn = std::function<absl::Status(Column column)>;

  // Where a column's cells start in a group of `room` rows; of the column after the last one, the
  // group's size.
  size_t CellsBegin(size_t column, int64_t room) const;
  // Where a column's cells start in reserved memory, which itself starts on any page.
  size_t ReservedBegin(size_t column) const;
  // False when the system does not give so much address space.
  bool ReserveGroup();
  void UseLargePages();
  void StartGroup(int64_t room);
  void SetCells(size_t column, char* cells);
  char* CellsInGroup(size_t column) const;
  absl::Status EndGroup();
  int64_t SizeOf(const Group& group) const {
    return static_cast<int64_t>(CellsBegin(plans_.size(), group.room));
  }
  absl::Status SpillWhatIsTooMuch();
  absl::Status Spill(Group* group);
  // Memory for the cells of a column: that of the one before, unless a table keeps it.
  void MakeGathered(size_t size_bytes);
  absl::Status GatherCells(size_t column, char* out) const;
  // All cells of a column in one piece, and who keeps it.
  absl::StatusOr<std::shared_ptr<char>> WholeCells(size_t column);
  absl::StatusOr<Column> TakeColumn(size_t column);
  // Calls `on_column` for each column in order.
  absl::Status ForEachColumn(const OnColumn& on_column);

  std::vector<ColumnPlan> plans_;
  Options options_;
  int64_t rows_max_ = 0;
  int64_t group_rows_max_ = 0;
  std::vector<size_t> numeric_before_;  // [columns + 1] how many columns of numbers there are

  std::vector<Group> groups_;  // that are full
  size_t spilled_count_ = 0;   // the first of them
  std::optional<SpillFile> spill_;
  int64_t rows_before_ = 0;  // in groups_

  std::shared_ptr<char[]> group_;  // being filled
  int64_t group_room_ = 0;         // its rows
  std::vector<double*> numbers_;   // [columns] its cells; nullptr for text
  std::vector<int32_t*> codes_;    // [columns] its cells; nullptr for numbers
  int64_t group_row_ = 0;          // being filled
  int64_t group_end_ = 0;          // the row at which something has to be done

  std::vector<TextDictionary> dictionaries_;  // [columns], empty for numbers
  int64_t dictionary_bytes_ = 0;
  std::vector<Column> added_;
  std::shared_ptr<char[]> gathered_;  // the cells of one column
  size_t gathered_bytes_ = 0;
  StatsComputer stats_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_TABLE_WRITER_H_
