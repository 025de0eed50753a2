#include "server/rpc/drain_signal.h"

#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

TEST(DrainSignalTest, CallsThoseWhoAreStillSubscribedOnce) {
  DrainSignal signal;
  int first = 0, second = 0;
  auto a = signal.Subscribe([&] { ++first; });
  auto b = signal.Subscribe([&] { ++second; });
  b.reset();
  EXPECT_FALSE(signal.draining());
  signal.Begin();
  signal.Begin();
  EXPECT_TRUE(signal.draining());
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

TEST(DrainSignalTest, AListenerMayEndItsSubscription) {
  DrainSignal signal;
  std::unique_ptr<DrainSignal::Subscription> subscription;
  subscription = signal.Subscribe([&] { subscription.reset(); });
  signal.Begin();
  EXPECT_EQ(subscription, nullptr);
}

TEST(DrainSignalTest, TheErrorMayBeRetried) {
  EXPECT_THAT(DrainingError(),
              StatusIs(absl::StatusCode::kUnavailable, testing::HasSubstr("stopping")));
  EXPECT_THAT(DrainingError(), HasReason(ErrorReason::kDraining));
}

}  // namespace
}  // namespace trainyard
