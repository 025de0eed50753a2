#include "server/rpc/call_scope.h"

#include <chrono>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/rpc/rpc_status.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

// Who calls on the workers' own socket; nothing is owned by it.
constexpr char kWorkerOwner[] = "worker";
constexpr char kAuthorizationKey[] = "authorization";

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
    : rpc_(rpc),
      call_(call),
      method_(method),
      type_(type),
      kind_(MethodKindOf(method)),
      start_(SteadyNow()) {
  rpc_.metrics->RpcStarted(method_, TypeName(type_));
}

CallScope::~CallScope() {
  if (!ended_) Count(absl::UnknownError("the call was dropped"));
}

absl::StatusOr<Principal> CallScope::Begin() {
  if (rpc_.refuse_when_draining && rpc_.drain->draining()) return DrainingError();
  const absl::Status alive = CheckAlive();
  if (!alive.ok()) return alive;
  TY_ASSIGN_OR_RETURN(principal_, Authenticate());
  if (rpc_.authenticator == nullptr) return principal_;
  // Before anything that is audited, refusals included.
  if (IsWrite(kind_)) TY_RETURN_IF_ERROR(rpc_.audit->CheckRoom());
  TY_RETURN_IF_ERROR(CheckMethod(kind_, principal_));
  return principal_;
}

absl::StatusOr<Principal> CallScope::Authenticate() const {
  if (rpc_.authenticator == nullptr) return Principal{.owner = kWorkerOwner};
  if (kind_ == MethodKind::kPublic) return Principal{};
  std::vector<absl::string_view> headers;
  const auto [first, last] = call_->client_metadata().equal_range(kAuthorizationKey);
  for (auto header = first; header != last; ++header) {
    headers.emplace_back(header->second.data(), header->second.size());
  }
  return rpc_.authenticator->Authenticate(headers, call_->peer());
}

bool CallScope::is_audited() const {
  const bool has_caller = !principal_.owner.empty() || kind_ == MethodKind::kPublic;
  return rpc_.audit != nullptr && IsWrite(kind_) && has_caller && !rpc_.authenticator->open();
}

void CallScope::NoteRequest(const google::protobuf::Message& request) {
  if (!is_audited()) return;
  request_digest_ = Sha256Digest(request.SerializeAsString());
  resource_ = ResourceOf(request);
}

void CallScope::NoteAnswer(const google::protobuf::Message& answer) {
  if (!is_audited()) return;
  std::string made = ResourceOf(answer);
  if (!made.empty()) resource_ = std::move(made);
}

void CallScope::AppendToAudit(const absl::Status& status) {
  // Of a kPublic call: what it showed was not valid.
  const bool refused = absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
  const bool matters = status.ok() || refused;
  if (!matters || !is_audited()) return;
  v1::AuditEntry entry;
  *entry.mutable_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::GetCurrentTimeNanos());
  entry.set_principal(principal_.owner);
  entry.set_token_id(principal_.token_id);
  entry.set_method(method_);
  entry.set_resource(resource_);
  entry.set_request_digest(request_digest_);
  entry.set_code(std::string(GrpcCodeName(status.code())));
  rpc_.audit->Append(std::move(entry));
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
  AppendToAudit(status);
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
