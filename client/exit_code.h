// Exit codes of the command line: what a script may rely on. Also printed by `trainyard --help`.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_EXIT_CODE_H_
#define TRAINYARD_CLIENT_EXIT_CODE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// Scripts depend on the numbers: they are never changed.
enum class ExitCode : int {
  kOk = 0,
  kRefused = 1,      // the request was refused, or the job failed by its own fault or was cancelled
  kUsage = 2,        // flags, spec file or local file; nothing was sent
  kUnreachable = 3,  // no answer from the server
  kInfra = 4,        // a fault of the service or its machine; trying again may help
  kUnwritten = 5,    // the job succeeded, but its file or picture could not be written here
  kUnfinished = 6,   // grade: not finished in the time allowed; the submission goes on
  kInterrupted = 130  // Ctrl-C, as shells have it
};

// The lines of --help that explain the codes.
absl::string_view ExitCodeHelp();

// A fault of what the user typed or of a local file, found before anything was sent: exit code
// kUsage.
absl::Status UsageError(absl::string_view message, const ErrorInfo& info);
// Marks an error that was made elsewhere as one of usage; code, message and info stay.
absl::Status AsUsageError(absl::Status status);
bool IsUsageError(const absl::Status& status);
// Marks a fault of this machine that was met after a job had succeeded: exit code kUnwritten.
absl::Status AsUnwrittenError(absl::Status status);

ExitCode ExitCodeOf(const absl::Status& status);

// Of a terminal job. REQUIRES: the job is SUCCEEDED, FAILED or CANCELLED.
ExitCode ExitCodeOf(const v1::TrainingJob& job);

bool IsTerminal(v1::JobState state);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_EXIT_CODE_H_
