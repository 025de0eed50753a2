// From the assignment of a job to its first step on a dataset of 1 GB that was prepared before: the
// same job again, another network, and a worker that has not seen the data. See README.md for the
// protocol.
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

constexpr int64_t kTableBytes = 1'000'000'000;
constexpr int kRepeats = 11;
// A server that has just started is not idle yet.
constexpr absl::Duration kIdle = absl::Seconds(1);
// Few steps, so that the measure takes no longer than it has to.
constexpr int kSteps = 50;

v1::TrainingSpec Spec(int units) {
  v1::TrainingSpec spec;
  spec.set_target_column(std::string(GeneratedTable::kLabel));
  spec.add_layers()->set_units(units);
  spec.set_max_steps(kSteps);
  spec.set_step_event_interval(1);
  return spec;
}

// Milliseconds from the assignments of jobs to their first steps.
struct Latencies {
  std::vector<double> logged;  // the event comes to the log
  std::vector<double> seen;    // it is durable, and a watcher has it
};

absl::Status Measure(LiveService& service, const std::string& dataset, int units,
                     Latencies* latencies) {
  TY_ASSIGN_OR_RETURN(const std::string name, service.Submit(dataset, Spec(units)));
  TY_ASSIGN_OR_RETURN(const v1::JobEvent step, service.WaitForFirstStep(name));
  const absl::Time seen = absl::Now();
  TY_RETURN_IF_ERROR(service.WaitForSuccess(name));
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, service.Job(name));
  const absl::Time assigned = TimeOf(job.start_time());
  latencies->logged.push_back(absl::ToDoubleMilliseconds(TimeOf(step.create_time()) - assigned));
  latencies->seen.push_back(absl::ToDoubleMilliseconds(seen - assigned));
  return absl::OkStatus();
}

std::string ToJson(const Latencies& latencies) {
  return absl::StrCat("{\"logged_median_ms\": ", Percentile(latencies.logged, 0.5),
                      ", \"median_ms\": ", Percentile(latencies.seen, 0.5),
                      ", \"max_ms\": ", Percentile(latencies.seen, 1), "}");
}

// The dataset's name.
absl::StatusOr<std::string> UploadTable(LiveService& service) {
  GeneratedTable table({.size_bytes = kTableBytes});
  TY_ASSIGN_OR_RETURN(std::string name, service.CreateUpload());
  TY_RETURN_IF_ERROR(service.WriteGenerated(name, &table));
  TY_RETURN_IF_ERROR(service.Finalize(name));
  return name;
}

absl::StatusOr<std::string> Run(const std::string& bin) {
  const TempFolder folder;
  const ServiceOptions options{.bin = bin, .data_dir = folder.path() + "/data"};
  TY_ASSIGN_OR_RETURN(auto service, LiveService::Start(options));
  TY_ASSIGN_OR_RETURN(const std::string dataset, UploadTable(*service));
  Latencies first, same, other, fresh;
  TY_RETURN_IF_ERROR(Measure(*service, dataset, 16, &first));
  for (int i = 0; i < kRepeats; ++i) {
    TY_RETURN_IF_ERROR(Measure(*service, dataset, 16, &same));
    TY_RETURN_IF_ERROR(Measure(*service, dataset, 32 + i, &other));
  }
  for (int i = 0; i < kRepeats; ++i) {
    service.reset();
    TY_ASSIGN_OR_RETURN(service, LiveService::Start(options));
    absl::SleepFor(kIdle);  // the worker says hello when its engine is warm
    TY_RETURN_IF_ERROR(Measure(*service, dataset, 16, &fresh));
  }
  return absl::StrCat("{\"bench\": \"second_job\", \"table_bytes\": ", kTableBytes,
                      ", \"repeats\": ", kRepeats, ", \"first_job\": ", ToJson(first),
                      ", \"same_job\": ", ToJson(same), ", \"other_network\": ", ToJson(other),
                      ", \"new_worker\": ", ToJson(fresh), "}");
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::Run);
}
