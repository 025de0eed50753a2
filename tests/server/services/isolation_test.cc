// Who may touch what, over every rpc of the contract: a stranger's resource and one that does not
// exist give the same answer.
#include <functional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/auth/methods.h"
#include "tests/support/any_call.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

// What somebody owns.
struct Things {
  std::string dataset, job, model, analysis;
};

// A request that `own` may make but for what it names of `other`.
struct Case {
  const char* method;  // without "/trainyard.v1."
  std::function<std::string(const Things& own, const Things& other)> request;
};

template <typename Request>
std::string Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request.SerializeAsString();
}

template <typename Request>
Case OfDataset(const char* method) {
  return {method, [](const Things&, const Things& other) { return Named<Request>(other.dataset); }};
}

template <typename Request>
Case OfJob(const char* method) {
  return {method, [](const Things&, const Things& other) { return Named<Request>(other.job); }};
}

template <typename Request>
Case OfModel(const char* method) {
  return {method, [](const Things&, const Things& other) { return Named<Request>(other.model); }};
}

v1::CreateTrainingJobRequest Training(const std::string& dataset) {
  v1::CreateTrainingJobRequest request;
  request.mutable_training_job()->set_dataset(dataset);
  request.mutable_training_job()->mutable_spec()->set_target_column("species");
  return request;
}

v1::CreateAnalysisRequest Analysis(const std::string& model) {
  v1::CreateAnalysisRequest request;
  request.mutable_analysis()->set_model(model);
  request.mutable_analysis()->mutable_layer_statistics();
  return request;
}

std::string Chunked(const Things&, const Things& other) {
  return Chunk(other.dataset, 0, "a,b\n").SerializeAsString();
}

std::string PredictedTable(const Things&, const Things& other) {
  v1::PredictTableRequest request;
  request.mutable_options()->set_name(other.model);
  return request.SerializeAsString();
}

std::string SetPriority(const Things&, const Things& other) {
  v1::SetTrainingJobPriorityRequest request;
  request.set_name(other.job);
  request.set_priority(v1::JOB_PRIORITY_BATCH);
  return request.SerializeAsString();
}

// Names inside requests about what is one's own.
std::vector<Case> InnerCases() {
  return {
      {"JobService/CreateTrainingJob",
       [](const Things&, const Things& other) {
         return Training(other.dataset).SerializeAsString();
       }},
      {"JobService/CreateTrainingJob",
       [](const Things& own, const Things& other) {
         v1::CreateTrainingJobRequest request = Training(own.dataset);
         request.mutable_training_job()->mutable_spec()->set_test_dataset(other.dataset);
         return request.SerializeAsString();
       }},
      {"JobService/CreateTrainingJob",
       [](const Things& own, const Things& other) {
         v1::CreateTrainingJobRequest request = Training(own.dataset);
         request.mutable_training_job()->mutable_spec()->set_initial_model(other.model);
         return request.SerializeAsString();
       }},
      {"AnalysisService/CreateAnalysis",
       [](const Things&, const Things& other) {
         return Analysis(other.model).SerializeAsString();
       }},
      {"AnalysisService/CreateAnalysis",
       [](const Things& own, const Things& other) {
         v1::CreateAnalysisRequest request = Analysis(own.model);
         request.set_dataset(other.dataset);
         return request.SerializeAsString();
       }},
      {"AnalysisService/CreateAnalysis",
       [](const Things& own, const Things& other) {
         v1::CreateAnalysisRequest request = Analysis(own.model);
         request.mutable_analysis()->mutable_loss_line()->set_other_model(other.model);
         return request.SerializeAsString();
       }},
      {"ModelService/EvaluateModel",
       [](const Things& own, const Things& other) {
         v1::EvaluateModelRequest request;
         request.set_name(own.model);
         request.set_dataset(other.dataset);
         return request.SerializeAsString();
       }},
      {"ModelService/ExportModel",
       [](const Things& own, const Things& other) {
         v1::ExportModelRequest request;
         request.set_name(own.model);
         request.set_format(v1::MODEL_FORMAT_ONNX);
         request.set_verify_dataset(other.dataset);
         return request.SerializeAsString();
       }},
      {"DatasetService/FinalizeDataset",
       [](const Things& own, const Things& other) {
         v1::FinalizeDatasetRequest request;
         request.set_name(own.dataset);
         request.set_labels_dataset(other.dataset);
         return request.SerializeAsString();
       }},
  };
}

std::vector<Case> Cases() {
  std::vector<Case> cases = {
      {"DatasetService/WriteDataset", Chunked},
      OfDataset<v1::GetUploadStatusRequest>("DatasetService/GetUploadStatus"),
      OfDataset<v1::FinalizeDatasetRequest>("DatasetService/FinalizeDataset"),
      OfDataset<v1::GetDatasetRequest>("DatasetService/GetDataset"),
      OfDataset<v1::PreviewDatasetRequest>("DatasetService/PreviewDataset"),
      OfDataset<v1::DownloadRejectReportRequest>("DatasetService/DownloadRejectReport"),
      OfDataset<v1::SealDatasetRequest>("DatasetService/SealDataset"),
      OfDataset<v1::DeleteDatasetRequest>("DatasetService/DeleteDataset"),
      OfJob<v1::GetTrainingJobRequest>("JobService/GetTrainingJob"),
      OfJob<v1::CancelTrainingJobRequest>("JobService/CancelTrainingJob"),
      OfJob<v1::PauseTrainingJobRequest>("JobService/PauseTrainingJob"),
      OfJob<v1::ResumeTrainingJobRequest>("JobService/ResumeTrainingJob"),
      {"JobService/SetTrainingJobPriority", SetPriority},
      OfJob<v1::DeleteTrainingJobRequest>("JobService/DeleteTrainingJob"),
      OfJob<v1::WatchTrainingJobRequest>("JobService/WatchTrainingJob"),
      OfJob<v1::ListJobEventsRequest>("JobService/ListJobEvents"),
      OfJob<v1::WaitTrainingJobRequest>("JobService/WaitTrainingJob"),
      OfModel<v1::GetModelRequest>("ModelService/GetModel"),
      OfModel<v1::DeleteModelRequest>("ModelService/DeleteModel"),
      OfModel<v1::PredictRequest>("ModelService/Predict"),
      {"ModelService/PredictTable", PredictedTable},
      OfModel<v1::EvaluateModelRequest>("ModelService/EvaluateModel"),
      OfModel<v1::ExportModelRequest>("ModelService/ExportModel"),
      {"AnalysisService/GetAnalysisResult",
       [](const Things&, const Things& other) {
         return Named<v1::GetAnalysisResultRequest>(other.analysis);
       }},
  };
  for (Case& inner : InnerCases()) cases.push_back(std::move(inner));
  return cases;
}

// Rpcs that name nothing that is owned; lists have a test of their own, AuthService has
// auth_service_test.
const std::set<std::string>& WithoutNames() {
  static const auto* methods = new std::set<std::string>{
      "AdminService/GetServerInfo",   "AuthService/CreateUser",
      "AuthService/GetUser",          "AuthService/ListUsers",
      "AuthService/UpdateUser",       "AuthService/CreateToken",
      "AuthService/ListTokens",       "AuthService/RevokeToken",
      "AuthService/WhoAmI",           "AuthService/ListAuditEntries",
      "DatasetService/CreateDataset", "DatasetService/ListDatasets",
      "JobService/ListTrainingJobs",  "ModelService/ListModels",
      "ModelService/ImportModel",     "AuthService/ExchangeIdentityToken"};
  return *methods;
}

bool IsOfCourses(const std::string& method) {
  return absl::StartsWith(method, "CourseService/") ||
         absl::StartsWith(method, "SubmissionService/") ||
         absl::StartsWith(method, "GradeService/");
}

class IsolationTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = server_.AddRoot();
    ann_ = server_.AddUser("ann", v1::USER_ROLE_STUDENT);
    bob_ = server_.AddUser("bob", v1::USER_ROLE_STUDENT);
    server_.UseToken(ann_);
    anns_ = Make();
    server_.UseToken(bob_);
    bobs_ = Make();
  }

  Things Make() {
    Things things;
    things.dataset = server_.Upload(ReadTestData("iris.csv"));
    things.job = server_.Submit(things.dataset, "species").name();
    things.model = server_.Wait(things.job).model();
    const auto analysis = CallWith(server_.analyses(), &v1::AnalysisService::Stub::CreateAnalysis,
                                   Analysis(things.model));
    EXPECT_THAT(analysis, IsOk());
    if (analysis.ok()) things.analysis = server_.Wait(analysis->name()).name();
    return things;
  }

  absl::Status Call(const std::string& bearer, const Case& c, const Things& own,
                    const Things& other) {
    return AnyCall(server_.channel(), absl::StrCat("/trainyard.v1.", c.method), bearer,
                   c.request(own, other));
  }

  TestServer server_{{.workers = 1}};
  std::string root_, ann_, bob_;
  Things anns_, bobs_;
};

TEST(ContractTest, EveryRpcIsInTheTableOfMethodsAndInThisTest) {
  std::set<std::string> tested = WithoutNames();
  for (const Case& c : Cases()) tested.insert(c.method);
  const std::vector<std::string> methods = ContractMethods();
  EXPECT_GE(methods.size(), 41u);
  for (const std::string& method : methods) {
    EXPECT_TRUE(FindMethod(method).has_value())
        << method << " is not in server/auth/methods.cc: say whether it changes something";
    const std::string name = method.substr(std::string("/trainyard.v1.").size());
    if (IsOfCourses(name)) continue;  // course_isolation_test
    EXPECT_TRUE(tested.contains(name)) << method << ": say here what it names";
  }
}

TEST_F(IsolationTest, AStrangersAndANonExistingNameGiveTheSameAnswerToEveryRpc) {
  // Names of the same form and length.
  const Things nobodys = {.dataset = "datasets/zzzzzzzzzzzz",
                          .job = "trainingJobs/zzzzzzzzzzzz",
                          .model = "models/zzzzzzzzzzzz",
                          .analysis = "trainingJobs/zzzzzzzzzzzz"};
  const auto anonymous = [](const absl::Status& status, const Things& things) {
    return absl::StrReplaceAll(
        status.message(),
        {{things.dataset, "?"}, {things.job, "?"}, {things.model, "?"}, {things.analysis, "?"}});
  };
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.method);
    const absl::Status strangers = Call(ann_, c, anns_, bobs_);
    if (absl::IsUnimplemented(strangers)) continue;
    const absl::Status nothing = Call(ann_, c, anns_, nobodys);
    EXPECT_EQ(strangers.code(), absl::StatusCode::kPermissionDenied) << strangers;
    EXPECT_THAT(strangers, HasReason(ErrorReason::kPermission));
    EXPECT_EQ(nothing.code(), strangers.code()) << nothing;
    EXPECT_EQ(anonymous(nothing, nobodys), anonymous(strangers, bobs_));
  }
  // Nothing of bob's was changed, and bob and an administrator see all of it.
  for (const std::string& bearer : {bob_, root_}) {
    server_.UseToken(bearer);
    v1::GetDatasetRequest dataset;
    dataset.set_name(bobs_.dataset);
    EXPECT_THAT(CallWith(server_.datasets(), &v1::DatasetService::Stub::GetDataset, dataset),
                IsOk());
    v1::GetTrainingJobRequest job;
    job.set_name(bobs_.job);
    EXPECT_THAT(CallWith(server_.jobs(), &v1::JobService::Stub::GetTrainingJob, job), IsOk());
    v1::GetModelRequest model;
    model.set_name(bobs_.model);
    EXPECT_THAT(CallWith(server_.models(), &v1::ModelService::Stub::GetModel, model), IsOk());
    v1::GetAnalysisResultRequest result;
    result.set_name(bobs_.analysis);
    EXPECT_THAT(CallWith(server_.analyses(), &v1::AnalysisService::Stub::GetAnalysisResult, result),
                IsOk());
  }
}

TEST_F(IsolationTest, EveryRefusedWriteIsAuditedWithADigestOfItsRequest) {
  std::set<std::string> expected, audited;
  for (const Case& c : Cases()) {
    const std::string method = absl::StrCat("/trainyard.v1.", c.method);
    if (!IsWrite(MethodKindOf(method)) || absl::IsUnimplemented(Call(ann_, c, anns_, bobs_)))
      continue;
    expected.insert(method);
  }
  server_.UseToken(root_);
  const auto list = CallWith(server_.auth(), &v1::AuthService::Stub::ListAuditEntries, {});
  ASSERT_THAT(list, IsOk());
  for (const v1::AuditEntry& entry : list->entries()) {
    EXPECT_NE(entry.request_digest(), "") << entry.method();
    if (entry.principal() == "ann" && entry.code() == "PermissionDenied")
      audited.insert(entry.method());
  }
  EXPECT_EQ(audited, expected);
}

TEST_F(IsolationTest, OnesOwnIsNotRefused) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.method);
    if (absl::StrContains(c.method, "Delete") || absl::StrContains(c.method, "Seal")) continue;
    EXPECT_NE(Call(bob_, c, bobs_, bobs_).code(), absl::StatusCode::kPermissionDenied);
  }
}

TEST_F(IsolationTest, WithoutATokenNoRpcIsAnsweredButPublicOnes) {
  for (const std::string& method : ContractMethods()) {
    if (MethodKindOf(method) == MethodKind::kPublic) continue;  // auth_service_test
    const absl::Status status = AnyCall(server_.channel(), method, "", "");
    if (absl::IsUnimplemented(status)) continue;
    // After some failures the address is told to wait instead.
    EXPECT_THAT(status, testing::AnyOf(HasReason(ErrorReason::kUnauthenticated),
                                       HasReason(ErrorReason::kRateLimited)))
        << method;
  }
}

TEST_F(IsolationTest, AViewerAndAReadOnlyTokenChangeNothing) {
  server_.UseToken(root_);
  const std::string viewer = server_.AddUser("vic", v1::USER_ROLE_VIEWER);
  v1::CreateTokenRequest request;
  request.set_user("users/root");
  request.mutable_token()->set_read_only(true);
  const auto made = CallWith(server_.auth(), &v1::AuthService::Stub::CreateToken, request);
  ASSERT_THAT(made, IsOk());
  for (const std::string& method : ContractMethods()) {
    SCOPED_TRACE(method);
    const MethodKind kind = MethodKindOf(method);
    const absl::Status by_viewer = AnyCall(server_.channel(), method, viewer, "");
    if (absl::IsUnimplemented(by_viewer)) continue;
    if (kind == MethodKind::kWrite) {
      EXPECT_THAT(by_viewer, HasReason(ErrorReason::kPermission));
    }
    if (!IsWrite(kind) || kind == MethodKind::kPublic) continue;
    EXPECT_THAT(AnyCall(server_.channel(), method, made->bearer(), ""),
                HasReason(ErrorReason::kPermission));
  }
}

TEST_F(IsolationTest, ListsShowOnesOwnAndAnAdministratorAll) {
  const auto count = [this](const std::string& bearer) {
    server_.UseToken(bearer);
    const auto datasets = CallWith(server_.datasets(), &v1::DatasetService::Stub::ListDatasets, {});
    const auto jobs = CallWith(server_.jobs(), &v1::JobService::Stub::ListTrainingJobs, {});
    const auto models = CallWith(server_.models(), &v1::ModelService::Stub::ListModels, {});
    EXPECT_TRUE(datasets.ok() && jobs.ok() && models.ok());
    return std::vector<int>{datasets->datasets_size(), jobs->training_jobs_size(),
                            models->models_size()};
  };
  EXPECT_EQ(count(ann_), (std::vector<int>{1, 2, 1}));
  EXPECT_EQ(count(bob_), (std::vector<int>{1, 2, 1}));
  EXPECT_EQ(count(root_), (std::vector<int>{2, 4, 2}));
  server_.UseToken(ann_);
  v1::ListTrainingJobsRequest request;
  request.set_filter("owner = \"ann\"");
  EXPECT_THAT(CallWith(server_.jobs(), &v1::JobService::Stub::ListTrainingJobs, request), IsOk());
  request.set_filter("owner = \"bob\"");
  EXPECT_THAT(CallWith(server_.jobs(), &v1::JobService::Stub::ListTrainingJobs, request),
              HasReason(ErrorReason::kPermission));
}

TEST(SubmissionJobTest, IsChangedThroughItsSubmissionOnly) {
  TestServer server({});
  v1::TrainingJob job = server.Submit(server.Upload("a,y\n1,no\n2,yes\n3,no\n4,yes\n"), "y");
  job.set_submission("courses/dl/assignments/hw1/submissions/s1");
  ASSERT_OK_AND_ASSIGN(const v1::TrainingJob made, server.server().jobs()->Submit(job, "", ""));
  ASSERT_EQ(made.submission(), job.submission());
  const Things things = {.dataset = "", .job = made.name(), .model = "", .analysis = ""};
  for (const char* verb : {"Cancel", "Pause", "Resume", "Delete"}) {
    const std::string method = absl::StrCat("/trainyard.v1.JobService/", verb, "TrainingJob");
    const absl::Status status =
        AnyCall(server.channel(), method, "", Named<v1::CancelTrainingJobRequest>(made.name()));
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << method;
    EXPECT_THAT(status, HasReason(ErrorReason::kInvalidState));
    EXPECT_THAT(GetErrorInfo(status)->hint, testing::HasSubstr("cancel the submission"));
  }
  EXPECT_EQ(AnyCall(server.channel(), "/trainyard.v1.JobService/SetTrainingJobPriority", "",
                    SetPriority({}, things))
                .code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(AnyCall(server.channel(), "/trainyard.v1.JobService/GetTrainingJob", "",
                      Named<v1::GetTrainingJobRequest>(made.name())),
              IsOk());
}

}  // namespace
}  // namespace trainyard
