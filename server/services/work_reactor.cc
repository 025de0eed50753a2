#include "server/services/work_reactor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/auth/secret.h"
#include "server/rpc/serve.h"
#include "server/services/request_checks.h"

namespace trainyard {
namespace {

constexpr char kMethod[] = "/trainyard.v1.WorkerService/Work";

}  // namespace

absl::Status CheckWorkerToken(const WorkerAdmission& admission, const std::string& token) {
  if (SameSecret(admission.token, token)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnauthenticated, "the worker's token is not this server's",
                   {.reason = ErrorReason::kPermission,
                    .hint = "workers are started by the server; do not start one by hand"});
}

grpc::ServerBidiReactor<v1::WorkRequest, v1::WorkResponse>* WorkReactor::Start(
    const RpcContext& rpc, const WorkerAdmission& admission, JobManager* jobs, Executor* pool,
    grpc::CallbackServerContext* call) {
  auto reactor = std::make_shared<WorkReactor>(rpc, admission, jobs, pool, call);
  reactor->self_ = reactor;
  reactor->Begin();
  return reactor.get();
}

WorkReactor::WorkReactor(const RpcContext& rpc, const WorkerAdmission& admission, JobManager* jobs,
                         Executor* pool, grpc::CallbackServerContext* call)
    : admission_(admission),
      jobs_(jobs),
      pool_(pool),
      scope_(rpc, call, kMethod, RpcType::kBidiStream) {}

void WorkReactor::Begin() {
  const absl::StatusOr<Principal> principal = scope_.Begin();
  if (!principal.ok()) return Leave(principal.status());
  StartRead(&request_);
}

void WorkReactor::OnReadDone(bool ok) {
  input_over_ = !ok;
  if (ok) scope_.MessageReceived();
  // The pool's queue is longer than there are workers, and each has one body at most; a refusal is
  // a bug, and losing the lease the way to survive it.
  if (pool_->Submit([self = shared_from_this()] { self->Process(); })) return;
  Leave(BusyError());
}

void WorkReactor::Process() {
  if (input_over_) return Leave(absl::OkStatus());
  const absl::Status status = Guarded([this] { return Dispatch(); });
  if (!status.ok()) return Leave(status);
  {
    absl::MutexLock lock(&mutex_);
    if (!overflowed_) {
      StartRead(&request_);
      return;
    }
  }
  Leave(BusyError());
}

absl::Status WorkReactor::Dispatch() {
  if (request_.has_hello() == connected_) {
    return InvalidRequest("payload", "hello comes first, and once");
  }
  switch (request_.payload_case()) {
    case v1::WorkRequest::kHello:
      return Admit(request_.hello());
    case v1::WorkRequest::kEvents:
      jobs_->OnEvents(this, request_.events());
      return absl::OkStatus();
    case v1::WorkRequest::kOutcome:
      jobs_->OnOutcome(this, request_.outcome());
      return absl::OkStatus();
    case v1::WorkRequest::PAYLOAD_NOT_SET:
      break;
  }
  return InvalidRequest("payload", "is missing");
}

absl::Status WorkReactor::Admit(const v1::Hello& hello) {
  TY_RETURN_IF_ERROR(CheckWorkerToken(admission_, hello.token()));
  if (hello.build() != admission_.build) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("the worker is of build \"", hello.build(), "\""),
                     {.reason = ErrorReason::kInvalidState,
                      .hint = "install trainyard-server and trainyard-worker of one build",
                      .in_force = absl::StrCat("build ", admission_.build)});
  }
  if (hello.slot() < 0 || hello.slot() >= admission_.slots) {
    return InvalidRequest(
        "hello.slot",
        absl::StrCat("is ", hello.slot(), "; this server has slots 0 to ", admission_.slots - 1));
  }
  hello_ = hello;
  hello_.clear_token();  // needed no more, and not for logs
  connected_ = true;
  jobs_->Connect(this);
  return absl::OkStatus();
}

void WorkReactor::Send(v1::WorkResponse message) {
  absl::MutexLock lock(&mutex_);
  if (finished_ || overflowed_) return;
  if (outbound_.size() >= kOutboundMax) {
    overflowed_ = true;  // the lease ends at the worker's next message
    return;
  }
  outbound_.push_back(std::move(message));
  MaybeWrite();
}

void WorkReactor::MaybeWrite() {
  if (writing_ || finished_ || outbound_.empty()) return;
  writing_ = true;
  StartWrite(&outbound_.front());
}

void WorkReactor::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  outbound_.pop_front();
  if (!ok) return;  // the stream is broken: the pending read says so too
  scope_.MessageSent();
  MaybeWrite();
}

// The pending read fails too, and that ends the lease.
void WorkReactor::OnCancel() {}

void WorkReactor::Leave(const absl::Status& status) {
  if (connected_) {
    connected_ = false;
    // JobManager knows itself which workers it had killed.
    jobs_->Disconnect(this, v1::ERROR_REASON_UNSPECIFIED);
  }
  absl::MutexLock lock(&mutex_);
  finished_ = true;
  Finish(scope_.End(status));
}

void WorkReactor::OnDone() { const auto self = std::move(self_); }

}  // namespace trainyard
