#include "server/jobs/preemption.h"

#include <algorithm>
#include <bit>
#include <random>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr v1::JobPriority kBatch = v1::JOB_PRIORITY_BATCH;

TEST(PreemptionTest, TheBatchJobTakenLastYields) {
  const std::vector<RunningJob> running = {
      {.job = 1, .priority = kBatch, .seconds_run = 100},
      {.job = 2, .priority = kBatch, .seconds_run = 30},
      {.job = 3, .priority = v1::JOB_PRIORITY_NORMAL, .seconds_run = 20},
      {.job = 4, .priority = v1::JOB_PRIORITY_INTERACTIVE, .seconds_run = 20},
      {.job = 5, .priority = v1::JOB_PRIORITY_UNSPECIFIED, .seconds_run = 20},
      {.job = 6, .priority = kBatch, .seconds_run = 9.9}};
  EXPECT_THAT(ChooseToYield({.slots_missing = 1}, running), ElementsAre(2));
  EXPECT_THAT(ChooseToYield({.slots_missing = 1, .quantum_seconds = 5}, running), ElementsAre(6));
  EXPECT_THAT(ChooseToYield({.slots_missing = 2}, running), ElementsAre(2, 1));
}

TEST(PreemptionTest, NobodyYieldsWhenThatWouldNotHelp) {
  const std::vector<RunningJob> running = {{.job = 1, .priority = kBatch, .seconds_run = 100},
                                           {.job = 2, .priority = kBatch, .seconds_run = 1}};
  EXPECT_THAT(ChooseToYield({.slots_missing = 2}, running), IsEmpty());
  EXPECT_THAT(ChooseToYield({.slots_missing = 0}, running), IsEmpty());
  EXPECT_THAT(ChooseToYield({.slots_missing = -3}, running), IsEmpty());
  EXPECT_THAT(ChooseToYield({.slots_missing = 1}, {}), IsEmpty());
}

TEST(PreemptionTest, NoMoreSlotsThanNeededThenFewJobs) {
  const std::vector<RunningJob> running = {
      {.job = 1, .priority = kBatch, .slots = 4, .seconds_run = 20},
      {.job = 2, .priority = kBatch, .slots = 1, .seconds_run = 40},
      {.job = 3, .priority = kBatch, .slots = 1, .seconds_run = 30},
      {.job = 4, .priority = kBatch, .slots = 2, .seconds_run = 90}};
  EXPECT_THAT(ChooseToYield({.slots_missing = 1}, running), ElementsAre(3));
  EXPECT_THAT(ChooseToYield({.slots_missing = 2}, running), ElementsAre(4));
  EXPECT_THAT(ChooseToYield({.slots_missing = 3}, running), ElementsAre(3, 4));
  EXPECT_THAT(ChooseToYield({.slots_missing = 4}, running), ElementsAre(1));
  EXPECT_THAT(ChooseToYield({.slots_missing = 8}, running), ElementsAre(1, 3, 2, 4));
}

TEST(PreemptionTest, AWideOneYieldsWhenNoneIsNarrower) {
  const std::vector<RunningJob> running = {
      {.job = 1, .priority = kBatch, .slots = 8, .seconds_run = 20},
      {.job = 2, .priority = kBatch, .slots = 4, .seconds_run = 90}};
  EXPECT_THAT(ChooseToYield({.slots_missing = 1}, running), ElementsAre(2));
}

// Slots that jobs outside `subset` leave, and how many jobs it has; slots < 0: it has one that may
// not.
std::pair<int, int> SlotsAndJobs(const std::vector<RunningJob>& running, unsigned subset) {
  int slots = 0;
  for (size_t i = 0; i < running.size(); ++i) {
    if ((subset >> i & 1) == 0) continue;
    if (running[i].priority != kBatch || running[i].seconds_run < 10) return {-1, 0};
    slots += running[i].slots;
  }
  return {slots, std::popcount(subset)};
}

// The smallest (slots, jobs) of all subsets that free enough; {0, 0} without one.
std::pair<int, int> Smallest(const std::vector<RunningJob>& running, int missing) {
  std::pair<int, int> best = {0, 0};
  for (unsigned subset = 1; subset < 1U << running.size(); ++subset) {
    const std::pair<int, int> found = SlotsAndJobs(running, subset);
    if (found.first >= missing && (best.first == 0 || found < best)) best = found;
  }
  return best;
}

TEST(PreemptionTest, NoSubsetIsSmaller) {
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<RunningJob> running(random() % 9);
    for (size_t i = 0; i < running.size(); ++i) {
      running[i] = {.job = static_cast<int64_t>(i),
                    .priority = random() % 4 == 0 ? v1::JOB_PRIORITY_NORMAL : kBatch,
                    .slots = static_cast<int>(random() % 5) + 1,
                    .seconds_run = static_cast<double>(random() % 50)};
    }
    const int missing = static_cast<int>(random() % 10) + 1;
    unsigned subset = 0;
    for (const int64_t job : ChooseToYield({.slots_missing = missing}, running))
      subset |= 1U << job;
    const std::pair<int, int> chosen = SlotsAndJobs(running, subset);
    ASSERT_EQ(chosen, Smallest(running, missing)) << "round " << round;
  }
}

}  // namespace
}  // namespace trainyard
