#include "core/base/coding.h"

#include <string>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

std::string OneOfEach() {
  ByteWriter writer;
  writer.U8(0xab);
  writer.U32(0x01020304);
  writer.U64(0x1122334455667788u);
  writer.I64(-2);
  writer.F64(-0.5);
  writer.String("abc");
  return std::move(writer).Take();
}

// Reads what OneOfEach wrote; the number of fields that could be read.
int CountReadable(absl::string_view bytes) {
  ByteReader reader(bytes);
  uint8_t u8 = 0;
  uint32_t u32 = 0;
  uint64_t u64 = 0;
  int64_t i64 = 0;
  double f64 = 0;
  std::string s;
  if (!reader.U8(&u8)) return 0;
  if (!reader.U32(&u32)) return 1;
  if (!reader.U64(&u64)) return 2;
  if (!reader.I64(&i64)) return 3;
  if (!reader.F64(&f64)) return 4;
  if (!reader.String(&s, 3)) return 5;
  EXPECT_EQ(u8, 0xab);
  EXPECT_EQ(u32, 0x01020304u);
  EXPECT_EQ(u64, 0x1122334455667788u);
  EXPECT_EQ(i64, -2);
  EXPECT_EQ(f64, -0.5);
  EXPECT_EQ(s, "abc");
  EXPECT_TRUE(reader.done());
  return 6;
}

TEST(CodingTest, ReadsBackWhatWasWritten) { EXPECT_EQ(CountReadable(OneOfEach()), 6); }

TEST(CodingTest, NumbersAreLittleEndian) {
  ByteWriter writer;
  writer.U32(0x01020304);
  EXPECT_EQ(writer.bytes(), "\x04\x03\x02\x01");
}

TEST(CodingTest, NoPrefixReadsWhole) {
  const std::string bytes = OneOfEach();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_LT(CountReadable(absl::string_view(bytes).substr(0, size)), 6) << size;
  }
}

TEST(CodingTest, AFailedReadLeavesTheReaderAsItWas) {
  ByteWriter writer;
  writer.String("four");
  ByteReader reader(writer.bytes());
  std::string s = "untouched";
  EXPECT_FALSE(reader.String(&s, /*size_max=*/3));
  EXPECT_EQ(s, "untouched");
  EXPECT_TRUE(reader.String(&s, /*size_max=*/4));
  EXPECT_EQ(s, "four");
}

TEST(CodingTest, ALengthBeyondTheEndIsRefused) {
  ByteWriter writer;
  writer.U32(0xffffffff);
  writer.U8(1);
  ByteReader reader(writer.bytes());
  std::string s;
  EXPECT_FALSE(reader.String(&s, size_t{1} << 40));
  EXPECT_EQ(reader.remaining(), 5u);
}

}  // namespace
}  // namespace trainyard
