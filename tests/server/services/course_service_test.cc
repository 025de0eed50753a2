// Courses and assignments over a real server: made, changed, refused with every fault at once.
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/grading/commitment.h"
#include "tests/server/services/classroom.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class CourseServiceTest : public Classroom {
 protected:
  CourseServiceTest() : Classroom(/*workers=*/1) {}

  absl::StatusOr<v1::Assignment> Reveal() {
    v1::RevealCommitmentsRequest request;
    request.set_name(kAssignment);
    Use("teacher");
    return CallWith(*courses_, &Courses::RevealCommitments, request);
  }
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

TEST_F(CourseServiceTest, WhoHasNoUserIsWarnedOf) {
  v1::GetRosterRequest get;
  get.set_course(kCourse);
  EXPECT_THAT(CallWith(*courses_, &Courses::GetRoster, get)->warnings(), IsEmpty());
  v1::UpdateRosterRequest request;
  request.set_course(kCourse);
  const auto enrol = [&](const std::string& user) {
    v1::Enrolment& enrolment = *request.add_enrolments();
    enrolment.set_user(user);
    enrolment.set_role(v1::COURSE_ROLE_STUDENT);
    enrolment.set_full_name(user);
  };
  enrol("anm");
  enrol("eve");
  request.set_validate_only(true);
  EXPECT_THAT(CallWith(*courses_, &Courses::UpdateRoster, request)->warnings(),
              ElementsAre(HasSubstr("no such user: anm;")));
  EXPECT_THAT(CallWith(*courses_, &Courses::GetRoster, get)->warnings(), IsEmpty());
  request.set_validate_only(false);
  EXPECT_THAT(CallWith(*courses_, &Courses::UpdateRoster, request)->warnings(),
              ElementsAre(HasSubstr("no such user: anm;")));
  for (int i = 1; i <= 11; ++i) enrol(absl::StrCat("typo-", i));
  ASSERT_THAT(CallWith(*courses_, &Courses::UpdateRoster, request), IsOk());
  EXPECT_THAT(CallWith(*courses_, &Courses::GetRoster, get)->warnings(),
              ElementsAre(AllOf(HasSubstr("no such user: anm, typo-1, "),
                                HasSubstr(" and 2 more;"))));
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
  request.mutable_policy()->set_preset("hse-2026-exakt");
  request.mutable_policy()->mutable_homework()->set_scale(-1);
  EXPECT_THAT(FaultsOf(CallWith(*courses_, &Courses::SetPolicy, request).status()),
              AllOf(HasSubstr("policy.time.tz: is \"Europe/Berlin\""),
                    HasSubstr("policy.preset: no preset"), HasSubstr("policy.homework.scale")));
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

TEST_F(CourseServiceTest, SettingThePolicyInForceAgainIsTheSameVersion) {
  v1::SetPolicyRequest request;
  request.set_course(kCourse);
  request.mutable_policy()->mutable_late()->set_percent_per_unit(20);
  ASSERT_OK_AND_ASSIGN(const v1::SetPolicyResponse first,
                       CallWith(*courses_, &Courses::SetPolicy, request));
  EXPECT_EQ(first.policy().version(), 2);
  v1::GetCourseRequest get;
  get.set_name(kCourse);
  const int64_t events = CallWith(*courses_, &Courses::GetCourse, get)->last_sequence();
  ASSERT_OK_AND_ASSIGN(const v1::SetPolicyResponse again,
                       CallWith(*courses_, &Courses::SetPolicy, request));
  EXPECT_EQ(again.policy().version(), 2);
  EXPECT_EQ(again.policy().digest(), first.policy().digest());
  EXPECT_EQ(again.policy().author(), "teacher");
  EXPECT_THAT(again.changes(), IsEmpty());
  EXPECT_EQ(CallWith(*courses_, &Courses::GetCourse, get)->last_sequence(), events);
  // What counts is the one in force, not that there was one.
  request.mutable_policy()->mutable_late()->set_percent_per_unit(10);
  EXPECT_EQ(CallWith(*courses_, &Courses::SetPolicy, request)->policy().version(), 3);
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

TEST_F(CourseServiceTest, WhatIsPublicCannotBeSealed) {
  v1::Assignment assignment = NewAssignment();
  assignment.set_public_dataset(open_copy_);
  assignment.mutable_base_spec()->set_target_column("no_such_column");
  const auto refused = Publish(assignment);
  EXPECT_THAT(refused, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(FaultsOf(refused.status()),
              AllOf(HasSubstr(absl::StrCat("assignment.sealed_dataset: ", sealed_,
                                           " is the public data")),
                    HasSubstr("no_such_column")));
  EXPECT_THAT(Publish(NewAssignment())->warnings(), Not(Contains(HasSubstr("public data, too"))));
}

TEST_F(CourseServiceTest, SealedRowsThatArePublicAreWarnedOf) {
  const std::vector<std::string> parts = Thirds(ReadTestData("wdbc.csv"));
  const std::vector<std::string> rows = absl::StrSplit(parts[2], '\n');
  v1::Assignment assignment = NewAssignment();
  assignment.set_public_dataset(
      server_.Upload(absl::StrCat(parts[1], rows[1], "\n", rows[2], "\n")));
  ASSERT_OK_AND_ASSIGN(const v1::Assignment published, Publish(assignment));
  EXPECT_THAT(published.warnings(),
              Contains(absl::StrCat("2 rows of ", sealed_, " are in the public data, too")));
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

TEST_F(CourseServiceTest, ARetiredAssignmentIsStillShownAndComesBackWithItsNextVersion) {
  v1::Assignment assignment = NewAssignment();
  ASSERT_THAT(Publish(assignment), IsOk());
  v1::ListAssignmentsRequest list;
  list.set_course(kCourse);
  v1::GetGradebookRequest book;
  book.set_course(kCourse);
  const auto seen_by_ann = [&] {
    Use("ann");
    return CallWith(*courses_, &Courses::ListAssignments, list)->assignments(0);
  };
  EXPECT_FALSE(seen_by_ann().retired());
  EXPECT_EQ(CallWith(*grades_, &Grades::GetGradebook, book)->rows(0).denominator_points(), 100);
  assignment.set_retired(true);
  EXPECT_EQ(Publish(assignment)->version(), 2);
  EXPECT_EQ(Publish(assignment)->version(), 2);
  EXPECT_TRUE(seen_by_ann().retired());
  EXPECT_EQ(CallWith(*grades_, &Grades::GetGradebook, book)->rows(0).denominator_points(), 0);
  assignment.set_retired(false);
  EXPECT_EQ(Publish(assignment)->version(), 3);
  EXPECT_FALSE(seen_by_ann().retired());
  EXPECT_EQ(CallWith(*grades_, &Grades::GetGradebook, book)->rows(0).denominator_points(), 100);
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
  v1::Assignment assignment = Withholding();
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

TEST_F(CourseServiceTest, WhatNeverClosesIsRevealedAndToldOnceItIsRetired) {
  v1::Assignment assignment = NewAssignment();
  assignment.set_release(v1::POINTS_RELEASE_AFTER_CLOSE);
  assignment.set_closes("2099-01-01 00:00:00");
  ASSERT_THAT(Publish(assignment), IsOk());
  Use("ann");
  const v1::Submission withheld = Graded(NewRequest());
  ASSERT_TRUE(withheld.withheld());
  assignment.clear_closes();
  assignment.set_release(v1::POINTS_RELEASE_IMMEDIATE);
  ASSERT_THAT(Publish(assignment), IsOk());
  EXPECT_THAT(Reveal(), HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(GetErrorInfo(Reveal().status())->hint, HasSubstr("without closes it never does"));
  assignment.set_retired(true);
  ASSERT_OK_AND_ASSIGN(const v1::Assignment retired, Publish(assignment));
  EXPECT_THAT(retired.warnings(), Not(Contains(HasSubstr("never does"))));
  ASSERT_OK_AND_ASSIGN(const v1::Assignment revealed, Reveal());
  EXPECT_NE(revealed.commitments(0).salt(), "");
  Use("ann");
  v1::GetSubmissionRequest get;
  get.set_name(withheld.name());
  const auto is_told = [&] {
    const auto seen = CallWith(*submissions_, &Submissions::GetSubmission, get);
    return seen.ok() && seen->has_result();
  };
  for (int i = 0; i < 200 && !is_told(); ++i) absl::SleepFor(absl::Milliseconds(100));
  EXPECT_TRUE(is_told());
}

TEST_F(CourseServiceTest, SealedDataThatAnotherAssignmentGoesOnWithAreNotRevealed) {
  v1::Assignment closed = NewAssignment();
  ASSERT_THAT(Publish(closed), IsOk());
  closed.clear_sealed_dataset();  // what the first version promised is revealed as well
  closed.set_closes("2020-01-01 00:00:00");
  ASSERT_THAT(Publish(closed), IsOk());
  v1::Assignment other = NewAssignment();
  other.set_name("courses/dl/assignments/hw-other");
  ASSERT_THAT(Publish(other), IsOk());
  EXPECT_THAT(Reveal(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                 HasSubstr("courses/dl/assignments/hw-other")));
  EXPECT_THAT(Reveal(), HasReason(ErrorReason::kInvalidState));
  other.set_retired(true);
  ASSERT_THAT(Publish(other), IsOk());
  EXPECT_THAT(Reveal(), IsOk());
}

TEST(RosterOfAnOpenServerTest, HasNoUnknownUsers) {
  TestServer server({.workers = 0});
  const auto courses = v1::CourseService::NewStub(server.channel());
  v1::CreateCourseRequest create;
  create.mutable_course()->set_name("courses/dl");
  ASSERT_THAT(CallWith(*courses, &v1::CourseService::Stub::CreateCourse, create), IsOk());
  v1::GetRosterRequest get;
  get.set_course("courses/dl");
  ASSERT_OK_AND_ASSIGN(const v1::Roster roster,
                       CallWith(*courses, &v1::CourseService::Stub::GetRoster, get));
  EXPECT_THAT(roster.enrolments(), SizeIs(1));
  EXPECT_THAT(roster.warnings(), IsEmpty());
}

}  // namespace
}  // namespace trainyard
