// The JobManager: what it keeps in memory, and under which lock. job_manager.cc has what users ask
// for, job_attempts.cc the side of the workers.
//
// A state is decided under the lock, in memory; the CommitQueue makes it durable in the same order;
// only then it becomes visible (Get, the event log). So each unfinished job has two records:
// `working`, as decided, and `visible`, as durable. An assignment is sent when it is decided, not
// when it is durable: whatever the worker sends back is committed behind it, and a crash in between
// finds the job PENDING, as it must. That saves one fsync before the first training event.
//
// Locks: mu_ is taken before nothing of ours but CommitQueue's (Add) and WorkerSession's (Send).
// The commit thread takes mu_, so nobody may wait for a commit while holding it.
#ifndef TRAINYARD_SERVER_JOBS_JOB_MANAGER_IMPL_H_
#define TRAINYARD_SERVER_JOBS_JOB_MANAGER_IMPL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "server/jobs/commit_queue.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_store.h"
#include "server/jobs/progress.h"
#include "server/jobs/scheduler.h"
#include "server/jobs/sqlite_event_log.h"

namespace trainyard {

class JobManagerImpl final : public JobManager {
 public:
  JobManagerImpl(const JobManagerOptions& options, Database* database, BlobStore* blobs,
                 Metrics* metrics, std::function<void(int slot)> kill_worker);
  ~JobManagerImpl() override;

  // Loads unfinished jobs and settles those that were on a worker. Called once, before anything
  // else.
  absl::Status Recover();

  absl::StatusOr<std::optional<v1::TrainingJob>> FindSubmitted(
      absl::string_view owner, absl::string_view request_id,
      absl::string_view body_digest) override;
  absl::StatusOr<std::optional<v1::TrainingJob>> FindFinished(v1::TrainingJob job) override;
  absl::StatusOr<v1::TrainingJob> Submit(v1::TrainingJob job, absl::string_view request_id,
                                         absl::string_view body_digest) override;
  void AddDuration(v1::TrainingJob* job) const override;
  absl::StatusOr<v1::TrainingJob> Get(absl::string_view name) override;
  absl::StatusOr<JobPage> List(const ListQuery& query) override;
  absl::StatusOr<v1::TrainingJob> Cancel(absl::string_view name, absl::string_view by) override;
  absl::StatusOr<v1::TrainingJob> Pause(absl::string_view name, absl::string_view by) override;
  absl::StatusOr<v1::TrainingJob> Resume(absl::string_view name, absl::string_view by) override;
  absl::StatusOr<v1::TrainingJob> SetPriority(absl::string_view name, v1::JobPriority priority,
                                              absl::string_view by) override;
  absl::Status Delete(absl::string_view name) override;
  EventLog& events() override { return events_; }

  void Connect(WorkerSession* session) override;
  void OnEvents(WorkerSession* session, const v1::EventBatch& batch) override;
  void OnOutcome(WorkerSession* session, const v1::JobOutcome& outcome) override;
  void Disconnect(WorkerSession* session, v1::ErrorReason killed_for) override;
  void OnWorkerMemory(int slot, int64_t resident_bytes) override;
  void BeginDrain() override;
  bool AwaitIdle(absl::Time deadline) override;
  JobCounts Counts() const override;
  std::vector<Metrics::JobSeries> LiveJobs() const override;

 private:
  // A job on a worker.
  struct Attempt {
    WorkerSession* session = nullptr;
    std::shared_ptr<AttemptReplay> replay;  // null for the first attempt
    AttemptCounters counters;
    absl::Time start;
    absl::Time kill_at = absl::InfiniteFuture();
    v1::ErrorReason kill_reason = v1::ERROR_REASON_RUNTIME_LIMIT;  // at kill_at
    absl::Time cancel_time = absl::InfiniteFuture();
    std::string pause_by;  // not empty: PAUSED once the worker has stopped
    bool yields = false;   // PENDING then, for an INTERACTIVE job
    std::optional<double> cpu_seconds;  // as the worker says at the end; none: it is gone
    Metrics::JobSeries series;
  };
  // A job that is not terminal.
  struct Job {
    int64_t number = 0;
    int64_t ticket = 0;
    int infra_failures = 0;
    absl::Time queued_since;
    JobTables tables;
    std::vector<v1::ModelBlob> models;
    std::vector<v1::Checkpoint> checkpoints;   // the newest first
    bool drop_checkpoints = false;             // with the next commit
    v1::TrainingJob visible;                   // as durable
    std::unique_ptr<v1::TrainingJob> working;  // as decided; null: the same as visible
    int commits_waiting = 0;
    std::unique_ptr<Attempt> attempt;

    const v1::TrainingJob& decided() const { return working != nullptr ? *working : visible; }
    v1::TrainingJob& Mutable();
  };
  struct Worker {
    Job* job = nullptr;
    v1::ErrorReason killed_for = v1::ERROR_REASON_UNSPECIFIED;
  };
  // Somebody waits until a commit is durable.
  struct Waiter {
    absl::Notification done;
    absl::Status status;
    v1::TrainingJob record;
    std::string duplicate_of;
  };
  static constexpr size_t kTablesKnownMax = 1024;
  struct RecentSeries {
    Metrics::JobSeries series;
    absl::Time expires;
  };

  // job_manager.cc: recovery, users.
  absl::Status RecoverOne(StoredJob stored, Connection& connection, int64_t* running_count);
  // From memory, where a job had them before: those of a READY dataset do not change. That they are
  // still there is checked when the job is inserted. Errors: FindTables'.
  absl::StatusOr<JobTables> TablesFor(const v1::TrainingJob& job);
  // Returns the tables that the job works on.
  absl::StatusOr<JobTables> PrepareNew(v1::TrainingJob* job);
  absl::Status Reserve(const v1::TrainingJob& job);
  void Release(const v1::TrainingJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnInserted(Commit& commit, const JobTables& tables, const absl::Status& status);
  absl::StatusOr<v1::TrainingJob> GetTerminal(absl::string_view name);
  absl::StatusOr<v1::TrainingJob> GetSettled(absl::string_view name);
  // Adds what is queued of a class.
  void CountQueued(v1::JobPriority priority, JobCounts* counts) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void FillQueueFields(const Job& job, v1::TrainingJob* record) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // Waits for `waiter`, and returns the record with queue fields.
  absl::StatusOr<v1::TrainingJob> Await(Waiter& waiter);
  std::shared_ptr<Waiter> CancelLive(Job& job, absl::string_view by)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::shared_ptr<Waiter>> PauseQueued(Job& job, absl::string_view by)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Changes an unfinished job as a user wants it and waits until that is durable.
  // FAILED_PRECONDITION for one that is being cancelled or finished: it cannot be `verb`, and
  // `remedy` ends the hint.
  absl::StatusOr<v1::TrainingJob> ChangeWanted(absl::string_view name, absl::string_view verb,
                                               absl::string_view remedy,
                                               absl::FunctionRef<void(Job&, Commit*)> change)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status StopForPause(absl::string_view name, absl::string_view by) ABSL_LOCKS_EXCLUDED(mu_);

  // Deciding and committing, both files.
  Job* Find(absl::string_view name) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  std::unique_ptr<Commit> NewCommit(const Job& job) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // Changes the state in memory and adds the event to `commit`.
  void Change(Job& job, v1::JobState to, absl::string_view message, Commit* commit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Hands `commit` with the decided record to the queue. `waiter` may be null.
  void Enqueue(Job& job, std::unique_ptr<Commit> commit, std::shared_ptr<Waiter> waiter = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnDurable(Commit& commit, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  void Queue(Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountTerminal(const v1::TrainingJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // job_attempts.cc: workers.
  void Dispatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  WorkerSession* IdleWorker() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  int SlotsOf(const Job& job) const;
  // Estimated slot-seconds; 1 while nothing is known.
  double CostOf(const Job& job) const;
  void Start(Job& job, WorkerSession* session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string TablePath(const std::string& digest) const;
  v1::JobAssignment AssignmentOf(const Job& job) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool FailIfTableLost(Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool FailIfTableLost(Job& job, const std::string& dataset, const std::string& digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Without `yield` what was done since the last checkpoint is lost.
  void SendStop(const Job& job, bool yield) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same, with SIGKILL after the grace period.
  void Stop(Job& job, bool yield) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether the job's attempt was asked to stop by Stop.
  bool IsStopping(const Job& job) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void KillAt(Job& job, absl::Time time, v1::ErrorReason reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The job whose attempt `session` is working on; null when (name, attempt) is not it.
  Job* Assigned(WorkerSession* session, absl::string_view name, int32_t attempt)
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool RetainBlob(const std::string& digest);
  // Takes the batch's checkpoint, if there is one and its blob is there.
  bool TakeCheckpoint(Job& job, const v1::EventBatch& batch, Commit* commit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // REQUIRES: the result is retained.
  void Succeed(Job& job, const v1::JobOutcome::Succeeded& result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The attempt ended with `error`: FAILED, or another try when it is the service's fault.
  void FailOrRetry(Job& job, const v1::JobError& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The attempt ended without a result.
  void Stopped(Job& job, v1::ErrorReason killed_for) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fail(Job& job, const v1::JobError& error, std::unique_ptr<Commit> commit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::JobError KilledError(const Job& job, v1::ErrorReason reason) const;
  v1::JobError LostError(const Job& job) const;
  int64_t MemoryLimit(const v1::TrainingJob& job) const;
  absl::Duration RuntimeLimit(const v1::TrainingJob& job) const;
  // Slot-seconds of the attempt that ends.
  double ChargeOf(const Job& job) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Frees the worker and the slots; a job that is PENDING again is queued. Last, after the commit
  // was made.
  void EndAttempt(Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The speed of a job that has succeeded in one attempt.
  void MeasureSpeed(const Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Slot-seconds that running jobs have before them.
  double RunningWork() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // Makes BATCH jobs yield to an INTERACTIVE one that has waited long enough. When to look again.
  absl::Time Preempt(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AskToYield(Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunTimers();
  // On the timers' thread, without the lock.
  void LookAtStorage() ABSL_LOCKS_EXCLUDED(mu_);
  // Marks workers whose time is up, and returns their slots.
  std::vector<int> DueKills(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Time NextKill() const ABSL_SHARED_LOCKS_REQUIRED(mu_);

  // Constant after construction.
  const JobManagerOptions options_;
  Database* const database_;
  BlobStore* const blobs_;
  Metrics* const metrics_;
  const std::function<void(int slot)> kill_worker_;

  SqliteEventLog events_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<std::string, std::unique_ptr<Job>> jobs_ ABSL_GUARDED_BY(mu_);  // by name
  absl::flat_hash_map<int64_t, Job*> by_number_ ABSL_GUARDED_BY(mu_);
  // By dataset and test_dataset.
  absl::flat_hash_map<std::pair<std::string, std::string>, JobTables> tables_ ABSL_GUARDED_BY(mu_);
  // Jobs that are not terminal, those being submitted included.
  int64_t unfinished_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<std::string, int64_t> owner_unfinished_ ABSL_GUARDED_BY(mu_);
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);
  int64_t next_ticket_ ABSL_GUARDED_BY(mu_) = 1;
  absl::flat_hash_map<WorkerSession*, Worker> workers_ ABSL_GUARDED_BY(mu_);
  int slots_in_use_ ABSL_GUARDED_BY(mu_) = 0;
  double speed_ ABSL_GUARDED_BY(mu_) = 0;  // of one slot, operations a second; 0: not known yet
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool storage_full_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<RecentSeries> recent_ ABSL_GUARDED_BY(mu_);
  bool timers_changed_ ABSL_GUARDED_BY(mu_) = false;

  std::unique_ptr<CommitQueue> commits_;  // its thread calls OnDurable
  std::thread timers_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_JOB_MANAGER_IMPL_H_
