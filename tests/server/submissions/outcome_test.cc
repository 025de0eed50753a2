#include "server/submissions/outcome.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/grading/course_events.h"

namespace trainyard {
namespace {

using Kind = Outcome::Kind;

v1::TrainingJob Job(v1::JobState state,
                    v1::FailureCategory category = v1::FAILURE_CATEGORY_UNSPECIFIED) {
  v1::TrainingJob job;
  job.set_state(state);
  if (category == v1::FAILURE_CATEGORY_UNSPECIFIED) return job;
  job.mutable_error()->set_category(category);
  job.mutable_error()->set_reason(category == v1::FAILURE_CATEGORY_USER
                                      ? v1::ERROR_REASON_NON_FINITE_LOSS
                                      : v1::ERROR_REASON_WORKER_LOST);
  return job;
}
const v1::TrainingJob kPending = Job(v1::JOB_STATE_PENDING), kRunning = Job(v1::JOB_STATE_RUNNING),
                      kPaused = Job(v1::JOB_STATE_PAUSED),
                      kCancelling = Job(v1::JOB_STATE_CANCELLING),
                      kDone = Job(v1::JOB_STATE_SUCCEEDED),
                      kCancelled = Job(v1::JOB_STATE_CANCELLED),
                      kTheirs = Job(v1::JOB_STATE_FAILED, v1::FAILURE_CATEGORY_USER),
                      kOurs = Job(v1::JOB_STATE_FAILED, v1::FAILURE_CATEGORY_INFRA),
                      kNobodys = Job(v1::JOB_STATE_FAILED);

TEST(OutcomeTest, IsWhatTheTrainingsComeToTogether) {
  const std::vector<std::pair<std::vector<v1::TrainingJob>, Kind>> cases = {
      {{kPending}, Kind::kQueued},
      {{kPending, kPending}, Kind::kQueued},
      {{kPending, kRunning}, Kind::kRunning},
      {{kPending, kDone}, Kind::kRunning},
      {{kPaused}, Kind::kRunning},
      {{kCancelling, kDone}, Kind::kRunning},
      {{kDone}, Kind::kTrained},
      {{kDone, kDone, kDone}, Kind::kTrained},
      {{kDone, kDone, kRunning}, Kind::kRunning},
      // One fault is enough, before the others have ended.
      {{kPending, kTheirs}, Kind::kUngradable},
      {{kDone, kTheirs}, Kind::kUngradable},
      {{kRunning, kOurs}, Kind::kInfra},
      {{kDone, kCancelled}, Kind::kInfra},
      {{kNobodys, kDone}, Kind::kInfra},
      // A spec that fails once fails again, whatever else happened.
      {{kOurs, kTheirs}, Kind::kUngradable},
      {{kCancelled, kTheirs}, Kind::kUngradable}};
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(OutcomeOf(cases[i].first).kind, cases[i].second) << i;
  }
}

// A busy machine must not lower grades.
TEST(OutcomeTest, ATrainingThatTheClockCutOffIsNotGraded) {
  v1::TrainingJob half = kDone;
  half.set_stop_reason(v1::STOP_REASON_RUNTIME_LIMIT);
  v1::TrainingJob killed = kTheirs;
  killed.mutable_error()->set_reason(v1::ERROR_REASON_RUNTIME_LIMIT);
  for (const v1::TrainingJob& job : {half, killed}) {
    const Outcome outcome = OutcomeOf({kDone, job, kRunning});
    EXPECT_EQ(outcome.kind, Kind::kInfra);
    EXPECT_EQ(outcome.error.category(), v1::FAILURE_CATEGORY_INFRA);
    EXPECT_EQ(outcome.error.reason(), v1::ERROR_REASON_RUNTIME_LIMIT);
  }
  EXPECT_EQ(OutcomeOf({half, kTheirs}).kind, Kind::kUngradable);
}

TEST(OutcomeTest, SaysWhatFailed) {
  EXPECT_EQ(OutcomeOf({kDone, kTheirs}).error.reason(), v1::ERROR_REASON_NON_FINITE_LOSS);
  EXPECT_EQ(OutcomeOf({kDone, kOurs}).error.reason(), v1::ERROR_REASON_WORKER_LOST);
  for (const v1::TrainingJob& job : {kCancelled, kNobodys}) {
    const Outcome outcome = OutcomeOf({job});
    EXPECT_EQ(outcome.error.reason(), v1::ERROR_REASON_INTERNAL);
    EXPECT_EQ(outcome.error.category(), v1::FAILURE_CATEGORY_INFRA);
  }
}

v1::Submission Described(const std::vector<std::string>& texts) {
  std::vector<v1::TrainingJob> jobs;
  for (const std::string& text : texts) jobs.push_back(FromText<v1::TrainingJob>(text));
  v1::Submission record;
  DescribeTrainings(jobs, &record);
  return record;
}

TEST(DescribeTrainingsTest, AQueuedOneHasThePlaceOfItsFirstAndTheTimeOfItsLast) {
  const v1::Submission record = Described(
      {R"(state: JOB_STATE_PENDING queue_position: 7 start_eta { seconds: 60 } progress { epochs_total: 5 }
          estimate { duration { seconds: 30 } })",
       R"(state: JOB_STATE_PENDING queue_position: 4 start_eta { seconds: 30 } progress { epochs_total: 5 }
          estimate { duration { seconds: 30 } })"});
  EXPECT_EQ(record.state(), v1::SUBMISSION_STATE_QUEUED);
  EXPECT_EQ(record.queue_position(), 4);
  EXPECT_EQ(record.eta().seconds(), 90);
  EXPECT_EQ(record.epochs_done(), 0);
  EXPECT_EQ(record.epochs_total(), 10);
}

TEST(DescribeTrainingsTest, ARunningOneHasEpochsAndNoPlace) {
  const v1::Submission record = Described(
      {R"(state: JOB_STATE_SUCCEEDED progress { epochs_done: 3 epochs_total: 5 })",
       R"(state: JOB_STATE_RUNNING progress { epochs_done: 2 epochs_total: 5 eta { seconds: 12 } })",
       R"(state: JOB_STATE_PENDING queue_position: 1 progress { epochs_total: 5 } start_eta { seconds: 5 })"});
  EXPECT_EQ(record.state(), v1::SUBMISSION_STATE_RUNNING);
  EXPECT_EQ(record.queue_position(), 0);
  EXPECT_EQ(record.eta().seconds(), 12);
  EXPECT_EQ(record.epochs_done(), 5);
  EXPECT_EQ(record.epochs_total(), 15);
}

TEST(DescribeTrainingsTest, AnUnknownTimeIsNotTold) {
  EXPECT_FALSE(Described({"state: JOB_STATE_PENDING"}).has_eta());
  EXPECT_FALSE(Described({"state: JOB_STATE_SUCCEEDED progress { eta { seconds: 9 } }"}).has_eta());
}

TEST(TrainingRequestIdTest, IsTheTrainingsOwnAndNoUuid) {
  std::set<std::string> ids;
  int count = 0;
  for (const char* name :
       {"courses/c/assignments/a/submissions/s1", "courses/c/assignments/a/submissions/s11"}) {
    for (int start = 0; start < 12; ++start) {
      for (int run = 0; run < 15; ++run, ++count) {
        const std::string id = TrainingRequestId(name, start, run);
        EXPECT_EQ(id, TrainingRequestId(name, start, run));
        EXPECT_EQ(id.find("courses/"), 0u) << id;
        ids.insert(id);
      }
    }
  }
  EXPECT_EQ(static_cast<int>(ids.size()), count);
}

}  // namespace
}  // namespace trainyard
