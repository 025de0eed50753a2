#include "server/jobs/scheduler.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(SchedulerTest, FirstInFirstOut) {
  Scheduler scheduler(10);
  EXPECT_TRUE(scheduler.Add({.job = 7, .ticket = 2}));
  EXPECT_TRUE(scheduler.Add({.job = 9, .ticket = 1}));
  EXPECT_EQ(scheduler.Take(1)->job, 9);
  EXPECT_EQ(scheduler.Take(1)->job, 7);
  EXPECT_FALSE(scheduler.Take(1).has_value());
}

TEST(SchedulerTest, AWideHeadHoldsUpTheNarrowOnesBehindIt) {
  Scheduler scheduler(10);
  scheduler.Add({.job = 1, .ticket = 1, .slots = 2});
  scheduler.Add({.job = 2, .ticket = 2, .slots = 1});
  EXPECT_FALSE(scheduler.Take(1).has_value());
  EXPECT_EQ(scheduler.Take(2)->job, 1);
  EXPECT_EQ(scheduler.Take(1)->job, 2);
}

TEST(SchedulerTest, AJobPutBackWithItsTicketIsFirstAgain) {
  Scheduler scheduler(10);
  for (int64_t i = 1; i <= 3; ++i) scheduler.Add({.job = i, .ticket = i});
  const Scheduler::Entry first = *scheduler.Take(1);
  EXPECT_TRUE(scheduler.Add(first));
  EXPECT_EQ(scheduler.Position(first.job), 1);
}

TEST(SchedulerTest, PositionsCloseUpWhenOneLeaves) {
  Scheduler scheduler(10);
  for (int64_t i = 1; i <= 4; ++i) scheduler.Add({.job = i, .ticket = i});
  EXPECT_EQ(scheduler.Position(4), 4);
  EXPECT_TRUE(scheduler.Remove(2));
  EXPECT_EQ(scheduler.Position(4), 3);
  EXPECT_EQ(scheduler.Position(2), 0);
  EXPECT_FALSE(scheduler.Remove(2));
}

TEST(SchedulerTest, RefusesBeyondItsBoundAndWhatItHas) {
  Scheduler scheduler(2);
  EXPECT_TRUE(scheduler.Add({.job = 1, .ticket = 1}));
  EXPECT_FALSE(scheduler.Add({.job = 1, .ticket = 5}));
  EXPECT_FALSE(scheduler.Add({.job = 5, .ticket = 1}));
  EXPECT_TRUE(scheduler.Add({.job = 2, .ticket = 2}));
  EXPECT_FALSE(scheduler.Add({.job = 3, .ticket = 3}));
  EXPECT_EQ(scheduler.size(), 2);
}

TEST(SchedulerTest, TellsWhyAJobWaits) {
  Scheduler scheduler(10);
  scheduler.Add({.job = 1, .ticket = 1});
  scheduler.Add({.job = 2, .ticket = 2});
  EXPECT_EQ(scheduler.ReasonFor(1, {.workers_connected = 0}), v1::PENDING_REASON_NO_WORKERS);
  EXPECT_EQ(scheduler.ReasonFor(1, {.workers_connected = 1}), v1::PENDING_REASON_WAITING_FOR_SLOTS);
  EXPECT_EQ(scheduler.ReasonFor(2, {.workers_connected = 1}), v1::PENDING_REASON_QUEUED);
  EXPECT_EQ(scheduler.ReasonFor(2, {.workers_connected = 1, .draining = true}),
            v1::PENDING_REASON_DRAINING);
}

// Against a sorted vector, with random arrivals, departures and free slots.
TEST(SchedulerTest, AgreesWithANaiveQueue) {
  std::mt19937 random(20240611);
  Scheduler scheduler(200);
  std::vector<Scheduler::Entry> naive;
  int64_t next = 1;
  for (int round = 0; round < 20'000; ++round) {
    const int action = static_cast<int>(random() % 4);
    if (action <= 1) {
      const Scheduler::Entry entry{
          .job = next, .ticket = next, .slots = static_cast<int>(random() % 3) + 1};
      ++next;
      const bool added = scheduler.Add(entry);
      ASSERT_EQ(added, naive.size() < 200);
      if (added) naive.push_back(entry);
    } else if (action == 2) {
      const int free_slots = static_cast<int>(random() % 4);
      const auto taken = scheduler.Take(free_slots);
      ASSERT_EQ(taken.has_value(), !naive.empty() && naive.front().slots <= free_slots);
      if (!taken.has_value()) continue;
      ASSERT_EQ(taken->job, naive.front().job);
      naive.erase(naive.begin());
    } else if (!naive.empty()) {
      const size_t index = random() % naive.size();
      ASSERT_EQ(scheduler.Position(naive[index].job), static_cast<int64_t>(index) + 1);
      ASSERT_TRUE(scheduler.Remove(naive[index].job));
      naive.erase(naive.begin() + static_cast<int64_t>(index));
    }
  }
}

TEST(SchedulerTest, AHundredThousandJobsKeepTheirOrder) {
  constexpr int64_t kJobs = 100'000;
  Scheduler scheduler(kJobs);
  for (int64_t i = kJobs; i >= 1; --i) ASSERT_TRUE(scheduler.Add({.job = i, .ticket = i}));
  for (int64_t i = 1; i <= kJobs; i += 997) EXPECT_EQ(scheduler.Position(i), i);
  for (int64_t i = 1; i <= kJobs; ++i) ASSERT_EQ(scheduler.Take(1)->job, i);
}

}  // namespace
}  // namespace trainyard
