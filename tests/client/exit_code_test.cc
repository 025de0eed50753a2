#include "client/exit_code.h"

#include "core/base/error_info.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

absl::Status WithReason(absl::StatusCode code, ErrorReason reason) {
  return MakeError(code, "x", {.reason = reason});
}

TEST(ExitCodeTest, SaysWhoseFaultAnErrorIs) {
  using Code = absl::StatusCode;
  const struct {
    absl::Status status;
    ExitCode expected;
  } cases[] = {
      {absl::OkStatus(), ExitCode::kOk},
      {WithReason(Code::kInvalidArgument, ErrorReason::kInvalidSpec), ExitCode::kRefused},
      {WithReason(Code::kNotFound, ErrorReason::kNotFound), ExitCode::kRefused},
      {WithReason(Code::kResourceExhausted, ErrorReason::kQueueFull), ExitCode::kRefused},
      {WithReason(Code::kResourceExhausted, ErrorReason::kStorageFull), ExitCode::kInfra},
      {WithReason(Code::kInternal, ErrorReason::kInternal), ExitCode::kInfra},
      {WithReason(Code::kDataLoss, ErrorReason::kDataLoss), ExitCode::kInfra},
      {WithReason(Code::kUnavailable, ErrorReason::kDraining), ExitCode::kUnreachable},
      {absl::DeadlineExceededError("x"), ExitCode::kUnreachable},
      {UsageError("x", {}), ExitCode::kUsage},
      {Annotate(UsageError("x", {}), "spec.yaml"), ExitCode::kUsage},
      {Annotate(AsUnwrittenError(UsageError("x", {})), "j1"), ExitCode::kUnwritten},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.status.ToString());
    EXPECT_EQ(ExitCodeOf(c.status), c.expected);
  }
}

TEST(ExitCodeTest, SaysWhoseFaultAFailedJobIs) {
  v1::TrainingJob job;
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ExitCodeOf(job), ExitCode::kOk);
  job.set_state(v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(ExitCodeOf(job), ExitCode::kRefused);
  job.set_state(v1::JOB_STATE_FAILED);
  job.mutable_error()->set_category(v1::FAILURE_CATEGORY_USER);
  EXPECT_EQ(ExitCodeOf(job), ExitCode::kRefused);
  job.mutable_error()->set_category(v1::FAILURE_CATEGORY_INFRA);
  EXPECT_EQ(ExitCodeOf(job), ExitCode::kInfra);
}

}  // namespace
}  // namespace trainyard
