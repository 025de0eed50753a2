#include "core/data/table_codec.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/crc32c.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// A container as gmock knows them.
template <typename T>
std::vector<T> Values(const Cells<T>& cells) {
  return {cells.begin(), cells.end()};
}

std::string Golden(const std::string& name) {
  return ReadFileForTest(absl::StrCat(TY_SOURCE_DIR, "/tests/golden/", name));
}

void ExpectSameTables(const Table& a, const Table& b) {
  EXPECT_EQ(a.rows, b.rows);
  ASSERT_EQ(a.columns.size(), b.columns.size());
  for (size_t i = 0; i < a.columns.size(); ++i) {
    const Column& x = a.columns[i];
    const Column& y = b.columns[i];
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.type, y.type);
    EXPECT_EQ(x.kind, y.kind);
    EXPECT_EQ(x.categories, y.categories);
    EXPECT_EQ(x.codes, y.codes);
    EXPECT_EQ(x.stats.missing_count, y.stats.missing_count);
    EXPECT_EQ(x.stats.distinct_count, y.stats.distinct_count);
    EXPECT_DOUBLE_EQ(x.stats.mean, y.stats.mean);
    EXPECT_DOUBLE_EQ(x.stats.standard_deviation, y.stats.standard_deviation);
    EXPECT_EQ(x.stats.quantiles, y.stats.quantiles);
    EXPECT_EQ(x.stats.top_values, y.stats.top_values);
    for (int64_t r = 0; r < a.rows; ++r)
      EXPECT_EQ(a.CellText(r, static_cast<int64_t>(i)), b.CellText(r, static_cast<int64_t>(i)));
  }
}

TEST(TableCodecTest, DecodeOfEncodeIsTheSameTable) {
  const Table table = SmallTable();
  ASSERT_OK_AND_ASSIGN(const Table back, DecodeTable(EncodeTable(table)));
  ExpectSameTables(back, table);
  EXPECT_EQ(EncodeTable(back), EncodeTable(table));
}

TEST(TableCodecTest, VersionOneFilesAreReadForever) {
  ASSERT_OK_AND_ASSIGN(const Table table, DecodeTable(Golden("table_v1.bin")));
  EXPECT_EQ(table.CellText(2, 1), "1e+20");
  EXPECT_EQ(table.columns[2].kind, ColumnKind::kCategory);
  EXPECT_THAT(table.columns[0].stats.quantiles, SizeIs(7));
  ExpectSameTables(table, SmallTable());
}

// make_table.py computes its statistics with numpy and knows the format from the header's words.
TEST(TableCodecTest, VersionTwoFilesAreReadForever) {
  const std::string golden = Golden("table_v2.bin");
  ASSERT_OK_AND_ASSIGN(Table table, DecodeTable(golden));
  EXPECT_EQ(EncodeTable(table), golden);
  EXPECT_EQ(table.columns[3].name, "zip");
  EXPECT_EQ(table.columns[3].kind, ColumnKind::kCategory);
  EXPECT_TRUE(table.columns[3].kind_given);
  EXPECT_THAT(Values(table.columns[3].numbers), ElementsAre(1010, 1020, 1010, 99));
  table.columns.pop_back();
  ExpectSameTables(table, SmallTable());
}

// The table of `bytes`, opened as a file.
absl::StatusOr<Table> Open(const std::string& bytes, const OpenTableOptions& options = {}) {
  const std::string path = absl::StrCat(testing::TempDir(), "/table");
  std::filesystem::remove(path);  // what is mapped must not change
  std::ofstream(path, std::ios::binary) << bytes;
  return OpenTable(path, options);
}

TEST(TableCodecTest, AnOpenedTableIsAViewOfItsFile) {
  ASSERT_OK_AND_ASSIGN(const Table table, Open(EncodeTable(SmallTable())));
  ExpectSameTables(table, SmallTable());
  EXPECT_EQ(table.columns[0].numbers.owned_bytes(), 0);
  EXPECT_EQ(table.columns[2].codes.owned_bytes(), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(table.columns[1].numbers.data()) % 64, 0u);
  // The cells live on when the table is gone.
  absl::StatusOr<Table> again = Open(EncodeTable(SmallTable()));
  const Cells<double> cells = again->columns[0].numbers;
  again = absl::UnknownError("gone");
  EXPECT_EQ(cells, SmallTable().columns[0].numbers);
}

TEST(TableCodecTest, AnOpenedFileOfVersionOneIsRead) {
  ASSERT_OK_AND_ASSIGN(const Table table, Open(Golden("table_v1.bin")));
  ExpectSameTables(table, SmallTable());
}

TEST(TableCodecTest, DamagedCellsAreFoundWhenAskedFor) {
  std::string bytes = EncodeTable(SmallTable());
  bytes[65] = static_cast<char>(bytes[65] ^ 1);
  EXPECT_THAT(Open(bytes).status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum of column \"size\"")));
  ASSERT_OK_AND_ASSIGN(const Table table, Open(bytes, {.check_cells = false}));
  EXPECT_NE(table.columns[0].numbers[0], 1);
  std::string damaged_header = EncodeTable(SmallTable());
  const size_t inside = damaged_header.size() - 50;
  damaged_header[inside] = static_cast<char>(damaged_header[inside] ^ 1);
  EXPECT_THAT(Open(damaged_header, {.check_cells = false}).status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("/table\": table file is damaged: "
                                                              "checksum of the header")));
}

TEST(TableCodecTest, EveryFlippedByteIsNoticed) {
  for (const std::string& bytes : {EncodeTable(SmallTable()), Golden("table_v1.bin")}) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 + i % 255));
      const absl::StatusOr<Table> table = DecodeTable(damaged);
      ASSERT_FALSE(table.ok()) << "byte " << i;
      ASSERT_TRUE(GetErrorInfo(table.status()).has_value());
    }
  }
}

TEST(TableCodecTest, EveryTruncationAndAnExtraByteIsDataLoss) {
  for (const std::string& bytes : {EncodeTable(SmallTable()), Golden("table_v1.bin")}) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_THAT(DecodeTable(absl::string_view(bytes).substr(0, size)),
                  StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
    }
    EXPECT_THAT(DecodeTable(bytes + "x"),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
  }
}

TEST(TableCodecTest, ANewerVersionIsRefusedWithBothNumbers) {
  std::string bytes = EncodeTable(SmallTable());
  bytes[8] = 9;
  EXPECT_THAT(DecodeTable(bytes), StatusIs(absl::StatusCode::kFailedPrecondition,
                                           HasSubstr("version 9; this build reads up to 2")));
}

// Where the header is, and a file with one byte of it replaced and its checksum made right again,
// so that what is checked after it is reached.
size_t HeaderBegin(const std::string& bytes) {
  uint64_t size = 0;
  std::memcpy(&size, bytes.data() + bytes.size() - 20, sizeof size);
  return bytes.size() - 20 - size;
}

std::string WithHeaderByte(std::string bytes, size_t position, char value) {
  bytes[position] = value;
  const size_t begin = HeaderBegin(bytes);
  const uint32_t crc =
      crc32c::Value(absl::string_view(bytes).substr(begin, bytes.size() - 20 - begin));
  std::memcpy(bytes.data() + bytes.size() - 12, &crc, sizeof crc);
  return bytes;
}

TEST(TableCodecTest, NoHeaderByteCanCrashTheReader) {
  const std::string bytes = EncodeTable(SmallTable());
  for (size_t i = HeaderBegin(bytes); i < bytes.size() - 20; ++i) {
    for (const int value : {0, 1, 2, 127, 255}) {
      const absl::StatusOr<Table> table =
          DecodeTable(WithHeaderByte(bytes, i, static_cast<char>(value)));
      EXPECT_TRUE(!table.ok() || table->rows == 4);
    }
  }
}

}  // namespace
}  // namespace trainyard
