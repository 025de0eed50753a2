#include "server/grading/course_gradebook.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/wire/timestamp.h"
#include "tests/server/grading/course_builder.h"
#include "tests/server/grading/course_events.h"

namespace trainyard {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kAsOf =
    absl::FromCivil(absl::CivilSecond(2027, 3, 1, 0, 0, 0), absl::UTCTimeZone());
// A day before the preset's deadline.
const absl::Time kInTime = PresetDeadline() - absl::Hours(24);

// Ann and Bob, one open and one sealed assignment, due at kDue.
class CourseGradebookTest : public testing::Test {
 protected:
  CourseGradebookTest() {
    Add(R"(course_created { name: "courses/dl" time_zone: "Europe/Moscow" })");
    Add(R"(roster_changed {
             enrolments { user: "ann" role: COURSE_ROLE_STUDENT full_name: "Ann A" programme: "p" group: "g" }
             enrolments { user: "bob" role: COURSE_ROLE_STUDENT }
             enrolments { user: "ivan" role: COURSE_ROLE_INSTRUCTOR } })");
    Add(R"(assignment_published { assignment { name: "courses/dl/assignments/open" version: 1 title: "Open"
             max_points: 100 module: 3 due: "2027-02-10 23:59:59" public_dataset: "datasets/p" } })");
    Add(R"(assignment_published { assignment { name: "courses/dl/assignments/sealed" version: 1 max_points: 50
             due: "2027-02-10 23:59:59" opens: "2027-04-01 00:00:00" sealed_dataset: "datasets/s" bonus: true } })");
  }
  void Add(const std::string& text) {
    v1::CourseEvent event = EventOf(text);
    event.set_sequence(state_.course.last_sequence() + 1);
    Apply(event, &state_);
  }
  static std::string NameOf(const std::string& assignment, const std::string& id) {
    return absl::StrCat("courses/dl/assignments/", assignment, "/submissions/", id);
  }
  void Graded(const std::string& student, const std::string& assignment, const std::string& id,
              int64_t points, int64_t rank, bool released, absl::Time accepted = kInTime) {
    v1::CourseEvent event;
    v1::SubmissionGraded& graded = *event.mutable_submission_graded();
    graded.set_submission(NameOf(assignment, id));
    graded.set_assignment(assignment);
    graded.set_student(student);
    graded.set_points(points);
    graded.set_max_points(state_.Find(assignment)->assignment().max_points());
    graded.set_public_rank(rank);
    *graded.mutable_accepted_at() = ToTimestamp(accepted);
    *graded.mutable_finish_time() = ToTimestamp(accepted + absl::Minutes(3));
    Apply(event, &state_);
    if (!released) return;
    v1::CourseEvent told;
    told.mutable_points_released()->set_submission(NameOf(assignment, id));
    told.mutable_points_released()->set_assignment(assignment);
    Apply(told, &state_);
  }
  StudentGrade GradeOf(const std::string& student, bool released_only = false) {
    const auto book = BookOf(state_, Policy(),
                             {.as_of = kAsOf, .released_only = released_only, .student = student});
    EXPECT_TRUE(book.ok()) << book.status();
    EXPECT_EQ(book->students.size(), 1u);
    return book->students.front();
  }

  CourseState state_;
};

TEST_F(CourseGradebookTest, AssignmentsAreTheNewestVersionsInTheOrderOfTheirFirst) {
  Add(R"(assignment_published { assignment { name: "courses/dl/assignments/open" version: 2 max_points: 60
           due: "2027-02-12 00:00:00" public_dataset: "datasets/p" } })");
  const GradebookInput input = InputOf(state_, {.as_of = kAsOf});
  ASSERT_EQ(input.assignments.size(), 2u);
  EXPECT_EQ(input.assignments[0].id, "open");
  EXPECT_EQ(input.assignments[0].max_points, 60);
  EXPECT_EQ(input.assignments[0].due, absl::CivilSecond(2027, 2, 12, 0, 0, 0));
  EXPECT_FALSE(input.assignments[0].sealed);
  EXPECT_TRUE(input.assignments[0].released);
  EXPECT_EQ(input.assignments[1].due, kDue);
  EXPECT_TRUE(input.assignments[1].sealed);
  EXPECT_TRUE(input.assignments[1].bonus);
  EXPECT_FALSE(input.assignments[1].released);  // opens a month later
  EXPECT_EQ(input.as_of, kAsOf);
}

TEST_F(CourseGradebookTest, StudentsOnlyAreInTheBook) {
  const GradebookInput input = InputOf(state_, {.as_of = kAsOf});
  ASSERT_EQ(input.students.size(), 2u);
  EXPECT_EQ(input.students[0].id, "ann");
  EXPECT_EQ(input.students[0].full_name, "Ann A");
  EXPECT_EQ(input.students[0].programme, "p");
  EXPECT_EQ(input.students[0].group, "g");
  EXPECT_EQ(InputOf(state_, {.as_of = kAsOf, .student = "bob"}).students.size(), 1u);
  EXPECT_TRUE(InputOf(state_, {.as_of = kAsOf, .student = "ivan"}).students.empty());
}

TEST_F(CourseGradebookTest, WhatWasNotToldCountsForStaffOnly) {
  Graded("ann", "open", "s1", 40, 1, /*released=*/true);
  Graded("ann", "open", "s2", 90, 2, /*released=*/false);
  EXPECT_EQ(GradeOf("ann").total_centipoints, 9'000);
  EXPECT_EQ(GradeOf("ann", /*released_only=*/true).total_centipoints, 4'000);
}

TEST_F(CourseGradebookTest, ResultsOfOneAreThoseOfAllThatAreHis) {
  Graded("ann", "sealed", "s9", 10, 1, /*released=*/true);
  Graded("bob", "open", "s2", 20, 1, /*released=*/true);
  Graded("ann", "open", "s3", 30, 1, /*released=*/false);
  Graded("anna", "open", "s4", 40, 1, /*released=*/true);
  Graded("ann", "open", "s1", 50, 1, /*released=*/true);
  for (const bool released_only : {false, true}) {
    for (const char* student : {"ann", "bob", "eve"}) {
      std::vector<std::string> expected, names;
      for (const auto& result : InputOf(state_, {kAsOf, released_only, ""}).results) {
        if (result.student == student) expected.push_back(result.submission);
      }
      for (const auto& result : InputOf(state_, {kAsOf, released_only, student}).results) {
        names.push_back(result.submission);
      }
      EXPECT_EQ(names, expected) << student << released_only;
    }
  }
}

TEST_F(CourseGradebookTest, ASealedAssignmentGoesByPublicRankNotByPoints) {
  Graded("ann", "sealed", "s1", 50, 1, true);
  Graded("ann", "sealed", "s2", 20, 9, true);
  EXPECT_EQ(GradeOf("ann").homework[1].submission, NameOf("sealed", "s2"));
  EXPECT_EQ(GradeOf("ann").total_centipoints, 2'000);
}

TEST_F(CourseGradebookTest, TheNominatedRunOfASealedAssignmentCounts) {
  Graded("ann", "sealed", "s1", 30, 1, true);
  Graded("ann", "sealed", "s2", 20, 9, true);
  Graded("bob", "sealed", "s3", 10, 1, true);
  Add(R"(submission_nominated { assignment: "sealed" student: "ann"
           submission: "courses/dl/assignments/sealed/submissions/s1" })");
  EXPECT_EQ(GradeOf("ann").homework[1].submission, NameOf("sealed", "s1"));
  EXPECT_EQ(GradeOf("bob").total_centipoints, 1'000);
  int64_t nominated = 0;
  for (const ResultInput& result : InputOf(state_, {.as_of = kAsOf}).results)
    nominated += result.nominated;
  EXPECT_EQ(nominated, 1);
}

// 10 % for each day that has begun, by the preset: 101 points in hundredths for a day's hour.
TEST_F(CourseGradebookTest, LatenessAndExtensionsGoByWhenItWasAccepted) {
  Graded("ann", "open", "s1", 80, 1, true, PresetDeadline() + absl::Hours(25));
  EXPECT_EQ(GradeOf("ann").homework[0].late_units, 2);
  EXPECT_EQ(GradeOf("ann").total_centipoints, 6'400);
  Add(R"(adjustment_made { id: "a1" student: "ann" assignment: "open" kind: EXTEND reason: "ill"
           extension { seconds: 86400 } })");
  EXPECT_EQ(GradeOf("ann").homework[0].late_units, 1);
  EXPECT_EQ(GradeOf("ann").total_centipoints, 7'200);
  Add(R"(adjustment_made { id: "a2" student: "ann" assignment: "open" kind: LATE_DAYS reason: "r" late_units: 3 })");
  EXPECT_EQ(GradeOf("ann").total_centipoints, 5'600);
  Add(R"(adjustment_revoked { id: "a2" })");
  EXPECT_EQ(GradeOf("ann").total_centipoints, 7'200);
}

TEST_F(CourseGradebookTest, EveryKindOfAdjustmentComesThrough) {
  Graded("ann", "open", "s1", 80, 1, true);
  Add(R"(adjustment_made { id: "a1" student: "ann" assignment: "open" kind: ADD reason: "r" points: -5 })");
  EXPECT_EQ(GradeOf("ann").total_centipoints, 7'500);
  Add(R"(adjustment_made { id: "a2" student: "ann" assignment: "open" kind: SET reason: "r" points: 33 })");
  EXPECT_EQ(GradeOf("ann").total_centipoints, 3'300);
  Add(R"(adjustment_made { id: "a3" student: "ann" assignment: "open" kind: ZERO reason: "r" })");
  EXPECT_EQ(GradeOf("ann").total_centipoints, 0);
  Add(R"(adjustment_made { id: "a4" student: "ann" assignment: "open" kind: EXEMPT reason: "r" })");
  EXPECT_TRUE(GradeOf("ann").homework[0].exempt);
  EXPECT_EQ(GradeOf("ann").denominator_points, 0);
  Add(R"(adjustment_made { id: "a5" student: "ann" kind: FINAL reason: "r" final_hundredths: 777 })");
  EXPECT_EQ(GradeOf("ann").final_hundredths, 777);
  EXPECT_EQ(GradeOf("bob").denominator_points, 100);
}

TEST_F(CourseGradebookTest, AFinalOfTwoPersonsWaitsForTheSecond) {
  state_.course.set_two_person_finals(true);
  Graded("ann", "open", "s1", 80, 1, true);
  const int64_t computed = GradeOf("ann").final_hundredths;
  Add(R"(adjustment_made { id: "a1" student: "ann" kind: FINAL reason: "r" final_hundredths: 777 })");
  EXPECT_EQ(GradeOf("ann").final_hundredths, computed);
  EXPECT_THAT(GradeOf("ann").flags, Contains(GradeFlag::kFinalWaits));
  EXPECT_THAT(GradeOf("ann").flags, Not(Contains(GradeFlag::kFinalOverridden)));
  Add(R"(actor: "ivan" adjustment_confirmed { id: "a1" })");
  EXPECT_EQ(GradeOf("ann").final_hundredths, 777);
  EXPECT_THAT(GradeOf("ann").flags, Not(Contains(GradeFlag::kFinalWaits)));
  // A newer one that waits does not take the confirmed one away.
  Add(R"(adjustment_made { id: "a2" student: "ann" kind: FINAL reason: "r" final_hundredths: 888 })");
  EXPECT_EQ(GradeOf("ann").final_hundredths, 777);
  Add(R"(adjustment_revoked { id: "a2" })");
  EXPECT_THAT(GradeOf("ann").flags, Not(Contains(GradeFlag::kFinalWaits)));
}

TEST_F(CourseGradebookTest, SanctionsComeThrough) {
  Graded("ann", "open", "s1", 80, 1, true);
  Graded("ann", "sealed", "s2", 40, 1, true);
  Add(R"(adjustment_made { id: "a1" student: "ann" assignment: "sealed" kind: SANCTION_TAMPERING reason: "r" })");
  EXPECT_EQ(GradeOf("ann").total_centipoints, 8'000);
  Add(R"(adjustment_made { id: "a2" student: "ann" kind: SANCTION_PLAGIARISM reason: "r" })");
  EXPECT_EQ(GradeOf("ann").total_centipoints, 0);
  EXPECT_EQ(GradeOf("ann").denominator_points, 100);
}

TEST_F(CourseGradebookTest, AnAdjustmentCountsUntilItExpires) {
  v1::CourseEvent event = EventOf(
      R"(adjustment_made { id: "a1" student: "bob" assignment: "open" kind: ADD reason: "r" points: 5 })");
  *event.mutable_adjustment_made()->mutable_expires() = ToTimestamp(kAsOf);
  Apply(event, &state_);
  EXPECT_EQ(GradeOf("bob").total_centipoints, 0);
  *event.mutable_adjustment_made()->mutable_expires() = ToTimestamp(kAsOf + absl::Seconds(1));
  Apply(event, &state_);
  EXPECT_EQ(GradeOf("bob").total_centipoints, 500);
}

// Exam 3 needs the quizzes of module 3 by 29 March. 8.5 points weigh 0.1 each.
TEST_F(CourseGradebookTest, MarksAndQuizzesAreOfTheirStudent) {
  Add(R"(marks_recorded { exams { student: "ann" exam: "exam3" hundredths: 850 }
                          exams { student: "bob" exam: "exam3" hundredths: 400 }
                          quizzes { student: "ann" quiz: "q1" module: 3 attempts: 2 correct_at { seconds: 1803000000 } }
                          quizzes { student: "bob" quiz: "q1" module: 3 attempts: 1 } })");
  EXPECT_EQ(GradeOf("ann").exam_hundredths, 85);
  EXPECT_TRUE(GradeOf("ann").exams[0].admitted);
  // Who has not answered a quiz that others have is not admitted; he is asked for it in a book of
  // one, too.
  EXPECT_FALSE(GradeOf("bob").exams[0].admitted);
  const GradebookInput input = InputOf(state_, {.as_of = kAsOf, .student = "bob"});
  ASSERT_EQ(input.quizzes.size(), 1u);
  EXPECT_EQ(input.quizzes[0].module, "3");
  ASSERT_EQ(input.quiz_results.size(), 1u);
  EXPECT_EQ(input.quiz_results[0].correct_at, std::nullopt);
  ASSERT_EQ(input.exam_results.size(), 1u);
  EXPECT_EQ(input.exam_results[0].points_hundredths, 400);
}

TEST_F(CourseGradebookTest, AQuizIsAskedForWhileAStudentHasAResultOfIt) {
  const auto quizzes = [&] {
    std::vector<std::string> ids;
    for (const QuizInput& quiz : InputOf(state_, {.as_of = kAsOf}).quizzes) ids.push_back(quiz.id);
    return ids;
  };
  Add(R"(marks_recorded { quizzes { student: "ann" quiz: "q1" module: 3 }
                          quizzes { student: "bob" quiz: "q1" module: 3 }
                          quizzes { student: "ann" quiz: "slip" module: 3 }
                          quizzes { student: "ivan" quiz: "tried" module: 3 } })");
  EXPECT_THAT(quizzes(), ElementsAre("q1", "slip"));
  Add(R"(marks_recorded { quizzes { student: "ann" quiz: "slip" removed: true }
                          quizzes { student: "ann" quiz: "q1" removed: true } })");
  EXPECT_THAT(quizzes(), ElementsAre("q1"));
  Add(R"(roster_changed { removed_users: "bob" })");
  EXPECT_THAT(quizzes(), ElementsAre());
  Add(R"(roster_changed { enrolments { user: "bob" role: COURSE_ROLE_STUDENT } })");
  EXPECT_THAT(quizzes(), ElementsAre("q1"));
}

TEST_F(CourseGradebookTest, AMarkThatWasRemovedDoesNotCount) {
  Add(R"(marks_recorded { exams { student: "ann" exam: "exam3" hundredths: 850 } })");
  EXPECT_EQ(GradeOf("ann").exam_hundredths, 85);
  Add(R"(marks_recorded { exams { student: "ann" exam: "exam3" removed: true } })");
  EXPECT_EQ(GradeOf("ann").exams[0].points_hundredths, std::nullopt);
}

// H is 100 of "open" and 300 of "more"; "sealed" is a bonus. Zed is in no roster.
TEST_F(CourseGradebookTest, ARetiredAssignmentCountsNowhereUntilAVersionBringsItBack) {
  const auto publish = [&](int version, bool retired) {
    Add(absl::StrCat(R"(assignment_published { assignment { name: "courses/dl/assignments/more"
                          max_points: 300 due: "2027-02-10 23:59:59" version: )",
                     version, " retired: ", retired ? "true" : "false", " } }"));
  };
  publish(1, /*retired=*/false);
  Graded("ann", "open", "s1", 80, 1, true);
  Graded("ann", "more", "s2", 150, 1, true);
  Graded("zed", "more", "s3", 150, 1, true);
  Add(R"(adjustment_made { id: "a1" student: "ann" assignment: "more" kind: ADD points: 20 reason: "r" })");
  Add(R"(adjustment_made { id: "a2" student: "zed" assignment: "more" kind: EXEMPT reason: "r" })");
  EXPECT_EQ(GradeOf("ann").denominator_points, 400);
  EXPECT_EQ(GradeOf("ann").total_centipoints, 8'000 + 17'000);
  EXPECT_FALSE(BookOf(state_, Policy(), {.as_of = kAsOf})->publishable);

  publish(2, /*retired=*/true);
  const Gradebook book = *BookOf(state_, Policy(), {.as_of = kAsOf});
  ASSERT_EQ(book.students[0].homework.size(), 2u);
  EXPECT_EQ(book.students[0].homework[1].assignment, "sealed");
  EXPECT_EQ(book.students[0].denominator_points, 100);
  EXPECT_EQ(book.students[0].total_centipoints, 8'000);
  EXPECT_TRUE(book.publishable);
  for (const BookWarning& warning : book.warnings) {
    EXPECT_EQ(warning.kind, BookWarning::Kind::kAdmission) << warning.text;
  }

  publish(3, /*retired=*/false);
  EXPECT_EQ(GradeOf("ann").denominator_points, 400);
  EXPECT_EQ(GradeOf("ann").total_centipoints, 8'000 + 17'000);
}

TEST_F(CourseGradebookTest, ASanctionOutlivesTheAssignmentItNames) {
  const v1::GradingPolicy all =
      Policy("sanctions { plagiarism: SANCTION_EFFECT_ZERO_ALL_HOMEWORK }");
  const v1::GradingPolicy one = Policy("sanctions { plagiarism: SANCTION_EFFECT_ZERO_HOMEWORK }");
  Graded("ann", "open", "s1", 80, 1, true);
  Graded("ann", "sealed", "s2", 40, 1, true);
  Add(R"(adjustment_made { id: "a1" student: "ann" assignment: "sealed" kind: SANCTION_PLAGIARISM reason: "r" })");
  EXPECT_EQ(BookOf(state_, all, {.as_of = kAsOf})->students[0].total_centipoints, 0);
  EXPECT_EQ(BookOf(state_, one, {.as_of = kAsOf})->students[0].total_centipoints, 8'000);
  Add(R"(assignment_published { assignment { name: "courses/dl/assignments/sealed" version: 2
           max_points: 50 sealed_dataset: "datasets/s" bonus: true retired: true } })");
  EXPECT_EQ(BookOf(state_, all, {.as_of = kAsOf})->students[0].total_centipoints, 0);
  const Gradebook book = *BookOf(state_, one, {.as_of = kAsOf});
  EXPECT_EQ(book.students[0].total_centipoints, 8'000);
  EXPECT_THAT(book.students[0].flags, Contains(GradeFlag::kSanctioned));
  EXPECT_TRUE(book.publishable);
}

TEST_F(CourseGradebookTest, ABookOfOneHasTheRowOfTheBookOfAll) {
  Graded("ann", "open", "s1", 80, 1, true);
  Graded("bob", "open", "s2", 70, 1, true);
  Add(R"(marks_recorded { exams { student: "ann" exam: "exam3" hundredths: 850 } })");
  ASSERT_TRUE(BookOf(state_, Policy(), {.as_of = kAsOf}).ok());
  const Gradebook all = *BookOf(state_, Policy(), {.as_of = kAsOf});
  ASSERT_EQ(all.students.size(), 2u);
  for (const StudentGrade& row : all.students) {
    EXPECT_EQ(RowToProto(GradeOf(row.student.id), true).SerializeAsString(),
              RowToProto(row, true).SerializeAsString());
  }
}

TEST_F(CourseGradebookTest, RowsAreToldWithAndWithoutExplanation) {
  Graded("ann", "open", "s1", 80, 1, true);
  const v1::GradeRow row = RowToProto(GradeOf("ann"), /*explain=*/false);
  EXPECT_EQ(row.student(), "ann");
  EXPECT_EQ(row.full_name(), "Ann A");
  EXPECT_EQ(row.total_centipoints(), 8'000);
  EXPECT_EQ(row.denominator_points(), 100);
  EXPECT_EQ(row.homework_hundredths(), 640);  // 8 · 80/100
  EXPECT_EQ(row.homework_rounded_hundredths(), 600);
  EXPECT_EQ(row.final_hundredths(), 600);
  EXPECT_EQ(row.homeworks(0).submission(), NameOf("open", "s1"));
  EXPECT_EQ(row.homeworks(0).points(), 80);
  EXPECT_EQ(row.homeworks(0).centipoints(), 8'000);
  EXPECT_EQ(row.explanation_size(), 0);
  EXPECT_GT(RowToProto(GradeOf("ann"), /*explain=*/true).explanation_size(), 3);
}

TEST_F(CourseGradebookTest, ChangesNameWhoAndWhat) {
  const Gradebook before = *BookOf(state_, Policy(), {.as_of = kAsOf});
  Graded("ann", "open", "s1", 80, 1, true);
  const Gradebook after = *BookOf(state_, Policy(), {.as_of = kAsOf});
  const auto changes = ChangesToProto(before, after);
  ASSERT_EQ(changes.size(), 1);
  EXPECT_EQ(changes[0].student(), "ann");
  EXPECT_EQ(changes[0].before_hundredths(), 0);
  EXPECT_EQ(changes[0].after_hundredths(), 600);
  EXPECT_THAT(changes[0].reasons(), testing::Contains("final: 0.00 → 6.00"));
  EXPECT_TRUE(ChangesToProto(after, after).empty());
  Add(R"(roster_changed { removed_users: "bob" enrolments { user: "eve" role: COURSE_ROLE_STUDENT } })");
  const auto roster = ChangesToProto(after, *BookOf(state_, Policy(), {.as_of = kAsOf}));
  ASSERT_EQ(roster.size(), 2);
  EXPECT_EQ(roster[0].student(), "eve");
  EXPECT_EQ(roster[0].before_hundredths(), -1);
  EXPECT_EQ(roster[1].student(), "bob");
  EXPECT_EQ(roster[1].after_hundredths(), -1);
}

TEST_F(CourseGradebookTest, PoliciesAreFoundByVersion) {
  EXPECT_EQ(FindPolicy(state_, 0), nullptr);
  Add("policy_set { version: 1 digest: 'a' }");
  Add("policy_set { version: 2 digest: 'b' }");
  EXPECT_EQ(FindPolicy(state_, 0)->digest(), "b");
  EXPECT_EQ(FindPolicy(state_, 1)->digest(), "a");
  EXPECT_EQ(FindPolicy(state_, 3), nullptr);
  EXPECT_EQ(FindPolicy(state_, -1), nullptr);
}

}  // namespace
}  // namespace trainyard
