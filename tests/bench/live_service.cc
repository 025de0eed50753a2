#include "tests/bench/live_service.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/crc32c.h"
#include "core/base/status_macros.h"

namespace trainyard::bench {
namespace {

constexpr absl::Duration kStartMax = absl::Seconds(60);
constexpr absl::Duration kStopMax = absl::Seconds(30);

std::string FirstWord(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

}  // namespace

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

double Percentile(std::vector<double> values, double ratio) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(ratio * static_cast<double>(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

TempFolder::TempFolder() {
  std::string pattern = "/tmp/ty-bench-XXXXXX";
  path_ = mkdtemp(pattern.data()) == nullptr ? "" : pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::vector<v1::WriteDatasetRequest> WriteRequests(const std::string& dataset,
                                                   absl::string_view bytes) {
  std::vector<v1::WriteDatasetRequest> requests;
  for (size_t offset = 0; offset < bytes.size(); offset += kChunkBytes) {
    const absl::string_view chunk = bytes.substr(offset, kChunkBytes);
    v1::WriteDatasetRequest& request = requests.emplace_back();
    request.set_name(dataset);
    request.set_offset(static_cast<int64_t>(offset));
    request.set_data(chunk.data(), chunk.size());
    request.set_crc32c(crc32c::Value(chunk));
  }
  return requests;
}

absl::Status Write(v1::DatasetService::StubInterface& stub,
                   const std::vector<v1::WriteDatasetRequest>& requests) {
  grpc::ClientContext context;
  v1::WriteDatasetResponse response;
  const auto writer = stub.WriteDataset(&context, &response);
  for (const v1::WriteDatasetRequest& request : requests) {
    if (!writer->Write(request)) break;  // Finish says why
  }
  writer->WritesDone();
  return FromGrpc(writer->Finish());
}

std::string RandomTable(int rows, int columns) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::string table;
  for (int column = 0; column < columns; ++column) absl::StrAppend(&table, "x", column, ",");
  table += "label\n";
  for (int row = 0; row < rows; ++row) {
    double sum = 0;
    for (int column = 0; column < columns; ++column) {
      const double value = uniform(random);
      sum += value;
      absl::StrAppend(&table, value, ",");
    }
    absl::StrAppend(&table, sum > 0 ? "yes\n" : "no\n");
  }
  return table;
}

v1::TrainingSpec SmallSpec(const std::string& target_column) {
  v1::TrainingSpec spec;
  spec.set_target_column(target_column);
  spec.add_layers()->set_units(16);
  spec.set_epochs(1);
  return spec;
}

ChildProcess::ChildProcess(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) != 0) pid_ = -1;
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  kill(pid_, SIGTERM);
  const absl::Time deadline = absl::Now() + kStopMax;
  while (running() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool ChildProcess::running() {
  if (pid_ >= 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ >= 0;
}

absl::StatusOr<std::string> WaitForAddress(const std::string& path, ChildProcess& process) {
  const absl::Time deadline = absl::Now() + kStartMax;
  std::string address = FirstWord(path);
  for (; address.empty(); address = FirstWord(path)) {
    if (!process.running())
      return absl::UnavailableError("the server ended at its start; its log is above");
    if (absl::Now() > deadline) return absl::DeadlineExceededError("the server is not up");
    absl::SleepFor(absl::Milliseconds(1));
  }
  return address;
}

int64_t ChildProcess::ResidentBytes() const {
  std::ifstream statm(absl::StrCat("/proc/", pid_, "/statm"));
  int64_t total_pages = 0, resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

std::vector<pid_t> LiveService::WorkerPids() const {
  std::vector<pid_t> pids;
  const std::string tasks = absl::StrCat("/proc/", pid(), "/task");
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child = 0; children >> child;) pids.push_back(child);
  }
  return pids;
}

absl::StatusOr<std::unique_ptr<LiveService>> LiveService::Start(const ServiceOptions& options) {
  std::filesystem::create_directories(options.data_dir);
  const std::string address_file = absl::StrCat(options.data_dir, ".address");
  std::filesystem::remove(address_file);
  std::unique_ptr<LiveService> service(new LiveService);
  const absl::Time started = absl::Now();
  std::vector<std::string> arguments = {
      options.bin + "/trainyard-server", "--listen", "127.0.0.1:0", "--metrics-listen",
      "127.0.0.1:0", "--data-dir", options.data_dir, "--workers", absl::StrCat(options.workers),
      "--print-address", address_file, "--log-level", "warning"};
  arguments.insert(arguments.end(), options.flags.begin(), options.flags.end());
  service->process_ = std::make_unique<ChildProcess>(std::move(arguments));
  TY_RETURN_IF_ERROR(service->Connect(address_file, started));
  return service;
}

absl::Status LiveService::Connect(const std::string& address_file, absl::Time started) {
  TY_ASSIGN_OR_RETURN(address_, WaitForAddress(address_file, *process_));
  const auto channel = grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
  datasets_ = v1::DatasetService::NewStub(channel);
  jobs_ = v1::JobService::NewStub(channel);
  admin_ = v1::AdminService::NewStub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  v1::ServerInfo info;
  TY_RETURN_IF_ERROR(FromGrpc(admin_->GetServerInfo(&context, {}, &info)));
  startup_ = absl::Now() - started;
  return absl::OkStatus();
}

absl::StatusOr<std::string> LiveService::CreateUpload() {
  grpc::ClientContext context;
  v1::Dataset dataset;
  TY_RETURN_IF_ERROR(FromGrpc(datasets_->CreateDataset(&context, {}, &dataset)));
  return dataset.name();
}

absl::Status LiveService::DeleteDataset(const std::string& name) {
  grpc::ClientContext context;
  v1::DeleteDatasetRequest request;
  request.set_name(name);
  google::protobuf::Empty empty;
  return FromGrpc(datasets_->DeleteDataset(&context, request, &empty));
}

absl::Status LiveService::WriteGenerated(const std::string& name, GeneratedTable* table) {
  grpc::ClientContext context;
  v1::WriteDatasetResponse response;
  const auto writer = datasets_->WriteDataset(&context, &response);
  v1::WriteDatasetRequest request;
  request.set_name(name);
  for (absl::string_view bytes = table->Next(); !bytes.empty(); bytes = table->Next()) {
    request.set_offset(table->size_bytes() - static_cast<int64_t>(bytes.size()));
    request.set_data(bytes.data(), bytes.size());
    request.set_crc32c(crc32c::Value(bytes));
    if (!writer->Write(request)) break;  // Finish says why
  }
  writer->WritesDone();
  return FromGrpc(writer->Finish());
}

absl::Status LiveService::Finalize(const std::string& name) {
  grpc::ClientContext context;
  v1::FinalizeDatasetRequest request;
  request.set_name(name);
  v1::Dataset dataset;
  return FromGrpc(datasets_->FinalizeDataset(&context, request, &dataset));
}

absl::StatusOr<std::string> LiveService::Upload(absl::string_view table) {
  TY_ASSIGN_OR_RETURN(const std::string name, CreateUpload());
  TY_RETURN_IF_ERROR(Write(*datasets_, WriteRequests(name, table)));
  TY_RETURN_IF_ERROR(Finalize(name));
  return name;
}

absl::StatusOr<std::string> LiveService::Submit(const std::string& dataset,
                                                const v1::TrainingSpec& spec) {
  grpc::ClientContext context;
  v1::CreateTrainingJobRequest request;
  request.mutable_training_job()->set_dataset(dataset);
  *request.mutable_training_job()->mutable_spec() = spec;
  v1::TrainingJob job;
  TY_RETURN_IF_ERROR(FromGrpc(jobs_->CreateTrainingJob(&context, request, &job)));
  return job.name();
}

absl::StatusOr<v1::TrainingJob> LiveService::Job(const std::string& name) {
  grpc::ClientContext context;
  v1::GetTrainingJobRequest request;
  request.set_name(name);
  v1::TrainingJob job;
  TY_RETURN_IF_ERROR(FromGrpc(jobs_->GetTrainingJob(&context, request, &job)));
  return job;
}

absl::StatusOr<v1::JobEvent> LiveService::WaitForFirstStep(const std::string& job) {
  grpc::ClientContext context;
  v1::WatchTrainingJobRequest request;
  request.set_name(job);
  const auto reader = jobs_->WatchTrainingJob(&context, request);
  v1::WatchTrainingJobResponse response;
  while (reader->Read(&response)) {
    if (!response.event().has_step()) continue;
    context.TryCancel();
    reader->Finish();  // CANCELLED, as asked
    return response.event();
  }
  return absl::InternalError(absl::StrCat("no step event: ", reader->Finish().error_message()));
}

absl::Status LiveService::WaitForSuccess(const std::string& job) {
  grpc::ClientContext context;
  v1::WaitTrainingJobRequest request;
  request.set_name(job);
  request.mutable_timeout()->set_seconds(600);
  v1::TrainingJob answer;
  TY_RETURN_IF_ERROR(FromGrpc(jobs_->WaitTrainingJob(&context, request, &answer)));
  if (answer.state() == v1::JOB_STATE_SUCCEEDED) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(job, " is ", v1::JobState_Name(answer.state()), ": ", answer.error().message()));
}

int RunBenchmark(int argc, char** argv,
                 absl::StatusOr<std::string> (*body)(const std::string& bin)) {
  const std::string bin =
      argc > 1
          ? argv[1]
          : (std::filesystem::canonical("/proc/self/exe").parent_path() / "../../bin").string();
  const absl::StatusOr<std::string> line = body(bin);
  if (!line.ok()) {
    std::cerr << argv[0] << ": " << line.status() << "\n";
    return 1;
  }
  std::cout << *line << std::endl;
  return 0;
}

}  // namespace trainyard::bench
