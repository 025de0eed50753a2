#include "core/model/proto_writer.h"

#include "gtest/gtest.h"

namespace trainyard {
namespace {

// The examples of protobuf.dev's "Encoding" page.
TEST(ProtoWriterTest, WritesTheWireFormat) {
  ProtoWriter number;
  number.Int(1, 150);
  EXPECT_EQ(number.bytes(), "\x08\x96\x01");
  ProtoWriter text;
  text.Text(2, "testing");
  EXPECT_EQ(text.bytes(), "\x12\x07testing");
  ProtoWriter real;
  real.Float(2, 1.5F);
  EXPECT_EQ(real.bytes(), std::string("\x15\x00\x00\xc0\x3f", 5));
  ProtoWriter outer;
  outer.Message(3, number);
  EXPECT_EQ(outer.bytes(), "\x1a\x03\x08\x96\x01");
}

TEST(ProtoWriterTest, LargeFieldsAndNumbersTakeMoreBytes) {
  ProtoWriter w;
  w.Int(20, 0);
  EXPECT_EQ(w.bytes(), std::string("\xa0\x01\x00", 3));
  ProtoWriter long_text;
  long_text.Text(9, std::string(300, 'x'));
  EXPECT_EQ(long_text.bytes().substr(0, 3), "\x4a\xac\x02");
}

}  // namespace
}  // namespace trainyard
