#include "core/data/table_codec.h"

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/crc32c.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(TableCodecTest, DecodeOfEncodeIsTheSameTable) {
  const Table table = SmallTable();
  ASSERT_OK_AND_ASSIGN(const Table back, DecodeTable(EncodeTable(table)));
  EXPECT_EQ(back.rows, table.rows);
  ASSERT_EQ(back.columns.size(), table.columns.size());
  for (int64_t c = 0; c < 3; ++c) {
    EXPECT_EQ(back.columns[c].name, table.columns[c].name);
    EXPECT_EQ(back.columns[c].type, table.columns[c].type);
    EXPECT_EQ(back.columns[c].categories, table.columns[c].categories);
    EXPECT_EQ(back.columns[c].stats.top_values, table.columns[c].stats.top_values);
    EXPECT_EQ(back.columns[c].stats.standard_deviation, table.columns[c].stats.standard_deviation);
    for (int64_t r = 0; r < table.rows; ++r) EXPECT_EQ(back.CellText(r, c), table.CellText(r, c));
  }
  EXPECT_EQ(EncodeTable(back), EncodeTable(table));
}

TEST(TableCodecTest, VersionOneFilesAreReadForever) {
  const std::string golden =
      ReadFileForTest(absl::StrCat(TY_SOURCE_DIR, "/tests/golden/table_v1.bin"));
  ASSERT_OK_AND_ASSIGN(const Table table, DecodeTable(golden));
  EXPECT_EQ(table.CellText(2, 1), "1e+20");
  EXPECT_EQ(EncodeTable(table), golden);
  EXPECT_EQ(EncodeTable(SmallTable()), golden);
}

TEST(TableCodecTest, EveryFlippedByteIsNoticed) {
  const std::string bytes = EncodeTable(SmallTable());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {1, 128, 255}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const absl::StatusOr<Table> table = DecodeTable(damaged);
      ASSERT_FALSE(table.ok()) << "byte " << i;
      ASSERT_TRUE(GetErrorInfo(table.status()).has_value());
    }
  }
}

TEST(TableCodecTest, EveryTruncationAndAnExtraByteIsDataLoss) {
  const std::string bytes = EncodeTable(SmallTable());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_THAT(DecodeTable(absl::string_view(bytes).substr(0, size)),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
  }
  EXPECT_THAT(DecodeTable(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("after")));
}

TEST(TableCodecTest, ANewerVersionIsRefusedWithBothNumbers) {
  std::string bytes = EncodeTable(SmallTable());
  bytes[8] = 9;
  EXPECT_THAT(DecodeTable(bytes), StatusIs(absl::StatusCode::kFailedPrecondition,
                                           HasSubstr("version 9; this build reads up to 1")));
}

// The header with its checksum made right again, so that what is checked after it is reached.
std::string WithHeaderByte(std::string bytes, size_t position, char value) {
  bytes[position] = value;
  uint64_t size = 0;
  std::memcpy(&size, bytes.data() + 12, sizeof size);
  const uint32_t crc = crc32c::Value(absl::string_view(bytes).substr(20, size));
  std::memcpy(bytes.data() + 20 + size, &crc, sizeof crc);
  return bytes;
}

TEST(TableCodecTest, NoHeaderByteCanCrashTheReader) {
  const std::string bytes = EncodeTable(SmallTable());
  uint64_t size = 0;
  std::memcpy(&size, bytes.data() + 12, sizeof size);
  for (size_t i = 20; i < 20 + size; ++i) {
    for (const int value : {0, 1, 2, 127, 255}) {
      const absl::StatusOr<Table> table =
          DecodeTable(WithHeaderByte(bytes, i, static_cast<char>(value)));
      EXPECT_TRUE(!table.ok() || table->rows == 4);
    }
  }
}

}  // namespace
}  // namespace trainyard
