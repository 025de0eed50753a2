#include "server/services/wait_reactor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/status_macros.h"
#include "server/base/steady_clock.h"
#include "server/jobs/job.h"
#include "server/rpc/serve.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

constexpr char kMethod[] = "/trainyard.v1.JobService/WaitTrainingJob";
constexpr absl::Duration kTimeoutDefault = absl::Seconds(60);
constexpr absl::Duration kTimeoutMax = absl::Hours(1);

absl::Duration Timeout(const v1::WaitTrainingJobRequest& request) {
  if (!request.has_timeout()) return kTimeoutDefault;
  return DurationFromProto(request.timeout());
}

absl::Status CheckRequest(const v1::WaitTrainingJobRequest& request) {
  TY_RETURN_IF_ERROR(ParseName(kTrainingJobs, request.name()).status());
  const absl::Duration timeout = Timeout(request);
  if (timeout >= absl::ZeroDuration() && timeout <= kTimeoutMax) return absl::OkStatus();
  return InvalidRequest("timeout", absl::StrCat("is ", absl::FormatDuration(timeout),
                                                "; give 0 to ", absl::FormatDuration(kTimeoutMax)));
}

}  // namespace

grpc::ServerUnaryReactor* WaitReactor::Start(const RpcContext& rpc, JobManager* jobs,
                                             grpc::CallbackServerContext* call,
                                             const v1::WaitTrainingJobRequest* request,
                                             v1::TrainingJob* response) {
  auto reactor = std::make_shared<WaitReactor>(rpc, jobs, call, request, response);
  reactor->self_ = reactor;
  reactor->Begin();
  return reactor.get();
}

WaitReactor::WaitReactor(const RpcContext& rpc, JobManager* jobs, grpc::CallbackServerContext* call,
                         const v1::WaitTrainingJobRequest* request, v1::TrainingJob* response)
    : rpc_(rpc),
      jobs_(jobs),
      request_(request),
      response_(response),
      scope_(rpc, call, kMethod, RpcType::kUnary) {}

void WaitReactor::Begin() {
  scope_.MessageReceived();
  absl::Status status = scope_.Begin().status();
  if (status.ok()) status = CheckRequest(*request_);
  if (!status.ok()) return End(status);
  if (!rpc_.streams->Submit([self = shared_from_this()] { self->Open(); })) End(BusyError());
}

void WaitReactor::Open() {
  // Subscribed before the job is looked at: what happens in between wakes it again.
  auto log = jobs_->events().Subscribe(request_->name(), [weak = weak_from_this()](int64_t) {
    if (const auto self = weak.lock()) self->Wake(/*time_is_up=*/false);
  });
  auto drain = rpc_.drain->Subscribe([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->End(DrainingError());
  });
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    log_subscription_ = std::move(log);
    drain_subscription_ = std::move(drain);
    timer_ = rpc_.ticker->At(SteadyNow() + Timeout(*request_), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Wake(/*time_is_up=*/true);
    });
  }
  if (rpc_.drain->draining()) return End(DrainingError());
  Wake(/*time_is_up=*/false);
}

void WaitReactor::Wake(bool time_is_up) {
  {
    absl::MutexLock lock(&mutex_);
    time_is_up_ = time_is_up_ || time_is_up;
    if (look_queued_ || finished_) return;
    look_queued_ = true;
  }
  if (!rpc_.streams->Submit([self = shared_from_this()] { self->Look(); })) End(BusyError());
}

void WaitReactor::Look() {
  bool time_is_up = false;
  {
    absl::MutexLock lock(&mutex_);
    // What happens from here on asks for another look.
    look_queued_ = false;
    if (finished_) return;
    time_is_up = time_is_up_;
  }
  absl::StatusOr<v1::TrainingJob> job = absl::UnknownError("");
  const absl::Status status = Guarded([&] {
    job = jobs_->Get(request_->name());
    return job.status();
  });
  if (!status.ok()) return End(status);
  if (!time_is_up && !IsTerminal(job->state())) return;
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  finished_ = true;
  rpc_.ticker->Cancel(timer_);
  *response_ = *std::move(job);
  scope_.MessageSent();
  Finish(scope_.End(absl::OkStatus()));
}

void WaitReactor::OnCancel() { End(absl::CancelledError("the caller went away")); }

void WaitReactor::End(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  finished_ = true;
  rpc_.ticker->Cancel(timer_);
  Finish(scope_.End(status));
}

void WaitReactor::OnDone() {
  const auto self = std::move(self_);
  std::unique_ptr<EventLog::Subscription> log;
  std::unique_ptr<DrainSignal::Subscription> drain;
  absl::MutexLock lock(&mutex_);
  // Destroyed after the lock is gone: ending a subscription waits for a listener that may be
  // waiting for the lock.
  log = std::move(log_subscription_);
  drain = std::move(drain_subscription_);
}

}  // namespace trainyard
