// Submissions over a real server with real workers: from a spec to points, and everything on the way that a student, a teacher and a stranger may do.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/base/steady_clock.h"
#include "server/wire/receipt.h"
#include "tests/server/services/classroom.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SubmissionServiceTest : public Classroom {
 protected:
  v1::Submission Get(const std::string& name) {
    v1::GetSubmissionRequest request;
    request.set_name(name);
    return CallWith(*submissions_, &Submissions::GetSubmission, request).value_or(v1::Submission());
  }

  v1::Standing StandingOf() {
    v1::GetStandingRequest request;
    request.set_assignment(kAssignment);
    return CallWith(*submissions_, &Submissions::GetStanding, request).value_or(v1::Standing());
  }

  absl::StatusOr<std::string> ReceiptOf(const std::string& submission, bool staff = false) {
    v1::GetReceiptRequest request;
    request.set_name(submission);
    request.set_staff_copy(staff);
    const absl::StatusOr<v1::Receipt> receipt =
        CallWith(*submissions_, &Submissions::GetReceipt, request);
    if (!receipt.ok()) return receipt.status();
    return receipt->document();
  }

  std::string PublicKey() {
    return CallWith(*submissions_, &Submissions::GetSigningKey, v1::GetSigningKeyRequest())
        ->public_key();
  }

  // The accuracy of a job's model on a dataset, by ModelService, as its owner.
  double AccuracyOf(const std::string& job_name, const std::string& dataset) {
    v1::GetTrainingJobRequest get;
    get.set_name(job_name);
    const v1::TrainingJob job =
        CallWith(server_.jobs(), &v1::JobService::Stub::GetTrainingJob, get).value_or(v1::TrainingJob());
    v1::EvaluateModelRequest request;
    request.set_name(job.model());
    request.set_dataset(dataset);
    const auto response =
        CallWith(server_.models(), &v1::ModelService::Stub::EvaluateModel, request);
    EXPECT_THAT(response, IsOk());
    if (!response.ok()) return 0;
    for (const v1::Metric& metric : response->metrics()) {
      if (metric.name() == "accuracy") return metric.value();
    }
    return 0;
  }
};

TEST_F(SubmissionServiceTest, PointsAreThoseOfTheMedianSeedOnTheSealedRows) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  const v1::Submission graded = Graded(NewRequest());
  ASSERT_EQ(graded.state(), v1::SUBMISSION_STATE_DONE) << graded.ShortDebugString();
  ASSERT_THAT(graded.training_jobs(), SizeIs(3));

  // Independently: the three models on an open copy of the sealed rows.
  Use("root");
  std::vector<double> accuracies;
  for (const std::string& job : graded.training_jobs()) {
    accuracies.push_back(AccuracyOf(job, open_copy_));
  }
  std::sort(accuracies.begin(), accuracies.end());
  const double exact = (accuracies[1] - 0.5) / 0.5 * 100;
  EXPECT_EQ(graded.result().points(), static_cast<int64_t>(std::floor(exact + 1e-6)));
  EXPECT_EQ(graded.result().max_points(), 100);
  EXPECT_TRUE(graded.result().sealed());
  // What is told is no finer than the standard error of 190 rows, in steps of 1, 2 or 5 hundredths.
  const double error = std::sqrt(accuracies[1] * (1 - accuracies[1]) / 190);
  const double step = error > 0.02 ? 0.05 : error > 0.01 ? 0.02 : 0.01;
  EXPECT_NEAR(graded.result().score(), accuracies[1], step / 2 + 1e-9);
  EXPECT_NEAR(graded.result().score() / step, std::round(graded.result().score() / step), 1e-9);
  EXPECT_GT(graded.public_score(), 0.8);
  EXPECT_TRUE(graded.public_improved());
}

TEST_F(SubmissionServiceTest, TheSameSpecHasTheSameScoreAndCostsNothing) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  v1::CreateSubmissionRequest request = NewRequest();
  request.mutable_spec()->mutable_optimizer()->set_learning_rate(0.01);
  const v1::Submission first = Graded(request);
  const int left = StandingOf().attempts_left();
  // In the fifth digit it is no other spec.
  request.mutable_spec()->mutable_optimizer()->set_learning_rate(0.0100001);
  ASSERT_OK_AND_ASSIGN(const v1::Submission again, Submit(request));
  EXPECT_EQ(again.name(), first.name());
  EXPECT_EQ(StandingOf().attempts_left(), left);

  Use("bob");
  const v1::Submission other = Graded(request);
  EXPECT_EQ(other.state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_TRUE(other.cached());
  EXPECT_NE(other.name(), first.name());
  EXPECT_EQ(other.result().points(), first.result().points());
  EXPECT_EQ(other.public_score(), first.public_score());
  EXPECT_THAT(other.training_jobs(), IsEmpty());
  v1::ListTrainingJobsRequest list;
  EXPECT_THAT(CallWith(server_.jobs(), &v1::JobService::Stub::ListTrainingJobs, list)->training_jobs(),
              IsEmpty());
}

TEST_F(SubmissionServiceTest, AFaultySpecIsRefusedWithEveryFaultAndCostsNoAttempt) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  v1::CreateSubmissionRequest request = NewRequest();
  request.mutable_spec()->set_seed(7);
  request.mutable_spec()->set_target_column("radius_mean");
  const absl::StatusOr<v1::Submission> forbidden = Submit(request);
  EXPECT_THAT(forbidden, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(FaultsOf(forbidden.status()), HasSubstr("spec.seed"));
  EXPECT_THAT(FaultsOf(forbidden.status()), HasSubstr("spec.target_column"));
  const absl::StatusOr<v1::Submission> large = Submit(NewRequest(1'000, 500));
  EXPECT_THAT(large, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(FaultsOf(large.status()), HasSubstr("5000"));
  EXPECT_EQ(StandingOf().attempts_left(), 5);
}

TEST_F(SubmissionServiceTest, AttemptsRunOutAndComeBack) {
  v1::Assignment assignment = NewAssignment();
  assignment.mutable_attempts()->set_burst(2);
  assignment.mutable_attempts()->mutable_refill_period()->set_seconds(3'600);
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  Graded(NewRequest(2));
  Graded(NewRequest(3));
  const absl::StatusOr<v1::Submission> third = Submit(NewRequest(4));
  EXPECT_THAT(third, HasReason(ErrorReason::kAttemptsExhausted));
  const v1::Standing standing = StandingOf();
  EXPECT_EQ(standing.attempts_left(), 0);
  EXPECT_TRUE(standing.has_next_attempt_time());
  Use("bob");
  EXPECT_EQ(StandingOf().attempts_left(), 2);
}

TEST_F(SubmissionServiceTest, ASpecThatCannotBeTrainedIsUngradableAndFree) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  v1::CreateSubmissionRequest request = NewRequest();
  request.mutable_spec()->mutable_optimizer()->set_kind(v1::OptimizerSpec::SGD);
  request.mutable_spec()->mutable_optimizer()->set_learning_rate(1e6);
  request.mutable_spec()->mutable_layers(0)->set_activation(v1::ACTIVATION_IDENTITY);
  const v1::Submission ended = Graded(request);
  EXPECT_EQ(ended.state(), v1::SUBMISSION_STATE_UNGRADABLE) << ended.ShortDebugString();
  EXPECT_EQ(ended.error().reason(), v1::ERROR_REASON_NON_FINITE_LOSS);
  EXPECT_EQ(StandingOf().attempts_left(), 5);
}

TEST_F(SubmissionServiceTest, AStudentSeesTheOwnSubmissionsOnly) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  const v1::Submission anns = Graded(NewRequest());
  v1::GetSubmissionRequest get;
  v1::ListSubmissionsRequest list;
  list.set_assignment(kAssignment);
  for (const char* stranger : {"bob", "eve"}) {
    Use(stranger);
    get.set_name(anns.name());
    const auto hers = CallWith(*submissions_, &Submissions::GetSubmission, get);
    get.set_name(absl::StrCat(kAssignment, "/submissions/nosuchthing"));
    const auto none = CallWith(*submissions_, &Submissions::GetSubmission, get);
    EXPECT_THAT(hers, HasReason(ErrorReason::kPermission));
    EXPECT_EQ(hers.status().code(), none.status().code());
    EXPECT_THAT(ReceiptOf(anns.name()), HasReason(ErrorReason::kPermission));
    v1::CancelSubmissionRequest cancel;
    cancel.set_name(anns.name());
    EXPECT_THAT(CallWith(*submissions_, &Submissions::CancelSubmission, cancel),
                HasReason(ErrorReason::kPermission));
  }
  Use("bob");
  EXPECT_THAT(CallWith(*submissions_, &Submissions::ListSubmissions, list)->submissions(), IsEmpty());
  list.set_student("ann");
  EXPECT_THAT(CallWith(*submissions_, &Submissions::ListSubmissions, list),
              HasReason(ErrorReason::kPermission));
  Use("teacher");
  EXPECT_THAT(CallWith(*submissions_, &Submissions::ListSubmissions, list)->submissions(), SizeIs(1));
  Use("eve");
  EXPECT_THAT(Submit(NewRequest()), HasReason(ErrorReason::kPermission));
}

TEST_F(SubmissionServiceTest, NothingIsTakenBeforeItOpensOrAfterItClosesButWithAnExtension) {
  v1::Assignment assignment = NewAssignment();
  assignment.set_opens("2999-01-01 00:00:00");
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  EXPECT_THAT(Submit(NewRequest()), HasReason(ErrorReason::kAssignmentClosed));
  assignment.clear_opens();
  assignment.set_closes("2020-01-01 00:00:00");
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  EXPECT_THAT(Submit(NewRequest()), HasReason(ErrorReason::kAssignmentClosed));

  // Closed minutes ago, and extended for ann.
  assignment.set_closes(absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::Now() - absl::Minutes(5),
                                         absl::FixedTimeZone(3 * 3'600)));
  ASSERT_THAT(Publish(assignment), IsOk());
  v1::CreateAdjustmentRequest adjust;
  adjust.set_course(kCourse);
  adjust.mutable_adjustment()->set_student("ann");
  adjust.mutable_adjustment()->set_assignment("hw-mlp");
  adjust.mutable_adjustment()->set_kind(v1::Adjustment::EXTEND);
  adjust.mutable_adjustment()->mutable_extension()->set_seconds(3'600);
  adjust.mutable_adjustment()->set_reason("was ill");
  ASSERT_THAT(CallWith(*grades_, &Grades::CreateAdjustment, adjust), IsOk());
  Use("bob");
  EXPECT_THAT(Submit(NewRequest()), HasReason(ErrorReason::kAssignmentClosed));
  Use("ann");
  EXPECT_EQ(Graded(NewRequest()).state(), v1::SUBMISSION_STATE_DONE);
}

TEST_F(SubmissionServiceTest, ARetiredAssignmentTakesNothingUntilAVersionBringsItBack) {
  v1::Assignment assignment = NewAssignment();
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  v1::CreateSubmissionRequest before = NewRequest();
  before.set_request_id("123e4567-e89b-12d3-a456-426614174000");
  const v1::Submission taken = Graded(before);
  assignment.set_retired(true);
  ASSERT_THAT(Publish(assignment), IsOk());
  v1::CreateSubmissionRequest check = NewRequest(5);
  check.set_validate_only(true);
  Use("ann");
  for (const v1::CreateSubmissionRequest& request : {NewRequest(5), check}) {
    const absl::StatusOr<v1::Submission> refused = Submit(request);
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is retired")));
    EXPECT_THAT(refused, HasReason(ErrorReason::kInvalidState));
  }
  // What was taken before is, also for who asks again after a lost answer.
  EXPECT_EQ(Submit(before)->name(), taken.name());
  EXPECT_EQ(Get(taken.name()).result().points(), taken.result().points());
  assignment.set_retired(false);
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  EXPECT_EQ(Graded(NewRequest(5)).state(), v1::SUBMISSION_STATE_DONE);
}

TEST_F(SubmissionServiceTest, PointsThatWaitForTheCloseAreToldThenAndToNobodyBefore) {
  v1::Assignment assignment = NewAssignment();
  assignment.set_release(v1::POINTS_RELEASE_AFTER_CLOSE);
  assignment.set_closes(absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::Now() + absl::Seconds(12),
                                         absl::FixedTimeZone(3 * 3'600)));
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  const v1::Submission graded = Graded(NewRequest());
  ASSERT_EQ(graded.state(), v1::SUBMISSION_STATE_DONE) << graded.ShortDebugString();
  EXPECT_TRUE(graded.withheld());
  EXPECT_FALSE(graded.has_result());
  EXPECT_TRUE(graded.has_public_score());
  ASSERT_OK_AND_ASSIGN(const std::string before, ReceiptOf(graded.name()));
  EXPECT_THAT(before, HasSubstr("withheld"));
  v1::GetGradebookRequest book;
  book.set_course(kCourse);
  EXPECT_EQ(CallWith(*grades_, &Grades::GetGradebook, book)->rows(0).total_centipoints(), 0);
  Use("teacher");
  EXPECT_TRUE(Get(graded.name()).has_result());
  v1::ListSubmissionsRequest list;
  list.set_assignment(kAssignment);
  const auto listed = [&] {
    return CallWith(*submissions_, &Submissions::ListSubmissions, list)->submissions(0);
  };
  EXPECT_EQ(listed().result().points(), Get(graded.name()).result().points());
  EXPECT_TRUE(listed().withheld());
  Use("ann");
  EXPECT_FALSE(listed().has_result());

  Use("ann");
  v1::Submission told;
  for (int i = 0; i < 200 && !told.has_result(); ++i) {
    absl::SleepFor(absl::Milliseconds(200));
    told = Get(graded.name());
  }
  ASSERT_TRUE(told.has_result());
  EXPECT_FALSE(told.withheld());
  EXPECT_EQ(CallWith(*grades_, &Grades::GetGradebook, book)->rows(0).total_centipoints(),
            100 * told.result().points());
  ASSERT_OK_AND_ASSIGN(const std::string after, ReceiptOf(graded.name()));
  ASSERT_OK_AND_ASSIGN(const Receipt receipt, VerifyReceipt(after, PublicKey()));
  EXPECT_EQ(receipt.fields.result->points, told.result().points());
}

TEST_F(SubmissionServiceTest, AReceiptHoldsUntilAByteOfItIsChanged) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  const v1::Submission graded = Graded(NewRequest());
  ASSERT_OK_AND_ASSIGN(std::string document, ReceiptOf(graded.name()));
  ASSERT_OK_AND_ASSIGN(const Receipt receipt, VerifyReceipt(document, PublicKey()));
  EXPECT_EQ(receipt.fields.student, "ann");
  EXPECT_EQ(receipt.fields.submission, graded.name());
  EXPECT_EQ(receipt.fields.spec_digest, graded.spec_digest());
  EXPECT_EQ(receipt.fields.result->points, graded.result().points());
  const std::string points = absl::StrCat("\"points\":", graded.result().points());
  const size_t at = document.rfind(points);
  ASSERT_NE(at, std::string::npos);
  document.replace(at, points.size(), absl::StrCat("\"points\":", graded.result().points() + 1));
  EXPECT_FALSE(VerifyReceipt(document, PublicKey()).ok());
  EXPECT_THAT(ReceiptOf(graded.name(), /*staff=*/true), HasReason(ErrorReason::kPermission));
  Use("teacher");
  ASSERT_OK_AND_ASSIGN(const std::string whole, ReceiptOf(graded.name(), /*staff=*/true));
  ASSERT_OK_AND_ASSIGN(const Receipt staff, VerifyReceipt(whole, PublicKey()));
  EXPECT_TRUE(staff.fields.runs[0].sealed_value.has_value());
}

TEST_F(SubmissionServiceTest, ASubmissionIsSupersededOrCancelledAtNoCost) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  ASSERT_OK_AND_ASSIGN(const v1::Submission first, Submit(NewRequest(4, 200)));
  v1::CreateSubmissionRequest second = NewRequest(5, 10);
  second.set_supersede(true);
  ASSERT_OK_AND_ASSIGN(const v1::Submission newer, Submit(second));
  EXPECT_EQ(Get(first.name()).state(), v1::SUBMISSION_STATE_CANCELLED);
  EXPECT_EQ(WaitFor(newer.name())->state(), v1::SUBMISSION_STATE_DONE);
  EXPECT_EQ(StandingOf().attempts_left(), 4);
  // Its trainings are cancelled with it, and not by themselves; its models stay.
  v1::CancelTrainingJobRequest cancel;
  cancel.set_name(Get(newer.name()).training_jobs(0));
  EXPECT_THAT(CallWith(server_.jobs(), &v1::JobService::Stub::CancelTrainingJob, cancel),
              HasReason(ErrorReason::kInvalidState));
  v1::DeleteModelRequest remove;
  remove.set_name(
      CallWith(server_.models(), &v1::ModelService::Stub::ListModels, v1::ListModelsRequest())
          ->models(0)
          .name());
  EXPECT_THAT(CallWith(server_.models(), &v1::ModelService::Stub::DeleteModel, remove),
              HasReason(ErrorReason::kInvalidState));
}

TEST_F(SubmissionServiceTest, ARequestIdMakesOneSubmission) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  v1::CreateSubmissionRequest request = NewRequest();
  request.set_request_id("123e4567-e89b-12d3-a456-426614174000");
  ASSERT_OK_AND_ASSIGN(const v1::Submission first, Submit(request));
  ASSERT_OK_AND_ASSIGN(const v1::Submission again, Submit(request));
  EXPECT_EQ(first.name(), again.name());
  request.mutable_spec()->set_epochs(11);
  EXPECT_THAT(Submit(request), HasReason(ErrorReason::kRequestIdReused));
  // Also of a request that an equal spec answered.
  v1::CreateSubmissionRequest equal = NewRequest();
  equal.set_request_id("123e4567-e89b-12d3-a456-426614174001");
  EXPECT_EQ(Submit(equal)->name(), first.name());
  equal.mutable_spec()->set_epochs(11);
  EXPECT_THAT(Submit(equal), HasReason(ErrorReason::kRequestIdReused));
}

TEST_F(SubmissionServiceTest, ARegradeRepeatsTheBitsAndNeverMovesTheTimeOfAcceptance) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  const v1::Submission graded = Graded(NewRequest());
  Use("teacher");
  v1::CreateRegradeRequest create;
  create.set_assignment(kAssignment);
  ASSERT_OK_AND_ASSIGN(v1::Regrade regrade,
                       CallWith(*submissions_, &Submissions::CreateRegrade, create));
  v1::GetRegradeRequest get;
  get.set_name(regrade.name());
  const auto finish = [&] {
    for (int i = 0; i < 300; ++i) {
      regrade = CallWith(*submissions_, &Submissions::GetRegrade, get).value_or(v1::Regrade());
      if (regrade.submissions_done() == 1) return;
      absl::SleepFor(absl::Milliseconds(100));
    }
  };
  finish();
  ASSERT_THAT(regrade.changes(), SizeIs(1));
  EXPECT_TRUE(regrade.changes(0).bit_equal());
  EXPECT_EQ(regrade.changes(0).points_after(), graded.result().points());

  // A stricter rule: fewer points, which MAX does not give and REPLACE does.
  v1::Assignment strict = NewAssignment();
  strict.mutable_score_rule()->mutable_linear()->set_from_value(0.9);
  ASSERT_THAT(Publish(strict), IsOk());
  ASSERT_OK_AND_ASSIGN(regrade, CallWith(*submissions_, &Submissions::CreateRegrade, create));
  get.set_name(regrade.name());
  finish();
  EXPECT_LT(regrade.changes(0).points_after(), graded.result().points());
  EXPECT_TRUE(regrade.changes(0).bit_equal());
  EXPECT_THAT(regrade.grade_changes(), IsEmpty());
  get.set_mode(v1::REGRADE_MODE_REPLACE);
  finish();
  EXPECT_EQ(Get(graded.name()).result().points(), graded.result().points());
  v1::ApplyRegradeRequest apply;
  apply.set_name(regrade.name());
  apply.set_mode(v1::REGRADE_MODE_REPLACE);
  ASSERT_THAT(CallWith(*submissions_, &Submissions::ApplyRegrade, apply), IsOk());
  EXPECT_THAT(CallWith(*submissions_, &Submissions::ApplyRegrade, apply),
              HasReason(ErrorReason::kInvalidState));
  Use("ann");
  const v1::Submission after = Get(graded.name());
  EXPECT_EQ(after.result().points(), regrade.changes(0).points_after());
  EXPECT_EQ(after.accepted_at().SerializeAsString(), graded.accepted_at().SerializeAsString());
  ASSERT_OK_AND_ASSIGN(const std::string document, ReceiptOf(graded.name()));
  EXPECT_THAT(VerifyReceipt(document, PublicKey()), IsOk());
}

TEST_F(SubmissionServiceTest, AReplayIsBitEqual) {
  v1::Assignment assignment = NewAssignment();
  assignment.set_replay_fraction(1);
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  Graded(NewRequest());
  ASSERT_TRUE(server_.server().submissions()->AwaitIdle(SteadyNow() + absl::Seconds(60)));
  Use("teacher");
  v1::GetIntegrityReportRequest request;
  request.set_assignment(kAssignment);
  ASSERT_OK_AND_ASSIGN(const v1::IntegrityReport report,
                       CallWith(*submissions_, &Submissions::GetIntegrityReport, request));
  EXPECT_EQ(report.replays(), 1);
  EXPECT_EQ(report.replay_mismatches(), 0);
  EXPECT_GT(report.class_millibits(), 0);
}

TEST_F(SubmissionServiceTest, TheLeaderboardShowsPseudonymsInOrder) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  const v1::Submission anns = Graded(NewRequest(8, 50));
  Use("bob");
  const v1::Submission bobs = Graded(NewRequest(1, 1));
  v1::GetLeaderboardRequest request;
  request.set_assignment(kAssignment);
  ASSERT_OK_AND_ASSIGN(const v1::Leaderboard board,
                       CallWith(*submissions_, &Submissions::GetLeaderboard, request));
  ASSERT_THAT(board.entries(), SizeIs(2));
  EXPECT_GE(board.entries(0).public_score(), board.entries(1).public_score());
  EXPECT_EQ(board.entries(0).own(), bobs.public_score() > anns.public_score());
  EXPECT_THAT(board.ShortDebugString(), testing::Not(HasSubstr("ann")));
  Use("eve");
  EXPECT_THAT(CallWith(*submissions_, &Submissions::GetLeaderboard, request),
              HasReason(ErrorReason::kPermission));
}

}  // namespace
}  // namespace trainyard
