// A JobManager on a real database and blob store in a fresh directory, one READY dataset, and words
// for what tests do with them.
#ifndef TRAINYARD_TESTS_SERVER_JOBS_JOB_MANAGER_FIXTURE_H_
#define TRAINYARD_TESTS_SERVER_JOBS_JOB_MANAGER_FIXTURE_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/check.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "server/base/steady_clock.h"
#include "server/jobs/job.h"
#include "server/jobs/job_manager.h"
#include "server/metrics/metrics.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"
#include "server/storage/model_store.h"
#include "tests/support/fake_worker_session.h"
#include "tests/support/status_matchers.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

class JobManagerTest : public testing::Test {
 protected:
  JobManagerTest() : JobManagerTest(NewDirectory()) {
    table_digest_ = InsertDataset("d1", "a table");
  }
  // On what is in `directory`, which goes with the test.
  explicit JobManagerTest(std::filesystem::path directory) : directory_(std::move(directory)) {
    std::filesystem::create_directories(directory_);
    options_.worker_slots = 2;
    Open();
  }
  ~JobManagerTest() override {
    manager_.reset();
    database_.reset();
    std::filesystem::remove_all(directory_);
  }

  // In memory, where there is some: no test here waits for a disk to learn something of it.
  static std::filesystem::path NewDirectory() {
    const std::filesystem::path memory = "/dev/shm";
    const std::filesystem::path base =
        std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    return base / absl::StrCat("ty-jobs-", NewId()).c_str();
  }
  void Open() {
    auto database = Database::Open((directory_ / "db").string());
    TY_CHECK(database.ok());
    database_ = *std::move(database);
    auto blobs = BlobStore::Open((directory_ / "blobs").string());
    TY_CHECK(blobs.ok());
    blobs_ = *std::move(blobs);
    metrics_ = std::make_unique<Metrics>();
    auto manager = JobManager::Create(options_, database_.get(), blobs_.get(), metrics_.get(),
                                      [this](int slot) {
                                        absl::MutexLock lock(&mu_);
                                        killed_.push_back(slot);
                                      });
    TY_CHECK(manager.ok());
    manager_ = *std::move(manager);
  }
  // What a server that was killed leaves to the next one: nothing but the disk.
  void Reopen() {
    manager_.reset();
    database_.reset();
    Open();
  }

  // A READY one of 100 rows, 30 of which test by its column "part", and whose missing marker is its
  // id. Returns the digest of its table.
  std::string InsertDataset(const std::string& id, absl::string_view table) {
    const std::string digest = blobs_->Put(table).value();
    v1::Dataset dataset;
    dataset.set_name("datasets/" + id);
    dataset.set_row_count(100);
    dataset.set_digest(digest);
    dataset.set_table_digest(digest);
    *dataset.mutable_create_time() = ToTimestamp(absl::Now());
    dataset.mutable_csv()->add_missing_markers(id);
    v1::Column& part = *dataset.add_columns();
    part.set_name("part");
    part.set_type(v1::COLUMN_TYPE_TEXT);
    part.set_distinct_count(2);
    AddValue("train", 70, &part);
    AddValue("test", 30, &part);
    const absl::Status status = database_->Write([&](Connection& connection) -> absl::Status {
      auto insert = connection.Prepare(
          "INSERT INTO datasets (id, owner, state, committed_size_bytes, declared_size_bytes, "
          "digest, table_digest, "
          "record) VALUES (?, 'ann', 2, 1, 1, ?, ?, ?)");
      if (!insert.ok()) return insert.status();
      insert->Bind(id).Bind(digest).Bind(digest).BindBlob(dataset.SerializeAsString());
      return insert->Step().status();
    });
    TY_CHECK(status.ok());
    return digest;
  }

  static void AddValue(const char* value, int64_t count, v1::Column* column) {
    v1::ValueCount& added = *column->add_top_values();
    added.set_value(value);
    added.set_count(count);
  }

  static v1::TrainingJob NewJob(int threads = 1, absl::string_view owner = "ann") {
    v1::TrainingJob job;
    job.set_owner(std::string(owner));
    job.set_dataset("datasets/d1");
    v1::TrainingSpec& spec = *job.mutable_resolved_spec();
    spec.set_target_column("y");
    spec.set_task(v1::TASK_BINARY);
    spec.set_epochs(2);
    spec.set_batch_size(10);
    spec.set_threads(threads);
    job.mutable_progress()->set_epochs_total(2);
    job.mutable_progress()->set_steps_total(14);
    return job;
  }
  std::string Submit(int threads = 1) {
    absl::StatusOr<v1::TrainingJob> job = manager_->Submit(NewJob(threads), "", "");
    TY_CHECK(job.ok());
    return job->name();
  }

  // The assignment that `session` gets next.
  static v1::JobAssignment Assigned(FakeWorkerSession& session) {
    const auto message = session.Next();
    TY_CHECK(message.has_value());
    TY_CHECK(message->has_assignment());
    return message->assignment();
  }
  // Steps of these losses, the first of them after `steps_before`.
  static v1::EventBatch BatchOf(const v1::JobAssignment& assignment, const std::vector<double>& losses,
                                int64_t steps_before = 0) {
    v1::EventBatch batch;
    batch.set_job(assignment.job());
    batch.set_attempt(assignment.attempt());
    batch.set_event_count(steps_before);
    for (const double loss : losses) {
      v1::StepMetrics& step = *batch.add_events()->mutable_step();
      step.set_step(steps_before++);
      step.set_loss(loss);
      step.set_learning_rate(0.5);
    }
    batch.set_steps_done(steps_before);
    batch.set_rows_done(10 * steps_before);
    batch.set_busy_seconds(0.5);
    return batch;
  }
  // A checkpoint after the batch's steps, stored as the worker does it, and the event that goes
  // with it.
  void AddCheckpoint(const std::string& bytes, v1::EventBatch* batch) {
    const int64_t step = batch->steps_done();
    v1::Checkpoint& checkpoint = *batch->mutable_checkpoint();
    checkpoint.set_digest(blobs_->Put(bytes).value());
    checkpoint.set_size_bytes(static_cast<int64_t>(bytes.size()));
    checkpoint.set_step(step);
    checkpoint.set_event_count(step);
    checkpoint.set_rows_done(10 * step);
    checkpoint.set_busy_seconds(0.5);
    batch->add_events()->mutable_checkpoint()->set_step(step);
  }
  // Steps of these losses and a checkpoint after them.
  void TrainAndSave(FakeWorkerSession& session, const v1::JobAssignment& assignment,
                    const std::vector<double>& losses, const std::string& bytes,
                    int64_t steps_before = 0) {
    v1::EventBatch batch = BatchOf(assignment, losses, steps_before);
    AddCheckpoint(bytes, &batch);
    manager_->OnEvents(&session, batch);
  }
  void Train(FakeWorkerSession& session, const v1::JobAssignment& assignment,
             const std::vector<double>& losses, int64_t steps_before = 0) {
    manager_->OnEvents(&session, BatchOf(assignment, losses, steps_before));
  }
  static v1::JobOutcome OutcomeOf(const v1::JobAssignment& assignment) {
    v1::JobOutcome outcome;
    outcome.set_job(assignment.job());
    outcome.set_attempt(assignment.attempt());
    return outcome;
  }
  void Succeed(FakeWorkerSession& session, const v1::JobAssignment& assignment,
               std::optional<double> cpu_seconds = std::nullopt) {
    v1::JobOutcome outcome = OutcomeOf(assignment);
    if (cpu_seconds.has_value()) outcome.set_cpu_seconds(*cpu_seconds);
    outcome.mutable_succeeded()->set_bundle_digest(blobs_->Put("a bundle").value());
    outcome.mutable_succeeded()->set_bundle_size_bytes(8);
    outcome.mutable_succeeded()->set_stop_reason(v1::STOP_REASON_COMPLETED);
    manager_->OnOutcome(&session, outcome);
  }
  void Stop(FakeWorkerSession& session, const v1::JobAssignment& assignment) {
    v1::JobOutcome outcome = OutcomeOf(assignment);
    outcome.mutable_stopped();
    manager_->OnOutcome(&session, outcome);
  }
  void FailWith(FakeWorkerSession& session, const v1::JobAssignment& assignment,
                v1::ErrorReason reason, v1::FailureCategory category) {
    v1::JobOutcome outcome = OutcomeOf(assignment);
    outcome.mutable_failed()->set_reason(reason);
    outcome.mutable_failed()->set_category(category);
    outcome.mutable_failed()->set_message("it failed");
    manager_->OnOutcome(&session, outcome);
  }

  // The job once its log says it is in `state`; fails the test after 10 s.
  v1::TrainingJob WaitFor(const std::string& name, v1::JobState state) {
    absl::Mutex mu;
    int64_t wakeups = 1, seen = 0;
    const auto subscription = manager_->events().Subscribe(name, [&](int64_t) {
      absl::MutexLock lock(&mu);
      ++wakeups;
    });
    const absl::Time deadline = SteadyNow() + absl::Seconds(10);
    const auto is_news = [&] { return wakeups != seen; };
    while (SteadyNow() < deadline) {
      const absl::StatusOr<v1::TrainingJob> job = manager_->Get(name);
      TY_CHECK(job.ok());
      // The record is shown an instant before its newest event.
      const auto newest = manager_->events().Read(name, job->last_sequence(), 1);
      TY_CHECK(newest.ok());
      if (job->state() == state && !newest->empty()) return *job;
      absl::MutexLock lock(&mu);
      AwaitFor(mu, absl::Condition(&is_news), deadline - SteadyNow());
      seen = wakeups;
    }
    ADD_FAILURE() << name << " is " << JobStateName(manager_->Get(name)->state()) << ", not "
                  << JobStateName(state);
    return {};
  }

  // The log in short: "PENDING RUNNING step0=0.7 …"; checks that it is dense.
  std::string LogOf(const std::string& name) {
    std::string text;
    int64_t sequence = 0;
    const auto events = manager_->events().Read(name, 1, 1'000'000);
    TY_CHECK(events.ok());
    for (const SharedEvent& event : *events) {
      EXPECT_EQ(event->sequence(), ++sequence);
      EXPECT_TRUE(event->has_create_time());
      if (!text.empty()) text += ' ';
      if (event->has_state_change())
        absl::StrAppend(&text, JobStateName(event->state_change().to()));
      if (event->has_step())
        absl::StrAppend(&text, "step", event->step().step(), "=", event->step().loss());
      if (event->has_checkpoint()) absl::StrAppend(&text, "saved", event->checkpoint().step());
      if (event->has_rewind()) absl::StrAppend(&text, "rewind", event->rewind().to_step());
    }
    return text;
  }
  std::vector<int> killed() {
    absl::MutexLock lock(&mu_);
    return killed_;
  }
  void WaitForKill(int slot) {
    const auto is_killed = [this] { return !killed_.empty(); };
    absl::MutexLock lock(&mu_);
    ASSERT_TRUE(AwaitFor(mu_, absl::Condition(&is_killed), absl::Seconds(10)));
    EXPECT_EQ(killed_.back(), slot);
  }

  const std::filesystem::path directory_;
  JobManagerOptions options_;
  std::string table_digest_;
  absl::Mutex mu_;
  std::vector<int> killed_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<JobManager> manager_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SERVER_JOBS_JOB_MANAGER_FIXTURE_H_
