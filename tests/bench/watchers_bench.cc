// A thousand watchers on one job of about ten events a second: does each get every event, how late,
// and at what cost in memory? See README.md for the protocol.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/status_macros.h"
#include "tests/bench/live_service.h"
#include "tests/bench/watched_job.h"

namespace trainyard::bench {
namespace {

constexpr int kWatchers = 1000;
constexpr int kJobSeconds = 30;

// Keeps what it needs for the verdict.
class JudgingWatcher final : public Watcher {
 public:
  using Watcher::Watcher;

  int64_t events() const { return next_sequence_ - 1; }
  bool dense() const { return dense_; }
  bool ended() const { return ended_; }
  const std::vector<double>& lateness_ms() const { return lateness_ms_; }

 private:
  void See(const v1::JobEvent& event) override {
    dense_ = dense_ && event.sequence() == next_sequence_;
    ++next_sequence_;
    ended_ = event.state_change().to() == v1::JOB_STATE_SUCCEEDED;
    if (!event.has_step()) return;
    const absl::Time durable = TimeOf(event.create_time());
    lateness_ms_.push_back(absl::ToDoubleMilliseconds(absl::Now() - durable));
  }

  int64_t next_sequence_ = 1;
  bool dense_ = true;
  bool ended_ = false;
  std::vector<double> lateness_ms_;
};

absl::StatusOr<std::string> Report(const std::vector<std::unique_ptr<JudgingWatcher>>& watchers,
                                   int64_t resident_bytes_max) {
  std::vector<double> lateness_ms;
  int64_t complete = 0;
  for (const auto& watcher : watchers) {
    if (!watcher->status().ok()) return FromGrpc(watcher->status());
    complete += watcher->dense() && watcher->ended() && watcher->events() == watchers[0]->events();
    lateness_ms.insert(lateness_ms.end(), watcher->lateness_ms().begin(),
                       watcher->lateness_ms().end());
  }
  return absl::StrCat(
      "{\"bench\": \"watchers\", \"watchers\": ", watchers.size(), ", \"complete\": ", complete,
      ", \"events_each\": ", watchers[0]->events(),
      ", \"events_per_second\": ", static_cast<double>(watchers[0]->events()) / kJobSeconds,
      ", \"lateness_ms_median\": ", Percentile(lateness_ms, 0.5),
      ", \"lateness_ms_p99\": ", Percentile(lateness_ms, 0.99),
      ", \"lateness_ms_max\": ", Percentile(lateness_ms, 1),
      ", \"server_resident_mib_max\": ", resident_bytes_max >> 20, "}");
}

absl::StatusOr<std::string> Run(const std::string& bin) {
  const TempFolder folder;
  TY_ASSIGN_OR_RETURN(const auto service,
                      LiveService::Start({.bin = bin, .data_dir = folder.path() + "/data"}));
  TY_ASSIGN_OR_RETURN(const std::string dataset, service->Upload(RandomTable(kWatchedRows, 10)));
  TY_ASSIGN_OR_RETURN(const v1::TrainingSpec spec, WatchedSpec(*service, dataset, kJobSeconds));
  const auto stubs = WatchConnections(service->address());
  TY_ASSIGN_OR_RETURN(const std::string job, service->Submit(dataset, spec));

  absl::BlockingCounter done(kWatchers);
  std::vector<std::unique_ptr<JudgingWatcher>> watchers;
  for (size_t i = 0; i < kWatchers; ++i) {
    watchers.push_back(std::make_unique<JudgingWatcher>(stubs[i % stubs.size()].get(), job, &done));
    watchers.back()->Start();
  }
  int64_t resident_bytes_max = 0;
  for (int second = 0; second < kJobSeconds - 2; ++second) {
    resident_bytes_max = std::max(resident_bytes_max, service->ResidentBytes());
    absl::SleepFor(absl::Seconds(1));
  }
  done.Wait();
  return Report(watchers, resident_bytes_max);
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::Run);
}
