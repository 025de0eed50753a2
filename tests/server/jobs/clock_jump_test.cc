// Somebody sets the clock while jobs run.
#include "tests/server/jobs/job_manager_fixture.h"
#include "tests/support/jumping_clock.h"

namespace trainyard {
namespace {

class ClockJumpTest : public JobManagerTest, public testing::WithParamInterface<int> {
 protected:
  ClockJumpTest() {
    manager_.reset();
    database_.reset();
    options_.cancel_grace = absl::Milliseconds(50);
    options_.preempt_after = absl::Milliseconds(20);
    options_.preempt_quantum = absl::ZeroDuration();
    Open();
  }
};

INSTANTIATE_TEST_SUITE_P(ForwardAndBack, ClockJumpTest, testing::Values(24, -24));

TEST_P(ClockJumpTest, ARunningJobGoesOn) {
  const std::string name = Submit();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const v1::JobAssignment assignment = Assigned(worker);
  const ClockJump jump(absl::Hours(GetParam()));
  Train(worker, assignment, {0.7, 0.6});
  Submit();  // another one: timers are looked at
  EXPECT_FALSE(worker.Next(absl::Milliseconds(100)).has_value());
  EXPECT_TRUE(killed().empty());
  Succeed(worker, assignment);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name), "PENDING RUNNING step0=0.7 step1=0.6 SUCCEEDED");
}

TEST_P(ClockJumpTest, AWorkerThatDoesNotStopIsKilledInTime) {
  const std::string name = Submit();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const v1::JobAssignment assignment = Assigned(worker);
  ASSERT_THAT(manager_->Cancel(name, "ann"), IsOk());
  const ClockJump jump(absl::Hours(GetParam()));
  WaitForKill(0);
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  WaitFor(name, v1::JOB_STATE_CANCELLED);
}

TEST_P(ClockJumpTest, SomebodyWhoWaitsIsServedInTime) {
  v1::TrainingJob batch = NewJob(2);
  batch.set_priority(v1::JOB_PRIORITY_BATCH);
  ASSERT_THAT(manager_->Submit(batch, "", ""), IsOk());
  FakeWorkerSession first(0), second(1);
  manager_->Connect(&first);
  manager_->Connect(&second);
  Assigned(first);
  const ClockJump jump(absl::Hours(GetParam()));
  v1::TrainingJob waiting = NewJob();
  waiting.set_priority(v1::JOB_PRIORITY_INTERACTIVE);
  ASSERT_THAT(manager_->Submit(waiting, "", ""), IsOk());
  const auto message = first.Next();
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(message->stop().yield());
}

}  // namespace
}  // namespace trainyard
