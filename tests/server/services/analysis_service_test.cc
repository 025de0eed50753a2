// Analyses over a real server with a real worker: created, watched, read, deleted.
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using Stub = v1::AnalysisService::Stub;
using Jobs = v1::JobService::Stub;

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

class AnalysisServiceTest : public testing::Test {
 protected:
  AnalysisServiceTest() : dataset_(server_.Upload(ReadTestData("iris.csv"))) {}

  // On the initial weights of a small network.
  v1::CreateAnalysisRequest Request() const {
    v1::CreateAnalysisRequest request;
    request.set_dataset(dataset_);
    request.mutable_spec()->set_target_column("species");
    request.mutable_spec()->add_layers()->set_units(4);
    request.mutable_analysis()->mutable_loss_landscape()->set_resolution(3);
    return request;
  }
  absl::StatusOr<v1::TrainingJob> Create(const v1::CreateAnalysisRequest& request) {
    return CallWith(server_.analyses(), &Stub::CreateAnalysis, request);
  }
  absl::StatusOr<v1::AnalysisResult> ResultOf(const std::string& name) {
    return CallWith(server_.analyses(), &Stub::GetAnalysisResult,
                    Named<v1::GetAnalysisResultRequest>(name));
  }
  // A model and the job that made it.
  v1::TrainingJob Trained(const std::function<void(v1::TrainingSpec*)>& adjust = {}) {
    v1::TrainingJob job = server_.Wait(server_.Submit(dataset_, "species", adjust).name());
    EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.ShortDebugString();
    return job;
  }

  TestServer server_{{.workers = 1}};
  const std::string dataset_;
};

TEST_F(AnalysisServiceTest, ALandscapeIsAJobWithProgressAndAResult) {
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob created, Create(Request()));
  EXPECT_EQ(created.analysis().rows_max(), 10'000);  // resolved
  const v1::TrainingJob job = server_.Wait(created.name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.ShortDebugString();
  EXPECT_EQ(job.model(), "");
  EXPECT_EQ(job.progress().steps_done(), 9);
  EXPECT_EQ(job.progress().steps_total(), 9);
  EXPECT_THAT(job.receipt().result_digest(), HasSubstr("sha256:"));
  ASSERT_OK_AND_ASSIGN(const v1::AnalysisResult result, ResultOf(job.name()));
  EXPECT_EQ(result.loss_landscape().losses_size(), 9);
  EXPECT_EQ(result.loss_landscape().losses(4), result.loss_landscape().centre());
  EXPECT_EQ(CallWith(server_.models(), &v1::ModelService::Stub::ListModels, {})->models_size(), 0);

  v1::WatchTrainingJobRequest watch = Named<v1::WatchTrainingJobRequest>(job.name());
  watch.add_kinds(v1::EVENT_KIND_ANALYSIS_PROGRESS);
  int points = 0;
  for (const auto& message : server_.Watch(watch).messages) {
    points += message.event().has_analysis_progress() ? 1 : 0;
  }
  EXPECT_GE(points, 1);

  ASSERT_THAT(CallWith(server_.jobs(), &Jobs::DeleteTrainingJob,
                       Named<v1::DeleteTrainingJobRequest>(job.name())),
              IsOk());
  EXPECT_THAT(ResultOf(job.name()), HasReason(ErrorReason::kNotFound));
  EXPECT_FALSE(server_.server().blobs()->Path(job.receipt().result_digest()).ok());
}

TEST_F(AnalysisServiceTest, AModelBringsItsSpecAndItsDataset) {
  const v1::TrainingJob trained = Trained();
  v1::CreateAnalysisRequest request;
  request.mutable_analysis()->set_model(trained.model());
  request.mutable_analysis()->set_part(v1::DATASET_PART_TEST);
  request.mutable_analysis()->mutable_loss_landscape()->set_resolution(3);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob created, Create(request));
  EXPECT_EQ(created.dataset(), dataset_);
  EXPECT_EQ(created.resolved_spec().layers(0).units(), 4);
  ASSERT_EQ(server_.Wait(created.name()).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_NEAR(ResultOf(created.name())->loss_landscape().centre(), trained.test_metrics(0).value(),
              1e-6);

  request.mutable_spec()->set_target_column("species");
  EXPECT_THAT(Create(request), HasReason(ErrorReason::kInvalidRequest));
  request.clear_spec();
  request.mutable_spec()->mutable_max_runtime()->set_seconds(30);
  request.mutable_spec()->set_max_memory_bytes(int64_t{1} << 30);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob limited, Create(request));
  EXPECT_EQ(limited.resolved_spec().max_runtime().seconds(), 30);
  EXPECT_EQ(limited.resolved_spec().max_memory_bytes(), int64_t{1} << 30);
  request.clear_spec();
  ASSERT_THAT(CallWith(server_.jobs(), &Jobs::DeleteTrainingJob,
                       Named<v1::DeleteTrainingJobRequest>(trained.name())),
              IsOk());
  EXPECT_THAT(Create(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("was deleted")));
  request.set_dataset(dataset_);
  EXPECT_THAT(Create(request), IsOk());
}

TEST_F(AnalysisServiceTest, FaultsHaveTheirPaths) {
  v1::CreateAnalysisRequest request = Request();
  request.mutable_analysis()->mutable_loss_landscape()->set_resolution(4);
  request.mutable_analysis()->set_rows_max(0);
  const auto even = Create(request);
  EXPECT_THAT(even, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(
      ViolatedFields(even.status()),
      testing::UnorderedElementsAre("analysis.loss_landscape.resolution", "analysis.rows_max"));
  request = Request();
  request.mutable_spec()->set_target_column("specis");
  EXPECT_THAT(ViolatedFields(Create(request).status()), testing::ElementsAre("spec.target_column"));
  request = Request();
  request.clear_dataset();
  request.set_request_id("1");
  request.mutable_analysis()->mutable_loss_line();
  EXPECT_THAT(
      ViolatedFields(Create(request).status()),
      testing::UnorderedElementsAre("dataset", "request_id", "analysis.loss_line.other_model"));
  request.set_dataset(dataset_);
  request.mutable_spec()->set_target_column("specis");
  request.mutable_spec()->mutable_optimizer()->set_learning_rate(-1);
  request.mutable_analysis()->mutable_loss_line()->set_points(1);
  const auto all = Create(request);
  EXPECT_THAT(all, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(ViolatedFields(all.status()),
              testing::UnorderedElementsAre("request_id", "analysis.loss_line.other_model",
                                            "spec.target_column", "spec.optimizer.learning_rate",
                                            "analysis.loss_line.points"));
  request.clear_request_id();
  request.mutable_analysis()->mutable_decision_boundary()->set_x_feature("petal_length");
  request.mutable_analysis()->mutable_decision_boundary()->set_y_feature("petal_width");
  request.mutable_analysis()->mutable_decision_boundary()->set_resolution(1);
  const auto two = Create(request);
  EXPECT_THAT(two, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(ViolatedFields(two.status()),
              testing::UnorderedElementsAre("spec.target_column", "spec.optimizer.learning_rate",
                                            "analysis.decision_boundary.resolution"));
  request = Request();
  request.clear_analysis();
  EXPECT_THAT(ViolatedFields(Create(request).status()), testing::ElementsAre("analysis"));
  request = Request();
  request.mutable_analysis()->set_model("models/nowhere");
  request.clear_spec();
  EXPECT_THAT(Create(request), HasReason(ErrorReason::kNotFound));
}

// Of 152 rows 106 train, of which batches of 7 leave one for the last: refused in training with
// BATCH normalisation. An analysis of a model goes by no batches.
TEST_F(AnalysisServiceTest, AnotherDatasetNeedNotSuitTheModelsTraining) {
  const v1::TrainingJob trained = Trained([](v1::TrainingSpec* spec) {
    spec->mutable_layers(0)->set_normalization(v1::NORMALIZATION_BATCH);
    spec->set_batch_size(7);
  });
  std::string csv = ReadTestData("iris.csv");
  const std::string last_row = csv.substr(csv.rfind('\n', csv.size() - 2) + 1);
  csv += last_row + last_row;
  const std::string other = server_.Upload(csv);
  v1::CreateTrainingJobRequest training;
  training.mutable_training_job()->set_dataset(other);
  *training.mutable_training_job()->mutable_spec() = trained.spec();
  EXPECT_THAT(CallWith(server_.jobs(), &Jobs::CreateTrainingJob, training),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("leaves 1 of the")));
  v1::CreateAnalysisRequest request;
  request.set_dataset(other);
  request.mutable_analysis()->set_model(trained.model());
  request.mutable_analysis()->mutable_loss_landscape()->set_resolution(3);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob job, Create(request));
  EXPECT_EQ(server_.Wait(job.name()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(AnalysisServiceTest, ALineNeedsAModelOfTheSameShape) {
  const v1::TrainingJob small = Trained();
  const v1::TrainingJob large =
      Trained([](v1::TrainingSpec* spec) { spec->mutable_layers(0)->set_units(5); });
  v1::CreateAnalysisRequest request;
  request.mutable_analysis()->set_model(small.model());
  request.mutable_analysis()->mutable_loss_line()->set_other_model(large.model());
  const auto job = Create(request);
  EXPECT_THAT(job, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(ViolatedFields(job.status()), testing::ElementsAre("analysis.loss_line.other_model"));
}

TEST_F(AnalysisServiceTest, TheSameRequestIdIsOneAnalysisAndNoTraining) {
  v1::CreateAnalysisRequest request = Request();
  request.set_request_id("01234567-89ab-cdef-0123-456789abcdef");
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob first, Create(request));
  EXPECT_EQ(Create(request)->name(), first.name());
  v1::CreateTrainingJobRequest training;
  training.set_request_id(request.request_id());
  training.mutable_training_job()->set_dataset(dataset_);
  EXPECT_THAT(CallWith(server_.jobs(), &Jobs::CreateTrainingJob, training),
              HasReason(ErrorReason::kRequestIdReused));
}

TEST_F(AnalysisServiceTest, ValidateOnlyStoresNothing) {
  v1::CreateAnalysisRequest request = Request();
  request.set_validate_only(true);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob job, Create(request));
  EXPECT_EQ(job.name(), "");
  EXPECT_EQ(job.analysis().loss_landscape().range(), 1);
  EXPECT_EQ(CallWith(server_.jobs(), &Jobs::ListTrainingJobs, {})->training_jobs_size(), 0);
}

TEST_F(AnalysisServiceTest, OnlyAFinishedAnalysisHasAResult) {
  EXPECT_THAT(ResultOf(Trained().name()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is a training")));
  EXPECT_THAT(ResultOf("trainingJobs/nowhere"), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(ResultOf("nowhere"), HasReason(ErrorReason::kInvalidRequest));
  TestServer idle({});
  v1::CreateAnalysisRequest request = Request();
  request.set_dataset(idle.Upload(ReadTestData("iris.csv")));
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob pending,
                       CallWith(idle.analyses(), &Stub::CreateAnalysis, request));
  EXPECT_THAT(CallWith(idle.analyses(), &Stub::GetAnalysisResult,
                       Named<v1::GetAnalysisResultRequest>(pending.name())),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is PENDING")));
}

TEST_F(AnalysisServiceTest, AModelCannotGoWhileItIsAnalysed) {
  const v1::TrainingJob trained = Trained();
  v1::CreateAnalysisRequest request;
  request.mutable_analysis()->set_model(trained.model());
  request.mutable_analysis()->mutable_loss_landscape()->set_resolution(201);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob job, Create(request));
  using Models = v1::ModelService::Stub;
  const auto remove = Named<v1::DeleteModelRequest>(trained.model());
  EXPECT_THAT(CallWith(server_.models(), &Models::DeleteModel, remove),
              HasReason(ErrorReason::kInvalidState));
  ASSERT_THAT(CallWith(server_.jobs(), &Jobs::CancelTrainingJob,
                       Named<v1::CancelTrainingJobRequest>(job.name())),
              IsOk());
  EXPECT_EQ(server_.Wait(job.name()).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(CallWith(server_.models(), &Models::DeleteModel, remove), IsOk());
}

// Seeds, early stopping and an initial model through every layer of the service.
TEST_F(AnalysisServiceTest, ATrainingGoesOnFromAModelWithSeveralSeeds) {
  const v1::TrainingJob first = Trained();
  const v1::TrainingJob job = Trained([&](v1::TrainingSpec* spec) {
    spec->set_initial_model(first.model());
    spec->set_seed_count(2);
    spec->set_evaluation_interval(2);
    spec->mutable_early_stopping()->set_patience(1);
    spec->mutable_early_stopping()->set_min_delta(1e9);
  });
  EXPECT_EQ(job.stop_reason(), v1::STOP_REASON_EARLY_STOPPED);
  EXPECT_EQ(job.seed_results_size(), 2);
  EXPECT_EQ(job.test_confusion().classes_size(), 3);
  EXPECT_EQ(job.progress().epochs_total(), 6);
}

}  // namespace
}  // namespace trainyard
