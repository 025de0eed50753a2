// What decisions of the Scheduler cost with a full queue: 100 000 jobs of 1 000 owners in three
// classes. Every measured call is timed by itself, so that the slowest of a hundred is seen. Work
// between the calls keeps the queue as full as it is.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/base/check.h"
#include "server/jobs/scheduler.h"

namespace trainyard {
namespace {

constexpr int64_t kJobs = 100'000;
constexpr int kOwners = 1'000;
constexpr size_t kRunning = 64;

// A full queue, and the jobs that run.
class FullQueue {
 public:
  FullQueue() : scheduler_({.queue_max = kJobs}) {
    while (scheduler_.size() < kJobs) Add();
    while (running_.size() < kRunning) KeepTaken(scheduler_.Take(8));
  }

  Scheduler& scheduler() { return scheduler_; }
  // A job of a random owner and class, of 1 to 1e5 slot-seconds.
  void Add() {
    const auto priority = static_cast<v1::JobPriority>(1 + random_() % 3);
    const double cost = std::pow(10, 5e-6 * static_cast<double>(random_() % 1'000'000));
    ++newest_;
    TY_CHECK(scheduler_.Add({.job = newest_,
                             .ticket = newest_,
                             .slots = random_() % 20 == 0 ? 4 : 1,
                             .owner = "owner-" + std::to_string(random_() % kOwners),
                             .priority = priority,
                             .cost = cost}));
  }
  void KeepTaken(const std::optional<Scheduler::Entry>& entry) {
    TY_CHECK(entry.has_value());
    running_.push_back(*entry);
  }
  // The job that has run longest.
  Scheduler::Entry TakeRunning() {
    const Scheduler::Entry entry = running_.front();
    running_.pop_front();
    return entry;
  }
  // A queued one.
  int64_t RandomJob() {
    while (true) {
      const int64_t job = newest_ - static_cast<int64_t>(random_() % kJobs);
      if (scheduler_.ReasonFor(job, {.workers_connected = 1}) != v1::PENDING_REASON_UNSPECIFIED)
        return job;
    }
  }
  double RandomShare() { return static_cast<double>(random_() % 2'000) / 1'000; }

 private:
  std::mt19937 random_{20240611};
  Scheduler scheduler_;
  std::deque<Scheduler::Entry> running_;
  int64_t newest_ = 0;
};

// Times of single calls, on a clock of clock_gettime. Processor time leaves out what neighbours
// take of a long call; reading it takes longer than a short one (1.2 µs against 0.05).
class Stopwatch {
 public:
  explicit Stopwatch(clockid_t clock) : clock_(clock) {}

  template <typename Call>
  auto Time(const Call& call) {
    const double start_us = NowUs();
    auto result = call();
    times_us_.push_back(NowUs() - start_us);
    return result;
  }
  void Report(benchmark::State& state) {
    std::sort(times_us_.begin(), times_us_.end());
    state.counters["p50_us"] = times_us_[times_us_.size() / 2];
    state.counters["p99_us"] = times_us_[times_us_.size() * 99 / 100];
    state.counters["max_us"] = times_us_.back();
  }

 private:
  double NowUs() const {
    timespec time;
    clock_gettime(clock_, &time);
    return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
  }

  const clockid_t clock_;
  std::vector<double> times_us_;
};

void BM_Take(benchmark::State& state) {
  FullQueue queue;
  Scheduler& scheduler = queue.scheduler();
  Stopwatch watch(CLOCK_MONOTONIC);
  for (auto _ : state) {
    const Scheduler::Entry ended = queue.TakeRunning();
    scheduler.End(ended.job, ended.cost * queue.RandomShare());
    queue.KeepTaken(watch.Time([&] { return scheduler.Take(8); }));
    queue.Add();
  }
  watch.Report(state);
}
BENCHMARK(BM_Take)->Iterations(200'000);

void BM_End(benchmark::State& state) {
  FullQueue queue;
  Scheduler& scheduler = queue.scheduler();
  Stopwatch watch(CLOCK_MONOTONIC);
  for (auto _ : state) {
    const Scheduler::Entry ended = queue.TakeRunning();
    const double took = ended.cost * queue.RandomShare();
    TY_CHECK(watch.Time([&] { return scheduler.End(ended.job, took); }));
    queue.KeepTaken(scheduler.Take(8));
    queue.Add();
  }
  watch.Report(state);
}
BENCHMARK(BM_End)->Iterations(200'000);

void BM_PlaceOf(benchmark::State& state) {
  FullQueue queue;
  Stopwatch watch(CLOCK_THREAD_CPUTIME_ID);
  for (auto _ : state) {
    const int64_t job = queue.RandomJob();
    benchmark::DoNotOptimize(watch.Time([&] { return queue.scheduler().PlaceOf(job); }));
  }
  watch.Report(state);
}
BENCHMARK(BM_PlaceOf)->Iterations(20'000);

}  // namespace
}  // namespace trainyard

BENCHMARK_MAIN();
