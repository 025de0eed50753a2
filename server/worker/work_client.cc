#include "server/worker/work_client.h"

#include <grpcpp/grpcpp.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/limits.h"
#include "core/base/stop_flag.h"
#include "core/tensor/engine_info.h"
#include "server/base/log.h"
#include "server/base/version.h"
#include "server/wire/error_detail.h"
#include "server/worker/event_sink.h"
#include "server/worker/job_runner.h"
#include "trainyard/v1/worker.grpc.pb.h"

namespace trainyard {
namespace {

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return DecodeError({.code = static_cast<absl::StatusCode>(status.error_code()),
                      .message = status.error_message(),
                      .details = status.error_details()});
}

std::shared_ptr<grpc::Channel> ConnectTo(const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
  return grpc::CreateCustomChannel(absl::StrCat("unix:", socket_path),
                                   grpc::InsecureChannelCredentials(), arguments);
}

// Of all threads, those that have ended too.
double ProcessCpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

class WorkClient::Impl : public EventSink, public BlobClient {
 public:
  explicit Impl(WorkClientOptions options)
      : options_(std::move(options)),
        stub_(v1::WorkerService::NewStub(ConnectTo(options_.socket_path))),
        stream_(stub_->Work(&context_)),
        trainer_([this] { TrainLoop(); }) {}

  ~Impl() override {
    context_.TryCancel();
    {
      absl::MutexLock lock(&mu_);
      closing_ = true;
      if (stop_ != nullptr) stop_->Request(StopCause::kCancelled);
    }
    trainer_.join();
  }

  absl::Status Serve() {
    v1::WorkResponse response;
    while (stream_->Read(&response)) Handle(std::move(response));
    return FromGrpc(stream_->Finish());
  }

  void Send(const v1::WorkRequest& request) override {
    absl::MutexLock lock(&write_mu_);
    stream_->Write(
        request);  // false when the stream is broken: Serve() finds out and the process ends
  }

  absl::StatusOr<std::string> ReadBlob(absl::string_view digest) override {
    grpc::ClientContext context;
    v1::ReadBlobRequest request;
    request.set_token(options_.token);
    request.set_digest(std::string(digest));
    const auto reader = stub_->ReadBlob(&context, request);
    std::string bytes;
    v1::ReadBlobResponse response;
    while (reader->Read(&response)) bytes.append(response.data());
    const absl::Status status = FromGrpc(reader->Finish());
    if (!status.ok()) return status;
    return bytes;
  }

  absl::Status WriteBlob(absl::string_view bytes, absl::string_view digest) override {
    grpc::ClientContext context;
    v1::WriteBlobResponse response;
    const auto writer = stub_->WriteBlob(&context, &response);
    v1::WriteBlobRequest request;
    request.set_token(options_.token);
    request.set_digest(std::string(digest));
    do {
      const absl::string_view chunk = bytes.substr(0, limits::kChunkBytesMax);
      request.set_data(chunk.data(), chunk.size());
      if (!writer->Write(request)) break;  // Finish() says why
      bytes.remove_prefix(chunk.size());
      request.Clear();
    } while (!bytes.empty());
    writer->WritesDone();
    return FromGrpc(writer->Finish());
  }

 private:
  void SayHello() {
    const EngineInfo engine = GetEngineInfo();
    v1::WorkRequest request;
    v1::Hello& hello = *request.mutable_hello();
    hello.set_token(options_.token);
    hello.set_slot(options_.slot);
    hello.set_pid(getpid());
    hello.set_build(BuildString());
    hello.set_onednn_version(engine.onednn_version);
    hello.set_isa(engine.isa);
    Send(request);
  }

  void Handle(v1::WorkResponse response) {
    absl::MutexLock lock(&mu_);
    if (response.has_assignment()) {
      job_ = response.assignment().job();
      attempt_ = response.assignment().attempt();
      assignment_ = std::move(*response.mutable_assignment());
      stop_ = std::make_shared<StopFlag>();
      return;
    }
    const v1::StopJob& stop = response.stop();
    if (stop.job() != job_ || stop.attempt() != attempt_) return;  // it has ended meanwhile
    stop_->Request(stop.yield() ? StopCause::kYield : StopCause::kCancelled);
  }

  void TrainLoop() {
    pthread_setname_np(pthread_self(), "ty-train");
    JobRunner runner(this);
    runner.WarmUp();
    SayHello();  // only now: an assignment finds the engine warm
    const auto has_work = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return closing_ || assignment_.has_value();
    };
    while (true) {
      v1::JobAssignment assignment;
      std::shared_ptr<StopFlag> stop;
      {
        absl::MutexLock lock(&mu_);
        mu_.Await(absl::Condition(&has_work));
        if (closing_) return;
        assignment = std::exchange(assignment_, std::nullopt).value();
        stop = stop_;
      }
      const double cpu_before = ProcessCpuSeconds();
      v1::WorkRequest request;
      *request.mutable_outcome() = runner.Run(assignment, stop.get(), this);
      request.mutable_outcome()->set_cpu_seconds(ProcessCpuSeconds() - cpu_before);
      Send(request);
    }
  }

  // Constant after construction.
  const WorkClientOptions options_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::WorkRequest, v1::WorkResponse>> stream_;

  absl::Mutex write_mu_;  // one write at a time
  absl::Mutex mu_;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<v1::JobAssignment> assignment_ ABSL_GUARDED_BY(mu_);  // not begun yet
  // Of the newest assignment.
  std::string job_ ABSL_GUARDED_BY(mu_);
  int32_t attempt_ ABSL_GUARDED_BY(mu_) = 0;
  std::shared_ptr<StopFlag> stop_ ABSL_GUARDED_BY(mu_);
  std::thread trainer_;
};

WorkClient::WorkClient(WorkClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
WorkClient::~WorkClient() = default;
absl::Status WorkClient::Serve() { return impl_->Serve(); }

}  // namespace trainyard
