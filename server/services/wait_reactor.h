// WaitReactor is one unary call that is held until something has ended or a timeout is over, without a thread that waits: WaitTrainingJob, WaitSubmission.
//
//   WaitPlan<v1::TrainingJob> plan{.method = "/trainyard.v1.JobService/WaitTrainingJob"};
//   plan.check = …; plan.subscribe = …; plan.look = …; plan.done = …;
//   return WaitReactor<v1::TrainingJob>::Start(rpc_, call, std::move(plan), response);
//
// Thread-safety: all methods from any thread. Ownership: owns itself until gRPC is done; timer, subscription and drain listeners hold it weakly.
#ifndef TRAINYARD_SERVER_SERVICES_WAIT_REACTOR_H_
#define TRAINYARD_SERVER_SERVICES_WAIT_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/steady_clock.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/serve.h"
#include "server/services/request_checks.h"

namespace trainyard {

// What is waited for. The functions are called on a pool, and may block on disk.
template <typename Response>
struct WaitPlan {
  const char* method = nullptr;  // a literal
  absl::Duration timeout = absl::Seconds(60);
  // Whether the request is right, and the caller may ask.
  std::function<absl::Status(const Principal&)> check;
  // `wake` is called, quickly, whenever there may be something new; not any more once the result is destroyed.
  std::function<std::shared_ptr<void>(std::function<void()> wake)> subscribe;
  std::function<absl::StatusOr<Response>(const Principal&)> look;
  // Whether a look has seen the end.
  std::function<bool(const Response&)> done;
};

template <typename Response>
class WaitReactor final : public grpc::ServerUnaryReactor,
                          public std::enable_shared_from_this<WaitReactor<Response>> {
 public:
  static constexpr absl::Duration kTimeoutMax = absl::Hours(1);

  static grpc::ServerUnaryReactor* Start(const RpcContext& rpc, grpc::CallbackServerContext* call,
                                         WaitPlan<Response> plan, Response* response) {
    auto reactor = std::make_shared<WaitReactor>(rpc, call, std::move(plan), response);
    reactor->self_ = reactor;
    reactor->Begin();
    return reactor.get();
  }

  // Use Start.
  WaitReactor(const RpcContext& rpc, grpc::CallbackServerContext* call, WaitPlan<Response> plan,
              Response* response)
      : rpc_(rpc),
        plan_(std::move(plan)),
        response_(response),
        scope_(rpc, call, plan_.method, RpcType::kUnary) {}

  void OnCancel() override { End(absl::CancelledError("the caller went away")); }

  void OnDone() override {
    const auto self = std::move(self_);
    std::shared_ptr<void> subscription;
    std::unique_ptr<DrainSignal::Subscription> drain;
    absl::MutexLock lock(&mutex_);
    // Destroyed after the lock is gone: ending a subscription waits for a listener that may be waiting for the lock.
    subscription = std::move(subscription_);
    drain = std::move(drain_subscription_);
  }

 private:
  void Begin() {
    scope_.MessageReceived();
    absl::StatusOr<Principal> principal = scope_.Begin();
    absl::Status status = principal.status();
    if (status.ok()) status = CheckTimeout();
    if (!status.ok()) return End(status);
    caller_ = *std::move(principal);
    if (!rpc_.streams->Submit([self = this->shared_from_this()] { self->Open(); })) {
      End(BusyError());
    }
  }

  absl::Status CheckTimeout() const {
    if (plan_.timeout >= absl::ZeroDuration() && plan_.timeout <= kTimeoutMax) {
      return absl::OkStatus();
    }
    return InvalidRequest("timeout",
                          absl::StrCat("is ", absl::FormatDuration(plan_.timeout),
                                       "; give 0 to ", absl::FormatDuration(kTimeoutMax)));
  }

  // On the pool: subscribes, sets the timer.
  void Open() {
    const absl::Status may = Guarded([this] { return plan_.check(caller_); });
    if (!may.ok()) return End(may);
    // Subscribed before it is looked at: what happens in between wakes it again.
    auto subscription = plan_.subscribe([weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->Wake(/*time_is_up=*/false);
    });
    auto drain = rpc_.drain->Subscribe([weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->End(DrainingError());
    });
    {
      absl::MutexLock lock(&mutex_);
      if (finished_) return;
      subscription_ = std::move(subscription);
      drain_subscription_ = std::move(drain);
      timer_ = rpc_.ticker->At(SteadyNow() + plan_.timeout, [weak = this->weak_from_this()] {
        if (const auto self = weak.lock()) self->Wake(/*time_is_up=*/true);
      });
    }
    if (rpc_.drain->draining()) return End(DrainingError());
    Wake(/*time_is_up=*/false);
  }

  // Asks for a Look on the pool, unless one is waiting there.
  void Wake(bool time_is_up) {
    {
      absl::MutexLock lock(&mutex_);
      time_is_up_ = time_is_up_ || time_is_up;
      if (look_queued_ || finished_) return;
      look_queued_ = true;
    }
    if (!rpc_.streams->Submit([self = this->shared_from_this()] { self->Look(); })) {
      End(BusyError());
    }
  }

  // On the pool: answers when it has ended or the time is up.
  void Look() {
    bool time_is_up = false;
    {
      absl::MutexLock lock(&mutex_);
      // What happens from here on asks for another look.
      look_queued_ = false;
      if (finished_) return;
      time_is_up = time_is_up_;
    }
    absl::StatusOr<Response> seen = absl::UnknownError("");
    const absl::Status status = Guarded([&] {
      seen = plan_.look(caller_);
      return seen.status();
    });
    if (!status.ok()) return End(status);
    if (!time_is_up && !plan_.done(*seen)) return;
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    finished_ = true;
    rpc_.ticker->Cancel(timer_);
    *response_ = *std::move(seen);
    scope_.MessageSent();
    this->Finish(scope_.End(absl::OkStatus()));
  }

  void End(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    finished_ = true;
    rpc_.ticker->Cancel(timer_);
    this->Finish(scope_.End(status));
  }

  const RpcContext& rpc_;
  const WaitPlan<Response> plan_;
  Response* const response_;
  CallScope scope_;
  std::shared_ptr<WaitReactor> self_;  // until OnDone
  Principal caller_;                   // after Begin

  absl::Mutex mutex_;
  std::shared_ptr<void> subscription_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<DrainSignal::Subscription> drain_subscription_ ABSL_GUARDED_BY(mutex_);
  Ticker::Id timer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool look_queued_ ABSL_GUARDED_BY(mutex_) = false;
  bool time_is_up_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_WAIT_REACTOR_H_
