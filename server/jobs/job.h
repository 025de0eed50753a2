// The state machine of a training job: which transitions are legal (the table of job.proto), and
// the one function that changes a state.
//
//   v1::JobEvent event = ChangeState(v1::JOB_STATE_RUNNING, "worker 2 took it", absl::Now(), &job);
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_JOBS_JOB_H_
#define TRAINYARD_SERVER_JOBS_JOB_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/wire/timestamp.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

bool IsTerminal(v1::JobState state);
// Whether the table of job.proto has `from` → `to`; UNSPECIFIED stands for "not created yet".
bool IsLegalTransition(v1::JobState from, v1::JobState to);

// Moves `job` to state `to` and returns the event that says so (without sequence and create_time).
// Sets start_time at the first RUNNING and end_time at a terminal state; the event carries
// job->error or job->model where `to` asks for them. REQUIRES: the transition is legal; what users
// ask for is checked before (InvalidState).
v1::JobEvent ChangeState(v1::JobState to, absl::string_view message, absl::Time now,
                         v1::TrainingJob* job);

// FAILED_PRECONDITION/INVALID_STATE: `job` cannot be `verb` ("cancelled") in its state.
absl::Status InvalidState(const v1::TrainingJob& job, absl::string_view verb,
                          absl::string_view hint);

// Names of the models whose weights the job needs; each once.
std::vector<std::string> ModelNames(const v1::TrainingJob& job);

// "RUNNING" for JOB_STATE_RUNNING.
absl::string_view JobStateName(v1::JobState state);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_JOB_H_
