#include "core/data/ingest.h"

#include <sys/resource.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/limits.h"
#include "core/base/rng.h"
#include "core/data/table_codec.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

absl::StatusOr<IngestResult> Read(std::string bytes, const CsvOptions& options = {}) {
  StringSource source(std::move(bytes));
  return IngestTable(source, {.csv = options});
}

int64_t PeakResidentBytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} << 10;
}

std::vector<std::string> Names(const Table& table) {
  std::vector<std::string> names;
  for (const Column& column : table.columns) names.push_back(column.name);
  return names;
}

TEST(IngestTest, TypesCellsAndStatistics) {
  ASSERT_OK_AND_ASSIGN(const IngestResult result,
                       Read("age, job ,\"income\"\n 39 , State-gov,1e3\n+50,,2\n,Private,-0\n"));
  const Table& table = result.table;
  EXPECT_EQ(table.rows, 3);
  EXPECT_THAT(Names(table), ElementsAre("age", "job", "income"));
  EXPECT_EQ(table.columns[0].type, ColumnType::kNumeric);
  EXPECT_EQ(table.columns[1].type, ColumnType::kText);
  EXPECT_THAT(table.columns[1].categories, ElementsAre("Private", "State-gov"));
  EXPECT_EQ(table.CellText(0, 0), "39");
  EXPECT_EQ(table.CellText(0, 1), "State-gov");
  EXPECT_EQ(table.CellText(1, 1), "");
  EXPECT_EQ(table.CellText(2, 0), "");
  EXPECT_EQ(table.CellText(0, 2), "1000");
  EXPECT_EQ(table.CellText(2, 2), "0");
  EXPECT_EQ(table.columns[0].stats.missing_count, 1);
  EXPECT_EQ(table.columns[0].stats.mean, 44.5);
  EXPECT_EQ(result.csv.header, CsvOptions::Header::kPresent);
  EXPECT_EQ(table.FindColumn("income"), &table.columns[2]);
  EXPECT_EQ(table.FindColumn("Income"), nullptr);
}

TEST(IngestTest, HeaderIsDetected) {
  struct Case {
    const char* name;
    const char* csv;
    bool present;
  };
  const Case cases[] = {
      {"names", "a,b\n1,2\n", true},
      {"a number among them", "a,2\nb,3\n", false},
      {"twice the same", "a,a\nb,c\n", false},
      {"an empty one", "a,\nb,c\n", false},
      {"text that could be names", "x,y\nz,w\n", true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_OK_AND_ASSIGN(const IngestResult result, Read(c.csv));
    EXPECT_EQ(result.csv.header == CsvOptions::Header::kPresent, c.present);
    EXPECT_EQ(result.table.rows, c.present ? 1 : 2);
    EXPECT_EQ(Names(result.table)[1] == "c1", !c.present);
  }
}

TEST(IngestTest, HeaderOptionOverrulesDetection) {
  ASSERT_OK_AND_ASSIGN(const IngestResult absent,
                       Read("x,y\nz,w\n", {.header = CsvOptions::Header::kAbsent}));
  EXPECT_EQ(absent.table.rows, 2);
  ASSERT_OK_AND_ASSIGN(const IngestResult present,
                       Read("1,2\n3,4\n", {.header = CsvOptions::Header::kPresent}));
  EXPECT_THAT(Names(present.table), ElementsAre("1", "2"));
}

TEST(IngestTest, OneColumnIsATableAndGzipIsRecognised) {
  ASSERT_OK_AND_ASSIGN(const IngestResult labels, Read("label\n1\n2\n", {}));
  EXPECT_EQ(labels.table.columns.size(), 1u);
  ASSERT_OK_AND_ASSIGN(const IngestResult semicolons, Read("a;b;c\n1;2;3\n", {}));
  EXPECT_EQ(semicolons.table.columns.size(), 3u);
  EXPECT_THAT(Read(std::string("\x1F\x8B\x08\0\0", 5), {}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cut off")));
}

TEST(IngestTest, WhatIsNoTableIsRejectedWithARemedy) {
  struct Case {
    const char* name;
    std::string bytes;
    CsvOptions options;
    const char* message;
    const char* hint;
  };
  const Case cases[] = {
      {"empty", "", {}, "empty", "at least one row"},
      {"only line breaks", "\n\r\n\n", {}, "empty", "at least one row"},
      {"only a header", "a,b\n", {}, "a header and no rows", "csv.header"},
      {"binary", std::string("PK\0\0,x", 6), {}, "NUL byte", "decompress"},
      {"open quote", "a,b\n1,\"2\n", {}, "line 2 (byte 6): quote left open", "close the quote"},
      {"latin-1 cell",
       "a,b\n1,caf\xE9\n",
       {},
       "line 2, column \"b\": the text is not UTF-8",
       "iconv"},
      {"latin-1 name", "a,caf\xE9\n1,2\n", {}, "not UTF-8", "UTF-8"},
      {"names twice",
       "a,a\n1,2\n",
       {.header = CsvOptions::Header::kPresent},
       "\"a\" is the name of column 1 already",
       "a name of its own"},
      {"empty name",
       "a, \n1,2\n",
       {.header = CsvOptions::Header::kPresent},
       "the name is empty",
       "a name of its own"},
      {"all rows bad",
       "a,b\n1,2,3\n4\n",
       {.bad_rows_max = 9},
       "all 2 rows are bad",
       "bad_rows_max"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const absl::Status status = Read(c.bytes, c.options).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
    EXPECT_THAT(status, HasReason(ErrorReason::kDatasetRejected));
    EXPECT_THAT(GetErrorInfo(status)->hint, HasSubstr(c.hint));
    EXPECT_THAT(GetErrorInfo(status)->in_force, HasSubstr("delimiter"));
  }
}

// 20 rows of "age,job" with `bad` in the age of the third.
std::string MostlyNumbers(const std::string& bad) {
  std::string csv = "age,job\n";
  for (int i = 0; i < 20; ++i) absl::StrAppend(&csv, i == 2 ? bad : absl::StrCat(i), ",x\n");
  return csv;
}

TEST(IngestTest, OtherFormatsAreNamedWithARemedy) {
  struct Case {
    const char* name;
    std::string bytes;
    const char* message;
    const char* hint;
  };
  const std::string zeros(100, '\0');
  const Case cases[] = {
      {"parquet", "PAR1\x15" + zeros, "a Parquet file", "to_csv"},
      {"xls", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + zeros, "an old Excel workbook", "CSV in UTF-8"},
      {"hdf5", "\x89HDF\r\n\x1A\n" + zeros, "an HDF5 file", "to_csv"},
      {"xz",
       std::string("\xFD"
                   "7zXZ\0",
                   6) +
           zeros,
       "an xz file", "gzip or zstd"},
      {"bzip2", "BZh91AY&SY" + zeros, "a bzip2 file", "gzip or zstd"},
      {"utf-16",
       std::string("\xFF\xFE"
                   "a\0,\0",
                   6),
       "text in UTF-16", "iconv"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const absl::Status status = Read(c.bytes).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
    EXPECT_THAT(status, HasReason(ErrorReason::kDatasetRejected));
    EXPECT_THAT(GetErrorInfo(status)->hint, HasSubstr(c.hint));
  }
}

// Gives `unit` over and over, without an end, and counts what is taken.
class EndlessSource : public ByteSource {
 public:
  EndlessSource(std::string start, absl::string_view unit) : start_(std::move(start)) {
    while (chunk_.size() + unit.size() <= kChunkBytes) chunk_.append(unit.data(), unit.size());
  }
  absl::Status Rewind() override {
    first_ = true;
    return absl::OkStatus();
  }
  absl::StatusOr<absl::string_view> Next() override {
    const std::string& bytes = std::exchange(first_, false) ? start_ : chunk_;
    taken_bytes_ += bytes.size();
    return bytes;
  }
  size_t taken_bytes() const { return taken_bytes_; }

 private:
  static constexpr size_t kChunkBytes = size_t{1} << 20;

  const std::string start_;
  std::string chunk_;
  bool first_ = true;
  size_t taken_bytes_ = 0;
};

// What a file may have at most is known long before its end, so that it is not read, nor kept.
TEST(IngestTest, WhatIsFarTooLargeIsRefusedAtOnce) {
  struct Case {
    const char* name;
    const char* start;
    const char* unit;
    const char* message;
  };
  const Case cases[] = {
      {"a million names", "first,", "name,", "10000"},
      {"a million cells", "a,b\n1,", "2,", "10000"},
      {"a field of 100 MB", "a,b\n1,", "x", "1048576"},
      {"a field of 100 MB in quotes", "a,b\n1,\"", "x,\n", "1048576"},
      {"a name of 100 MB", "a,b", "b", "1048576"},
      {"a file without a line break or delimiter", "1", "1", "1048576"},
  };
  constexpr int64_t kMemoryMax = int64_t{64} << 20;
  constexpr size_t kTakenMax = size_t{8} << 20;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EndlessSource source(c.start, c.unit);
    const int64_t before = PeakResidentBytes();
    const absl::Status status = IngestTable(source, {}).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(c.message)));
    EXPECT_THAT(status, HasReason(ErrorReason::kTooLarge));
    EXPECT_LE(source.taken_bytes(), kTakenMax);
    EXPECT_LE(PeakResidentBytes() - before, kMemoryMax);
  }
}

TEST(IngestTest, ABadCellIsNamedByLineColumnAndValue) {
  const absl::Status status = Read(MostlyNumbers("n/a")).status();
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("line 4, column \"age\": expected a number, found \"n/a\"")));
  EXPECT_THAT(
      GetErrorInfo(status)->violations,
      ElementsAre(FieldViolation{"line 4, column \"age\"", "expected a number, found \"n/a\""}));
  EXPECT_THAT(GetErrorInfo(status)->hint, HasSubstr("bad_rows_max"));
}

TEST(IngestTest, BadRowsAreDroppedUpToTheLimit) {
  ASSERT_OK_AND_ASSIGN(const IngestResult result,
                       Read(MostlyNumbers("n/a") + "7\n", {.bad_rows_max = 2}));
  EXPECT_EQ(result.table.rows, 19);
  EXPECT_EQ(result.rejected_row_count, 2);
  ASSERT_THAT(result.rejected_cells, SizeIs(2));
  EXPECT_EQ(result.rejected_cells[0].line, 4);
  EXPECT_EQ(result.rejected_cells[0].column, "age");
  EXPECT_EQ(result.rejected_cells[0].byte_offset, 16);
  EXPECT_EQ(result.rejected_cells[1].column, "");
  EXPECT_EQ(result.rejected_cells[1].expected, "2 fields");
  EXPECT_EQ(result.rejected_cells[1].actual, "1 field");
  EXPECT_THAT(Read(MostlyNumbers("n/a") + "7\n", {.bad_rows_max = 1}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 bad rows, 1 allowed")));
}

TEST(IngestTest, NinetyPercentOfNumbersMakeANumericColumn) {
  std::string csv = "a,b\n";
  for (int i = 0; i < 9; ++i) csv += "1,1\n";
  ASSERT_OK_AND_ASSIGN(const IngestResult nine, Read(csv + "x,1\n", {.bad_rows_max = 1}));
  EXPECT_EQ(nine.table.columns[0].type, ColumnType::kNumeric);
  ASSERT_OK_AND_ASSIGN(const IngestResult eight, Read(csv + "x,1\ny,1\n"));
  EXPECT_EQ(eight.table.columns[0].type, ColumnType::kText);
}

TEST(IngestTest, RejectsAreCountedInFullAndKeptInPart) {
  std::string csv = "a,b\n1,2\n";
  for (int i = 0; i < 300; ++i) csv += "1,2,3\n";
  const absl::Status status = Read(csv).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("300 bad rows")));
  EXPECT_THAT(GetErrorInfo(status)->violations, SizeIs(limits::kRejectsKeptMax));
}

TEST(IngestTest, ActualIsCutToAHundredBytes) {
  std::string euros;
  for (int i = 0; i < 60; ++i) euros += "€";
  ASSERT_OK_AND_ASSIGN(const IngestResult result, Read(MostlyNumbers(euros), {.bad_rows_max = 1}));
  EXPECT_EQ(result.rejected_cells[0].actual.size(), 99u);
}

TEST(IngestTest, ANameOverTheLimitIsTooLarge) {
  const absl::Status status =
      Read(std::string(limits::kColumnNameBytesMax + 1, 'n') + ",b\n1,2\n").status();
  EXPECT_THAT(status, HasReason(ErrorReason::kTooLarge));
}

// A cell of a table of numbers; rarely one that is missing, unusual or bad.
std::string RandomNumberCell(Rng* rng) {
  const uint64_t kind = rng->Below(400);
  const std::string number = absl::StrCat(rng->Normal() * 1000);
  if (kind > 8) return kind % 2 == 0 ? number : absl::StrCat(rng->Below(100'000));
  const std::string cells[] = {
      "", "NA", " 7 ", "1e-7", "x", "-1\t", "1.", "\xC3\xA9", "12345678901234567890"};
  return cells[kind];
}

// Tables of numbers are read in blocks of rows, but for those with quotes.
TEST(IngestTest, NumbersInQuotesAreTheSameTableAndTheSameRejects) {
  Rng rng(26, RngStream::kAnalysis);
  for (const bool carriage_return : {false, true}) {
    std::string plain = "a,b,c,d,e\n";
    std::string quoted = plain;
    const char* const line_end = carriage_return ? "\r\n" : "\n";
    for (int row = 0; row < 8000; ++row) {
      std::vector<std::string> cells(rng.Below(300) == 0 ? 2 * rng.Below(4) : 5);
      for (std::string& cell : cells) cell = RandomNumberCell(&rng);
      absl::StrAppend(&plain, absl::StrJoin(cells, ","), line_end);
      const std::string inside = absl::StrJoin(cells, "\",\"");
      absl::StrAppend(&quoted, cells.empty() ? "" : absl::StrCat("\"", inside, "\""), line_end);
    }
    const CsvOptions options{.bad_rows_max = 1000};
    const auto result = Read(plain, options);
    const auto expected = Read(quoted, options);
    ASSERT_THAT(result, IsOk());
    ASSERT_THAT(expected, IsOk());
    EXPECT_TRUE(EncodeTable(result->table) == EncodeTable(expected->table));
    EXPECT_GT(result->rejected_row_count, 0);
    EXPECT_EQ(result->rejected_row_count, expected->rejected_row_count);
    ASSERT_EQ(result->rejected_cells.size(), expected->rejected_cells.size());
    for (size_t i = 0; i < result->rejected_cells.size(); ++i) {
      EXPECT_EQ(result->rejected_cells[i].line, expected->rejected_cells[i].line);
      EXPECT_EQ(result->rejected_cells[i].actual, expected->rejected_cells[i].actual);
    }
    const auto refused = Read(plain, {.bad_rows_max = 3});
    EXPECT_EQ(refused.status().message(), Read(quoted, {.bad_rows_max = 3}).status().message());
  }
}

TEST(IngestTest, PermutingRowsPermutesCellsAndKeepsStatistics) {
  Rng rng(3, RngStream::kAnalysis);
  std::vector<std::string> lines;
  for (int i = 0; i < 50; ++i) {
    lines.push_back(absl::StrCat(rng.Below(9), ",", rng.Uniform(), ",t", rng.Below(5)));
  }
  const auto table_of = [](const std::vector<std::string>& rows) {
    std::string csv = "a,b,c\n";
    for (const std::string& row : rows) absl::StrAppend(&csv, row, "\n");
    return TableOf(csv);
  };
  const Table table = table_of(lines);
  std::vector<std::string> reversed(lines.rbegin(), lines.rend());
  const Table mirror = table_of(reversed);
  for (int64_t c = 0; c < 3; ++c) {
    EXPECT_EQ(table.columns[c].stats.top_values, mirror.columns[c].stats.top_values);
    EXPECT_DOUBLE_EQ(table.columns[c].stats.mean, mirror.columns[c].stats.mean);
    for (int64_t r = 0; r < 50; ++r) EXPECT_EQ(table.CellText(r, c), mirror.CellText(49 - r, c));
  }
}

// Codes of digits, whose zeros mean something.
TEST(IngestTest, FreeTextKeepsNumbersOfACsvFileAsTheyAreWritten) {
  StringSource codes("code,x\n007,1\n1e3,2\n7,3\n");
  ASSERT_OK_AND_ASSIGN(
      const IngestResult result,
      IngestTable(codes, {.overrides = {{.name = "code", .kind = ColumnKind::kFreeText}}}));
  const Column& column = result.table.columns[0];
  EXPECT_EQ(column.type, ColumnType::kText);
  EXPECT_EQ(column.kind, ColumnKind::kFreeText);
  EXPECT_THAT(column.categories, ElementsAre("007", "1e3", "7"));

  StringSource numbers("1 1:7 2:8\n2 1:9 2:1\n");  // svmlight, which has no text
  EXPECT_THAT(
      IngestTable(numbers, {.overrides = {{.index = 1, .kind = ColumnKind::kFreeText}}}).status(),
      HasReason(ErrorReason::kInvalidRequest));
}

TEST(IngestTest, RealFiles) {
  const std::string folder = absl::StrCat(TY_SOURCE_DIR, "/tests/data/");
  const Table wdbc = TableOf(ReadFileForTest(folder + "wdbc.csv"));
  EXPECT_EQ(wdbc.rows, 569);
  EXPECT_THAT(wdbc.columns, SizeIs(31));
  ASSERT_NE(wdbc.FindColumn("diagnosis"), nullptr);
  EXPECT_THAT(wdbc.FindColumn("diagnosis")->categories, SizeIs(2));
  EXPECT_EQ(wdbc.FindColumn("radius_mean")->stats.missing_count, 0);
  EXPECT_NEAR(wdbc.FindColumn("radius_mean")->stats.mean, 14.127292, 1e-6);
  const Table iris = TableOf(ReadFileForTest(folder + "iris.csv"));
  EXPECT_EQ(iris.rows, 150);
  EXPECT_THAT(iris.FindColumn("species")->categories,
              ElementsAre("setosa", "versicolor", "virginica"));
}

}  // namespace
}  // namespace trainyard
