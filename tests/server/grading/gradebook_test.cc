#include "server/grading/gradebook.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/server/grading/course_builder.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = BookWarning::Kind;

constexpr absl::Duration kDay = absl::Hours(24);

std::vector<Kind> Kinds(const Gradebook& book) {
  std::vector<Kind> kinds;
  for (const BookWarning& warning : book.warnings) {
    if (warning.kind != Kind::kAdmission) kinds.push_back(warning.kind);
  }
  return kinds;
}

// ---- Which run counts ----

TEST(GradebookTest, PointsOfALateRunAreKeptInHundredths) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 7, absl::Seconds(1));
  const HomeworkLine line = course.Grade().homework[0];
  EXPECT_EQ(line.late_units, 1);
  EXPECT_EQ(line.percent, 10);
  EXPECT_EQ(line.centipoints, 630);
}

TEST(GradebookTest, OnTimeAndWorseBeatsLateAndBetter) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 80);
  course.Run("ann", "hw", 100, 3 * kDay);
  const HomeworkLine line = course.Grade().homework[0];
  EXPECT_EQ(line.submission, "r1");
  EXPECT_EQ(line.centipoints, 8'000);
  EXPECT_EQ(line.choice,
            "best after the penalty of 2 runs; r2 has 100 points, but with -30 % 70.00");
}

TEST(GradebookTest, ATieGoesToTheLatestRunOrTheEarliest) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 90);
  course.Run("ann", "hw", 100, absl::Seconds(1));
  course.Run("ann", "hw", 90, -absl::Hours(50));
  const HomeworkLine latest = course.Grade().homework[0];
  EXPECT_EQ(latest.submission, "r2");  // although it shows a day late
  EXPECT_THAT(latest.choice, HasSubstr("the latest of 3 equal ones"));
  EXPECT_EQ(course.Grade(Policy("select { tie: SELECT_TIE_EARLIEST }")).homework[0].submission,
            "r3");
}

TEST(GradebookTest, TheLatestRunCountsUnderLatest) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 90);
  course.Run("ann", "hw", 20, -absl::Hours(2));
  const HomeworkLine line = course.Grade(Policy("select { rule: SELECT_RULE_LATEST }")).homework[0];
  EXPECT_EQ(line.submission, "r2");
  EXPECT_EQ(line.centipoints, 2'000);
}

TEST(GradebookTest, TheNominatedRunCountsAndWithoutOneTheBest) {
  const v1::GradingPolicy policy = Policy("select { rule: SELECT_RULE_NOMINATED }");
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 90);
  course.Run("ann", "hw", 20);
  EXPECT_EQ(course.Grade(policy).homework[0].submission, "r1");
  course.input.results[1].nominated = true;
  EXPECT_EQ(course.Grade(policy).homework[0].submission, "r2");
  EXPECT_EQ(course.Grade().homework[0].submission, "r1");  // rule BEST does not ask
}

TEST(GradebookTest, SealedAssignmentsAreNeverChosenByTheirPoints) {
  CourseBuilder course = OneHomework();
  course.input.assignments[0].sealed = true;
  course.Run("ann", "hw", 60).public_rank = 900;
  course.Run("ann", "hw", 95).public_rank = 800;
  const StudentGrade best = course.Grade();
  EXPECT_EQ(best.homework[0].submission, "r1");
  EXPECT_EQ(best.homework[0].centipoints, 6'000);
  for (const std::string& line : best.explanation) EXPECT_THAT(line, Not(HasSubstr("95")));
  course.input.results[1].nominated = true;
  EXPECT_EQ(course.Grade().homework[0].submission, "r2");
}

TEST(GradebookTest, AChoiceWithinNoiseIsTold) {
  CourseBuilder course = OneHomework();
  course.input.assignments[0].sealed = true;
  course.Run("ann", "hw", 60).public_rank = 900;
  course.Run("ann", "hw", 95).public_rank = 890;
  EXPECT_THAT(Kinds(course.Compute()), IsEmpty());
  course.input.assignments[0].public_noise = 10;
  EXPECT_THAT(Kinds(course.Compute()), ElementsAre(Kind::kNoise));
  course.input.results[1].points = 60;
  EXPECT_THAT(Kinds(course.Compute()), IsEmpty());
}

TEST(GradebookTest, OnlyGradedRunsCount) {
  for (const ResultStatus status :
       {ResultStatus::kInfraError, ResultStatus::kUngradable, ResultStatus::kPending}) {
    CourseBuilder course = OneHomework();
    course.Run("ann", "hw", 40);
    course.Run("ann", "hw", 90).status = status;
    const HomeworkLine line = course.Grade().homework[0];
    EXPECT_EQ(line.run_count, 1);
    EXPECT_EQ(line.centipoints, 4'000);
  }
}

TEST(GradebookTest, ThePolicySaysWhichClockCounts) {
  CourseBuilder course = OneHomework();
  ResultInput& run = course.Run("ann", "hw", 100, -absl::Seconds(1));
  run.finished_at = run.accepted_at + absl::Hours(30);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 10'000);
  EXPECT_EQ(course.Grade(Policy("", "hse-2026-exact")).homework[0].centipoints, 8'000);
}

TEST(GradebookTest, RunsPastTheHardCloseDoNotCount) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 50);
  course.Run("ann", "hw", 100, kDay + absl::Seconds(1));
  const HomeworkLine line =
      course
          .Grade(
              Policy("late { hard_close: HARD_CLOSE_AFTER hard_close_after { seconds: 86400 } }"))
          .homework[0];
  EXPECT_EQ(line.run_count, 1);
  EXPECT_EQ(line.centipoints, 5'000);
}

TEST(GradebookTest, AnotherMaximumWarnsAndIsConvertedOnlyWhereThePolicySaysSo) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 37).max_points = 40;
  const Gradebook as_is = course.Compute();
  EXPECT_EQ(as_is.students[0].homework[0].points, 37);
  EXPECT_THAT(Kinds(as_is), ElementsAre(Kind::kMaxDiffers));
  // 37 / 40 of 100 is 92.5.
  const auto rescaled = [&](const std::string& integer) {
    return course
        .Grade(Policy("points { rescale_on_max_change: true integer: POINTS_ROUNDING_" + integer +
                      " }"))
        .homework[0]
        .points;
  };
  EXPECT_EQ(rescaled("FLOOR"), 92);
  EXPECT_EQ(rescaled("HALF_UP"), 93);
}

// ---- From points to grades ----

TEST(GradebookTest, AStudentWithoutRunsHasARowAndTheExam) {
  CourseBuilder course = OneHomework();
  course.Exam("ann", "exam3", 800);
  course.Exam("ann", "exam4", 900);
  const StudentGrade row = course.Grade();
  EXPECT_EQ(row.homework_hundredths, 0);
  EXPECT_EQ(row.exam_hundredths, 170);
  EXPECT_EQ(row.final_hundredths, 170);
  EXPECT_THAT(row.flags, ElementsAre(GradeFlag::kNoRuns));
}

TEST(GradebookTest, BonusHomeworkIsInTheSumOnlyAndThePartIsCapped) {
  CourseBuilder course = OneHomework();
  course.Assignment("extra", 50, /*bonus=*/true);
  course.Run("ann", "hw", 80);
  course.Run("ann", "extra", 40);
  const StudentGrade row = course.Grade();
  EXPECT_EQ(row.total_centipoints, 12'000);
  EXPECT_EQ(row.denominator_points, 100);
  EXPECT_EQ(row.homework_hundredths, 800);
  EXPECT_EQ(row.final_hundredths, 800);
  EXPECT_EQ(course.Grade(Policy("homework { bonus: BONUS_RULE_NONE }")).homework_hundredths, 640);
  EXPECT_EQ(course.Grade(Policy("homework { denominator: HOMEWORK_DENOMINATOR_ALL_MAX }"))
                .homework_hundredths,
            640);
}

TEST(GradebookTest, UnreleasedHomeworkIsInTheFinalAndNotInTheFigureSoFar) {
  CourseBuilder course = OneHomework();
  course.Assignment("later", 300).released = false;
  course.Run("ann", "hw", 75);
  const StudentGrade row = course.Grade();
  EXPECT_EQ(row.denominator_points, 400);
  EXPECT_EQ(row.homework_hundredths, 150);
  EXPECT_EQ(row.so_far_hundredths, 600);
}

TEST(GradebookTest, ExamsAboveTheirMaximumAreCappedTogetherAndTold) {
  CourseBuilder course = OneHomework();
  course.Exam("ann", "exam3", 1'400);
  course.Exam("ann", "exam4", 1'000);
  const StudentGrade row = course.Grade();
  EXPECT_EQ(row.exam_hundredths, 200);
  EXPECT_THAT(row.flags, Contains(GradeFlag::kExamAboveMax));
}

TEST(GradebookTest, NoDueMeansNeverLate) {
  CourseBuilder course = OneHomework();
  course.input.assignments[0].due.reset();
  course.Run("ann", "hw", 100, 500 * kDay);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 10'000);
}

// ---- Decisions of staff ----

TEST(GradebookTest, AddedPointsMayPassTheMaximumOfTheHomework) {
  CourseBuilder course = OneHomework();
  course.Assignment("hw2", 100);
  course.Run("ann", "hw", 90, kDay / 2);
  course.Adjust("ann", "hw", AdjustmentKind::kAdd, 30);
  course.Adjust("ann", "hw", AdjustmentKind::kAdd, 5);
  course.Adjust("ann", "hw2", AdjustmentKind::kAdd, 7);
  const StudentGrade row = course.Grade();
  EXPECT_EQ(row.homework[0].centipoints, 8'100 + 3'500);
  EXPECT_EQ(row.homework[1].centipoints, 700);  // without a run too
}

TEST(GradebookTest, DeductionsStopAtZero) {
  CourseBuilder course = OneHomework();
  course.Assignment("hw2", 100);
  course.Run("ann", "hw2", 50);
  course.Adjust("ann", "hw", AdjustmentKind::kAdd, -30);
  EXPECT_EQ(course.Grade().total_centipoints, 5'000);
  course.Adjust("ann", "", AdjustmentKind::kAdd, -70);
  EXPECT_EQ(course.Grade().total_centipoints, 0);
}

TEST(GradebookTest, PointsOfTheCourseAreAddedToTheSum) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 50);
  course.Adjust("ann", "", AdjustmentKind::kAdd, 25);
  for (const std::string& preset : PolicyPresets()) {
    const StudentGrade row = course.Grade(Policy("", preset));
    EXPECT_EQ(row.total_centipoints, 7'500);
    EXPECT_EQ(row.homework_hundredths, 600);
  }
}

TEST(GradebookTest, SetReplacesRunAndAdditionsAndTheLastOneCounts) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 90);
  course.Adjust("ann", "hw", AdjustmentKind::kAdd, 30);
  course.Adjust("ann", "hw", AdjustmentKind::kSet, 55);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 5'500);
  course.Adjust("ann", "hw", AdjustmentKind::kZero);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 0);
  course.Adjust("ann", "hw", AdjustmentKind::kSet, 60);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 6'000);
  std::reverse(course.input.adjustments.begin(), course.input.adjustments.end());
  EXPECT_EQ(course.Grade().homework[0].centipoints, 6'000);
}

TEST(GradebookTest, ForcedDaysReplaceThoseCounted) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 100, 2 * kDay);
  course.Adjust("ann", "hw", AdjustmentKind::kLateDays, 0);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 10'000);
  course.Adjust("ann", "hw", AdjustmentKind::kLateDays, 1);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 9'000);
}

TEST(GradebookTest, ExtensionsAddUpAndMoveTheDeadlineToTheSecond) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 100, absl::Seconds(100));
  course.Adjust("ann", "hw", AdjustmentKind::kExtend, 60);
  EXPECT_EQ(course.Grade().homework[0].late_seconds, 40);
  course.Adjust("ann", "", AdjustmentKind::kExtend, 40);
  EXPECT_EQ(course.Grade().homework[0].late_seconds, 0);
  EXPECT_EQ(course.Grade().homework[0].deadline, PresetDeadline() + absl::Seconds(100));
}

TEST(GradebookTest, ExemptLeavesSumAndDenominator) {
  CourseBuilder course = OneHomework();
  course.Assignment("hw2", 300);
  course.Run("ann", "hw", 50);
  course.Run("ann", "hw2", 300);
  course.Adjust("ann", "hw2", AdjustmentKind::kExempt);
  const StudentGrade row = course.Grade();
  EXPECT_EQ(row.total_centipoints, 5'000);
  EXPECT_EQ(row.denominator_points, 100);
  EXPECT_EQ(row.homework_hundredths, 400);
}

TEST(GradebookTest, ExemptFromEverythingNeedsAGradeByStaff) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 50);
  course.Adjust("ann", "", AdjustmentKind::kExempt);
  const Gradebook book = course.Compute();
  EXPECT_EQ(book.students[0].denominator_points, 0);
  EXPECT_EQ(book.students[0].homework_hundredths, 0);
  EXPECT_THAT(book.students[0].flags, Contains(GradeFlag::kNoDenominator));
  EXPECT_FALSE(book.publishable);
  course.Adjust("ann", "", AdjustmentKind::kFinal, 750);
  const Gradebook decided = course.Compute();
  EXPECT_EQ(decided.students[0].final_hundredths, 750);
  EXPECT_EQ(decided.students[0].computed_final_hundredths, 0);
  EXPECT_TRUE(decided.publishable);
}

TEST(GradebookTest, SanctionsZeroAllHomeworkOrOne) {
  CourseBuilder course = OneHomework();
  course.Assignment("hw2", 100);
  course.Run("ann", "hw", 50);
  course.Run("ann", "hw2", 90);
  course.Exam("ann", "exam3", 1'000);
  course.Adjust("ann", "hw", AdjustmentKind::kAdd, 10);
  course.Adjust("ann", "", AdjustmentKind::kAdd, 10);
  const int64_t id = static_cast<int64_t>(course.input.adjustments.size());
  course.Adjust("ann", "hw", AdjustmentKind::kSanctionTampering);
  StudentGrade row = course.Grade();
  EXPECT_EQ(row.total_centipoints, 10'000);
  EXPECT_EQ(row.denominator_points, 200);
  EXPECT_TRUE(row.homework[0].sanctioned);
  course.input.adjustments[id].kind = AdjustmentKind::kSanctionPlagiarism;
  row = course.Grade();
  EXPECT_EQ(row.total_centipoints, 0);
  EXPECT_EQ(row.final_hundredths, 100);  // exams stay
  course.input.adjustments[id].revoked = true;
  EXPECT_EQ(course.Grade().total_centipoints, 16'000);
}

TEST(GradebookTest, ASanctionGoesBeforeAnExemption) {
  CourseBuilder course = OneHomework();
  course.Assignment("hw2", 100);
  course.Run("ann", "hw2", 100);
  course.Adjust("ann", "hw", AdjustmentKind::kSanctionTampering);
  course.Adjust("ann", "hw", AdjustmentKind::kExempt);
  EXPECT_EQ(course.Grade().homework_hundredths, 400);
}

TEST(GradebookTest, ASanctionThatNamesNothingBlocksPublication) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 100);
  course.Adjust("ann", "", AdjustmentKind::kSanctionTampering);
  course.Adjust("ann", "", AdjustmentKind::kAdd, 1);
  const Gradebook book = course.Compute();
  EXPECT_EQ(book.students[0].total_centipoints, 10'100);
  EXPECT_THAT(Kinds(book), ElementsAre(Kind::kBadValue));
  EXPECT_FALSE(book.publishable);
}

TEST(GradebookTest, AdjustmentsExpire) {
  CourseBuilder course = OneHomework();
  course.Adjust("ann", "hw", AdjustmentKind::kSet, 80).expires = absl::FromUnixSeconds(1'000);
  course.input.as_of = absl::FromUnixSeconds(999);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 8'000);
  course.input.as_of = absl::FromUnixSeconds(1'000);
  EXPECT_EQ(course.Grade().homework[0].centipoints, 0);
}

// ---- Admission ----

CourseBuilder WithQuizzes() {
  CourseBuilder course = OneHomework();
  course.Quiz("q1", "3");
  course.Quiz("q2", "3");
  course.Exam("ann", "exam3", 1'000);
  return course;
}

v1::GradingPolicy AdmissionPolicy(const std::string& on_fail) {
  return Policy(
      "admission { exam: \"exam3\" module: \"3\" by: \"03-29 23:59\" on_fail: "
      "ADMISSION_FAILURE_" +
      on_fail + " }");
}

TEST(GradebookTest, WithoutAdmissionAnExamIsFlaggedBlockedOrZero) {
  const CourseBuilder course = WithQuizzes();
  const Gradebook flagged = course.Compute(AdmissionPolicy("FLAG"));
  EXPECT_EQ(flagged.students[0].final_hundredths, 100);
  EXPECT_THAT(flagged.students[0].flags, Contains(GradeFlag::kNotAdmitted));
  EXPECT_TRUE(flagged.publishable);
  const Gradebook blocked = course.Compute(AdmissionPolicy("BLOCK"));
  EXPECT_EQ(blocked.students[0].final_hundredths, 100);
  EXPECT_FALSE(blocked.publishable);
  const Gradebook zero = course.Compute(AdmissionPolicy("ZERO"));
  EXPECT_EQ(zero.students[0].final_hundredths, 0);
  EXPECT_EQ(zero.students[0].exams[0].points_hundredths, 1'000);
  EXPECT_TRUE(zero.publishable);
}

TEST(GradebookTest, TheLastSecondOfTheMinuteAdmitsAndALateAnswerIsKept) {
  CourseBuilder course = WithQuizzes();
  course.Answer("ann", "q1", absl::CivilSecond(2027, 3, 1));
  course.Answer("ann", "q2", absl::CivilSecond(2027, 3, 29, 23, 59, 59));
  EXPECT_EQ(course.Grade(AdmissionPolicy("ZERO")).final_hundredths, 100);
  course.input.quiz_results[1].correct_at =
      *course.input.quiz_results[1].correct_at + absl::Seconds(1);
  const StudentGrade late = course.Grade(AdmissionPolicy("ZERO"));
  EXPECT_EQ(late.final_hundredths, 0);
  EXPECT_THAT(late.exams[0].conditions,
              ElementsAre("1 of 2 quizzes of module 3 by 2027-03-29 23:59:59 MSK, 1 later, 2 "
                          "needed: not admitted"));
}

TEST(GradebookTest, WrongAnswersAndOtherModulesDoNotAdmit) {
  CourseBuilder course = WithQuizzes();
  course.Quiz("q9", "4");
  course.Answer("ann", "q1", absl::CivilSecond(2027, 3, 1));
  course.Answer("ann", "q1", absl::CivilSecond(2027, 3, 2));
  course.Answer("ann", "q9", absl::CivilSecond(2027, 3, 1));
  course.Answer("ann", "q2", absl::CivilSecond(2027, 3, 1));
  course.input.quiz_results.back().correct_at.reset();
  EXPECT_FALSE(course.Grade(AdmissionPolicy("ZERO")).exams[0].admitted);
  v1::GradingPolicy one = AdmissionPolicy("ZERO");
  one.mutable_admission(0)->set_quizzes_min(1);
  EXPECT_TRUE(course.Grade(one).exams[0].admitted);
}

TEST(GradebookTest, AConditionThatCannotBeJudgedHoldsNobodyBack) {
  CourseBuilder course = OneHomework();
  course.Exam("ann", "exam3", 1'000);
  for (const char* on_fail : {"FLAG", "BLOCK", "ZERO"}) {
    const Gradebook book = course.Compute(AdmissionPolicy(on_fail));
    EXPECT_EQ(book.students[0].final_hundredths, 100) << on_fail;
    EXPECT_THAT(book.students[0].flags, Not(Contains(GradeFlag::kNotAdmitted))) << on_fail;
    ASSERT_EQ(book.warnings.size(), 1) << on_fail;
    EXPECT_EQ(book.warnings[0].kind, Kind::kAdmission) << on_fail;
  }
}

// What the policy was to do, it must not silently leave undone.
TEST(GradebookTest, ABlockOrZeroThatCannotBeJudgedBlocksPublicationOnceThereAreResults) {
  CourseBuilder course = OneHomework();
  course.Exam("ann", "exam4", 1'000);
  for (const char* on_fail : {"FLAG", "BLOCK", "ZERO"}) {
    EXPECT_TRUE(course.Compute(AdmissionPolicy(on_fail)).publishable) << on_fail;
  }
  course.Exam("ann", "exam3", 0);
  EXPECT_TRUE(course.Compute(AdmissionPolicy("FLAG")).publishable);
  for (const char* on_fail : {"BLOCK", "ZERO"}) {
    const Gradebook book = course.Compute(AdmissionPolicy(on_fail));
    EXPECT_FALSE(book.publishable) << on_fail;
    ASSERT_EQ(book.warnings.size(), 1) << on_fail;
    EXPECT_TRUE(book.warnings[0].blocks_publication) << on_fail;
    EXPECT_THAT(book.warnings[0].text, HasSubstr("record their results, or set")) << on_fail;
  }
  // Too few for quizzes_min.
  course.Quiz("q1", "3");
  v1::GradingPolicy two = AdmissionPolicy("ZERO");
  two.mutable_admission(0)->set_quizzes_min(2);
  EXPECT_FALSE(course.Compute(two).publishable);
  course.Quiz("q2", "3");
  EXPECT_TRUE(course.Compute(two).publishable);
  // No year, and no deadline to tell it.
  course.input.assignments[0].due.reset();
  EXPECT_FALSE(course.Compute(two).publishable);
  two.mutable_admission(0)->set_by("2027-03-29 23:59");
  EXPECT_TRUE(course.Compute(two).publishable);
}

// ---- Rows that make no sense ----

TEST(GradebookTest, OrphansAreListedAndUnresolvedExamsBlockPublication) {
  CourseBuilder course = OneHomework();
  course.Run("bob", "hw", 10);
  course.Run("ann", "hw9", 10);
  EXPECT_TRUE(course.Compute().publishable);
  course.Exam("", "exam3", 900);
  course.input.exam_results.back().name = "Анна Орлова";
  const Gradebook book = course.Compute();
  EXPECT_THAT(Kinds(book),
              ElementsAre(Kind::kOrphanResult, Kind::kOrphanResult, Kind::kOrphanExam));
  EXPECT_FALSE(book.publishable);
  EXPECT_THAT(book.warnings.back().text, HasSubstr("Анна Орлова"));
  EXPECT_EQ(book.students[0].total_centipoints, 0);
}

TEST(GradebookTest, LongNamesAreCutBetweenCharacters) {
  CourseBuilder course = OneHomework();
  course.Exam("", "exam3", 900);
  course.input.exam_results.back().name = "x";
  for (int i = 0; i < 60; ++i) course.input.exam_results.back().name += "я";
  std::string shown = "\"x";
  for (int i = 0; i < 39; ++i) shown += "я";
  EXPECT_THAT(course.Compute().warnings.back().text, HasSubstr(shown + "\""));
}

TEST(GradebookTest, ABadRowIsSetAsideAndEverythingElseIsComputed) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 60);
  course.Run("ann", "hw", 1'000'001);
  course.Run("ann", "hw", -1);
  course.Adjust("ann", "hw", AdjustmentKind::kSet, -5);
  course.Adjust("ann", "", AdjustmentKind::kSet, 5);
  course.Adjust("ann", "hw7", AdjustmentKind::kZero);
  course.Exam("ann", "exam3", -1);
  const Gradebook book = course.Compute();
  EXPECT_EQ(book.students[0].total_centipoints, 6'000);
  EXPECT_THAT(Kinds(book), ElementsAre(Kind::kBadValue, Kind::kBadValue, Kind::kBadValue,
                                       Kind::kBadValue, Kind::kOrphanAdjustment, Kind::kBadValue));
  EXPECT_FALSE(book.publishable);
}

TEST(GradebookTest, TheLaterOfTwoExamResultsCountsAndIsTold) {
  CourseBuilder course = OneHomework();
  course.Exam("ann", "exam3", 500);
  course.Exam("ann", "exam3", 700);
  const Gradebook book = course.Compute();
  EXPECT_EQ(book.students[0].exam_hundredths, 70);
  EXPECT_THAT(Kinds(book), ElementsAre(Kind::kDuplicate));
}

TEST(GradebookTest, WarningsAreBoundedAndTheRestCounted) {
  CourseBuilder course = OneHomework();
  for (int i = 0; i < 1'500; ++i) course.Run("nobody", "hw", 1);
  const Gradebook book = course.Compute();
  ASSERT_EQ(book.warnings.size(), 1'000);
  EXPECT_EQ(book.warnings.back().kind, Kind::kMore);
  // Two of the preset's admissions stand before them.
  EXPECT_THAT(book.warnings.back().text, HasSubstr("503 more"));
}

TEST(GradebookTest, IdsGivenTwiceAndBadAssignmentsAreFaultsAllAtOnce) {
  CourseBuilder course = OneHomework();
  course.Student("ann");
  course.Assignment("hw", -1);
  course.Assignment("", 10).due = absl::CivilSecond(20'000, 1, 1);
  const auto book = ComputeGradebook(course.input, Policy());
  EXPECT_THAT(book, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(ViolatedFields(book.status()),
              ElementsAre("assignments[1].id", "assignments[2].id", "students[1].id",
                          "assignments[1].max_points", "assignments[2].due"));
}

TEST(GradebookTest, TooLargeBooksAreRefused) {
  CourseBuilder course;
  for (int i = 0; i < 1'001; ++i) course.Assignment(absl::StrCat("hw", i), 1);
  EXPECT_THAT(ComputeGradebook(course.input, Policy()), HasReason(ErrorReason::kTooLarge));
  course.input.assignments.resize(201);
  for (int i = 0; i < 10'000; ++i) course.Student(absl::StrCat("s", i));
  EXPECT_THAT(
      ComputeGradebook(course.input, Policy()),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("students times assignments")));
}

TEST(GradebookTest, AnUnresolvedPolicyIsRefused) {
  v1::GradingPolicy policy;
  policy.set_preset("hse");
  EXPECT_THAT(ComputeGradebook(OneHomework().input, policy),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("policy.time")));
}

// ---- Words ----

TEST(GradebookTest, TheExplanationFollowsTheComputation) {
  CourseBuilder course;
  course.Assignment("hw-mlp-train", 100);
  course.Assignment("hw-late", 100);
  course.Assignment("hw-extra", 50, /*bonus=*/true);
  course.Student("ann").full_name.clear();
  course.Run("ann", "hw-mlp-train", 86).accepted_at =
      absl::FromCivil(absl::CivilSecond(2027, 2, 10, 18, 42, 7), absl::UTCTimeZone());
  course.Run("ann", "hw-late", 70, kDay);
  course.Adjust("ann", "hw-extra", AdjustmentKind::kAdd, 5).reason = "for a found mistake";
  course.Exam("ann", "exam3", 850);
  EXPECT_THAT(
      course.Grade().explanation,
      ElementsAre("hw-mlp-train: 86 of 100, accepted 2027-02-10 21:42:07 MSK, 0 days late → 86.00",
                  "  run r1: the only run",
                  "hw-late: 70 of 100, accepted 2027-02-12 06:05:00 MSK, 2 days late, -20 % "
                  "(deadline 2027-02-11 06:05:00 MSK) → 56.00",
                  "  run r2: the only run", "hw-extra (bonus): no graded run → 5.00",
                  "  by staff: +5 points: for a found mistake", "points: 147.00 of 200",
                  "homework: 8 × 147.00 / 200, at most 8 → 5.88 → 6",
                  "homework so far, without what is not released: 5.88", "exam3: 8.50 of 10 × 0.10",
                  "exam4: no result", "exams: 0.85, at most 2",
                  "final: 6.00 + 0.85, at most 10 → 6.85", "note: full name not known"));
}

TEST(GradebookTest, HundredthsAreWrittenWithTwoDecimals) {
  EXPECT_EQ(FormatHundredths(0), "0.00");
  EXPECT_EQ(FormatHundredths(7), "0.07");
  EXPECT_EQ(FormatHundredths(8'600), "86.00");
  EXPECT_EQ(FormatHundredths(-50), "-0.50");
}

}  // namespace
}  // namespace trainyard
