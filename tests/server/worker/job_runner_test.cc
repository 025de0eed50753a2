#include "server/worker/job_runner.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/data/ingest.h"
#include "core/data/table_codec.h"
#include "core/model/bundle.h"
#include "core/train/seed_runs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "server/base/version.h"
#include "server/wire/analysis_convert.h"
#include "server/wire/convert.h"
#include "tests/support/recording_observer.h"
#include "tests/support/recording_sink.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::Contains;
using testing::Pair;

class JobRunnerTest : public testing::Test {
 protected:
  JobRunnerTest() : runner_(&blobs_) {}

  // A resolved assignment on one of tests/data's tables.
  v1::JobAssignment Assign(absl::string_view csv, absl::string_view target, TrainConfig config = {}) {
    std::ostringstream bytes;
    bytes << std::ifstream(absl::StrCat(TY_SOURCE_DIR, "/tests/data/", csv)).rdbuf();
    return AssignBytes(bytes.str(), target, std::move(config));
  }
  v1::JobAssignment AssignBytes(const std::string& csv, absl::string_view target, TrainConfig config) {
    StringSource source(csv);
    absl::StatusOr<IngestResult> ingested = IngestTable(source, {});
    TY_CHECK(ingested.ok());
    const std::string table = EncodeTable(ingested->table);
    const std::string digest = Sha256Digest(table);
    blobs_.blobs[digest] = table;

    config.data.target_column = std::string(target);
    std::vector<FieldViolation> violations;
    std::vector<std::string> notes;
    config = ResolveTrainConfig(config, SchemaOf(ingested->table), &violations, &notes);
    TY_CHECK(violations.empty());
    v1::JobAssignment assignment;
    assignment.set_job("trainingJobs/a");
    assignment.set_attempt(1);
    *assignment.mutable_resolved_spec() = TrainConfigToProto(config);
    assignment.set_table_digest(digest);
    assignment.set_dataset_digest("sha256:dataset");
    assignment.set_spec_digest("sha256:spec");
    return assignment;
  }
  v1::JobOutcome Run(const v1::JobAssignment& assignment) {
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
  const v1::JobAssignment assignment =
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
  const v1::JobAssignment assignment =
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
  const v1::JobAssignment assignment = Assign("iris.csv", "species", {.epochs = 1});
  EXPECT_TRUE(Run(assignment).has_succeeded());
  EXPECT_TRUE(Run(assignment).has_succeeded());
  EXPECT_EQ(blobs_.reads, 1);
}

TEST_F(JobRunnerTest, APathIsAShortcutAndNotNeeded) {
  v1::JobAssignment assignment = Assign("iris.csv", "species", {.epochs = 1});
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
  v1::JobAssignment assignment =
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
  v1::JobAssignment assignment = Assign("iris.csv", "species", {.epochs = 1});
  blobs_.write_status = MakeError(absl::StatusCode::kResourceExhausted, "disk full",
                                  {.reason = ErrorReason::kStorageFull});
  EXPECT_EQ(Run(assignment).failed().category(), v1::FAILURE_CATEGORY_INFRA);
  blobs_.write_status = absl::OkStatus();
  JobRunner fresh(&blobs_);
  blobs_.blobs[assignment.table_digest()][100] ^= 1;
  const v1::JobOutcome outcome = fresh.Run(assignment, &stop_, &sink_);
  EXPECT_EQ(outcome.failed().category(), v1::FAILURE_CATEGORY_INFRA) << outcome.DebugString();
}

TEST_F(JobRunnerTest, TheTestHasAConfusionMatrixOfItsRows) {
  const v1::JobOutcome outcome = Run(Assign("iris.csv", "species", {.epochs = 2}));
  ASSERT_TRUE(outcome.has_succeeded()) << outcome.DebugString();
  const v1::ConfusionMatrix& confusion = outcome.succeeded().test_confusion();
  EXPECT_EQ(confusion.classes_size(), 3);
  ASSERT_EQ(confusion.counts_size(), 9);
  double rows = 0;
  for (const double count : confusion.counts()) rows += count;
  const v1::TestMetrics test = sink_.events().back().test();
  EXPECT_EQ(rows, static_cast<double>(test.row_count()));
  EXPECT_EQ(test.confusion().SerializeAsString(), confusion.SerializeAsString());
  const double right = confusion.counts(0) + confusion.counts(4) + confusion.counts(8);
  EXPECT_DOUBLE_EQ(right / rows, Metric(outcome.succeeded().test_metrics(), "accuracy"));
}

TEST_F(JobRunnerTest, SeveralSeedsLeaveTheBestAndATableOfAll) {
  const v1::JobOutcome outcome = Run(Assign(
      "iris.csv", "species", {.layers = {{.units = 4}}, .epochs = 3, .seed = 5, .seed_count = 3}));
  ASSERT_TRUE(outcome.has_succeeded()) << outcome.DebugString();
  const auto& seeds = outcome.succeeded().seed_results();
  ASSERT_EQ(seeds.size(), 3);
  double best = std::numeric_limits<double>::infinity();
  double best_test = 0;
  for (const v1::SeedResult& seed : seeds) {
    const double loss = Metric(seed.validation_metrics(), "loss");
    if (loss < best) best_test = Metric(seed.test_metrics(), "loss");
    best = std::min(best, loss);
  }
  EXPECT_EQ(seeds[2].seed(), 7u);
  EXPECT_EQ(Metric(outcome.succeeded().test_metrics(), "loss"), best_test);
  const std::vector<v1::JobEvent> events = sink_.events();
  EXPECT_EQ(events[events.size() - 2].epoch().run(), 2);
  EXPECT_EQ(events[events.size() - 2].epoch().epoch(), 8);
}

// What the runner does by itself: each fold's data is made from the table.
TEST_F(JobRunnerTest, CrossValidationIsTrainFoldsAlsoWhenTheFirstFoldIsTheBest) {
  std::set<bool> first_is_best;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    TrainConfig config{.layers = {{.units = 4}}, .epochs = 2, .seed = seed};
    config.data.split = {.test_fraction = 0.2, .fold_count = 3};
    const v1::JobAssignment assignment = Assign("iris.csv", "species", config);
    std::vector<FieldViolation> violations;
    config = TrainConfigFromProto(assignment.resolved_spec(), &violations);
    const Table table = DecodeTable(blobs_.blobs.at(assignment.table_digest())).value();
    const auto build = [&](int64_t fold) {
      return BuildDataset(table, config.data, config.seed, {.fold = fold});
    };
    RecordingObserver observer;
    ASSERT_OK_AND_ASSIGN(const FoldsResult expected,
                         TrainFolds(config, build, nullptr, observer, StopFlag()));
    first_is_best.insert(expected.runs.best_run == 0);

    const v1::JobOutcome outcome = Run(assignment);
    ASSERT_TRUE(outcome.has_succeeded()) << outcome.DebugString();
    const auto& seeds = outcome.succeeded().seed_results();
    ASSERT_EQ(seeds.size(), 3);
    for (int fold = 0; fold < 3; ++fold) {
      EXPECT_EQ(seeds[fold].fold(), fold);
      EXPECT_EQ(Metric(seeds[fold].validation_metrics(), "loss"),
                expected.runs.seeds[fold].validation.Find("loss"));
    }
    const Bundle bundle = BundleOf(outcome);
    EXPECT_EQ(bundle.preprocessor.offsets(), expected.dataset.preprocessor.offsets());
    ASSERT_EQ(bundle.weights.size(), expected.runs.best.weights.size());
    EXPECT_EQ(bundle.weights[0].weights, expected.runs.best.weights[0].weights);
  }
  EXPECT_EQ(first_is_best.size(), 2u) << "choose seeds in which both happens";
}

TEST_F(JobRunnerTest, EarlyStoppingIsTheReasonAndEvaluationsAreEvents) {
  TrainConfig config{.epochs = 1'000, .evaluation_interval = 1};
  config.early_stopping = {.enabled = true, .patience = 1, .min_delta = 1e9};
  const v1::JobOutcome outcome = Run(Assign("iris.csv", "species", config));
  ASSERT_TRUE(outcome.has_succeeded()) << outcome.DebugString();
  EXPECT_EQ(outcome.succeeded().stop_reason(), v1::STOP_REASON_EARLY_STOPPED);
  int evaluations = 0;
  for (const v1::JobEvent& event : sink_.events()) evaluations += event.has_evaluation() ? 1 : 0;
  EXPECT_GE(evaluations, 1);
}

// What a job that hardly moves leaves is what it started from.
TrainConfig StandStill(uint64_t seed) {
  TrainConfig config{.layers = {{.units = 4}}, .epochs = 1, .seed = seed};
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.learning_rate = 1e-30;
  return config;
}

void NameModel(const std::string& name, const v1::JobOutcome& outcome, v1::JobAssignment* assignment) {
  v1::ModelBlob* model = assignment->add_models();
  model->set_model(name);
  model->set_digest(outcome.succeeded().bundle_digest());
}

TEST_F(JobRunnerTest, AnInitialModelIsWhereTrainingBeginsWithItsScaling) {
  const v1::JobOutcome first =
      Run(Assign("iris.csv", "species", {.layers = {{.units = 4}}, .epochs = 5, .seed = 1}));
  // Another seed: another split, on which features would be scaled otherwise.
  v1::JobAssignment assignment = Assign("iris.csv", "species", StandStill(2));
  assignment.mutable_resolved_spec()->set_initial_model("models/first");
  NameModel("models/first", first, &assignment);
  const v1::JobOutcome second = Run(assignment);
  ASSERT_TRUE(second.has_succeeded()) << second.DebugString();
  const Bundle a = BundleOf(first);
  const Bundle b = BundleOf(second);
  EXPECT_EQ(a.preprocessor.offsets(), b.preprocessor.offsets());
  EXPECT_EQ(a.preprocessor.scales(), b.preprocessor.scales());
  for (size_t i = 0; i < a.weights.size(); ++i) {
    EXPECT_EQ(a.weights[i].weights, b.weights[i].weights);
  }
  EXPECT_THAT(b.provenance,
              Contains(Pair("initial_model_digest", first.succeeded().bundle_digest())));
  EXPECT_TRUE(std::is_sorted(b.provenance.begin(), b.provenance.end()));
}

// Numbers that float32 keeps 128 apart: they are scaled before they become floats.
TEST_F(JobRunnerTest, AnInitialModelKnowsALargeColumnToItsLastDigits) {
  std::string csv = "unix_seconds,y\n";
  for (int i = 0; i < 200; ++i) {
    const double y = std::sin(i);
    absl::StrAppendFormat(&csv, "%.3f,%.9f\n", 1.7e9 + 100 * y, y);
  }
  TrainConfig config{.batch_size = 1'000, .epochs = 10, .seed = 1};
  config.optimizer.kind = OptimizerKind::kLbfgs;
  const v1::JobOutcome first = Run(AssignBytes(csv, "y", config));
  EXPECT_LT(Metric(first.succeeded().test_metrics(), "loss"), 1e-6);
  v1::JobAssignment assignment = AssignBytes(csv, "y", StandStill(2));
  assignment.mutable_resolved_spec()->clear_layers();
  assignment.mutable_resolved_spec()->set_initial_model("models/first");
  NameModel("models/first", first, &assignment);
  const v1::JobOutcome second = Run(assignment);
  EXPECT_LT(Metric(second.succeeded().test_metrics(), "loss"), 1e-6);
}

TEST_F(JobRunnerTest, AnInitialModelOfOtherDataIsTheUsersError) {
  const v1::JobOutcome other = Run(Assign("wdbc.csv", "diagnosis", StandStill(1)));
  v1::JobAssignment assignment = Assign("iris.csv", "species", StandStill(1));
  assignment.mutable_resolved_spec()->set_initial_model("models/other");
  NameModel("models/other", other, &assignment);
  const v1::JobOutcome outcome = Run(assignment);
  EXPECT_EQ(outcome.failed().reason(), v1::ERROR_REASON_INVALID_SPEC);
  EXPECT_EQ(outcome.failed().category(), v1::FAILURE_CATEGORY_USER);
  EXPECT_THAT(outcome.failed().message(), testing::HasSubstr("models/other"));
  EXPECT_THAT(outcome.failed().message(), testing::HasSubstr("classes"));
  blobs_.blobs.erase(other.succeeded().bundle_digest());
  EXPECT_EQ(Run(assignment).failed().category(), v1::FAILURE_CATEGORY_INFRA);
}

// Changes a byte near the end of every file of `directory`; how many there are.
int DamageFiles(const std::string& directory) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-100, std::ios::end).put('!');
    ++count;
  }
  return count;
}

class AnalysisRunTest : public JobRunnerTest {
 protected:
  v1::AnalysisResult ResultOf(const v1::JobOutcome& outcome) {
    v1::AnalysisResult result;
    EXPECT_TRUE(outcome.has_succeeded()) << outcome.DebugString();
    EXPECT_TRUE(result.ParseFromString(blobs_.blobs.at(outcome.succeeded().bundle_digest())));
    return result;
  }
  v1::JobAssignment AssignTwo(const TrainConfig& a, const TrainConfig& b);
  // Fills in defaults as the server does.
  void SetAnalysis(const v1::AnalysisSpec& analysis, v1::JobAssignment* assignment) {
    std::vector<FieldViolation> violations;
    *assignment->mutable_analysis() =
        ResolveAnalysis(analysis, assignment->resolved_spec(), &violations);
    EXPECT_TRUE(violations.empty()) << violations.front().field;
  }
};

TEST_F(AnalysisRunTest, TheCentreOfALandscapeIsTheLossOfTheModel) {
  const TrainConfig config{.layers = {{.units = 4}}, .epochs = 5};
  v1::JobAssignment assignment = Assign("iris.csv", "species", config);
  const v1::JobOutcome trained = Run(assignment);
  NameModel("models/a", trained, &assignment);
  v1::AnalysisSpec analysis;
  analysis.set_model("models/a");
  analysis.set_part(v1::DATASET_PART_TEST);
  analysis.mutable_loss_landscape()->set_resolution(5);
  SetAnalysis(analysis, &assignment);
  const size_t events_before = sink_.events().size();
  const v1::JobOutcome outcome = Run(assignment);
  const v1::AnalysisResult result = ResultOf(outcome);
  EXPECT_EQ(result.loss_landscape().losses_size(), 25);
  EXPECT_NEAR(result.loss_landscape().centre(), Metric(trained.succeeded().test_metrics(), "loss"),
              1e-6);
  EXPECT_EQ(result.row_count(), sink_.events()[events_before - 1].test().row_count());
  EXPECT_EQ(outcome.succeeded().stop_reason(), v1::STOP_REASON_COMPLETED);

  const std::vector<v1::JobEvent> events = sink_.events();
  ASSERT_GT(events.size(), events_before);
  EXPECT_LE(events.size() - events_before, 22u);
  EXPECT_EQ(events.back().analysis_progress().points_done(), 25);
  EXPECT_EQ(events.back().analysis_progress().points_total(), 25);
  EXPECT_EQ(sink_.requests().back().events().steps_done(), 25);
}

TEST_F(AnalysisRunTest, EveryKindLeavesItsResultAndTheSameOneTwice) {
  v1::AnalysisSpec kinds[7];
  kinds[0].mutable_gradient_check()->set_parameters_per_tensor(5);
  kinds[1].mutable_loss_landscape()->set_resolution(3);
  kinds[2].mutable_linear_collapse();
  kinds[3].mutable_layer_statistics();
  kinds[4].mutable_decision_boundary()->set_x_feature("petal_length");
  kinds[4].mutable_decision_boundary()->set_y_feature("petal_width");
  kinds[4].mutable_decision_boundary()->set_resolution(3);
  kinds[5].mutable_hessian()->set_iterations_max(5);
  kinds[6].mutable_learning_rate_finder()->set_steps(10);
  for (const v1::AnalysisSpec& kind : kinds) {
    SCOPED_TRACE(kind.ShortDebugString());
    v1::JobAssignment assignment =
        Assign("iris.csv", "species", {.layers = {{.units = 3, .activation = Activation::kTanh}}});
    SetAnalysis(kind, &assignment);
    const v1::JobOutcome outcome = Run(assignment);
    const v1::AnalysisResult result = ResultOf(outcome);
    EXPECT_EQ(v1::AnalysisResult::GetDescriptor()
                  ->FindFieldByNumber(static_cast<int>(result.kind_case()))
                  ->name(),
              v1::AnalysisSpec::GetDescriptor()
                  ->FindFieldByNumber(static_cast<int>(kind.kind_case()))
                  ->name());
    EXPECT_GT(result.row_count(), 0);
    EXPECT_EQ(Run(assignment).succeeded().bundle_digest(), outcome.succeeded().bundle_digest());
  }
}

// The cells of a kept file are compared with their checksums before a result counts, of whatever
// kind of job.
TEST_F(AnalysisRunTest, DamagedPreparedDataIsNoResult) {
  TempDir directory;
  std::string csv = "y";
  for (int c = 0; c < 300; ++c) absl::StrAppend(&csv, ",x", c);
  Rng rng(1, RngStream::kSplit);
  for (int row = 0; row < 10'000; ++row) {
    absl::StrAppend(&csv, "\n", row % 2);
    for (int c = 0; c < 300; ++c) absl::StrAppend(&csv, ",", rng.Below(100));
  }
  TrainConfig config{.epochs = 1};
  config.data.task = Task::kBinary;
  v1::JobAssignment trains = AssignBytes(csv, "y", config);
  trains.set_prepared_directory(directory.path());
  trains.set_prepared_bytes_max(int64_t{1} << 30);
  v1::JobAssignment analyzes = trains;
  v1::AnalysisSpec finder;
  finder.mutable_learning_rate_finder()->set_steps(10);
  SetAnalysis(finder, &analyzes);
  for (const v1::JobAssignment& assignment : {trains, analyzes}) {
    ASSERT_TRUE(JobRunner(&blobs_).Run(assignment, &stop_, &sink_).has_succeeded());
    ASSERT_EQ(DamageFiles(directory.path()), 1);
    // Another worker: what this one has checked once it trusts.
    const v1::JobOutcome outcome = JobRunner(&blobs_).Run(assignment, &stop_, &sink_);
    EXPECT_EQ(outcome.failed().category(), v1::FAILURE_CATEGORY_INFRA) << outcome.DebugString();
    EXPECT_EQ(outcome.failed().reason(), v1::ERROR_REASON_DATA_LOSS);
  }
}

TEST_F(AnalysisRunTest, ALineGoesFromOneModelToTheOther) {
  const TrainConfig config{.layers = {{.units = 4}}, .epochs = 2};
  v1::JobAssignment assignment = Assign("iris.csv", "species", config);
  const v1::JobOutcome first = Run(assignment);
  assignment.mutable_resolved_spec()->set_epochs(6);
  const v1::JobOutcome second = Run(assignment);
  NameModel("models/a", first, &assignment);
  NameModel("models/b", second, &assignment);
  v1::AnalysisSpec analysis;
  analysis.set_model("models/a");
  analysis.set_part(v1::DATASET_PART_TEST);
  analysis.mutable_loss_line()->set_other_model("models/b");
  analysis.mutable_loss_line()->set_points(5);
  analysis.mutable_loss_line()->set_from(0);
  analysis.mutable_loss_line()->set_to(1);
  SetAnalysis(analysis, &assignment);
  const v1::AnalysisResult result = ResultOf(Run(assignment));
  EXPECT_NEAR(result.loss_line().losses(0), Metric(first.succeeded().test_metrics(), "loss"), 1e-6);
  EXPECT_NEAR(result.loss_line().losses(4), Metric(second.succeeded().test_metrics(), "loss"),
              1e-6);
}

// Models "models/a" and "models/b" of the two configs, named in the assignment of the first.
v1::JobAssignment AnalysisRunTest::AssignTwo(const TrainConfig& a, const TrainConfig& b) {
  v1::JobAssignment assignment = Assign("iris.csv", "species", a);
  const v1::JobOutcome first = Run(assignment);
  const v1::JobOutcome second = Run(Assign("iris.csv", "species", b));
  NameModel("models/a", first, &assignment);
  NameModel("models/b", second, &assignment);
  return assignment;
}

v1::AnalysisSpec LineToB() {
  v1::AnalysisSpec analysis;
  analysis.set_model("models/a");
  analysis.set_part(v1::DATASET_PART_TEST);
  analysis.mutable_loss_line()->set_other_model("models/b");
  analysis.mutable_loss_line()->set_points(3);
  analysis.mutable_loss_line()->set_from(0);
  analysis.mutable_loss_line()->set_to(1);
  return analysis;
}

// Another seed is another split, which scales features otherwise.
TEST_F(AnalysisRunTest, ALineEndsInTheOtherModelHoweverThatWasScaled) {
  const TrainConfig a{.layers = {{.units = 4}}, .epochs = 3, .seed = 1};
  TrainConfig other_split = a;
  other_split.seed = 2;
  TrainConfig unscaled = other_split;
  unscaled.data.scaling = Scaling::kNone;
  TrainConfig normalised = a;
  normalised.layers[0].bias = false;
  normalised.layers[0].normalization = Normalization::kBatch;
  TrainConfig normalised_b = normalised;
  normalised_b.seed = 2;
  const std::pair<TrainConfig, TrainConfig> pairs[] = {
      {a, other_split}, {a, unscaled}, {unscaled, a}, {normalised, normalised_b}};
  for (const auto& [from, to] : pairs) {
    v1::JobAssignment assignment = AssignTwo(from, to);
    SetAnalysis(LineToB(), &assignment);
    const v1::AnalysisResult line = ResultOf(Run(assignment));
    v1::AnalysisSpec there;
    there.set_model("models/b");
    there.set_part(v1::DATASET_PART_TEST);
    there.mutable_loss_landscape()->set_resolution(3);
    SetAnalysis(there, &assignment);
    const double loss = ResultOf(Run(assignment)).loss_landscape().centre();
    EXPECT_NEAR(line.loss_line().losses(2), loss, 1e-5);
  }
}

TEST_F(AnalysisRunTest, ALineNeedsAFirstLayerThatTakesUpOtherScaling) {
  TrainConfig a{.layers = {{.units = 4, .bias = false}}, .epochs = 1, .seed = 1};
  TrainConfig b = a;
  b.seed = 2;
  v1::JobAssignment assignment = AssignTwo(a, b);
  SetAnalysis(LineToB(), &assignment);
  const v1::JobOutcome no_bias = Run(assignment);
  EXPECT_EQ(no_bias.failed().reason(), v1::ERROR_REASON_INVALID_SPEC);
  EXPECT_EQ(no_bias.failed().category(), v1::FAILURE_CATEGORY_USER);
  EXPECT_THAT(no_bias.failed().message(), testing::HasSubstr("models/b"));
  EXPECT_THAT(no_bias.failed().message(), testing::HasSubstr("no biases"));
  a.layers[0] = b.layers[0] = {.units = 4, .residual = true};
  assignment = AssignTwo(a, b);
  SetAnalysis(LineToB(), &assignment);
  EXPECT_THAT(Run(assignment).failed().message(), testing::HasSubstr("residual"));
  b.seed = 1;
  b.epochs = 2;
  assignment = AssignTwo(a, b);
  SetAnalysis(LineToB(), &assignment);
  EXPECT_TRUE(Run(assignment).has_succeeded());  // the same scaling needs nothing
}

TEST_F(AnalysisRunTest, HalfAnAnalysisIsNone) {
  v1::JobAssignment assignment = Assign("wdbc.csv", "diagnosis", {.layers = {{.units = 512}}});
  v1::AnalysisSpec analysis;
  analysis.mutable_loss_landscape()->set_resolution(201);
  SetAnalysis(analysis, &assignment);
  assignment.mutable_resolved_spec()->mutable_max_runtime()->set_seconds(0);
  assignment.mutable_resolved_spec()->mutable_max_runtime()->set_nanos(100'000'000);
  const v1::JobOutcome late = Run(assignment);
  EXPECT_EQ(late.failed().reason(), v1::ERROR_REASON_RUNTIME_LIMIT) << late.DebugString();
  EXPECT_EQ(late.failed().category(), v1::FAILURE_CATEGORY_USER);
  StopFlag cancelled;
  cancelled.Request(StopCause::kCancelled);
  EXPECT_TRUE(runner_.Run(assignment, &cancelled, &sink_).has_stopped());
}

}  // namespace
}  // namespace trainyard
