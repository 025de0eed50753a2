// WaitReactor is one WaitTrainingJob call: held until the job is terminal or the timeout is over,
// without a thread that waits.
//
// Thread-safety: all methods from any thread. Ownership: owns itself until gRPC is done; timer, log
// and drain listeners hold it weakly.
#ifndef TRAINYARD_SERVER_SERVICES_WAIT_REACTOR_H_
#define TRAINYARD_SERVER_SERVICES_WAIT_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/jobs/event_log.h"
#include "server/jobs/job_manager.h"
#include "server/rpc/call_scope.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

class WaitReactor final : public grpc::ServerUnaryReactor,
                          public std::enable_shared_from_this<WaitReactor> {
 public:
  // REQUIRES: `jobs` outlives the call.
  static grpc::ServerUnaryReactor* Start(const RpcContext& rpc, JobManager* jobs,
                                         grpc::CallbackServerContext* call,
                                         const v1::WaitTrainingJobRequest* request,
                                         v1::TrainingJob* response);

  // Use Start.
  WaitReactor(const RpcContext& rpc, JobManager* jobs, grpc::CallbackServerContext* call,
              const v1::WaitTrainingJobRequest* request, v1::TrainingJob* response);

  void OnCancel() override;
  void OnDone() override;

 private:
  void Begin();
  // On the pool: subscribes, sets the timer.
  void Open();
  // Asks for a Look on the pool, unless one is waiting there.
  void Wake(bool time_is_up);
  // On the pool: answers when the job is terminal or the time is up.
  void Look();
  void End(const absl::Status& status);

  const RpcContext& rpc_;
  JobManager* const jobs_;
  const v1::WaitTrainingJobRequest* const request_;
  v1::TrainingJob* const response_;
  CallScope scope_;
  std::shared_ptr<WaitReactor> self_;  // until OnDone

  absl::Mutex mutex_;
  std::unique_ptr<EventLog::Subscription> log_subscription_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<DrainSignal::Subscription> drain_subscription_ ABSL_GUARDED_BY(mutex_);
  Ticker::Id timer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool look_queued_ ABSL_GUARDED_BY(mutex_) = false;
  bool time_is_up_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_WAIT_REACTOR_H_
