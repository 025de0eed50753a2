#include "server/jobs/job_manager.h"

#include <thread>

#include "server/storage/blob_references.h"
#include "server/storage/requests.h"
#include "tests/server/jobs/job_manager_fixture.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(JobManagerTest, AJobSucceedsWithItsModelAndADenseLog) {
  FakeWorkerSession worker(1);
  manager_->Connect(&worker);
  const std::string name = Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  EXPECT_EQ(assignment.job(), name);
  EXPECT_EQ(assignment.attempt(), 1);
  EXPECT_EQ(assignment.table_digest(), table_digest_);
  EXPECT_EQ(assignment.table_path(), blobs_->Path(table_digest_).value());
  Train(worker, assignment, {0.7, 0.6});
  Succeed(worker, assignment);
  const v1::TrainingJob job = WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name), "PENDING RUNNING step0=0.7 step1=0.6 SUCCEEDED");
  EXPECT_EQ(job.last_sequence(), 5);
  EXPECT_EQ(job.receipt().isa(), "fake_isa");
  EXPECT_EQ(job.receipt().result_digest(), blobs_->Put("a bundle").value());
  EXPECT_EQ(job.latest_metrics(0).value(), 0.6);
  EXPECT_EQ(job.progress().steps_done(), 2);
  EXPECT_EQ(job.progress().rows_per_second(), 40);
  ModelStore models(database_.get(), blobs_.get());
  ASSERT_OK_AND_ASSIGN(const v1::Model model, models.Get(job.model()));
  EXPECT_EQ(model.training_job(), name);
  EXPECT_EQ(model.receipt().result_digest(), model.digest());
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
}

TEST_F(JobManagerTest, AModelThatWasNotStoredIsTheServicesFault) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string name = Submit();
  for (int i = 0; i < 3; ++i) {
    v1::JobOutcome outcome = OutcomeOf(Assigned(worker));
    outcome.mutable_succeeded()->set_bundle_digest(Sha256Digest("never stored"));
    manager_->OnOutcome(&worker, outcome);
  }
  const v1::TrainingJob job = WaitFor(name, v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().category(), v1::FAILURE_CATEGORY_INFRA);
  EXPECT_EQ(job.attempt(), 3);
}

TEST_F(JobManagerTest, AUserErrorFailsAtOnce) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string name = Submit();
  FailWith(worker, Assigned(worker), v1::ERROR_REASON_NON_FINITE_LOSS, v1::FAILURE_CATEGORY_USER);
  const v1::TrainingJob job = WaitFor(name, v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().reason(), v1::ERROR_REASON_NON_FINITE_LOSS);
  EXPECT_EQ(job.attempt(), 1);
  const auto events = manager_->events().Read(name, 3, 10).value();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]->state_change().error().message(), "it failed");
}

TEST_F(JobManagerTest, CancelInEveryState) {
  const std::string pending = Submit();
  EXPECT_EQ(manager_->Cancel(pending, "ann")->state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(manager_->Cancel(pending, "ann")->state(), v1::JOB_STATE_CANCELLED);

  const std::string paused = Submit();
  EXPECT_EQ(manager_->Pause(paused, "ann")->state(), v1::JOB_STATE_PAUSED);
  EXPECT_EQ(manager_->Cancel(paused, "ann")->state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(LogOf(paused), "PENDING PAUSED CANCELLED");

  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string running = Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  EXPECT_EQ(manager_->Cancel(running, "ann")->state(), v1::JOB_STATE_CANCELLING);
  EXPECT_EQ(manager_->Cancel(running, "ann")->state(), v1::JOB_STATE_CANCELLING);
  EXPECT_EQ(worker.Next()->stop().job(), running);
  Stop(worker, assignment);
  WaitFor(running, v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(LogOf(running), "PENDING RUNNING CANCELLING CANCELLED");

  const std::string done = Submit();
  Succeed(worker, Assigned(worker));
  WaitFor(done, v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(manager_->Cancel(done, "ann"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("is SUCCEEDED and cannot be cancelled")));
  EXPECT_THAT(manager_->Cancel("trainingJobs/nobody", "ann"), HasReason(ErrorReason::kNotFound));
}

TEST_F(JobManagerTest, AResultThatOvertakesTheCancelCounts) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string name = Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  ASSERT_THAT(manager_->Cancel(name, "ann"), IsOk());
  Succeed(worker, assignment);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobManagerTest, AWorkerThatDoesNotStopIsKilled) {
  options_.cancel_grace = absl::Milliseconds(20);
  Reopen();
  FakeWorkerSession worker(1);
  manager_->Connect(&worker);
  const std::string name = Submit();
  Assigned(worker);
  ASSERT_THAT(manager_->Cancel(name, "ann"), IsOk());
  WaitForKill(1);
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  WaitFor(name, v1::JOB_STATE_CANCELLED);
}

TEST_F(JobManagerTest, AJobBeyondItsRuntimeIsKilledAndFails) {
  options_.runtime_grace = absl::Milliseconds(10);
  Reopen();
  FakeWorkerSession worker(1);
  manager_->Connect(&worker);
  v1::TrainingJob job = NewJob();
  job.mutable_resolved_spec()->mutable_max_runtime()->set_nanos(100'000'000);
  const std::string name = manager_->Submit(job, "", "")->name();
  Assigned(worker);
  WaitForKill(1);
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  const v1::TrainingJob failed = WaitFor(name, v1::JOB_STATE_FAILED);
  EXPECT_EQ(failed.error().reason(), v1::ERROR_REASON_RUNTIME_LIMIT);
  EXPECT_EQ(failed.error().category(), v1::FAILURE_CATEGORY_USER);
  EXPECT_EQ(failed.attempt(), 1);
}

TEST_F(JobManagerTest, AWorkerOverTheMemoryLimitIsKilledAndTheJobFails) {
  FakeWorkerSession worker(1);
  manager_->Connect(&worker);
  v1::TrainingJob job = NewJob();
  job.mutable_resolved_spec()->set_max_memory_bytes(1'000);
  const std::string name = manager_->Submit(job, "", "")->name();
  Assigned(worker);
  manager_->OnWorkerMemory(1, 1'000);
  manager_->OnWorkerMemory(0, 5'000);
  EXPECT_TRUE(killed().empty());
  manager_->OnWorkerMemory(1, 1'001);
  EXPECT_EQ(killed(), std::vector<int>{1});
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(WaitFor(name, v1::JOB_STATE_FAILED).error().reason(), v1::ERROR_REASON_OUT_OF_MEMORY);
}

TEST_F(JobManagerTest, ThreeLostWorkersInARowEndAJob) {
  const std::string name = Submit();
  for (int32_t attempt = 1; attempt <= 3; ++attempt) {
    FakeWorkerSession worker;
    manager_->Connect(&worker);
    EXPECT_EQ(Assigned(worker).attempt(), attempt);
    manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  }
  const v1::TrainingJob job = WaitFor(name, v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().reason(), v1::ERROR_REASON_WORKER_LOST);
  EXPECT_EQ(job.error().category(), v1::FAILURE_CATEGORY_INFRA);
  EXPECT_EQ(LogOf(name), "PENDING RUNNING PENDING RUNNING PENDING RUNNING FAILED");
}

TEST_F(JobManagerTest, ARepeatedAttemptAppendsOnlyWhatIsNew) {
  const std::string name = Submit();
  FakeWorkerSession first, second;
  manager_->Connect(&first);
  Train(first, Assigned(first), {0.7, 0.6});
  manager_->Disconnect(&first, v1::ERROR_REASON_UNSPECIFIED);
  manager_->Connect(&second);
  const v1::JobAssignment again = Assigned(second);
  Train(second, again, {0.7, 0.6, 0.5});
  Succeed(second, again);
  const v1::TrainingJob job = WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name), "PENDING RUNNING step0=0.7 step1=0.6 PENDING RUNNING step2=0.5 SUCCEEDED");
  EXPECT_EQ(job.latest_metrics(0).value(), 0.5);
}

TEST_F(JobManagerTest, ARepeatedAttemptThatDiffersRewinds) {
  const std::string name = Submit();
  FakeWorkerSession first;
  manager_->Connect(&first);
  Train(first, Assigned(first), {0.7, 0.6});
  Reopen();  // with the attempt open, as a killed server leaves it
  FakeWorkerSession second;
  manager_->Connect(&second);
  const v1::JobAssignment again = Assigned(second);
  EXPECT_EQ(again.attempt(), 2);
  Train(second, again, {0.7, 0.61, 0.51});
  Succeed(second, again);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name),
            "PENDING RUNNING step0=0.7 step1=0.6 PENDING RUNNING rewind1 step1=0.61 step2=0.51 "
            "SUCCEEDED");
}

TEST_F(JobManagerTest, TheNextServerSettlesWhatTheLastOneLeft) {
  FakeWorkerSession one(0), two(1);
  manager_->Connect(&one);
  manager_->Connect(&two);
  const std::string running = Submit(), cancelling = Submit(), pending = Submit();
  WaitFor(running, v1::JOB_STATE_RUNNING);
  WaitFor(cancelling, v1::JOB_STATE_RUNNING);
  ASSERT_THAT(manager_->Cancel(cancelling, "ann"), IsOk());
  const std::string paused = Submit();
  ASSERT_THAT(manager_->Pause(paused, "ann"), IsOk());
  Reopen();
  EXPECT_EQ(manager_->Get(running)->state(), v1::JOB_STATE_PENDING);
  EXPECT_EQ(manager_->Get(running)->queue_position(), 1);
  EXPECT_EQ(manager_->Get(running)->pending_reason(), v1::PENDING_REASON_NO_WORKERS);
  EXPECT_EQ(manager_->Get(pending)->queue_position(), 2);
  EXPECT_EQ(manager_->Get(cancelling)->state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(manager_->Get(paused)->state(), v1::JOB_STATE_PAUSED);
  EXPECT_EQ(LogOf(running), "PENDING RUNNING PENDING");
  EXPECT_EQ(LogOf(cancelling), "PENDING RUNNING CANCELLING CANCELLED");
}

TEST_F(JobManagerTest, SubmittingTwiceRunsOnceAlsoAcrossARestart) {
  const std::string name = manager_->Submit(NewJob(), "uuid-1", "digest")->name();
  EXPECT_EQ(manager_->Submit(NewJob(), "uuid-1", "digest")->name(), name);
  Reopen();
  EXPECT_EQ(manager_->Submit(NewJob(), "uuid-1", "digest")->name(), name);
  EXPECT_THAT(manager_->Submit(NewJob(), "uuid-1", "other body"),
              HasReason(ErrorReason::kRequestIdReused));
  EXPECT_EQ(manager_->Counts().pending, 1);
}

TEST_F(JobManagerTest, SubmittingTwiceAtTheSameTimeRunsOnce) {
  std::vector<std::string> names(8);
  std::vector<std::thread> threads;
  for (std::string& name : names) {
    threads.emplace_back(
        [this, &name] { name = manager_->Submit(NewJob(), "uuid-1", "digest")->name(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& name : names) EXPECT_EQ(name, names[0]);
  EXPECT_EQ(manager_->Counts().pending, 1);
}

TEST_F(JobManagerTest, AFullQueueAndAFullOwnerAreRefusedWithATimeToRetry) {
  options_.queued_jobs_max = 3;
  options_.owner_jobs_max = 2;
  Reopen();
  ASSERT_THAT(manager_->Submit(NewJob(), "again", "digest"), IsOk());
  ASSERT_THAT(manager_->Submit(NewJob(), "", ""), IsOk());
  const absl::Status quota = manager_->Submit(NewJob(), "", "").status();
  EXPECT_THAT(quota, HasReason(ErrorReason::kOwnerQuota));
  EXPECT_EQ(GetErrorInfo(quota)->metadata[0].first, "retry_after_seconds");
  ASSERT_THAT(manager_->Submit(NewJob(1, "bob"), "", ""), IsOk());
  EXPECT_THAT(manager_->Submit(NewJob(1, "cleo"), "", ""), HasReason(ErrorReason::kQueueFull));
  // A repeated call is answered though the queue is full.
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob again, manager_->Submit(NewJob(), "again", "digest"));
  // A finished job makes room.
  ASSERT_THAT(manager_->Cancel(again.name(), "ann"), IsOk());
  EXPECT_THAT(manager_->Submit(NewJob(), "", ""), IsOk());
}

TEST_F(JobManagerTest, PauseTakesAJobOffItsWorkerAndResumeBringsItBack) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string name = Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  Train(worker, assignment, {0.7});
  std::thread stops([&] {
    EXPECT_EQ(worker.Next()->stop().attempt(), 1);
    Stop(worker, assignment);
  });
  EXPECT_EQ(manager_->Pause(name, "ann")->state(), v1::JOB_STATE_PAUSED);
  stops.join();
  EXPECT_EQ(manager_->Pause(name, "ann")->state(), v1::JOB_STATE_PAUSED);
  EXPECT_EQ(manager_->Resume(name, "ann")->state(), v1::JOB_STATE_PENDING);
  const v1::JobAssignment again = Assigned(worker);
  EXPECT_EQ(again.attempt(), 2);
  EXPECT_EQ(manager_->Resume(name, "ann")->state(), v1::JOB_STATE_RUNNING);
  Train(worker, again, {0.7, 0.6});
  Succeed(worker, again);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name), "PENDING RUNNING step0=0.7 PAUSED PENDING RUNNING step1=0.6 SUCCEEDED");
  EXPECT_THAT(manager_->Pause(name, "ann"), HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(manager_->Resume(name, "ann"), HasReason(ErrorReason::kInvalidState));
}

TEST_F(JobManagerTest, AWideJobTakesItsSlots) {
  FakeWorkerSession one(0), two(1);
  manager_->Connect(&one);
  const std::string wide = Submit(/*threads=*/2), narrow = Submit();
  EXPECT_EQ(manager_->Get(wide)->pending_reason(), v1::PENDING_REASON_WAITING_FOR_SLOTS);
  EXPECT_EQ(manager_->Get(narrow)->pending_reason(), v1::PENDING_REASON_QUEUED);
  manager_->Connect(&two);
  const v1::JobAssignment assignment = Assigned(one);
  EXPECT_EQ(assignment.job(), wide);
  EXPECT_FALSE(two.Next(absl::Milliseconds(20)).has_value());
  EXPECT_EQ(manager_->Get(narrow)->jobs_ahead(), 1);
  Succeed(one, assignment);
  EXPECT_EQ(Assigned(one).job(), narrow);
}

TEST_F(JobManagerTest, OwnersTakeTurnsBehindInteractiveJobs) {
  const std::string first = Submit(), second = Submit();
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob bobs, manager_->Submit(NewJob(1, "bob"), "", ""));
  v1::TrainingJob interactive = NewJob(1, "cid");
  interactive.set_priority(v1::JOB_PRIORITY_INTERACTIVE);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob urgent, manager_->Submit(interactive, "", ""));
  EXPECT_EQ(manager_->Get(urgent.name())->queue_position(), 1);
  EXPECT_EQ(manager_->Get(first)->queue_position(), 2);
  EXPECT_EQ(manager_->Get(bobs.name())->queue_position(), 3);
  EXPECT_EQ(manager_->Get(second)->queue_position(), 4);
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  EXPECT_EQ(Assigned(worker).job(), urgent.name());
  EXPECT_EQ(manager_->Get(second)->jobs_ahead(), 3);
}

TEST_F(JobManagerTest, ALostJobIsQueuedInItsPlaceAgain) {
  const std::string first = Submit(), second = Submit();
  FakeWorkerSession lost, other(1);
  manager_->Connect(&lost);
  EXPECT_EQ(Assigned(lost).job(), first);
  manager_->Disconnect(&lost, v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(WaitFor(first, v1::JOB_STATE_PENDING).queue_position(), 1);
  EXPECT_EQ(manager_->Get(second)->queue_position(), 2);
  manager_->Connect(&other);
  EXPECT_EQ(Assigned(other).job(), first);
}

TEST_F(JobManagerTest, DeletingForgetsTheJobItsEventsAndItsRequest) {
  const std::string name = manager_->Submit(NewJob(), "uuid-1", "digest")->name();
  EXPECT_THAT(manager_->Delete(name), HasReason(ErrorReason::kInvalidState));
  ASSERT_THAT(manager_->Cancel(name, "ann"), IsOk());
  int64_t told = 0;
  const auto subscription =
      manager_->events().Subscribe(name, [&told](int64_t sequence) { told = sequence; });
  ASSERT_THAT(manager_->Delete(name), IsOk());
  EXPECT_EQ(told, -1);
  EXPECT_THAT(manager_->Get(name), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(manager_->Delete(name), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(manager_->events().Read(name, 1, 10), HasReason(ErrorReason::kNotFound));
  EXPECT_NE(manager_->Submit(NewJob(), "uuid-1", "digest")->name(), name);
}

TEST_F(JobManagerTest, ListsNewestFirstInPagesWithFilters) {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) names.push_back(Submit());
  ASSERT_THAT(manager_->Cancel(names[3], "ann"), IsOk());
  ASSERT_OK_AND_ASSIGN(const JobManager::JobPage first, manager_->List({.page_size = 3}));
  ASSERT_EQ(first.jobs.size(), 3u);
  EXPECT_EQ(first.jobs[0].name(), names[4]);
  EXPECT_EQ(first.jobs[0].queue_position(), 4);
  ASSERT_OK_AND_ASSIGN(const JobManager::JobPage second,
                       manager_->List({.page_size = 3, .before_number = first.next_before_number}));
  ASSERT_EQ(second.jobs.size(), 2u);
  EXPECT_EQ(second.jobs[1].name(), names[0]);
  EXPECT_EQ(second.next_before_number, 0);
  ASSERT_OK_AND_ASSIGN(const JobManager::JobPage cancelled,
                       manager_->List({.state = v1::JOB_STATE_CANCELLED}));
  ASSERT_EQ(cancelled.jobs.size(), 1u);
  EXPECT_EQ(cancelled.jobs[0].name(), names[3]);
  EXPECT_TRUE(manager_->List({.owner = "bob"})->jobs.empty());
}

TEST_F(JobManagerTest, ALostTableFailsTheJobWhenItsTurnComes) {
  const std::string name = Submit();
  ASSERT_THAT(blobs_->Remove(table_digest_), IsOk());
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  EXPECT_EQ(WaitFor(name, v1::JOB_STATE_FAILED).error().reason(), v1::ERROR_REASON_DATA_LOSS);
  EXPECT_EQ(LogOf(name), "PENDING FAILED");
}

TEST_F(JobManagerTest, ALostTestTableIsNamedByItsOwnDigest) {
  const std::string digest = InsertDataset("d2", "another table");
  v1::TrainingJob job = NewJob();
  job.mutable_resolved_spec()->set_test_dataset("datasets/d2");
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob submitted, manager_->Submit(job, "", ""));
  ASSERT_THAT(blobs_->Remove(digest), IsOk());
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const v1::JobError error = WaitFor(submitted.name(), v1::JOB_STATE_FAILED).error();
  EXPECT_THAT(error.message(), HasSubstr("datasets/d2"));
  EXPECT_THAT(error.ShortDebugString(), HasSubstr(digest));
  EXPECT_THAT(error.ShortDebugString(), testing::Not(HasSubstr(table_digest_)));
}

TEST_F(JobManagerTest, ADrainKeepsJobsForTheNextServer) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string name = Submit(), next = Submit();
  Assigned(worker);
  manager_->BeginDrain();
  EXPECT_THAT(manager_->Submit(NewJob(), "", ""), HasReason(ErrorReason::kDraining));
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(WaitFor(name, v1::JOB_STATE_PENDING).pending_reason(), v1::PENDING_REASON_DRAINING);
  EXPECT_EQ(manager_->Get(next)->queue_position(), 2);
}

TEST_F(JobManagerTest, MessagesOfAnotherAttemptAreDropped) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string name = Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  v1::JobAssignment stale = assignment;
  stale.set_attempt(7);
  Train(worker, stale, {0.1});
  v1::JobOutcome failed = OutcomeOf(stale);
  failed.mutable_failed()->set_reason(v1::ERROR_REASON_DATA_LOSS);
  manager_->OnOutcome(&worker, failed);
  Succeed(worker, assignment);
  WaitFor(name, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(LogOf(name), "PENDING RUNNING SUCCEEDED");
}

TEST_F(JobManagerTest, AJobOfSeveralThreadsTakesAsManyWorkers) {
  FakeWorkerSession first(0), second(1);
  manager_->Connect(&first);
  manager_->Connect(&second);
  Submit(/*threads=*/2);
  Assigned(first);
  EXPECT_EQ(manager_->Counts().workers_busy, 2);
}

TEST_F(JobManagerTest, LiveSeriesShowTheNewestValuesAndStayForAWhile) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  Train(worker, assignment, {0.7, 0.6});
  ASSERT_EQ(manager_->LiveJobs().size(), 1u);
  EXPECT_EQ(manager_->LiveJobs()[0].train_loss, 0.6);
  EXPECT_EQ(manager_->LiveJobs()[0].learning_rate, 0.5);
  EXPECT_EQ(manager_->LiveJobs()[0].validation_loss, std::nullopt);
  EXPECT_TRUE(manager_->LiveJobs()[0].last_update_seconds.has_value());
  EXPECT_GT(manager_->LiveJobs()[0].progress_ratio, 0);
  EXPECT_EQ(manager_->Counts().workers_busy, 1);
  Succeed(worker, assignment);
  EXPECT_EQ(manager_->Counts().workers_busy, 0);
  ASSERT_EQ(manager_->LiveJobs().size(), 1u);
  EXPECT_EQ(manager_->LiveJobs()[0].last_update_seconds, std::nullopt);
}

TEST_F(JobManagerTest, CountsAreKeptByPriority) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const std::string running = Submit();
  const v1::JobAssignment assignment = Assigned(worker);
  const std::string waiting = Submit();
  ASSERT_THAT(manager_->SetPriority(waiting, v1::JOB_PRIORITY_BATCH, "ann"), IsOk());
  const JobCounts counts = manager_->Counts();
  EXPECT_EQ(counts.queues[PriorityClassOf(v1::JOB_PRIORITY_NORMAL)].jobs_running, 1);
  EXPECT_EQ(counts.queues[PriorityClassOf(v1::JOB_PRIORITY_NORMAL)].jobs_pending, 0);
  const Metrics::Queue& batch = counts.queues[PriorityClassOf(v1::JOB_PRIORITY_BATCH)];
  EXPECT_EQ(batch.jobs_pending, 1);
  EXPECT_NEAR(batch.oldest_pending_timestamp_seconds,
              absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()), 60);
  EXPECT_EQ(counts.pending, 1);
}

// Everything at once; meant for ThreadSanitizer, and for the invariant that every log is dense and
// ends once.
TEST_F(JobManagerTest, ManyThreadsSubmitCancelAndWork) {
  constexpr int kSubmitters = 3, kJobsEach = 40;
  std::atomic<bool> done = false;
  std::vector<std::thread> workers, submitters;
  for (int slot = 0; slot < 2; ++slot) {
    workers.emplace_back([this, slot, &done] {
      auto session = std::make_unique<FakeWorkerSession>(slot);
      manager_->Connect(session.get());
      for (int round = 1; !done; ++round) {
        const auto message = session->Next(absl::Milliseconds(20));
        if (!message.has_value() || !message->has_assignment()) continue;
        Train(*session, message->assignment(), {0.7, 0.6});
        if (round % 10 != 0) {
          Succeed(*session, message->assignment());
          continue;
        }
        manager_->Disconnect(session.get(), v1::ERROR_REASON_UNSPECIFIED);
        session = std::make_unique<FakeWorkerSession>(slot);
        manager_->Connect(session.get());
      }
      manager_->Disconnect(session.get(), v1::ERROR_REASON_UNSPECIFIED);
    });
  }
  std::vector<std::vector<std::string>> names(kSubmitters);
  for (int i = 0; i < kSubmitters; ++i) {
    submitters.emplace_back([this, &mine = names[static_cast<size_t>(i)]] {
      for (int j = 0; j < kJobsEach; ++j) {
        mine.push_back(Submit());
        if (j % 3 == 0)
          manager_->Cancel(mine.back(), "ann").status().IgnoreError();  // may have finished
        EXPECT_THAT(manager_->List({.page_size = 5}), IsOk());
      }
    });
  }
  for (std::thread& thread : submitters) thread.join();
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  for (const auto& mine : names) {
    for (const std::string& name : mine) {
      while (!IsTerminal(manager_->Get(name)->state()) && absl::Now() < deadline)
        absl::SleepFor(absl::Milliseconds(1));
      EXPECT_TRUE(IsTerminal(manager_->Get(name)->state())) << LogOf(name);
      LogOf(name);
    }
  }
  done = true;
  for (std::thread& thread : workers) thread.join();
  EXPECT_EQ(manager_->Counts().pending, 0);
}

// A bundle with a row in models.
std::string InsertModel(Database& database, BlobStore& blobs) {
  v1::Model model;
  model.set_name("models/m1");
  model.set_digest(blobs.Put("a trained bundle").value());
  EXPECT_THAT(database.Write([&](Connection& c) { return ModelStore::Insert(c, model); }), IsOk());
  return model.digest();
}

TEST_F(JobManagerTest, AnAnalysisLeavesAResultForAsLongAsItsJobAndNoModel) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  v1::TrainingJob job = NewJob();
  job.mutable_analysis()->mutable_linear_collapse();
  job.clear_progress();
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob submitted, manager_->Submit(job, "", ""));
  EXPECT_EQ(submitted.progress().steps_total(), 0);
  const v1::JobAssignment assignment = Assigned(worker);
  EXPECT_TRUE(assignment.analysis().has_linear_collapse());
  Succeed(worker, assignment);
  const v1::TrainingJob done = WaitFor(submitted.name(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(done.model(), "");
  const std::string digest = done.receipt().result_digest();
  ModelStore models(database_.get(), blobs_.get());
  EXPECT_EQ(models.List({}, "")->models_size(), 0);

  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(*SweepBlobs(*database_, *blobs_), 0);
  Reopen();
  EXPECT_THAT(blobs_->Path(digest), IsOk());
  ASSERT_THAT(manager_->Delete(done.name()), IsOk());
  EXPECT_THAT(blobs_->Path(digest), StatusIs(absl::StatusCode::kNotFound, testing::_));
}

TEST_F(JobManagerTest, TheResultOfTwoEqualAnalysesStaysUntilTheSecondIsDeleted) {
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  std::vector<std::string> names;
  for (int i = 0; i < 2; ++i) {
    v1::TrainingJob job = NewJob();
    job.mutable_analysis()->mutable_linear_collapse();
    names.push_back(manager_->Submit(job, "", "")->name());
    Succeed(worker, Assigned(worker));
    WaitFor(names.back(), v1::JOB_STATE_SUCCEEDED);
  }
  const std::string digest = manager_->Get(names[1])->receipt().result_digest();
  ASSERT_THAT(manager_->Delete(names[0]), IsOk());
  EXPECT_THAT(blobs_->Path(digest), IsOk());
  ASSERT_THAT(manager_->Delete(names[1]), IsOk());
  EXPECT_FALSE(blobs_->Path(digest).ok());
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
}

TEST_F(JobManagerTest, AModelIsHeldWhileAJobNeedsItAlsoAfterARestart) {
  const std::string digest = InsertModel(*database_, *blobs_);
  v1::TrainingJob job = NewJob();
  job.mutable_resolved_spec()->set_initial_model("models/m1");
  job.mutable_analysis()->set_model("models/m1");  // the same twice
  job.mutable_analysis()->mutable_loss_line();
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob submitted, manager_->Submit(job, "", ""));
  ModelStore models(database_.get(), blobs_.get());
  EXPECT_THAT(models.Delete("models/m1"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(submitted.name())));
  Reopen();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  const v1::JobAssignment assignment = Assigned(worker);
  ASSERT_EQ(assignment.models_size(), 1);
  EXPECT_EQ(assignment.models(0).model(), "models/m1");
  EXPECT_EQ(assignment.models(0).digest(), digest);
  Succeed(worker, assignment);
  WaitFor(submitted.name(), v1::JOB_STATE_SUCCEEDED);
  ModelStore reopened(database_.get(), blobs_.get());
  EXPECT_THAT(reopened.Delete("models/m1"), IsOk());
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
}

TEST_F(JobManagerTest, ARestartKnowsTheTablesOfJobsThatShareThem) {
  const std::string other_digest = InsertDataset("d2", "another table");
  for (const auto& [dataset, test_dataset] :
       {std::pair("d1", ""), std::pair("d1", "d2"), std::pair("d2", "d1")}) {
    v1::TrainingJob job = NewJob();
    job.set_dataset(absl::StrCat("datasets/", dataset));
    if (*test_dataset != '\0') {
      job.mutable_resolved_spec()->set_test_dataset(absl::StrCat("datasets/", test_dataset));
    }
    ASSERT_THAT(manager_->Submit(job, "", ""), IsOk());
  }
  Reopen();
  FakeWorkerSession worker;
  manager_->Connect(&worker);
  std::vector<std::vector<std::string>> tables;
  for (int i = 0; i < 3; ++i) {
    const v1::JobAssignment assignment = Assigned(worker);
    ASSERT_EQ(assignment.missing_markers_size(), 1);
    tables.push_back(
        {assignment.missing_markers(0), assignment.table_digest(), assignment.test_table_digest()});
    Succeed(worker, assignment);
  }
  EXPECT_THAT(tables, ElementsAre(ElementsAre("d1", table_digest_, ""),
                                  ElementsAre("d1", table_digest_, other_digest),
                                  ElementsAre("d2", other_digest, table_digest_)));
  manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
}

TEST_F(JobManagerTest, AModelThatWentAwayMeanwhileRefusesTheJob) {
  v1::TrainingJob job = NewJob();
  job.mutable_resolved_spec()->set_initial_model("models/gone");
  EXPECT_THAT(manager_->Submit(job, "", ""), HasReason(ErrorReason::kNotFound));
  EXPECT_EQ(manager_->List({})->jobs.size(), 0u);
}

}  // namespace
}  // namespace trainyard
