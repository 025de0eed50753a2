// The queue at full speed: durable submits of 16 clients on a server without workers, then small
// jobs trained end to end by two workers while the queue empties. See README.md for the protocol.
#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "tests/bench/live_service.h"

namespace trainyard::bench {
namespace {

constexpr int kClients = 16;
constexpr int kJobs = 10'000;
constexpr int kWorkers = 2;

// Logistic regression on WDBC's size, 20 epochs.
v1::TrainingSpec LogisticSpec() {
  v1::TrainingSpec spec;
  spec.set_target_column("label");
  spec.set_epochs(20);
  spec.set_batch_size(32);
  return spec;
}

// Submits kJobs, each client one after another on a channel of its own; jobs a second.
absl::StatusOr<double> SubmitAll(const LiveService& service, const std::string& dataset) {
  std::atomic<int> next{0};
  std::atomic<int> failed{0};
  const absl::Time start = absl::Now();
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      grpc::ChannelArguments arguments;
      arguments.SetInt("grpc.use_local_subchannel_pool", 1);
      const auto stub = v1::JobService::NewStub(grpc::CreateCustomChannel(
          service.address(), grpc::InsecureChannelCredentials(), arguments));
      while (next++ < kJobs) {
        grpc::ClientContext context;
        v1::CreateTrainingJobRequest request;
        request.mutable_training_job()->set_dataset(dataset);
        *request.mutable_training_job()->mutable_spec() = LogisticSpec();
        v1::TrainingJob job;
        if (!stub->CreateTrainingJob(&context, request, &job).ok()) ++failed;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  if (failed > 0) return absl::InternalError(absl::StrCat(failed.load(), " submits failed"));
  return kJobs / absl::ToDoubleSeconds(absl::Now() - start);
}

// When the queue has no more than each tenth of kJobs left, as seconds from the start.
absl::StatusOr<std::vector<double>> DrainTenths(LiveService& service) {
  std::vector<double> tenths;
  const absl::Time start = absl::Now();
  while (tenths.size() < 10) {
    grpc::ClientContext context;
    v1::ServerInfo info;
    TY_RETURN_IF_ERROR(FromGrpc(service.admin().GetServerInfo(&context, {}, &info)));
    const int64_t left = info.jobs_pending() + info.jobs_running();
    const auto limit = static_cast<int64_t>(kJobs - (tenths.size() + 1) * (kJobs / 10));
    if (left <= limit) tenths.push_back(absl::ToDoubleSeconds(absl::Now() - start));
    absl::SleepFor(absl::Milliseconds(5));
  }
  return tenths;
}

absl::StatusOr<std::string> Run(const std::string& bin) {
  const TempFolder folder;
  ServiceOptions options{.bin = bin,
                         .data_dir = folder.path() + "/data",
                         .workers = 0,
                         .flags = {"--owner-jobs-max", absl::StrCat(2 * kJobs)}};
  double submits = 0;
  {
    TY_ASSIGN_OR_RETURN(const auto service, LiveService::Start(options));
    TY_ASSIGN_OR_RETURN(const std::string dataset, service->Upload(RandomTable(569, 30)));
    TY_ASSIGN_OR_RETURN(submits, SubmitAll(*service, dataset));
  }
  options.workers = kWorkers;
  TY_ASSIGN_OR_RETURN(const auto service, LiveService::Start(options));
  TY_ASSIGN_OR_RETURN(const std::vector<double> tenths, DrainTenths(*service));
  const double first = tenths[1] - tenths[0];  // without the workers' start
  const double last = tenths[9] - tenths[8];
  return absl::StrCat("{\"bench\": \"queue\", \"clients\": ", kClients, ", \"jobs\": ", kJobs,
                      ", \"submits_per_s\": ", submits, ", \"jobs_per_s\": ", kJobs / tenths.back(),
                      ", \"second_tenth_jobs_per_s\": ", kJobs / 10 / first,
                      ", \"last_tenth_jobs_per_s\": ", kJobs / 10 / last, "}");
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::Run);
}
