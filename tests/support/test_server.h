// TestServer is a real Server in this process, on port 0 and a directory of its own, with real
// trainyard-worker children when asked, and stubs that talk to it through real gRPC.
//
//   TestServer server({.workers = 1});
//   const std::string dataset = server.Upload("a,y\n1,no\n2,yes\n");
//   v1::TrainingJob job = server.Submit(dataset, "y");
//
// Set-up that fails aborts the test (TY_CHECK): what a test asserts is what comes after.
// Thread-safety: none, but the stubs.
#ifndef TRAINYARD_TESTS_SUPPORT_TEST_SERVER_H_
#define TRAINYARD_TESTS_SUPPORT_TEST_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/rpc_status.h"
#include "server/server.h"
#include "tests/support/temp_dir.h"
#include "trainyard/v1/admin.grpc.pb.h"
#include "trainyard/v1/analysis.grpc.pb.h"
#include "trainyard/v1/auth.grpc.pb.h"
#include "trainyard/v1/dataset.grpc.pb.h"
#include "trainyard/v1/job.grpc.pb.h"
#include "trainyard/v1/model.grpc.pb.h"

namespace trainyard {

class TestServer {
 public:
  struct Options {
    int workers = 0;
    absl::Duration heartbeat_interval = absl::Seconds(15);
    int64_t watchers_max = 100;
    int64_t queued_jobs_max = 100;
    int64_t dataset_bytes_max = int64_t{64} << 20;
    std::function<void(ServerOptions*)> adjust = {};  // last
  };

  explicit TestServer(const Options& options);

  Server& server() { return *server_; }
  v1::DatasetService::Stub& datasets() { return *datasets_; }
  v1::JobService::Stub& jobs() { return *jobs_; }
  v1::ModelService::Stub& models() { return *models_; }
  v1::AnalysisService::Stub& analyses() { return *analyses_; }
  v1::AdminService::Stub& admin() { return *admin_; }
  v1::AuthService::Stub& auth() { return *auth_; }
  std::shared_ptr<grpc::Channel> channel() { return channel_; }
  const std::string& data_dir() const { return directory_.path(); }

  // From now on the calls of this object, and of CallWith, carry this token; empty: none.
  static void UseToken(const std::string& bearer);
  // A first user "root", whose token is used from now on; its token.
  std::string AddRoot();
  // A user with the role, made by whoever is used now; a token of it.
  std::string AddUser(const std::string& id, v1::UserRole role);

  // A dataset in state UPLOADING.
  std::string NewUpload();
  // All of `bytes` in one stream from `offset`; the committed size.
  absl::StatusOr<int64_t> Write(const std::string& name, const std::string& bytes,
                                int64_t offset = 0);
  // A READY dataset of a CSV.
  std::string Upload(const std::string& csv);
  // A job with a small network on `target`; `adjust` may change the spec.
  v1::TrainingJob Submit(const std::string& dataset, const std::string& target,
                         const std::function<void(v1::TrainingSpec*)>& adjust = {});
  // The job once it is terminal.
  v1::TrainingJob Wait(const std::string& job);
  // All messages of a watch, and how it ended.
  struct WatchResult {
    std::vector<v1::WatchTrainingJobResponse> messages;
    absl::Status status;
  };
  WatchResult Watch(const v1::WatchTrainingJobRequest& request);

 private:
  TempDir directory_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::DatasetService::Stub> datasets_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::AnalysisService::Stub> analyses_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
  std::unique_ptr<v1::AuthService::Stub> auth_;
};

// The token that calls of tests carry, see TestServer::UseToken.
void AddToken(grpc::ClientContext* context);
// The metadata of one call.
void AddToken(grpc::ClientContext* context, const std::string& bearer);

// A unary call, with a deadline that ends a test that would hang:
//   CallWith(server.jobs(), &v1::JobService::Stub::GetTrainingJob, request)
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> CallWith(Stub& stub,
                                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                                  const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  AddToken(&context);
  Response response;
  const absl::Status status = FromGrpcStatus((stub.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

// A writer's message with the right checksum.
v1::WriteDatasetRequest Chunk(const std::string& name, int64_t offset, const std::string& data);

// tests/data/{name}.
std::string ReadTestData(const std::string& name);

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_TEST_SERVER_H_
