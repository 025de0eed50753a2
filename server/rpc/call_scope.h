// CallScope is what happens around every call, unary or stream: refuse when draining or too late,
// authenticate, refuse what the caller's role or token does not allow (auth/methods.h), convert the
// status, count and time, audit what changed something, log one line when it failed. Unary calls
// get it through serve.h; stream reactors hold one.
//
//   CallScope scope(rpc, call, "/trainyard.v1.JobService/WatchTrainingJob",
//   RpcType::kServerStream); absl::StatusOr<Principal> principal = scope.Begin(); …
//   Finish(scope.End(status));      // exactly once
//
// Thread-safety: Begin and End are called once each, Begin first; the counters from any thread.
#ifndef TRAINYARD_SERVER_RPC_CALL_SCOPE_H_
#define TRAINYARD_SERVER_RPC_CALL_SCOPE_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "server/auth/access.h"
#include "server/auth/audit.h"
#include "server/auth/authenticator.h"
#include "server/auth/methods.h"
#include "server/auth/principal.h"
#include "server/metrics/metrics.h"
#include "server/rpc/drain_signal.h"
#include "server/rpc/executor.h"
#include "server/rpc/ticker.h"

namespace trainyard {

enum class RpcType { kUnary, kClientStream, kServerStream, kBidiStream };

// What every call uses; all pointers outlive every call.
// Three pools, so that a long body cannot hold up a short one.
struct RpcContext {
  Metrics* metrics = nullptr;
  DrainSignal* drain = nullptr;
  Ticker* ticker = nullptr;
  Executor* quick = nullptr;    // one transaction or less
  Executor* heavy = nullptr;    // whole files: ingest, evaluation, prediction, uploads
  Executor* streams = nullptr;  // watchers' reads of the event log, at most one waiting per stream
  // The three below are null on the workers' own socket, where the worker's token is looked at by
  // the service itself.
  Authenticator* authenticator = nullptr;
  const Access* access = nullptr;
  Audit* audit = nullptr;
  // False on the workers' own socket: workers hand in their last results while the server drains.
  bool refuse_when_draining = true;
};

class CallScope {
 public:
  // `method` is a literal. REQUIRES: `rpc` and `call` outlive the scope.
  CallScope(const RpcContext& rpc, grpc::CallbackServerContext* call, const char* method,
            RpcType type);
  // A call that is destroyed without End (a reactor whose server went away) is counted as Unknown.
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // Errors: UNAVAILABLE/DRAINING, DEADLINE_EXCEEDED/DEADLINE, UNAUTHENTICATED, PERMISSION_DENIED,
  // RESOURCE_EXHAUSTED (RATE_LIMITED; STORAGE_FULL when the audit log cannot be written).
  absl::StatusOr<Principal> Begin();
  grpc::Status End(const absl::Status& status);

  // For the audit; nothing for calls that change nothing. The request, or the first message of a
  // stream, after Begin; the answer of a call that succeeds, before End. They are not kept.
  void NoteRequest(const google::protobuf::Message& request);
  void NoteAnswer(const google::protobuf::Message& answer);

  // OK while somebody waits for the answer; CANCELLED or DEADLINE_EXCEEDED when not.
  absl::Status CheckAlive() const;

  void MessageReceived();
  void MessageSent();

 private:
  absl::StatusOr<Principal> Authenticate() const;
  bool is_audited() const;
  void Count(const absl::Status& status);
  void AppendToAudit(const absl::Status& status);

  const RpcContext& rpc_;
  grpc::CallbackServerContext* const call_;
  const char* const method_;
  const RpcType type_;
  const MethodKind kind_;
  const absl::Time start_;
  // Of a call that is audited.
  Principal principal_;
  std::string request_digest_, resource_;
  bool ended_ = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_CALL_SCOPE_H_
