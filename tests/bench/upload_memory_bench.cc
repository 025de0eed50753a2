// How much memory server and worker have while 4 GiB are uploaded, finalized and trained on. See
// README.md for the protocol.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "tests/bench/live_service.h"
#include "tests/bench/memory_sampler.h"

namespace trainyard::bench {
namespace {

constexpr int kBatchSize = 4096;

struct Case {
  const char* name;
  GeneratedTable::Options table;
};

// A table of numbers, and one whose different texts take nearly all that dictionaries may.
std::vector<Case> Cases() {
  const int64_t size = limits::kDatasetBytesMax;
  return {{"numbers", {.size_bytes = size, .number_columns = 100}},
          {"texts",
           {.size_bytes = size, .number_columns = 20, .text_columns = 8, .text_count = 900'000}}};
}

v1::TrainingSpec Spec() {
  v1::TrainingSpec spec = SmallSpec(std::string(GeneratedTable::kLabel));
  spec.set_batch_size(kBatchSize);
  return spec;
}

// A server, its worker, and what happens to them.
class Run {
 public:
  static absl::StatusOr<std::string> Of(const Case& one, const std::string& bin) {
    const TempFolder folder;
    TY_ASSIGN_OR_RETURN(const auto service,
                        LiveService::Start({.bin = bin, .data_dir = folder.path() + "/data"}));
    const std::vector<pid_t> workers = service->WorkerPids();
    if (workers.size() != 1) return absl::InternalError("there is not one worker");
    Run run(*service, workers.front());
    TY_RETURN_IF_ERROR(run.Measure(one.table));
    return absl::StrCat("{\"bench\": \"upload_memory\", \"table\": \"", one.name, "\"", run.json_,
                        "}");
  }

 private:
  Run(LiveService& service, pid_t worker)
      : service_(service), server_memory_(service.pid()), worker_memory_(worker) {}

  absl::Status Measure(const GeneratedTable::Options& options) {
    GeneratedTable table(options);
    TY_ASSIGN_OR_RETURN(const std::string name, service_.CreateUpload());
    TY_RETURN_IF_ERROR(service_.WriteGenerated(name, &table));
    absl::StrAppend(&json_, ", \"upload_bytes\": ", table.size_bytes(),
                    ", \"rows\": ", table.rows());
    EndPhase("upload");
    TY_RETURN_IF_ERROR(service_.Finalize(name));
    EndPhase("finalize");
    for (const char* phase : {"first_job", "second_job"}) {
      TY_ASSIGN_OR_RETURN(const std::string job, service_.Submit(name, Spec()));
      TY_RETURN_IF_ERROR(service_.WaitForSuccess(job));
      EndPhase(phase);
    }
    return absl::OkStatus();
  }

  void EndPhase(const char* name) {
    const absl::Time now = absl::Now();
    absl::StrAppend(&json_, ", \"", name, "\": {\"seconds\": ", absl::ToDoubleSeconds(now - begin_),
                    ", \"server\": ", ToJson(server_memory_.TakePeaks()),
                    ", \"worker\": ", ToJson(worker_memory_.TakePeaks()), "}");
    begin_ = now;
  }

  LiveService& service_;
  MemorySampler server_memory_;
  MemorySampler worker_memory_;
  absl::Time begin_ = absl::Now();
  std::string json_;
};

absl::StatusOr<std::string> RunAll(const std::string& bin) {
  std::string lines;
  for (const Case& one : Cases()) {
    TY_ASSIGN_OR_RETURN(const std::string line, Run::Of(one, bin));
    absl::StrAppend(&lines, lines.empty() ? "" : "\n", line);
  }
  return lines;
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::RunAll);
}
