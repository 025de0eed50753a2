// Regrades over a real server: what they change for whom, when that is told, and what is known of
// it afterwards.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/server/services/classroom.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class RegradesTest : public Classroom {
 protected:
  v1::Submission Get(const std::string& name) {
    v1::GetSubmissionRequest request;
    request.set_name(name);
    return CallWith(*submissions_, &Submissions::GetSubmission, request).value_or(v1::Submission());
  }

  v1::Standing StandingOf(const std::string& student) {
    Use(student);
    v1::GetStandingRequest request;
    request.set_assignment(kAssignment);
    return CallWith(*submissions_, &Submissions::GetStanding, request).value_or(v1::Standing());
  }

  v1::Submission GradedOf(const std::string& student, int units = 4) {
    Use(student);
    return Graded(NewRequest(units));
  }

  int64_t TotalOf(const std::string& student) {
    Use(student);
    v1::GetGradebookRequest request;
    request.set_course(kCourse);
    const auto book = CallWith(*grades_, &Grades::GetGradebook, request);
    EXPECT_THAT(book, IsOk());
    return book.ok() ? book->rows(0).total_centipoints() : -1;
  }

  absl::StatusOr<v1::Regrade> Create() {
    v1::CreateRegradeRequest request;
    request.set_assignment(kAssignment);
    Use("teacher");
    return CallWith(*submissions_, &Submissions::CreateRegrade, request);
  }

  v1::Regrade Show(const std::string& name, v1::RegradeMode mode = v1::REGRADE_MODE_REPLACE) {
    v1::GetRegradeRequest request;
    request.set_name(name);
    request.set_mode(mode);
    Use("teacher");
    return CallWith(*submissions_, &Submissions::GetRegrade, request).value_or(v1::Regrade());
  }

  // All trained again, not in force.
  v1::Regrade Finished() {
    const absl::StatusOr<v1::Regrade> created = Create();
    EXPECT_THAT(created, IsOk());
    v1::Regrade regrade = created.value_or(v1::Regrade());
    for (int i = 0; i < 500 && regrade.submissions_done() < regrade.submissions_total(); ++i) {
      absl::SleepFor(absl::Milliseconds(100));
      regrade = Show(regrade.name());
    }
    EXPECT_GT(regrade.submissions_total(), 0);
    EXPECT_EQ(regrade.submissions_done(), regrade.submissions_total());
    return regrade;
  }

  v1::Regrade Apply(const std::string& name, v1::RegradeMode mode = v1::REGRADE_MODE_REPLACE) {
    v1::ApplyRegradeRequest request;
    request.set_name(name);
    request.set_mode(mode);
    Use("teacher");
    const auto applied = CallWith(*submissions_, &Submissions::ApplyRegrade, request);
    EXPECT_THAT(applied, IsOk());
    return applied.value_or(v1::Regrade());
  }

  google::protobuf::RepeatedPtrField<v1::Leaderboard::Entry> Board() {
    v1::GetLeaderboardRequest request;
    request.set_assignment(kAssignment);
    const auto board = CallWith(*submissions_, &Submissions::GetLeaderboard, request);
    EXPECT_THAT(board, IsOk());
    return board.value_or(v1::Leaderboard()).entries();
  }

  // Fewer points for the same score.
  v1::Assignment Strict() const {
    v1::Assignment strict = NewAssignment();
    strict.mutable_score_rule()->mutable_linear()->set_from_value(0.85);
    return strict;
  }
};

TEST_F(RegradesTest, AnAppliedOneStillTellsWhatItDid) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  const v1::Submission graded = GradedOf("ann");
  const int64_t old_points = graded.result().points();
  ASSERT_THAT(Publish(Strict()), IsOk());
  const v1::Regrade preview = Finished();
  ASSERT_THAT(preview.changes(), SizeIs(1));
  const int64_t new_points = preview.changes(0).points_after();
  ASSERT_LT(new_points, old_points);
  ASSERT_THAT(preview.grade_changes(), SizeIs(1));

  const v1::Regrade applied = Apply(preview.name());
  EXPECT_EQ(applied.applied_mode(), v1::REGRADE_MODE_REPLACE);
  ASSERT_THAT(applied.changes(), SizeIs(1));
  EXPECT_EQ(applied.changes(0).ShortDebugString(), preview.changes(0).ShortDebugString());
  ASSERT_THAT(applied.grade_changes(), SizeIs(1));
  EXPECT_EQ(applied.grade_changes(0).ShortDebugString(),
            preview.grade_changes(0).ShortDebugString());

  // Whatever came after.
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Apply(Finished().name());
  const v1::Regrade later = Show(preview.name(), v1::REGRADE_MODE_MAX);
  ASSERT_THAT(later.changes(), SizeIs(1));
  EXPECT_EQ(later.changes(0).points_before(), old_points);
  EXPECT_EQ(later.changes(0).points_after(), new_points);
  EXPECT_FALSE(later.changes(0).has_bit_equal());  // the bits of before are gone
  ASSERT_THAT(later.grade_changes(), SizeIs(1));
  EXPECT_EQ(later.grade_changes(0).ShortDebugString(), preview.grade_changes(0).ShortDebugString());
}

TEST_F(RegradesTest, ThePublicRankIsThatOfTheVersionGradedBy) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  GradedOf("ann");
  v1::Assignment without_public = NewAssignment();
  without_public.clear_public_dataset();
  ASSERT_THAT(Publish(without_public), IsOk());
  Apply(Finished().name());
  v1::ListCourseEventsRequest request;
  request.set_course(kCourse);
  ASSERT_OK_AND_ASSIGN(const v1::ListCourseEventsResponse log,
                       CallWith(*grades_, &Grades::ListCourseEvents, request));
  int64_t rank_before = 0;
  std::optional<int64_t> rank_after;
  for (const v1::CourseEvent& event : log.events()) {
    if (event.has_submission_graded()) rank_before = event.submission_graded().public_rank();
    if (!event.has_regrade_applied()) continue;
    const v1::RegradeApplied::Points& points = event.regrade_applied().points(0);
    if (points.has_public_rank()) rank_after = points.public_rank();
  }
  EXPECT_GT(rank_before, 0);
  EXPECT_EQ(rank_after, 0);
}

TEST_F(RegradesTest, NothingOfTheOldVersionStaysButTheTimes) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  const v1::Submission graded = GradedOf("ann");
  ASSERT_TRUE(graded.has_public_score());
  ASSERT_THAT(Publish(Strict()), IsOk());
  Apply(Finished().name());
  Use("ann");
  const v1::Submission after = Get(graded.name());
  EXPECT_EQ(after.assignment_version(), 2);
  EXPECT_EQ(after.accepted_at().ShortDebugString(), graded.accepted_at().ShortDebugString());
  EXPECT_EQ(after.finish_time().ShortDebugString(), graded.finish_time().ShortDebugString());
  // The same public rows, measured alike: the Ladder and the board go on.
  EXPECT_EQ(after.public_score(), graded.public_score());
  EXPECT_THAT(Board(), SizeIs(1));
  // The same spec is the same submission, under the new version, too.
  EXPECT_EQ(Submit(NewRequest())->name(), graded.name());

  v1::Assignment without_public = Strict();
  without_public.clear_public_dataset();
  ASSERT_THAT(Publish(without_public), IsOk());
  EXPECT_THAT(Board(), IsEmpty());
  Apply(Finished().name());
  Use("ann");
  EXPECT_FALSE(Get(graded.name()).has_public_score());
}

TEST_F(RegradesTest, AnotherDeadlineWipesNoBoardAndMakesNoFreshLadder) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  const v1::Submission best = GradedOf("ann", 4);
  v1::Assignment later = NewAssignment();
  later.set_due("2099-01-01 00:00:00");
  ASSERT_THAT(Publish(later), IsOk());
  EXPECT_THAT(Board(), SizeIs(1));
  // One epoch on one unit is no better: what is told stays what was reported before.
  Use("ann");
  const v1::Submission worse = Graded(NewRequest(1, 1));
  EXPECT_EQ(worse.assignment_version(), 2);
  EXPECT_FALSE(worse.public_improved());
  EXPECT_EQ(worse.public_score(), best.public_score());
}

TEST_F(RegradesTest, NewPointsAreToldWhenTheNewVersionTellsAnything) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  const v1::Submission graded = GradedOf("ann");
  ASSERT_TRUE(graded.has_result());
  const v1::Standing before = StandingOf("ann");
  v1::Assignment later = Strict();
  later.set_release(v1::POINTS_RELEASE_AFTER_CLOSE);
  later.set_closes("2999-01-01 00:00:00");
  ASSERT_THAT(Publish(later), IsOk());
  const v1::Regrade regrade = Apply(Finished().name());
  Use("ann");
  const v1::Submission withheld = Get(graded.name());
  EXPECT_TRUE(withheld.withheld());
  EXPECT_FALSE(withheld.has_result());
  EXPECT_EQ(TotalOf("ann"), 0);
  EXPECT_EQ(StandingOf("ann").best_points(), 0);
  EXPECT_EQ(StandingOf("ann").leaked_millibits(), before.leaked_millibits());

  later.set_closes("2020-01-01 00:00:00");
  ASSERT_THAT(Publish(later), IsOk());
  Use("ann");
  for (int i = 0; i < 300 && !Get(graded.name()).has_result(); ++i) {
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_EQ(Get(graded.name()).result().points(), regrade.changes(0).points_after());
  EXPECT_EQ(TotalOf("ann"), regrade.changes(0).points_after() * 100);
  EXPECT_EQ(StandingOf("ann").leaked_millibits(), 2 * before.leaked_millibits());
}

TEST_F(RegradesTest, WhatIsToldAgainCostsNothingAndWhatIsNewCosts) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  const v1::Submission graded = GradedOf("ann");
  const int64_t cost = StandingOf("ann").leaked_millibits();
  ASSERT_GT(cost, 0);
  Apply(Finished().name());
  EXPECT_EQ(StandingOf("ann").leaked_millibits(), cost);
  EXPECT_EQ(Get(graded.name()).result().points(), graded.result().points());
  ASSERT_THAT(Publish(Strict()), IsOk());
  Apply(Finished().name());
  EXPECT_EQ(StandingOf("ann").leaked_millibits(), 2 * cost);
  EXPECT_LT(Get(graded.name()).result().points(), graded.result().points());
}

TEST_F(RegradesTest, WhatIsToldOnTheWayCountsForTheRest) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  const std::vector<v1::Submission> graded = {GradedOf("ann", 4), GradedOf("ann", 5)};
  const int64_t cost = StandingOf("ann").leaked_millibits() / 2;
  ASSERT_GT(cost, 1'000);
  v1::Assignment strict = Strict();
  // Room for one more.
  strict.mutable_leak_limits()->set_student_bits_max(
      static_cast<int32_t>((3 * cost + 999) / 1'000));
  ASSERT_THAT(Publish(strict), IsOk());
  Apply(Finished().name());
  EXPECT_EQ(StandingOf("ann").leaked_millibits(), 3 * cost);
  EXPECT_EQ(std::count_if(graded.begin(), graded.end(),
                          [&](const v1::Submission& one) { return Get(one.name()).has_result(); }),
            1);
}

TEST_F(RegradesTest, WhoIsNoStudentIsNamedAndNothingIsTrainedAgain) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  GradedOf("ann");
  v1::CreateRegradeRequest request;
  request.set_assignment(kAssignment);
  for (const char* student : {"ann", "anm", "teacher", "eve"}) request.add_students(student);
  Use("teacher");
  const auto refused = CallWith(*submissions_, &Submissions::CreateRegrade, request);
  EXPECT_THAT(refused, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(ViolatedFields(refused.status()),
              ElementsAre("students[1]", "students[2]", "students[3]"));
  EXPECT_THAT(FaultsOf(refused.status()),
              AllOf(HasSubstr("\"anm\""), HasSubstr("\"teacher\""), HasSubstr("\"eve\"")));
  request.mutable_students()->DeleteSubrange(1, 3);
  EXPECT_THAT(CallWith(*submissions_, &Submissions::CreateRegrade, request), IsOk());
}

TEST_F(RegradesTest, OneRunsAtATimeAndTellsHowFarItIs) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  Graded(NewRequest(64, 200));
  ASSERT_OK_AND_ASSIGN(const v1::Regrade first, Create());
  EXPECT_THAT(Create(), HasReason(ErrorReason::kInvalidState));
  EXPECT_EQ(first.submissions_total(), 1);
  EXPECT_EQ(first.submissions_done(), 0);
  EXPECT_TRUE(first.has_create_time());
  EXPECT_THAT(first.changes(), IsEmpty());
  EXPECT_THAT(first.grade_changes(), IsEmpty());
  v1::Regrade shown = Show(first.name());
  for (int i = 0; i < 500 && shown.submissions_done() == 0; ++i) {
    absl::SleepFor(absl::Milliseconds(100));
    shown = Show(first.name());
  }
  EXPECT_THAT(shown.changes(), SizeIs(1));
  // One that is done and was not put into force does not stand in the way.
  EXPECT_THAT(Create(), IsOk());
}

}  // namespace
}  // namespace trainyard
