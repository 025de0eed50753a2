// CommitQueue makes changes of jobs durable, in the order they were decided, without holding up
// whoever decided them. Each Commit is one job's step: its record, the events that go with it, and
// for a success the model, in one transaction.
//
//   queue.Add(std::move(commit));      // returns at once; later, on thread "ty-commit":
//   commit->done(*commit, status)
//
// What waits is written together. When the disk refuses, a change of an existing job is kept and
// tried again until it is taken (memory is ahead of the disk for that long, and workers are held
// back by WaitForRoom); a new job is refused to its caller.
//
// Thread-safety: all methods from any thread. Owns one thread; the destructor writes what waits,
// once, and joins.
#ifndef TRAINYARD_SERVER_JOBS_COMMIT_QUEUE_H_
#define TRAINYARD_SERVER_JOBS_COMMIT_QUEUE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/jobs/replay.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/model.pb.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

class BlobStore;
class Connection;
class Database;

// Under which a request_id of a new job is remembered.
inline constexpr absl::string_view kCreateJobMethod = "CreateTrainingJob";

// The replay of one attempt after the first. Loaded in the first transaction that needs it, used by
// no other thread.
struct AttemptReplay {
  bool loaded = false;
  Replay replay;
};

struct Commit {
  bool is_new = false;  // the job is inserted
  int64_t number = 0;   // jobs.number; a result when is_new
  int infra_failures = 0;
  v1::TrainingJob record;                 // as it will be; last_sequence is a result
  std::vector<v1::JobEvent> produced;     // by the attempt; they pass its replay
  std::shared_ptr<AttemptReplay> replay;  // null for a first attempt
  // Of the batch that `produced` is from: events that the job produced before it.
  std::optional<int64_t> events_before;
  bool attempt_over = false;                 // nothing more will be produced by this attempt
  std::optional<v1::Checkpoint> checkpoint;  // the newest; its blob is retained
  bool drop_checkpoints = false;             // all there are, before `checkpoint`
  std::vector<v1::JobEvent> changes;      // state changes; they come after what was produced
  std::optional<v1::Model> model;
  // Of the result or the checkpoint; the blob is held until its row is durable.
  std::string retained_digest;
  std::string request_id, body_digest;  // is_new only

  // Results.
  std::string duplicate_of;  // is_new: the job that this request made before; nothing was written
  std::vector<v1::ModelBlob> models;  // is_new: that the job needs
  std::vector<v1::JobEvent> events;   // as they stand in the log now
  std::vector<std::string> dropped_digests;  // of checkpoints that are not kept any more
  std::optional<int64_t> rewound_to;         // checkpoints of more steps are void
  // Called once from the commit thread: durable, or refused (is_new, or the server stops).
  std::function<void(Commit& commit, const absl::Status& status)> done;

  bool prepared =
      false;  // `produced` has passed the replay; done once though a transaction may be tried again
};

class CommitQueue {
 public:
  // Commits waiting at which WaitForRoom starts to block.
  static constexpr size_t kWaitingMax = 4096;
  // From a write that failed to its next trial; doubles while they fail.
  static constexpr absl::Duration kRetryDelayMin = absl::Milliseconds(50);
  static constexpr absl::Duration kRetryDelayMax = absl::Seconds(1);

  // REQUIRES: `database` and `blobs` outlive the queue.
  CommitQueue(Database* database, BlobStore* blobs);
  ~CommitQueue();

  void Add(std::unique_ptr<Commit> commit);
  // Blocks while too much is waiting. Not for the commit thread.
  void WaitForRoom();

 private:
  using Batch = std::deque<std::unique_ptr<Commit>>;

  void Run();
  Batch TakeAll();
  // Returns those that have to be tried again, in order.
  Batch WriteAll(Batch batch);
  Batch WriteOneByOne(Batch batch);
  // Calls `done` of those that are durable, then removes the blobs that they dropped.
  void Complete(Batch batch);
  // Puts `failed` before what waits, and lets some time pass. False when the server stops instead.
  bool PutBack(Batch failed);

  Database* const database_;
  BlobStore* const blobs_;
  absl::Mutex mu_;
  Batch waiting_ ABSL_GUARDED_BY(mu_);
  size_t in_work_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Duration retry_delay_ = kRetryDelayMin;  // the commit thread's
  std::thread thread_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_COMMIT_QUEUE_H_
