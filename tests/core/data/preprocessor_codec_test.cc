#include "core/data/preprocessor_codec.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

std::vector<ColumnTransform> OneOfEach() {
  ColumnTransform number{.offset = 1.5, .scale = 0.25, .fill = 2, .missing_indicator = true};
  ColumnTransform one_hot{.encoding = Encoding::kOneHot,
                          .missing_indicator = true,
                          .categories = {"a", "b"},
                          .other_bucket = true,
                          .unseen = UnseenCategory::kOther};
  ColumnTransform ordinal{.encoding = Encoding::kOrdinal,
                          .offset = 1,
                          .scale = 2,
                          .categories = {"1", "2"},
                          .numeric_categories = true,
                          .unseen = UnseenCategory::kRefuse};
  ColumnTransform hashing{
      .encoding = Encoding::kHashing, .buckets = 16, .unseen = UnseenCategory::kZeros};
  return {number, one_hot, ordinal, hashing};
}

std::string Encode(const Preprocessor& preprocessor) {
  ByteWriter w;
  WritePreprocessor(preprocessor, &w);
  return std::move(w).Take();
}

bool Decodes(const std::string& bytes) {
  ByteReader r(bytes);
  Preprocessor ignored;
  return ReadPreprocessor(&r, &ignored) && r.done();
}

TEST(PreprocessorCodecTest, EveryKindComesBack) {
  const Preprocessor preprocessor(OneOfEach(), {"?", "n/a"});
  const std::string bytes = Encode(preprocessor);
  ByteReader r(bytes);
  Preprocessor back;
  ASSERT_TRUE(ReadPreprocessor(&r, &back));
  EXPECT_TRUE(r.done());
  EXPECT_TRUE(back == preprocessor);
  EXPECT_EQ(Encode(back), bytes);
}

TEST(PreprocessorCodecTest, ACutIsFound) {
  const std::string bytes = Encode(Preprocessor(OneOfEach(), {"?"}));
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(Decodes(bytes.substr(0, size)));
}

TEST(PreprocessorCodecTest, WhatIsImpossibleIsRefused) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<ColumnTransform> impossible = {
      {.offset = infinity},
      {.scale = nan},
      {.fill = infinity},
      {.buckets = 3},
      {.categories = {"a"}},
      {.encoding = Encoding::kUnspecified},
      {.encoding = static_cast<Encoding>(9)},
      {.encoding = Encoding::kOneHot, .categories = {"a", "a"}},
      {.encoding = Encoding::kOneHot, .fill = 1, .categories = {"a"}},
      {.encoding = Encoding::kOrdinal, .categories = {"a"}, .other_bucket = true},
      {.encoding = Encoding::kOneHot},
      {.encoding = Encoding::kOneHot, .categories = {"a"}, .unseen = UnseenCategory::kOther},
      {.encoding = Encoding::kOneHot, .scale = 2, .categories = {"a"}},
      {.encoding = Encoding::kOneHot, .categories = {"1.0"}, .numeric_categories = true},
      {.encoding = Encoding::kOneHot, .categories = {"x"}, .numeric_categories = true},
      {.encoding = Encoding::kOrdinal, .categories = {"a"}, .unseen = UnseenCategory::kOther},
      {.encoding = Encoding::kHashing, .buckets = 1},
      {.encoding = Encoding::kHashing},
      {.encoding = Encoding::kHashing, .buckets = 1 << 20},
      {.unseen = UnseenCategory::kUnspecified},
  };
  for (size_t i = 0; i < impossible.size(); ++i) {
    const Preprocessor preprocessor({impossible[i]});
    EXPECT_FALSE(IsValidPreprocessor(preprocessor)) << i;
    EXPECT_FALSE(Decodes(Encode(preprocessor))) << i;
  }
}

}  // namespace
}  // namespace trainyard
