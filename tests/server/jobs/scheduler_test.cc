#include "server/jobs/scheduler.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::ElementsAre;

constexpr v1::JobPriority kInteractive = v1::JOB_PRIORITY_INTERACTIVE;
constexpr v1::JobPriority kNormal = v1::JOB_PRIORITY_NORMAL;
constexpr v1::JobPriority kBatch = v1::JOB_PRIORITY_BATCH;

// The jobs in the order in which they are taken, each of which runs exactly as estimated.
std::vector<int64_t> Drain(Scheduler& scheduler, int limit = 1'000) {
  std::vector<int64_t> order;
  while (static_cast<int>(order.size()) < limit) {
    const std::optional<Scheduler::Entry> next = scheduler.Take(1'000);
    if (!next.has_value()) break;
    order.push_back(next->job);
    EXPECT_TRUE(scheduler.End(next->job, next->cost));
  }
  return order;
}

// Jobs first, first + 1, … of one owner.
void AddMany(Scheduler& scheduler, int64_t first, int count, const std::string& owner,
             double cost = 1, v1::JobPriority priority = kNormal) {
  for (int64_t i = first; i < first + count; ++i) {
    ASSERT_TRUE(
        scheduler.Add({.job = i, .ticket = i, .owner = owner, .priority = priority, .cost = cost}));
  }
}

TEST(SchedulerTest, FirstInFirstOutInsideAnOwner) {
  Scheduler scheduler({});
  EXPECT_TRUE(scheduler.Add({.job = 7, .ticket = 2, .cost = 1}));
  EXPECT_TRUE(scheduler.Add({.job = 9, .ticket = 1, .cost = 100}));
  EXPECT_THAT(Drain(scheduler), ElementsAre(9, 7));
  EXPECT_FALSE(scheduler.Take(1).has_value());
}

TEST(SchedulerTest, HigherClassesGoFirstAndUnspecifiedIsNormal) {
  Scheduler scheduler({});
  scheduler.Add({.job = 1, .ticket = 1, .priority = kBatch});
  scheduler.Add({.job = 2, .ticket = 2, .priority = v1::JOB_PRIORITY_UNSPECIFIED});
  scheduler.Add({.job = 3, .ticket = 3, .priority = kInteractive});
  scheduler.Add({.job = 4, .ticket = 4, .priority = kNormal});
  EXPECT_EQ(scheduler.Position(1), 4);
  EXPECT_EQ(scheduler.Head(kBatch)->job, 1);
  EXPECT_EQ(scheduler.Head(kNormal)->job, 2);
  EXPECT_THAT(Drain(scheduler), ElementsAre(3, 2, 4, 1));
}

TEST(SchedulerTest, OwnersTakeTurnsByWhatTheirJobsCost) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 4, "ann", /*cost=*/2);
  AddMany(scheduler, 11, 6, "bob", /*cost=*/1);
  // ann's start at 0, 2, 4, 6; bob's at 0, 1, 2, …; equal times in order of tickets.
  const std::vector<int64_t> order = {1, 11, 12, 2, 13, 14, 3, 15, 16, 4};
  for (size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(scheduler.Position(order[i]), static_cast<int64_t>(i) + 1) << "job " << order[i];
  }
  EXPECT_DOUBLE_EQ(scheduler.PlaceOf(13).work_ahead, 2 + 1 + 1 + 2);
  EXPECT_EQ(Drain(scheduler), order);
}

TEST(SchedulerTest, AWeightOfTwoIsTwiceTheShare) {
  Scheduler scheduler({});
  scheduler.SetWeight("bob", 2);
  AddMany(scheduler, 1, 3, "ann");
  AddMany(scheduler, 11, 3, "bob");
  EXPECT_THAT(Drain(scheduler), ElementsAre(1, 11, 12, 2, 13, 3));
  AddMany(scheduler, 1, 3, "ann");
  AddMany(scheduler, 11, 3, "bob");
  scheduler.SetWeight("bob", 1);
  scheduler.SetWeight("ann", 2);
  EXPECT_EQ(scheduler.Position(3), 4);
  EXPECT_THAT(Drain(scheduler), ElementsAre(1, 11, 2, 3, 12, 13));
}

TEST(SchedulerTest, WhoWasIdleGetsAFairShareFromNowOn) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 20, "ann");
  EXPECT_EQ(Drain(scheduler, 10).size(), 10u);
  AddMany(scheduler, 101, 5, "bob");
  // The last job of ann started at 9, her next one starts at 10. bob does not get ten in a row.
  EXPECT_THAT(Drain(scheduler, 6), ElementsAre(101, 11, 102, 12, 103, 13));
}

TEST(SchedulerTest, WhatAJobTookCorrectsItsEstimate) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 5, "ann");
  AddMany(scheduler, 11, 5, "bob");
  EXPECT_EQ(scheduler.Take(1)->job, 1);
  EXPECT_TRUE(scheduler.End(1, 3.5));  // more than estimated: ann's next one starts at 3.5
  EXPECT_THAT(Drain(scheduler, 5), ElementsAre(11, 12, 13, 14, 2));
  EXPECT_EQ(scheduler.Take(1)->job, 15);  // at 4
  AddMany(scheduler, 21, 5, "bob");       // at 5
  EXPECT_TRUE(scheduler.End(15, 0));      // now at 4
  EXPECT_THAT(Drain(scheduler, 2), ElementsAre(21, 3));
  EXPECT_FALSE(scheduler.End(15, 1));
}

TEST(SchedulerTest, ACorrectionDoesNotGiveBackWhatIdlingForfeited) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 1, "ann", /*cost=*/50);
  AddMany(scheduler, 11, 200, "bob");
  EXPECT_EQ(scheduler.Take(1)->job, 1);
  EXPECT_EQ(Drain(scheduler, 100).size(), 100u);
  AddMany(scheduler, 301, 3, "ann");  // she was idle: at 99, as bob, not at 50
  EXPECT_TRUE(scheduler.End(1, 10));  // what she did not use then does not count now
  EXPECT_THAT(Drain(scheduler, 4), ElementsAre(301, 111, 302, 112));
}

TEST(SchedulerTest, ACorrectionCountsForJobsThatCameMeanwhile) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 1, "ann", /*cost=*/200);
  AddMany(scheduler, 11, 200, "bob");
  EXPECT_EQ(scheduler.Take(1)->job, 1);
  AddMany(scheduler, 301, 1, "ann");
  EXPECT_EQ(scheduler.Position(301), 201);  // at 200
  EXPECT_TRUE(scheduler.End(1, 20));
  EXPECT_EQ(scheduler.Position(301), 22);  // at 20
}

TEST(SchedulerTest, AnIdleSchedulerClosesAllAccounts) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 1, "ann", /*cost=*/1000);
  Drain(scheduler);
  AddMany(scheduler, 1, 2, "ann");
  AddMany(scheduler, 11, 2, "bob");
  EXPECT_THAT(Drain(scheduler), ElementsAre(1, 11, 2, 12));
}

// ann's INTERACTIVE jobs count against her NORMAL ones; bob's BATCH jobs do not against his.
TEST(SchedulerTest, AJobCountsInItsClassAndInLowerOnes) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 3, "ann", 1, kInteractive);
  AddMany(scheduler, 4, 3, "ann");
  AddMany(scheduler, 21, 6, "bob");
  EXPECT_EQ(scheduler.Position(4), 7);
  EXPECT_THAT(Drain(scheduler, 8), ElementsAre(1, 2, 3, 21, 22, 23, 4, 24));
  Scheduler other({});
  AddMany(other, 1, 30, "bob", 1, kBatch);
  EXPECT_EQ(Drain(other, 20).size(), 20u);
  AddMany(other, 101, 2, "ann");
  AddMany(other, 103, 2, "bob");
  EXPECT_THAT(Drain(other, 4), ElementsAre(101, 103, 102, 104));
}

TEST(SchedulerTest, OfSixteenPicksALowerClassGetsOne) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 100, "ann", 1, kInteractive);
  AddMany(scheduler, 1001, 10, "bob", 1, kNormal);
  const std::vector<int64_t> order = Drain(scheduler, 48);
  for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i] > 1000, i % 16 == 15) << i;
}

TEST(SchedulerTest, OfTwoDueClassesEachGetsItsShare) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 200, "ann", 1, kInteractive);
  AddMany(scheduler, 1001, 20, "bob", 1, kNormal);
  AddMany(scheduler, 2001, 20, "cid", 1, kBatch);
  int normal = 0, batch = 0;
  for (const int64_t job : Drain(scheduler, 170)) {
    normal += job / 1000 == 1 ? 1 : 0;
    batch += job / 1000 == 2 ? 1 : 0;
  }
  EXPECT_EQ(normal, 10);
  EXPECT_EQ(batch, 10);
}

// By slot-seconds, not by picks: a long job waits for 15 times its own cost.
TEST(SchedulerTest, ALongJobOfALowerClassIsDueLater) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 200, "ann", 1, kInteractive);
  AddMany(scheduler, 1001, 1, "bob", 5, kBatch);
  const std::vector<int64_t> order = Drain(scheduler, 75);
  EXPECT_EQ(order.back(), 75);
  EXPECT_EQ(scheduler.Position(1001), 1);
  EXPECT_EQ(scheduler.Position(76), 2);
  EXPECT_EQ(scheduler.Head(kInteractive)->job, 76);
  EXPECT_EQ(scheduler.Take(1)->job, 1001);
}

TEST(SchedulerTest, NothingOfTheSameOrALowerClassOvertakesAWideJob) {
  Scheduler scheduler({});
  scheduler.Add({.job = 1, .ticket = 5, .slots = 4, .owner = "ann", .cost = 40});
  EXPECT_FALSE(scheduler.Take(1).has_value());
  scheduler.Add({.job = 2, .ticket = 2, .owner = "bob"});
  scheduler.Add({.job = 3, .ticket = 3, .owner = "cid", .priority = kBatch, .cost = 9});
  scheduler.Add({.job = 4, .ticket = 4, .owner = "ann", .priority = kBatch, .cost = 9});
  EXPECT_FALSE(scheduler.Take(3).has_value());
  EXPECT_EQ(scheduler.Position(1), 1);
  EXPECT_EQ(scheduler.Position(2), 2);
  EXPECT_EQ(scheduler.Take(4)->job, 1);
  EXPECT_EQ(scheduler.Take(1)->job, 2);
}

TEST(SchedulerTest, HigherClassesOvertakeAWideJobABoundedNumberOfTimes) {
  Scheduler scheduler({});
  scheduler.Add({.job = 1, .ticket = 1, .slots = 4, .owner = "ann", .cost = 2});
  EXPECT_FALSE(scheduler.Take(3).has_value());
  AddMany(scheduler, 101, 100, "bob", 1, kInteractive);
  int overtaken = 0;
  while (scheduler.Take(3).has_value()) ++overtaken;
  EXPECT_EQ(overtaken, 30);
  EXPECT_EQ(scheduler.Position(1), 1);
  EXPECT_EQ(scheduler.Take(4)->job, 1);
}

TEST(SchedulerTest, AWideJobThatLeavesLetsOthersGo) {
  Scheduler scheduler({});
  scheduler.Add({.job = 1, .ticket = 1, .slots = 4, .owner = "ann"});
  scheduler.Add({.job = 2, .ticket = 2, .owner = "bob"});
  EXPECT_FALSE(scheduler.Take(1).has_value());
  EXPECT_TRUE(scheduler.Remove(1));
  EXPECT_EQ(scheduler.Take(1)->job, 2);
}

TEST(SchedulerTest, AJobPutBackIsItsOwnersFirstAndPaidForOnce) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 3, "ann", /*cost=*/4);
  AddMany(scheduler, 11, 9, "bob", /*cost=*/1);
  EXPECT_EQ(scheduler.Take(1)->job, 1);
  EXPECT_TRUE(scheduler.PutBack(1, 0));  // its worker was lost
  EXPECT_EQ(scheduler.Position(1), 1);
  EXPECT_EQ(scheduler.Take(1)->job, 1);
  EXPECT_TRUE(scheduler.PutBack(1, 2.5));  // it yielded: 1.5 remain, and start at 2.5
  EXPECT_FALSE(scheduler.PutBack(1, 2.5));
  EXPECT_THAT(Drain(scheduler, 5), ElementsAre(11, 12, 13, 1, 14));
  EXPECT_THAT(Drain(scheduler, 2), ElementsAre(2, 15));  // both at 4, as if nothing had happened
}

TEST(SchedulerTest, ATakenJobIsNotInTheQueueButKnown) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 2, "ann");
  scheduler.Take(1);
  EXPECT_EQ(scheduler.size(), 1);
  EXPECT_EQ(scheduler.running(), 1);
  EXPECT_EQ(scheduler.Position(1), 0);
  EXPECT_EQ(scheduler.PlaceOf(2).jobs_ahead, 1);
  EXPECT_FALSE(scheduler.Remove(1));
  EXPECT_FALSE(scheduler.Add({.job = 1, .ticket = 9}));
  EXPECT_FALSE(scheduler.Add({.job = 9, .ticket = 1}));
  EXPECT_FALSE(scheduler.End(2, 1));
}

TEST(SchedulerTest, OwnersAtTheirLimitArePassedOver) {
  Scheduler scheduler({.owner_running_max = 2});
  AddMany(scheduler, 1, 4, "ann");
  AddMany(scheduler, 11, 2, "bob", /*cost=*/10);
  EXPECT_EQ(scheduler.Take(8)->job, 1);
  EXPECT_EQ(scheduler.Take(8)->job, 11);
  EXPECT_EQ(scheduler.Take(8)->job, 2);
  EXPECT_EQ(scheduler.Take(8)->job, 12);
  EXPECT_FALSE(scheduler.Take(8).has_value());
  EXPECT_FALSE(scheduler.Head().has_value());
  EXPECT_EQ(scheduler.ReasonFor(3, {.workers_connected = 8}), v1::PENDING_REASON_OWNER_LIMIT);
  EXPECT_TRUE(scheduler.End(1, 1));
  EXPECT_EQ(scheduler.ReasonFor(3, {.workers_connected = 8}), v1::PENDING_REASON_WAITING_FOR_SLOTS);
  EXPECT_EQ(scheduler.Take(8)->job, 3);
}

TEST(SchedulerTest, AJobWiderThanTheLimitRunsAlone) {
  Scheduler scheduler({.owner_running_max = 2});
  AddMany(scheduler, 1, 1, "ann");
  scheduler.Add({.job = 2, .ticket = 2, .slots = 4, .owner = "ann"});
  EXPECT_EQ(scheduler.Take(8)->job, 1);
  EXPECT_FALSE(scheduler.Take(8).has_value());
  scheduler.End(1, 1);
  EXPECT_EQ(scheduler.Take(8)->job, 2);
}

TEST(SchedulerTest, APriorityChangesWhereAJobStands) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 3, "ann");
  EXPECT_TRUE(scheduler.SetPriority(3, kInteractive));
  EXPECT_TRUE(scheduler.SetPriority(1, kBatch));
  EXPECT_FALSE(scheduler.SetPriority(9, kBatch));
  EXPECT_EQ(scheduler.Position(1), 3);
  EXPECT_EQ(scheduler.Take(1)->job, 3);
  EXPECT_TRUE(scheduler.SetPriority(3, kBatch));
  EXPECT_TRUE(scheduler.PutBack(3, 0));
  EXPECT_THAT(Drain(scheduler), ElementsAre(2, 1, 3));
}

TEST(SchedulerTest, RefusesBeyondItsBoundAndWhatItHas) {
  Scheduler scheduler({.queue_max = 2});
  EXPECT_TRUE(scheduler.Add({.job = 1, .ticket = 1}));
  EXPECT_FALSE(scheduler.Add({.job = 1, .ticket = 5}));
  EXPECT_FALSE(scheduler.Add({.job = 5, .ticket = 1}));
  EXPECT_TRUE(scheduler.Add({.job = 2, .ticket = 2}));
  EXPECT_FALSE(scheduler.Add({.job = 3, .ticket = 3}));
  EXPECT_EQ(scheduler.Take(1)->job, 1);
  EXPECT_TRUE(scheduler.Add({.job = 3, .ticket = 3}));
  EXPECT_TRUE(scheduler.PutBack(1, 0));  // it was admitted before
  EXPECT_EQ(scheduler.size(), 3);
}

TEST(SchedulerTest, RemembersABoundedNumberOfOwners) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 1, "somebody who keeps the scheduler busy", /*cost=*/1, kInteractive);
  scheduler.Take(1);
  for (int64_t i = 2; i < 30'000; ++i) {
    ASSERT_TRUE(scheduler.Add({.job = i, .ticket = i, .owner = std::to_string(i)}));
    ASSERT_TRUE(scheduler.Remove(i));
  }
  EXPECT_TRUE(scheduler.End(1, 1));
}

TEST(SchedulerTest, TellsWhyAJobWaits) {
  Scheduler scheduler({});
  AddMany(scheduler, 1, 2, "ann");
  EXPECT_EQ(scheduler.ReasonFor(1, {.workers_connected = 0}), v1::PENDING_REASON_NO_WORKERS);
  EXPECT_EQ(scheduler.ReasonFor(1, {.workers_connected = 1}), v1::PENDING_REASON_WAITING_FOR_SLOTS);
  EXPECT_EQ(scheduler.ReasonFor(2, {.workers_connected = 1}), v1::PENDING_REASON_QUEUED);
  EXPECT_EQ(scheduler.ReasonFor(2, {.workers_connected = 1, .storage_full = true}),
            v1::PENDING_REASON_STORAGE_FULL);
  EXPECT_EQ(scheduler.ReasonFor(2, {.workers_connected = 1, .draining = true}),
            v1::PENDING_REASON_DRAINING);
  EXPECT_EQ(scheduler.ReasonFor(3, {.workers_connected = 1}), v1::PENDING_REASON_UNSPECIFIED);
}

TEST(SchedulerTest, KnowsEachClassesSizeAndOldest) {
  Scheduler scheduler({});
  EXPECT_FALSE(scheduler.Oldest(kBatch).has_value());
  AddMany(scheduler, 3, 2, "ann", 1, kInteractive);
  AddMany(scheduler, 2, 1, "bob", 1, kBatch);
  AddMany(scheduler, 1, 1, "cy", 1, kBatch);
  EXPECT_EQ(scheduler.size(kInteractive), 2);
  EXPECT_EQ(scheduler.size(kBatch), 2);
  EXPECT_EQ(scheduler.size(v1::JOB_PRIORITY_NORMAL), 0);
  EXPECT_EQ(scheduler.Oldest(kInteractive)->job, 3);
  EXPECT_EQ(scheduler.Oldest(kBatch)->job, 1);
}

TEST(SchedulerTest, AHundredThousandJobsOfOneOwnerKeepTheirOrder) {
  constexpr int64_t kJobs = 100'000;
  Scheduler scheduler({.queue_max = kJobs});
  for (int64_t i = kJobs; i >= 1; --i) ASSERT_TRUE(scheduler.Add({.job = i, .ticket = i}));
  for (int64_t i = 1; i <= kJobs; i += 997) EXPECT_EQ(scheduler.Position(i), i);
  for (int64_t i = 1; i <= kJobs; ++i) ASSERT_EQ(scheduler.Take(1)->job, i);
}

}  // namespace
}  // namespace trainyard
