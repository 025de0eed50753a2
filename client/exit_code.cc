#include "client/exit_code.h"

#include "absl/strings/cord.h"
#include "core/base/check.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

constexpr absl::string_view kUsageUrl = "trainyard/UsageError";
constexpr absl::string_view kUnwrittenUrl = "trainyard/UnwrittenError";

bool IsInfra(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kInternal:
    case ErrorReason::kDataLoss:
    case ErrorReason::kWorkerLost:
    case ErrorReason::kCorruptCheckpoint:
    case ErrorReason::kStorageFull:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::string_view ExitCodeHelp() {
  return "Exit codes:\n"
         "  0    done; for a followed job: it succeeded\n"
         "  1    the request was refused, or the job failed by its spec or data, or was cancelled\n"
         "  2    usage: flags, spec file or local file; nothing was sent\n"
         "  3    the server does not answer\n"
         "  4    a fault of the service or its machine; trying again may help\n"
         "  5    the job succeeded, but its file or picture could not be written here\n"
         "  6    grade: not finished in time; the submission goes on\n"
         "  130  interrupted (Ctrl-C); a job goes on without its watcher\n";
}

absl::Status UsageError(absl::string_view message, const ErrorInfo& info) {
  return AsUsageError(MakeError(absl::StatusCode::kInvalidArgument, message, info));
}

absl::Status AsUsageError(absl::Status status) {
  TY_CHECK(!status.ok());
  status.SetPayload(kUsageUrl, absl::Cord("1"));
  return status;
}

bool IsUsageError(const absl::Status& status) { return status.GetPayload(kUsageUrl).has_value(); }

absl::Status AsUnwrittenError(absl::Status status) {
  TY_CHECK(!status.ok());
  status.SetPayload(kUnwrittenUrl, absl::Cord("1"));
  return status;
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return ExitCode::kOk;
  if (status.GetPayload(kUnwrittenUrl).has_value()) return ExitCode::kUnwritten;
  if (IsUsageError(status)) return ExitCode::kUsage;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return ExitCode::kInfra;
    default:
      return IsInfra(ErrorInfoOf(status).reason) ? ExitCode::kInfra : ExitCode::kRefused;
  }
}

ExitCode ExitCodeOf(const v1::TrainingJob& job) {
  TY_CHECK(IsTerminal(job.state()));
  if (job.state() == v1::JOB_STATE_SUCCEEDED) return ExitCode::kOk;
  const bool infra = job.error().category() == v1::FAILURE_CATEGORY_INFRA;
  return infra ? ExitCode::kInfra : ExitCode::kRefused;
}

bool IsTerminal(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

}  // namespace trainyard
