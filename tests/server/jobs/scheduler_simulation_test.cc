// A day before a deadline, simulated twice on the same trace: by the Scheduler and by one queue for
// all (first in, first out, a wide job holds up those behind it), which is what it replaced. The
// simulation keeps the time, the slots and the books; nothing of what it reports is asked of the
// Scheduler.
//
// Trace: 8 slots, 300 owners, 8 hours. 40 owners bring more than their share in the first minute,
// each one more than the one before, and are never without a queued job until the end. 260 owners
// bring a job now and then (about half of the slots), three times as many in the last hour. Sizes
// are Pareto (shape 1.3, from 3 s, cut at 900 s); one job of twenty is 2 to 4 slots wide; estimates
// are wrong by a factor of e^N(0, 0.5).
#include <algorithm>
#include <cmath>
#include <deque>
#include <iostream>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/jobs/scheduler.h"

namespace trainyard {
namespace {

constexpr int kSlots = 8;
constexpr int kOwners = 300;
constexpr int kHeavyOwners = 40;
constexpr double kHour = 3'600;
constexpr double kEnd = 8 * kHour;
constexpr double kRush = 7 * kHour;
constexpr double kSmallSeconds = 10;

struct Job {
  double arrival = 0;
  int owner = 0;
  int slots = 1;
  double seconds = 1;  // what it takes
  double estimate = 1;
};

class TraceMaker {
 public:
  // In order of arrival.
  std::vector<Job> Make() {
    for (int owner = 0; owner < kHeavyOwners; ++owner) {
      // 1.5 to 4.5 times what a fair share comes to.
      double left = (1.5 + 3.0 * owner / kHeavyOwners) * kSlots * kEnd / kHeavyOwners;
      while (left > 0) left -= Add(60 * Uniform(), owner);
    }
    for (double time = 0; time < kEnd;) {
      const double per_second = 0.4 * (time < kRush ? 1 : 3);
      time += std::exponential_distribution<double>(per_second)(random_);
      Add(time, kHeavyOwners + static_cast<int>(Uniform() * (kOwners - kHeavyOwners)));
    }
    std::stable_sort(jobs_.begin(), jobs_.end(),
                     [](const Job& a, const Job& b) { return a.arrival < b.arrival; });
    return jobs_;
  }

 private:
  double Uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  double Add(double arrival, int owner) {
    const double seconds = std::min(900.0, 3 * std::pow(1 - Uniform(), -1 / 1.3));
    const double error = std::exp(std::normal_distribution<double>(0, 0.5)(random_));
    const int slots = Uniform() < 0.05 ? 2 + static_cast<int>(3 * Uniform()) : 1;
    jobs_.push_back({arrival, owner, slots, seconds, seconds * error});
    return seconds * slots;
  }

  std::mt19937_64 random_{20240611};
  std::vector<Job> jobs_;
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual void Add(int64_t number, const Job& job) = 0;
  // The number of the job that starts now; negative: none.
  virtual int64_t Take(int free_slots) = 0;
  virtual void End(int64_t number, double slot_seconds) = 0;
};

class OneQueue : public Policy {
 public:
  void Add(int64_t number, const Job& job) override { queue_.emplace_back(number, job.slots); }
  int64_t Take(int free_slots) override {
    if (queue_.empty() || queue_.front().second > free_slots) return -1;
    const int64_t number = queue_.front().first;
    queue_.pop_front();
    return number;
  }
  void End(int64_t, double) override {}

 private:
  std::deque<std::pair<int64_t, int>> queue_;
};

class FairShare : public Policy {
 public:
  void Add(int64_t number, const Job& job) override {
    ASSERT_TRUE(scheduler_.Add({.job = number,
                                .ticket = number,
                                .slots = job.slots,
                                .owner = std::to_string(job.owner),
                                .cost = job.estimate * job.slots}));
  }
  int64_t Take(int free_slots) override {
    const auto entry = scheduler_.Take(free_slots);
    return entry.has_value() ? entry->job : -1;
  }
  void End(int64_t number, double slot_seconds) override {
    ASSERT_TRUE(scheduler_.End(number, slot_seconds));
  }

 private:
  Scheduler scheduler_{{}};
};

struct Outcome {
  std::vector<double> service;     // by owner: slot-seconds before kEnd
  std::vector<bool> always_waits;  // by owner: never without a queued job, from 60 s to kEnd
  // (waiting + running) / running of each small job of the 260 owners, ascending. Those of the 40
  // wait for hours behind their own under any policy.
  std::vector<double> small_slowdown;
  std::vector<double> rush_slowdown;  // of those that came in the last hour
  double last_end = 0;
};

class Simulation {
 public:
  Simulation(const std::vector<Job>& jobs, Policy* policy)
      : jobs_(jobs), policy_(*policy), queued_(kOwners) {
    outcome_.service.resize(kOwners);
    outcome_.always_waits.resize(kOwners, true);
  }

  Outcome Run() {
    size_t next = 0;
    while (next < jobs_.size() || !ends_.empty()) {
      const bool arrives =
          next < jobs_.size() && (ends_.empty() || jobs_[next].arrival <= ends_.top().first);
      if (arrives) {
        Arrive(static_cast<int64_t>(next++));
      } else {
        End();
      }
      Dispatch();
    }
    // The others start without one.
    for (size_t owner = kHeavyOwners; owner < kOwners; ++owner)
      outcome_.always_waits[owner] = false;
    for (auto* slowdowns : {&outcome_.small_slowdown, &outcome_.rush_slowdown})
      std::sort(slowdowns->begin(), slowdowns->end());
    outcome_.last_end = now_;
    return std::move(outcome_);
  }

 private:
  const Job& At(int64_t number) const { return jobs_[static_cast<size_t>(number)]; }
  void Arrive(int64_t number) {
    now_ = At(number).arrival;
    ++queued_[static_cast<size_t>(At(number).owner)];
    policy_.Add(number, At(number));
  }
  void End() {
    const auto [time, number] = ends_.top();
    ends_.pop();
    now_ = time;
    free_slots_ += At(number).slots;
    policy_.End(number, At(number).seconds * At(number).slots);
  }
  void Dispatch() {
    for (int64_t number = 0; (number = policy_.Take(free_slots_)) >= 0;) Start(number);
  }
  void Start(int64_t number) {
    const Job& job = At(number);
    const auto owner = static_cast<size_t>(job.owner);
    free_slots_ -= job.slots;
    ASSERT_GE(free_slots_, 0);
    ends_.emplace(now_ + job.seconds, number);
    const double before_end = std::clamp(kEnd - now_, 0.0, job.seconds);
    outcome_.service[owner] += before_end * job.slots;
    if (--queued_[owner] == 0 && now_ > 60 && now_ < kEnd) outcome_.always_waits[owner] = false;
    if (job.seconds > kSmallSeconds || job.owner < kHeavyOwners) return;
    const bool in_rush = job.arrival >= kRush;
    (in_rush ? outcome_.rush_slowdown : outcome_.small_slowdown)
        .push_back((now_ - job.arrival + job.seconds) / job.seconds);
  }

  const std::vector<Job>& jobs_;
  Policy& policy_;
  double now_ = 0;
  int free_slots_ = kSlots;
  std::vector<int> queued_;  // by owner
  std::priority_queue<std::pair<double, int64_t>, std::vector<std::pair<double, int64_t>>,
                      std::greater<>>
      ends_;
  Outcome outcome_;
};

// 1 when all have the same, 1 / n when one has everything.
double JainIndex(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  return sum * sum / (static_cast<double>(values.size()) * squares);
}

struct Slowdown {
  // REQUIRES: ascending, and not empty.
  explicit Slowdown(const std::vector<double>& values)
      : median(values[values.size() / 2]), p99(values[values.size() * 99 / 100]) {
    for (const double value : values) mean += value / static_cast<double>(values.size());
  }

  double mean = 0;
  double median;
  double p99;
};

std::vector<double> ServiceOf(const Outcome& outcome, const std::vector<bool>& owners) {
  std::vector<double> service;
  for (size_t i = 0; i < owners.size(); ++i) {
    if (owners[i]) service.push_back(outcome.service[i]);
  }
  return service;
}

void Report(const std::string& name, double fair, double fifo) {
  std::cout << " " << fair << " (" << fifo << ")";
  testing::Test::RecordProperty("fair_" + name, std::to_string(fair));
  testing::Test::RecordProperty("one_queue_" + name, std::to_string(fifo));
}

TEST(SchedulerSimulationTest, ARushBeforeADeadline) {
  const std::vector<Job> jobs = TraceMaker().Make();
  OneQueue one_queue;
  FairShare fair_share;
  const Outcome fifo = Simulation(jobs, &one_queue).Run();
  const Outcome fair = Simulation(jobs, &fair_share).Run();

  const double fair_jain = JainIndex(ServiceOf(fair, fair.always_waits));
  const double fifo_jain = JainIndex(ServiceOf(fifo, fair.always_waits));
  const Slowdown fair_small(fair.small_slowdown), fifo_small(fifo.small_slowdown);
  const Slowdown fair_rush(fair.rush_slowdown), fifo_rush(fifo.rush_slowdown);
  std::cout << "simulation, fair share (one queue): " << jobs.size() << " jobs, Jain";
  Report("jain", fair_jain, fifo_jain);
  std::cout << "; slowdown of small jobs: median";
  Report("slowdown_median", fair_small.median, fifo_small.median);
  std::cout << ", mean";
  Report("slowdown_mean", fair_small.mean, fifo_small.mean);
  std::cout << ", p99";
  Report("slowdown_p99", fair_small.p99, fifo_small.p99);
  std::cout << "; in the rush: median";
  Report("rush_slowdown_median", fair_rush.median, fifo_rush.median);
  std::cout << ", mean";
  Report("rush_slowdown_mean", fair_rush.mean, fifo_rush.mean);
  std::cout << ", p99";
  Report("rush_slowdown_p99", fair_rush.p99, fifo_rush.p99);
  std::cout << "; all done after";
  Report("hours", fair.last_end / kHour, fifo.last_end / kHour);
  std::cout << " h\n";

  EXPECT_EQ(ServiceOf(fair, fair.always_waits).size(), static_cast<size_t>(kHeavyOwners));
  EXPECT_GE(fair_jain, 0.97);
  EXPECT_LE(fifo_jain, 0.93);
  EXPECT_LE(50 * fair_small.mean, fifo_small.mean);
  EXPECT_LE(5 * fair_small.p99, fifo_small.p99);
  EXPECT_LE(15 * fair_rush.mean, fifo_rush.mean);
  EXPECT_LE(5 * fair_rush.p99, fifo_rush.p99);
  // No slot is left empty for fairness.
  EXPECT_LE(fair.last_end, 1.02 * fifo.last_end);
}

}  // namespace
}  // namespace trainyard
