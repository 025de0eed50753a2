// JobManager owns every job from Create to its end: the one place that changes a job's state. It
// keeps jobs that are not terminal in memory beside the database, asks the Scheduler who is next,
// hands assignments to worker sessions, appends to the event log, and makes a model of a result.
//
// Requests come in validated by the services (names parsed, spec resolved); rules of state are
// checked here.
//
// Thread-safety: all methods from any thread; they block until durable (one group commit).
// Errors: with ErrorInfo, as the proto of each rpc says.
#ifndef TRAINYARD_SERVER_JOBS_JOB_MANAGER_H_
#define TRAINYARD_SERVER_JOBS_JOB_MANAGER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/jobs/event_log.h"
#include "server/metrics/metrics.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

class BlobStore;
class Database;

struct JobManagerOptions {
  int worker_slots = 1;               // slots of the worker pool
  int64_t queued_jobs_max = 100'000;  // jobs that are not terminal
  int64_t owner_jobs_max = 1'000;     // the same for one owner
  int64_t job_memory_bytes_max = 0;   // default and upper bound of max_memory_bytes; 0: no limit
  absl::Duration job_runtime_max = absl::Hours(1);
  absl::Duration cancel_grace = absl::Seconds(10);   // then SIGKILL
  absl::Duration runtime_grace = absl::Seconds(10);  // beyond max_runtime, then SIGKILL
  absl::Duration checkpoint_interval = absl::Seconds(30);
  int owner_running_max = 0;  // slots of one owner's running jobs; 0: no limit
  // How long an INTERACTIVE job waits before BATCH jobs are asked to yield, and how long one of
  // those has run at least before it is asked.
  absl::Duration preempt_after = absl::Seconds(2);
  absl::Duration preempt_quantum = absl::Seconds(10);
  // Whether the disk has too little room for new jobs; asked about every second. Empty: it has.
  std::function<bool()> storage_full;
  // Called when that changes.
  std::function<void(bool full)> on_storage_full;
  // Where local workers keep prepared features, and how much of them; empty: they keep none.
  std::string prepared_directory;
  int64_t prepared_bytes_max = 0;
  // How long, and how many, finished jobs stay among LiveJobs: at least two scrapes, so that
  // Prometheus sees their last values.
  absl::Duration finished_series_ttl = absl::Minutes(5);
  size_t finished_series_max = 200;
};

// What JobManager needs of a connected worker. Implemented by the WorkerService reactor (and by a
// fake in tests).
class WorkerSession {
 public:
  virtual ~WorkerSession() = default;
  virtual int slot() const = 0;
  // What the worker said of itself. REQUIRES: does not change while the session is connected.
  virtual const v1::Hello& hello() const = 0;
  // Queues a message to the worker; never blocks, and never calls back into the manager from
  // inside.
  virtual void Send(v1::WorkResponse message) = 0;
};

// The in-memory view that metrics and GetServerInfo show.
struct JobCounts {
  int64_t pending = 0, running = 0, cancelling = 0;
  std::array<Metrics::Queue, kPriorityClassCount> queues;  // the same, by PriorityClassOf
  int workers_connected = 0, workers_busy = 0;  // a job of several threads takes as many workers
  bool storage_full = false;
};

class JobManager {
 public:
  // Loads jobs that are not terminal: RUNNING and CANCELLING ones of the last process are recovered
  // (back to PENDING, or CANCELLED). `kill_worker` SIGKILLs the process of a slot. REQUIRES:
  // pointers outlive the manager.
  static absl::StatusOr<std::unique_ptr<JobManager>> Create(
      const JobManagerOptions& options, Database* database, BlobStore* blobs, Metrics* metrics,
      std::function<void(int slot)> kill_worker);
  // REQUIRES: no session is connected any more.
  virtual ~JobManager() = default;

  // The job that a Submit of the same request made before; nullopt when there was none, or
  // request_id is empty. To be asked before a request is checked: its repetition is answered even
  // when its dataset is gone by now.
  virtual absl::StatusOr<std::optional<v1::TrainingJob>> FindSubmitted(
      absl::string_view owner, absl::string_view request_id, absl::string_view body_digest) = 0;
  // A finished job of the same owner that gave what `job`, as Submit takes it, would give; nullopt:
  // none.
  virtual absl::StatusOr<std::optional<v1::TrainingJob>> FindFinished(v1::TrainingJob job) = 0;
  // `job` has owner, display_name, dataset, spec, resolved_spec, priority, estimate, warnings,
  // progress.{epochs_total, steps_total} unless it is an analysis, and receipt.{dataset_digest,
  // spec_digest, seed, threads} filled in; `table_digest` is what a worker trains on. The rest is
  // set here. `request_id` may be empty; `body_digest` is the sha256 of the request without it.
  virtual absl::StatusOr<v1::TrainingJob> Submit(v1::TrainingJob job, absl::string_view request_id,
                                                 absl::string_view body_digest) = 0;
  // Fills in estimate.duration, by the speed that jobs had on this server so far.
  virtual void AddDuration(v1::TrainingJob* job) const = 0;
  virtual absl::StatusOr<v1::TrainingJob> Get(absl::string_view name) = 0;
  struct ListQuery {
    int64_t page_size = 50;
    int64_t before_number = 0;                       // page token; 0: from the newest
    v1::JobState state = v1::JOB_STATE_UNSPECIFIED;  // UNSPECIFIED: any
    std::string dataset, owner;                      // empty: any
  };
  struct JobPage {
    std::vector<v1::TrainingJob> jobs;
    int64_t next_before_number = 0;  // 0: last page
  };
  virtual absl::StatusOr<JobPage> List(const ListQuery& query) = 0;
  virtual absl::StatusOr<v1::TrainingJob> Cancel(absl::string_view name, absl::string_view by) = 0;
  virtual absl::StatusOr<v1::TrainingJob> Pause(absl::string_view name, absl::string_view by) = 0;
  virtual absl::StatusOr<v1::TrainingJob> Resume(absl::string_view name, absl::string_view by) = 0;
  virtual absl::StatusOr<v1::TrainingJob> SetPriority(absl::string_view name,
                                                      v1::JobPriority priority,
                                                      absl::string_view by) = 0;
  virtual absl::Status Delete(absl::string_view name) = 0;

  virtual EventLog& events() = 0;

  // From the worker side. A session is connected from Connect to Disconnect; after Disconnect
  // returns the manager does not touch it. A disconnect with an assignment open is an INFRA failure
  // of that attempt, unless the worker was killed for a limit. `killed_for` says why the supervisor
  // killed the process (UNSPECIFIED: it did not).
  virtual void Connect(WorkerSession* session) = 0;
  virtual void OnEvents(WorkerSession* session, const v1::EventBatch& batch) = 0;
  virtual void OnOutcome(WorkerSession* session, const v1::JobOutcome& outcome) = 0;
  virtual void Disconnect(WorkerSession* session, v1::ErrorReason killed_for) = 0;

  // The pool reports a worker's resident size, about every 100 ms; over the limit of its job it is
  // killed.
  virtual void OnWorkerMemory(int slot, int64_t resident_bytes) = 0;

  // No new assignments from here on; Submit answers UNAVAILABLE/DRAINING. Running jobs are asked to
  // yield, and are queued again with what they have done.
  virtual void BeginDrain() = 0;
  // Waits until no job is on a worker any more. False when that is not so at the deadline, a time
  // of SteadyNow.
  virtual bool AwaitIdle(absl::Time deadline) = 0;

  virtual JobCounts Counts() const = 0;
  // Running jobs, then those that ended a short while ago; both newest first.
  virtual std::vector<Metrics::JobSeries> LiveJobs() const = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_JOB_MANAGER_H_
