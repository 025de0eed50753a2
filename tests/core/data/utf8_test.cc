#include "core/data/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(Utf8Test, AcceptsEveryLengthAndTheBorders) {
  for (const char* text :
       {"", "plain ascii text, longer than eight", "é", "€", "😀", "\xC2\x80", "\xE0\xA0\x80",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "seven!!€after"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
}

TEST(Utf8Test, RefusesMalformedBytes) {
  for (const char* text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x9F\xBF", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "caf\xE9",
        "eight by\xE2\x82", "\xE2\x82x"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

TEST(Utf8Test, PrefixCutsNoCharacter) {
  EXPECT_EQ(Utf8Prefix("abc", 5), "abc");
  EXPECT_EQ(Utf8Prefix("abc", 2), "ab");
  EXPECT_EQ(Utf8Prefix("a€b", 3), "a");
  EXPECT_EQ(Utf8Prefix("a€b", 4), "a€");
}

}  // namespace
}  // namespace trainyard
