// Serve is the one door for unary calls. In order: count, refuse if draining or past the deadline,
// authenticate, refuse what the caller may not do at all, run `body` on a pool, check the size of
// the answer, audit, convert its Status, count and time, log one line if it failed. Handlers
// contain no plumbing:
//
//   grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* call, const
//   v1::GetModelRequest* request,
//                                      v1::Model* response) override {
//     return Serve(rpc_, call, "/trainyard.v1.ModelService/GetModel", rpc_.quick, response,
//                  [=, this](const Principal&) { return Store(models_->Get(request->name()),
//                  response); });
//   }
//
// `body` is absl::Status(const Principal&). gRPC keeps request and response alive until the call is
// finished.
#ifndef TRAINYARD_SERVER_RPC_SERVE_H_
#define TRAINYARD_SERVER_RPC_SERVE_H_

#include <google/protobuf/message.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/call_scope.h"

namespace trainyard {

using UnaryBody = std::function<absl::Status(const Principal&)>;

grpc::ServerUnaryReactor* Serve(const RpcContext& rpc, grpc::CallbackServerContext* call,
                                const char* method, Executor* pool,
                                const google::protobuf::Message* response, UnaryBody body);
// For calls that change something: the audit has a digest of the request.
grpc::ServerUnaryReactor* Serve(const RpcContext& rpc, grpc::CallbackServerContext* call,
                                const char* method, Executor* pool,
                                const google::protobuf::Message* request,
                                const google::protobuf::Message* response, UnaryBody body);

// Runs `body`; an exception of a library or of an allocation becomes a Status, so that one call
// cannot end the process.
absl::Status Guarded(const std::function<absl::Status()>& body);

// RESOURCE_EXHAUSTED/TOO_LARGE for an answer over limits::kAnswerBytesMax.
absl::Status CheckAnswerSize(const google::protobuf::Message& response);

// Moves a result into a response.
template <typename T>
absl::Status Store(absl::StatusOr<T> result, T* response) {
  if (!result.ok()) return std::move(result).status();
  *response = *std::move(result);
  return absl::OkStatus();
}

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_SERVE_H_
