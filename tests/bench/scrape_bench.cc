// What being looked at costs: how long scrapes take beside a training with a hundred watchers, and
// how much slower that training is for watchers and scrapes. See README.md for the protocol.
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/status_macros.h"
#include "tests/bench/live_service.h"
#include "tests/bench/watched_job.h"
#include "tests/support/http_get.h"

namespace trainyard::bench {
namespace {

constexpr size_t kWatchers = 100;
constexpr int kFinishedJobs = 1'000;
constexpr int kRounds = 7;
constexpr int kJobSeconds = 8;
constexpr absl::Duration kScrapeInterval = absl::Seconds(1);
constexpr int kTimedScrapes = 300;
constexpr absl::Duration kTimedScrapeInterval = absl::Milliseconds(20);

class Watchers {
 public:
  Watchers(const std::vector<std::unique_ptr<v1::JobService::Stub>>& stubs, const std::string& job)
      : done_(kWatchers) {
    for (size_t i = 0; i < kWatchers; ++i) {
      watchers_.push_back(std::make_unique<Watcher>(stubs[i % stubs.size()].get(), job, &done_));
      watchers_.back()->Start();
    }
  }
  ~Watchers() { done_.Wait(); }

 private:
  absl::BlockingCounter done_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

double ScrapeBothMs(int port) {
  const absl::Time start = absl::Now();
  HttpGet(port, "/metrics");
  HttpGet(port, "/metrics/jobs");
  return absl::ToDoubleMilliseconds(absl::Now() - start);
}

// As Prometheus does, until it goes away.
class Scraper {
 public:
  explicit Scraper(int port)
      : thread_([this, port] {
          do {
            ScrapeBothMs(port);
          } while (!stop_.WaitForNotificationWithTimeout(kScrapeInterval));
        }) {}
  ~Scraper() {
    stop_.Notify();
    thread_.join();
  }

 private:
  absl::Notification stop_;
  std::thread thread_;
};

absl::StatusOr<int> MetricsPort(LiveService& service) {
  grpc::ClientContext context;
  v1::ServerInfo info;
  TY_RETURN_IF_ERROR(FromGrpc(service.admin().GetServerInfo(&context, {}, &info)));
  int port = 0;
  const std::vector<std::string> parts = absl::StrSplit(info.metrics_address(), ':');
  if (absl::SimpleAtoi(parts.back(), &port)) return port;
  return absl::InternalError(absl::StrCat("no metrics at \"", info.metrics_address(), "\""));
}

absl::Status RunShortJobs(LiveService& service, const std::string& dataset) {
  std::string last;
  for (int i = 0; i < kFinishedJobs; ++i) {
    TY_ASSIGN_OR_RETURN(last, service.Submit(dataset, SmallSpec("label")));
  }
  return service.WaitForSuccess(last);
}

class ScrapeBench {
 public:
  static absl::StatusOr<std::string> Run(const std::string& bin) {
    const TempFolder folder;
    ScrapeBench bench;
    TY_ASSIGN_OR_RETURN(bench.service_,
                        LiveService::Start({.bin = bin, .data_dir = folder.path() + "/data"}));
    LiveService& service = *bench.service_;
    TY_ASSIGN_OR_RETURN(const std::string small, service.Upload(RandomTable(200, 10)));
    TY_RETURN_IF_ERROR(RunShortJobs(service, small));
    TY_ASSIGN_OR_RETURN(bench.dataset_, service.Upload(RandomTable(kWatchedRows, 10)));
    TY_ASSIGN_OR_RETURN(bench.spec_, WatchedSpec(service, bench.dataset_, kJobSeconds));
    TY_ASSIGN_OR_RETURN(bench.port_, MetricsPort(service));
    bench.stubs_ = WatchConnections(service.address());
    return bench.Measure();
  }

 private:
  absl::StatusOr<std::string> Measure() {
    TY_ASSIGN_OR_RETURN(const std::vector<double> scrapes_ms, TimeScrapes());
    std::vector<double> alone, seen, ratios;
    for (int round = 0; round < kRounds; ++round) {
      TY_ASSIGN_OR_RETURN(alone.emplace_back(), StepsPerSecond(/*looked_at=*/false));
      TY_ASSIGN_OR_RETURN(seen.emplace_back(), StepsPerSecond(/*looked_at=*/true));
      ratios.push_back(seen.back() / alone.back());
    }
    return absl::StrCat(
        "{\"bench\": \"scrape\", \"watchers\": ", kWatchers, ", \"finished_jobs\": ", kFinishedJobs,
        ", \"scrape_ms_median\": ", Percentile(scrapes_ms, 0.5),
        ", \"scrape_ms_p99\": ", Percentile(scrapes_ms, 0.99),
        ", \"steps_per_second_alone\": ", Percentile(alone, 0.5),
        ", \"steps_per_second_looked_at\": ", Percentile(seen, 0.5),
        ", \"ratio_median\": ", Percentile(ratios, 0.5), ", \"ratio_min\": ", Percentile(ratios, 0),
        ", \"ratio_max\": ", Percentile(ratios, 1), "}");
  }

  absl::StatusOr<std::vector<double>> TimeScrapes() {
    TY_ASSIGN_OR_RETURN(const std::string job, service_->Submit(dataset_, spec_));
    const Watchers watchers(stubs_, job);
    TY_RETURN_IF_ERROR(service_->WaitForFirstStep(job).status());
    std::vector<double> milliseconds;
    for (int i = 0; i < kTimedScrapes; ++i) {
      milliseconds.push_back(ScrapeBothMs(port_));
      absl::SleepFor(kTimedScrapeInterval);
    }
    TY_RETURN_IF_ERROR(service_->WaitForSuccess(job));
    return milliseconds;
  }

  absl::StatusOr<double> StepsPerSecond(bool looked_at) {
    TY_ASSIGN_OR_RETURN(const std::string name, service_->Submit(dataset_, spec_));
    std::unique_ptr<Watchers> watchers;
    std::unique_ptr<Scraper> scraper;
    if (looked_at) {
      watchers = std::make_unique<Watchers>(stubs_, name);
      scraper = std::make_unique<Scraper>(port_);
    }
    TY_RETURN_IF_ERROR(service_->WaitForSuccess(name));
    TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, service_->Job(name));
    return static_cast<double>(job.progress().steps_done()) / kJobSeconds;
  }

  std::unique_ptr<LiveService> service_;
  std::string dataset_;
  v1::TrainingSpec spec_;
  int port_ = 0;
  std::vector<std::unique_ptr<v1::JobService::Stub>> stubs_;
};

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::ScrapeBench::Run);
}
