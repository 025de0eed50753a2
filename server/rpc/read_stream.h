// ReadStream is a client-streaming call: messages come in, one answer goes out. While one message
// is worked on (on a pool: it blocks on disk), the next ones are being received, up to kBuffers; a
// fast client is held back by gRPC's flow control beyond that.
//
//   class Sink : public ReadStream<Request, Response>::Sink { … };
//   return ReadStream<Request, Response>::Start(rpc, call, method, response, rpc.heavy,
//   std::make_unique<Sink>(…));
//
// Thread-safety: the sink is called from one pool thread at a time. Ownership: the stream owns
// itself and its sink until gRPC is done.
#ifndef TRAINYARD_SERVER_RPC_READ_STREAM_H_
#define TRAINYARD_SERVER_RPC_READ_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <array>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/base/error_info.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/serve.h"

namespace trainyard {

template <typename Request, typename Response>
class ReadStream final : public grpc::ServerReadReactor<Request>,
                         public std::enable_shared_from_this<ReadStream<Request, Response>> {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    // Called once, first.
    virtual void SetCaller(const Principal& /*caller*/) {}
    // The next message, in order. An error ends the stream.
    virtual absl::Status Accept(const Request& request) = 0;
    // Called once, last. `input` is OK when the client has sent all, CANCELLED when it broke off,
    // else what Accept returned. The call ends with `input`, or with the result when `input` is OK.
    virtual absl::Status Close(const absl::Status& input, Response* response) = 0;
  };

  static grpc::ServerReadReactor<Request>* Start(const RpcContext& rpc,
                                                 grpc::CallbackServerContext* call,
                                                 const char* method, Response* response,
                                                 Executor* pool, std::unique_ptr<Sink> sink) {
    auto stream = std::make_shared<ReadStream>(rpc, call, method, response, pool, std::move(sink));
    stream->self_ = stream;
    stream->Begin();
    return stream.get();
  }

  // Use Start.
  ReadStream(const RpcContext& rpc, grpc::CallbackServerContext* call, const char* method,
             Response* response, Executor* pool, std::unique_ptr<Sink> sink)
      : scope_(rpc, call, method, RpcType::kClientStream),
        call_(call),
        response_(response),
        pool_(pool),
        sink_(std::move(sink)) {
    for (Request& buffer : buffers_) free_.push_back(&buffer);
  }

  void OnReadDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    Request* const message = std::exchange(reading_, nullptr);
    if (ok) {
      scope_.MessageReceived();
      full_.push_back(message);
      MaybeRead();
    } else {
      input_over_ = true;
    }
    MaybeProcess();
  }

  // The pending read fails too, and that ends the stream.
  void OnCancel() override {}

  void OnDone() override { const auto self = std::move(self_); }

 private:
  static constexpr size_t kBuffers = 4;
  static constexpr int kMessagesPerTurn = 16;

  void Begin() {
    const absl::StatusOr<Principal> principal = scope_.Begin();
    absl::MutexLock lock(&mutex_);
    if (principal.ok()) {
      sink_->SetCaller(*principal);
      MaybeRead();
      return;
    }
    finished_ = true;
    this->Finish(scope_.End(principal.status()));
  }

  void MaybeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (reading_ != nullptr || input_over_ || finished_ || free_.empty()) return;
    reading_ = free_.front();
    free_.pop_front();
    this->StartRead(reading_);
  }

  void MaybeProcess() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (processing_ || finished_ || (full_.empty() && !input_over_)) return;
    processing_ = true;
    if (pool_->Submit([self = this->shared_from_this()] { self->Process(); })) return;
    finished_ = true;
    this->Finish(scope_.End(BusyError()));
  }

  // The oldest message; null when the input is over. REQUIRES: there is one, or the input is over.
  Request* TakeFull() {
    absl::MutexLock lock(&mutex_);
    if (full_.empty()) return nullptr;
    Request* const message = full_.front();
    full_.pop_front();
    return message;
  }

  // Works on what has come, or closes. Some messages in one go, since each change of thread costs;
  // not all, so that streams take turns on the pool.
  void Process() {
    for (int i = 0; i < kMessagesPerTurn; ++i) {
      Request* const message = TakeFull();
      if (message == nullptr) return Close(InputStatus());
      if (!std::exchange(noted_, true)) scope_.NoteRequest(*message);
      const absl::Status status = Guarded([&] { return sink_->Accept(*message); });
      if (!status.ok()) return Close(status);
      if (!GiveBack(message)) return;
    }
    absl::MutexLock lock(&mutex_);
    processing_ = false;
    MaybeProcess();
  }

  // Frees the buffer. False, and the turn is over, when there is nothing to do for now.
  bool GiveBack(Request* message) {
    absl::MutexLock lock(&mutex_);
    free_.push_back(message);
    MaybeRead();
    processing_ = !full_.empty() || input_over_;
    return processing_;
  }

  absl::Status InputStatus() const {
    if (!call_->IsCancelled()) return absl::OkStatus();
    return MakeError(absl::StatusCode::kCancelled, "the caller broke off",
                     {.reason = ErrorReason::kCancelled});
  }

  void Close(const absl::Status& input) {
    const absl::Status closed = Guarded([&] { return sink_->Close(input, response_); });
    const absl::Status status = input.ok() ? closed : input;
    if (status.ok()) {
      scope_.NoteAnswer(*response_);
      scope_.MessageSent();
    }
    absl::MutexLock lock(&mutex_);
    finished_ = true;
    this->Finish(scope_.End(status));
  }

  CallScope scope_;
  grpc::CallbackServerContext* const call_;
  Response* const response_;
  Executor* const pool_;
  const std::unique_ptr<Sink> sink_;
  std::shared_ptr<ReadStream> self_;  // until OnDone
  bool noted_ = false;                // the first message; touched by Process alone

  absl::Mutex mutex_;
  std::array<Request, kBuffers> buffers_;  // each in one of the three below
  std::deque<Request*> free_ ABSL_GUARDED_BY(mutex_);
  std::deque<Request*> full_ ABSL_GUARDED_BY(mutex_);   // received, oldest first
  Request* reading_ ABSL_GUARDED_BY(mutex_) = nullptr;  // being received
  bool processing_ ABSL_GUARDED_BY(mutex_) = false;     // a pool thread has, or will have, the sink
  bool input_over_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_READ_STREAM_H_
