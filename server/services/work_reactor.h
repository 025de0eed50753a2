// WorkReactor is one worker's stream and with it its lease: hello first, then events and outcomes
// in, assignments out.
//
//   read ─► pool: JobManager ─► next read        (one at a time, in order: a worker that floods is
//   held back) Send ─► outbound_ ─► StartWrite ─► OnWriteDone ─► the next one
//
// Thread-safety: all methods from any thread. Ownership: owns itself until gRPC is done; JobManager
// sees it from Connect to Disconnect.
#ifndef TRAINYARD_SERVER_SERVICES_WORK_REACTOR_H_
#define TRAINYARD_SERVER_SERVICES_WORK_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/jobs/job_manager.h"
#include "server/rpc/call_scope.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

// What a worker must say to be let in.
struct WorkerAdmission {
  std::string token;  // secret of this server
  int slots = 0;      // slots are 0 to slots - 1
  std::string build;  // of this server
};

// OK when `token` is the server's; UNAUTHENTICATED/PERMISSION otherwise.
absl::Status CheckWorkerToken(const WorkerAdmission& admission, const std::string& token);

class WorkReactor final : public grpc::ServerBidiReactor<v1::WorkRequest, v1::WorkResponse>,
                          public WorkerSession,
                          public std::enable_shared_from_this<WorkReactor> {
 public:
  static grpc::ServerBidiReactor<v1::WorkRequest, v1::WorkResponse>* Start(
      const RpcContext& rpc, const WorkerAdmission& admission, JobManager* jobs, Executor* pool,
      grpc::CallbackServerContext* call);

  // Use Start.
  WorkReactor(const RpcContext& rpc, const WorkerAdmission& admission, JobManager* jobs,
              Executor* pool, grpc::CallbackServerContext* call);

  int slot() const override { return hello_.slot(); }
  const v1::Hello& hello() const override { return hello_; }
  void Send(v1::WorkResponse message) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // Messages to one worker that wait to be written; one assignment and its stop are 2.
  static constexpr size_t kOutboundMax = 64;

  void Begin();
  // On the pool: works on request_, then reads on.
  void Process();
  absl::Status Dispatch();
  absl::Status Admit(const v1::Hello& hello);
  // On the pool: ends the lease.
  void Leave(const absl::Status& status);
  void MaybeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const WorkerAdmission& admission_;
  JobManager* const jobs_;
  Executor* const pool_;
  CallScope scope_;
  std::shared_ptr<WorkReactor> self_;  // until OnDone

  // Touched by the read, or by the pool between two reads; never by both.
  v1::WorkRequest request_;
  v1::Hello hello_;
  bool connected_ = false;
  bool input_over_ = false;

  absl::Mutex mutex_;
  std::deque<v1::WorkResponse> outbound_ ABSL_GUARDED_BY(mutex_);  // the first one may be in flight
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool overflowed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_WORK_REACTOR_H_
