// Start of the server on a data directory of a thousand finished jobs: from exec to its first
// answer. See README.md for the protocol.
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/status_macros.h"
#include "tests/bench/live_service.h"

namespace trainyard::bench {
namespace {

constexpr int kJobs = 1000;
constexpr int kStarts = 11;

absl::Status FinishJobs(const ServiceOptions& options) {
  TY_ASSIGN_OR_RETURN(const auto service, LiveService::Start(options));
  TY_ASSIGN_OR_RETURN(const std::string dataset, service->Upload(RandomTable(100, 5)));
  std::vector<std::string> jobs;
  for (int i = 0; i < kJobs; ++i) {
    TY_ASSIGN_OR_RETURN(jobs.emplace_back(), service->Submit(dataset, SmallSpec("label")));
  }
  for (const std::string& job : jobs) TY_RETURN_IF_ERROR(service->WaitForSuccess(job));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Run(const std::string& bin) {
  const TempFolder folder;
  const ServiceOptions options{.bin = bin, .data_dir = folder.path() + "/data"};
  TY_RETURN_IF_ERROR(FinishJobs(options));
  std::vector<double> starts_ms;
  for (int i = 0; i < kStarts; ++i) {
    TY_ASSIGN_OR_RETURN(const auto service, LiveService::Start(options));
    starts_ms.push_back(absl::ToDoubleMilliseconds(service->startup()));
  }
  return absl::StrCat("{\"bench\": \"startup\", \"finished_jobs\": ", kJobs,
                      ", \"starts\": ", kStarts, ", \"median_ms\": ", Percentile(starts_ms, 0.5),
                      ", \"max_ms\": ", Percentile(starts_ms, 1), "}");
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::Run);
}
