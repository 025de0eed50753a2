#include "server/storage/paging.h"

#include <limits>

#include "core/base/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(PagingTest, DefaultsAndLimits) {
  EXPECT_EQ(ParsePage(0, "")->size, limits::kPageSizeDefault);
  EXPECT_EQ(ParsePage(0, "")->before_number, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParsePage(7, "41")->size, 7);
  EXPECT_EQ(ParsePage(7, "41")->before_number, 41);
  EXPECT_EQ(ParsePage(1'000'000, "")->size, limits::kPageSizeMax);
}

TEST(PagingTest, AllFaultsAtOnce) {
  for (const char* token : {"x", "-3", "0", "9223372036854775808"}) {
    const auto page = ParsePage(-1, token);
    EXPECT_THAT(page, StatusIs(absl::StatusCode::kInvalidArgument,
                               AllOf(HasSubstr("page_size"), HasSubstr("page_token"))));
    EXPECT_THAT(page, HasReason(ErrorReason::kInvalidRequest));
  }
}

}  // namespace
}  // namespace trainyard
