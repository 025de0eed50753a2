#include "server/worker/reporter.h"

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/jumping_clock.h"
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

TEST(ReporterTest, WhatCheckpointsTookComesOnceWithEach) {
  RecordingSink sink;
  StopFlag stop;
  Reporter reporter({}, &sink, &stop);
  reporter.CountCheckpointFailure();
  reporter.CountCheckpointFailure();
  v1::Checkpoint checkpoint;
  checkpoint.set_step(4);
  reporter.AddCheckpoint(checkpoint, 0.25);
  reporter.Add(Step(5));
  reporter.Finish();
  int64_t failures = 0;
  double write_seconds = 0;
  for (const v1::WorkRequest& request : sink.requests()) {
    failures += request.events().checkpoint_failures();
    write_seconds += request.events().checkpoint_write_seconds();
    EXPECT_EQ(request.events().checkpoint_write_seconds() > 0, request.events().has_checkpoint());
  }
  EXPECT_EQ(failures, 2);
  EXPECT_EQ(write_seconds, 0.25);
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
  Reporter patient({.max_runtime = absl::Hours(1)}, &sink, &other);
  Reporter reporter({.max_runtime = absl::Milliseconds(30)}, &sink, &stop);
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (!stop.requested() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(stop.cause(), StopCause::kRuntimeLimit);
  EXPECT_FALSE(other.requested());
}

TEST(ReporterTest, AClockThatIsSetNeitherStopsARunNorHoldsItUp) {
  for (const absl::Duration by : {absl::Hours(24), -absl::Hours(24)}) {
    RecordingSink sink;
    StopFlag stop;
    Reporter reporter({.max_runtime = absl::Hours(1)}, &sink, &stop);
    reporter.Add(Step(0));
    ASSERT_TRUE(sink.WaitForRequests(1));
    const ClockJump jump(by);
    ASSERT_TRUE(sink.WaitForRequests(3));  // counters come by the clock
    EXPECT_FALSE(stop.requested());
    EXPECT_LT(sink.requests().back().events().busy_seconds(), 60);
  }
}

TEST(ReporterTest, GoesOnCountingWhereTheCheckpointWas) {
  RecordingSink sink;
  StopFlag stop;
  v1::Checkpoint from;
  from.set_step(40);
  from.set_rows_done(400);
  from.set_event_count(7);
  from.set_busy_seconds(3600);
  // All of its time went before it began.
  Reporter reporter({.max_runtime = absl::Minutes(59), .from = from}, &sink, &stop);
  v1::JobEvent step, note;
  step.mutable_step()->set_step(40);
  note.mutable_note()->set_checkpoint_step(50);
  reporter.Add(note);
  reporter.Add(step);
  EXPECT_EQ(reporter.CheckpointNow().event_count(), 8);
  EXPECT_EQ(reporter.CheckpointNow().rows_done(), 400);
  reporter.AddCheckpoint(reporter.CheckpointNow(), 0.5);
  reporter.Add(step);
  reporter.Finish();
  EXPECT_EQ(stop.cause(), StopCause::kRuntimeLimit);
  int64_t count = 7;
  for (const v1::WorkRequest& request : sink.requests()) {
    const v1::EventBatch& batch = request.events();
    EXPECT_EQ(batch.event_count(), count);
    EXPECT_EQ(batch.steps_done(), 40);
    EXPECT_GE(batch.busy_seconds(), 3600);
    for (const v1::JobEvent& event : batch.events()) count += event.has_step() ? 1 : 0;
    if (!batch.has_checkpoint()) continue;
    EXPECT_EQ(count, 8);  // and nothing that came after it
    EXPECT_TRUE(batch.events(batch.events_size() - 1).has_checkpoint());
  }
  EXPECT_EQ(count, 9);
}

}  // namespace
}  // namespace trainyard
