#include "server/submissions/outcome.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "server/jobs/job.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

// Points must not depend on how busy the machine was: budgets are in work, and the clock is there for
// what goes wrong. Half a training is none.
bool CutOffByTheClock(const v1::TrainingJob& job) {
  return (job.state() == v1::JOB_STATE_SUCCEEDED &&
          job.stop_reason() == v1::STOP_REASON_RUNTIME_LIMIT) ||
         (job.state() == v1::JOB_STATE_FAILED &&
          job.error().reason() == v1::ERROR_REASON_RUNTIME_LIMIT);
}

bool FailedByUser(const v1::TrainingJob& job) {
  return job.state() == v1::JOB_STATE_FAILED &&
         job.error().category() == v1::FAILURE_CATEGORY_USER && !CutOffByTheClock(job);
}

// Graded trainings are cancelled with their submission only, so one that was cancelled otherwise is no fault of the student.
bool FailedByUs(const v1::TrainingJob& job) {
  return job.state() == v1::JOB_STATE_CANCELLED ||
         (job.state() == v1::JOB_STATE_FAILED && !FailedByUser(job));
}

// Time until the job has ended; zero when nothing is known.
absl::Duration RestOf(const v1::TrainingJob& job) {
  if (IsTerminal(job.state())) return absl::ZeroDuration();
  if (job.progress().has_eta()) return DurationFromProto(job.progress().eta());
  return DurationFromProto(job.start_eta()) + DurationFromProto(job.estimate().duration());
}

}  // namespace

Outcome OutcomeOf(const std::vector<v1::TrainingJob>& jobs) {
  const auto find = [&](auto predicate) { return std::find_if(jobs.begin(), jobs.end(), predicate); };
  if (const auto job = find(FailedByUser); job != jobs.end()) {
    return {Outcome::Kind::kUngradable, job->error()};
  }
  if (find(CutOffByTheClock) != jobs.end()) {
    v1::JobError error = InfraError("a training was cut off by its runtime limit");
    error.set_reason(v1::ERROR_REASON_RUNTIME_LIMIT);
    return {Outcome::Kind::kInfra, error};
  }
  if (const auto job = find(FailedByUs); job != jobs.end()) {
    v1::JobError error = job->error();
    if (error.reason() == v1::ERROR_REASON_UNSPECIFIED) error = InfraError("a training was cancelled");
    return {Outcome::Kind::kInfra, error};
  }
  const bool trained = std::all_of(jobs.begin(), jobs.end(), [](const v1::TrainingJob& job) {
    return job.state() == v1::JOB_STATE_SUCCEEDED;
  });
  if (trained) return {Outcome::Kind::kTrained, {}};
  const bool begun = std::any_of(jobs.begin(), jobs.end(), [](const v1::TrainingJob& job) {
    return job.state() != v1::JOB_STATE_PENDING;
  });
  return {begun ? Outcome::Kind::kRunning : Outcome::Kind::kQueued, {}};
}

void DescribeTrainings(const std::vector<v1::TrainingJob>& jobs, v1::Submission* record) {
  const bool queued = OutcomeOf(jobs).kind == Outcome::Kind::kQueued;
  record->set_state(queued ? v1::SUBMISSION_STATE_QUEUED : v1::SUBMISSION_STATE_RUNNING);
  int64_t position = 0;
  int32_t done = 0, total = 0;
  absl::Duration rest = absl::ZeroDuration();
  for (const v1::TrainingJob& job : jobs) {
    done += job.progress().epochs_done();
    total += job.progress().epochs_total();
    rest = std::max(rest, RestOf(job));
    const int64_t place = job.queue_position();
    if (place > 0 && (position == 0 || place < position)) position = place;
  }
  if (queued) record->set_queue_position(position);
  record->set_epochs_done(done);
  record->set_epochs_total(total);
  if (rest > absl::ZeroDuration()) {
    SecondsToProto(absl::ToDoubleSeconds(rest), record->mutable_eta());
  }
}

std::string TrainingRequestId(absl::string_view submission, int start, int run) {
  return absl::StrCat(submission, "/", start, "/", run);
}

v1::JobError InfraError(absl::string_view message) {
  v1::JobError error;
  error.set_reason(v1::ERROR_REASON_INTERNAL);
  error.set_category(v1::FAILURE_CATEGORY_INFRA);
  error.set_message(std::string(message));
  return error;
}

}  // namespace trainyard
