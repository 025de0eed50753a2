#include "core/data/text_dictionary.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(TextDictionaryTest, CodesInOrderOfAppearance) {
  TextDictionary dictionary;
  EXPECT_EQ(dictionary.CodeOf("b"), 0);
  EXPECT_EQ(dictionary.CodeOf("a"), 1);
  EXPECT_EQ(dictionary.CodeOf(""), 2);
  EXPECT_EQ(dictionary.CodeOf("b"), 0);
  EXPECT_THAT(dictionary.texts(), testing::ElementsAre("b", "a", ""));
}

// Of two letters, so that starts and ends of texts are often the same: what differs is in between.
TEST(TextDictionaryTest, TextsAreToldApartByEveryByte) {
  TextDictionary dictionary;
  std::map<std::string, int32_t> codes;
  Rng rng(8, RngStream::kAnalysis);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(rng.Below(20), 'a');
    if (!text.empty()) text[rng.Below(text.size())] = 'b';
    const auto [it, is_new] = codes.emplace(text, static_cast<int32_t>(codes.size()));
    ASSERT_EQ(dictionary.CodeOf(text), it->second) << text;
  }
  EXPECT_EQ(codes.size(), 1 + 19 * 20 / 2);
}

TEST(TextDictionaryTest, AsAMapOfManyTextsOfManySizes) {
  TextDictionary dictionary;
  std::map<std::string, int32_t> codes;
  Rng rng(7, RngStream::kAnalysis);
  for (int i = 0; i < 50'000; ++i) {
    // Short ones, and some longer than a block.
    const uint64_t number = rng.Below(20'000);
    std::string text = absl::StrCat(number);
    if (number % 997 == 0) text.resize(2'000'000, 'x');
    const auto [it, is_new] = codes.emplace(text, static_cast<int32_t>(codes.size()));
    ASSERT_EQ(dictionary.CodeOf(text), it->second);
  }
  ASSERT_EQ(dictionary.texts().size(), codes.size());
  for (const auto& [text, code] : codes) EXPECT_EQ(dictionary.texts()[code], text);
  EXPECT_GT(dictionary.size_bytes(), 15 * 2'000'000);  // most of the 21 long ones were drawn
}

}  // namespace
}  // namespace trainyard
