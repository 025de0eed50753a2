#include "server/jobs/job.h"

#include <set>
#include <utility>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

// The table of job.proto, written down a second time on purpose: names, not enum order.
const std::set<std::pair<std::string, std::string>> kTable = {
    {"UNSPECIFIED", "PENDING"}, {"PENDING", "RUNNING"},      {"PENDING", "PAUSED"},
    {"PENDING", "CANCELLED"},   {"PENDING", "FAILED"},       {"RUNNING", "SUCCEEDED"},
    {"RUNNING", "FAILED"},      {"RUNNING", "PENDING"},      {"RUNNING", "PAUSED"},
    {"RUNNING", "CANCELLING"},  {"CANCELLING", "CANCELLED"}, {"CANCELLING", "SUCCEEDED"},
    {"CANCELLING", "FAILED"},   {"PAUSED", "PENDING"},       {"PAUSED", "CANCELLED"},
};

TEST(JobTest, EveryPairOfStatesFollowsTheTable) {
  for (int from = 0; from < v1::JobState_ARRAYSIZE; ++from) {
    for (int to = 0; to < v1::JobState_ARRAYSIZE; ++to) {
      const auto a = static_cast<v1::JobState>(from), b = static_cast<v1::JobState>(to);
      const std::pair<std::string, std::string> names{JobStateName(a), JobStateName(b)};
      SCOPED_TRACE(names.first + " to " + names.second);
      EXPECT_EQ(IsLegalTransition(a, b), kTable.contains(names));
    }
  }
}

TEST(JobTest, NothingLeavesATerminalState) {
  for (int from = 0; from < v1::JobState_ARRAYSIZE; ++from) {
    if (!IsTerminal(static_cast<v1::JobState>(from))) continue;
    for (int to = 0; to < v1::JobState_ARRAYSIZE; ++to) {
      EXPECT_FALSE(
          IsLegalTransition(static_cast<v1::JobState>(from), static_cast<v1::JobState>(to)));
    }
  }
}

TEST(JobTest, StartTimeIsThatOfTheFirstAttempt) {
  v1::TrainingJob job;
  const absl::Time t0 = absl::FromUnixSeconds(100);
  ChangeState(v1::JOB_STATE_PENDING, "submitted", t0, &job);
  ChangeState(v1::JOB_STATE_RUNNING, "", t0 + absl::Seconds(1), &job);
  ChangeState(v1::JOB_STATE_PENDING, "", t0 + absl::Seconds(2), &job);
  ChangeState(v1::JOB_STATE_RUNNING, "", t0 + absl::Seconds(3), &job);
  EXPECT_EQ(FromTimestamp(job.start_time()), t0 + absl::Seconds(1));
  EXPECT_FALSE(job.has_end_time());
  ChangeState(v1::JOB_STATE_SUCCEEDED, "", t0 + absl::Seconds(4), &job);
  EXPECT_EQ(FromTimestamp(job.end_time()), t0 + absl::Seconds(4));
}

TEST(JobTest, TheEventCarriesTheErrorOfAFailure) {
  v1::TrainingJob job;
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_attempt(2);
  job.mutable_error()->set_message("loss is NaN");
  const v1::JobEvent event = ChangeState(v1::JOB_STATE_FAILED, "why", absl::Now(), &job);
  EXPECT_EQ(event.attempt(), 2);
  EXPECT_EQ(event.state_change().from(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(event.state_change().to(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(event.state_change().error().message(), "loss is NaN");
}

TEST(JobDeathTest, AnIllegalTransitionIsABugAndStopsTheProcess) {
  v1::TrainingJob job;
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  EXPECT_DEATH(ChangeState(v1::JOB_STATE_RUNNING, "", absl::Now(), &job), "IsLegalTransition");
}

TEST(JobTest, InvalidStateSaysStateAndRemedy) {
  v1::TrainingJob job;
  job.set_name("trainingJobs/a");
  job.set_state(v1::JOB_STATE_FAILED);
  const absl::Status status = InvalidState(job, "cancelled", "delete it");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("trainingJobs/a is FAILED")));
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidState));
}

}  // namespace
}  // namespace trainyard
