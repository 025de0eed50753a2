#include "server/submissions/runner.h"

#include <atomic>
#include <cmath>
#include <set>
#include <thread>

#include "gmock/gmock.h"
#include "tests/server/submissions/runner_fixture.h"

namespace trainyard {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(RunnerTest, TrainsEvaluatesAndReleases) {
  Publish();
  StartRunner();
  const std::string name = Accept("ann", "k");
  WaitForStarts(2);
  const v1::JobAssignment first = Assigned(*worker_);
  WaitForState(name, v1::SUBMISSION_STATE_RUNNING);
  // A training is started before its name is known to be the submission's.
  WaitUntil([&] { return Get(name).training_jobs_size() == 2; });
  EXPECT_EQ(runner_->CountActive().running + runner_->CountActive().queued, 1);
  SucceedWith(first, 50);  // all right of the public rows, 90 of the sealed
  TrainNext({65});         // 85, 75
  const v1::Submission record = WaitForEnd(name);
  EXPECT_EQ(record.state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_EQ(record.result().points(), 40);  // of the worse of two: 0.75
  EXPECT_TRUE(record.result().sealed());
  EXPECT_FALSE(record.withheld());
  EXPECT_TRUE(record.has_public_score());
  EXPECT_TRUE(record.public_improved());
  EXPECT_EQ(record.epochs_total(), 4);
  EXPECT_EQ(record.training_jobs_size(), 2);
  const StoredSubmission stored = Stored(name);
  EXPECT_EQ(stored.sealed.runs(0).seed(), 11u);
  EXPECT_EQ(stored.sealed.runs(1).seed(), 12u);
  EXPECT_EQ(stored.sealed.runs(0).sealed_value(), 0.9);
  EXPECT_EQ(stored.sealed.runs(1).public_value(), 0.85);
  EXPECT_TRUE(VerifyReceipt(stored.sealed.released_receipt(), key_.public_key()).ok());
  const CourseState course = Course();
  EXPECT_EQ(course.graded.at(name).graded.points(), 40);
  EXPECT_EQ(course.graded.at(name).graded.public_rank(), 850'000'000);
  EXPECT_TRUE(course.graded.at(name).released);
  EXPECT_EQ(course.leaked_millibits.at({"ann", "hw1"}), stored.sealed.leak_millibits());
  EXPECT_EQ(course.last_receipt_digest, stored.sealed.receipt_digest());
  EXPECT_TRUE(runner_->AwaitIdle(SteadyNow() + absl::Seconds(1)));
}

TEST_F(RunnerTest, TrainingsAreTheStudentsWithTheServersSeeds) {
  Publish();
  StartRunner();
  const std::string name = Accept("ann", "k");
  WaitForStarts(2);
  std::set<std::string> ids;
  for (size_t i = 0; i < 2; ++i) {
    const GradedTraining training = started()[i];
    EXPECT_EQ(training.owner, "ann");
    EXPECT_EQ(training.submission, name);
    EXPECT_EQ(training.dataset, "datasets/d1");
    EXPECT_EQ(training.spec.seed(), 11 + i);
    EXPECT_EQ(training.priority, v1::JOB_PRIORITY_NORMAL);
    EXPECT_THAT(training.display_name, HasSubstr(absl::StrCat("seed ", i + 1, " of 2")));
    ids.insert(training.request_id);
  }
  EXPECT_THAT(ids, SizeIs(2));
}

TEST_F(RunnerTest, AStudentsRunOneAfterAnotherOthersBeside) {
  Publish();
  StartRunner();
  const std::string first = Accept("ann", "k1"), second = Accept("ann", "k2");
  WaitForStarts(2);
  const std::string other = Accept("bob", "k3");
  WaitForStarts(4);
  for (const GradedTraining& training : started()) EXPECT_NE(training.submission, second);
  // The queue takes turns between the two.
  TrainNext({50, 50, 50, 50});
  EXPECT_EQ(WaitForEnd(first).state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_EQ(WaitForEnd(other).state(), v1::SUBMISSION_STATE_DONE);
  WaitForStarts(6);
  TrainNext({60, 60});
  EXPECT_EQ(WaitForEnd(second).state(), v1::SUBMISSION_STATE_DONE);
  // Her Ladder reports her best; his is his own.
  EXPECT_EQ(Get(second).public_score(), Get(first).public_score());
  EXPECT_FALSE(Get(second).public_improved());
  EXPECT_TRUE(Get(other).public_improved());
}

TEST_F(RunnerTest, TheSameKeyWaitsAndTakesOver) {
  Publish();
  StartRunner();
  const std::string first = Accept("ann", "k");
  WaitForStarts(2);
  const std::string second = Accept("bob", "k");
  TrainNext({50, 50});
  const v1::Submission done = WaitForEnd(first), taken = WaitForEnd(second);
  EXPECT_THAT(started(), SizeIs(2));
  EXPECT_EQ(taken.state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_TRUE(taken.cached());
  EXPECT_FALSE(done.cached());
  EXPECT_EQ(taken.result().SerializeAsString(), done.result().SerializeAsString());
  EXPECT_EQ(taken.training_jobs_size(), 0);  // they are Ann's
  EXPECT_TRUE(taken.has_public_score());
  EXPECT_NE(taken.receipt(), done.receipt());
  // Each has receipts of its own, one after another.
  ASSERT_OK_AND_ASSIGN(const Receipt receipt, ParseReceipt(Stored(second).sealed.staff_receipt()));
  EXPECT_EQ(receipt.fields.previous, Stored(first).sealed.receipt_digest());
  EXPECT_EQ(receipt.fields.student, "bob");
  EXPECT_GT(Course().leaked_millibits.at({"bob", "hw1"}), 0);
}

// Seen where the model is gone: this process knows what it gave, the next one does not.
TEST_F(RunnerTest, AModelIsMeasuredOnPublicDataOnce) {
  Publish();
  StartRunner();
  const std::string first = Accept("ann", "k");
  TrainNext({45, 45});
  const v1::Submission done = WaitForEnd(first);
  const StoredSubmission stored = Stored(first);
  for (const auto& run : stored.sealed.runs()) {
    ASSERT_THAT(models_->Delete(run.model()), IsOk());
  }
  const v1::Submission known = WaitForEnd(Accept("bob", "k"));
  EXPECT_TRUE(known.cached());
  EXPECT_EQ(known.public_score(), done.public_score());
  Restart();
  const std::string unknown = Accept("eve", "k");
  TrainNext({45, 45});
  EXPECT_FALSE(WaitForEnd(unknown).cached());
  EXPECT_EQ(Get(unknown).public_score(), done.public_score());
}

TEST_F(RunnerTest, OfManyWhoSubmitTheSameAtOnceOneTrains) {
  Publish();
  StartRunner();
  for (int round = 0; round < 8; ++round) {
    const std::string key = absl::StrCat("k", round);
    std::vector<std::thread> threads;
    for (const char* student : {"ann", "bob", "eve"}) {
      threads.emplace_back([&, student] {
        SubmissionRunner::NewSubmission request = RequestOf(student, key);
        request.attempts.set_burst(100);
        Accept(request);
      });
    }
    TrainNext({50, 50});
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(runner_->AwaitIdle(SteadyNow() + absl::Seconds(20)));
    ASSERT_THAT(started(), SizeIs(2 * (round + 1)));
  }
}

TEST_F(RunnerTest, AnUngradableOneDoesNotAnswerForAnotherStudent) {
  Publish();
  StartRunner();
  const std::string first = Accept("ann", "k");
  WaitForStarts(2);
  const std::string second = Accept("bob", "k");
  FailWith(*worker_, Assigned(*worker_), v1::ERROR_REASON_NON_FINITE_LOSS,
           v1::FAILURE_CATEGORY_USER);
  const v1::Submission failed = WaitForEnd(first);
  EXPECT_EQ(failed.state(), v1::SUBMISSION_STATE_UNGRADABLE);
  EXPECT_EQ(failed.error().reason(), v1::ERROR_REASON_NON_FINITE_LOSS);
  EXPECT_FALSE(failed.has_result());
  EXPECT_TRUE(Course().graded.empty());
  WaitForStarts(4);
  const std::optional<v1::JobAssignment> next = StopWhatIsTakenBack();
  // Her other training is of no more use.
  EXPECT_EQ(WaitFor(failed.training_jobs(1), v1::JOB_STATE_CANCELLED).state(),
            v1::JOB_STATE_CANCELLED);
  ASSERT_TRUE(next.has_value());
  SucceedWith(*next, 50);
  TrainNext({50});
  EXPECT_EQ(WaitForEnd(second).state(), v1::SUBMISSION_STATE_DONE);
}

TEST_F(RunnerTest, TheSameSpecOfTheSameStudentIsTheSameSubmission) {
  Publish();
  StartRunner();
  SubmissionRunner::NewSubmission request = RequestOf("ann", "k");
  request.attempts.set_burst(1);
  const std::string name = Accept(request);
  EXPECT_EQ(Accept(request), name);
  TrainNext({50, 50});
  WaitForEnd(name);
  EXPECT_EQ(Accept(request), name);
  EXPECT_THAT(started(), SizeIs(2));
}

TEST_F(RunnerTest, ARequestIsRememberedByItsIdAndBody) {
  Publish();
  StartRunner();
  SubmissionRunner::NewSubmission request = RequestOf("ann", "k");
  request.request_id = "c0ffee00-0000-4000-8000-000000000000";
  request.body_digest = "d1";
  EXPECT_EQ(*runner_->FindAccepted("ann", request.request_id, "d1"), std::nullopt);
  const std::string name = Accept(request);
  EXPECT_EQ((*runner_->FindAccepted("ann", request.request_id, "d1"))->name(), name);
  EXPECT_THAT(runner_->FindAccepted("ann", request.request_id, "d2").status(),
              HasReason(ErrorReason::kRequestIdReused));
  EXPECT_EQ(*runner_->FindAccepted("bob", request.request_id, "d1"), std::nullopt);
  EXPECT_EQ(*runner_->FindAccepted("ann", "", "d1"), std::nullopt);
}

TEST_F(RunnerTest, CancelsAtEveryStageThatCanBe) {
  Publish();
  StartRunner();
  const std::string running = Accept("ann", "k1"), waiting = Accept("ann", "k2");
  WaitForStarts(2);
  ASSERT_OK_AND_ASSIGN(const v1::Submission before, runner_->Cancel(waiting));  // of its turn
  EXPECT_EQ(before.state(), v1::SUBMISSION_STATE_CANCELLED);
  EXPECT_EQ(before.training_jobs_size(), 0);
  const std::string queued = Accept("bob", "k3");
  WaitForStarts(4);
  const v1::JobAssignment assignment = Assigned(*worker_);
  WaitForState(running, v1::SUBMISSION_STATE_RUNNING);
  ASSERT_OK_AND_ASSIGN(const v1::Submission of_queued, runner_->Cancel(queued));
  ASSERT_EQ(of_queued.training_jobs_size(), 2);
  for (const std::string& job : of_queued.training_jobs()) WaitFor(job, v1::JOB_STATE_CANCELLED);
  ASSERT_OK_AND_ASSIGN(const v1::Submission of_running, runner_->Cancel(running));
  EXPECT_EQ(of_running.state(), v1::SUBMISSION_STATE_CANCELLED);
  Stop(*worker_, assignment);
  for (const std::string& job : of_running.training_jobs()) WaitFor(job, v1::JOB_STATE_CANCELLED);
  // Once more is the same.
  EXPECT_EQ(runner_->Cancel(running)->state(), v1::SUBMISSION_STATE_CANCELLED);
  EXPECT_TRUE(Course().graded.empty());
  EXPECT_EQ(runner_->CountActive().queued, 0);
}

TEST_F(RunnerTest, WhatHasEndedStaysAndWhatIsNotThereIsNotFound) {
  Publish();
  StartRunner();
  const std::string name = Accept("ann", "k");
  TrainNext({50, 50});
  WaitForEnd(name);
  const absl::Status status = runner_->Cancel(name).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(name)));
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidState));
  EXPECT_EQ(Get(name).state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_THAT(runner_->Cancel("courses/dl/assignments/hw1/submissions/none").status(),
              HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(runner_->Get("nonsense", false).status(), HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(RunnerTest, TrainingsThatCouldNotAllBeStartedAreCancelledWithIt) {
  Publish();
  StartRunner();
  RefuseStarts(
      MakeError(absl::StatusCode::kResourceExhausted, "full", {.reason = ErrorReason::kQueueFull}),
      1);
  const std::string name = Accept("ann", "k");
  WaitForStarts(1);
  const v1::JobAssignment assignment = Assigned(*worker_);
  ASSERT_OK_AND_ASSIGN(const v1::Submission cancelled, runner_->Cancel(name));
  EXPECT_EQ(WaitFor(assignment.job(), v1::JOB_STATE_CANCELLING).state(), v1::JOB_STATE_CANCELLING);
}

TEST_F(RunnerTest, SupersedesWhatHasNotBegun) {
  Publish();
  StartRunner();
  const std::string running = Accept("ann", "k1"), waiting = Accept("ann", "k2");
  WaitForStarts(2);
  const v1::JobAssignment assignment = Assigned(*worker_);
  WaitForState(running, v1::SUBMISSION_STATE_RUNNING);
  SubmissionRunner::NewSubmission request = RequestOf("ann", "k3");
  request.supersede = true;
  const std::string newest = Accept(request);
  EXPECT_EQ(Get(waiting).state(), v1::SUBMISSION_STATE_CANCELLED);
  EXPECT_EQ(Get(running).state(), v1::SUBMISSION_STATE_RUNNING);
  SucceedWith(assignment, 50);
  TrainNext({50, 50, 50});
  EXPECT_EQ(WaitForEnd(running).state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_EQ(WaitForEnd(newest).state(), v1::SUBMISSION_STATE_DONE);
}

TEST_F(RunnerTest, SupersedingGivesAnAttemptBackOrTakesNothing) {
  Publish();
  StartRunner();
  const auto request_of = [](const char* key) {
    SubmissionRunner::NewSubmission request = RequestOf("ann", key);
    request.attempts.set_burst(2);
    request.attempts.set_queued_max(1);
    return request;
  };
  const std::string running = Accept(request_of("k1"));
  WaitForStarts(2);
  const v1::JobAssignment assignment = Assigned(*worker_);
  WaitForState(running, v1::SUBMISSION_STATE_RUNNING);
  const std::string waiting = Accept(request_of("k2"));
  SubmissionRunner::NewSubmission request = request_of("k3");
  request.supersede = true;
  const std::string third = Accept(request);
  EXPECT_EQ(Get(waiting).state(), v1::SUBMISSION_STATE_CANCELLED);
  // With one attempt only, which the running one has, nothing is taken back for nothing.
  request = request_of("k4");
  request.supersede = true;
  request.attempts.set_burst(1);
  EXPECT_THAT(runner_->Accept(request).status(), HasReason(ErrorReason::kAttemptsExhausted));
  EXPECT_EQ(Get(third).state(), v1::SUBMISSION_STATE_QUEUED);
  SucceedWith(assignment, 50);
}

TEST_F(RunnerTest, AttemptsAreCountedAndGivenBack) {
  Publish();
  StartRunner();
  const auto request_of = [](const char* key) {
    SubmissionRunner::NewSubmission request = RequestOf("ann", key);
    request.attempts.set_burst(2);
    request.attempts.set_ungradable_max(1);
    return request;
  };
  const v1::AttemptLimits limits = request_of("").attempts;
  const auto left = [&] {
    return runner_->Attempts({"dl", "hw1"}, "ann", limits, absl::Now())->left;
  };
  EXPECT_EQ(left(), 2);
  const std::string first = Accept(request_of("k1")), second = Accept(request_of("k2"));
  EXPECT_EQ(left(), 0);
  const absl::Status refused = runner_->Accept(request_of("k3")).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no attempt")));
  EXPECT_THAT(refused, HasReason(ErrorReason::kAttemptsExhausted));
  ASSERT_THAT(runner_->Cancel(second), IsOk());
  EXPECT_EQ(left(), 1);
  // One that cannot be trained is free, the next one is not.
  FailWith(*worker_, Assigned(*worker_), v1::ERROR_REASON_NON_FINITE_LOSS,
           v1::FAILURE_CATEGORY_USER);
  EXPECT_EQ(WaitForEnd(first).state(), v1::SUBMISSION_STATE_UNGRADABLE);
  EXPECT_EQ(StopWhatIsTakenBack().has_value(), false);
  EXPECT_EQ(left(), 2);
  const std::string third = Accept(request_of("k3"));
  FailWith(*worker_, Assigned(*worker_), v1::ERROR_REASON_NON_FINITE_LOSS,
           v1::FAILURE_CATEGORY_USER);
  EXPECT_EQ(WaitForEnd(third).state(), v1::SUBMISSION_STATE_UNGRADABLE);
  EXPECT_EQ(left(), 1);
  EXPECT_EQ(runner_->Attempts({"dl", "hw1"}, "bob", limits, absl::Now())->left, 2);
  // What was taken back may be handed in again.
  EXPECT_NE(Accept(request_of("k2")), second);
  EXPECT_EQ(left(), 0);
}

TEST_F(RunnerTest, AQueueHasAnEnd) {
  Publish();
  StartRunner();
  const auto request_of = [](const char* key) {
    SubmissionRunner::NewSubmission request = RequestOf("ann", key);
    request.attempts.set_queued_max(1);
    return request;
  };
  Accept(request_of("k1"));
  Accept(request_of("k2"));
  EXPECT_THAT(runner_->Accept(request_of("k3")).status(), HasReason(ErrorReason::kQueueFull));
  EXPECT_THAT(Accept("bob", "k3"), HasSubstr("/submissions/"));
}

TEST_F(RunnerTest, FaultsOfOursAreTriedAgainWithNewTrainingsThreeTimes) {
  Publish();
  StartRunner();
  const std::string name = Accept("ann", "k");
  WaitForStarts(2);
  // Another one's hand on a job is a fault of ours.
  for (size_t start = 1; start <= 3; ++start) {
    WaitForStarts(2 * start);
    WaitUntil([&] {
      return Get(name).training_jobs_size() == 2 &&
             Get(name).infra_failures() == static_cast<int>(start) - 1;
    });
    const std::string job = Get(name).training_jobs(1);
    EXPECT_THAT(manager_->Cancel(job, "ann").status(), IsOk());
    if (start < 3) WaitUntil([&] { return Get(name).infra_failures() == static_cast<int>(start); });
  }
  const v1::Submission record = WaitForEnd(name);
  EXPECT_EQ(record.state(), v1::SUBMISSION_STATE_INFRA_ERROR);
  EXPECT_EQ(record.infra_failures(), 3);
  EXPECT_EQ(record.error().category(), v1::FAILURE_CATEGORY_INFRA);
  std::set<std::string> ids;
  for (const GradedTraining& training : started()) ids.insert(training.request_id);
  EXPECT_THAT(ids, SizeIs(6));
  EXPECT_EQ(runner_->Attempts({"dl", "hw1"}, "ann", ResolveAttempts({}), absl::Now())->left, 5);
  // It may be handed in again.
  EXPECT_NE(Accept("ann", "k"), name);
}

TEST_F(RunnerTest, AFullQueueIsWaitedForAndARefusedSpecIsNot) {
  Publish();
  StartRunner();
  RefuseStarts(
      MakeError(absl::StatusCode::kResourceExhausted, "full", {.reason = ErrorReason::kQueueFull}));
  const std::string name = Accept("ann", "k");
  absl::SleepFor(absl::Milliseconds(1'500));
  EXPECT_EQ(Get(name).state(), v1::SUBMISSION_STATE_QUEUED);
  EXPECT_EQ(Get(name).infra_failures(), 0);
  RefuseStarts(absl::OkStatus());
  TrainNext({50, 50});
  EXPECT_EQ(WaitForEnd(name).state(), v1::SUBMISSION_STATE_DONE);
  RefuseStarts(
      MakeError(absl::StatusCode::kResourceExhausted, "large", {.reason = ErrorReason::kTooLarge}));
  EXPECT_EQ(WaitForEnd(Accept("ann", "k2")).state(), v1::SUBMISSION_STATE_INFRA_ERROR);
  RefuseStarts(
      MakeError(absl::StatusCode::kInvalidArgument, "bad", {.reason = ErrorReason::kInvalidSpec}));
  EXPECT_EQ(WaitForEnd(Accept("ann", "k3")).state(), v1::SUBMISSION_STATE_INFRA_ERROR);
}

TEST_F(RunnerTest, GoesOnAfterARestartAndDoesNotTrainTwice) {
  Publish();
  StartRunner();
  const std::string name = Accept("ann", "k1"), waiting = Accept("ann", "k2");
  WaitForStarts(2);
  TrainNext({50});
  WaitForState(name, v1::SUBMISSION_STATE_RUNNING);
  Restart();
  EXPECT_EQ(runner_->CountActive().queued + runner_->CountActive().running, 2);
  TrainNext({50});
  EXPECT_EQ(WaitForEnd(name).state(), v1::SUBMISSION_STATE_DONE);
  WaitForStarts(4);
  TrainNext({50, 50});
  EXPECT_EQ(WaitForEnd(waiting).state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_THAT(started(), SizeIs(4));
}

TEST_F(RunnerTest, WhoTrainsForAKeyIsTheSameAfterARestart) {
  Publish();
  StartRunner();
  // Ann's second waits for her first, so that Bob trains, though hers is older.
  const std::string first = Accept("ann", "k1");
  WaitForStarts(2);
  const std::string older = Accept("ann", "k"), younger = Accept("bob", "k");
  WaitForStarts(4);
  WaitUntil([&] { return Stored(younger).record.training_jobs_size() == 2; });
  ASSERT_THAT(runner_->Cancel(first), IsOk());
  Restart();
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_THAT(started(), SizeIs(4));
  // Known to be Bob's, they are cancelled with his.
  ASSERT_OK_AND_ASSIGN(const v1::Submission cancelled, runner_->Cancel(younger));
  ASSERT_EQ(cancelled.training_jobs_size(), 2);
  EXPECT_EQ(WaitFor(cancelled.training_jobs(1), v1::JOB_STATE_CANCELLED).state(),
            v1::JOB_STATE_CANCELLED);
  WaitForStarts(6);
  EXPECT_EQ(started()[4].submission, older);
}

TEST_F(RunnerTest, ListenersAreCalledOnce) {
  Publish();
  StartRunner();
  std::atomic<int> calls = 0, gone = 0, late = 0;
  const std::string name = Accept("ann", "k");
  const auto subscription = runner_->Subscribe(name, [&] { ++calls; });
  runner_->Subscribe(name, [&] { ++gone; }).reset();
  TrainNext({50});
  EXPECT_EQ(calls, 0);
  TrainNext({50});
  WaitForEnd(name);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(gone, 0);
  const auto at_once = runner_->Subscribe(name, [&] { ++late; });
  EXPECT_EQ(late, 1);
  EXPECT_TRUE(runner_->AwaitIdle(SteadyNow() + absl::Seconds(1)));
  EXPECT_EQ(calls, 1);
}

TEST_F(RunnerTest, PointsOfAnOpenAssignmentWaitForTheClose) {
  Publish("release: POINTS_RELEASE_AFTER_CLOSE closes: '2999-01-01 00:00:00'");
  StartRunner();
  const std::string name = Accept("ann", "k");
  TrainNext({50, 50});
  v1::Submission record = WaitForEnd(name);
  EXPECT_TRUE(record.withheld());
  EXPECT_FALSE(record.has_result());
  EXPECT_TRUE(record.has_public_score());
  EXPECT_EQ(Get(name, /*staff=*/true).result().points(), 100);
  EXPECT_EQ(Stored(name).sealed.released_receipt(), "");
  EXPECT_TRUE(Course().leaked_millibits.empty());
  absl::SleepFor(absl::Milliseconds(1'200));
  EXPECT_TRUE(Get(name).withheld());
  Publish("release: POINTS_RELEASE_AFTER_CLOSE closes: '2001-01-01 00:00:00'");
  // The row is durable an instant before the course's state has it.
  WaitUntil([&] { return Course().leaked_millibits.contains({"ann", "hw1"}); });
  record = Get(name);
  EXPECT_EQ(record.result().points(), 100);
  EXPECT_TRUE(Course().graded.at(name).released);
  EXPECT_GT(Course().leaked_millibits.at({"ann", "hw1"}), 0);
  EXPECT_TRUE(VerifyReceipt(Stored(name).sealed.released_receipt(), key_.public_key()).ok());
}

TEST_F(RunnerTest, AnExtensionHoldsTheReleaseUp) {
  Publish("release: POINTS_RELEASE_AFTER_CLOSE closes: '2999-01-01 00:00:00'");
  StartRunner();
  const std::string name = Accept("ann", "k");
  TrainNext({50, 50});
  WaitForEnd(name);
  AddEvent(EventOf(
      R"(adjustment_made { id: "a1" student: "bob" assignment: "hw1" kind: EXTEND reason: "r"
                        extension { seconds: 34000000 } })"));
  const absl::CivilSecond hour_ago =
      absl::ToCivilSecond(absl::Now() - absl::Hours(1), absl::UTCTimeZone());
  // In the course's zone, which is ahead of UTC.
  Publish(absl::StrCat(
      "release: POINTS_RELEASE_AFTER_CLOSE closes: '",
      absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromCivil(hour_ago, absl::UTCTimeZone()),
                       absl::UTCTimeZone()),
      "'"));
  absl::SleepFor(absl::Milliseconds(1'200));
  EXPECT_TRUE(Get(name).withheld());
  AddEvent(EventOf(R"(adjustment_revoked { id: "a1" })"));
  WaitUntil([&] { return !Get(name).withheld(); });
}

TEST_F(RunnerTest, PointsBeyondTheLeakLimitAreWithheld) {
  Publish("leak_limits { student_bits_max: 7 } closes: '2999-01-01 00:00:00'");
  StartRunner();
  const std::string first = Accept("ann", "k1"), second = Accept("ann", "k2"),
                    other = Accept("bob", "k1");
  TrainNext({50, 50, 60, 60});
  EXPECT_FALSE(WaitForEnd(first).withheld());
  EXPECT_TRUE(WaitForEnd(second).withheld());
  EXPECT_FALSE(WaitForEnd(other).withheld());
  EXPECT_LE(Course().leaked_millibits.at({"ann", "hw1"}), 7'000);
  EXPECT_EQ(Course().graded.at(second).released, false);
}

TEST_F(RunnerTest, AReplayComparesTheBits) {
  Publish("replay_fraction: 1");
  StartRunner();
  const std::string name = Accept("ann", "k");
  TrainNext({50, 50});
  EXPECT_EQ(WaitForEnd(name).state(), v1::SUBMISSION_STATE_DONE);
  TrainNext({50, 50});
  ASSERT_TRUE(runner_->AwaitIdle(SteadyNow() + absl::Seconds(20)));
  ASSERT_THAT(Again(), SizeIs(1));
  EXPECT_TRUE(Again()[0].sealed.replay_equal());
  EXPECT_EQ(Again()[0].record.original(), name);
  EXPECT_EQ(Again()[0].record.state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_EQ(started()[2].owner, kGradingOwner);
  EXPECT_EQ(started()[2].priority, v1::JOB_PRIORITY_BATCH);
  EXPECT_EQ(started()[2].spec.seed(), 11u);
  // It is no submission, no grade and no attempt.
  EXPECT_THAT(Course().graded, SizeIs(1));
  EXPECT_EQ(runner_->Attempts({"dl", "hw1"}, "ann", ResolveAttempts({}), absl::Now())->left, 4);
  Accept("ann", "k2");
  TrainNext({50, 50, 50, 51});
  ASSERT_TRUE(runner_->AwaitIdle(SteadyNow() + absl::Seconds(20)));
  ASSERT_THAT(Again(), SizeIs(2));
  EXPECT_FALSE(Again()[1].sealed.replay_equal());
}

TEST_F(RunnerTest, TheSameRequestTwiceAtOnceIsOne) {
  Publish();
  StartRunner();
  SubmissionRunner::NewSubmission request = RequestOf("ann", "k");
  request.request_id = "11111111-1111-4111-8111-111111111111";
  request.body_digest = "digest";
  std::vector<std::string> names(4);
  std::vector<std::thread> threads;
  for (std::string& name : names) threads.emplace_back([&] { name = Accept(request); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& name : names) EXPECT_EQ(name, names[0]);
}

TEST_F(RunnerTest, CancellationsAreFreeUpToALimit) {
  constexpr int kFree = SubmissionRunner::kFreeCancellationsMax;
  StartRunner();
  const v1::AttemptLimits limits = ResolveAttempts({});
  const absl::Time now = absl::Now();
  StoredSubmission cancelled = RequestOf("ann", "k").submission;
  cancelled.record.set_cause(v1::SUBMISSION_CAUSE_SUBMIT);
  cancelled.record.set_state(v1::SUBMISSION_STATE_CANCELLED);
  for (int i = 0; i < kFree; ++i) Insert(cancelled, absl::StrCat("c", i));
  EXPECT_EQ(runner_->Attempts({"dl", "hw1"}, "ann", limits, now)->left, limits.burst());
  Insert(cancelled, "one-more");
  EXPECT_EQ(runner_->Attempts({"dl", "hw1"}, "ann", limits, now)->left, limits.burst() - 1);
}

// It is asked to end while its trainings are being started, so it has not ended yet.
TEST_F(RunnerTest, WhatIsBeingCancelledAnswersNobody) {
  Publish();
  StartRunner();
  LetStart(false);
  const std::string first = Accept("ann", "k");
  WaitUntil([&] { return starting() > 0; });
  std::thread cancel([&] { EXPECT_THAT(runner_->Cancel(first), IsOk()); });
  std::string second = first;
  const absl::Time deadline = SteadyNow() + absl::Seconds(4);
  while (second == first && SteadyNow() < deadline) second = Accept("ann", "k");
  EXPECT_NE(second, first);
  LetStart(true);
  cancel.join();
  EXPECT_EQ(Get(first).state(), v1::SUBMISSION_STATE_CANCELLED);
  EXPECT_NE(Get(second).state(), v1::SUBMISSION_STATE_CANCELLED);
}

TEST_F(RunnerTest, WhatCannotEndInTimeIsSaidToEndLater) {
  Publish();
  StartRunner();
  LetStart(false);
  const std::string name = Accept("ann", "k");
  WaitUntil([&] { return starting() > 0; });
  EXPECT_THAT(runner_->Cancel(name), HasReason(ErrorReason::kQueueFull));
  LetStart(true);
  EXPECT_EQ(WaitForEnd(name).state(), v1::SUBMISSION_STATE_CANCELLED);
}

TEST_F(RunnerTest, RegradesLeaveStudentsRoom) {
  constexpr size_t kAtOnce = SubmissionRunner::kAgainAtOnce;
  Publish();
  StartRunner();
  StoredSubmission again = RequestOf("ann", "k").submission;
  again.record.set_cause(v1::SUBMISSION_CAUSE_REGRADE);
  again.record.set_state(v1::SUBMISSION_STATE_QUEUED);
  std::vector<StoredSubmission> rows;
  for (size_t i = 0; i < kAtOnce + 5; ++i) rows.push_back(Insert(again, absl::StrCat("g", i)));
  runner_->Take(rows);
  WaitForStarts(2 * kAtOnce);
  const std::string name = Accept("bob", "other");
  WaitForStarts(2 * kAtOnce + 2);
  EXPECT_EQ(started().back().submission, name);
  absl::SleepFor(absl::Seconds(2));  // the sweep has asked again
  EXPECT_THAT(started(), SizeIs(2 * kAtOnce + 2));
}

// Sealed data stays the same when a deadline is moved.
TEST_F(RunnerTest, TheNewestVersionsDeadlineCounts) {
  Publish(R"(release: POINTS_RELEASE_AFTER_CLOSE closes: "2020-01-01 00:00:00")");
  Publish(R"(release: POINTS_RELEASE_AFTER_CLOSE closes: "2120-01-01 00:00:00")");
  StartRunner();
  const std::string name = Accept(RequestOf("ann", "k", 1));
  TrainNext({50, 50});
  EXPECT_TRUE(WaitForEnd(name).withheld());
  EXPECT_FALSE(Get(name).has_result());
}

TEST_F(RunnerTest, ARegradeTrainsTheAcceptedSpecAndGradesNobody) {
  Publish();
  StartRunner();
  const std::string name = Accept("ann", "k");
  TrainNext({50, 50});
  WaitForEnd(name);
  Publish("score_rule { steps { threshold: 0.95 points: 100 } }");
  StoredSubmission again{.cache_key = "k-v2"};
  again.record = AgainOf(Stored(name).record, v1::SUBMISSION_CAUSE_REGRADE);
  EXPECT_FALSE(again.record.has_result());
  again.record.set_name("courses/dl/assignments/hw1/submissions/again");
  again.record.set_assignment_version(2);
  *again.sealed.mutable_seeds() = Stored(name).sealed.seeds();
  ASSERT_THAT(database_->Write(
                  [&](Connection& connection) { return InsertSubmission(connection, &again); }),
              IsOk());
  const std::string regraded = again.record.name();
  runner_->Take({std::move(again)});
  TrainNext({40, 40});
  EXPECT_EQ(WaitForEnd(regraded).state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_EQ(Stored(regraded).sealed.result().points(), 100);
  EXPECT_EQ(Stored(regraded).record.accepted_at().seconds(),
            Stored(name).record.accepted_at().seconds());
  EXPECT_FALSE(Get(regraded).has_result());
  EXPECT_THAT(Course().graded, SizeIs(1));
  // Who submits that now takes over what was measured, but not jobs that are not the student's.
  SubmissionRunner::NewSubmission request = RequestOf("ann", "k-v2", 2);
  const v1::Submission taken = WaitForEnd(Accept(request));
  EXPECT_TRUE(taken.cached());
  EXPECT_EQ(taken.training_jobs_size(), 0);
  EXPECT_EQ(taken.result().points(), 100);
}

// The row that says it is over cannot be written; everything else can.
TEST_F(RunnerTest, WhatCannotBeMadeDurableIsNotOver) {
  Publish();
  StartRunner();
  const std::string name = Accept("ann", "k");
  WaitForStarts(2);
  ASSERT_THAT(database_->Write([](Connection& connection) {
    return connection.Run(
        "CREATE TRIGGER t BEFORE UPDATE ON submissions WHEN NEW.state = 4 "
        "BEGIN SELECT RAISE(ABORT, 'no'); END");
  }),
              IsOk());
  TrainNext({50, 50});
  WaitUntil([&] { return Get(name).infra_failures() == 1; });
  const StoredSubmission stored = Stored(name);
  EXPECT_EQ(stored.record.state(), v1::SUBMISSION_STATE_QUEUED);
  EXPECT_FALSE(stored.record.has_finish_time());
  EXPECT_FALSE(stored.sealed.has_result());
  EXPECT_TRUE(Course().graded.empty());
  ASSERT_THAT(
      database_->Write([](Connection& connection) { return connection.Run("DROP TRIGGER t"); }),
      IsOk());
  TrainNext({50, 50});
  const v1::Submission record = WaitForEnd(name);
  EXPECT_EQ(record.state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_EQ(record.epochs_total(), 4);
  EXPECT_THAT(Course().graded, SizeIs(1));
}

TEST_F(RunnerTest, AReceiptThatCannotBeWrittenIsNoFaultOfTheStudent) {
  Publish();
  AddEvent(EventOf(R"(policy_set { version: 2 digest: "none" })"));
  StartRunner();
  const std::string name = Accept("ann", "k");
  TrainNext({50, 50, 50, 50, 50, 50});
  const v1::Submission record = WaitForEnd(name);
  EXPECT_EQ(record.state(), v1::SUBMISSION_STATE_INFRA_ERROR);
  EXPECT_EQ(record.error().category(), v1::FAILURE_CATEGORY_INFRA);
  EXPECT_TRUE(Course().graded.empty());
}

TEST_F(RunnerTest, APointsTargetGetsADeliveryWithTheRelease) {
  Publish();
  AddEvent(EventOf(
      R"(delivery_target_set { kind: CHECK_RUN url: "https://hook.example/x" repository_prefix: "dl-" })"));
  StartRunner();
  const std::string name = Accept("ann", "k");
  EXPECT_EQ(wakes(), 0);
  TrainNext({50, 50});
  WaitForEnd(name);
  EXPECT_EQ(wakes(), 1);
  int64_t count = 0;
  EXPECT_THAT(database_->Read([&](Connection& connection) -> absl::Status {
    auto rows = connection.Prepare("SELECT count(*) FROM deliveries");
    EXPECT_THAT(rows->Step(), IsOk());
    count = rows->Int(0);
    return absl::OkStatus();
  }),
              IsOk());
  EXPECT_EQ(count, 1);
}

TEST_F(RunnerTest, CanBeStoppedWhileEverythingMoves) {
  Publish();
  for (int round = 0; round < 6; ++round) {
    StartRunner();
    for (const char* student : {"ann", "bob", "eve"}) {
      SubmissionRunner::NewSubmission request = RequestOf(student, absl::StrCat(student, round));
      request.attempts.set_burst(100);
      request.attempts.set_queued_max(100);
      Accept(request);
    }
    const auto message = worker_->Next(absl::Milliseconds(300 * (round % 2)));
    if (message.has_value() && message->has_assignment()) SucceedWith(message->assignment(), 50);
    StopRunner();
  }
  StartRunner();
  while (!runner_->AwaitIdle(SteadyNow())) {
    const auto message = worker_->Next(absl::Milliseconds(200));
    if (message.has_value() && message->has_assignment()) SucceedWith(message->assignment(), 50);
  }
  EXPECT_THAT(Course().graded, SizeIs(18));
  EXPECT_THAT(started(), SizeIs(36));
}

TEST(SampledForReplayTest, IsTheShareThatWasAskedFor) {
  constexpr int kNames = 100'000;
  for (const double fraction : {0.0, 0.02, 0.5, 1.0}) {
    int sampled = 0;
    for (int i = 0; i < kNames; ++i)
      sampled +=
          SampledForReplay(absl::StrCat("courses/c/assignments/a/submissions/s", i), fraction);
    // Five standard deviations of a binomial.
    const double bound = 5 * std::sqrt(kNames * fraction * (1 - fraction));
    EXPECT_LE(std::abs(sampled - kNames * fraction), bound) << fraction;
  }
  EXPECT_EQ(SampledForReplay("a", 0.5), SampledForReplay("a", 0.5));
}

}  // namespace
}  // namespace trainyard
