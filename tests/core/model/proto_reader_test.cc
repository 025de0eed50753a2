#include "core/model/proto_reader.h"

#include <string>
#include <vector>

#include "core/model/proto_writer.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

// The examples of protobuf.dev's "Encoding" page.
TEST(ProtoReaderTest, ReadsTheWireFormat) {
  const std::string bytes("\x08\x96\x01\x12\x07testing\x1d\x00\x00\xc0\x3f", 17);
  ProtoReader reader(bytes);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 1);
  EXPECT_EQ(reader.integer(), 150);
  EXPECT_EQ(reader.text(), "");
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 2);
  EXPECT_EQ(reader.text(), "testing");
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 3);
  EXPECT_EQ(reader.number(), 1.5F);
  EXPECT_FALSE(reader.Next());
  EXPECT_THAT(reader.status(), IsOk());
}

TEST(ProtoReaderTest, NegativeNumbersComeBack) {
  ProtoWriter writer;
  writer.Int(3, -1);
  EXPECT_EQ(writer.bytes().size(), 11);  // ten bytes of two's complement, as protobuf has it
  ProtoReader reader(writer.bytes());
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.integer(), -1);
}

TEST(ProtoReaderTest, RepeatedNumbersArePackedOrNot) {
  ProtoWriter writer;
  writer.Int(8, 300);
  writer.Text(8, std::string("\x03\x8e\x02\x9e\xa7\x05", 6));  // 3, 270, 86942
  writer.Float(7, 2.5F);
  writer.Text(7, std::string("\x00\x00\xc0\x3f", 4));
  std::vector<int64_t> integers;
  std::vector<float> floats;
  ProtoReader reader(writer.bytes());
  while (reader.Next()) {
    if (reader.field() == 8) reader.AppendIntegers(&integers);
    if (reader.field() == 7) reader.AppendFloats(&floats);
  }
  EXPECT_THAT(reader.status(), IsOk());
  EXPECT_EQ(integers, (std::vector<int64_t>{300, 3, 270, 86942}));
  EXPECT_EQ(floats, (std::vector<float>{2.5F, 1.5F}));
}

TEST(ProtoReaderTest, WhatIsCutOffOrUnknownIsAnError) {
  for (const absl::string_view bytes :
       {"\x08", "\x08\x96", "\x12\x07test", "\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\x1d\x01",
        "\x0b", "\x09\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"}) {
    ProtoReader reader(bytes);
    while (reader.Next()) {
    }
    EXPECT_THAT(reader.status(), HasReason(ErrorReason::kDataLoss));
  }
}

}  // namespace
}  // namespace trainyard
