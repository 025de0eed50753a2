#include "server/grading/gradebook_diff.h"

#include "gmock/gmock.h"
#include "tests/server/grading/course_builder.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

CourseBuilder TwoStudents() {
  CourseBuilder course = OneHomework();
  course.Student("bob");
  course.Run("ann", "hw", 50);
  course.Run("bob", "hw", 60);
  return course;
}

TEST(GradebookDiffTest, EqualBooksHaveNoChangesAndOneDigest) {
  const Gradebook a = TwoStudents().Compute();
  const Gradebook b = TwoStudents().Compute();
  EXPECT_THAT(DiffGradebooks(a, b), IsEmpty());
  EXPECT_EQ(GradebookDigest(a), GradebookDigest(b));
}

TEST(GradebookDiffTest, ANewPolicyIsShownStudentByStudent) {
  CourseBuilder course = TwoStudents();
  course.Run("ann", "hw", 100, absl::Seconds(1));
  const auto changes =
      DiffGradebooks(course.Compute(), course.Compute(Policy("late { percent_per_unit: 25 }")));
  ASSERT_EQ(changes.size(), 1);
  EXPECT_EQ(changes[0].student, "ann");
  EXPECT_EQ(changes[0].final_before_hundredths, 700);
  EXPECT_EQ(changes[0].final_after_hundredths, 600);
  EXPECT_THAT(
      changes[0].changes,
      ElementsAre(GradeChange{"final", "7.00", "6.00"}, GradeChange{"homework", "7.20", "6.00"},
                  GradeChange{"so far", "7.20", "6.00"},
                  GradeChange{"assignment hw", "90.00 of 100", "75.00 of 100"}));
}

TEST(GradebookDiffTest, AnAssignmentMayComeAndBecomeBonus) {
  CourseBuilder course = OneHomework();
  course.Run("ann", "hw", 50);
  const Gradebook before = course.Compute();
  course.Assignment("hw2", 100);
  const Gradebook with = course.Compute();
  EXPECT_THAT(
      DiffGradebooks(before, with).front().changes,
      ElementsAre(GradeChange{"final", "4.00", "2.00"}, GradeChange{"homework", "4.00", "2.00"},
                  GradeChange{"so far", "4.00", "2.00"},
                  GradeChange{"assignment hw2", std::nullopt, "0.00 of 100"}));
  course.input.assignments[1].bonus = true;
  EXPECT_THAT(
      DiffGradebooks(with, course.Compute()).front().changes,
      ElementsAre(GradeChange{"final", "2.00", "4.00"}, GradeChange{"homework", "2.00", "4.00"},
                  GradeChange{"so far", "2.00", "4.00"},
                  GradeChange{"assignment hw2", "0.00 of 100", "0.00 of 100 (bonus)"}));
}

TEST(GradebookDiffTest, AnAssignmentMayBeCalledFinal) {
  CourseBuilder course = OneHomework();
  course.Assignment("final", 100);
  course.Run("ann", "hw", 50);
  const Gradebook before = course.Compute();
  EXPECT_THAT(DiffGradebooks(before, before), IsEmpty());
  course.Run("ann", "final", 10);
  EXPECT_THAT(
      DiffGradebooks(before, course.Compute()).front().changes,
      ElementsAre(GradeChange{"homework", "2.00", "2.40"}, GradeChange{"so far", "2.00", "2.40"},
                  GradeChange{"assignment final", "0.00 of 100", "10.00 of 100"}));
}

TEST(GradebookDiffTest, StudentsComeAndGo) {
  CourseBuilder course = TwoStudents();
  const Gradebook both = course.Compute();
  course.input.students.pop_back();
  const Gradebook one = course.Compute();
  const auto gone = DiffGradebooks(both, one);
  ASSERT_EQ(gone.size(), 1);
  EXPECT_EQ(gone[0].student, "bob");
  EXPECT_EQ(gone[0].final_before_hundredths, 500);
  EXPECT_FALSE(gone[0].final_after_hundredths.has_value());
  const auto come = DiffGradebooks(one, both);
  ASSERT_EQ(come.size(), 1);
  EXPECT_FALSE(come[0].final_before_hundredths.has_value());
}

TEST(GradebookDiffTest, TheDigestSeesWhatCounts) {
  const std::string digest = GradebookDigest(TwoStudents().Compute());
  CourseBuilder later = TwoStudents();
  later.input.results[0].accepted_at += absl::Seconds(1);
  EXPECT_NE(GradebookDigest(later.Compute()), digest);
  CourseBuilder renamed = TwoStudents();
  renamed.input.students[0].full_name = "Another Name";
  EXPECT_NE(GradebookDigest(renamed.Compute()), digest);
  CourseBuilder added = TwoStudents();
  added.Adjust("ann", "hw", AdjustmentKind::kAdd, 1);
  EXPECT_NE(GradebookDigest(added.Compute()), digest);
}

// The text of a frozen book is kept; what it looks like must not change unnoticed.
TEST(GradebookDiffTest, TheCanonicalTextIsFixed) {
  CourseBuilder course = OneHomework();
  course.input.students[0].full_name = "A\nstudent=x";
  course.Run("ann", "hw", 50, absl::Seconds(5));
  EXPECT_EQ(CanonicalText(course.Compute()),
            "student=ann\ndisplay_name=ann\nfull_name=A\\nstudent=x\nprogramme=\ngroup=\n"
            "assignment=hw\nsubmission=r1\npoints=50\nmax_points=100\n"
            "time_ns=1802315105000000000\ndeadline_s=1802315100\nlate_seconds=5\nlate_units=1\n"
            "percent=10\nrun_centipoints=4500\nadded_points=0\nset_points=none\ncentipoints=4500\n"
            "bonus=0\nexempt=0\nsanctioned=0\n"
            "exam=exam3\npoints_hundredths=none\nadmitted=1\ncounts=1\n"
            "exam=exam4\npoints_hundredths=none\nadmitted=1\ncounts=1\n"
            "course_points=0\ntotal_centipoints=4500\ndenominator_points=100\n"
            "homework_hundredths=360\nhomework_counted_hundredths=400\nso_far_hundredths=360\n"
            "exam_hundredths=0\ncomputed_final_hundredths=400\nfinal_hundredths=400\n"
            "blocks_publication=0\n");
}

}  // namespace
}  // namespace trainyard
