#include "server/wire/names.h"

#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(NamesTest, ParseGivesBackWhatMakeMade) {
  ASSERT_OK_AND_ASSIGN(const std::string id, ParseName(kDatasets, MakeName(kDatasets, "a-1")));
  EXPECT_EQ(id, "a-1");
}

TEST(NamesTest, WhatIsNoNameIsRefusedWithTheExpectedForm) {
  const std::string too_long = "datasets/" + std::string(64, 'a');
  for (const std::string& name :
       {std::string(), std::string("datasets"), std::string("datasets/"), std::string("datasets/A"),
        std::string("datasets/a/b"), std::string("models/a"), std::string("datasets/../x"),
        too_long}) {
    SCOPED_TRACE(name);
    const auto id = ParseName(kDatasets, name);
    EXPECT_THAT(id, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("datasets/{id}")));
    EXPECT_THAT(id, HasReason(ErrorReason::kInvalidRequest));
  }
  EXPECT_THAT(ParseName(kDatasets, "datasets/" + std::string(63, 'a')), IsOk());
}

TEST(NamesTest, NotFoundSaysWhatAndWhereToLook) {
  const absl::Status status = NotFound("models/x");
  EXPECT_THAT(status, HasReason(ErrorReason::kNotFound));
  const auto info = GetErrorInfo(status);
  EXPECT_EQ(info->hint, "`trainyard model list` shows what there is");
  EXPECT_EQ(info->metadata.front().second, "models/x");
}

}  // namespace
}  // namespace trainyard
