#include "server/auth/rate_limiter.h"

#include "absl/strings/str_cat.h"
#include "server/wire/error_detail.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

constexpr absl::Time kStart = absl::UnixEpoch();

// Takes until one is refused; at most `max`.
int TakeAll(RateLimiter& limiter, const std::string& key, absl::Time now, int max = 10'000) {
  for (int taken = 0; taken < max; ++taken) {
    if (!limiter.Take(key, now).ok()) return taken;
  }
  return max;
}

TEST(RateLimiterTest, BurstAtOnceThenRate) {
  RateLimiter limiter({.rate = 10, .burst = 20});
  EXPECT_EQ(TakeAll(limiter, "ann", kStart), 20);
  EXPECT_EQ(TakeAll(limiter, "ann", kStart + absl::Milliseconds(99)), 0);
  EXPECT_EQ(TakeAll(limiter, "ann", kStart + absl::Milliseconds(500)), 5);
  EXPECT_EQ(TakeAll(limiter, "ann", kStart + absl::Hours(1)), 20);
}

TEST(RateLimiterTest, OneKeyDoesNotCostAnother) {
  RateLimiter limiter({.rate = 1, .burst = 3});
  EXPECT_EQ(TakeAll(limiter, "ann", kStart), 3);
  EXPECT_EQ(TakeAll(limiter, "bob", kStart), 3);
}

TEST(RateLimiterTest, ARefusalSaysWhenToTryAgainAndThenItWorks) {
  RateLimiter limiter({.rate = 0.1, .burst = 1});
  ASSERT_THAT(limiter.Take("ann", kStart), IsOk());
  const absl::Status refused = limiter.Take("ann", kStart);
  EXPECT_THAT(refused, HasReason(ErrorReason::kRateLimited));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  const auto info = GetErrorInfo(refused);
  ASSERT_TRUE(info.has_value());
  ASSERT_EQ(info->metadata.size(), 1u);
  EXPECT_EQ(info->metadata[0].first, kRetryAfterKey);
  EXPECT_EQ(info->metadata[0].second, "10");
  EXPECT_THAT(limiter.Take("ann", kStart + absl::Seconds(9)), HasReason(ErrorReason::kRateLimited));
  EXPECT_THAT(limiter.Take("ann", kStart + absl::Seconds(10.001)), IsOk());
}

TEST(RateLimiterTest, ZeroIsNoLimit) {
  RateLimiter limiter({.rate = 0, .burst = 0});
  EXPECT_EQ(TakeAll(limiter, "ann", kStart, 1'000), 1'000);
  EXPECT_EQ(limiter.size(), 0u);
}

TEST(RateLimiterTest, KeysAreBoundedAndThoseBeyondShareABucket) {
  RateLimiter limiter({.rate = 1, .burst = 2, .keys_max = 4});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(TakeAll(limiter, absl::StrCat("k", i), kStart), 2);
  EXPECT_EQ(TakeAll(limiter, "beyond", kStart), 2);
  EXPECT_EQ(TakeAll(limiter, "beyond too", kStart), 0);
  for (int i = 0; i < 1'000; ++i) (void)limiter.Take(absl::StrCat("x", i), kStart);
  EXPECT_LE(limiter.size(), 4u);
  // Later all buckets are full again, so the old keys make room.
  EXPECT_EQ(TakeAll(limiter, "new", kStart + absl::Seconds(10)), 2);
  EXPECT_LE(limiter.size(), 4u);
}

}  // namespace
}  // namespace trainyard
