#include "tests/support/test_server.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "core/base/limits.h"
#include "server/base/log.h"

namespace trainyard {
namespace {

ServerOptions ToServerOptions(const TestServer::Options& options, const std::string& data_dir) {
  ServerOptions result = ServerOptions::ForThisMachine();
  result.listen = {"127.0.0.1:0"};
  result.metrics_listen = "127.0.0.1:0";
  result.data_dir = data_dir;
  result.workers = options.workers;
  result.heartbeat_interval = options.heartbeat_interval;
  result.watchers_max = options.watchers_max;
  result.queued_jobs_max = options.queued_jobs_max;
  result.dataset_bytes_max = options.dataset_bytes_max;
  if (options.adjust) options.adjust(&result);
  return result;
}

// Of the thread, so that tests of one binary do not share it.
std::string& CurrentBearer() {
  thread_local std::string bearer;
  return bearer;
}

template <typename T>
T OrDie(absl::StatusOr<T> result) {
  if (!result.ok()) std::cerr << result.status() << "\n";
  TY_CHECK(result.ok());
  return *std::move(result);
}

}  // namespace

TestServer::TestServer(const Options& options) {
  Log::SetLevel("error");
  UseToken("");
  server_ = OrDie(Server::Create(ToServerOptions(options, directory_.path())));
  channel_ = grpc::CreateChannel(server_->addresses().front(), grpc::InsecureChannelCredentials());
  datasets_ = v1::DatasetService::NewStub(channel_);
  jobs_ = v1::JobService::NewStub(channel_);
  models_ = v1::ModelService::NewStub(channel_);
  analyses_ = v1::AnalysisService::NewStub(channel_);
  admin_ = v1::AdminService::NewStub(channel_);
  auth_ = v1::AuthService::NewStub(channel_);
}

void AddToken(grpc::ClientContext* context) { AddToken(context, CurrentBearer()); }

void AddToken(grpc::ClientContext* context, const std::string& bearer) {
  if (!bearer.empty()) context->AddMetadata("authorization", "Bearer " + bearer);
}

void TestServer::UseToken(const std::string& bearer) { CurrentBearer() = bearer; }

std::string TestServer::AddRoot() {
  v1::CreateUserRequest request;
  request.set_user_id("root");
  request.mutable_user()->set_role(v1::USER_ROLE_ADMIN);
  const std::string bearer =
      OrDie(CallWith(*auth_, &v1::AuthService::Stub::CreateUser, request)).bearer();
  UseToken(bearer);
  return bearer;
}

std::string TestServer::AddUser(const std::string& id, v1::UserRole role) {
  v1::CreateUserRequest request;
  request.set_user_id(id);
  request.mutable_user()->set_role(role);
  const std::string name =
      OrDie(CallWith(*auth_, &v1::AuthService::Stub::CreateUser, request)).user().name();
  v1::CreateTokenRequest token;
  token.set_user(name);
  return OrDie(CallWith(*auth_, &v1::AuthService::Stub::CreateToken, token)).bearer();
}

std::string TestServer::NewUpload() {
  return OrDie(CallWith(*datasets_, &v1::DatasetService::Stub::CreateDataset, {})).name();
}

absl::StatusOr<int64_t> TestServer::Write(const std::string& name, const std::string& bytes,
                                          int64_t offset) {
  constexpr size_t kChunk = static_cast<size_t>(limits::kChunkBytesMax);
  grpc::ClientContext context;
  AddToken(&context);
  v1::WriteDatasetResponse response;
  const auto writer = datasets_->WriteDataset(&context, &response);
  for (size_t at = 0; at == 0 || at < bytes.size(); at += kChunk) {
    const int64_t where = offset + static_cast<int64_t>(at);
    if (!writer->Write(Chunk(name, where, bytes.substr(at, kChunk)))) break;
  }
  writer->WritesDone();
  const absl::Status status = FromGrpcStatus(writer->Finish());
  if (!status.ok()) return status;
  return response.committed_size_bytes();
}

std::string TestServer::Upload(const std::string& csv) {
  v1::FinalizeDatasetRequest finalize;
  finalize.set_name(NewUpload());
  TY_CHECK(OrDie(Write(finalize.name(), csv)) == static_cast<int64_t>(csv.size()));
  return OrDie(CallWith(*datasets_, &v1::DatasetService::Stub::FinalizeDataset, finalize)).name();
}

v1::TrainingJob TestServer::Submit(const std::string& dataset, const std::string& target,
                                   const std::function<void(v1::TrainingSpec*)>& adjust) {
  v1::CreateTrainingJobRequest request;
  request.mutable_training_job()->set_dataset(dataset);
  v1::TrainingSpec& spec = *request.mutable_training_job()->mutable_spec();
  spec.set_target_column(target);
  spec.add_layers()->set_units(4);
  spec.set_epochs(3);
  spec.set_step_event_interval(1);
  if (adjust) adjust(&spec);
  return OrDie(CallWith(*jobs_, &v1::JobService::Stub::CreateTrainingJob, request));
}

v1::TrainingJob TestServer::Wait(const std::string& job) {
  v1::WaitTrainingJobRequest request;
  request.set_name(job);
  request.mutable_timeout()->set_seconds(50);
  return OrDie(CallWith(*jobs_, &v1::JobService::Stub::WaitTrainingJob, request));
}

TestServer::WatchResult TestServer::Watch(const v1::WatchTrainingJobRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  AddToken(&context);
  const auto reader = jobs_->WatchTrainingJob(&context, request);
  WatchResult result;
  v1::WatchTrainingJobResponse message;
  while (reader->Read(&message)) result.messages.push_back(message);
  result.status = FromGrpcStatus(reader->Finish());
  return result;
}

v1::WriteDatasetRequest Chunk(const std::string& name, int64_t offset, const std::string& data) {
  v1::WriteDatasetRequest request;
  request.set_name(name);
  request.set_offset(offset);
  request.set_data(data);
  request.set_crc32c(crc32c::Value(data));
  return request;
}

std::string ReadTestData(const std::string& name) {
  std::ifstream file(std::filesystem::path(TY_SOURCE_DIR) / "tests/data" / name, std::ios::binary);
  TY_CHECK(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace trainyard
