#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using Stub = v1::JobService::Stub;

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

// Without workers: jobs stay PENDING.
class JobServiceTest : public testing::Test {
 protected:
  JobServiceTest() : dataset_(server_.Upload(ReadTestData("iris.csv"))) {}

  v1::CreateTrainingJobRequest Request() const {
    v1::CreateTrainingJobRequest request;
    request.mutable_training_job()->set_dataset(dataset_);
    request.mutable_training_job()->mutable_spec()->set_target_column("species");
    return request;
  }
  absl::StatusOr<v1::TrainingJob> Create(const v1::CreateTrainingJobRequest& request) {
    return CallWith(server_.jobs(), &Stub::CreateTrainingJob, request);
  }

  TestServer server_{{.queued_jobs_max = 3}};
  const std::string dataset_;
};

TEST_F(JobServiceTest, AnAcceptedJobIsPendingAndExplained) {
  v1::CreateTrainingJobRequest request = Request();
  request.mutable_training_job()->set_display_name("first");
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob job, Create(request));
  EXPECT_EQ(job.state(), v1::JOB_STATE_PENDING);
  EXPECT_EQ(job.pending_reason(), v1::PENDING_REASON_NO_WORKERS);
  EXPECT_EQ(job.queue_position(), 1);
  EXPECT_EQ(job.resolved_spec().task(), v1::TASK_MULTICLASS);
  EXPECT_THAT(job.receipt().spec_digest(), HasSubstr("sha256:"));
  EXPECT_EQ(job.display_name(), "first");
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob again,
                       CallWith(server_.jobs(), &Stub::GetTrainingJob,
                                Named<v1::GetTrainingJobRequest>(job.name())));
  EXPECT_EQ(again.name(), job.name());
}

TEST_F(JobServiceTest, ValidateOnlyStoresNothing) {
  v1::CreateTrainingJobRequest request = Request();
  request.set_validate_only(true);
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob job, Create(request));
  EXPECT_EQ(job.name(), "");
  EXPECT_EQ(job.resolved_spec().task(), v1::TASK_MULTICLASS);
  EXPECT_EQ(CallWith(server_.jobs(), &Stub::ListTrainingJobs, {})->training_jobs_size(), 0);
}

TEST_F(JobServiceTest, EveryFaultOfASpecAtOnce) {
  v1::CreateTrainingJobRequest request = Request();
  v1::TrainingSpec& spec = *request.mutable_training_job()->mutable_spec();
  spec.set_target_column("specie");
  spec.set_epochs(0);
  spec.GetReflection()->MutableUnknownFields(&spec)->AddVarint(900, 1);
  const auto job = Create(request);
  EXPECT_THAT(job, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(ViolatedFields(job.status()),
              testing::UnorderedElementsAre("spec", "spec.target_column", "spec.epochs"));
  EXPECT_THAT(
      job, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("species")));  // the nearest name
}

TEST_F(JobServiceTest, MalformedRequestsAreRefused) {
  v1::CreateTrainingJobRequest request = Request();
  request.mutable_training_job()->set_dataset("iris");
  request.mutable_training_job()->set_display_name(std::string(201, 'x'));
  request.set_request_id("1");
  const auto job = Create(request);
  EXPECT_THAT(job, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(GetErrorInfo(job.status())->violations.size(), 3u);
  request = Request();
  request.mutable_training_job()->set_dataset("datasets/nowhere");
  EXPECT_THAT(Create(request), HasReason(ErrorReason::kNotFound));
  request.mutable_training_job()->set_dataset(server_.NewUpload());
  EXPECT_THAT(Create(request), HasReason(ErrorReason::kInvalidState));
}

TEST_F(JobServiceTest, TheSameRequestIdIsOneJob) {
  v1::CreateTrainingJobRequest request = Request();
  request.set_request_id("01234567-89ab-cdef-0123-456789abcdef");
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob first, Create(request));
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob again, Create(request));
  EXPECT_EQ(first.name(), again.name());
  request.mutable_training_job()->mutable_spec()->set_seed(1);
  EXPECT_THAT(Create(request), HasReason(ErrorReason::kRequestIdReused));
}

TEST_F(JobServiceTest, ARepeatedRequestIsAnsweredAfterItsDatasetIsGone) {
  v1::CreateTrainingJobRequest request = Request();
  request.set_request_id("01234567-89ab-cdef-0123-456789abcdef");
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob job, Create(request));
  v1::DeleteDatasetRequest deletion;
  deletion.set_name(job.dataset());
  using Datasets = v1::DatasetService::Stub;
  EXPECT_THAT(CallWith(server_.datasets(), &Datasets::DeleteDataset, deletion),
              HasReason(ErrorReason::kInvalidState));
  v1::CancelTrainingJobRequest cancellation;
  cancellation.set_name(job.name());
  ASSERT_THAT(CallWith(server_.jobs(), &Stub::CancelTrainingJob, cancellation), IsOk());
  ASSERT_THAT(CallWith(server_.datasets(), &Datasets::DeleteDataset, deletion), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob again, Create(request));
  EXPECT_EQ(again.name(), job.name());
  EXPECT_EQ(again.state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobServiceTest, AFullQueueSaysWhenToTryAgain) {
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Create(Request()), IsOk());
  const auto job = Create(Request());
  EXPECT_THAT(job, StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
  EXPECT_THAT(job, HasReason(ErrorReason::kQueueFull));
  EXPECT_EQ(GetErrorInfo(job.status())->metadata.back().first, "retry_after_seconds");
}

TEST_F(JobServiceTest, UnknownAndMalformedNamesAtEveryRpc) {
  const auto check = [](const absl::Status& unknown, const absl::Status& malformed) {
    EXPECT_THAT(unknown, HasReason(ErrorReason::kNotFound));
    EXPECT_THAT(malformed, HasReason(ErrorReason::kInvalidRequest));
  };
  const auto both = [&]<typename Request, typename Response>(grpc::Status (Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*)) {
    check(CallWith(server_.jobs(), method, Named<Request>("trainingJobs/nowhere")).status(),
          CallWith(server_.jobs(), method, Named<Request>("nowhere")).status());
  };
  both(&Stub::GetTrainingJob);
  both(&Stub::CancelTrainingJob);
  both(&Stub::PauseTrainingJob);
  both(&Stub::ResumeTrainingJob);
  both(&Stub::DeleteTrainingJob);
  both(&Stub::ListJobEvents);
  both(&Stub::WaitTrainingJob);
  check(server_.Watch(Named<v1::WatchTrainingJobRequest>("trainingJobs/nowhere")).status,
        server_.Watch(Named<v1::WatchTrainingJobRequest>("nowhere")).status);
}

TEST_F(JobServiceTest, StatesMoveAsTheContractSays) {
  const std::string name = Create(Request())->name();
  const auto pause = Named<v1::PauseTrainingJobRequest>(name);
  const auto resume = Named<v1::ResumeTrainingJobRequest>(name);
  const auto cancel = Named<v1::CancelTrainingJobRequest>(name);
  const auto remove = Named<v1::DeleteTrainingJobRequest>(name);
  EXPECT_EQ(CallWith(server_.jobs(), &Stub::PauseTrainingJob, pause)->state(),
            v1::JOB_STATE_PAUSED);
  EXPECT_EQ(CallWith(server_.jobs(), &Stub::ResumeTrainingJob, resume)->state(),
            v1::JOB_STATE_PENDING);
  EXPECT_THAT(CallWith(server_.jobs(), &Stub::DeleteTrainingJob, remove),
              HasReason(ErrorReason::kInvalidState));
  EXPECT_EQ(CallWith(server_.jobs(), &Stub::CancelTrainingJob, cancel)->state(),
            v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(CallWith(server_.jobs(), &Stub::CancelTrainingJob, cancel)->state(),
            v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(CallWith(server_.jobs(), &Stub::ResumeTrainingJob, resume),
              HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(CallWith(server_.jobs(), &Stub::DeleteTrainingJob, remove), IsOk());
  EXPECT_THAT(CallWith(server_.jobs(), &Stub::DeleteTrainingJob, remove),
              HasReason(ErrorReason::kNotFound));
}

TEST_F(JobServiceTest, ListsByFilterAndPage) {
  const std::string a = Create(Request())->name();
  const std::string b = Create(Request())->name();
  ASSERT_THAT(
      CallWith(server_.jobs(), &Stub::CancelTrainingJob, Named<v1::CancelTrainingJobRequest>(a)),
      IsOk());
  v1::ListTrainingJobsRequest request;
  request.set_page_size(1);
  ASSERT_OK_AND_ASSIGN(const auto first,
                       CallWith(server_.jobs(), &Stub::ListTrainingJobs, request));
  ASSERT_EQ(first.training_jobs_size(), 1);
  EXPECT_EQ(first.training_jobs(0).name(), b);
  request.set_page_token(first.next_page_token());
  ASSERT_OK_AND_ASSIGN(const auto second,
                       CallWith(server_.jobs(), &Stub::ListTrainingJobs, request));
  EXPECT_EQ(second.training_jobs(0).name(), a);
  EXPECT_EQ(second.next_page_token(), "");
  request.Clear();
  request.set_filter("state = CANCELLED AND owner = local");
  ASSERT_OK_AND_ASSIGN(const auto cancelled,
                       CallWith(server_.jobs(), &Stub::ListTrainingJobs, request));
  ASSERT_EQ(cancelled.training_jobs_size(), 1);
  EXPECT_EQ(cancelled.training_jobs(0).name(), a);
  request.set_filter("nonsense");
  EXPECT_THAT(CallWith(server_.jobs(), &Stub::ListTrainingJobs, request),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(JobServiceTest, WaitEndsAtTheTimeoutWithTheJobAsItIs) {
  v1::WaitTrainingJobRequest request = Named<v1::WaitTrainingJobRequest>(Create(Request())->name());
  request.mutable_timeout()->set_nanos(50'000'000);
  const absl::Time start = absl::Now();
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob job,
                       CallWith(server_.jobs(), &Stub::WaitTrainingJob, request));
  EXPECT_EQ(job.state(), v1::JOB_STATE_PENDING);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(50));
  request.mutable_timeout()->set_seconds(3'601);
  EXPECT_THAT(CallWith(server_.jobs(), &Stub::WaitTrainingJob, request),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(JobServiceTest, WaitEndsWhenTheJobDoes) {
  const std::string name = Create(Request())->name();
  v1::TrainingJob waited;
  std::thread waiter([&] { waited = server_.Wait(name); });
  EXPECT_THAT(
      CallWith(server_.jobs(), &Stub::CancelTrainingJob, Named<v1::CancelTrainingJobRequest>(name)),
      IsOk());
  waiter.join();
  EXPECT_EQ(waited.state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobServiceTest, AWaitThatNobodyWantsAnyMoreEnds) {
  v1::WaitTrainingJobRequest request = Named<v1::WaitTrainingJobRequest>(Create(Request())->name());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  v1::TrainingJob job;
  EXPECT_EQ(server_.jobs().WaitTrainingJob(&context, request, &job).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace trainyard
