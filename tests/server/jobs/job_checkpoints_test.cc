// Checkpoints as the JobManager keeps them: what the next attempt is given, what the log makes of
// it, and which blobs stay.
#include "gmock/gmock.h"
#include "server/base/steady_clock.h"
#include "server/storage/blob_references.h"
#include "tests/server/jobs/job_manager_fixture.h"

namespace trainyard {
namespace {

using testing::ElementsAre;

class JobCheckpointsTest : public JobManagerTest {
 protected:
  static std::vector<int64_t> StepsOf(const v1::JobAssignment& assignment) {
    std::vector<int64_t> steps;
    for (const v1::Checkpoint& checkpoint : assignment.checkpoints()) {
      steps.push_back(checkpoint.step());
    }
    return steps;
  }
  bool IsThere(absl::string_view bytes) { return blobs_->Path(Sha256Digest(bytes)).ok(); }
  // Blobs go behind the commit that drops them.
  void ExpectGone(absl::string_view bytes) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (IsThere(bytes) && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(2));
    EXPECT_FALSE(IsThere(bytes));
  }
};

TEST_F(JobCheckpointsTest, TheNextAttemptGoesOnFromTheNewestAndTheLogGoesOn) {
  const std::string name = Submit();
  FakeWorkerSession first, second;
  manager_->Connect(&first);
  const v1::JobAssignment assignment = Assigned(first);
  EXPECT_EQ(assignment.checkpoints_size(), 0);
  EXPECT_EQ(assignment.checkpoint_interval().seconds(), 30);
  TrainAndSave(first, assignment, {0.7, 0.6}, "after two");
  Train(first, assignment, {0.5, 0.4}, 2);
  manager_->Disconnect(&first, v1::ERROR_REASON_UNSPECIFIED);
  manager_->Connect(&second);
  const v1::JobAssignment again = Assigned(second);
  EXPECT_THAT(StepsOf(again), ElementsAre(2));
  Train(second, again, {0.5, 0.4, 0.3}, 2);
  Succeed(second, again);
  const v1::TrainingJob job = WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name),
            "PENDING RUNNING step0=0.7 step1=0.6 saved2 step2=0.5 step3=0.4 PENDING RUNNING "
            "step4=0.3 SUCCEEDED");
  EXPECT_EQ(job.progress().steps_done(), 5);
  EXPECT_EQ(job.checkpoint_step(), 2);
  ExpectGone("after two");
}

TEST_F(JobCheckpointsTest, TheNextServerKnowsThem) {
  const std::string name = Submit();
  FakeWorkerSession first;
  manager_->Connect(&first);
  const v1::JobAssignment assignment = Assigned(first);
  TrainAndSave(first, assignment, {0.7}, "after one");
  TrainAndSave(first, assignment, {0.6}, "after two", 1);
  Train(first, assignment, {0.5}, 2);
  Reopen();
  EXPECT_EQ(SweepBlobs(*database_, *blobs_).value(), 0);
  FakeWorkerSession second;
  manager_->Connect(&second);
  const v1::JobAssignment again = Assigned(second);
  EXPECT_THAT(StepsOf(again), ElementsAre(2, 1));
  // The newest could not be read: it goes on from the one before.
  Train(second, again, {0.6, 0.5, 0.4}, 1);
  Succeed(second, again);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name),
            "PENDING RUNNING step0=0.7 saved1 step1=0.6 saved2 step2=0.5 PENDING RUNNING step3=0.4 "
            "SUCCEEDED");
}

TEST_F(JobCheckpointsTest, TwoAreKeptAndNoneOfAJobThatIsOver) {
  const std::string name = Submit();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const v1::JobAssignment assignment = Assigned(worker);
  TrainAndSave(worker, assignment, {0.7}, "one");
  TrainAndSave(worker, assignment, {0.6}, "two", 1);
  TrainAndSave(worker, assignment, {0.5}, "three", 2);
  ExpectGone("one");
  EXPECT_TRUE(IsThere("two"));
  EXPECT_TRUE(IsThere("three"));
  ASSERT_THAT(manager_->Cancel(name, "ann"), IsOk());
  Stop(worker, assignment);
  WaitFor(name, v1::JOB_STATE_CANCELLED);
  ExpectGone("two");
  ExpectGone("three");
}

TEST_F(JobCheckpointsTest, PauseAsksForOneAndResumeGoesOnFromIt) {
  const std::string name = Submit();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const v1::JobAssignment assignment = Assigned(worker);
  std::thread pause([&] { EXPECT_THAT(manager_->Pause(name, "ann"), IsOk()); });
  const auto asked = worker.Next();
  ASSERT_TRUE(asked.has_value());
  EXPECT_TRUE(asked->stop().yield());
  TrainAndSave(worker, assignment, {0.7}, "one");
  Stop(worker, assignment);
  pause.join();
  EXPECT_EQ(manager_->Get(name)->state(), v1::JOB_STATE_PAUSED);
  ASSERT_THAT(manager_->Resume(name, "ann"), IsOk());
  const v1::JobAssignment again = Assigned(worker);
  EXPECT_THAT(StepsOf(again), ElementsAre(1));
  Train(worker, again, {0.6}, 1);
  Succeed(worker, again);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name),
            "PENDING RUNNING step0=0.7 saved1 PAUSED PENDING RUNNING step1=0.6 SUCCEEDED");
}

TEST_F(JobCheckpointsTest, ADrainAsksForThemAndWaits) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string name = Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  manager_->BeginDrain();
  EXPECT_TRUE(worker.Next()->stop().yield());
  EXPECT_FALSE(manager_->AwaitIdle(SteadyNow() + absl::Milliseconds(5)));
  TrainAndSave(worker, assignment, {0.7}, "one");
  Stop(worker, assignment);
  EXPECT_TRUE(manager_->AwaitIdle(SteadyNow() + absl::Seconds(10)));
  WaitFor(name, v1::JOB_STATE_PENDING);
  Reopen();
  FakeWorkerSession next;
  manager_->Connect(&next);
  EXPECT_THAT(StepsOf(Assigned(next)), ElementsAre(1));
}

TEST_F(JobCheckpointsTest, ARewindMakesLaterOnesVoid) {
  const std::string name = Submit();
  FakeWorkerSession first;
  manager_->Connect(&first);
  const v1::JobAssignment assignment = Assigned(first);
  TrainAndSave(first, assignment, {0.7}, "one");
  TrainAndSave(first, assignment, {0.6, 0.5}, "three", 1);
  Reopen();
  FakeWorkerSession second, third;
  manager_->Connect(&second);
  const v1::JobAssignment again = Assigned(second);
  Train(second, again, {0.61, 0.51}, 1);  // another CPU
  manager_->Disconnect(&second, v1::ERROR_REASON_UNSPECIFIED);
  WaitFor(name, v1::JOB_STATE_PENDING);
  ExpectGone("three");
  manager_->Connect(&third);
  const v1::JobAssignment last = Assigned(third);
  EXPECT_THAT(StepsOf(last), ElementsAre(1));
  Train(third, last, {0.61, 0.51, 0.41}, 1);
  Succeed(third, last);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name),
            "PENDING RUNNING step0=0.7 saved1 step1=0.6 step2=0.5 saved3 PENDING RUNNING rewind1 "
            "step1=0.61 step2=0.51 PENDING RUNNING step3=0.41 SUCCEEDED");
}

TEST_F(JobCheckpointsTest, OneThatCannotBeGoneOnFromIsGivenUpAndTheJobBeginsAnew) {
  const std::string name = Submit();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  v1::JobAssignment assignment = Assigned(worker);
  TrainAndSave(worker, assignment, {0.7}, "one");
  Stop(worker, assignment);  // unasked: as good as lost
  assignment = Assigned(worker);
  FailWith(worker, assignment, v1::ERROR_REASON_CORRUPT_CHECKPOINT, v1::FAILURE_CATEGORY_INFRA);
  assignment = Assigned(worker);
  EXPECT_EQ(assignment.checkpoints_size(), 0);
  ExpectGone("one");
}

TEST_F(JobCheckpointsTest, OneWhoseBlobIsNotThereIsNoCheckpoint) {
  const std::string name = Submit();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const v1::JobAssignment assignment = Assigned(worker);
  v1::EventBatch batch = BatchOf(assignment, {0.7});
  AddCheckpoint("one", &batch);
  ASSERT_THAT(blobs_->Remove(Sha256Digest("one")), IsOk());
  manager_->OnEvents(&worker, batch);
  Stop(worker, assignment);
  EXPECT_EQ(Assigned(worker).checkpoints_size(), 0);
  EXPECT_EQ(LogOf(name).find("saved"), std::string::npos);
}

TEST_F(JobCheckpointsTest, ProgressBetweenFailuresCounts) {
  const std::string name = Submit();
  for (int64_t step = 0; step < 5; ++step) {
    FakeWorkerSession worker;
    manager_->Connect(&worker);
    TrainAndSave(worker, Assigned(worker), {0.7}, absl::StrCat("after ", step), step);
    manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  }
  FakeWorkerSession last;
  manager_->Connect(&last);
  const v1::JobAssignment sixth = Assigned(last);
  EXPECT_EQ(sixth.attempt(), 6);
  Succeed(last, sixth);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobCheckpointsTest, TheRuntimeOfEarlierAttemptsCounts) {
  v1::TrainingJob wanted = NewJob();
  wanted.mutable_resolved_spec()->mutable_max_runtime()->set_seconds(3600);
  const std::string name = manager_->Submit(wanted, "", "")->name();
  FakeWorkerSession first, second;
  manager_->Connect(&first);
  v1::EventBatch batch = BatchOf(Assigned(first), {0.7});
  AddCheckpoint("one", &batch);
  batch.mutable_checkpoint()->set_busy_seconds(3610);  // the limit and the grace, both
  manager_->OnEvents(&first, batch);
  manager_->Disconnect(&first, v1::ERROR_REASON_UNSPECIFIED);
  manager_->Connect(&second);
  Assigned(second);
  WaitForKill(0);
}

}  // namespace
}  // namespace trainyard
