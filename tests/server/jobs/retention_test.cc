#include "server/jobs/retention.h"

#include "gmock/gmock.h"
#include "server/storage/dataset_store.h"
#include "tests/server/jobs/job_manager_fixture.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RetentionTest : public JobManagerTest {
 protected:
  // Each on a dataset that InsertDataset made, at once after another.
  std::string Finished(const std::string& dataset = "datasets/d1") {
    FakeWorkerSession worker;
    v1::TrainingJob job = NewJob();
    job.set_dataset(dataset);
    const std::string name = manager_->Submit(job, "", "")->name();
    manager_->Connect(&worker);
    Succeed(worker, Assigned(worker));
    WaitFor(name, v1::JOB_STATE_SUCCEEDED);
    manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
    return name;
  }
  RetentionPlan Expired(const RetentionOptions& options, absl::Duration later) {
    RetentionPlan plan;
    const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
      auto found = FindExpired(options, absl::Now() + later, connection);
      if (!found.ok()) return found.status();
      plan = *std::move(found);
      return absl::OkStatus();
    });
    EXPECT_THAT(read, IsOk());
    return plan;
  }
};

TEST_F(RetentionTest, NothingGoesUnlessAskedFor) {
  Finished();
  const RetentionPlan plan = Expired({}, absl::Hours(24 * 365 * 100));
  EXPECT_THAT(plan.jobs, IsEmpty());
  EXPECT_THAT(plan.datasets, IsEmpty());
}

TEST_F(RetentionTest, FinishedJobsGoAfterTheirTimeAndUnfinishedOnesNever) {
  const std::string first = Finished(), second = Finished();
  Submit();
  const RetentionOptions options{.finished_job_ttl = absl::Hours(1)};
  EXPECT_THAT(Expired(options, absl::Minutes(59)).jobs, IsEmpty());
  EXPECT_THAT(Expired(options, absl::Minutes(61)).jobs, ElementsAre(first, second));
}

TEST_F(RetentionTest, OfTooManyTheOldestGo) {
  const std::string first = Finished(), second = Finished(), third = Finished();
  EXPECT_THAT(Expired({.finished_jobs_max = 1}, absl::ZeroDuration()).jobs,
              ElementsAre(first, second));
  EXPECT_THAT(Expired({.finished_jobs_max = 3}, absl::ZeroDuration()).jobs, IsEmpty());
}

TEST_F(RetentionTest, DatasetsGoOnlyWhenNoJobNamesThem) {
  InsertDataset("d2", "another table");
  const std::string on_first = Finished();
  const RetentionOptions datasets{.unused_dataset_ttl = absl::Hours(1)};
  EXPECT_THAT(Expired(datasets, absl::Hours(2)).datasets, ElementsAre("datasets/d2"));
  RetentionOptions both = datasets;
  both.finished_job_ttl = absl::Hours(1);
  const RetentionPlan plan = Expired(both, absl::Hours(2));
  EXPECT_THAT(plan.jobs, ElementsAre(on_first));
  EXPECT_THAT(plan.datasets, ElementsAre("datasets/d1", "datasets/d2"));
  Submit();  // and now one that waits needs the first
  EXPECT_THAT(Expired(both, absl::Hours(2)).datasets, ElementsAre("datasets/d2"));
}

TEST_F(RetentionTest, WhatIsAppliedIsGoneAndModelsStay) {
  const std::string digest = InsertDataset("d2", "another table");
  const std::string job = Finished();
  const std::string model = manager_->Get(job)->model();
  DatasetStore::Options options{.uploads_directory = (directory_ / "uploads").string(),
                                .rejects_directory = (directory_ / "rejects").string(),
                                .scratch_directory = (directory_ / "scratch").string(),
                                .files = std::make_shared<PosixFileSystem>()};
  ASSERT_OK_AND_ASSIGN(const auto datasets,
                       DatasetStore::Open(options, database_.get(), blobs_.get(), {}));
  // Its own thread finds nothing to do: all is too young.
  Retention retention({.finished_job_ttl = absl::Hours(1), .unused_dataset_ttl = absl::Hours(1)},
                      database_.get(), manager_.get(), datasets.get());
  ASSERT_OK_AND_ASSIGN(const RetentionPlan done, retention.Apply(absl::Now() + absl::Hours(2)));
  EXPECT_THAT(done.jobs, ElementsAre(job));
  EXPECT_THAT(done.datasets, ElementsAre("datasets/d1", "datasets/d2"));
  EXPECT_TRUE(absl::IsNotFound(manager_->Get(job).status()));
  EXPECT_FALSE(blobs_->Path(digest).ok());
  ASSERT_OK_AND_ASSIGN(const v1::Model kept, ModelStore(database_.get(), blobs_.get()).Get(model));
  EXPECT_TRUE(blobs_->Path(kept.digest()).ok());
}

}  // namespace
}  // namespace trainyard
