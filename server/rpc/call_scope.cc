#include "server/rpc/call_scope.h"

#include <chrono>

#include "core/base/error_info.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/rpc/rpc_status.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

// Until there are users and tokens, whoever reaches the port is this one.
constexpr char kLocalOwner[] = "local";

absl::string_view TypeName(RpcType type) {
  switch (type) {
    case RpcType::kUnary:
      return "unary";
    case RpcType::kClientStream:
      return "client_stream";
    case RpcType::kServerStream:
      return "server_stream";
    case RpcType::kBidiStream:
      return "bidi_stream";
  }
  return "unary";
}

// A message may quote cells of a dataset, which must not reach the log; those about the service
// itself may not.
bool MayLogMessage(ErrorReason reason) {
  return reason == ErrorReason::kInternal || reason == ErrorReason::kDataLoss ||
         reason == ErrorReason::kStorageFull;
}

void LogFailure(const char* method, const absl::Status& status, double seconds) {
  const ErrorReason reason = ErrorInfoOf(status).reason;
  const bool ours = MayLogMessage(reason);
  const absl::string_view message = ours ? absl::string_view(status.message()) : "";
  const std::initializer_list<LogField> fields = {{"method", method},
                                                  {"code", GrpcCodeName(status.code())},
                                                  {"reason", ErrorReasonName(reason)},
                                                  {"seconds", seconds},
                                                  {"message", message}};
  if (ours) {
    Log::Error("rpc_failed", fields);
  } else {
    Log::Info("rpc_failed", fields);
  }
}

}  // namespace

CallScope::CallScope(const RpcContext& rpc, grpc::CallbackServerContext* call, const char* method,
                     RpcType type)
    : rpc_(rpc), call_(call), method_(method), type_(type), start_(SteadyNow()) {
  rpc_.metrics->RpcStarted(method_, TypeName(type_));
}

CallScope::~CallScope() {
  if (!ended_) Count(absl::UnknownError("the call was dropped"));
}

absl::StatusOr<Principal> CallScope::Begin() {
  if (rpc_.refuse_when_draining && rpc_.drain->draining()) return DrainingError();
  const absl::Status alive = CheckAlive();
  if (!alive.ok()) return alive;
  return Principal{.owner = kLocalOwner};
}

absl::Status CallScope::CheckAlive() const {
  if (call_->IsCancelled()) {
    return MakeError(absl::StatusCode::kCancelled, "the caller went away",
                     {.reason = ErrorReason::kCancelled});
  }
  if (call_->deadline() >= std::chrono::system_clock::now()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kDeadlineExceeded,
                   "the deadline passed before the request was begun",
                   {.reason = ErrorReason::kDeadline, .hint = "allow more time, then try again"});
}

grpc::Status CallScope::End(const absl::Status& status) {
  Count(status);
  return ToGrpcStatus(status);
}

void CallScope::Count(const absl::Status& status) {
  ended_ = true;
  const double seconds = absl::ToDoubleSeconds(SteadyNow() - start_);
  rpc_.metrics->RpcHandled(method_, TypeName(type_), GrpcCodeName(status.code()), seconds);
  if (!status.ok()) LogFailure(method_, status, seconds);
}

void CallScope::MessageReceived() { rpc_.metrics->RpcMessageReceived(method_, TypeName(type_)); }

void CallScope::MessageSent() { rpc_.metrics->RpcMessageSent(method_, TypeName(type_)); }

}  // namespace trainyard
