// What JobManager makes of the scheduler: priorities, preemption, explained waiting, a full disk,
// and finished jobs that are reused.
#include <atomic>

#include "gmock/gmock.h"
#include "server/base/version.h"
#include "tests/server/jobs/job_manager_fixture.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

class JobQueueTest : public JobManagerTest {
 protected:
  std::string SubmitAs(v1::JobPriority priority, absl::string_view owner = "ann",
                       double flops = 0) {
    v1::TrainingJob job = NewJob(1, owner);
    job.set_priority(priority);
    job.mutable_estimate()->set_flops(flops);
    absl::StatusOr<v1::TrainingJob> submitted = manager_->Submit(std::move(job), "", "");
    TY_CHECK(submitted.ok());
    return submitted->name();
  }
  void Restart() {
    manager_.reset();
    database_.reset();
    Open();
  }
};

TEST_F(JobQueueTest, InteractiveGoesFirstThenNormalThenBatch) {
  const std::string batch = SubmitAs(v1::JOB_PRIORITY_BATCH);
  const std::string normal = SubmitAs(v1::JOB_PRIORITY_NORMAL);
  const std::string interactive = SubmitAs(v1::JOB_PRIORITY_INTERACTIVE);
  EXPECT_EQ(manager_->Get(batch)->queue_position(), 3);
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  for (const std::string& name : {interactive, normal, batch}) {
    const v1::JobAssignment assignment = Assigned(worker);
    EXPECT_EQ(assignment.job(), name);
    Succeed(worker, assignment);
  }
}

TEST_F(JobQueueTest, APriorityMayBeChangedWhileItWaits) {
  const std::string first = SubmitAs(v1::JOB_PRIORITY_NORMAL);
  const std::string second = SubmitAs(v1::JOB_PRIORITY_NORMAL);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob changed,
                       manager_->SetPriority(second, v1::JOB_PRIORITY_INTERACTIVE, "ann"));
  EXPECT_EQ(changed.queue_position(), 1);
  EXPECT_EQ(changed.priority(), v1::JOB_PRIORITY_INTERACTIVE);
  Restart();
  EXPECT_EQ(manager_->Get(second)->queue_position(), 1);
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const v1::JobAssignment assignment = Assigned(worker);
  EXPECT_EQ(assignment.job(), second);
  Succeed(worker, assignment);
  WaitFor(second, v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(manager_->SetPriority(second, v1::JOB_PRIORITY_BATCH, "ann"),
              HasReason(ErrorReason::kInvalidState));
  EXPECT_TRUE(absl::IsNotFound(
      manager_->SetPriority("trainingJobs/none", v1::JOB_PRIORITY_BATCH, "ann").status()));
}

class JobPreemptionTest : public JobQueueTest {
 protected:
  JobPreemptionTest() {
    options_.preempt_after = absl::Milliseconds(50);
    options_.preempt_quantum = absl::Milliseconds(20);
    Restart();
  }
};

TEST_F(JobPreemptionTest, ABatchJobYieldsToAnInteractiveOneAndGoesOnAfterwards) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string batch = SubmitAs(v1::JOB_PRIORITY_BATCH);
  const v1::JobAssignment first = Assigned(worker);
  const absl::Time start = absl::Now();
  const std::string interactive = SubmitAs(v1::JOB_PRIORITY_INTERACTIVE);
  const auto asked = worker.Next();
  ASSERT_TRUE(asked.has_value());
  EXPECT_TRUE(asked->stop().yield());
  EXPECT_EQ(asked->stop().job(), batch);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(49));
  Stop(worker, first);
  const v1::JobAssignment second = Assigned(worker);
  EXPECT_EQ(second.job(), interactive);
  EXPECT_EQ(WaitFor(batch, v1::JOB_STATE_PENDING).queue_position(), 1);
  Succeed(worker, second);
  const v1::JobAssignment again = Assigned(worker);
  EXPECT_EQ(again.job(), batch);
  EXPECT_EQ(again.attempt(), 2);
  Succeed(worker, again);
  WaitFor(batch, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(batch), "PENDING RUNNING PENDING RUNNING SUCCEEDED");
}

TEST_F(JobPreemptionTest, YieldingIsNoFailureHoweverOftenItHappens) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string batch = SubmitAs(v1::JOB_PRIORITY_BATCH);
  for (int round = 0; round < 5; ++round) {
    const v1::JobAssignment assignment = Assigned(worker);
    ASSERT_EQ(assignment.job(), batch);
    SubmitAs(v1::JOB_PRIORITY_INTERACTIVE);
    ASSERT_TRUE(worker.Next()->has_stop());
    Stop(worker, assignment);
    Succeed(worker, Assigned(worker));
  }
  Succeed(worker, Assigned(worker));
  EXPECT_EQ(WaitFor(batch, v1::JOB_STATE_SUCCEEDED).attempt(), 6);
}

TEST_F(JobPreemptionTest, OneThatDoesNotYieldInTimeIsKilledAndQueuedAgain) {
  options_.cancel_grace = absl::Milliseconds(50);
  Restart();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string batch = SubmitAs(v1::JOB_PRIORITY_BATCH);
  Assigned(worker);
  SubmitAs(v1::JOB_PRIORITY_INTERACTIVE);
  WaitForKill(0);
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  WaitFor(batch, v1::JOB_STATE_PENDING);
}

TEST_F(JobPreemptionTest, NormalJobsKeepTheirWorkers) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  SubmitAs(v1::JOB_PRIORITY_NORMAL);
  Assigned(worker);
  SubmitAs(v1::JOB_PRIORITY_INTERACTIVE);
  EXPECT_FALSE(worker.Next(absl::Milliseconds(300)).has_value());
}

TEST_F(JobPreemptionTest, NobodyYieldsBeforeItsQuantum) {
  options_.preempt_quantum = absl::Minutes(1);
  Restart();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  SubmitAs(v1::JOB_PRIORITY_BATCH);
  Assigned(worker);
  SubmitAs(v1::JOB_PRIORITY_INTERACTIVE);
  EXPECT_FALSE(worker.Next(absl::Milliseconds(300)).has_value());
}

TEST_F(JobQueueTest, AnEstimateComesFromTheSpeedSoFar) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string first = SubmitAs(v1::JOB_PRIORITY_NORMAL, "ann", 1e9);
  EXPECT_FALSE(manager_->Get(first)->estimate().has_duration());
  const v1::JobAssignment assignment = Assigned(worker);
  const int64_t steps = manager_->Get(first)->progress().steps_total();
  v1::EventBatch batch = BatchOf(assignment, {});
  batch.set_steps_done(steps);
  manager_->OnEvents(&worker, batch);
  absl::SleepFor(absl::Milliseconds(100));
  Succeed(worker, assignment);
  // The same work again takes as long; ten times as much ten times as long.
  const std::string same = SubmitAs(v1::JOB_PRIORITY_NORMAL, "ann", 1e9);
  const std::string larger = SubmitAs(v1::JOB_PRIORITY_NORMAL, "ann", 10e9);
  const std::string last = SubmitAs(v1::JOB_PRIORITY_NORMAL, "ann", 1e9);
  const auto seconds = [](const google::protobuf::Duration& duration) {
    return static_cast<double>(duration.seconds()) + 1e-9 * duration.nanos();
  };
  const double one = seconds(manager_->Get(same)->estimate().duration());
  EXPECT_GE(one, 0.1);
  EXPECT_LT(one, 5);
  EXPECT_NEAR(seconds(manager_->Get(larger)->estimate().duration()), 10 * one, 0.5 * one);
  const v1::TrainingJob waiting = *manager_->Get(last);
  EXPECT_EQ(waiting.queue_position(), 2);
  EXPECT_EQ(waiting.jobs_ahead(), 2);
  EXPECT_NEAR(seconds(waiting.start_eta()), 11 * one, one);
}

TEST_F(JobQueueTest, AnOwnerDoesNotPayForTimeInWhichTheMachineWasBusyElsewhere) {
  FakeWorkerSession worker;
  const std::string ann = SubmitAs(v1::JOB_PRIORITY_NORMAL, "ann");
  const std::string bob = SubmitAs(v1::JOB_PRIORITY_NORMAL, "bob");
  const std::string bob_next = SubmitAs(v1::JOB_PRIORITY_NORMAL, "bob");
  const std::string ann_next = SubmitAs(v1::JOB_PRIORITY_NORMAL, "ann");
  manager_->Connect(&worker);
  v1::JobAssignment assignment = Assigned(worker);
  ASSERT_EQ(assignment.job(), ann);
  absl::SleepFor(absl::Milliseconds(150));
  Succeed(worker, assignment, 0.001);
  assignment = Assigned(worker);
  ASSERT_EQ(assignment.job(), bob);
  absl::SleepFor(absl::Milliseconds(30));
  // More than the clock says is no more: the slot was held for so long.
  Succeed(worker, assignment, 1'000);
  assignment = Assigned(worker);
  EXPECT_EQ(assignment.job(), ann_next);
  absl::SleepFor(absl::Milliseconds(150));
  // Not known, as of a worker that is gone: the time on the clock.
  Succeed(worker, assignment);
  EXPECT_EQ(Assigned(worker).job(), bob_next);
}

TEST_F(JobQueueTest, AnOwnerAtTheLimitWaitsAndIsToldWhy) {
  options_.owner_running_max = 1;
  Restart();
  FakeWorkerSession first(0), second(1);
  manager_->Connect(&first);
  manager_->Connect(&second);
  SubmitAs(v1::JOB_PRIORITY_NORMAL, "ann");
  const std::string waits = SubmitAs(v1::JOB_PRIORITY_NORMAL, "ann");
  const std::string other = SubmitAs(v1::JOB_PRIORITY_NORMAL, "bob");
  const v1::JobAssignment of_ann = Assigned(first);
  EXPECT_EQ(Assigned(second).job(), other);
  EXPECT_EQ(manager_->Get(waits)->pending_reason(), v1::PENDING_REASON_OWNER_LIMIT);
  Succeed(first, of_ann);
  EXPECT_EQ(Assigned(first).job(), waits);
}

TEST_F(JobQueueTest, AFullDiskStopsNewJobsAndLetsRunningOnesFinish) {
  std::atomic<bool> full{false};
  std::atomic<int> told{-1};
  options_.storage_full = [&full] { return full.load(); };
  options_.on_storage_full = [&told](bool now) { told = now ? 1 : 0; };
  Restart();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string runs = Submit(), waits = Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  full = true;
  // It is told behind the change, not with it.
  const auto wait_until_told = [&told](int value) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (told != value && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
    return told.load();
  };
  ASSERT_EQ(wait_until_told(1), 1);
  EXPECT_TRUE(manager_->Counts().storage_full);
  EXPECT_THAT(manager_->Submit(NewJob(), "", ""), HasReason(ErrorReason::kStorageFull));
  Succeed(worker, assignment);
  WaitFor(runs, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(manager_->Get(waits)->pending_reason(), v1::PENDING_REASON_STORAGE_FULL);
  EXPECT_FALSE(worker.Next(absl::Milliseconds(100)).has_value());
  full = false;
  EXPECT_EQ(Assigned(worker).job(), waits);
  EXPECT_EQ(wait_until_told(0), 0);
  manager_.reset();  // before what its options refer to
}

TEST_F(JobQueueTest, AFinishedJobIsFoundAgainAndOnlyOneThatIsTheSame) {
  v1::TrainingJob wanted = NewJob();
  wanted.mutable_receipt()->set_spec_digest("sha256:spec");
  wanted.mutable_receipt()->set_dataset_digest("sha256:data");
  const std::string name = manager_->Submit(wanted, "", "")->name();
  EXPECT_FALSE(manager_->FindFinished(wanted)->has_value());
  FakeWorkerSession worker;
  worker.set_build(BuildString());
  manager_->Connect(&worker);
  Succeed(worker, Assigned(worker));
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  ASSERT_OK_AND_ASSIGN(const auto found, manager_->FindFinished(wanted));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->name(), name);
  v1::TrainingJob other = wanted;
  other.mutable_receipt()->set_spec_digest("sha256:other");
  EXPECT_FALSE(manager_->FindFinished(other)->has_value());
  other = wanted;
  other.set_owner("bob");
  EXPECT_FALSE(manager_->FindFinished(other)->has_value());
  ASSERT_THAT(ModelStore(database_.get(), blobs_.get()).Delete(found->model()), IsOk());
  EXPECT_FALSE(manager_->FindFinished(wanted)->has_value());
}

}  // namespace
}  // namespace trainyard
