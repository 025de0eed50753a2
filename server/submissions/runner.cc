#include "server/submissions/runner.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/grading/assignment_rules.h"
#include "server/grading/course_store.h"
#include "server/jobs/job_manager.h"
#include "server/storage/database.h"
#include "server/storage/requests.h"
#include "server/submissions/evaluator.h"
#include "server/submissions/outcome.h"
#include "server/submissions/receipts.h"
#include "server/submissions/scoring.h"
#include "server/wire/convert.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

constexpr char kCreateMethod[] = "CreateSubmission";
constexpr int kThreads = 4;
constexpr absl::Duration kSweepInterval = absl::Seconds(1);
constexpr int kSweepsToAll = 10;
constexpr absl::Duration kCancelWait = absl::Seconds(5);
constexpr int kRetryAfterSeconds = 30;

absl::Status Exhausted(const AttemptBucket& bucket, const v1::AttemptLimits& limits,
                       absl::Time now) {
  const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(bucket.next - now, absl::Seconds(1)));
  return MakeError(
      absl::StatusCode::kResourceExhausted, "no attempt is left for now",
      {.reason = ErrorReason::kAttemptsExhausted,
       .hint = absl::StrCat("the next one comes back in ", seconds, " s"),
       .in_force = absl::StrCat(limits.burst(), " attempts, one comes back every ",
                                limits.refill_period().seconds(), " s"),
       .metadata = {{"retry_after_seconds", absl::StrCat(std::max<int64_t>(seconds, 1))}}});
}

absl::Status TooManyQueued(int64_t count, int64_t max) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat(count, " submissions are waiting already"),
                   {.reason = ErrorReason::kQueueFull,
                    .hint = "wait for one to be graded, cancel one, or supersede them",
                    .in_force = absl::StrCat("at most ", max, " beside the one that runs"),
                    .metadata = {{"retry_after_seconds", absl::StrCat(kRetryAfterSeconds)}}});
}

absl::Status StillEnding(absl::string_view name) {
  return MakeError(absl::StatusCode::kUnavailable, absl::StrCat(name, " is being cancelled"),
                   {.reason = ErrorReason::kQueueFull,
                    .hint = "ask again",
                    .in_force = absl::StrCat("waited for ", absl::FormatDuration(kCancelWait)),
                    .metadata = {{"retry_after_seconds", "1"}}});
}

// An answer to the same spec: what was taken back, or failed by our fault, may be tried again.
bool Answers(const EarlierSubmission& earlier, const std::string& cache_key) {
  return earlier.cache_key == cache_key && earlier.state != v1::SUBMISSION_STATE_CANCELLED &&
         earlier.state != v1::SUBMISSION_STATE_INFRA_ERROR;
}

// Of a regrade or replay: nobody submitted it.
bool IsAgain(const v1::Submission& record) { return record.cause() != v1::SUBMISSION_CAUSE_SUBMIT; }

// When each attempt was made that is not given back. Ungradable and cancelled ones are free up to a
// limit each.
std::vector<absl::Time> ChargesOf(const std::vector<EarlierSubmission>& submissions,
                                  const v1::AttemptLimits& limits) {
  std::vector<absl::Time> charges;
  int ungradable = 0, cancelled = 0;
  for (const EarlierSubmission& earlier : submissions) {
    const v1::SubmissionState state = earlier.state;
    if (state == v1::SUBMISSION_STATE_UNGRADABLE) ++ungradable;
    if (state == v1::SUBMISSION_STATE_CANCELLED) ++cancelled;
    const bool free =
        state == v1::SUBMISSION_STATE_INFRA_ERROR ||
        (state == v1::SUBMISSION_STATE_CANCELLED &&
         cancelled <= SubmissionRunner::kFreeCancellationsMax) ||
        (state == v1::SUBMISSION_STATE_UNGRADABLE && ungradable <= limits.ungradable_max());
    if (!free) charges.push_back(earlier.accepted_at);
  }
  return charges;
}

std::string AssignmentOf(const std::string& submission) {
  return submission.substr(0, submission.find("/submissions/"));
}

GradingMetrics::Outcome EndOf(v1::SubmissionState state) {
  switch (state) {
    case v1::SUBMISSION_STATE_UNGRADABLE:
      return GradingMetrics::Outcome::kUngradable;
    case v1::SUBMISSION_STATE_INFRA_ERROR:
      return GradingMetrics::Outcome::kInfraError;
    case v1::SUBMISSION_STATE_CANCELLED:
      return GradingMetrics::Outcome::kCancelled;
    default:
      return GradingMetrics::Outcome::kDone;
  }
}

std::optional<GradingMetrics::RefundCause> RefundOf(v1::SubmissionState state) {
  switch (state) {
    case v1::SUBMISSION_STATE_UNGRADABLE:
      return GradingMetrics::RefundCause::kUngradable;
    case v1::SUBMISSION_STATE_INFRA_ERROR:
      return GradingMetrics::RefundCause::kInfraError;
    case v1::SUBMISSION_STATE_CANCELLED:
      return GradingMetrics::RefundCause::kCancelled;
    default:
      return std::nullopt;
  }
}

// "course/assignment", the label of metrics.
std::string LabelOf(const std::string& submission) {
  const auto name = ParseSubmissionName("name", submission);
  return name.ok() ? absl::StrCat(name->parent.course, "/", name->parent.assignment) : "";
}

// An evaluation's fault is the student's only where the evaluator blames the model; a receipt or a
// row that cannot be written is ours.
v1::JobError ErrorOf(const absl::Status& status) {
  v1::JobError error = JobErrorFromStatus(status);
  const bool blames_model = error.reason() == v1::ERROR_REASON_NON_FINITE_LOSS ||
                            error.reason() == v1::ERROR_REASON_INVALID_SPEC;
  error.set_category(blames_model ? v1::FAILURE_CATEGORY_USER : v1::FAILURE_CATEGORY_INFRA);
  return error;
}

void SleepToClass(absl::Time begin) {
  const absl::Duration took = SteadyNow() - begin;
  absl::Duration rest;
  const int64_t whole = absl::IDivDuration(took, SubmissionRunner::kEvaluationClass, &rest);
  absl::SleepFor(SubmissionRunner::kEvaluationClass * (whole + 1) - took);
}

bool SameBits(const v1::SealedRecord& a, const v1::SealedRecord& b) {
  if (a.runs_size() != b.runs_size()) return false;
  for (int i = 0; i < a.runs_size(); ++i) {
    if (a.runs(i).result_digest() != b.runs(i).result_digest()) return false;
  }
  return true;
}

}  // namespace

v1::Submission AgainOf(const v1::Submission& record, v1::SubmissionCause cause) {
  v1::Submission again;
  again.set_student(record.student());
  again.set_state(v1::SUBMISSION_STATE_QUEUED);
  *again.mutable_accepted_at() = record.accepted_at();
  *again.mutable_spec() = record.spec();
  *again.mutable_canonical_spec() = record.canonical_spec();
  again.set_spec_digest(record.spec_digest());
  again.set_assignment_version(record.assignment_version());
  *again.mutable_work() = record.work();
  again.set_cause(cause);
  again.set_original(record.name());
  return again;
}

bool SampledForReplay(absl::string_view name, double fraction) {
  constexpr uint64_t kBuckets = 1'000'000;
  const std::string digest = Sha256Digest(absl::StrCat("replay ", name));
  uint64_t number = 0;
  if (!absl::SimpleHexAtoi(digest.substr(7, 12), &number)) return false;
  return static_cast<double>(number % kBuckets) < fraction * static_cast<double>(kBuckets);
}

class SubmissionRunner::Waiting final : public SubmissionRunner::Subscription {
 public:
  Waiting(SubmissionRunner* runner, std::string name, std::function<void()> listener)
      : runner_(runner), name_(std::move(name)), listener_(std::move(listener)) {}

  ~Waiting() override {
    absl::MutexLock lock(&runner_->mu_);
    const auto [begin, end] = runner_->waiting_.equal_range(name_);
    for (auto it = begin; it != end; ++it) {
      if (it->second != this) continue;
      runner_->waiting_.erase(it);
      return;
    }
  }

  void Call() const { listener_(); }

 private:
  SubmissionRunner* const runner_;
  const std::string name_;
  const std::function<void()> listener_;
};

absl::StatusOr<std::unique_ptr<SubmissionRunner>> SubmissionRunner::Create(
    const SubmissionParts& parts) {
  std::unique_ptr<SubmissionRunner> runner(new SubmissionRunner(parts));
  TY_RETURN_IF_ERROR(runner->Load());
  return runner;
}

SubmissionRunner::SubmissionRunner(const SubmissionParts& parts)
    : parts_(parts),
      finisher_(parts_),
      cpu_family_(CpuFamily()),
      executor_(std::make_unique<Executor>(Executor::Options{
          .name = "ty-grading", .threads = kThreads, .queue_max = kActiveMax})),
      sweeper_([this] { RunSweep(); }) {}

SubmissionRunner::~SubmissionRunner() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  sweeper_.join();
  // No listener gives the executor anything any more when the subscriptions are gone.
  EndSubscriptions();
  executor_.reset();
  // A step that was under way may have made some more. Their listeners look at what goes next.
  EndSubscriptions();
}

void SubmissionRunner::EndSubscriptions() {
  // Ending one waits for its listener, which wants the lock: they end after it.
  std::vector<std::unique_ptr<EventLog::Subscription>> subscriptions;
  absl::MutexLock lock(&mu_);
  for (auto& [name, active] : active_) {
    std::move(active.subscriptions.begin(), active.subscriptions.end(),
              std::back_inserter(subscriptions));
    active.subscriptions.clear();
  }
}

absl::Status SubmissionRunner::Load() {
  std::vector<StoredSubmission> stored;
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(stored, LoadUnfinishedSubmissions(connection));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  Take(std::move(stored));
  return absl::OkStatus();
}

void SubmissionRunner::Take(std::vector<StoredSubmission> submissions) {
  std::vector<std::string> names;
  {
    absl::MutexLock lock(&mu_);
    for (StoredSubmission& stored : submissions) {
      const std::string name = stored.record.name();
      names.push_back(name);
      if (!IsAgain(stored.record)) {
        turns_[{AssignmentOf(name), stored.record.student()}][stored.number] = name;
        keys_[stored.cache_key][stored.number] = name;
      }
      if (IsAgain(stored.record)) ++again_active_;
      Active& active = active_[name];
      active.starts = stored.record.infra_failures();
      // What another process has started goes on.
      active.jobs.assign(stored.record.training_jobs().begin(),
                         stored.record.training_jobs().end());
      active.started = !active.jobs.empty();
      active.stored = std::move(stored);
      if (active.started) SetClaimed(&active);
    }
  }
  for (const std::string& name : names) Wake(name);
}

absl::StatusOr<std::optional<v1::Submission>> SubmissionRunner::FindAccepted(
    absl::string_view actor, absl::string_view request_id, absl::string_view body_digest) {
  std::optional<std::string> before;
  if (request_id.empty()) return std::nullopt;
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(before,
                        FindRequest(connection, actor, request_id, kCreateMethod, body_digest));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  if (!before.has_value()) return std::nullopt;
  return Get(*before, /*staff=*/false);
}

absl::Status SubmissionRunner::CheckRoom(const NewSubmission& request,
                                         const std::vector<EarlierSubmission>& before,
                                         absl::Time now) {
  const v1::AttemptLimits& limits = request.attempts;
  const AttemptBucket bucket = BucketAt(ChargesOf(before, limits), limits, now);
  int64_t waiting = 0;
  for (const EarlierSubmission& earlier : before) {
    waiting += IsTerminal(earlier.state) ? 0 : 1;
  }
  if (bucket.left == 0) return Exhausted(bucket, limits, now);
  if (waiting > limits.queued_max()) return TooManyQueued(waiting, limits.queued_max());
  absl::MutexLock lock(&mu_);
  // Regrades and replays take nobody's place.
  const size_t submitted = active_.size() - again_active_;
  if (submitted < kActiveMax) return absl::OkStatus();
  return TooManyQueued(static_cast<int64_t>(submitted), static_cast<int64_t>(kActiveMax));
}

absl::StatusOr<std::vector<std::string>> SubmissionRunner::MakeRoom(
    const NewSubmission& request, std::vector<EarlierSubmission> before, absl::Time now) {
  std::vector<std::string> superseded;
  // What has begun goes on, and counts.
  const auto goes = [&](const EarlierSubmission& earlier) {
    if (IsTerminal(earlier.state)) return false;
    v1::Submission live;
    live.set_name(earlier.name);
    live.set_state(earlier.state);
    AddLive(&live);
    if (live.state() != v1::SUBMISSION_STATE_QUEUED) return false;
    superseded.push_back(earlier.name);
    return true;
  };
  if (request.supersede) std::erase_if(before, goes);
  TY_RETURN_IF_ERROR(CheckRoom(request, before, now));
  return superseded;
}

absl::StatusOr<v1::Submission> SubmissionRunner::Accept(NewSubmission request) {
  std::vector<std::string> superseded;
  TY_ASSIGN_OR_RETURN(v1::Submission answer, AcceptNext(std::move(request), &superseded));
  // Who supersedes wants to see that the others have ended.
  const absl::Time deadline = SteadyNow() + kCancelWait;
  for (const std::string& name : superseded) AwaitEnd(name, deadline);
  return answer;
}

absl::StatusOr<v1::Submission> SubmissionRunner::AcceptNext(NewSubmission request,
                                                            std::vector<std::string>* superseded) {
  StoredSubmission& stored = request.submission;
  v1::Submission& record = stored.record;
  std::vector<EarlierSubmission> before;
  std::optional<std::string> made;
  absl::MutexLock accept(&accept_mu_);
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(before, LoadEarlier(connection, request.assignment, record.student()));
    // The same request may have come twice at once.
    TY_ASSIGN_OR_RETURN(made, FindRequest(connection, request.actor, request.request_id,
                                          kCreateMethod, request.body_digest));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  if (made.has_value()) return Get(*made, /*staff=*/false);
  const auto remember = [&](Connection& connection, const std::string& name) {
    return InsertRequest(connection, request.actor, request.request_id, kCreateMethod,
                         request.body_digest, name);
  };
  for (const EarlierSubmission& other : before) {
    const std::string& name = other.name;
    if (!Answers(other, stored.cache_key) || IsCancelled(name)) continue;
    if (!request.request_id.empty()) {
      TY_RETURN_IF_ERROR(parts_.database->Write(
          [&](Connection& connection) { return remember(connection, name); }));
    }
    return Get(name, /*staff=*/false);
  }
  TY_ASSIGN_OR_RETURN(*superseded,
                      MakeRoom(request, std::move(before), FromTimestamp(record.accepted_at())));
  record.set_name(SubmissionName{request.assignment, NewId()}.ToString());
  record.set_state(v1::SUBMISSION_STATE_QUEUED);
  record.set_cause(v1::SUBMISSION_CAUSE_SUBMIT);
  const absl::Status written = parts_.database->Write([&](Connection& connection) -> absl::Status {
    TY_RETURN_IF_ERROR(InsertSubmission(connection, &stored));
    return remember(connection, record.name());
  });
  TY_RETURN_IF_ERROR(written);
  const v1::Submission answer = record;
  // One that is evaluated, or ended, in between stays.
  for (const std::string& name : *superseded) AskToEnd(name);
  // Before the next request of the student may want to supersede it.
  Take({std::move(stored)});
  return answer;
}

absl::StatusOr<AttemptBucket> SubmissionRunner::Attempts(const AssignmentName& assignment,
                                                         absl::string_view student,
                                                         const v1::AttemptLimits& limits,
                                                         absl::Time now) {
  std::vector<EarlierSubmission> before;
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(before, LoadEarlier(connection, assignment, student));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return BucketAt(ChargesOf(before, limits), limits, now);
}

absl::StatusOr<v1::Submission> SubmissionRunner::Get(absl::string_view name, bool staff) {
  StoredSubmission stored;
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(stored, FindSubmission(connection, name));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  if (staff && stored.sealed.has_result() && !stored.record.has_result()) {
    *stored.record.mutable_result() = stored.sealed.result();
  }
  AddLive(&stored.record);
  return std::move(stored.record);
}

void SubmissionRunner::AddLive(v1::Submission* record) {
  if (IsTerminal(record->state())) return;
  std::vector<std::string> names;
  bool evaluating = false;
  {
    absl::MutexLock lock(&mu_);
    const auto found = active_.find(record->name());
    if (found == active_.end()) return;
    names = found->second.jobs;
    evaluating = found->second.evaluating;
    record->set_infra_failures(found->second.stored.record.infra_failures());
  }
  std::vector<v1::TrainingJob> jobs;
  record->clear_training_jobs();
  for (const std::string& name : names) {
    record->add_training_jobs(name);
    absl::StatusOr<v1::TrainingJob> job = parts_.jobs->Get(name);
    if (job.ok()) jobs.push_back(*std::move(job));
  }
  if (!jobs.empty()) DescribeTrainings(jobs, record);
  if (evaluating) record->set_state(v1::SUBMISSION_STATE_EVALUATING);
}

void SubmissionRunner::AskToEnd(const std::string& name) {
  {
    absl::MutexLock lock(&mu_);
    const auto found = active_.find(name);
    if (found != active_.end() && !found->second.evaluating) found->second.cancelled = true;
  }
  Wake(name);
}

bool SubmissionRunner::IsCancelled(const std::string& name) const {
  absl::MutexLock lock(&mu_);
  const auto found = active_.find(name);
  return found != active_.end() && found->second.cancelled;
}

void SubmissionRunner::AwaitEnd(const std::string& name, absl::Time deadline) {
  absl::Mutex mu;
  bool ended = false;
  const auto subscription = Subscribe(name, [&mu, &ended] {
    absl::MutexLock lock(&mu);
    ended = true;
  });
  absl::MutexLock lock(&mu);
  AwaitFor(mu, absl::Condition(&ended), deadline - SteadyNow());
}

absl::StatusOr<v1::Submission> SubmissionRunner::Cancel(absl::string_view name) {
  AskToEnd(std::string(name));
  AwaitEnd(std::string(name), SteadyNow() + kCancelWait);
  TY_ASSIGN_OR_RETURN(v1::Submission record, Get(name, /*staff=*/false));
  if (record.state() == v1::SUBMISSION_STATE_CANCELLED) return record;
  if (IsCancelled(std::string(name))) return StillEnding(name);
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(name, " cannot be cancelled any more"),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "what is being evaluated, or finished, stays",
                    .in_force = absl::StrCat("state ", absl::StripPrefix(
                                    v1::SubmissionState_Name(record.state()), "SUBMISSION_STATE_"))});
}

std::unique_ptr<SubmissionRunner::Subscription> SubmissionRunner::Subscribe(
    const std::string& name, std::function<void()> listener) {
  auto waiting = std::make_unique<Waiting>(this, name, std::move(listener));
  bool ended = false;
  {
    absl::MutexLock lock(&mu_);
    ended = !active_.contains(name);
    if (!ended) waiting_.emplace(name, waiting.get());
  }
  if (ended) waiting->Call();
  return waiting;
}

SubmissionRunner::Counts SubmissionRunner::CountActive() const {
  Counts counts;
  absl::MutexLock lock(&mu_);
  for (const auto& [name, active] : active_) {
    int64_t& count = active.evaluating                             ? counts.evaluating
                     : active.stored.sealed.has_start_time() ? counts.running
                                                                   : counts.queued;
    ++count;
    counts.oldest_accepted =
        std::min(counts.oldest_accepted, FromTimestamp(active.stored.record.accepted_at()));
  }
  return counts;
}

bool SubmissionRunner::AwaitIdle(absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  return AwaitFor(mu_, absl::Condition(this, &SubmissionRunner::Idle), deadline - SteadyNow());
}

void SubmissionRunner::Wake(const std::string& name) {
  // Under the lock, so that the executor is not given anything once it is stopping.
  absl::MutexLock lock(&mu_);
  const auto found = active_.find(name);
  if (found == active_.end() || stopping_) return;
  found->second.again = true;
  if (found->second.stepping) return;
  // What the executor has no room for, the sweep asks for again.
  found->second.stepping = executor_->Submit([this, name] { Step(name); });
}

void SubmissionRunner::Step(const std::string& name) {
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      const auto found = active_.find(name);
      if (found == active_.end()) return;
      if (!found->second.again || stopping_) {
        found->second.stepping = false;
        return;
      }
      found->second.again = false;
    }
    StepOnce(name);
  }
}

void SubmissionRunner::StepOnce(const std::string& name) {
  StoredSubmission stored;
  std::vector<std::string> jobs;
  bool cancelled = false, started = false, followed = false;
  int starts = 0;
  {
    absl::MutexLock lock(&mu_);
    Active& active = active_.at(name);
    // Most are asked in vain, and a long spec is long to copy.
    if (!active.cancelled && !active.started && !ClaimTurn(name, &active)) return;
    stored = active.stored;
    jobs = active.jobs;
    cancelled = active.cancelled;
    started = active.started;
    followed = !active.subscriptions.empty();
    starts = active.starts;
  }
  if (cancelled) {
    CancelJobs(jobs);
    return EndWithout(name, v1::SUBMISSION_STATE_CANCELLED, {}, std::move(stored));
  }
  if (started && !followed) Follow(name, jobs);
  if (started) return LookAtTrainings(name, std::move(stored), jobs);
  const absl::StatusOr<bool> taken = TakeOver(&stored);
  if (taken.ok() && *taken) return Ended(name, stored);
  if (!taken.ok()) {
    Log::Warning("submission_waits", {{"submission", name}, {"why", taken.status().ToString()}});
    return;  // the sweep asks again
  }
  const absl::Status begun = StartTrainings(name, stored, starts);
  if (begun.ok()) return;
  const ErrorReason reason = GetErrorInfo(begun).value_or(ErrorInfo{}).reason;
  const bool full = absl::IsResourceExhausted(begun) && reason != ErrorReason::kTooLarge;
  if (full || absl::IsUnavailable(begun)) return;  // the sweep asks again
  Log::Error("submission_not_started",
             {{"submission", name}, {"reason", ErrorReasonName(reason)}});
  CancelJobs(JobsOf(name));
  RetryOrGiveUp(name, InfraError("its trainings could not be queued"), std::move(stored));
}

void SubmissionRunner::SetClaimed(Active* active) {
  if (active->claimed) return;
  active->claimed = true;
  if (IsAgain(active->stored.record)) ++again_claimed_;
}

bool SubmissionRunner::WaitsForRoom(const Active& active) const {
  return !active.claimed && IsAgain(active.stored.record) && again_claimed_ >= kAgainAtOnce;
}

bool SubmissionRunner::ClaimTurn(const std::string& name, Active* active) {
  if (active->claimed) return true;
  const StoredSubmission& stored = active->stored;
  if (WaitsForRoom(*active)) return false;
  if (IsAgain(stored.record)) {
    SetClaimed(active);
    return true;
  }
  const auto turn = turns_.find({AssignmentOf(name), stored.record.student()});
  if (turn != turns_.end() && turn->second.begin()->second != name) return false;
  const auto key = keys_.find(stored.cache_key);
  const bool waits = key != keys_.end() &&
                     std::any_of(key->second.begin(), key->second.end(), [&](const auto& other) {
                       mu_.AssertHeld();
                       return other.second != name && active_.at(other.second).claimed;
                     });
  // Who was first of the key may itself be waiting for its turn: then this one goes ahead.
  if (!waits) SetClaimed(active);
  return !waits;
}

absl::StatusOr<bool> SubmissionRunner::TakeOver(StoredSubmission* stored) {
  if (IsAgain(stored->record)) return false;
  std::optional<StoredSubmission> scored;
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(scored, FindScored(connection, stored->cache_key));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  if (!scored.has_value()) return false;
  TY_ASSIGN_OR_RETURN(const SubmissionName name,
                      ParseSubmissionName("name", stored->record.name()));
  Evaluator::Request request;
  TY_RETURN_IF_ERROR(parts_.courses->Read(name.parent.course, [&](const CourseState& state) {
    const v1::Assignment& assignment =
        state.Find(name.parent.assignment, stored->record.assignment_version())->assignment();
    request.metric = MetricOf(assignment);
    request.public_dataset = assignment.public_dataset();
    return absl::OkStatus();
  }));
  Evaluation evaluation;
  if (!request.public_dataset.empty()) {
    // Sealed data is evaluated once. The Ladder is the student's own, and needs the rows of the public data again.
    request.model = scored->sealed.runs(scored->sealed.public_median_run()).model();
    absl::StatusOr<Evaluation> again = parts_.evaluator->Evaluate(request);
    // Without its model the spec is trained again, to the same bits.
    if (!again.ok()) return false;
    evaluation = *std::move(again);
  }
  StoredSubmission taken = *stored;
  taken.sealed = scored->sealed;
  taken.sealed.clear_staff_receipt();
  taken.sealed.clear_student_receipt();
  taken.sealed.clear_released_receipt();
  taken.record.set_cached(true);
  *taken.record.mutable_training_jobs() = scored->record.training_jobs();
  // Trainings are shown to their owner.
  const bool own = scored->record.student() == taken.record.student() && !IsAgain(scored->record);
  if (!own) taken.record.clear_training_jobs();
  TY_RETURN_IF_ERROR(finisher_.FinishGraded(evaluation, &taken));
  *stored = std::move(taken);
  return true;
}

absl::Status SubmissionRunner::StartTrainings(const std::string& name, StoredSubmission stored,
                                              int starts) {
  const bool submitted = !IsAgain(stored.record);
  TY_ASSIGN_OR_RETURN(const SubmissionName parsed, ParseSubmissionName("name", name));
  std::string dataset;
  TY_RETURN_IF_ERROR(parts_.courses->Read(parsed.parent.course, [&](const CourseState& state) {
    dataset = state.Find(parsed.parent.assignment, stored.record.assignment_version())
                  ->assignment()
                  .training_dataset();
    return absl::OkStatus();
  }));
  std::vector<std::string> jobs;
  const int count = stored.sealed.seeds_size();
  for (int i = 0; i < count; ++i) {
    GradedTraining training{
        .spec = stored.record.canonical_spec(),
        .dataset = dataset,
        .owner = submitted ? stored.record.student() : kGradingOwner,
        .submission = name,
        .display_name = absl::StrCat(parsed.parent.assignment, " ", parsed.submission, ", seed ",
                                     i + 1, " of ", count),
        .request_id = TrainingRequestId(name, starts, i),
        .priority = submitted ? v1::JOB_PRIORITY_NORMAL : v1::JOB_PRIORITY_BATCH};
    training.spec.set_seed(stored.sealed.seeds(i));
    TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, parts_.start(training));
    jobs.push_back(job.name());
    // One by one: when the next cannot be started, those that are must be known to be cancelled.
    absl::MutexLock lock(&mu_);
    active_.at(name).jobs = jobs;
  }
  stored.record.mutable_training_jobs()->Assign(jobs.begin(), jobs.end());
  // So that the next process neither trains for another of the key nor leaves these behind. Where
  // it cannot be noted, it starts them again, by the same request ids.
  const absl::Status noted = parts_.database->Write(
      [&](Connection& connection) { return UpdateSubmission(connection, stored); });
  if (!noted.ok()) Log::Warning("trainings_not_noted", {{"submission", name}});
  absl::MutexLock lock(&mu_);
  Active& active = active_.at(name);
  active.stored = std::move(stored);
  active.started = true;
  active.again = true;
  return absl::OkStatus();
}

void SubmissionRunner::Follow(const std::string& name, const std::vector<std::string>& jobs) {
  std::vector<std::unique_ptr<EventLog::Subscription>> subscriptions;
  // A listener may be called at once: it wakes this submission, which is stepping.
  for (const std::string& job : jobs) {
    subscriptions.push_back(
        parts_.jobs->events().Subscribe(job, [this, name](int64_t) { Wake(name); }));
  }
  absl::MutexLock lock(&mu_);
  active_.at(name).subscriptions = std::move(subscriptions);
}

void SubmissionRunner::LookAtTrainings(const std::string& name, StoredSubmission stored,
                                       const std::vector<std::string>& names) {
  std::vector<v1::TrainingJob> jobs;
  for (const std::string& job_name : names) {
    absl::StatusOr<v1::TrainingJob> job = parts_.jobs->Get(job_name);
    if (!job.ok() && !absl::IsNotFound(job.status())) return;  // the sweep asks again
    if (!job.ok()) {
      CancelJobs(names);
      return RetryOrGiveUp(name, InfraError("a training is gone"), std::move(stored));
    }
    if (job->has_start_time() && !stored.sealed.has_start_time()) {
      *stored.sealed.mutable_start_time() = job->start_time();
      absl::MutexLock lock(&mu_);
      *active_.at(name).stored.sealed.mutable_start_time() = job->start_time();
    }
    jobs.push_back(*std::move(job));
  }
  const Outcome outcome = OutcomeOf(jobs);
  switch (outcome.kind) {
    case Outcome::Kind::kQueued:
    case Outcome::Kind::kRunning:
      return;
    case Outcome::Kind::kUngradable:
      CancelJobs(names);
      return EndWithout(name, v1::SUBMISSION_STATE_UNGRADABLE, outcome.error, std::move(stored));
    case Outcome::Kind::kInfra:
      CancelJobs(names);
      return RetryOrGiveUp(name, outcome.error, std::move(stored));
    case Outcome::Kind::kTrained:
      break;
  }
  {
    absl::MutexLock lock(&mu_);
    Active& active = active_.at(name);
    if (active.cancelled) {
      active.again = true;
      return;
    }
    active.evaluating = true;
  }
  // What an evaluation that failed has left behind is not stored.
  StoredSubmission graded = stored;
  const absl::Time begin = SteadyNow();
  const absl::Status evaluated = EvaluateAll(name, jobs, begin, &graded);
  if (evaluated.ok()) return Ended(name, graded);
  // How soon a row was refused would tell where it lies.
  SleepToClass(begin);
  {
    absl::MutexLock lock(&mu_);
    active_.at(name).evaluating = false;
  }
  const v1::JobError error = ErrorOf(evaluated);
  if (error.category() == v1::FAILURE_CATEGORY_USER) {
    return EndWithout(name, v1::SUBMISSION_STATE_UNGRADABLE, error, std::move(stored));
  }
  RetryOrGiveUp(name, error, std::move(stored));
}

absl::Status SubmissionRunner::EvaluateAll(const std::string& name,
                                           const std::vector<v1::TrainingJob>& jobs,
                                           absl::Time begin, StoredSubmission* stored) {
  TY_ASSIGN_OR_RETURN(const SubmissionName parsed, ParseSubmissionName("name", name));
  v1::Assignment assignment;
  TY_RETURN_IF_ERROR(parts_.courses->Read(parsed.parent.course, [&](const CourseState& state) {
    assignment =
        state.Find(parsed.parent.assignment, stored->record.assignment_version())->assignment();
    return absl::OkStatus();
  }));
  stored->sealed.clear_runs();
  stored->record.clear_training_jobs();
  std::vector<Evaluation> evaluations;
  for (const v1::TrainingJob& job : jobs) {
    v1::SealedRecord::Run& run = *stored->sealed.add_runs();
    run.set_seed(job.receipt().seed());
    run.set_model(job.model());
    run.set_result_digest(job.receipt().result_digest());
    stored->record.add_training_jobs(job.name());
    TY_ASSIGN_OR_RETURN(Evaluation evaluation,
                        parts_.evaluator->Evaluate({.model = job.model(),
                                                    .metric = MetricOf(assignment),
                                                    .public_dataset = assignment.public_dataset(),
                                                    .sealed_dataset = assignment.sealed_dataset()}));
    evaluations.push_back(std::move(evaluation));
  }
  const v1::JobReceipt& receipt = jobs.front().receipt();
  stored->sealed.set_engine_class(absl::StrCat(receipt.build(), "|", receipt.onednn_version(), "|",
                                               receipt.isa(), "|", receipt.threads()));
  stored->sealed.set_cpu_family(cpu_family_);
  stored->record.set_epochs_done(0);
  stored->record.set_epochs_total(0);
  for (const v1::TrainingJob& job : jobs) {
    stored->record.set_epochs_done(stored->record.epochs_done() + job.progress().epochs_done());
    stored->record.set_epochs_total(stored->record.epochs_total() +
                                    job.progress().epochs_total());
  }
  ScoreRuns(assignment, evaluations, stored);
  if (stored->record.cause() == v1::SUBMISSION_CAUSE_REPLAY) CompareReplay(stored);
  SleepToClass(begin);
  const auto median = static_cast<size_t>(stored->sealed.public_median_run());
  TY_RETURN_IF_ERROR(finisher_.FinishGraded(evaluations[median], stored));
  const bool replays =
      !IsAgain(stored->record) && SampledForReplay(name, assignment.replay_fraction());
  if (!replays) return absl::OkStatus();
  // The grade stands; a replay that could not be queued is one less in the sample.
  const absl::Status replayed = Replay(*stored);
  if (!replayed.ok()) {
    Log::Warning("replay_not_queued", {{"submission", name}, {"why", replayed.ToString()}});
  }
  return absl::OkStatus();
}

absl::Status SubmissionRunner::Replay(const StoredSubmission& stored) {
  StoredSubmission replay;
  TY_ASSIGN_OR_RETURN(const SubmissionName name, ParseSubmissionName("name", stored.record.name()));
  replay.cache_key = stored.cache_key;
  replay.record = AgainOf(stored.record, v1::SUBMISSION_CAUSE_REPLAY);
  replay.record.set_name(SubmissionName{name.parent, NewId()}.ToString());
  *replay.sealed.mutable_seeds() = stored.sealed.seeds();
  TY_RETURN_IF_ERROR(parts_.database->Write(
      [&](Connection& connection) { return InsertSubmission(connection, &replay); }));
  Take({std::move(replay)});
  return absl::OkStatus();
}

void SubmissionRunner::CompareReplay(StoredSubmission* stored) {
  StoredSubmission original;
  const absl::Status found = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(original, FindSubmission(connection, stored->record.original()));
    return absl::OkStatus();
  });
  // Another engine class may give other bits, and promises nothing. A regrade may have made the
  // original one of another version.
  const bool comparable =
      found.ok() && original.sealed.engine_class() == stored->sealed.engine_class() &&
      original.record.assignment_version() == stored->record.assignment_version();
  if (!comparable) return;
  const bool equal = SameBits(original.sealed, stored->sealed);
  stored->sealed.set_replay_equal(equal);
  parts_.metrics->grading().Replay(equal);
  if (equal) return;
  Log::Error("replay_differs", {{"submission", stored->record.original()},
                                {"replay", stored->record.name()},
                                {"engine", stored->sealed.engine_class()}});
}

void SubmissionRunner::EndWithout(const std::string& name, v1::SubmissionState state,
                                  const v1::JobError& error, StoredSubmission stored) {
  const absl::Status ended = finisher_.FinishWithout(state, error, &stored);
  if (ended.ok()) return Ended(name, stored);
  // The sweep asks again.
  Log::Warning("submission_end_not_stored", {{"submission", name}, {"why", ended.ToString()}});
}

void SubmissionRunner::RetryOrGiveUp(const std::string& name, const v1::JobError& error,
                                     StoredSubmission stored) {
  stored.record.set_infra_failures(stored.record.infra_failures() + 1);
  // What took longer than it may will again, and takes the machine from others meanwhile: staff
  // give it more time, and regrade.
  const bool in_vain = error.reason() == v1::ERROR_REASON_RUNTIME_LIMIT;
  if (in_vain || stored.record.infra_failures() >= kInfraFailuresMax) {
    return EndWithout(name, v1::SUBMISSION_STATE_INFRA_ERROR, error, std::move(stored));
  }
  parts_.metrics->grading().InfraRetry();
  stored.sealed.clear_start_time();
  stored.record.clear_training_jobs();
  const absl::Status written = parts_.database->Write(
      [&](Connection& connection) { return UpdateSubmission(connection, stored); });
  if (!written.ok()) return;  // counted when it fails again
  std::vector<std::unique_ptr<EventLog::Subscription>> subscriptions;
  absl::MutexLock lock(&mu_);
  Active& active = active_.at(name);
  active.stored = std::move(stored);
  active.starts = active.stored.record.infra_failures();
  active.jobs.clear();
  active.started = false;
  // Ending one waits for its listener, which wants the lock: they end after it.
  subscriptions.swap(active.subscriptions);
  active.again = true;
}

void SubmissionRunner::CancelJobs(const std::vector<std::string>& jobs) {
  for (const std::string& job : jobs) {
    // What has ended cannot be cancelled, and needs not be.
    parts_.jobs->Cancel(job, "the grading").status().IgnoreError();
  }
}

std::vector<std::string> SubmissionRunner::JobsOf(const std::string& name) const {
  absl::MutexLock lock(&mu_);
  return active_.at(name).jobs;
}

void SubmissionRunner::CountEnd(const StoredSubmission& stored) {
  const v1::Submission& record = stored.record;
  if (IsAgain(record)) return;
  GradingMetrics& metrics = parts_.metrics->grading();
  const std::string label = LabelOf(record.name());
  metrics.SubmissionFinished(label, EndOf(record.state()));
  if (const auto cause = RefundOf(record.state())) metrics.AttemptRefunded(*cause);
  const absl::Time accepted = FromTimestamp(record.accepted_at());
  const auto seconds = [&](const google::protobuf::Timestamp& time) {
    return absl::ToDoubleSeconds(std::max(FromTimestamp(time) - accepted, absl::ZeroDuration()));
  };
  if (stored.sealed.has_start_time() && !record.cached()) {
    metrics.QueueWait(seconds(stored.sealed.start_time()));
  }
  metrics.GradeLatency(seconds(record.finish_time()));
  if (record.has_result()) {
    metrics.PointsReleased(label, record.result().points(), record.result().max_points());
  }
}

void SubmissionRunner::Ended(const std::string& name, const StoredSubmission& stored) {
  CountEnd(stored);
  std::vector<std::string> next;
  std::vector<std::unique_ptr<EventLog::Subscription>> subscriptions;
  {
    absl::MutexLock lock(&mu_);
    const auto found = active_.find(name);
    subscriptions.swap(found->second.subscriptions);
    if (IsAgain(stored.record)) --again_active_;
    if (IsAgain(stored.record) && found->second.claimed) --again_claimed_;
    active_.erase(found);
    const Key key{AssignmentOf(name), stored.record.student()};
    if (const auto turn = turns_.find(key); turn != turns_.end()) {
      turn->second.erase(stored.number);
      if (turn->second.empty()) {
        turns_.erase(turn);
      } else {
        next.push_back(turn->second.begin()->second);
      }
    }
    if (const auto same = keys_.find(stored.cache_key); same != keys_.end()) {
      same->second.erase(stored.number);
      for (const auto& [number, other] : same->second) next.push_back(other);
      if (same->second.empty()) keys_.erase(same);
    }
    const auto [begin, end] = waiting_.equal_range(name);
    // Under the lock, so that none is called after its subscription has gone.
    for (auto it = begin; it != end; ++it) it->second->Call();
  }
  for (const std::string& other : next) Wake(other);
}

void SubmissionRunner::RunSweep() {
  pthread_setname_np(pthread_self(), "ty-grading-swp");
  for (int round = 1;; ++round) {
    const bool all = round % kSweepsToAll == 0;  // also what could not be made durable
    std::vector<std::string> names;
    {
      absl::MutexLock lock(&mu_);
      if (AwaitFor(mu_, absl::Condition(&stopping_), kSweepInterval)) return;
      for (const auto& [name, active] : active_) {
        if (WaitsForRoom(active) && !active.cancelled) continue;
        if (all || !active.started || active.cancelled) names.push_back(name);
      }
    }
    for (const std::string& name : names) Wake(name);
    const absl::Status released = finisher_.ReleaseDue(absl::Now());
    if (!released.ok()) Log::Warning("points_not_released", {{"why", released.ToString()}});
  }
}

}  // namespace trainyard
