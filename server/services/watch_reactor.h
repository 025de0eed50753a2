// WatchReactor is one WatchTrainingJob stream: snapshot, replay, follow, terminal event, OK.
//
// A watcher is a cursor into the event log, not a queue: it holds at most kReadMax events it has
// read and not yet sent, one write is in flight, and reads of the log run on the `streams` pool, at
// most one per watcher. No thread waits for a watcher.
//
//   the log tells "there is more" (any thread) ─► Read on the pool ─► Admit ─► StartWrite ─►
//   OnWriteDone ─► the next one, or Read again
//
// Thread-safety: all methods from any thread. Ownership: owns itself until gRPC is done; timers,
// log and drain listeners hold it weakly.
#ifndef TRAINYARD_SERVER_SERVICES_WATCH_REACTOR_H_
#define TRAINYARD_SERVER_SERVICES_WATCH_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/jobs/event_log.h"
#include "server/jobs/job_manager.h"
#include "server/rpc/call_scope.h"
#include "server/services/watch_filter.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

struct WatchOptions {
  absl::Duration heartbeat_interval = absl::Seconds(15);  // of silence
  int64_t watchers_max = 10'000;                          // streams at once; beyond it QUEUE_FULL
};

class WatchReactor final : public grpc::ServerWriteReactor<v1::WatchTrainingJobResponse>,
                           public std::enable_shared_from_this<WatchReactor> {
 public:
  // `watchers` counts the streams that are open. REQUIRES: all outlive the stream.
  static grpc::ServerWriteReactor<v1::WatchTrainingJobResponse>* Start(
      const RpcContext& rpc, const WatchOptions& options, JobManager* jobs,
      std::atomic<int64_t>* watchers, grpc::CallbackServerContext* call,
      const v1::WatchTrainingJobRequest* request);

  // Use Start.
  WatchReactor(const RpcContext& rpc, const WatchOptions& options, JobManager* jobs,
               std::atomic<int64_t>* watchers, grpc::CallbackServerContext* call,
               const v1::WatchTrainingJobRequest& request);
  ~WatchReactor() override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  static constexpr int64_t kReadMax = 256;

  void Begin();
  // On the pool: finds the job, subscribes, queues the snapshot.
  void Open();
  absl::Status TryOpen();
  // On the pool: reads the next events into pending_.
  void Read();
  // `events` are what stands in the log from next_ on.
  void Take(const std::vector<SharedEvent>& events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When the log's newest event is before start_sequence: whether it will never get there.
  absl::Status CheckStartBeyondEnd(int64_t newest);

  // Told by the log: `newest` events are durable; -1: the job is deleted.
  void OnLog(int64_t newest);
  void OnHeartbeatTimer();

  // Does whatever can be done next: write, read, finish, or nothing.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WritePending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SubmitRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The stream ends with `status` as soon as nothing is in flight; the first status wins.
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Constant after construction.
  const RpcContext& rpc_;
  const WatchOptions options_;
  JobManager* const jobs_;
  std::atomic<int64_t>* const watchers_;
  const v1::WatchTrainingJobRequest request_;
  CallScope scope_;
  std::shared_ptr<WatchReactor> self_;  // until OnDone
  Principal caller_;                    // after Begin

  struct Pending {
    SharedEvent event;
    int64_t coalesced = 0;
  };

  absl::Mutex mutex_;
  WatchFilter filter_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<EventLog::Subscription> log_subscription_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<DrainSignal::Subscription> drain_subscription_ ABSL_GUARDED_BY(mutex_);
  Ticker::Id timer_ ABSL_GUARDED_BY(mutex_) = 0;
  v1::WatchTrainingJobResponse message_;                 // being filled under mutex_, or in flight
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);  // read and admitted, not yet sent
  int64_t next_ ABSL_GUARDED_BY(mutex_) = 1;             // sequence to read next
  int64_t newest_ ABSL_GUARDED_BY(mutex_) = 0;           // sequence of the newest durable event
  int64_t end_checked_ ABSL_GUARDED_BY(mutex_) = 0;      // newest_ when the log was last read
  absl::Time last_write_ ABSL_GUARDED_BY(mutex_);
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // a read is on the pool
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool terminal_queued_ ABSL_GUARDED_BY(mutex_) = false;  // the last event is in pending_, or sent
  bool counted_ ABSL_GUARDED_BY(mutex_) = false;          // WatchStarted was called
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_WATCH_REACTOR_H_
