// Who may do what in a course, over every rpc of courses, submissions and grades: who is not in it cannot tell it from one that does not exist; students
// and viewers do nothing that is the staff's; staff do nothing that is an instructor's.
#include <functional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/auth/methods.h"
#include "tests/server/services/classroom.h"
#include "tests/support/any_call.h"

namespace trainyard {
namespace {

constexpr char kHomework[] = "/assignments/hw-mlp";
constexpr char kNone[] = "/assignments/hw-mlp/submissions/zzzz";
constexpr char kRegrade[] = "/assignments/hw-mlp/regrades/zzzz";

enum class Needs { kMember, kStaff, kInstructor };

struct Case {
  const char* method;  // without "/trainyard.v1."
  Needs needs;
  std::function<std::string(const std::string& course)> request;  // of `courses/{c}`
};

template <typename Request>
std::string Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request.SerializeAsString();
}

template <typename Request>
Case OfCourse(const char* method, Needs needs) {
  return {method, needs, [](const std::string& course) {
            Request request;
            request.set_course(course);
            return request.SerializeAsString();
          }};
}

template <typename Request>
Case OfAssignment(const char* method, Needs needs) {
  return {method, needs, [](const std::string& course) {
            Request request;
            request.set_assignment(course + "/assignments/hw-mlp");
            return request.SerializeAsString();
          }};
}

template <typename Request>
Case OfName(const char* method, Needs needs, const char* rest) {
  return {method, needs,
          [rest](const std::string& course) { return Named<Request>(course + rest); }};
}

std::string Published(const std::string& course) {
  v1::PublishAssignmentRequest request;
  request.mutable_assignment()->set_name(course + "/assignments/hw-mlp");
  return request.SerializeAsString();
}

std::vector<Case> CourseCases() {
  using enum Needs;
  return {OfName<v1::GetCourseRequest>("CourseService/GetCourse", kMember, ""),
          OfCourse<v1::UpdateRosterRequest>("CourseService/UpdateRoster", kInstructor),
          OfCourse<v1::GetRosterRequest>("CourseService/GetRoster", kStaff),
          OfCourse<v1::SetPolicyRequest>("CourseService/SetPolicy", kInstructor),
          OfCourse<v1::GetPolicyRequest>("CourseService/GetPolicy", kMember),
          {"CourseService/PublishAssignment", kInstructor, Published},
          OfName<v1::GetAssignmentRequest>("CourseService/GetAssignment", kMember, kHomework),
          OfCourse<v1::ListAssignmentsRequest>("CourseService/ListAssignments", kMember),
          OfName<v1::RevealCommitmentsRequest>("CourseService/RevealCommitments", kInstructor,
                                               kHomework)};
}

std::vector<Case> SubmissionCases() {
  using enum Needs;
  return {
      OfAssignment<v1::CreateSubmissionRequest>("SubmissionService/CreateSubmission", kMember),
      // Of a submission that is not there: for all but staff the same as one of somebody else.
      OfName<v1::GetSubmissionRequest>("SubmissionService/GetSubmission", kStaff, kNone),
      OfAssignment<v1::ListSubmissionsRequest>("SubmissionService/ListSubmissions", kMember),
      OfName<v1::CancelSubmissionRequest>("SubmissionService/CancelSubmission", kStaff, kNone),
      OfName<v1::WaitSubmissionRequest>("SubmissionService/WaitSubmission", kStaff, kNone),
      OfName<v1::NominateSubmissionRequest>("SubmissionService/NominateSubmission", kStaff, kNone),
      OfName<v1::GetReceiptRequest>("SubmissionService/GetReceipt", kStaff, kNone),
      OfAssignment<v1::GetStandingRequest>("SubmissionService/GetStanding", kMember),
      OfAssignment<v1::GetLeaderboardRequest>("SubmissionService/GetLeaderboard", kMember),
      OfAssignment<v1::GetIntegrityReportRequest>("SubmissionService/GetIntegrityReport", kStaff),
      OfAssignment<v1::CreateRegradeRequest>("SubmissionService/CreateRegrade", kStaff),
      OfName<v1::GetRegradeRequest>("SubmissionService/GetRegrade", kStaff, kRegrade),
      OfName<v1::ApplyRegradeRequest>("SubmissionService/ApplyRegrade", kStaff, kRegrade)};
}

std::vector<Case> GradeCases() {
  using enum Needs;
  return {OfCourse<v1::GetGradebookRequest>("GradeService/GetGradebook", kMember),
          OfCourse<v1::CreateAdjustmentRequest>("GradeService/CreateAdjustment", kStaff),
          OfCourse<v1::RevokeAdjustmentRequest>("GradeService/RevokeAdjustment", kStaff),
          OfCourse<v1::ConfirmAdjustmentRequest>("GradeService/ConfirmAdjustment", kInstructor),
          OfCourse<v1::ListAdjustmentsRequest>("GradeService/ListAdjustments", kStaff),
          OfCourse<v1::RecordMarksRequest>("GradeService/RecordMarks", kStaff),
          OfCourse<v1::PublishSnapshotRequest>("GradeService/PublishSnapshot", kInstructor),
          OfCourse<v1::ListSnapshotsRequest>("GradeService/ListSnapshots", kStaff),
          OfCourse<v1::DiffSnapshotRequest>("GradeService/DiffSnapshot", kStaff),
          OfCourse<v1::ExportGradebookRequest>("GradeService/ExportGradebook", kStaff),
          OfCourse<v1::ListCourseEventsRequest>("GradeService/ListCourseEvents", kStaff),
          OfCourse<v1::SetDeliveryTargetRequest>("GradeService/SetDeliveryTarget", kInstructor),
          OfCourse<v1::ListDeliveriesRequest>("GradeService/ListDeliveries", kStaff),
          OfCourse<v1::RetryDeliveryRequest>("GradeService/RetryDelivery", kStaff)};
}

std::vector<Case> Cases() {
  std::vector<Case> cases = CourseCases();
  for (const std::vector<Case>& more : {SubmissionCases(), GradeCases()}) {
    cases.insert(cases.end(), more.begin(), more.end());
  }
  return cases;
}

class CourseIsolationTest : public Classroom {
 protected:
  CourseIsolationTest() : Classroom(/*workers=*/1) {
    EXPECT_THAT(Publish(NewAssignment()), IsOk());
    Use("root");
    tokens_["gil"] = server_.AddUser("gil", v1::USER_ROLE_STUDENT);
    tokens_["vic"] = server_.AddUser("vic", v1::USER_ROLE_STUDENT);
    v1::UpdateRosterRequest roster;
    roster.set_course(kCourse);
    for (const auto& [user, role] : {std::pair("gil", v1::COURSE_ROLE_GRADER),
                                     std::pair("vic", v1::COURSE_ROLE_VIEWER)}) {
      v1::Enrolment& enrolment = *roster.add_enrolments();
      enrolment.set_user(user);
      enrolment.set_role(role);
    }
    EXPECT_THAT(CallWith(*courses_, &Courses::UpdateRoster, roster), IsOk());
  }

  absl::Status Call(const std::string& user, const Case& c, const std::string& course) {
    return AnyCall(server_.channel(), absl::StrCat("/trainyard.v1.", c.method), tokens_.at(user),
                   c.request(course));
  }
};

TEST(CourseContractTest, EveryRpcOfGradingIsHere) {
  // What is about no course of the caller's choice.
  std::set<std::string> tested = {"CourseService/CreateCourse", "CourseService/ListCourses",
                                  "SubmissionService/GetSigningKey", "GradeService/GetToolKey"};
  for (const Case& c : Cases()) tested.insert(c.method);
  for (const std::string& method : ContractMethods()) {
    const std::string name = method.substr(std::string("/trainyard.v1.").size());
    const bool ours = absl::StartsWith(name, "CourseService/") ||
                      absl::StartsWith(name, "SubmissionService/") ||
                      absl::StartsWith(name, "GradeService/");
    EXPECT_TRUE(!ours || tested.contains(name)) << method << ": say here who may call it";
    EXPECT_TRUE(!ours || FindMethod(method).has_value()) << method;
  }
}

TEST_F(CourseIsolationTest, AStrangerCannotTellACourseFromNone) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.method);
    const absl::Status there = Call("eve", c, "courses/dl");
    const absl::Status nothing = Call("eve", c, "courses/no");
    EXPECT_THAT(there, HasReason(ErrorReason::kPermission));
    EXPECT_EQ(there.code(), nothing.code());
    EXPECT_EQ(absl::StrReplaceAll(there.message(), {{"courses/dl", "?"}}),
              absl::StrReplaceAll(nothing.message(), {{"courses/no", "?"}}));
  }
}

TEST_F(CourseIsolationTest, EachRoleDoesWhatItMayAndNothingElse) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.method);
    const bool for_staff = c.needs != Needs::kMember;
    for (const char* member : {"ann", "vic"}) {
      const absl::Status status = Call(member, c, kCourse);
      if (!for_staff) continue;
      EXPECT_THAT(status, HasReason(ErrorReason::kPermission)) << member;
    }
    const absl::Status grader = Call("gil", c, kCourse);
    if (c.needs == Needs::kInstructor) {
      EXPECT_THAT(grader, HasReason(ErrorReason::kPermission));
    } else {
      EXPECT_NE(grader.code(), absl::StatusCode::kPermissionDenied) << grader;
    }
    for (const char* instructor : {"teacher", "root"}) {
      EXPECT_NE(Call(instructor, c, kCourse).code(), absl::StatusCode::kPermissionDenied)
          << instructor;
    }
  }
}

TEST_F(CourseIsolationTest, AViewerSeesButDoesNotSubmit) {
  Use("vic");
  EXPECT_THAT(Submit(NewRequest()), HasReason(ErrorReason::kPermission));
  v1::GetGradebookRequest book;
  book.set_course(kCourse);
  EXPECT_THAT(CallWith(*grades_, &Grades::GetGradebook, book), HasReason(ErrorReason::kPermission));
}

TEST_F(CourseIsolationTest, ATokenForOneCourseOpensNoOther) {
  Use("teacher");
  v1::CreateCourseRequest create;
  create.mutable_course()->set_name("courses/other");
  ASSERT_THAT(CallWith(*courses_, &Courses::CreateCourse, create), IsOk());
  v1::CreateTokenRequest token;
  token.set_user("users/teacher");
  token.mutable_token()->set_course("courses/other");
  ASSERT_OK_AND_ASSIGN(const v1::CreateTokenResponse made,
                       CallWith(server_.auth(), &v1::AuthService::Stub::CreateToken, token));
  tokens_["scoped"] = made.bearer();
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.method);
    EXPECT_THAT(Call("scoped", c, kCourse), HasReason(ErrorReason::kPermission));
  }
  Use("scoped");
  v1::GetCourseRequest get;
  get.set_name("courses/other");
  EXPECT_THAT(CallWith(*courses_, &Courses::GetCourse, get), IsOk());
  create.mutable_course()->set_name("courses/third");
  EXPECT_THAT(CallWith(*courses_, &Courses::CreateCourse, create),
              HasReason(ErrorReason::kPermission));
}

TEST_F(CourseIsolationTest, OnlyInstructorsMakeCourses) {
  v1::CreateCourseRequest create;
  create.mutable_course()->set_name("courses/mine");
  Use("ann");
  EXPECT_THAT(CallWith(*courses_, &Courses::CreateCourse, create),
              HasReason(ErrorReason::kPermission));
}

TEST_F(CourseIsolationTest, MembersReadTheTrainingDataAndNobodyTheSealed) {
  const auto preview = [this](const std::string& dataset) {
    v1::PreviewDatasetRequest request;
    request.set_name(dataset);
    return CallWith(server_.datasets(), &v1::DatasetService::Stub::PreviewDataset, request);
  };
  // Nothing could be trained on it any more.
  v1::SealDatasetRequest seal;
  seal.set_name(training_);
  EXPECT_THAT(CallWith(server_.datasets(), &v1::DatasetService::Stub::SealDataset, seal),
              HasReason(ErrorReason::kInvalidState));
  Use("ann");
  EXPECT_THAT(preview(training_), IsOk());
  EXPECT_THAT(preview(public_), IsOk());
  EXPECT_THAT(preview(sealed_), HasReason(ErrorReason::kPermission));
  EXPECT_THAT(preview(open_copy_), HasReason(ErrorReason::kPermission));
  for (const char* staff : {"teacher", "root"}) {
    Use(staff);
    EXPECT_THAT(preview(sealed_), HasReason(ErrorReason::kInvalidState));
    v1::GetDatasetRequest get;
    get.set_name(sealed_);
    ASSERT_OK_AND_ASSIGN(
        const v1::Dataset dataset,
        CallWith(server_.datasets(), &v1::DatasetService::Stub::GetDataset, get));
    EXPECT_EQ(dataset.row_count(), 0);
    EXPECT_EQ(dataset.digest(), "");
    EXPECT_EQ(dataset.columns(0).mean(), 0);
    v1::DeleteDatasetRequest remove;
    remove.set_name(sealed_);
    EXPECT_THAT(CallWith(server_.datasets(), &v1::DatasetService::Stub::DeleteDataset, remove),
                HasReason(ErrorReason::kInvalidState));
    v1::CreateTrainingJobRequest train;
    train.mutable_training_job()->set_dataset(sealed_);
    train.mutable_training_job()->mutable_spec()->set_target_column("diagnosis");
    EXPECT_THAT(CallWith(server_.jobs(), &v1::JobService::Stub::CreateTrainingJob, train),
                HasReason(ErrorReason::kInvalidState));
  }
}

}  // namespace
}  // namespace trainyard
