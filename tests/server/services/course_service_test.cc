// Courses and assignments over a real server: made, changed, refused with every fault at once.
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/grading/commitment.h"
#include "tests/server/services/classroom.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class CourseServiceTest : public Classroom {
 protected:
  CourseServiceTest() : Classroom(/*workers=*/1) {}
};

TEST_F(CourseServiceTest, ACourseIsMadeOnceAndHasTheHsePolicy) {
  v1::GetPolicyRequest get;
  get.set_course(kCourse);
  ASSERT_OK_AND_ASSIGN(const v1::PolicyVersion policy,
                       CallWith(*courses_, &Courses::GetPolicy, get));
  EXPECT_EQ(policy.version(), 1);
  EXPECT_EQ(policy.author(), "teacher");
  EXPECT_EQ(policy.policy().time().tz(), "Europe/Moscow");
  EXPECT_EQ(policy.policy().late().percent_per_unit(), 10);
  v1::CreateCourseRequest create;
  create.mutable_course()->set_name(kCourse);
  EXPECT_THAT(CallWith(*courses_, &Courses::CreateCourse, create),
              HasReason(ErrorReason::kInvalidState));
  create.mutable_course()->set_name("courses/again");
  create.set_request_id("123e4567-e89b-12d3-a456-426614174000");
  ASSERT_THAT(CallWith(*courses_, &Courses::CreateCourse, create), IsOk());
  ASSERT_THAT(CallWith(*courses_, &Courses::CreateCourse, create), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::ListCoursesResponse list,
                       CallWith(*courses_, &Courses::ListCourses, v1::ListCoursesRequest()));
  EXPECT_THAT(list.courses(), SizeIs(2));
}

TEST_F(CourseServiceTest, ARosterIsTakenWholeOrRefusedWithEveryFault) {
  v1::UpdateRosterRequest request;
  request.set_course(kCourse);
  v1::Enrolment& good = *request.add_enrolments();
  good.set_user("cid");
  good.set_role(v1::COURSE_ROLE_STUDENT);
  good.set_full_name("=HYPERLINK(\"http://evil\")");  // exports guard it
  v1::Enrolment& bad = *request.add_enrolments();
  bad.set_user("../etc");
  bad.set_full_name("line\nbreak");
  bad.mutable_external()->set_github_login("no spaces");
  const auto refused = CallWith(*courses_, &Courses::UpdateRoster, request);
  EXPECT_THAT(FaultsOf(refused.status()),
              AllOf(HasSubstr("enrolments[1].user"), HasSubstr("enrolments[1].role"),
                    HasSubstr("enrolments[1].full_name"), HasSubstr("github_login")));
  v1::GetRosterRequest get;
  get.set_course(kCourse);
  EXPECT_THAT(CallWith(*courses_, &Courses::GetRoster, get)->enrolments(), SizeIs(3));
  request.mutable_enrolments()->RemoveLast();
  EXPECT_THAT(CallWith(*courses_, &Courses::UpdateRoster, request)->enrolments(), SizeIs(4));
}

TEST_F(CourseServiceTest, WhoIsGoneCanBeRemovedAgain) {
  v1::UpdateRosterRequest request;
  request.set_course(kCourse);
  request.add_removed_users("bob");
  ASSERT_OK_AND_ASSIGN(const v1::Roster first,
                       CallWith(*courses_, &Courses::UpdateRoster, request));
  EXPECT_THAT(first.enrolments(), SizeIs(2));
  EXPECT_THAT(first.ShortDebugString(), Not(HasSubstr("bob")));
  ASSERT_OK_AND_ASSIGN(const v1::Roster again,
                       CallWith(*courses_, &Courses::UpdateRoster, request));
  EXPECT_THAT(again.enrolments(), SizeIs(2));
  EXPECT_THAT(again.warnings(), Contains(AllOf(HasSubstr("bob"), HasSubstr("was not in"))));
}

TEST_F(CourseServiceTest, AContradictoryPolicyIsRefusedAndAPreviewChangesNothing) {
  v1::SetPolicyRequest request;
  request.set_course(kCourse);
  request.mutable_policy()->mutable_late()->set_percent_per_unit(50);
  request.mutable_policy()->mutable_late()->set_max_percent(30);
  request.mutable_policy()->mutable_homework()->set_scale(-1);
  const auto refused = CallWith(*courses_, &Courses::SetPolicy, request);
  EXPECT_THAT(FaultsOf(refused.status()), AllOf(HasSubstr("percent"), HasSubstr("scale")));
  request.mutable_policy()->Clear();
  request.mutable_policy()->mutable_time()->set_tz("Europe/Berlin");
  EXPECT_THAT(CallWith(*courses_, &Courses::SetPolicy, request),
              HasReason(ErrorReason::kInvalidRequest));
  request.mutable_policy()->Clear();
  request.mutable_policy()->mutable_late()->set_percent_per_unit(20);
  request.set_validate_only(true);
  ASSERT_OK_AND_ASSIGN(const v1::SetPolicyResponse preview,
                       CallWith(*courses_, &Courses::SetPolicy, request));
  EXPECT_EQ(preview.policy().version(), 0);
  EXPECT_THAT(preview.changes(), IsEmpty());
  request.set_validate_only(false);
  EXPECT_EQ(CallWith(*courses_, &Courses::SetPolicy, request)->policy().version(), 2);
  v1::GetPolicyRequest get;
  get.set_course(kCourse);
  get.set_version(1);
  EXPECT_EQ(CallWith(*courses_, &Courses::GetPolicy, get)->policy().late().percent_per_unit(), 10);
}

TEST_F(CourseServiceTest, AnAssignmentIsRefusedWithEveryFault) {
  v1::Assignment assignment = NewAssignment();
  assignment.set_max_points(0);
  assignment.set_seed_count(99);
  assignment.set_replay_fraction(std::numeric_limits<double>::quiet_NaN());
  assignment.set_due("tomorrow");
  assignment.mutable_budget()->set_epochs_max(-1);
  assignment.set_sealed_dataset("datasets/../x");
  EXPECT_THAT(FaultsOf(Publish(assignment).status()),
              AllOf(HasSubstr("max_points"), HasSubstr("seed_count"), HasSubstr("replay_fraction"),
                    HasSubstr("due"), HasSubstr("epochs_max")));

  assignment = NewAssignment();
  assignment.set_sealed_dataset(open_copy_);  // not sealed
  assignment.mutable_base_spec()->set_target_column("no_such_column");
  assignment.add_spec_rules()->set_path("no.such.field");
  assignment.mutable_score_rule()->mutable_linear()->set_to_points(90);  // not max_points
  EXPECT_THAT(FaultsOf(Publish(assignment).status()),
              AllOf(HasSubstr("is not sealed"), HasSubstr("no_such_column"),
                    HasSubstr("no.such.field"), HasSubstr("max_points")));
}

TEST_F(CourseServiceTest, ThresholdsWithinTheNoiseAndCommonRowsAreWarnedOf) {
  v1::Assignment assignment = NewAssignment();
  assignment.mutable_score_rule()->clear_linear();
  for (const auto& [threshold, points] : {std::pair(0.90, 50), std::pair(0.91, 100)}) {
    v1::ScoreRule::Step& step = *assignment.mutable_score_rule()->add_steps();
    step.set_threshold(threshold);
    step.set_points(points);
  }
  assignment.set_public_dataset(training_);
  ASSERT_OK_AND_ASSIGN(const v1::Assignment published, Publish(assignment));
  EXPECT_THAT(published.ShortDebugString(),
              AllOf(HasSubstr("standard error"), HasSubstr("is the training data")));
  v1::GetAssignmentRequest get;
  get.set_name(kAssignment);
  Use("ann");
  const v1::Assignment seen = *CallWith(*courses_, &Courses::GetAssignment, get);
  EXPECT_THAT(seen.warnings(), IsEmpty());
  EXPECT_EQ(seen.sealed_dataset(), "");
  EXPECT_EQ(seen.version(), 1);
}

TEST_F(CourseServiceTest, PublishingTheSameAgainIsTheSameVersion) {
  const v1::Assignment assignment = NewAssignment();
  ASSERT_OK_AND_ASSIGN(const v1::Assignment first, Publish(assignment));
  ASSERT_OK_AND_ASSIGN(const v1::Assignment again, Publish(assignment));
  EXPECT_EQ(again.version(), 1);
  ASSERT_THAT(again.commitments(), SizeIs(3));
  EXPECT_EQ(again.commitments(2).commitment(), first.commitments(2).commitment());
  // What was published, with all that the server added, says the same, too.
  EXPECT_EQ(Publish(again)->version(), 1);
  v1::Assignment other = assignment;
  other.set_title("another");
  EXPECT_EQ(Publish(other)->version(), 2);
  EXPECT_EQ(Publish(assignment)->version(), 3);  // what counts is the newest
}

TEST_F(CourseServiceTest, WhoTeachesWithOthersKeepsTheirData) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("root");
  tokens_["carol"] = server_.AddUser("carol", v1::USER_ROLE_INSTRUCTOR);
  Use("teacher");
  v1::UpdateRosterRequest roster;
  roster.set_course(kCourse);
  v1::Enrolment& carol = *roster.add_enrolments();
  carol.set_user("carol");
  carol.set_role(v1::COURSE_ROLE_INSTRUCTOR);
  ASSERT_THAT(CallWith(*courses_, &Courses::UpdateRoster, roster), IsOk());

  Use("carol");
  v1::PublishAssignmentRequest request;
  *request.mutable_assignment() = NewAssignment();
  request.mutable_assignment()->set_closes("2099-01-01 00:00:00");
  EXPECT_EQ(CallWith(*courses_, &Courses::PublishAssignment, request)->version(), 2);
  // In another role members could read the sealed data.
  request.mutable_assignment()->set_training_dataset(sealed_);
  EXPECT_FALSE(CallWith(*courses_, &Courses::PublishAssignment, request).ok());
  request.mutable_assignment()->set_training_dataset(training_);
  request.mutable_assignment()->set_public_dataset(open_copy_);
  EXPECT_FALSE(CallWith(*courses_, &Courses::PublishAssignment, request).ok());
}

TEST_F(CourseServiceTest, AVersionThatKeepsPointsBackForEverIsWarnedOf) {
  v1::Assignment assignment = NewAssignment();
  assignment.mutable_leak_limits()->set_student_bits_max(-1);
  assignment.mutable_leak_limits()->set_class_bits_max(-1);
  assignment.set_release(v1::POINTS_RELEASE_AFTER_CLOSE);
  assignment.set_closes("2099-01-01 00:00:00");
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  EXPECT_TRUE(Graded(NewRequest()).withheld());
  v1::Assignment open = assignment;
  open.clear_closes();
  open.set_release(v1::POINTS_RELEASE_IMMEDIATE);
  ASSERT_OK_AND_ASSIGN(const v1::Assignment published, Publish(open));
  EXPECT_THAT(published.warnings(), Contains(HasSubstr("1 submissions are withheld")));
  open.set_closes("2099-02-01 00:00:00");
  ASSERT_OK_AND_ASSIGN(const v1::Assignment closing, Publish(open));
  EXPECT_THAT(closing.warnings(), Not(Contains(HasSubstr("withheld"))));
}

TEST_F(CourseServiceTest, CommitmentsAreRevealedAfterTheCloseAndHold) {
  v1::Assignment assignment = NewAssignment();
  ASSERT_OK_AND_ASSIGN(v1::Assignment published, Publish(assignment));
  ASSERT_THAT(published.commitments(), SizeIs(3));
  for (const v1::DatasetCommitment& commitment : published.commitments()) {
    EXPECT_EQ(commitment.salt(), "");
  }
  v1::RevealCommitmentsRequest reveal;
  reveal.set_name(kAssignment);
  EXPECT_THAT(CallWith(*courses_, &Courses::RevealCommitments, reveal),
              HasReason(ErrorReason::kInvalidState));
  assignment.set_closes("2020-01-01 00:00:00");
  ASSERT_THAT(Publish(assignment), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment revealed,
                       CallWith(*courses_, &Courses::RevealCommitments, reveal));
  for (const v1::DatasetCommitment& commitment : revealed.commitments()) {
    const CommittedDataset dataset{commitment.table_digest(), commitment.row_count()};
    EXPECT_THAT(VerifyCommitment(commitment.commitment(), commitment.salt(), dataset), IsOk());
    EXPECT_FALSE(VerifyCommitment(commitment.commitment(), commitment.salt(),
                                  {dataset.digest, dataset.rows + 1})
                     .ok());
  }
}

}  // namespace
}  // namespace trainyard
