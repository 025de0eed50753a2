#include "server/worker/reporter.h"

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/recording_sink.h"

namespace trainyard {
namespace {

v1::JobEvent Step(int64_t step) {
  v1::JobEvent event;
  event.mutable_step()->set_step(step);
  return event;
}

TEST(ReporterTest, EverythingArrivesInOrderInBatchesOfBoundedSize) {
  RecordingSink sink;
  StopFlag stop;
  Reporter reporter({.job = "trainingJobs/a", .attempt = 3}, &sink, &stop);
  constexpr int64_t kEvents = 20'000;  // more than may wait: Add has to block and go on
  for (int64_t i = 0; i < kEvents; ++i) reporter.Add(Step(i));
  reporter.SetProgress(kEvents, kEvents * 4);
  reporter.Finish();
  const std::vector<v1::JobEvent> events = sink.events();
  ASSERT_EQ(static_cast<int64_t>(events.size()), kEvents);
  for (int64_t i = 0; i < kEvents; ++i) ASSERT_EQ(events[static_cast<size_t>(i)].step().step(), i);
  for (const v1::WorkRequest& request : sink.requests()) {
    EXPECT_LE(request.events().events_size(), static_cast<int>(Reporter::kBatchEventsMax));
    EXPECT_EQ(request.events().job(), "trainingJobs/a");
    EXPECT_EQ(request.events().attempt(), 3);
  }
  EXPECT_EQ(sink.requests().back().events().steps_done(), kEvents);
  EXPECT_EQ(sink.requests().back().events().rows_done(), kEvents * 4);
}

TEST(ReporterTest, TheFirstEventDoesNotWaitForABatch) {
  RecordingSink sink;
  StopFlag stop;
  Reporter reporter({}, &sink, &stop);
  reporter.Add(Step(0));
  ASSERT_TRUE(sink.WaitForRequests(1));
  EXPECT_LE(sink.requests()[0].events().busy_seconds(), 10);
}

TEST(ReporterTest, CountersComeWithoutEvents) {
  RecordingSink sink;
  StopFlag stop;
  Reporter reporter({}, &sink, &stop);
  reporter.SetProgress(7, 70);
  ASSERT_TRUE(sink.WaitForRequests(2));
  EXPECT_EQ(sink.requests()[1].events().steps_done(), 7);
  EXPECT_GT(sink.requests()[1].events().busy_seconds(), 0);
}

TEST(ReporterTest, AsksToStopAtTheRuntimeLimitAndNotBefore) {
  RecordingSink sink;
  StopFlag stop, other;
  Reporter patient({.stop_at = absl::Now() + absl::Hours(1)}, &sink, &other);
  Reporter reporter({.stop_at = absl::Now() + absl::Milliseconds(30)}, &sink, &stop);
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (!stop.requested() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(stop.cause(), StopCause::kRuntimeLimit);
  EXPECT_FALSE(other.requested());
}

}  // namespace
}  // namespace trainyard
