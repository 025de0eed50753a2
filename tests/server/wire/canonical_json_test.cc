// Canonical JSON against Python's json (tests/golden/make_receipts.py), RFC 8785's own example, and
// what a strict parser must refuse.
#include "server/wire/canonical_json.h"

#include <fstream>

#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(CanonicalJsonTest, EqualsPythonsOnRandomDocuments) {
  std::ifstream file(TY_SOURCE_DIR "/tests/golden/receipt/canonical.txt", std::ios::binary);
  int documents = 0;
  for (std::string input, expected; std::getline(file, input) && std::getline(file, expected);
       ++documents) {
    ASSERT_OK_AND_ASSIGN(const Json json, ParseJson(input));
    EXPECT_EQ(CanonicalJson(json), expected) << input;
    ASSERT_OK_AND_ASSIGN(const Json again, ParseJson(expected));
    EXPECT_EQ(again, json);
  }
  EXPECT_EQ(documents, 150);
}

// RFC 8785, section 3.2.3.
TEST(CanonicalJsonTest, SortsKeysAsUtf16) {
  ASSERT_OK_AND_ASSIGN(
      const Json json,
      ParseJson(
          R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
                    "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",
                    "\u00f6":"Latin Small Letter O With Diaeresis"})"));
  EXPECT_EQ(CanonicalJson(json),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
            "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro Sign\","
            "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
            "\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(CanonicalJsonTest, MalformedUtf8IsReplacedWhenWritten) {
  EXPECT_EQ(JsonString("a\xFF\xC3z"), "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\"");
  EXPECT_FALSE(IsValidUtf8("\xC3"));
  EXPECT_TRUE(IsValidUtf8("\xC3\xA9"));
}

TEST(CanonicalJsonTest, NumbersOfOthersBecomeText) {
  ASSERT_OK_AND_ASSIGN(const Json json, ParseJson("[1, 0.001, 1e-05, -0, 9007199254740992]",
                                                  {.numbers_as_text = true}));
  EXPECT_EQ(CanonicalJson(json), R"([1,"0.001","1e-05","-0","9007199254740992"])");
}

TEST(CanonicalJsonTest, WhatIsNoJsonIsRefusedAtItsByte) {
  struct Case {
    std::string text;
    const char* at;
  };
  for (const Case& c : std::vector<Case>{{"", "byte 0:"},
                                         {"null", "byte 0:"},
                                         {"{\"a\":1,}", "byte 7:"},
                                         {"{\"a\":1,\"a\":2}", "byte 7:"},
                                         {"{\"a\" 1}", "byte 5:"},
                                         {"[1 2]", "byte 3:"},
                                         {"[1,]", "byte 3:"},
                                         {"01", "byte 0:"},
                                         {"-", "byte 0:"},
                                         {"1.5", "byte 0:"},
                                         {"-0", "byte 0:"},
                                         {"9007199254740992", "byte 0:"},
                                         {"\"\\x\"", "byte 1:"},
                                         {"\"\\u12g4\"", "byte 1:"},
                                         {"\"\\ud800\"", "byte 1:"},
                                         {"\"\\ude00\\ud83d\"", "byte 1:"},
                                         {"\"\n\"", "byte 1:"},
                                         {"\"\xC0\x80\"", "byte 1:"},
                                         {"\"\xED\xA0\x80\"", "byte 1:"},
                                         {"\"abc", "byte 4:"},
                                         {"1 1", "byte 2:"},
                                         {"tru", "byte 0:"}}) {
    const auto json = ParseJson(c.text);
    EXPECT_THAT(json, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.at))) << c.text;
    EXPECT_THAT(json, HasReason(ErrorReason::kInvalidRequest)) << c.text;
  }
}

TEST(CanonicalJsonTest, LimitsHold) {
  const std::string open(kJsonDepthMax + 1, '['), close(kJsonDepthMax + 1, ']');
  EXPECT_THAT(ParseJson(open.substr(1) + close.substr(1)), IsOk());
  EXPECT_THAT(ParseJson(open + "1" + close), HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(ParseJson(std::string(kJsonBytesMax + 1, ' ')), HasReason(ErrorReason::kTooLarge));
}

}  // namespace
}  // namespace trainyard
