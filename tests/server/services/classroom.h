// Classroom is a course on a real server with real workers: an instructor, two students, and an assignment on wdbc: every third row is trained on, every third is
// public, every third sealed. Calls are made as whoever Use() named last.
#ifndef TRAINYARD_TESTS_SERVER_SERVICES_CLASSROOM_H_
#define TRAINYARD_TESTS_SERVER_SERVICES_CLASSROOM_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/error_info.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"
#include "trainyard/v1/course.grpc.pb.h"
#include "trainyard/v1/grades.grpc.pb.h"
#include "trainyard/v1/submission.grpc.pb.h"

namespace trainyard {

class Classroom : public testing::Test {
 protected:
  using Courses = v1::CourseService::Stub;
  using Submissions = v1::SubmissionService::Stub;
  using Grades = v1::GradeService::Stub;

  static constexpr char kCourse[] = "courses/dl";
  static constexpr char kAssignment[] = "courses/dl/assignments/hw-mlp";

  explicit Classroom(int workers = 2)
      : server_({.workers = workers}),
        courses_(v1::CourseService::NewStub(server_.channel())),
        submissions_(v1::SubmissionService::NewStub(server_.channel())),
        grades_(v1::GradeService::NewStub(server_.channel())) {
    tokens_["root"] = server_.AddRoot();
    tokens_["teacher"] = server_.AddUser("teacher", v1::USER_ROLE_INSTRUCTOR);
    for (const char* student : {"ann", "bob"}) {
      tokens_[student] = server_.AddUser(student, v1::USER_ROLE_STUDENT);
    }
    tokens_["eve"] = server_.AddUser("eve", v1::USER_ROLE_STUDENT);  // in no course
    Use("teacher");
    const std::vector<std::string> parts = Thirds(ReadTestData("wdbc.csv"));
    training_ = server_.Upload(parts[0]);
    public_ = server_.Upload(parts[1]);
    sealed_ = server_.Upload(parts[2]);
    open_copy_ = server_.Upload(parts[2]);  // what the tests know of the sealed rows
    Seal(sealed_);
    MakeCourse();
  }

  void Use(const std::string& user) { TestServer::UseToken(tokens_.at(user)); }

  // The header and every third row, beginning with the first, second and third.
  static std::vector<std::string> Thirds(const std::string& csv) {
    const std::vector<std::string> lines = absl::StrSplit(csv, '\n', absl::SkipEmpty());
    std::vector<std::string> parts(3, lines[0] + "\n");
    for (size_t i = 1; i < lines.size(); ++i) parts[i % 3] += lines[i] + "\n";
    return parts;
  }

  void Seal(const std::string& dataset) {
    v1::SealDatasetRequest request;
    request.set_name(dataset);
    ASSERT_THAT(CallWith(server_.datasets(), &v1::DatasetService::Stub::SealDataset, request),
                IsOk());
  }

  void MakeCourse() {
    v1::CreateCourseRequest create;
    create.mutable_course()->set_name(kCourse);
    ASSERT_THAT(CallWith(*courses_, &Courses::CreateCourse, create), IsOk());
    v1::UpdateRosterRequest roster;
    roster.set_course(kCourse);
    for (const char* student : {"ann", "bob"}) {
      v1::Enrolment& enrolment = *roster.add_enrolments();
      enrolment.set_user(student);
      enrolment.set_role(v1::COURSE_ROLE_STUDENT);
      enrolment.set_full_name(std::string("Student ") + student);
      enrolment.mutable_external()->set_github_login(student);
    }
    ASSERT_THAT(CallWith(*courses_, &Courses::UpdateRoster, roster), IsOk());
  }

  // Three seeds, accuracy on the sealed third, linear from 0.5 to 1.
  v1::Assignment NewAssignment() const {
    v1::Assignment assignment;
    assignment.set_name(kAssignment);
    assignment.set_max_points(100);
    assignment.set_training_dataset(training_);
    assignment.set_public_dataset(public_);
    assignment.set_sealed_dataset(sealed_);
    v1::TrainingSpec& spec = *assignment.mutable_base_spec();
    spec.set_target_column("diagnosis");
    spec.set_epochs(10);
    spec.set_batch_size(16);
    spec.add_layers()->set_units(4);
    for (const char* path : {"layers", "optimizer", "epochs", "batch_size"}) {
      assignment.add_spec_rules()->set_path(path);
    }
    assignment.mutable_budget()->set_parameters_max(5'000);
    assignment.mutable_budget()->set_epochs_max(200);
    v1::ScoreRule::Linear& linear = *assignment.mutable_score_rule()->mutable_linear();
    linear.set_from_value(0.5);
    linear.set_to_value(1);
    linear.set_to_points(100);
    assignment.set_replay_fraction(0);
    return assignment;
  }

  // Tells no points before it closes, which is far.
  v1::Assignment Withholding() const {
    v1::Assignment assignment = NewAssignment();
    assignment.mutable_leak_limits()->set_student_bits_max(-1);
    assignment.mutable_leak_limits()->set_class_bits_max(-1);
    assignment.set_release(v1::POINTS_RELEASE_AFTER_CLOSE);
    assignment.set_closes("2099-01-01 00:00:00");
    return assignment;
  }

  // Of ann.
  static v1::Adjustment NewAdjustment(v1::Adjustment::Kind kind,
                                      const std::string& assignment = "hw-mlp") {
    v1::Adjustment adjustment;
    adjustment.set_student("ann");
    adjustment.set_assignment(assignment);
    adjustment.set_kind(kind);
    adjustment.set_reason("for a test");
    return adjustment;
  }

  absl::StatusOr<v1::Adjustment> Adjust(const v1::Adjustment& adjustment) {
    v1::CreateAdjustmentRequest request;
    request.set_course(kCourse);
    *request.mutable_adjustment() = adjustment;
    return CallWith(*grades_, &Grades::CreateAdjustment, request);
  }

  absl::StatusOr<v1::Assignment> Publish(const v1::Assignment& assignment) {
    v1::PublishAssignmentRequest request;
    *request.mutable_assignment() = assignment;
    Use("teacher");
    return CallWith(*courses_, &Courses::PublishAssignment, request);
  }

  // A request of the caller's for a network with one hidden layer.
  static v1::CreateSubmissionRequest NewRequest(int units = 4, int epochs = 10) {
    v1::CreateSubmissionRequest request;
    request.set_assignment(kAssignment);
    request.mutable_spec()->add_layers()->set_units(units);
    request.mutable_spec()->set_epochs(epochs);
    return request;
  }

  absl::StatusOr<v1::Submission> Submit(const v1::CreateSubmissionRequest& request) {
    return CallWith(*submissions_, &Submissions::CreateSubmission, request);
  }

  absl::StatusOr<v1::Submission> WaitFor(const std::string& name) {
    v1::WaitSubmissionRequest request;
    request.set_name(name);
    request.mutable_timeout()->set_seconds(50);
    return CallWith(*submissions_, &Submissions::WaitSubmission, request);
  }

  // Submitted and ended.
  v1::Submission Graded(const v1::CreateSubmissionRequest& request) {
    const absl::StatusOr<v1::Submission> created = Submit(request);
    EXPECT_THAT(created, IsOk());
    if (!created.ok()) return {};
    const absl::StatusOr<v1::Submission> ended = WaitFor(created->name());
    EXPECT_THAT(ended, IsOk());
    return ended.value_or(v1::Submission());
  }

  // Every fault that an error names, a line each.
  static std::string FaultsOf(const absl::Status& status) {
    const ErrorInfo info = GetErrorInfo(status).value_or(ErrorInfo{});
    std::string faults;
    for (const FieldViolation& violation : info.violations) {
      absl::StrAppend(&faults, violation.field, ": ", violation.description, "\n");
    }
    return faults;
  }

  TestServer server_;
  std::unique_ptr<Courses> courses_;
  std::unique_ptr<Submissions> submissions_;
  std::unique_ptr<Grades> grades_;
  std::map<std::string, std::string> tokens_;
  std::string training_, public_, sealed_, open_copy_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SERVER_SERVICES_CLASSROOM_H_
