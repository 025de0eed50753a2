// WriteStream is a server-streaming call whose messages are made one after the other by a Source:
// one is made (on a pool), written, then the next. A slow client holds the source back; nothing is
// queued.
//
//   return WriteStream<Response>::Start(rpc, call, method, rpc.heavy,
//   std::make_unique<BundleSource>(…));
//
// Thread-safety: the source is called from one pool thread at a time. Ownership: the stream owns
// itself and its source until gRPC is done; what the source was made from (the request) lives as
// long.
#ifndef TRAINYARD_SERVER_RPC_WRITE_STREAM_H_
#define TRAINYARD_SERVER_RPC_WRITE_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/serve.h"

namespace trainyard {

template <typename Response>
class WriteStream final : public grpc::ServerWriteReactor<Response>,
                          public std::enable_shared_from_this<WriteStream<Response>> {
 public:
  class Source {
   public:
    virtual ~Source() = default;
    // Called once, first.
    virtual void SetCaller(const Principal& /*caller*/) {}
    // Fills the next message (empty when called); false when there is none any more. An error ends
    // the stream.
    virtual absl::StatusOr<bool> Next(Response* response) = 0;
  };

  static grpc::ServerWriteReactor<Response>* Start(const RpcContext& rpc,
                                                   grpc::CallbackServerContext* call,
                                                   const char* method, Executor* pool,
                                                   std::unique_ptr<Source> source) {
    auto stream = std::make_shared<WriteStream>(rpc, call, method, pool, std::move(source));
    stream->self_ = stream;
    stream->Begin();
    return stream.get();
  }

  // Use Start.
  WriteStream(const RpcContext& rpc, grpc::CallbackServerContext* call, const char* method,
              Executor* pool, std::unique_ptr<Source> source)
      : scope_(rpc, call, method, RpcType::kServerStream),
        pool_(pool),
        source_(std::move(source)) {}

  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the caller went away"));
    scope_.MessageSent();
    Continue();
  }

  // A write that is in flight fails too; a source at work is asked once more, and the write after
  // it fails.
  void OnCancel() override {}

  void OnDone() override { const auto self = std::move(self_); }

 private:
  void Begin() {
    scope_.MessageReceived();
    const absl::StatusOr<Principal> principal = scope_.Begin();
    if (!principal.ok()) return End(principal.status());
    source_->SetCaller(*principal);
    Continue();
  }

  void Continue() {
    if (pool_->Submit([self = this->shared_from_this()] { self->Produce(); })) return;
    End(BusyError());
  }

  void Produce() {
    response_.Clear();
    bool more = false;
    const absl::Status status = Guarded([&] {
      const absl::StatusOr<bool> next = source_->Next(&response_);
      more = next.ok() && *next;
      return next.status();
    });
    if (!status.ok() || !more) return End(status);
    this->StartWrite(&response_);
  }

  void End(const absl::Status& status) { this->Finish(scope_.End(status)); }

  CallScope scope_;
  Executor* const pool_;
  const std::unique_ptr<Source> source_;
  std::shared_ptr<WriteStream> self_;  // until OnDone
  Response response_;                  // being made or written, never both
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_WRITE_STREAM_H_
