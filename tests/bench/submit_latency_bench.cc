// Submit to first training event: from the call of CreateTrainingJob to the first step event at a
// watcher, on an idle server with one worker. See README.md for the protocol.
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/status_macros.h"
#include "tests/bench/live_service.h"

namespace trainyard::bench {
namespace {

constexpr int kRepeats = 200;
constexpr int kWarmUps = 5;
// Between two jobs, so that each finds the server idle.
constexpr absl::Duration kPause = absl::Milliseconds(20);

struct Latency {
  double create_ms;  // CreateTrainingJob alone
  double first_event_ms;
};

absl::StatusOr<Latency> MeasureOnce(LiveService& service, const std::string& dataset) {
  const absl::Time start = absl::Now();
  TY_ASSIGN_OR_RETURN(const std::string job, service.Submit(dataset, SmallSpec("label")));
  const absl::Time created = absl::Now();
  TY_RETURN_IF_ERROR(service.WaitForFirstStep(job).status());
  const absl::Time seen = absl::Now();
  TY_RETURN_IF_ERROR(service.WaitForSuccess(job));
  absl::SleepFor(kPause);
  return Latency{absl::ToDoubleMilliseconds(created - start),
                 absl::ToDoubleMilliseconds(seen - start)};
}

absl::StatusOr<std::string> Run(const std::string& bin) {
  const TempFolder folder;
  TY_ASSIGN_OR_RETURN(const auto service,
                      LiveService::Start({.bin = bin, .data_dir = folder.path() + "/data"}));
  TY_ASSIGN_OR_RETURN(const std::string dataset, service->Upload(RandomTable(500, 10)));
  std::vector<double> create_ms, first_event_ms;
  for (int i = 0; i < kWarmUps + kRepeats; ++i) {
    TY_ASSIGN_OR_RETURN(const Latency latency, MeasureOnce(*service, dataset));
    if (i < kWarmUps) continue;
    create_ms.push_back(latency.create_ms);
    first_event_ms.push_back(latency.first_event_ms);
  }
  return absl::StrCat("{\"bench\": \"submit_latency\", \"repeats\": ", kRepeats,
                      ", \"median_ms\": ", Percentile(first_event_ms, 0.5),
                      ", \"p99_ms\": ", Percentile(first_event_ms, 0.99),
                      ", \"max_ms\": ", Percentile(first_event_ms, 1),
                      ", \"create_median_ms\": ", Percentile(create_ms, 0.5), "}");
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::Run);
}
