#include "server/services/watch_filter.h"

#include <gtest/gtest.h>

#include "server/jobs/job.h"

namespace trainyard {
namespace {

v1::JobEvent Step(int64_t ms) {
  v1::JobEvent event;
  event.mutable_step();
  *event.mutable_create_time() = ToTimestamp(absl::FromUnixMillis(ms));
  return event;
}

v1::JobEvent Epoch() {
  v1::JobEvent event;
  event.mutable_epoch();
  return event;
}

v1::JobEvent Change(v1::JobState to) {
  v1::JobEvent event;
  event.mutable_state_change()->set_to(to);
  return event;
}

TEST(WatchFilterTest, WithoutWishesEverythingPasses) {
  WatchFilter filter({}, absl::ZeroDuration());
  EXPECT_TRUE(filter.Admit(Step(0)));
  EXPECT_TRUE(filter.Admit(Step(0)));
  EXPECT_TRUE(filter.Admit(Epoch()));
  EXPECT_EQ(filter.TakeCoalesced(), 0);
}

TEST(WatchFilterTest, KindsLeaveOutOthersButNeverStateChangesAndRewinds) {
  WatchFilter filter({v1::EVENT_KIND_EPOCH}, absl::ZeroDuration());
  v1::JobEvent rewind;
  rewind.mutable_rewind();
  EXPECT_FALSE(filter.Admit(Step(0)));
  EXPECT_TRUE(filter.Admit(Epoch()));
  EXPECT_TRUE(filter.Admit(rewind));
  EXPECT_TRUE(filter.Admit(Change(v1::JOB_STATE_RUNNING)));
  EXPECT_EQ(filter.TakeCoalesced(), 0);  // left out by kind is not coalesced
}

TEST(WatchFilterTest, StepsCloserThanTheIntervalAreCountedForTheNextEvent) {
  WatchFilter filter({}, absl::Milliseconds(100));
  EXPECT_TRUE(filter.Admit(Step(1'000)));
  EXPECT_FALSE(filter.Admit(Step(1'050)));
  EXPECT_FALSE(filter.Admit(Step(1'099)));
  EXPECT_TRUE(filter.Admit(Step(1'100)));
  EXPECT_EQ(filter.TakeCoalesced(), 2);
  EXPECT_FALSE(filter.Admit(Step(1'150)));
  EXPECT_TRUE(filter.Admit(Epoch()));
  EXPECT_EQ(filter.TakeCoalesced(), 1);
  EXPECT_EQ(filter.TakeCoalesced(), 0);
}

TEST(WatchFilterTest, AClockThatWasSetBackDoesNotSilenceAWatcher) {
  WatchFilter filter({}, absl::Milliseconds(100));
  EXPECT_TRUE(filter.Admit(Step(10'000)));
  EXPECT_TRUE(filter.Admit(Step(5'000)));
  EXPECT_FALSE(filter.Admit(Step(5'050)));
}

TEST(WatchFilterTest, OnlyATerminalStateChangeIsTheEnd) {
  EXPECT_TRUE(IsTerminalEvent(Change(v1::JOB_STATE_SUCCEEDED)));
  EXPECT_TRUE(IsTerminalEvent(Change(v1::JOB_STATE_FAILED)));
  EXPECT_TRUE(IsTerminalEvent(Change(v1::JOB_STATE_CANCELLED)));
  EXPECT_FALSE(IsTerminalEvent(Change(v1::JOB_STATE_CANCELLING)));
  EXPECT_FALSE(IsTerminalEvent(Epoch()));
}

}  // namespace
}  // namespace trainyard
