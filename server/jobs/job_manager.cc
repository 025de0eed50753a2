#include "server/jobs/job_manager.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/base/version.h"
#include "server/jobs/job.h"
#include "server/jobs/job_manager_impl.h"
#include "server/metrics/metrics.h"
#include "server/storage/blob_references.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"
#include "server/storage/requests.h"
#include "server/wire/convert.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

// When a full queue is worth trying again.
constexpr int kRetryAfterSeconds = 5;
// Beyond the grace period after which a worker is killed, Pause waits this long for it to be seen.
constexpr absl::Duration kPauseSlack = absl::Seconds(5);

absl::Status Full(ErrorReason reason, absl::string_view message, absl::string_view in_force) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = reason,
                    .hint = absl::StrCat("retry after ", kRetryAfterSeconds,
                                         " s, or cancel jobs that are not needed"),
                    .in_force = std::string(in_force),
                    .metadata = {{"retry_after_seconds", absl::StrCat(kRetryAfterSeconds)}}});
}

absl::Status Draining() {
  return MakeError(absl::StatusCode::kUnavailable, "the server is stopping and takes no new jobs",
                   {.reason = ErrorReason::kDraining,
                    .hint = "retry with the same request_id",
                    .in_force = "draining",
                    .metadata = {{"retry_after_seconds", absl::StrCat(kRetryAfterSeconds)}}});
}

// The metric label of a refusal.
std::string ReasonLabel(const absl::Status& status) {
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  return absl::AsciiStrToLower(
      ErrorReasonName(info.has_value() ? info->reason : ErrorReason::kInternal));
}

std::string Worded(absl::string_view verb, absl::string_view by) {
  return absl::StrCat(verb, " by ", by);
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobManager>> JobManager::Create(
    const JobManagerOptions& options, Database* database, BlobStore* blobs, Metrics* metrics,
    std::function<void(int slot)> kill_worker) {
  auto manager =
      std::make_unique<JobManagerImpl>(options, database, blobs, metrics, std::move(kill_worker));
  TY_RETURN_IF_ERROR(manager->Recover());
  return manager;
}

JobManagerImpl::JobManagerImpl(const JobManagerOptions& options, Database* database,
                               BlobStore* blobs, Metrics* metrics,
                               std::function<void(int slot)> kill_worker)
    : options_(options),
      database_(database),
      blobs_(blobs),
      metrics_(metrics),
      kill_worker_(std::move(kill_worker)),
      events_(database),
      // What was admitted under a higher limit is still queued.
      scheduler_({.queue_max = std::max(options.queued_jobs_max, limits::kQueuedJobsMax),
                  .owner_running_max = options.owner_running_max}),
      commits_(std::make_unique<CommitQueue>(database, blobs)),
      timers_([this] { RunTimers(); }) {}

JobManagerImpl::~JobManagerImpl() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    timers_changed_ = true;
  }
  timers_.join();
  commits_.reset();
}

v1::TrainingJob& JobManagerImpl::Job::Mutable() {
  if (working == nullptr) working = std::make_unique<v1::TrainingJob>(visible);
  return *working;
}

absl::Status JobManagerImpl::Recover() {
  int64_t running_count = 0;
  const absl::Status status =
      database_->Write([this, &running_count](Connection& connection) -> absl::Status {
        TY_ASSIGN_OR_RETURN(std::vector<StoredJob> stored, LoadUnfinishedJobs(connection));
        for (StoredJob& job : stored)
          TY_RETURN_IF_ERROR(RecoverOne(std::move(job), connection, &running_count));
        return absl::OkStatus();
      });
  TY_RETURN_IF_ERROR(status);
  metrics_->JobsRecovered(running_count);
  return absl::OkStatus();
}

absl::Status JobManagerImpl::RecoverOne(StoredJob stored, Connection& connection,
                                        int64_t* running_count) {
  v1::TrainingJob& record = stored.record;
  std::vector<v1::JobEvent> changes;
  if (record.state() == v1::JOB_STATE_RUNNING) {
    changes.push_back(ChangeState(v1::JOB_STATE_PENDING, "the server was restarted; queued again",
                                  absl::Now(), &record));
    ++*running_count;
  } else if (record.state() == v1::JOB_STATE_CANCELLING) {
    changes.push_back(ChangeState(v1::JOB_STATE_CANCELLED,
                                  "cancelled when the server was restarted", absl::Now(), &record));
  }
  int64_t last_sequence = record.last_sequence();
  if (!changes.empty()) {
    TY_RETURN_IF_ERROR(
        SqliteEventLog::Append(connection, stored.number, absl::Now(), &changes, &last_sequence));
    record.set_last_sequence(last_sequence);
    TY_RETURN_IF_ERROR(UpdateJob(connection, stored.number, stored.infra_failures, record));
  }
  if (IsTerminal(record.state())) return absl::OkStatus();

  events_.Open(record.name(), last_sequence);
  absl::MutexLock lock(&mu_);
  ++unfinished_;
  ++owner_unfinished_[record.owner()];
  auto job = std::make_unique<Job>();
  job->number = stored.number;
  job->ticket = next_ticket_++;
  job->infra_failures = stored.infra_failures;
  job->tables = std::move(stored.tables);
  job->models = std::move(stored.models);
  job->checkpoints = std::move(stored.checkpoints);
  job->visible = std::move(record);
  by_number_[job->number] = job.get();
  if (job->visible.state() == v1::JOB_STATE_PENDING) Queue(*job);
  const std::string name = job->visible.name();
  jobs_[name] = std::move(job);
  return absl::OkStatus();
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::Submit(v1::TrainingJob job,
                                                       absl::string_view request_id,
                                                       absl::string_view body_digest) {
  TY_ASSIGN_OR_RETURN(std::optional<v1::TrainingJob> before,
                      FindSubmitted(job.owner(), request_id, body_digest));
  if (before.has_value()) return *std::move(before);
  TY_ASSIGN_OR_RETURN(const JobTables tables, PrepareNew(&job));
  AddDuration(&job);
  if (absl::Status status = Reserve(job); !status.ok()) {
    metrics_->JobRejected(ReasonLabel(status));
    return status;
  }
  auto commit = std::make_unique<Commit>();
  commit->is_new = true;
  commit->request_id = std::string(request_id);
  commit->body_digest = std::string(body_digest);
  commit->changes.push_back(ChangeState(v1::JOB_STATE_PENDING, "submitted", absl::Now(), &job));
  commit->record = std::move(job);
  auto waiter = std::make_shared<Waiter>();
  commit->done = [this, tables, waiter](Commit& done, const absl::Status& status) {
    waiter->status = status;
    waiter->duplicate_of = done.duplicate_of;
    waiter->record = done.record;
    OnInserted(done, tables, status);
    waiter->done.Notify();
  };
  commits_->WaitForRoom();
  commits_->Add(std::move(commit));
  TY_ASSIGN_OR_RETURN(v1::TrainingJob record, Await(*waiter));
  if (waiter->duplicate_of.empty()) return record;
  metrics_->JobSubmitDuplicate();
  return Get(waiter->duplicate_of);
}

absl::StatusOr<std::optional<v1::TrainingJob>> JobManagerImpl::FindSubmitted(
    absl::string_view owner, absl::string_view request_id, absl::string_view body_digest) {
  std::optional<std::string> before;
  if (request_id.empty()) return std::nullopt;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(before,
                        FindRequest(connection, owner, request_id, kCreateJobMethod, body_digest));
    return absl::OkStatus();
  }));
  if (!before.has_value()) return std::nullopt;
  metrics_->JobSubmitDuplicate();
  return Get(*before);
}

absl::StatusOr<std::optional<v1::TrainingJob>> JobManagerImpl::FindFinished(v1::TrainingJob job) {
  TY_ASSIGN_OR_RETURN(const JobTables tables, TablesFor(job));
  job.mutable_receipt()->set_table_digest(tables.digest);
  job.mutable_receipt()->set_build(BuildString());
  std::string name;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(name, FindFinishedJob(connection, job));
    return absl::OkStatus();
  }));
  if (name.empty()) return std::nullopt;
  return Get(name);
}

absl::StatusOr<JobTables> JobManagerImpl::TablesFor(const v1::TrainingJob& job) {
  const std::pair key(job.dataset(), job.resolved_spec().test_dataset());
  {
    absl::MutexLock lock(&mu_);
    const auto found = tables_.find(key);
    if (found != tables_.end()) return found->second;
  }
  JobTables tables;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(tables, FindTables(connection, job));
    return absl::OkStatus();
  }));
  absl::MutexLock lock(&mu_);
  if (tables_.size() >= kTablesKnownMax) tables_.clear();
  tables_[key] = tables;
  return tables;
}

absl::StatusOr<JobTables> JobManagerImpl::PrepareNew(v1::TrainingJob* job) {
  TY_ASSIGN_OR_RETURN(JobTables tables, TablesFor(*job));
  job->set_name(MakeName(kTrainingJobs, NewId()));
  job->set_state(v1::JOB_STATE_UNSPECIFIED);
  *job->mutable_create_time() = ToTimestamp(absl::Now());
  job->mutable_receipt()->set_table_digest(tables.digest);
  return tables;
}

absl::Status JobManagerImpl::Reserve(const v1::TrainingJob& job) {
  absl::MutexLock lock(&mu_);
  if (draining_) return Draining();
  if (storage_full_) {
    return Full(ErrorReason::kStorageFull, "the server's disk is full, and it takes no new jobs",
                "free-bytes-floor");
  }
  if (unfinished_ >= options_.queued_jobs_max) {
    return Full(ErrorReason::kQueueFull,
                absl::StrCat("the queue holds ", unfinished_, " unfinished jobs and is full"),
                absl::StrCat("queued_jobs_max ", options_.queued_jobs_max));
  }
  int64_t& owned = owner_unfinished_[job.owner()];
  if (owned >= options_.owner_jobs_max) {
    return Full(ErrorReason::kOwnerQuota,
                absl::StrCat("owner \"", job.owner(), "\" has ", owned,
                             " unfinished jobs, as many as one may have"),
                absl::StrCat("owner_jobs_max ", options_.owner_jobs_max));
  }
  ++unfinished_;
  ++owned;
  return absl::OkStatus();
}

void JobManagerImpl::Release(const v1::TrainingJob& job) {
  --unfinished_;
  if (--owner_unfinished_[job.owner()] == 0) owner_unfinished_.erase(job.owner());
}

void JobManagerImpl::OnInserted(Commit& commit, const JobTables& tables,
                                const absl::Status& status) {
  if (!status.ok() || !commit.duplicate_of.empty()) {
    absl::MutexLock lock(&mu_);
    Release(commit.record);
    return;
  }
  const std::string name = commit.record.name();
  events_.Open(name, 0);
  events_.Publish(name, std::move(commit.events));
  metrics_->JobSubmitted(commit.record.priority());
  Log::Info("job_submitted", {{"job", name}, {"owner", commit.record.owner()}});

  absl::MutexLock lock(&mu_);
  auto job = std::make_unique<Job>();
  job->number = commit.number;
  job->ticket = next_ticket_++;
  job->tables = tables;
  job->models = std::move(commit.models);
  job->visible = std::move(commit.record);
  by_number_[job->number] = job.get();
  Queue(*job);
  jobs_[name] = std::move(job);
  Dispatch();
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::Get(absl::string_view name) {
  {
    absl::MutexLock lock(&mu_);
    if (const Job* job = Find(name)) {
      v1::TrainingJob record = job->visible;
      FillQueueFields(*job, &record);
      return record;
    }
  }
  return GetTerminal(name);
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::GetTerminal(absl::string_view name) {
  v1::TrainingJob record;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(record, FindJob(connection, name));
    return absl::OkStatus();
  }));
  return record;
}

absl::StatusOr<JobManager::JobPage> JobManagerImpl::List(const ListQuery& query) {
  JobPage page;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(page, ListJobs(connection, query));
    return absl::OkStatus();
  }));
  absl::MutexLock lock(&mu_);
  for (v1::TrainingJob& record : page.jobs) {
    const Job* job = Find(record.name());
    if (job != nullptr) FillQueueFields(*job, &record);
  }
  return page;
}

// Where a PENDING job stands changes with every other job, so it is computed when asked for and
// never stored.
void JobManagerImpl::FillQueueFields(const Job& job, v1::TrainingJob* record) const {
  if (record->state() != v1::JOB_STATE_PENDING) return;
  const Scheduler::Place place = scheduler_.PlaceOf(job.number);
  if (place.position == 0) return;  // taken just now; not durable yet
  record->set_queue_position(place.position);
  record->set_jobs_ahead(place.jobs_ahead);
  record->set_pending_reason(
      scheduler_.ReasonFor(job.number, {.workers_connected = static_cast<int>(workers_.size()),
                                        .draining = draining_,
                                        .storage_full = storage_full_}));
  if (speed_ == 0 || workers_.empty()) return;
  const double work = place.work_ahead + RunningWork();
  SecondsToProto(work / static_cast<double>(workers_.size()), record->mutable_start_eta());
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::Await(Waiter& waiter) {
  waiter.done.WaitForNotification();
  TY_RETURN_IF_ERROR(waiter.status);
  absl::MutexLock lock(&mu_);
  if (const Job* job = Find(waiter.record.name())) FillQueueFields(*job, &waiter.record);
  return std::move(waiter.record);
}

// The job once everything decided about it so far is durable.
absl::StatusOr<v1::TrainingJob> JobManagerImpl::GetSettled(absl::string_view name) {
  std::shared_ptr<Waiter> waiter;
  {
    absl::MutexLock lock(&mu_);
    Job* job = Find(name);
    if (job != nullptr) {
      waiter = std::make_shared<Waiter>();
      Enqueue(*job, NewCommit(*job), waiter);
    }
  }
  return waiter != nullptr ? Await(*waiter) : GetTerminal(name);
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::Cancel(absl::string_view name,
                                                       absl::string_view by) {
  std::shared_ptr<Waiter> waiter;
  {
    absl::MutexLock lock(&mu_);
    Job* job = Find(name);
    if (job != nullptr && !IsTerminal(job->decided().state())) waiter = CancelLive(*job, by);
  }
  if (waiter != nullptr) return Await(*waiter);
  TY_ASSIGN_OR_RETURN(v1::TrainingJob record, GetSettled(name));
  if (record.state() == v1::JOB_STATE_CANCELLED) return record;
  return InvalidState(record, "cancelled",
                      "a finished job stays as it is; delete it if it is not wanted");
}

std::shared_ptr<JobManagerImpl::Waiter> JobManagerImpl::CancelLive(Job& job, absl::string_view by) {
  std::unique_ptr<Commit> commit = NewCommit(job);
  const v1::JobState state = job.decided().state();
  if (state == v1::JOB_STATE_RUNNING) {
    Change(job, v1::JOB_STATE_CANCELLING, Worded("cancelled", by), commit.get());
    job.attempt->cancel_time = SteadyNow();
    Stop(job, /*yield=*/false);
  } else if (state != v1::JOB_STATE_CANCELLING) {
    scheduler_.Remove(job.number);
    Change(job, v1::JOB_STATE_CANCELLED, Worded("cancelled", by), commit.get());
    metrics_->JobCancelLatency(0);
    CountTerminal(job.decided());
  }
  auto waiter = std::make_shared<Waiter>();
  Enqueue(job, std::move(commit), waiter);
  // The head may have been what others waited for.
  Dispatch();
  return waiter;
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::Pause(absl::string_view name,
                                                      absl::string_view by) {
  TY_RETURN_IF_ERROR(StopForPause(name, by));
  absl::StatusOr<std::shared_ptr<Waiter>> waiter = nullptr;
  {
    absl::MutexLock lock(&mu_);
    Job* job = Find(name);
    if (job != nullptr) waiter = PauseQueued(*job, by);
  }
  TY_RETURN_IF_ERROR(waiter.status());
  if (*waiter != nullptr) return Await(**waiter);
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob record, GetSettled(name));
  return InvalidState(record, "paused", "a finished job stays as it is");
}

absl::StatusOr<std::shared_ptr<JobManagerImpl::Waiter>> JobManagerImpl::PauseQueued(
    Job& job, absl::string_view by) {
  const v1::JobState state = job.decided().state();
  if (state != v1::JOB_STATE_PENDING && state != v1::JOB_STATE_PAUSED) {
    return InvalidState(job.decided(), "paused", "only PENDING and RUNNING jobs can be paused");
  }
  std::unique_ptr<Commit> commit = NewCommit(job);
  if (state == v1::JOB_STATE_PENDING) {
    scheduler_.Remove(job.number);
    Change(job, v1::JOB_STATE_PAUSED, Worded("paused", by), commit.get());
  }
  auto waiter = std::make_shared<Waiter>();
  Enqueue(job, std::move(commit), waiter);
  Dispatch();
  return waiter;
}

// Stops the attempt of a RUNNING job and waits until it is over. A RUNNING job has no state
// "pausing" on disk: were the call answered earlier, a crash could forget it.
absl::Status JobManagerImpl::StopForPause(absl::string_view name, absl::string_view by) {
  absl::MutexLock lock(&mu_);
  Job* job = Find(name);
  if (job == nullptr || job->decided().state() != v1::JOB_STATE_RUNNING) return absl::OkStatus();
  const int32_t attempt = job->decided().attempt();
  job->attempt->pause_by = std::string(by);
  Stop(*job, /*yield=*/true);
  const auto is_over = [this, name, attempt]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const Job* now = Find(name);
    return now == nullptr || now->decided().state() != v1::JOB_STATE_RUNNING ||
           now->decided().attempt() != attempt;
  };
  if (AwaitFor(mu_, absl::Condition(&is_over), options_.cancel_grace + kPauseSlack))
    return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kDeadlineExceeded, absl::StrCat(name, " did not stop in time"),
      {.reason = ErrorReason::kDeadline,
       .hint = "pause it again, or cancel it",
       .in_force = absl::StrCat("cancel_grace ", absl::FormatDuration(options_.cancel_grace))});
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::Resume(absl::string_view name,
                                                       absl::string_view by) {
  const auto resume = [&](Job& job, Commit* commit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (job.decided().state() != v1::JOB_STATE_PAUSED) return;
    Change(job, v1::JOB_STATE_PENDING, Worded("resumed", by), commit);
    job.ticket = next_ticket_++;
    Queue(job);
  };
  return ChangeWanted(name, "resumed", "; submit it again", resume);
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::ChangeWanted(
    absl::string_view name, absl::string_view verb, absl::string_view remedy,
    absl::FunctionRef<void(Job&, Commit*)> change) {
  std::shared_ptr<Waiter> waiter;
  {
    absl::MutexLock lock(&mu_);
    Job* job = Find(name);
    if (job != nullptr && job->decided().state() == v1::JOB_STATE_CANCELLING) {
      return InvalidState(job->decided(), verb, absl::StrCat("it is being cancelled", remedy));
    }
    if (job != nullptr && !IsTerminal(job->decided().state())) {
      waiter = std::make_shared<Waiter>();
      std::unique_ptr<Commit> commit = NewCommit(*job);
      change(*job, commit.get());
      Enqueue(*job, std::move(commit), waiter);
      Dispatch();
    }
  }
  if (waiter != nullptr) return Await(*waiter);
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob record, GetSettled(name));
  return InvalidState(record, verb, absl::StrCat("a finished job stays as it is", remedy));
}

absl::StatusOr<v1::TrainingJob> JobManagerImpl::SetPriority(absl::string_view name,
                                                            v1::JobPriority priority,
                                                            absl::string_view by) {
  const auto set = [&](Job& job, Commit*) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    Log::Info("job_priority", {{"job", name}, {"priority", priority}, {"by", by}});
    job.Mutable().set_priority(priority);
    scheduler_.SetPriority(job.number, priority);
  };
  return ChangeWanted(name, "given another priority", "", set);
}

absl::Status JobManagerImpl::Delete(absl::string_view name) {
  std::string result_digest;
  TY_RETURN_IF_ERROR(database_->Write([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(result_digest, DeleteJob(connection, name));
    return absl::OkStatus();
  }));
  events_.Delete(name);
  return RemoveUnreferencedBlobs(*database_, *blobs_, {result_digest});
}

JobManagerImpl::Job* JobManagerImpl::Find(absl::string_view name) const {
  const auto found = jobs_.find(name);
  return found == jobs_.end() ? nullptr : found->second.get();
}

std::unique_ptr<Commit> JobManagerImpl::NewCommit(const Job& job) const {
  auto commit = std::make_unique<Commit>();
  commit->number = job.number;
  if (job.attempt != nullptr) commit->replay = job.attempt->replay;
  return commit;
}

void JobManagerImpl::Change(Job& job, v1::JobState to, absl::string_view message, Commit* commit) {
  commit->changes.push_back(ChangeState(to, message, absl::Now(), &job.Mutable()));
  Log::Info("job_state", {{"job", job.decided().name()},
                          {"state", JobStateName(to)},
                          {"attempt", job.decided().attempt()},
                          {"why", message}});
}

void JobManagerImpl::Enqueue(Job& job, std::unique_ptr<Commit> commit,
                             std::shared_ptr<Waiter> waiter) {
  commit->infra_failures = job.infra_failures;
  commit->drop_checkpoints = std::exchange(job.drop_checkpoints, false);
  commit->record = job.decided();
  ++job.commits_waiting;
  commit->done = [this, waiter = std::move(waiter)](Commit& done, const absl::Status& status) {
    if (waiter == nullptr) return OnDurable(done, status);
    waiter->status = status;
    waiter->record = done.record;
    OnDurable(done, status);
    waiter->done.Notify();
  };
  commits_->Add(std::move(commit));
}

// On the commit thread. Visible first, then published: who is woken by an event and asks for the
// job must see its effect.
void JobManagerImpl::OnDurable(Commit& commit, const absl::Status& status) {
  if (!commit.retained_digest.empty()) blobs_->Release(commit.retained_digest);
  if (!status.ok()) return;
  const std::string name = commit.record.name();
  const bool terminal = IsTerminal(commit.record.state());
  {
    absl::MutexLock lock(&mu_);
    Job& job = *by_number_.at(commit.number);
    job.visible = std::move(commit.record);
    if (commit.rewound_to.has_value()) {
      std::erase_if(job.checkpoints, [&commit](const v1::Checkpoint& checkpoint) {
        return checkpoint.step() > *commit.rewound_to;
      });
    }
    --job.commits_waiting;
    if (job.commits_waiting == 0 && job.attempt == nullptr) job.working.reset();
  }
  events_.Publish(name, std::move(commit.events));
  if (!terminal) return;
  events_.Close(name);
  absl::MutexLock lock(&mu_);
  Job& job = *by_number_.at(commit.number);
  if (job.commits_waiting > 0)
    return;  // somebody waits for the state as it is; the last of them clears up
  Release(job.visible);
  by_number_.erase(commit.number);
  jobs_.erase(name);
}

void JobManagerImpl::Queue(Job& job) {
  job.queued_since = SteadyNow();
  if (job.decided().priority() == v1::JOB_PRIORITY_INTERACTIVE) timers_changed_ = true;
  TY_CHECK(scheduler_.Add({.job = job.number,
                           .ticket = job.ticket,
                           .slots = SlotsOf(job),
                           .owner = job.decided().owner(),
                           .priority = job.decided().priority(),
                           .cost = CostOf(job)}));
}

void JobManagerImpl::BeginDrain() {
  absl::MutexLock lock(&mu_);
  draining_ = true;
  for (const auto& [session, worker] : workers_) {
    if (worker.job != nullptr) SendStop(*worker.job, /*yield=*/true);
  }
}

bool JobManagerImpl::AwaitIdle(absl::Time deadline) {
  const auto is_idle = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return std::all_of(workers_.begin(), workers_.end(),
                       [](const auto& entry) { return entry.second.job == nullptr; });
  };
  absl::MutexLock lock(&mu_);
  return AwaitFor(mu_, absl::Condition(&is_idle), deadline - SteadyNow());
}

JobCounts JobManagerImpl::Counts() const {
  absl::MutexLock lock(&mu_);
  JobCounts counts;
  counts.storage_full = storage_full_;
  counts.pending = scheduler_.size();
  counts.workers_connected = static_cast<int>(workers_.size());
  for (const auto& [session, worker] : workers_) {
    if (worker.job == nullptr) continue;
    counts.workers_busy += SlotsOf(*worker.job);
    const v1::TrainingJob& job = worker.job->decided();
    const bool cancelling = job.state() == v1::JOB_STATE_CANCELLING;
    ++(cancelling ? counts.cancelling : counts.running);
    Metrics::Queue& queue = counts.queues[PriorityClassOf(job.priority())];
    ++(cancelling ? queue.jobs_cancelling : queue.jobs_running);
  }
  for (const v1::JobPriority priority :
       {v1::JOB_PRIORITY_INTERACTIVE, v1::JOB_PRIORITY_NORMAL, v1::JOB_PRIORITY_BATCH}) {
    CountQueued(priority, &counts);
  }
  return counts;
}

void JobManagerImpl::CountQueued(v1::JobPriority priority, JobCounts* counts) const {
  Metrics::Queue& queue = counts->queues[PriorityClassOf(priority)];
  queue.jobs_pending = scheduler_.size(priority);
  const auto oldest = scheduler_.Oldest(priority);
  if (!oldest.has_value()) return;
  const absl::Time created = FromTimestamp(by_number_.at(oldest->job)->visible.create_time());
  queue.oldest_pending_timestamp_seconds = absl::ToDoubleSeconds(created - absl::UnixEpoch());
}

}  // namespace trainyard
