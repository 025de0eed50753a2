#include "core/data/table_writer.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/base/rng.h"
#include "core/data/column_stats.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A container as gmock knows them.
template <typename T>
std::vector<T> Values(const Cells<T>& cells) {
  return {cells.begin(), cells.end()};
}

const std::vector<TableWriter::ColumnPlan> kPlans = {
    {"age", ColumnType::kNumeric}, {"job", ColumnType::kText}, {"income", ColumnType::kNumeric}};

std::string SpillPath() { return absl::StrCat(testing::TempDir(), "/table_writer_spill"); }

TEST(TableWriterTest, CellsCategoriesStatisticsAndKinds) {
  TableWriter writer({{"age", ColumnType::kNumeric},
                      {"job", ColumnType::kText},
                      {"zip", ColumnType::kNumeric, ColumnKind::kCategory}},
                     {});
  const char* jobs[] = {"nurse", "cook", "nurse"};
  for (int i = 0; i < 3; ++i) {
    writer.SetNumber(0, 40 + i);
    ASSERT_THAT(writer.SetText(1, jobs[i]), IsOk());
    writer.SetMissing(2);
    if (i == 1) writer.SetNumber(2, 1010);
    if (i == 2) writer.SetMissing(1);
    ASSERT_THAT(writer.EndRow(), IsOk());
  }
  EXPECT_EQ(writer.rows(), 3);
  ASSERT_OK_AND_ASSIGN(const Table table, std::move(writer).Finish());
  EXPECT_EQ(table.rows, 3);
  EXPECT_THAT(Values(table.columns[0].numbers), ElementsAre(40, 41, 42));
  EXPECT_THAT(table.columns[1].categories, ElementsAre("cook", "nurse"));
  EXPECT_THAT(Values(table.columns[1].codes), ElementsAre(1, 0, Column::kMissingCode));
  EXPECT_EQ(table.CellText(0, 2), "");
  EXPECT_EQ(table.CellText(1, 2), "1010");
  EXPECT_EQ(table.columns[0].stats.mean, 41);
  EXPECT_EQ(table.columns[0].kind, ColumnKind::kNumeric);
  EXPECT_EQ(table.columns[1].kind, ColumnKind::kCategory);
  EXPECT_FALSE(table.columns[1].kind_given);
  EXPECT_EQ(table.columns[2].kind, ColumnKind::kCategory);
  EXPECT_TRUE(table.columns[2].kind_given);
}

TEST(TableWriterTest, ARowThatIsNotEndedIsDroppedWithItsTexts) {
  TableWriter writer({{"a", ColumnType::kText}, {"b", ColumnType::kNumeric}}, {});
  ASSERT_THAT(writer.SetText(0, "bad"), IsOk());
  writer.SetNumber(1, 7);
  ASSERT_THAT(writer.SetText(0, "good"), IsOk());
  writer.SetMissing(1);
  ASSERT_THAT(writer.EndRow(), IsOk());
  ASSERT_THAT(writer.SetText(0, "bad too"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Table table, std::move(writer).Finish());
  EXPECT_EQ(table.rows, 1);
  EXPECT_THAT(table.columns[0].categories, ElementsAre("good"));
  EXPECT_EQ(table.columns[1].stats.missing_count, 1);
}

TEST(TableWriterTest, NoRowsAndNoColumns) {
  ASSERT_OK_AND_ASSIGN(const Table no_rows, TableWriter(kPlans, {}).Finish());
  EXPECT_EQ(no_rows.rows, 0);
  EXPECT_EQ(no_rows.columns.size(), 3u);
  ASSERT_OK_AND_ASSIGN(const Table nothing, TableWriter({}, {}).Finish());
  EXPECT_THAT(nothing.columns, IsEmpty());
}

// `rows` rows of kPlans, with missing cells and with rows that are dropped.
void Fill(int64_t rows, TableWriter* writer) {
  Rng rng(11, RngStream::kAnalysis);
  while (writer->rows() < rows) {
    writer->SetNumber(0, static_cast<double>(rng.Below(90)));
    ASSERT_THAT(writer->SetText(1, absl::StrCat("job ", rng.Below(50))), IsOk());
    writer->SetNumber(2, rng.Normal());
    if (rng.Below(10) == 0) writer->SetMissing(1);
    if (rng.Below(10) == 0) writer->SetMissing(2);
    if (rng.Below(20) == 0) continue;
    ASSERT_THAT(writer->EndRow(), IsOk());
  }
}

std::string FileOf(int64_t rows, TableWriter::Options options, int64_t* spilled_bytes = nullptr) {
  TableWriter writer(kPlans, std::move(options));
  Fill(rows, &writer);
  if (spilled_bytes != nullptr) *spilled_bytes = writer.spilled_bytes();
  std::string bytes;
  absl::StatusOr<Table> table = std::move(writer).FinishTo([&](absl::string_view piece) {
    absl::StrAppend(&bytes, piece);
    return absl::OkStatus();
  });
  EXPECT_THAT(table.status(), IsOk());
  EXPECT_EQ(table->rows, rows);
  for (const Column& column : table->columns)
    EXPECT_EQ(column.numbers.size() + column.codes.size() + column.categories.size(), 0u);
  return bytes;
}

TEST(TableWriterTest, GroupsAndSpillDoNotChangeAByte) {
  for (const int64_t rows : {1, 9, 10, 11, 1000, 1003, 8192, 8193}) {
    SCOPED_TRACE(rows);
    const std::string expected = FileOf(rows, {});
    ASSERT_OK_AND_ASSIGN(const Table table, DecodeTable(expected));
    EXPECT_EQ(table.rows, rows);
    int64_t spilled = 0;
    EXPECT_EQ(FileOf(rows, {.spill_path = SpillPath(), .memory_bytes_max = 0, .group_cells = 30},
                     &spilled),
              expected);
    EXPECT_EQ(spilled > 0, rows >= 10);
    // Some groups in memory, the others on disk.
    EXPECT_EQ(
        FileOf(rows, {.spill_path = SpillPath(), .memory_bytes_max = 100'000, .group_cells = 30}),
        expected);
    EXPECT_FALSE(std::filesystem::exists(SpillPath()));
  }
}

TEST(TableWriterTest, GroupsMakeRoomForDictionaries) {
  TableWriter::Options options{
      .spill_path = SpillPath(), .memory_bytes_max = 1 << 20, .group_cells = 64};
  TableWriter writer({{"text", ColumnType::kText}}, options);
  int64_t spilled_before = -1;
  for (int i = 0; i < 15'000; ++i) {
    // The same text, then so many different ones that the groups before, which fit alone, have to
    // go.
    ASSERT_THAT(writer.SetText(0, absl::StrCat("text ", std::max(i - 10'000, 0))), IsOk());
    ASSERT_THAT(writer.EndRow(), IsOk());
    if (i == 10'000) spilled_before = writer.spilled_bytes();
  }
  EXPECT_EQ(spilled_before, 0);
  EXPECT_GT(writer.spilled_bytes(), 0);
  ASSERT_OK_AND_ASSIGN(const Table table, std::move(writer).Finish());
  EXPECT_EQ(table.CellText(0, 0), "text 0");
  EXPECT_EQ(table.CellText(10'007, 0), "text 7");
  EXPECT_EQ(table.CellText(14'999, 0), "text 4999");
}

TEST(TableWriterTest, GroupsThatGrowDoNotChangeAByte) {
  const int64_t rows = 300'000;
  const std::string expected = FileOf(rows, {});
  EXPECT_EQ(FileOf(rows, {.spill_path = SpillPath()}), expected);
  EXPECT_EQ(FileOf(rows, {.spill_path = SpillPath(), .memory_bytes_max = 2 << 20}), expected);
}

TEST(TableWriterTest, FinishAndTheFileAreOneTable) {
  TableWriter writer(kPlans, {.group_cells = 30});
  Fill(500, &writer);
  ASSERT_OK_AND_ASSIGN(const Table table, std::move(writer).Finish());
  EXPECT_EQ(EncodeTable(table), FileOf(500, {}));
  for (const Column& column : table.columns) {
    EXPECT_EQ(column.stats.top_values, ComputeStats(column).top_values);
    EXPECT_EQ(column.stats.quantiles, ComputeStats(column).quantiles);
  }
}

TEST(TableWriterTest, AFullDiskIsSaid) {
  TableWriter writer({{"a", ColumnType::kNumeric}},
                     {.spill_path = "/dev/full", .memory_bytes_max = 0, .group_cells = 8});
  absl::Status status;
  for (int i = 0; i < 8 && status.ok(); ++i) {
    writer.SetNumber(0, i);
    status = writer.EndRow();
  }
  EXPECT_THAT(status, HasReason(ErrorReason::kStorageFull));
}

TEST(TableWriterTest, AnErrorOfTheFileIsGivenBack) {
  TableWriter writer(kPlans, {});
  Fill(10, &writer);
  const auto full = [](absl::string_view) { return absl::ResourceExhaustedError("no space"); };
  EXPECT_THAT(std::move(writer).FinishTo(full).status(),
              StatusIs(absl::StatusCode::kResourceExhausted, "no space"));
}

TEST(TableWriterTest, RowsAndCellsAreLimited) {
  TableWriter rows({{"a", ColumnType::kText}}, {});
  absl::Status status;
  while (status.ok()) {
    rows.SetMissing(0);
    status = rows.EndRow();
  }
  EXPECT_THAT(status, HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(status.message(),
              HasSubstr(absl::StrCat("more than ", limits::kDatasetRowsMax, " rows")));

  std::vector<TableWriter::ColumnPlan> plans;
  for (int i = 0; i < 10'000; ++i) plans.push_back({absl::StrCat(i), ColumnType::kText});
  TableWriter cells(plans, {});
  for (status = absl::OkStatus(); status.ok();) status = cells.EndRow();
  EXPECT_THAT(status.message(),
              HasSubstr(absl::StrCat("more than ", limits::kDatasetCellsMax, " cells")));
  EXPECT_EQ(cells.rows(), limits::kDatasetCellsMax / 10'000 + 1);
}

TEST(TableWriterTest, DifferentTextsAreLimited) {
  TableWriter writer({{"name", ColumnType::kText}}, {});
  absl::Status status;
  int64_t texts = 0;
  for (; status.ok(); ++texts) status = writer.SetText(0, absl::StrCat(texts));
  EXPECT_EQ(texts, limits::kDistinctTextMax + 1);
  EXPECT_THAT(status, HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(status.message(), HasSubstr("\"name\" has more than 1000000 different texts"));
}

TEST(TableWriterTest, BytesOfTextsAreLimited) {
  TableWriter writer({{"page", ColumnType::kText}}, {});
  std::string text(limits::kFieldBytesMax, 'x');
  absl::Status status;
  for (int i = 0; i < 600 && status.ok(); ++i) {
    text.replace(0, 3, absl::StrCat(100 + i));
    status = writer.SetText(0, text);
  }
  EXPECT_THAT(status, HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(status.message(), HasSubstr("\"page\" has 512 of them"));
}

Table LabelsOf(const std::string& name, int64_t rows) {
  TableWriter writer({{name, ColumnType::kNumeric}}, {});
  for (int64_t i = 0; i < rows; ++i) {
    writer.SetNumber(0, static_cast<double>(i % 3));
    EXPECT_THAT(writer.EndRow(), IsOk());
  }
  absl::StatusOr<Table> table = std::move(writer).Finish();
  EXPECT_THAT(table.status(), IsOk());
  return *std::move(table);
}

TEST(TableWriterTest, ColumnsOfLabelsComeLast) {
  TableWriter writer(kPlans, {});
  Fill(20, &writer);
  ASSERT_THAT(writer.AddColumns(LabelsOf("digit", 20)), IsOk());
  ASSERT_OK_AND_ASSIGN(const Table table, std::move(writer).Finish());
  ASSERT_EQ(table.columns.size(), 4u);
  EXPECT_EQ(table.columns[3].name, "digit");
  EXPECT_EQ(table.CellText(5, 3), "2");
  EXPECT_EQ(table.columns[3].stats.distinct_count, 3);
}

TEST(TableWriterTest, LabelsThatDoNotFit) {
  TableWriter writer(kPlans, {});
  Fill(20, &writer);
  const absl::Status other_rows = writer.AddColumns(LabelsOf("digit", 19));
  EXPECT_THAT(other_rows, HasReason(ErrorReason::kDatasetRejected));
  EXPECT_THAT(other_rows.message(), HasSubstr("20 rows and the labels have 19"));
  EXPECT_THAT(
      writer.AddColumns(LabelsOf("job", 20)),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("both have a column \"job\"")));
}

}  // namespace
}  // namespace trainyard
