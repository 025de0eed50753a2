#include "server/rpc/ticker.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/synchronization/notification.h"
#include "server/base/steady_clock.h"

namespace trainyard {
namespace {

TEST(TickerTest, CallsInTheOrderOfTheirTimesNotOfTheirCalls) {
  std::vector<int> order;
  absl::Notification done;
  Ticker ticker;
  const absl::Time now = SteadyNow();
  ticker.At(now + absl::Milliseconds(60), [&] {
    order.push_back(3);
    done.Notify();
  });
  ticker.At(now + absl::Milliseconds(40), [&] { order.push_back(2); });
  ticker.At(now + absl::Milliseconds(20), [&] { order.push_back(1); });
  done.WaitForNotification();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_GE(SteadyNow(), now + absl::Milliseconds(60));
}

TEST(TickerTest, WhatIsCancelledIsNotCalled) {
  absl::Notification done;
  Ticker ticker;
  const Ticker::Id id =
      ticker.At(SteadyNow() + absl::Milliseconds(10), [] { FAIL() << "was cancelled"; });
  ticker.At(SteadyNow() + absl::Milliseconds(30), [&] { done.Notify(); });
  ticker.Cancel(id);
  ticker.Cancel(id);
  ticker.Cancel(0);
  done.WaitForNotification();
}

TEST(TickerTest, ACallbackMayAskForTheNext) {
  int calls = 0;
  absl::Notification done;
  Ticker ticker;
  std::function<void()> again = [&] {
    if (++calls == 3) return done.Notify();
    ticker.At(SteadyNow(), again);
  };
  ticker.At(SteadyNow(), again);
  done.WaitForNotification();
  EXPECT_EQ(calls, 3);
}

TEST(TickerTest, WhatIsFarAwayDoesNotHoldUpTheEnd) {
  Ticker ticker;
  ticker.At(SteadyNow() + absl::Hours(1), [] { FAIL() << "too early"; });
}

}  // namespace
}  // namespace trainyard
