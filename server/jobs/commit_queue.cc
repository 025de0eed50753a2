#include "server/jobs/commit_queue.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "core/base/status_macros.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/jobs/job.h"
#include "server/jobs/job_store.h"
#include "server/jobs/sqlite_event_log.h"
#include "server/storage/blob_references.h"
#include "server/storage/database.h"
#include "server/storage/model_store.h"
#include "server/storage/requests.h"

namespace trainyard {
namespace {

absl::Status Load(Connection& connection, int64_t number, int64_t events_before,
                  AttemptReplay* replay) {
  if (replay->loaded) return absl::OkStatus();
  replay->replay = Replay();
  TY_RETURN_IF_ERROR(SqliteEventLog::ForEach(
      connection, number,
      [replay](const v1::JobEvent& event) { replay->replay.AddStored(event); }));
  replay->replay.Skip(events_before);
  replay->loaded = true;
  return absl::OkStatus();
}

// Replaces commit.produced by what of it goes into the log.
absl::Status PassReplay(Connection& connection, Commit& commit) {
  if (commit.prepared) return absl::OkStatus();
  // Only a batch says where the attempt began.
  const bool loads = commit.events_before.has_value() || commit.attempt_over;
  if (commit.replay != nullptr && loads) {
    TY_RETURN_IF_ERROR(
        Load(connection, commit.number, commit.events_before.value_or(0), commit.replay.get()));
    const bool rewound_before = commit.replay->replay.rewound_to().has_value();
    std::vector<v1::JobEvent> passed;
    for (v1::JobEvent& event : commit.produced)
      commit.replay->replay.Produce(std::move(event), &passed);
    if (commit.attempt_over) commit.replay->replay.Finish(&passed);
    commit.produced = std::move(passed);
    if (!rewound_before) commit.rewound_to = commit.replay->replay.rewound_to();
  }
  commit.prepared = true;
  return absl::OkStatus();
}

// Inserts the job unless its request was answered before.
absl::Status InsertNew(Connection& connection, Commit& commit) {
  const std::string& owner = commit.record.owner();
  TY_ASSIGN_OR_RETURN(
      const std::optional<std::string> before,
      FindRequest(connection, owner, commit.request_id, kCreateJobMethod, commit.body_digest));
  commit.duplicate_of = before.value_or("");
  if (before.has_value()) return absl::OkStatus();
  TY_RETURN_IF_ERROR(InsertRequest(connection, owner, commit.request_id, kCreateJobMethod,
                                   commit.body_digest, commit.record.name()));
  // The dataset and the models may have been deleted since the spec was checked against them.
  TY_RETURN_IF_ERROR(CheckTables(connection, commit.record));
  TY_ASSIGN_OR_RETURN(commit.number, InsertJob(connection, commit.record));
  TY_ASSIGN_OR_RETURN(commit.models, HoldModels(connection, commit.number, commit.record));
  return absl::OkStatus();
}

absl::Status ApplyCheckpoints(Connection& connection, Commit& commit) {
  commit.dropped_digests.clear();  // of a transaction that was tried before
  const bool all = commit.drop_checkpoints || IsTerminal(commit.record.state());
  if (all || commit.rewound_to.has_value()) {
    TY_RETURN_IF_ERROR(DeleteCheckpoints(connection, commit.number, all ? -1 : *commit.rewound_to,
                                         &commit.dropped_digests));
  }
  if (!commit.checkpoint.has_value()) return absl::OkStatus();
  return InsertCheckpoint(connection, commit.number, *commit.checkpoint, &commit.dropped_digests);
}

absl::Status Apply(Connection& connection, Commit& commit) {
  if (commit.is_new) TY_RETURN_IF_ERROR(InsertNew(connection, commit));
  if (!commit.duplicate_of.empty()) return absl::OkStatus();
  TY_RETURN_IF_ERROR(PassReplay(connection, commit));
  commit.events = commit.produced;
  commit.events.insert(commit.events.end(), commit.changes.begin(), commit.changes.end());
  int64_t last_sequence = 0;
  TY_RETURN_IF_ERROR(SqliteEventLog::Append(connection, commit.number, absl::Now(), &commit.events,
                                            &last_sequence));
  commit.record.set_last_sequence(last_sequence);
  TY_RETURN_IF_ERROR(UpdateJob(connection, commit.number, commit.infra_failures, commit.record));
  TY_RETURN_IF_ERROR(ApplyCheckpoints(connection, commit));
  if (!commit.model.has_value()) return absl::OkStatus();
  return ModelStore::Insert(connection, *commit.model);
}

}  // namespace

CommitQueue::CommitQueue(Database* database, BlobStore* blobs)
    : database_(database), blobs_(blobs), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "ty-commit");
}

CommitQueue::~CommitQueue() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void CommitQueue::Add(std::unique_ptr<Commit> commit) {
  absl::MutexLock lock(&mu_);
  waiting_.push_back(std::move(commit));
}

void CommitQueue::WaitForRoom() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(
      +[](CommitQueue* queue) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return queue->waiting_.size() + queue->in_work_ < kWaitingMax || queue->stopping_;
      },
      this));
}

CommitQueue::Batch CommitQueue::TakeAll() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(
      +[](CommitQueue* queue)
           ABSL_NO_THREAD_SAFETY_ANALYSIS { return !queue->waiting_.empty() || queue->stopping_; },
      this));
  in_work_ = waiting_.size();
  return std::exchange(waiting_, {});
}

void CommitQueue::Run() {
  while (true) {
    Batch batch = TakeAll();
    if (batch.empty()) return;  // stopping, and all is written
    Batch failed = WriteAll(std::move(batch));
    if (PutBack(std::move(failed))) continue;
    // The next server finds the jobs as they were last durable.
    for (const auto& commit : TakeAll())
      commit->done(*commit, absl::UnavailableError("the server stops"));
    return;
  }
}

bool CommitQueue::PutBack(Batch failed) {
  absl::MutexLock lock(&mu_);
  in_work_ = 0;
  if (failed.empty()) {
    retry_delay_ = kRetryDelayMin;
    return true;
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(failed.begin()),
                  std::make_move_iterator(failed.end()));
  AwaitFor(mu_, absl::Condition(&stopping_), retry_delay_);
  retry_delay_ = std::min(2 * retry_delay_, kRetryDelayMax);
  return !stopping_;
}

CommitQueue::Batch CommitQueue::WriteAll(Batch batch) {
  const absl::Status status = database_->Write([&batch](Connection& connection) -> absl::Status {
    for (const auto& commit : batch) TY_RETURN_IF_ERROR(Apply(connection, *commit));
    return absl::OkStatus();
  });
  if (!status.ok()) return WriteOneByOne(std::move(batch));
  Complete(std::move(batch));
  return {};
}

void CommitQueue::Complete(Batch batch) {
  std::vector<std::string> dropped;
  for (const auto& commit : batch) {
    dropped.insert(dropped.end(), commit->dropped_digests.begin(), commit->dropped_digests.end());
    commit->done(*commit, absl::OkStatus());
  }
  if (dropped.empty()) return;
  // What stays behind is swept at the next start.
  const absl::Status removed = RemoveUnreferencedBlobs(*database_, *blobs_, dropped);
  if (!removed.ok()) Log::Warning("blobs_not_removed", {{"error", removed.ToString()}});
}

CommitQueue::Batch CommitQueue::WriteOneByOne(Batch batch) {
  Batch failed;
  absl::flat_hash_set<int64_t> held_back;  // jobs of which an earlier commit failed
  for (auto& commit : batch) {
    if (!commit->is_new && held_back.contains(commit->number)) {
      failed.push_back(std::move(commit));
      continue;
    }
    const absl::Status status =
        database_->Write([&commit](Connection& connection) { return Apply(connection, *commit); });
    if (status.ok()) {
      Batch one;
      one.push_back(std::move(commit));
      Complete(std::move(one));
      continue;
    }
    if (commit->is_new) {
      commit->done(*commit, status);
      continue;
    }
    Log::Error("job_commit_failed", {{"job", commit->record.name()}, {"error", status.ToString()}});
    held_back.insert(commit->number);
    failed.push_back(std::move(commit));
  }
  return failed;
}

}  // namespace trainyard
