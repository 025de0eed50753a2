// DuplexStream is a bidirectional call that transforms its input piece by piece: one message in,
// any number out, then the next one in. One message each way is in memory at a time, so a client
// that does not read its answers is not read from either.
//
//   return DuplexStream<Request, Response>::Start(rpc, call, method, rpc.heavy,
//   std::make_unique<TableTransform>(…));
//
// Thread-safety: the transform is called from one pool thread at a time. Ownership: the stream owns
// itself and its transform until gRPC is done.
#ifndef TRAINYARD_SERVER_RPC_DUPLEX_STREAM_H_
#define TRAINYARD_SERVER_RPC_DUPLEX_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/serve.h"

namespace trainyard {

template <typename Request, typename Response>
class DuplexStream final : public grpc::ServerBidiReactor<Request, Response>,
                           public std::enable_shared_from_this<DuplexStream<Request, Response>> {
 public:
  class Transform {
   public:
    virtual ~Transform() = default;
    // Called once, first.
    virtual void SetCaller(const Principal& /*caller*/) {}
    // The next message; null when the client has sent all. Valid until Next returns false.
    virtual absl::Status Accept(const Request* request) = 0;
    // Fills the next answer to what was accepted (empty when called); false when there is none any
    // more.
    virtual absl::StatusOr<bool> Next(Response* response) = 0;
  };

  static grpc::ServerBidiReactor<Request, Response>* Start(const RpcContext& rpc,
                                                           grpc::CallbackServerContext* call,
                                                           const char* method, Executor* pool,
                                                           std::unique_ptr<Transform> transform) {
    auto stream = std::make_shared<DuplexStream>(rpc, call, method, pool, std::move(transform));
    stream->self_ = stream;
    stream->Begin();
    return stream.get();
  }

  // Use Start.
  DuplexStream(const RpcContext& rpc, grpc::CallbackServerContext* call, const char* method,
               Executor* pool, std::unique_ptr<Transform> transform)
      : scope_(rpc, call, method, RpcType::kBidiStream),
        call_(call),
        pool_(pool),
        transform_(std::move(transform)) {}

  void OnReadDone(bool ok) override {
    if (ok) scope_.MessageReceived();
    input_over_ = !ok;
    if (!ok && call_->IsCancelled()) return End(absl::CancelledError("the caller went away"));
    Continue(&DuplexStream::Accept);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the caller went away"));
    scope_.MessageSent();
    Continue(&DuplexStream::Produce);
  }

  // The read or write in flight fails too, and that ends the stream.
  void OnCancel() override {}

  void OnDone() override { const auto self = std::move(self_); }

 private:
  void Begin() {
    const absl::StatusOr<Principal> principal = scope_.Begin();
    if (!principal.ok()) return End(principal.status());
    transform_->SetCaller(*principal);
    this->StartRead(&request_);
  }

  // Exactly one of read, write, pool body is under way at any time, so nothing here needs a lock.
  void Continue(void (DuplexStream::*step)()) {
    if (pool_->Submit([self = this->shared_from_this(), step] { ((*self).*step)(); })) return;
    End(BusyError());
  }

  void Accept() {
    const absl::Status status =
        Guarded([&] { return transform_->Accept(input_over_ ? nullptr : &request_); });
    if (!status.ok()) return End(status);
    Produce();
  }

  void Produce() {
    response_.Clear();
    bool more = false;
    const absl::Status status = Guarded([&] {
      const absl::StatusOr<bool> next = transform_->Next(&response_);
      more = next.ok() && *next;
      return next.status();
    });
    if (!status.ok()) return End(status);
    if (more) return this->StartWrite(&response_);
    if (input_over_) return End(absl::OkStatus());
    this->StartRead(&request_);
  }

  void End(const absl::Status& status) { this->Finish(scope_.End(status)); }

  CallScope scope_;
  grpc::CallbackServerContext* const call_;
  Executor* const pool_;
  const std::unique_ptr<Transform> transform_;
  std::shared_ptr<DuplexStream> self_;  // until OnDone
  Request request_;
  Response response_;
  bool input_over_ = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_DUPLEX_STREAM_H_
