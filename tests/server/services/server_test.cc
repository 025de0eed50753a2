// The composition root: start, refusal to start, health, the workers' door, shutdown.
#include "server/server.h"

#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/steady_clock.h"
#include "server/base/version.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"
#include "trainyard/v1/worker.grpc.pb.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

ServerOptions OptionsFor(const std::string& data_dir) {
  ServerOptions options = ServerOptions::ForThisMachine();
  options.listen = {"127.0.0.1:0"};
  options.metrics_listen = "";
  options.data_dir = data_dir;
  options.workers = 0;
  return options;
}

TEST(ServerTest, ADirectoryHasOneServer) {
  TempDir directory;
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Server> first, Server::Create(OptionsFor(directory.path())));
  const auto second = Server::Create(OptionsFor(directory.path()));
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr(absl::StrCat("pid ", getpid()))));
  EXPECT_THAT(second, HasReason(ErrorReason::kInvalidState));
  first.reset();
  EXPECT_THAT(Server::Create(OptionsFor(directory.path())), IsOk());
}

TEST(ServerTest, APortInUseIsAClearError) {
  TempDir a, b;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Server> first, Server::Create(OptionsFor(a.path())));
  ServerOptions options = OptionsFor(b.path());
  options.listen = first->addresses();
  EXPECT_THAT(Server::Create(options), StatusIs(absl::StatusCode::kInvalidArgument,
                                                HasSubstr("cannot listen on 127.0.0.1:")));
}

TEST(ServerTest, AMissingWorkerIsAClearError) {
  TempDir directory;
  ServerOptions options = OptionsFor(directory.path());
  options.workers = 1;
  options.worker_binary = directory.path() + "/no-worker";
  EXPECT_THAT(Server::Create(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no-worker")));
}

TEST(ServerTest, EveryAddressServes) {
  TempDir directory;
  ServerOptions options = OptionsFor(directory.path());
  options.listen = {"127.0.0.1:0", "127.0.0.1:0"};
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Server> server, Server::Create(options));
  ASSERT_EQ(server->addresses().size(), 2u);
  for (const std::string& address : server->addresses()) {
    const auto stub =
        v1::AdminService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    EXPECT_THAT(CallWith(*stub, &v1::AdminService::Stub::GetServerInfo, {}), IsOk());
  }
}

TEST(ServerTest, WhatWasAcknowledgedIsThereAfterARestart) {
  TempDir directory;
  std::string name;
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Server> server,
                         Server::Create(OptionsFor(directory.path())));
    const auto stub = v1::DatasetService::NewStub(
        grpc::CreateChannel(server->addresses().front(), grpc::InsecureChannelCredentials()));
    name = CallWith(*stub, &v1::DatasetService::Stub::CreateDataset, {})->name();
  }
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Server> server,
                       Server::Create(OptionsFor(directory.path())));
  const auto stub = v1::DatasetService::NewStub(
      grpc::CreateChannel(server->addresses().front(), grpc::InsecureChannelCredentials()));
  v1::GetDatasetRequest request;
  request.set_name(name);
  EXPECT_THAT(CallWith(*stub, &v1::DatasetService::Stub::GetDataset, request), IsOk());
}

TEST(ServerTest, ALongPathStillHasAWorkersSocketOthersCannotReach) {
  TempDir directory;
  const std::string path = directory.path() + "/" + std::string(120, 'd');
  ASSERT_OK_AND_ASSIGN(const auto data, DataDirectory::Open(path));
  const std::filesystem::path socket = data->worker_socket();
  EXPECT_LT(socket.string().size(), 108u);
  struct stat status;
  ASSERT_EQ(stat(socket.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

class WorkerDoorTest : public testing::Test {
 protected:
  WorkerDoorTest()
      : stub_(v1::WorkerService::NewStub(
            grpc::CreateChannel(absl::StrCat("unix:", server_.data_dir(), "/run/workers.sock"),
                                grpc::InsecureChannelCredentials()))) {}

  absl::Status Hello(const std::string& token) {
    grpc::ClientContext context;
    const auto stream = stub_->Work(&context);
    v1::WorkRequest request;
    request.mutable_hello()->set_token(token);
    request.mutable_hello()->set_build(BuildString());
    stream->Write(request);
    stream->WritesDone();
    return FromGrpcStatus(stream->Finish());
  }

  TestServer server_{{}};
  std::unique_ptr<v1::WorkerService::Stub> stub_;
};

TEST_F(WorkerDoorTest, NobodyComesInWithoutTheToken) {
  EXPECT_THAT(Hello(""), StatusIs(absl::StatusCode::kUnauthenticated, testing::_));
  EXPECT_THAT(Hello(std::string(64, '0')), HasReason(ErrorReason::kPermission));
  grpc::ClientContext context;
  v1::ReadBlobRequest request;
  request.set_digest(absl::StrCat("sha256:", std::string(64, '0')));
  const auto reader = stub_->ReadBlob(&context, request);
  v1::ReadBlobResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_THAT(FromGrpcStatus(reader->Finish()),
              StatusIs(absl::StatusCode::kUnauthenticated, testing::_));
  grpc::ClientContext write_context;
  v1::WriteBlobResponse written;
  const auto writer = stub_->WriteBlob(&write_context, &written);
  writer->Write(v1::WriteBlobRequest());
  writer->WritesDone();
  EXPECT_THAT(FromGrpcStatus(writer->Finish()),
              StatusIs(absl::StatusCode::kUnauthenticated, testing::_));
}

TEST_F(WorkerDoorTest, ClientsDoNotReachItOnTheirPort) {
  const auto stub = v1::WorkerService::NewStub(server_.channel());
  grpc::ClientContext context;
  const auto stream = stub->Work(&context);
  stream->WritesDone();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST(ServerTest, ShutdownWithWorkersIsQuick) {
  TestServer server({.workers = 2});
  const absl::Time start = SteadyNow();
  server.server().Shutdown(start + absl::Seconds(10));
  EXPECT_LT(SteadyNow() - start, absl::Seconds(8));
}

}  // namespace
}  // namespace trainyard
