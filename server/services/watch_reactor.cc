#include "server/services/watch_reactor.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/base/steady_clock.h"
#include "server/jobs/job.h"
#include "server/rpc/serve.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

constexpr char kMethod[] = "/trainyard.v1.JobService/WatchTrainingJob";
constexpr absl::Duration kMinIntervalMax = absl::Seconds(60);

absl::Duration MinInterval(const v1::WatchTrainingJobRequest& request) {
  return DurationFromProto(request.min_interval());
}

std::set<int> Kinds(const v1::WatchTrainingJobRequest& request) {
  return {request.kinds().begin(), request.kinds().end()};
}

absl::Status CheckRequest(const v1::WatchTrainingJobRequest& request) {
  TY_RETURN_IF_ERROR(ParseName(kTrainingJobs, request.name()).status());
  std::vector<FieldViolation> violations;
  if (request.start_sequence() < 0) {
    violations.push_back({"start_sequence", "is negative; give 0 or 1 to start at the beginning"});
  }
  const absl::Duration interval = MinInterval(request);
  if (interval < absl::ZeroDuration() || interval > kMinIntervalMax) {
    violations.push_back(
        {"min_interval", absl::StrCat("is ", absl::FormatDuration(interval), "; give 0 to ",
                                      absl::FormatDuration(kMinIntervalMax))});
  }
  for (int i = 0; i < request.kinds_size(); ++i) {
    if (v1::EventKind_IsValid(request.kinds(i)) && request.kinds(i) != 0) continue;
    violations.push_back({absl::StrCat("kinds[", i, "]"),
                          absl::StrCat("value ", static_cast<int>(request.kinds(i)),
                                       " is no kind of event; leave kinds empty for all")});
  }
  return InvalidRequest(std::move(violations));
}

absl::Status BeyondEnd(int64_t start, int64_t last) {
  return InvalidRequest("start_sequence",
                        absl::StrCat("is ", start, ", but the log is finished and ends at ", last,
                                     "; there is nothing left to watch"));
}

}  // namespace

grpc::ServerWriteReactor<v1::WatchTrainingJobResponse>* WatchReactor::Start(
    const RpcContext& rpc, const WatchOptions& options, JobManager* jobs,
    std::atomic<int64_t>* watchers, grpc::CallbackServerContext* call,
    const v1::WatchTrainingJobRequest* request) {
  auto reactor = std::make_shared<WatchReactor>(rpc, options, jobs, watchers, call, *request);
  reactor->self_ = reactor;
  reactor->Begin();
  return reactor.get();
}

WatchReactor::WatchReactor(const RpcContext& rpc, const WatchOptions& options, JobManager* jobs,
                           std::atomic<int64_t>* watchers, grpc::CallbackServerContext* call,
                           const v1::WatchTrainingJobRequest& request)
    : rpc_(rpc),
      options_(options),
      jobs_(jobs),
      watchers_(watchers),
      request_(request),
      scope_(rpc, call, kMethod, RpcType::kServerStream),
      filter_(Kinds(request), MinInterval(request)),
      next_(std::max<int64_t>(request.start_sequence(), 1)),
      last_write_(SteadyNow()) {
  watchers_->fetch_add(1);
}

WatchReactor::~WatchReactor() { watchers_->fetch_sub(1); }

void WatchReactor::Begin() {
  scope_.MessageReceived();
  absl::StatusOr<Principal> principal = scope_.Begin();
  absl::Status status = principal.status();
  if (status.ok()) status = CheckRequest(request_);
  if (status.ok() && watchers_->load() > options_.watchers_max) status = BusyError();
  absl::MutexLock lock(&mutex_);
  if (!status.ok()) return End(status);
  caller_ = *std::move(principal);
  reading_ = true;  // Open is on the pool like a read
  if (rpc_.streams->Submit([self = shared_from_this()] { self->Open(); })) return;
  reading_ = false;
  End(BusyError());
}

void WatchReactor::Open() {
  const absl::Status status = Guarded([this] { return TryOpen(); });
  absl::MutexLock lock(&mutex_);
  reading_ = false;
  if (!status.ok()) return End(status);
  if (ending_) return;
  opened_ = true;
  counted_ = true;
  rpc_.metrics->WatchStarted();
  if (next_ > 1) rpc_.metrics->WatchResumed();
  timer_ = rpc_.ticker->At(SteadyNow() + options_.heartbeat_interval, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnHeartbeatTimer();
  });
  Write();  // the snapshot
}

absl::Status WatchReactor::TryOpen() {
  TY_RETURN_IF_ERROR(rpc_.access->CheckRead(caller_, request_.name()));
  // Subscribed before the job is read: what happens in between is told.
  auto log = jobs_->events().Subscribe(request_.name(), [weak = weak_from_this()](int64_t newest) {
    if (const auto self = weak.lock()) self->OnLog(newest);
  });
  auto drain = rpc_.drain->Subscribe([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    absl::MutexLock lock(&self->mutex_);
    self->End(DrainingError());
  });
  if (rpc_.drain->draining()) return DrainingError();
  TY_ASSIGN_OR_RETURN(v1::TrainingJob job, jobs_->Get(request_.name()));
  absl::MutexLock lock(&mutex_);
  // A stream that is over must not keep subscriptions: nobody would end them outside a listener.
  if (ending_) return end_status_;
  log_subscription_ = std::move(log);
  drain_subscription_ = std::move(drain);
  newest_ = std::max(newest_, job.last_sequence());
  if (IsTerminal(job.state()) && next_ > job.last_sequence()) {
    return BeyondEnd(next_, job.last_sequence());
  }
  *message_.mutable_snapshot() = std::move(job);
  return absl::OkStatus();
}

void WatchReactor::OnLog(int64_t newest) {
  absl::MutexLock lock(&mutex_);
  if (newest < 0 && terminal_queued_)
    return;  // deleted behind the back of a watcher that has all of it
  if (newest < 0) return End(NotFound(request_.name()));
  newest_ = std::max(newest_, newest);
  if (opened_) Advance();
}

void WatchReactor::OnHeartbeatTimer() {
  absl::MutexLock lock(&mutex_);
  if (ending_) return;
  const absl::Time now = SteadyNow();
  // Rather than move the timer at every write, it looks when it rings whether there was one.
  const bool silent = now - last_write_ >= options_.heartbeat_interval;
  if (silent && !writing_ && pending_.empty()) {
    message_.Clear();
    message_.mutable_heartbeat()->set_last_sequence(newest_);
    Write();
  }
  const absl::Time from = silent ? now : last_write_;
  timer_ = rpc_.ticker->At(from + options_.heartbeat_interval, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnHeartbeatTimer();
  });
}

void WatchReactor::Read() {
  int64_t next = 0, newest = 0;
  {
    absl::MutexLock lock(&mutex_);
    next = next_;
    newest = newest_;
    end_checked_ = newest_;
  }
  std::vector<SharedEvent> events;
  const absl::Status status = Guarded([&]() -> absl::Status {
    if (newest < next) return CheckStartBeyondEnd(newest);
    TY_ASSIGN_OR_RETURN(events, jobs_->events().Read(request_.name(), next, kReadMax));
    return absl::OkStatus();
  });
  absl::MutexLock lock(&mutex_);
  reading_ = false;
  if (!status.ok()) return End(status);
  Take(events);
  Advance();
}

absl::Status WatchReactor::CheckStartBeyondEnd(int64_t newest) {
  TY_ASSIGN_OR_RETURN(const std::vector<SharedEvent> last,
                      jobs_->events().Read(request_.name(), newest, 1));
  if (last.empty() || !IsTerminalEvent(*last.front())) return absl::OkStatus();
  return BeyondEnd(std::max<int64_t>(request_.start_sequence(), 1), newest);
}

void WatchReactor::Take(const std::vector<SharedEvent>& events) {
  for (const SharedEvent& event : events) {
    next_ = event->sequence() + 1;
    newest_ = std::max(newest_, event->sequence());
    if (filter_.Admit(*event)) pending_.push_back({event, filter_.TakeCoalesced()});
    terminal_queued_ = terminal_queued_ || IsTerminalEvent(*event);
  }
}

void WatchReactor::Advance() {
  if (finished_ || writing_) return;
  if (ending_) {
    // A read on the pool holds the reactor and finds it finished.
    finished_ = true;
    Finish(scope_.End(end_status_));
    return;
  }
  if (!pending_.empty()) return WritePending();
  if (terminal_queued_) return End(absl::OkStatus());
  // Dense sequences make the next event newest + 1; a start beyond that waits for an event that may
  // never come.
  const bool check_end = newest_ + 1 < next_ && newest_ > end_checked_;
  if (newest_ >= next_ || check_end) SubmitRead();
}

void WatchReactor::WritePending() {
  const Pending next = std::move(pending_.front());
  pending_.pop_front();
  message_.Clear();
  *message_.mutable_event() = *next.event;
  message_.set_coalesced_events(next.coalesced);
  rpc_.metrics->WatchEventsSent(1);
  if (next.coalesced > 0) rpc_.metrics->WatchCoalesced(next.coalesced);
  Write();
}

void WatchReactor::Write() {
  writing_ = true;
  last_write_ = SteadyNow();
  StartWrite(&message_);
}

void WatchReactor::SubmitRead() {
  if (reading_) return;
  reading_ = true;
  if (rpc_.streams->Submit([self = shared_from_this()] { self->Read(); })) return;
  reading_ = false;
  End(BusyError());
}

void WatchReactor::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok) return End(absl::CancelledError("the caller went away"));
  scope_.MessageSent();
  Advance();
}

void WatchReactor::OnCancel() {
  absl::MutexLock lock(&mutex_);
  End(absl::CancelledError("the caller went away"));
}

void WatchReactor::End(const absl::Status& status) {
  if (!ending_) {
    ending_ = true;
    end_status_ = status;
    rpc_.ticker->Cancel(timer_);
  }
  // Also the second time: the first may have found a write in flight, whose failure is the second.
  Advance();
}

void WatchReactor::OnDone() {
  const auto self = std::move(self_);
  std::unique_ptr<EventLog::Subscription> log;
  std::unique_ptr<DrainSignal::Subscription> drain;
  absl::MutexLock lock(&mutex_);
  // Destroyed after the lock is gone: ending a subscription waits for a listener that may be
  // waiting for the lock.
  log = std::move(log_subscription_);
  drain = std::move(drain_subscription_);
  if (counted_) rpc_.metrics->WatchEnded();
}

}  // namespace trainyard
