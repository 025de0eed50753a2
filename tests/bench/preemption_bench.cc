// How long interactive jobs wait behind a machine full of batch jobs, with preemption and without.
// See README.md for the protocol.
#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "tests/bench/live_service.h"

namespace trainyard::bench {
namespace {

constexpr int kWorkers = 2;
constexpr int kBatchJobs = 40;
constexpr int kInteractiveJobs = 30;
// Between the end of an interactive job and the next one: longer than the quantum of a batch job,
// so that all is full again.
constexpr double kPauseSecondsMin = 1, kPauseSecondsMax = 3;
constexpr absl::Duration kQuantum = absl::Seconds(1);

v1::TrainingSpec BatchSpec() {
  v1::TrainingSpec spec = SmallSpec("label");
  spec.mutable_layers(0)->set_units(256);
  spec.add_layers()->set_units(256);
  spec.set_epochs(4'000);  // about 20 s
  return spec;
}

absl::StatusOr<std::string> SubmitAs(LiveService& service, const std::string& dataset,
                                     const v1::TrainingSpec& spec, v1::JobPriority priority) {
  grpc::ClientContext context;
  v1::CreateTrainingJobRequest request;
  request.mutable_training_job()->set_dataset(dataset);
  request.mutable_training_job()->set_priority(priority);
  *request.mutable_training_job()->mutable_spec() = spec;
  v1::TrainingJob job;
  TY_RETURN_IF_ERROR(FromGrpc(service.jobs().CreateTrainingJob(&context, request, &job)));
  return job.name();
}

// Seconds that each interactive job waited.
absl::StatusOr<std::vector<double>> Waits(const std::string& bin, const std::string& preempt_after,
                                          int jobs) {
  const TempFolder folder;
  TY_ASSIGN_OR_RETURN(
      const auto service,
      LiveService::Start({.bin = bin,
                          .data_dir = folder.path() + "/data",
                          .workers = kWorkers,
                          .flags = {"--preempt-after", preempt_after, "--preempt-quantum",
                                    absl::FormatDuration(kQuantum)}}));
  TY_ASSIGN_OR_RETURN(const std::string dataset, service->Upload(RandomTable(500, 10)));
  for (int i = 0; i < kBatchJobs; ++i) {
    TY_RETURN_IF_ERROR(SubmitAs(*service, dataset, BatchSpec(), v1::JOB_PRIORITY_BATCH).status());
  }
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> pause(kPauseSecondsMin, kPauseSecondsMax);
  std::vector<double> waits;
  for (int i = 0; i < jobs; ++i) {
    absl::SleepFor(absl::Seconds(pause(random)));
    TY_ASSIGN_OR_RETURN(const std::string name, SubmitAs(*service, dataset, SmallSpec("label"),
                                                         v1::JOB_PRIORITY_INTERACTIVE));
    TY_RETURN_IF_ERROR(service->WaitForSuccess(name));
    TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, service->Job(name));
    waits.push_back(absl::ToDoubleSeconds(TimeOf(job.start_time()) - TimeOf(job.create_time())));
  }
  return waits;
}

absl::StatusOr<std::string> Run(const std::string& bin) {
  TY_ASSIGN_OR_RETURN(const std::vector<double> with, Waits(bin, "2s", kInteractiveJobs));
  TY_ASSIGN_OR_RETURN(const std::vector<double> without, Waits(bin, "inf", kInteractiveJobs / 5));
  return absl::StrCat("{\"bench\": \"preemption\", \"jobs\": ", with.size(),
                      ", \"wait_median_s\": ", Percentile(with, 0.5),
                      ", \"wait_p99_s\": ", Percentile(with, 0.99),
                      ", \"without_median_s\": ", Percentile(without, 0.5),
                      ", \"without_max_s\": ", Percentile(without, 1), "}");
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::Run);
}
