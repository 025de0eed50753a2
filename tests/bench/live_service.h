// What the benchmarks of the service share: a real server process, its stubs, the calls of the main
// job, and percentiles.
//
//   TY_ASSIGN_OR_RETURN(auto service, LiveService::Start({.bin = bin, .data_dir = dir}));
//   TY_ASSIGN_OR_RETURN(std::string dataset, service->Upload(table));
//   TY_ASSIGN_OR_RETURN(std::string job, service->Submit(dataset, spec));
//
// Thread-safety: the stubs are thread-safe; everything else belongs to one thread.
// Errors: the status of the failed call, with gRPC's code and message.
#ifndef TRAINYARD_TESTS_BENCH_LIVE_SERVICE_H_
#define TRAINYARD_TESTS_BENCH_LIVE_SERVICE_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/bench/generated_table.h"
#include "trainyard/v1/admin.grpc.pb.h"
#include "trainyard/v1/dataset.grpc.pb.h"
#include "trainyard/v1/job.grpc.pb.h"

namespace trainyard::bench {

inline constexpr int64_t kChunkBytes = 1 << 20;

// By the server's clock, which is ours.
absl::Time TimeOf(const google::protobuf::Timestamp& time);
absl::Status FromGrpc(const grpc::Status& status);

// The value below which `ratio` of `values` lie (nearest rank); 0 for no values.
double Percentile(std::vector<double> values, double ratio);

// A folder below /tmp that goes away with it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The messages that write `bytes` to `dataset`, checksums included.
std::vector<v1::WriteDatasetRequest> WriteRequests(const std::string& dataset,
                                                   absl::string_view bytes);
// Sends them in one stream and waits for the answer.
absl::Status Write(v1::DatasetService::StubInterface& stub,
                   const std::vector<v1::WriteDatasetRequest>& requests);

// A CSV of `rows` rows of random numbers and a label that depends on them; the same for the same
// arguments.
std::string RandomTable(int rows, int columns);
// A one-epoch job on RandomTable or wdbc.csv that is over in milliseconds.
v1::TrainingSpec SmallSpec(const std::string& target_column);

// A child process that ends with its owner: SIGTERM and a wait, SIGKILL after 30 s.
class ChildProcess {
 public:
  explicit ChildProcess(std::vector<std::string> arguments);
  ~ChildProcess();
  bool running();
  pid_t pid() const { return pid_; }
  int64_t ResidentBytes() const;

 private:
  pid_t pid_ = -1;
};

// The address that the server `process` writes to the file `path` once it listens.
absl::StatusOr<std::string> WaitForAddress(const std::string& path, ChildProcess& process);

struct ServiceOptions {
  std::string bin;       // folder of trainyard-server
  std::string data_dir;  // created if absent
  int workers = 1;
  std::vector<std::string> flags;  // more of the server's
};

class LiveService {
 public:
  // Returns when the service answers; startup() is the time from exec to that answer.
  static absl::StatusOr<std::unique_ptr<LiveService>> Start(const ServiceOptions& options);

  const std::string& address() const { return address_; }
  absl::Duration startup() const { return startup_; }
  int64_t ResidentBytes() const { return process_->ResidentBytes(); }
  pid_t pid() const { return process_->pid(); }
  // Of the server's children.
  std::vector<pid_t> WorkerPids() const;
  v1::DatasetService::Stub& datasets() { return *datasets_; }
  v1::JobService::Stub& jobs() { return *jobs_; }
  v1::AdminService::Stub& admin() { return *admin_; }

  absl::StatusOr<std::string> CreateUpload();
  absl::Status DeleteDataset(const std::string& name);
  // Writes all of `table` in one stream, made while it is sent.
  absl::Status WriteGenerated(const std::string& name, GeneratedTable* table);
  absl::Status Finalize(const std::string& name);
  // Name of the READY dataset.
  absl::StatusOr<std::string> Upload(absl::string_view table);
  // Name of the job.
  absl::StatusOr<std::string> Submit(const std::string& dataset, const v1::TrainingSpec& spec);
  // As the server knows it now.
  absl::StatusOr<v1::TrainingJob> Job(const std::string& name);
  // Waits for the first step event of the job.
  absl::StatusOr<v1::JobEvent> WaitForFirstStep(const std::string& job);
  // Waits for the end of the job; an error unless it SUCCEEDED.
  absl::Status WaitForSuccess(const std::string& job);

 private:
  LiveService() = default;
  absl::Status Connect(const std::string& address_file, absl::Time started);

  std::unique_ptr<ChildProcess> process_;
  std::string address_;
  absl::Duration startup_;
  std::unique_ptr<v1::DatasetService::Stub> datasets_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

// Runs `body`, prints the JSON line it returns, or why there is none. For main(): returns the exit
// status. `argv[1]` is the folder of the binaries; without it, the folder of this one.
int RunBenchmark(int argc, char** argv,
                 absl::StatusOr<std::string> (*body)(const std::string& bin));

}  // namespace trainyard::bench

#endif  // TRAINYARD_TESTS_BENCH_LIVE_SERVICE_H_
