// JobManager's side of the workers: dispatch, what attempts send, how they end, and the clock that
// kills them.
#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/check.h"
#include "core/base/limits.h"
#include "core/train/estimate.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/jobs/job.h"
#include "server/jobs/job_manager_impl.h"
#include "server/jobs/preemption.h"
#include "server/metrics/metrics.h"
#include "server/storage/blob_store.h"
#include "server/wire/convert.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

// An INTERACTIVE job waits, and nobody may yield yet.
constexpr absl::Duration kPreemptRetry = absl::Milliseconds(200);
constexpr absl::Duration kStorageInterval = absl::Seconds(1);

// What a training takes, in operations: those of its layers, and what a step costs besides.
double WorkOf(const v1::TrainingJob& job) {
  return job.estimate().flops() + kStepFlops * static_cast<double>(job.progress().steps_total());
}

std::string ReasonLabel(v1::ErrorReason reason) {
  return absl::AsciiStrToLower(ErrorReasonName(static_cast<ErrorReason>(reason)));
}

v1::JobError MakeJobError(v1::ErrorReason reason, absl::string_view message, absl::string_view hint,
                          absl::string_view in_force) {
  v1::JobError error;
  error.set_reason(reason);
  error.set_category(CategoryOf(reason));
  error.set_message(std::string(message));
  error.set_hint(std::string(hint));
  error.set_in_force(std::string(in_force));
  return error;
}

double UnixSeconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

double SecondsBetween(const google::protobuf::Timestamp& from,
                      const google::protobuf::Timestamp& to) {
  return absl::ToDoubleSeconds(FromTimestamp(to) - FromTimestamp(from));
}

void UpdateSeries(const v1::JobEvent& event, Metrics::JobSeries* series) {
  if (event.has_step()) series->learning_rate = event.step().learning_rate();
  if (event.has_epoch()) series->learning_rate = event.epoch().learning_rate();
}

// Early stopping's metric also decides between seeds and folds, and is the loss by default.
std::string ObjectiveOf(const v1::TrainingSpec& spec) {
  const std::string& metric = spec.early_stopping().metric();
  return metric.empty() ? "validation_loss" : absl::StrCat("validation_", metric);
}

// What a record says, into the series.
void CopyToSeries(const v1::TrainingJob& job, Metrics::JobSeries* series) {
  series->queue = job.priority();
  series->train_loss = FindMetric(job.latest_metrics(), "train_loss");
  series->validation_loss = FindMetric(job.latest_metrics(), "validation_loss");
  series->objective = FindMetric(job.latest_metrics(), ObjectiveOf(job.resolved_spec()));
  series->epoch = job.progress().epochs_done();
  series->last_update_seconds = UnixSeconds(absl::Now());
  const v1::JobProgress& progress = job.progress();
  if (progress.steps_total() == 0) return;
  series->progress_ratio =
      static_cast<double>(progress.steps_done()) / static_cast<double>(progress.steps_total());
}

// What a worker may send.
bool IsTrainingEvent(const v1::JobEvent& event) {
  return IsRepeated(event) || event.has_checkpoint() || event.has_note();
}

v1::Model MakeModel(const v1::TrainingJob& job, const v1::JobOutcome::Succeeded& result) {
  v1::Model model;
  model.set_name(job.model());
  model.set_training_job(job.name());
  model.set_display_name(job.display_name());
  model.set_owner(job.owner());
  *model.mutable_create_time() = ToTimestamp(absl::Now());
  model.set_task(job.resolved_spec().task());
  *model.mutable_feature_columns() = result.feature_columns();
  model.set_target_column(job.resolved_spec().target_column());
  *model.mutable_classes() = result.classes();
  model.set_parameter_count(result.parameter_count());
  model.set_size_bytes(result.bundle_size_bytes());
  model.set_digest(result.bundle_digest());
  *model.mutable_test_metrics() = result.test_metrics();
  *model.mutable_receipt() = job.receipt();
  *model.mutable_spec() = job.resolved_spec();
  return model;
}

}  // namespace

void JobManagerImpl::Connect(WorkerSession* session) {
  Log::Info("worker_connected", {{"slot", session->slot()}, {"pid", session->hello().pid()}});
  absl::MutexLock lock(&mu_);
  workers_[session] = Worker();
  Dispatch();
}

void JobManagerImpl::Dispatch() {
  while (!draining_ && !storage_full_) {
    WorkerSession* session = IdleWorker();
    if (session == nullptr) return;
    const int free_slots = static_cast<int>(workers_.size()) - slots_in_use_;
    const std::optional<Scheduler::Entry> next = scheduler_.Take(free_slots);
    if (!next.has_value()) return;
    Start(*by_number_.at(next->job), session);
  }
}

// The one with the lowest slot, so that the same few workers stay warm on a quiet server.
WorkerSession* JobManagerImpl::IdleWorker() const {
  WorkerSession* best = nullptr;
  for (const auto& [session, worker] : workers_) {
    if (worker.job != nullptr || worker.killed_for != v1::ERROR_REASON_UNSPECIFIED) continue;
    if (best == nullptr || session->slot() < best->slot()) best = session;
  }
  return best;
}

// A job admitted when the server had more slots takes all there are now.
int JobManagerImpl::SlotsOf(const Job& job) const {
  return std::clamp(job.decided().resolved_spec().threads(), 1, std::max(1, options_.worker_slots));
}

double JobManagerImpl::CostOf(const Job& job) const {
  const v1::ResourceEstimate& estimate = job.decided().estimate();
  if (!estimate.has_duration()) return 1;
  const double seconds = absl::ToDoubleSeconds(DurationFromProto(estimate.duration()));
  return std::max(Scheduler::kCostMin, seconds * SlotsOf(job));
}

void JobManagerImpl::Start(Job& job, WorkerSession* session) {
  if (FailIfTableLost(job)) {
    scheduler_.End(job.number, 0);
    return;
  }

  v1::TrainingJob& record = job.Mutable();
  record.set_attempt(record.attempt() + 1);
  if (job.checkpoints.empty()) ResetProgress(&record);
  record.mutable_receipt()->set_build(session->hello().build());
  record.mutable_receipt()->set_onednn_version(session->hello().onednn_version());
  record.mutable_receipt()->set_isa(session->hello().isa());

  std::unique_ptr<Commit> commit = NewCommit(job);
  Change(job, v1::JOB_STATE_RUNNING, absl::StrCat("worker ", session->slot(), " took it"),
         commit.get());
  job.attempt = std::make_unique<Attempt>();
  job.attempt->session = session;
  job.attempt->start = SteadyNow();
  if (record.attempt() > 1) job.attempt->replay = std::make_shared<AttemptReplay>();
  job.attempt->series.job_id =
      std::string(absl::StripPrefix(record.name(), absl::StrCat(kTrainingJobs, "/")));
  job.attempt->series.owner = record.owner();
  job.attempt->series.display_name = record.display_name();
  CopyToSeries(record, &job.attempt->series);
  workers_[session].job = &job;
  slots_in_use_ += SlotsOf(job);
  const v1::Checkpoint from = job.checkpoints.empty() ? v1::Checkpoint() : job.checkpoints.front();
  job.attempt->counters = AttemptCounters(from);
  KillAt(job,
         SteadyNow() + RuntimeLimit(record) - absl::Seconds(from.busy_seconds()) +
             options_.runtime_grace,
         v1::ERROR_REASON_RUNTIME_LIMIT);
  metrics_->JobAttempt(record.priority());
  if (record.attempt() == 1)
    metrics_->JobQueueWait(record.priority(),
                           SecondsBetween(record.create_time(), record.start_time()));

  v1::WorkResponse message;
  *message.mutable_assignment() = AssignmentOf(job);
  session->Send(std::move(message));
  Enqueue(job, std::move(commit));
}

// The path is a shortcut: without one the worker asks for the blob.
std::string JobManagerImpl::TablePath(const std::string& digest) const {
  return digest.empty() ? "" : blobs_->Path(digest).value_or("");
}

v1::JobAssignment JobManagerImpl::AssignmentOf(const Job& job) const {
  const v1::TrainingJob& record = job.decided();
  v1::JobAssignment assignment;
  assignment.set_job(record.name());
  assignment.set_attempt(record.attempt());
  *assignment.mutable_resolved_spec() = record.resolved_spec();
  assignment.set_table_digest(job.tables.digest);
  assignment.set_table_path(TablePath(job.tables.digest));
  assignment.set_dataset_digest(record.receipt().dataset_digest());
  assignment.set_test_table_digest(job.tables.test_digest);
  assignment.set_test_table_path(TablePath(job.tables.test_digest));
  assignment.set_test_dataset_digest(record.receipt().test_dataset_digest());
  *assignment.mutable_missing_markers() = {job.tables.missing_markers.begin(),
                                           job.tables.missing_markers.end()};
  assignment.set_prepared_directory(options_.prepared_directory);
  assignment.set_prepared_bytes_max(options_.prepared_bytes_max);
  assignment.set_spec_digest(record.receipt().spec_digest());
  if (record.has_analysis()) *assignment.mutable_analysis() = record.analysis();
  *assignment.mutable_models() = {job.models.begin(), job.models.end()};
  *assignment.mutable_checkpoints() = {job.checkpoints.begin(), job.checkpoints.end()};
  SecondsToProto(absl::ToDoubleSeconds(options_.checkpoint_interval),
                 assignment.mutable_checkpoint_interval());
  return assignment;
}

// Fails a job of which a table is gone; false: none is.
bool JobManagerImpl::FailIfTableLost(Job& job) {
  const v1::TrainingJob& record = job.decided();
  const std::string& test_dataset = record.resolved_spec().test_dataset();
  return FailIfTableLost(job, record.dataset(), job.tables.digest) ||
         (!test_dataset.empty() && FailIfTableLost(job, test_dataset, job.tables.test_digest));
}

bool JobManagerImpl::FailIfTableLost(Job& job, const std::string& dataset,
                                     const std::string& digest) {
  if (!digest.empty() && !absl::IsNotFound(blobs_->Path(digest).status())) return false;
  Fail(job,
       MakeJobError(v1::ERROR_REASON_DATA_LOSS,
                    absl::StrCat("the frozen table of ", dataset, " is gone"),
                    "upload the dataset again and submit the job anew",
                    absl::StrCat("table_digest \"", digest, "\"")),
       NewCommit(job));
  return true;
}

void JobManagerImpl::SendStop(const Job& job, bool yield) {
  v1::WorkResponse message;
  message.mutable_stop()->set_job(job.decided().name());
  message.mutable_stop()->set_attempt(job.decided().attempt());
  message.mutable_stop()->set_yield(yield);
  job.attempt->session->Send(std::move(message));
}

void JobManagerImpl::Stop(Job& job, bool yield) {
  KillAt(job, SteadyNow() + options_.cancel_grace, v1::ERROR_REASON_CANCELLED);
  SendStop(job, yield);
}

bool JobManagerImpl::IsStopping(const Job& job) const {
  return job.decided().state() == v1::JOB_STATE_CANCELLING || !job.attempt->pause_by.empty() ||
         job.attempt->yields;
}

void JobManagerImpl::KillAt(Job& job, absl::Time time, v1::ErrorReason reason) {
  if (time >= job.attempt->kill_at) return;
  job.attempt->kill_at = time;
  job.attempt->kill_reason = reason;
  timers_changed_ = true;
}

JobManagerImpl::Job* JobManagerImpl::Assigned(WorkerSession* session, absl::string_view name,
                                              int32_t attempt) {
  const auto found = workers_.find(session);
  if (found == workers_.end() || found->second.job == nullptr) return nullptr;
  Job* job = found->second.job;
  return job->decided().name() == name && job->decided().attempt() == attempt ? job : nullptr;
}

void JobManagerImpl::OnEvents(WorkerSession* session, const v1::EventBatch& batch) {
  commits_->WaitForRoom();
  absl::MutexLock lock(&mu_);
  Job* job = Assigned(session, batch.job(), batch.attempt());
  if (job == nullptr) return;
  std::unique_ptr<Commit> commit = NewCommit(*job);
  commit->events_before = batch.event_count();
  v1::TrainingJob& record = job->Mutable();
  Metrics::JobSeries& series = job->attempt->series;
  const bool saved = TakeCheckpoint(*job, batch, commit.get());
  metrics_->CheckpointFailures(batch.checkpoint_failures());
  for (const v1::JobEvent& event : batch.events()) {
    if (!IsTrainingEvent(event) || (event.has_checkpoint() && !saved)) continue;
    ApplyEvent(event, &record);
    UpdateSeries(event, &series);
    v1::JobEvent& produced = commit->produced.emplace_back(event);
    produced.clear_sequence();
    produced.set_attempt(batch.attempt());
  }
  const AttemptCounters::Increment added =
      job->attempt->counters.Add(batch, record.mutable_progress());
  // Points of an analysis are no steps of training.
  const bool trains = !record.has_analysis();
  metrics_->TrainingProgress(trains ? added.rows : 0, trains ? added.steps : 0, added.busy_seconds);
  CopyToSeries(record, &series);
  Enqueue(*job, std::move(commit));
}

bool JobManagerImpl::TakeCheckpoint(Job& job, const v1::EventBatch& batch, Commit* commit) {
  if (!batch.has_checkpoint()) return false;
  const v1::Checkpoint& checkpoint = batch.checkpoint();
  if (!RetainBlob(checkpoint.digest())) {
    metrics_->CheckpointFailures(1);
    return false;
  }
  commit->checkpoint = checkpoint;
  commit->retained_digest = checkpoint.digest();
  std::erase_if(job.checkpoints, [&checkpoint](const v1::Checkpoint& other) {
    return other.step() >= checkpoint.step();
  });
  job.checkpoints.insert(job.checkpoints.begin(), checkpoint);
  if (job.checkpoints.size() > kCheckpointsKept) job.checkpoints.resize(kCheckpointsKept);
  job.Mutable().set_checkpoint_step(checkpoint.step());
  metrics_->CheckpointSaved(checkpoint.size_bytes(), batch.checkpoint_write_seconds());
  job.infra_failures = 0;  // it came further: what fails now fails somewhere else
  return true;
}

void JobManagerImpl::OnOutcome(WorkerSession* session, const v1::JobOutcome& outcome) {
  absl::MutexLock lock(&mu_);
  Job* job = Assigned(session, outcome.job(), outcome.attempt());
  if (job == nullptr) return;
  if (outcome.has_cpu_seconds()) job->attempt->cpu_seconds = outcome.cpu_seconds();
  if (outcome.has_succeeded() && RetainBlob(outcome.succeeded().bundle_digest())) {
    Succeed(*job, outcome.succeeded());
  } else if (outcome.has_succeeded()) {
    FailOrRetry(
        *job,
        MakeJobError(v1::ERROR_REASON_INTERNAL, "the worker reported a result it had not stored",
                     "submit the job again, and report this with the server's log",
                     absl::StrCat("bundle_digest ", outcome.succeeded().bundle_digest())));
  } else if (outcome.has_failed()) {
    FailOrRetry(*job, outcome.failed());
  } else {
    Stopped(*job, v1::ERROR_REASON_UNSPECIFIED);
  }
  Dispatch();
}

// Keeps a result or checkpoint, if it is there, from going with another one that has the same
// bytes, until the row of the new one is durable (OnDurable). Retained first, then looked for: in
// this order nobody removes it in between.
bool JobManagerImpl::RetainBlob(const std::string& digest) {
  blobs_->Retain(digest);
  if (blobs_->Path(digest).ok()) return true;
  blobs_->Release(digest);
  return false;
}

void JobManagerImpl::Succeed(Job& job, const v1::JobOutcome::Succeeded& result) {
  std::unique_ptr<Commit> commit = NewCommit(job);
  commit->attempt_over = true;
  v1::TrainingJob& record = job.Mutable();
  record.set_stop_reason(result.stop_reason());
  record.mutable_receipt()->set_result_digest(result.bundle_digest());
  *record.mutable_test_metrics() = result.test_metrics();
  *record.mutable_seed_results() = result.seed_results();
  SpreadsToProto(result.seed_results(), record.mutable_metric_spreads());
  if (result.has_test_confusion()) *record.mutable_test_confusion() = result.test_confusion();
  record.mutable_progress()->clear_eta();
  commit->retained_digest = result.bundle_digest();
  if (record.has_analysis()) {
    Change(job, v1::JOB_STATE_SUCCEEDED, "its result is stored", commit.get());
  } else {
    record.set_model(MakeName(kModels, NewId()));
    Change(job, v1::JOB_STATE_SUCCEEDED, "its model is stored", commit.get());
    commit->model = MakeModel(record, result);
  }
  metrics_->JobFinished(record.priority());
  CountTerminal(record);
  MeasureSpeed(job);
  Enqueue(job, std::move(commit));
  EndAttempt(job);
}

void JobManagerImpl::FailOrRetry(Job& job, const v1::JobError& error) {
  const bool infra = error.category() == v1::FAILURE_CATEGORY_INFRA;
  // It passed every check and could not be gone on from all the same: from the beginning, then.
  if (error.reason() == v1::ERROR_REASON_CORRUPT_CHECKPOINT) {
    job.checkpoints.clear();
    job.drop_checkpoints = true;
  }
  if (infra && IsStopping(job)) return Stopped(job, v1::ERROR_REASON_UNSPECIFIED);
  const bool retry = infra && ++job.infra_failures < limits::kInfraFailuresMax;
  std::unique_ptr<Commit> commit = NewCommit(job);
  if (!retry) {
    // Only an error of the run itself says where the run ends; an attempt that was cut off says
    // nothing.
    commit->attempt_over = error.reason() == v1::ERROR_REASON_NON_FINITE_LOSS;
    Fail(job, error, std::move(commit));
    return EndAttempt(job);
  }
  Change(job, v1::JOB_STATE_PENDING,
         absl::StrCat("attempt ", job.decided().attempt(), " failed, not by the job's fault (",
                      error.message(), "); queued again, failure ", job.infra_failures, " of ",
                      limits::kInfraFailuresMax),
         commit.get());
  Enqueue(job, std::move(commit));
  EndAttempt(job);
}

void JobManagerImpl::Stopped(Job& job, v1::ErrorReason killed_for) {
  std::unique_ptr<Commit> commit = NewCommit(job);
  if (job.decided().state() == v1::JOB_STATE_CANCELLING) {
    Change(job, v1::JOB_STATE_CANCELLED, "the worker has stopped", commit.get());
    metrics_->JobCancelLatency(absl::ToDoubleSeconds(SteadyNow() - job.attempt->cancel_time));
    CountTerminal(job.decided());
    Enqueue(job, std::move(commit));
    return EndAttempt(job);
  }
  if (!job.attempt->pause_by.empty()) {
    job.infra_failures = 0;
    Change(job, v1::JOB_STATE_PAUSED, absl::StrCat("paused by ", job.attempt->pause_by),
           commit.get());
    Enqueue(job, std::move(commit));
    return EndAttempt(job);
  }
  if (killed_for == v1::ERROR_REASON_OUT_OF_MEMORY ||
      killed_for == v1::ERROR_REASON_RUNTIME_LIMIT) {
    Fail(job, KilledError(job, killed_for), std::move(commit));
    return EndAttempt(job);
  }
  if (!draining_ && !job.attempt->yields) return FailOrRetry(job, LostError(job));
  // Nobody's failure.
  Change(job, v1::JOB_STATE_PENDING,
         draining_ ? "the server is stopping; the next one runs it"
                   : "it yields its worker to an INTERACTIVE job that waits; queued again",
         commit.get());
  Enqueue(job, std::move(commit));
  EndAttempt(job);
}

void JobManagerImpl::Fail(Job& job, const v1::JobError& error, std::unique_ptr<Commit> commit) {
  *job.Mutable().mutable_error() = error;
  Change(job, v1::JOB_STATE_FAILED, error.message(), commit.get());
  metrics_->JobFailed(job.decided().priority(), ReasonLabel(error.reason()));
  if (error.reason() == v1::ERROR_REASON_NON_FINITE_LOSS) metrics_->TrainingNonFinite();
  CountTerminal(job.decided());
  Enqueue(job, std::move(commit));
}

void JobManagerImpl::CountTerminal(const v1::TrainingJob& job) {
  if (job.state() == v1::JOB_STATE_CANCELLED) metrics_->JobCancelled(job.priority());
  if (job.has_start_time()) {
    metrics_->JobRunDuration(job.priority(), SecondsBetween(job.start_time(), job.end_time()));
  }
}

v1::JobError JobManagerImpl::KilledError(const Job& job, v1::ErrorReason reason) const {
  if (reason == v1::ERROR_REASON_OUT_OF_MEMORY) {
    return MakeJobError(reason, "the worker passed the job's memory limit and was killed",
                        "use a smaller model or batch_size, or raise max_memory_bytes",
                        absl::StrCat("max_memory_bytes ", MemoryLimit(job.decided())));
  }
  return MakeJobError(
      reason, "the job passed its runtime limit, did not stop by itself, and was killed",
      "raise max_runtime, or use fewer epochs or a smaller model",
      absl::StrCat("max_runtime ", absl::FormatDuration(RuntimeLimit(job.decided())), ", grace ",
                   absl::FormatDuration(options_.runtime_grace)));
}

v1::JobError JobManagerImpl::LostError(const Job& job) const {
  return MakeJobError(
      v1::ERROR_REASON_WORKER_LOST,
      absl::StrCat("the process of worker ", job.attempt->session->slot(), " went away"),
      "submit the job again; look for the cause in the server's log and in the machine's (out of "
      "memory?)",
      absl::StrCat("attempts in a row that may fail so: ", limits::kInfraFailuresMax));
}

int64_t JobManagerImpl::MemoryLimit(const v1::TrainingJob& job) const {
  const v1::TrainingSpec& spec = job.resolved_spec();
  return spec.has_max_memory_bytes() ? spec.max_memory_bytes() : options_.job_memory_bytes_max;
}

absl::Duration JobManagerImpl::RuntimeLimit(const v1::TrainingJob& job) const {
  const v1::TrainingSpec& spec = job.resolved_spec();
  if (!spec.has_max_runtime()) return options_.job_runtime_max;
  return DurationFromProto(spec.max_runtime());
}

// While the machine had no core for it, or the server's disk none for its result, it used nothing:
// an owner whose turn came in a bad moment does not wait for several rounds after it. A job of
// several slots pays for all of them as long as it keeps one core busy.
double JobManagerImpl::ChargeOf(const Job& job) const {
  double seconds = std::max(0.0, absl::ToDoubleSeconds(SteadyNow() - job.attempt->start));
  const std::optional<double>& cpu_seconds = job.attempt->cpu_seconds;
  if (cpu_seconds.has_value() && *cpu_seconds >= 0) seconds = std::min(seconds, *cpu_seconds);
  return seconds * SlotsOf(job);
}

void JobManagerImpl::EndAttempt(Job& job) {
  workers_[job.attempt->session].job = nullptr;
  slots_in_use_ -= SlotsOf(job);
  const double slot_seconds = ChargeOf(job);
  if (job.decided().state() == v1::JOB_STATE_PENDING) {
    // Without a checkpoint the next attempt does all of it again.
    job.queued_since = SteadyNow();
    scheduler_.PutBack(job.number, job.decided().checkpoint_step() > 0 ? slot_seconds : 0);
  } else {
    scheduler_.End(job.number, slot_seconds);
  }
  if (IsTerminal(job.decided().state())) {
    job.attempt->series.last_update_seconds.reset();
    recent_.push_back({std::move(job.attempt->series), SteadyNow() + options_.finished_series_ttl});
    if (recent_.size() > options_.finished_series_max) recent_.pop_front();
  }
  job.attempt.reset();
}

void JobManagerImpl::Disconnect(WorkerSession* session, v1::ErrorReason killed_for) {
  Log::Info("worker_disconnected", {{"slot", session->slot()}});
  absl::MutexLock lock(&mu_);
  const auto found = workers_.find(session);
  if (found == workers_.end()) return;
  const Worker worker = found->second;
  if (killed_for == v1::ERROR_REASON_UNSPECIFIED) killed_for = worker.killed_for;
  if (worker.job != nullptr) Stopped(*worker.job, killed_for);
  workers_.erase(session);
  Dispatch();
}

void JobManagerImpl::OnWorkerMemory(int slot, int64_t resident_bytes) {
  bool kill = false;
  {
    absl::MutexLock lock(&mu_);
    for (auto& [session, worker] : workers_) {
      if (session->slot() != slot || worker.job == nullptr) continue;
      const int64_t limit = MemoryLimit(worker.job->decided());
      kill =
          limit > 0 && resident_bytes > limit && worker.killed_for == v1::ERROR_REASON_UNSPECIFIED;
      if (kill) worker.killed_for = v1::ERROR_REASON_OUT_OF_MEMORY;
    }
  }
  if (!kill) return;
  Log::Warning("worker_killed",
               {{"slot", slot}, {"why", "memory limit"}, {"resident_bytes", resident_bytes}});
  kill_worker_(slot);
}

void JobManagerImpl::AddDuration(v1::TrainingJob* job) const {
  absl::MutexLock lock(&mu_);
  if (speed_ == 0 || job->estimate().flops() == 0) return;
  const double slots = std::max(1, job->resolved_spec().threads());
  SecondsToProto(std::min(WorkOf(*job) / (speed_ * slots), Scheduler::kCostMax),
                 job->mutable_estimate()->mutable_duration());
}

// The newest ones count most, and one that is ten times slower as much as one that is ten times
// faster.
void JobManagerImpl::MeasureSpeed(const Job& job) {
  constexpr double kNewest = 0.2;
  const v1::TrainingJob& record = job.decided();
  const double slot_seconds =
      absl::ToDoubleSeconds(SteadyNow() - job.attempt->start) * SlotsOf(job);
  const bool whole = record.attempt() == 1 && record.progress().steps_total() > 0;
  if (!whole || record.estimate().flops() == 0 || slot_seconds <= 0) return;
  const double done = static_cast<double>(record.progress().steps_done()) /
                      static_cast<double>(record.progress().steps_total());
  const double speed = std::max(1.0, done * WorkOf(record) / slot_seconds);
  speed_ = speed_ == 0 ? speed : std::pow(speed_, 1 - kNewest) * std::pow(speed, kNewest);
}

double JobManagerImpl::RunningWork() const {
  double work = 0;
  for (const auto& [session, worker] : workers_) {
    if (worker.job == nullptr) continue;
    const v1::JobProgress& progress = worker.job->decided().progress();
    const double seconds = absl::ToDoubleSeconds(DurationFromProto(progress.eta()));
    work += progress.has_eta() ? seconds * SlotsOf(*worker.job) : CostOf(*worker.job);
  }
  return work;
}

absl::Time JobManagerImpl::Preempt(absl::Time now) {
  const std::optional<Scheduler::Entry> head = scheduler_.Head(v1::JOB_PRIORITY_INTERACTIVE);
  if (!head.has_value() || draining_ || storage_full_) return absl::InfiniteFuture();
  const absl::Time due = by_number_.at(head->job)->queued_since + options_.preempt_after;
  if (now < due) return due;
  int missing = head->slots - (static_cast<int>(workers_.size()) - slots_in_use_);
  std::vector<RunningJob> running;
  for (const auto& [session, worker] : workers_) {
    if (worker.job == nullptr) continue;
    const Job& job = *worker.job;
    if (IsStopping(job)) {
      missing -= SlotsOf(job);
      continue;
    }
    running.push_back({.job = job.number,
                       .priority = job.decided().priority(),
                       .slots = SlotsOf(job),
                       .seconds_run = absl::ToDoubleSeconds(now - job.attempt->start)});
  }
  const double quantum = absl::ToDoubleSeconds(options_.preempt_quantum);
  for (const int64_t number :
       ChooseToYield({.slots_missing = missing, .quantum_seconds = quantum}, running)) {
    AskToYield(*by_number_.at(number));
  }
  return now + kPreemptRetry;
}

void JobManagerImpl::AskToYield(Job& job) {
  Log::Info("job_yields", {{"job", job.decided().name()}});
  metrics_->JobPreempted(job.decided().priority());
  job.attempt->yields = true;
  Stop(job, /*yield=*/true);
}

void JobManagerImpl::LookAtStorage() {
  if (!options_.storage_full) return;
  const bool full = options_.storage_full();
  {
    absl::MutexLock lock(&mu_);
    if (full == storage_full_) return;
    storage_full_ = full;
    Dispatch();
  }
  if (full)
    Log::Error("storage_full", {{"effect", "no job is taken or started until there is room"}});
  if (!full) Log::Info("storage_has_room");
  if (options_.on_storage_full) options_.on_storage_full(full);
}

absl::Time JobManagerImpl::NextKill() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [session, worker] : workers_) {
    if (worker.job != nullptr) next = std::min(next, worker.job->attempt->kill_at);
  }
  return next;
}

std::vector<int> JobManagerImpl::DueKills(absl::Time now) {
  std::vector<int> slots;
  for (auto& [session, worker] : workers_) {
    if (worker.job == nullptr || worker.job->attempt->kill_at > now) continue;
    worker.job->attempt->kill_at = absl::InfiniteFuture();
    worker.killed_for = worker.job->attempt->kill_reason;
    slots.push_back(session->slot());
  }
  return slots;
}

void JobManagerImpl::RunTimers() {
  pthread_setname_np(pthread_self(), "ty-jobs");
  while (true) {
    LookAtStorage();
    std::vector<int> slots;
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) return;
      const absl::Time now = SteadyNow();
      timers_changed_ = false;
      slots = DueKills(now);
      const absl::Time next = std::min({NextKill(), Preempt(now), now + kStorageInterval});
      if (slots.empty()) {
        AwaitFor(mu_, absl::Condition(&timers_changed_), next - now);
      }
    }
    for (const int slot : slots) {
      Log::Warning("worker_killed", {{"slot", slot}, {"why", "did not stop in time"}});
      kill_worker_(slot);
    }
  }
}

std::vector<Metrics::JobSeries> JobManagerImpl::LiveJobs() const {
  absl::MutexLock lock(&mu_);
  const absl::Time now = SteadyNow();
  std::vector<const Job*> running;
  for (const auto& [session, worker] : workers_) {
    if (worker.job != nullptr) running.push_back(worker.job);
  }
  // Newest first: a reader with a limit drops the oldest.
  std::sort(running.begin(), running.end(),
            [](const Job* a, const Job* b) { return a->number > b->number; });
  std::vector<Metrics::JobSeries> live;
  for (const Job* job : running) live.push_back(job->attempt->series);
  for (auto recent = recent_.rbegin(); recent != recent_.rend() && recent->expires > now;
       ++recent) {
    live.push_back(recent->series);
  }
  return live;
}

}  // namespace trainyard
