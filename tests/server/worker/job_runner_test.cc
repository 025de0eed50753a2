#include "server/worker/job_runner.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/data/ingest.h"
#include "core/data/table_codec.h"
#include "core/model/bundle.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "server/base/version.h"
#include "server/wire/convert.h"
#include "tests/support/recording_sink.h"

namespace trainyard {
namespace {

using testing::Contains;
using testing::Pair;

class JobRunnerTest : public testing::Test {
 protected:
  JobRunnerTest() : runner_(&blobs_) {}

  // A resolved assignment on one of tests/data's tables.
  v1::Assignment Assign(absl::string_view csv, absl::string_view target, TrainConfig config = {}) {
    std::ostringstream bytes;
    bytes << std::ifstream(absl::StrCat(TY_SOURCE_DIR, "/tests/data/", csv)).rdbuf();
    StringSource source(bytes.str());
    absl::StatusOr<IngestResult> ingested = ReadCsvTable(source, {});
    TY_CHECK(ingested.ok());
    const std::string table = EncodeTable(ingested->table);
    const std::string digest = Sha256Digest(table);
    blobs_.blobs[digest] = table;

    config.data.target_column = std::string(target);
    std::vector<FieldViolation> violations;
    std::vector<std::string> notes;
    config = ResolveTrainConfig(config, SchemaOf(ingested->table), &violations, &notes);
    TY_CHECK(violations.empty());
    v1::Assignment assignment;
    assignment.set_job("trainingJobs/a");
    assignment.set_attempt(1);
    *assignment.mutable_resolved_spec() = TrainConfigToProto(config);
    assignment.set_table_digest(digest);
    assignment.set_dataset_digest("sha256:dataset");
    assignment.set_spec_digest("sha256:spec");
    return assignment;
  }
  v1::JobOutcome Run(const v1::Assignment& assignment) {
    return runner_.Run(assignment, &stop_, &sink_);
  }
  Bundle BundleOf(const v1::JobOutcome& outcome) {
    const std::string& bytes = blobs_.blobs.at(outcome.succeeded().bundle_digest());
    EXPECT_EQ(static_cast<int64_t>(bytes.size()), outcome.succeeded().bundle_size_bytes());
    return DecodeBundle(bytes).value();
  }

  MemoryBlobs blobs_;
  RecordingSink sink_;
  StopFlag stop_;
  JobRunner runner_;
};

double Metric(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics,
              absl::string_view name) {
  for (const v1::Metric& metric : metrics) {
    if (metric.name() == name) return metric.value();
  }
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

TEST_F(JobRunnerTest, LearnsBreastCancerAndLeavesABundleWithItsProvenance) {
  const v1::Assignment assignment =
      Assign("wdbc.csv", "diagnosis", {.layers = {{.units = 16}}, .epochs = 20});
  const v1::JobOutcome outcome = Run(assignment);
  ASSERT_TRUE(outcome.has_succeeded()) << outcome.DebugString();
  EXPECT_EQ(outcome.succeeded().stop_reason(), v1::STOP_REASON_COMPLETED);
  EXPECT_GE(Metric(outcome.succeeded().test_metrics(), "accuracy"), 0.9);
  EXPECT_EQ(outcome.succeeded().feature_columns_size(), 30);
  EXPECT_EQ(outcome.succeeded().parameter_count(), 30 * 16 + 16 + 16 + 1);
  const Bundle bundle = BundleOf(outcome);
  EXPECT_EQ(bundle.classes.size(), 2u);
  EXPECT_THAT(bundle.provenance, Contains(Pair("dataset_digest", "sha256:dataset")));
  EXPECT_THAT(bundle.provenance, Contains(Pair("build", BuildString())));
  EXPECT_TRUE(std::is_sorted(bundle.provenance.begin(), bundle.provenance.end()));
}

TEST_F(JobRunnerTest, EventsAreStepsThenAnEpochEachThenTheTest) {
  const v1::JobOutcome outcome = Run(Assign("iris.csv", "species", {.epochs = 3}));
  ASSERT_TRUE(outcome.has_succeeded()) << outcome.DebugString();
  const std::vector<v1::JobEvent> events = sink_.events();
  ASSERT_FALSE(events.empty());
  EXPECT_TRUE(events.front().has_step());
  EXPECT_TRUE(events.back().has_test());
  EXPECT_EQ(Metric(events.back().test().metrics(), "accuracy"),
            Metric(outcome.succeeded().test_metrics(), "accuracy"));
  int epochs = 0;
  for (const v1::JobEvent& event : events) epochs += event.has_epoch() ? 1 : 0;
  EXPECT_EQ(epochs, 3);
  EXPECT_EQ(sink_.requests().back().events().rows_done(),
            events[events.size() - 2].epoch().rows_seen());
}

TEST_F(JobRunnerTest, TheSameAssignmentTwiceGivesTheSameBytesAndEvents) {
  const v1::Assignment assignment =
      Assign("iris.csv", "species", {.layers = {{.units = 8}}, .epochs = 5, .seed = 7});
  const v1::JobOutcome first = Run(assignment);
  const size_t count = sink_.events().size();
  const v1::JobOutcome second = Run(assignment);
  EXPECT_EQ(first.succeeded().bundle_digest(), second.succeeded().bundle_digest());
  const std::vector<v1::JobEvent> events = sink_.events();
  ASSERT_EQ(events.size(), 2 * count);
  for (size_t i = 0; i < count; ++i) {
    EXPECT_EQ(events[i].SerializeAsString(), events[count + i].SerializeAsString());
  }
}

TEST_F(JobRunnerTest, ATableIsFetchedOnceForManyJobs) {
  const v1::Assignment assignment = Assign("iris.csv", "species", {.epochs = 1});
  EXPECT_TRUE(Run(assignment).has_succeeded());
  EXPECT_TRUE(Run(assignment).has_succeeded());
  EXPECT_EQ(blobs_.reads, 1);
}

TEST_F(JobRunnerTest, APathIsAShortcutAndNotNeeded) {
  v1::Assignment assignment = Assign("iris.csv", "species", {.epochs = 1});
  assignment.set_table_path("/nowhere/table");
  EXPECT_TRUE(Run(assignment).has_succeeded());
  EXPECT_EQ(blobs_.reads, 1);

  const std::filesystem::path path = std::filesystem::temp_directory_path() / NewId().c_str();
  std::ofstream(path, std::ios::binary) << blobs_.blobs.at(assignment.table_digest());
  assignment.set_table_path(path.string());
  JobRunner fresh(&blobs_);
  EXPECT_TRUE(fresh.Run(assignment, &stop_, &sink_).has_succeeded());
  EXPECT_EQ(blobs_.reads, 1);
  std::filesystem::remove(path);
}

TEST_F(JobRunnerTest, ACancelIsAnOutcome) {
  stop_.Request(StopCause::kCancelled);
  EXPECT_TRUE(Run(Assign("iris.csv", "species")).has_stopped());
}

TEST_F(JobRunnerTest, ARuntimeLimitKeepsTheModel) {
  v1::Assignment assignment =
      Assign("iris.csv", "species",
             {.layers = {{.units = 64}}, .epochs = 100'000, .step_event_interval = 1'000});
  assignment.mutable_resolved_spec()->clear_max_runtime();
  assignment.mutable_resolved_spec()->mutable_max_runtime()->set_nanos(100'000'000);
  const v1::JobOutcome outcome = Run(assignment);
  ASSERT_TRUE(outcome.has_succeeded()) << outcome.DebugString();
  EXPECT_EQ(outcome.succeeded().stop_reason(), v1::STOP_REASON_RUNTIME_LIMIT);
  EXPECT_TRUE(blobs_.blobs.contains(outcome.succeeded().bundle_digest()));
}

TEST_F(JobRunnerTest, AnExplodingLossIsTheUsersErrorWithItsPlace) {
  TrainConfig config{.layers = {{.units = 8}}, .epochs = 5};
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.learning_rate = 1e6;
  config.data.task = Task::kRegression;
  config.data.scaling = Scaling::kNone;
  config.data.exclude_columns = {"species"};
  const v1::JobOutcome outcome = Run(Assign("iris.csv", "petal_width", config));
  ASSERT_TRUE(outcome.has_failed()) << outcome.DebugString();
  EXPECT_EQ(outcome.failed().reason(), v1::ERROR_REASON_NON_FINITE_LOSS);
  EXPECT_EQ(outcome.failed().category(), v1::FAILURE_CATEGORY_USER);
  EXPECT_EQ(outcome.failed().learning_rate(), 1e6);
  EXPECT_FALSE(outcome.failed().layer().empty());
}

TEST_F(JobRunnerTest, LostBytesAndAFullDiskAreTheServicesFault) {
  v1::Assignment assignment = Assign("iris.csv", "species", {.epochs = 1});
  blobs_.write_status = MakeError(absl::StatusCode::kResourceExhausted, "disk full",
                                  {.reason = ErrorReason::kStorageFull});
  EXPECT_EQ(Run(assignment).failed().category(), v1::FAILURE_CATEGORY_INFRA);
  blobs_.write_status = absl::OkStatus();
  JobRunner fresh(&blobs_);
  blobs_.blobs[assignment.table_digest()][100] ^= 1;
  const v1::JobOutcome outcome = fresh.Run(assignment, &stop_, &sink_);
  EXPECT_EQ(outcome.failed().category(), v1::FAILURE_CATEGORY_INFRA) << outcome.DebugString();
}

}  // namespace
}  // namespace trainyard
