#include "server/jobs/job.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/check.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

using Transition = std::pair<v1::JobState, v1::JobState>;

// In the order of job.proto.
constexpr std::array<Transition, 15> kLegal = {{
    {v1::JOB_STATE_UNSPECIFIED, v1::JOB_STATE_PENDING},
    {v1::JOB_STATE_PENDING, v1::JOB_STATE_RUNNING},
    {v1::JOB_STATE_PENDING, v1::JOB_STATE_PAUSED},
    {v1::JOB_STATE_PENDING, v1::JOB_STATE_CANCELLED},
    {v1::JOB_STATE_PENDING, v1::JOB_STATE_FAILED},
    {v1::JOB_STATE_RUNNING, v1::JOB_STATE_SUCCEEDED},
    {v1::JOB_STATE_RUNNING, v1::JOB_STATE_FAILED},
    {v1::JOB_STATE_RUNNING, v1::JOB_STATE_PENDING},
    {v1::JOB_STATE_RUNNING, v1::JOB_STATE_PAUSED},
    {v1::JOB_STATE_RUNNING, v1::JOB_STATE_CANCELLING},
    {v1::JOB_STATE_CANCELLING, v1::JOB_STATE_CANCELLED},
    {v1::JOB_STATE_CANCELLING, v1::JOB_STATE_SUCCEEDED},
    {v1::JOB_STATE_CANCELLING, v1::JOB_STATE_FAILED},
    {v1::JOB_STATE_PAUSED, v1::JOB_STATE_PENDING},
    {v1::JOB_STATE_PAUSED, v1::JOB_STATE_CANCELLED},
}};

}  // namespace

bool IsTerminal(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

bool IsLegalTransition(v1::JobState from, v1::JobState to) {
  return std::find(kLegal.begin(), kLegal.end(), Transition{from, to}) != kLegal.end();
}

v1::JobEvent ChangeState(v1::JobState to, absl::string_view message, absl::Time now,
                         v1::TrainingJob* job) {
  TY_CHECK(IsLegalTransition(job->state(), to));
  v1::JobEvent event;
  event.set_attempt(job->attempt());
  v1::StateChange& change = *event.mutable_state_change();
  change.set_from(job->state());
  change.set_to(to);
  change.set_message(std::string(message));
  if (to == v1::JOB_STATE_FAILED) *change.mutable_error() = job->error();
  if (to == v1::JOB_STATE_SUCCEEDED) change.set_model(job->model());
  job->set_state(to);
  if (to == v1::JOB_STATE_RUNNING && !job->has_start_time())
    *job->mutable_start_time() = ToTimestamp(now);
  if (IsTerminal(to)) *job->mutable_end_time() = ToTimestamp(now);
  return event;
}

absl::Status InvalidState(const v1::TrainingJob& job, absl::string_view verb,
                          absl::string_view hint) {
  const absl::string_view state = JobStateName(job.state());
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(job.name(), " is ", state, " and cannot be ", verb),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = std::string(hint),
                    .in_force = absl::StrCat("state ", state, ", attempt ", job.attempt())});
}

std::vector<std::string> ModelNames(const v1::TrainingJob& job) {
  std::vector<std::string> names;
  for (const std::string& name : {job.resolved_spec().initial_model(), job.analysis().model(),
                                  job.analysis().loss_line().other_model()}) {
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (!name.empty() && !known) names.push_back(name);
  }
  return names;
}

absl::string_view JobStateName(v1::JobState state) {
  return absl::StripPrefix(v1::JobState_Name(state), "JOB_STATE_");
}

}  // namespace trainyard
