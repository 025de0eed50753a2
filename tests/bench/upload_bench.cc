// Upload over loopback beside the most a server could do: a bare gRPC server that reads the same
// stream and drops it. Both run in processes of their own, in turns. See README.md for the
// protocol.
#include <cstdint>
#include <fstream>
#include <random>
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

constexpr int kRounds = 9;
constexpr int64_t kUploadBytes = 128 << 20;
constexpr char kBareFlag[] = "--bare-server";

// Reads a stream, counts its bytes, keeps nothing.
class DroppingReactor final : public grpc::ServerReadReactor<v1::WriteDatasetRequest> {
 public:
  explicit DroppingReactor(v1::WriteDatasetResponse* response) : response_(response) {
    StartRead(&request_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    response_->set_committed_size_bytes(response_->committed_size_bytes() +
                                        static_cast<int64_t>(request_.data().size()));
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  v1::WriteDatasetResponse* response_;
  v1::WriteDatasetRequest request_;
};

class BareService final : public v1::DatasetService::CallbackService {
  grpc::ServerReadReactor<v1::WriteDatasetRequest>* WriteDataset(
      grpc::CallbackServerContext*, v1::WriteDatasetResponse* response) override {
    return new DroppingReactor(response);
  }
};

// Serves on a free port until killed; writes its address to `address_file`.
int ServeBare(const std::string& address_file) {
  BareService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(8 << 20);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::ofstream(address_file) << absl::StrCat("127.0.0.1:", port, "\n");
  server->Wait();
  return 0;
}

std::string RandomBytes(int64_t size) {
  std::mt19937_64 random(7);
  std::string bytes(static_cast<size_t>(size), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// MB/s of one stream, from the first write to the answer.
absl::StatusOr<double> Measure(v1::DatasetService::StubInterface& stub,
                               const std::vector<v1::WriteDatasetRequest>& requests) {
  const absl::Time start = absl::Now();
  TY_RETURN_IF_ERROR(Write(stub, requests));
  return static_cast<double>(kUploadBytes) / 1e6 / absl::ToDoubleSeconds(absl::Now() - start);
}

absl::StatusOr<double> MeasureService(LiveService& service,
                                      std::vector<v1::WriteDatasetRequest>* requests) {
  TY_ASSIGN_OR_RETURN(const std::string name, service.CreateUpload());
  for (v1::WriteDatasetRequest& request : *requests) request.set_name(name);
  TY_ASSIGN_OR_RETURN(const double rate, Measure(service.datasets(), *requests));
  TY_RETURN_IF_ERROR(service.DeleteDataset(name));
  return rate;
}

absl::StatusOr<std::string> Run(const std::string& bin) {
  const TempFolder folder;
  TY_ASSIGN_OR_RETURN(const auto service,
                      LiveService::Start({.bin = bin, .data_dir = folder.path() + "/data"}));
  const std::string bare_address_file = folder.path() + "/bare.address";
  ChildProcess bare_process({"/proc/self/exe", kBareFlag, bare_address_file});
  TY_ASSIGN_OR_RETURN(const std::string bare_address,
                      WaitForAddress(bare_address_file, bare_process));
  const auto bare = v1::DatasetService::NewStub(
      grpc::CreateChannel(bare_address, grpc::InsecureChannelCredentials()));
  std::vector<v1::WriteDatasetRequest> requests =
      WriteRequests("datasets/bare", RandomBytes(kUploadBytes));
  std::vector<double> service_rates, bare_rates, ratios;
  for (int round = 0; round < kRounds; ++round) {
    TY_ASSIGN_OR_RETURN(const double bare_rate, Measure(*bare, requests));
    TY_ASSIGN_OR_RETURN(const double service_rate, MeasureService(*service, &requests));
    bare_rates.push_back(bare_rate);
    service_rates.push_back(service_rate);
    ratios.push_back(service_rate / bare_rate);
  }
  return absl::StrCat("{\"bench\": \"upload\", \"rounds\": ", kRounds,
                      ", \"upload_bytes\": ", kUploadBytes, ", \"chunk_bytes\": ", kChunkBytes,
                      ", \"service_mb_s_median\": ", Percentile(service_rates, 0.5),
                      ", \"bare_mb_s_median\": ", Percentile(bare_rates, 0.5),
                      ", \"ratio_median\": ", Percentile(ratios, 0.5),
                      ", \"ratio_min\": ", Percentile(ratios, 0), "}");
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == trainyard::bench::kBareFlag)
    return trainyard::bench::ServeBare(argv[2]);
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::Run);
}
