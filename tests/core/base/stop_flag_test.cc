#include "core/base/stop_flag.h"

#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(StopFlagTest, StartsUnset) {
  const StopFlag stop;
  EXPECT_FALSE(stop.requested());
  EXPECT_EQ(stop.cause(), StopCause::kNone);
}

TEST(StopFlagTest, TheFirstCauseStays) {
  StopFlag stop;
  stop.Request(StopCause::kRuntimeLimit);
  stop.Request(StopCause::kCancelled);
  EXPECT_EQ(stop.cause(), StopCause::kRuntimeLimit);
}

}  // namespace
}  // namespace trainyard
