// Grades over a real server: from graded submissions, marks and adjustments to a book that can be explained, published, compared and exported.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/server/services/classroom.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class GradeServiceTest : public Classroom {
 protected:
  absl::StatusOr<v1::Gradebook> Book(int64_t as_of = 0, bool explain = false) {
    v1::GetGradebookRequest request;
    request.set_course(kCourse);
    request.set_as_of_sequence(as_of);
    request.set_explain(explain);
    return CallWith(*grades_, &Grades::GetGradebook, request);
  }

  static v1::Adjustment NewAdjustment(v1::Adjustment::Kind kind) {
    v1::Adjustment adjustment;
    adjustment.set_student("ann");
    adjustment.set_assignment("hw-mlp");
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

  absl::StatusOr<v1::RecordMarksResponse> Exam(const std::string& student, int64_t hundredths) {
    v1::RecordMarksRequest request;
    request.set_course(kCourse);
    v1::ExamMark& mark = *request.add_exams();
    mark.set_student(student);
    mark.set_exam("exam3");
    mark.set_hundredths(hundredths);
    return CallWith(*grades_, &Grades::RecordMarks, request);
  }
};

TEST_F(GradeServiceTest, AGradeIsComputedByHandAndAnyPastOneAgain) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  Use("ann");
  const v1::Submission graded = Graded(NewRequest());
  Use("teacher");
  ASSERT_OK_AND_ASSIGN(const v1::Gradebook before, Book());
  ASSERT_THAT(before.rows(), SizeIs(2));
  EXPECT_EQ(before.rows(0).student(), "ann");
  const int64_t points = graded.result().points();
  EXPECT_EQ(before.rows(0).total_centipoints(), points * 100);
  EXPECT_EQ(before.rows(0).denominator_points(), 100);
  // 8·T/H in hundredths, halves up, then to a whole grade.
  EXPECT_EQ(before.rows(0).homework_hundredths(), points * 8);
  EXPECT_EQ(before.rows(0).homework_rounded_hundredths(), (points * 8 + 50) / 100 * 100);

  ASSERT_THAT(Exam("ann", 750), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Gradebook after, Book());
  EXPECT_EQ(after.rows(0).exam_hundredths(), 75);
  EXPECT_EQ(after.rows(0).final_hundredths(), before.rows(0).final_hundredths() + 75);
  ASSERT_OK_AND_ASSIGN(const v1::Gradebook again, Book(before.as_of_sequence()));
  EXPECT_EQ(again.digest(), before.digest());
  EXPECT_NE(after.digest(), before.digest());

  Use("ann");
  ASSERT_OK_AND_ASSIGN(const v1::Gradebook own, Book(0, /*explain=*/true));
  ASSERT_THAT(own.rows(), SizeIs(1));
  EXPECT_EQ(own.rows(0).final_hundredths(), after.rows(0).final_hundredths());
  EXPECT_THAT(absl::StrJoin(own.rows(0).explanation(), "\n"),
              AllOf(HasSubstr("hw-mlp"), HasSubstr(absl::StrCat(points)), HasSubstr("exam3")));
}

TEST_F(GradeServiceTest, AdjustmentsHaveReasonsAreAuditedAndTakenBack) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  v1::Adjustment set = NewAdjustment(v1::Adjustment::SET);
  set.set_points(86);
  ASSERT_OK_AND_ASSIGN(const v1::Adjustment made, Adjust(set));
  EXPECT_EQ(made.author(), "teacher");
  EXPECT_EQ(Book()->rows(0).total_centipoints(), 8'600);
  v1::RevokeAdjustmentRequest revoke;
  revoke.set_course(kCourse);
  revoke.set_id(made.id());
  EXPECT_THAT(CallWith(*grades_, &Grades::RevokeAdjustment, revoke),
              HasReason(ErrorReason::kInvalidRequest));  // no reason
  revoke.set_reason("a slip");
  ASSERT_THAT(CallWith(*grades_, &Grades::RevokeAdjustment, revoke), IsOk());
  EXPECT_EQ(Book()->rows(0).total_centipoints(), 0);

  v1::Adjustment wrong = NewAdjustment(v1::Adjustment::ADD);
  wrong.set_points(int64_t{1} << 62);
  wrong.set_student("nobody");
  wrong.set_assignment("nothing");
  wrong.clear_reason();
  const absl::Status refused = Adjust(wrong).status();
  EXPECT_THAT(FaultsOf(refused),
              AllOf(HasSubstr("adjustment.points"), HasSubstr("adjustment.student"),
                    HasSubstr("adjustment.assignment"), HasSubstr("adjustment.reason")));
}

TEST_F(GradeServiceTest, AFinalOfTwoPersonsIsConfirmedByAnother) {
  v1::CreateCourseRequest create;
  create.mutable_course()->set_name("courses/two");
  create.mutable_course()->set_two_person_finals(true);
  ASSERT_THAT(CallWith(*courses_, &Courses::CreateCourse, create), IsOk());
  v1::UpdateRosterRequest roster;
  roster.set_course("courses/two");
  for (const auto& [user, role] :
       {std::pair("ann", v1::COURSE_ROLE_STUDENT), std::pair("bob", v1::COURSE_ROLE_INSTRUCTOR)}) {
    roster.add_enrolments()->set_user(user);
    roster.mutable_enrolments(roster.enrolments_size() - 1)->set_role(role);
  }
  ASSERT_THAT(CallWith(*courses_, &Courses::UpdateRoster, roster), IsOk());
  v1::CreateAdjustmentRequest adjust;
  adjust.set_course("courses/two");
  *adjust.mutable_adjustment() = NewAdjustment(v1::Adjustment::FINAL);
  adjust.mutable_adjustment()->clear_assignment();
  adjust.mutable_adjustment()->set_final_hundredths(777);
  adjust.mutable_adjustment()->set_confirmed_by("bob");  // output only
  ASSERT_OK_AND_ASSIGN(const v1::Adjustment made,
                       CallWith(*grades_, &Grades::CreateAdjustment, adjust));
  EXPECT_EQ(made.confirmed_by(), "");
  v1::GetGradebookRequest book;
  book.set_course("courses/two");
  const auto final_of_ann = [&] {
    return CallWith(*grades_, &Grades::GetGradebook, book)->rows(0).final_hundredths();
  };
  EXPECT_EQ(final_of_ann(), 0);
  v1::ConfirmAdjustmentRequest confirm;
  confirm.set_course("courses/two");
  confirm.set_id(made.id());
  EXPECT_THAT(CallWith(*grades_, &Grades::ConfirmAdjustment, confirm),
              HasReason(ErrorReason::kPermission));  // who made it
  Use("bob");
  ASSERT_OK_AND_ASSIGN(const v1::Adjustment confirmed,
                       CallWith(*grades_, &Grades::ConfirmAdjustment, confirm));
  EXPECT_EQ(confirmed.confirmed_by(), "bob");
  EXPECT_EQ(final_of_ann(), 777);
  ASSERT_THAT(CallWith(*grades_, &Grades::ConfirmAdjustment, confirm), IsOk());  // again
  // One is enough to go back to what the facts come to.
  v1::RevokeAdjustmentRequest revoke;
  revoke.set_course("courses/two");
  revoke.set_id(made.id());
  revoke.set_reason("a slip");
  ASSERT_THAT(CallWith(*grades_, &Grades::RevokeAdjustment, revoke), IsOk());
  EXPECT_EQ(final_of_ann(), 0);
  confirm.set_id("nothing");
  EXPECT_THAT(CallWith(*grades_, &Grades::ConfirmAdjustment, confirm),
              HasReason(ErrorReason::kNotFound));
}

TEST_F(GradeServiceTest, AFinalOfOnePersonNeedsNoConfirmation) {
  v1::Adjustment set = NewAdjustment(v1::Adjustment::FINAL);
  set.clear_assignment();
  set.set_final_hundredths(777);
  ASSERT_OK_AND_ASSIGN(const v1::Adjustment made, Adjust(set));
  EXPECT_EQ(Book()->rows(0).final_hundredths(), 777);
  v1::ConfirmAdjustmentRequest confirm;
  confirm.set_course(kCourse);
  confirm.set_id(made.id());
  Use("root");
  EXPECT_THAT(CallWith(*grades_, &Grades::ConfirmAdjustment, confirm),
              HasReason(ErrorReason::kInvalidState));
}

TEST_F(GradeServiceTest, PublishedGradesAreFrozenAndWhatCameLaterIsTold) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  v1::Adjustment set = NewAdjustment(v1::Adjustment::SET);
  set.set_points(50);
  ASSERT_THAT(Adjust(set), IsOk());
  v1::PublishSnapshotRequest publish;
  publish.set_course(kCourse);
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot,
                       CallWith(*grades_, &Grades::PublishSnapshot, publish));
  // Made again after a lost answer.
  EXPECT_EQ(CallWith(*grades_, &Grades::PublishSnapshot, publish)->name(), snapshot.name());
  v1::DiffSnapshotRequest diff;
  diff.set_course(kCourse);
  ASSERT_OK_AND_ASSIGN(v1::DiffSnapshotResponse changes,
                       CallWith(*grades_, &Grades::DiffSnapshot, diff));
  EXPECT_TRUE(changes.digest_matches());
  EXPECT_THAT(changes.changes(), IsEmpty());
  set.set_points(100);
  ASSERT_THAT(Adjust(set), IsOk());
  ASSERT_OK_AND_ASSIGN(changes, CallWith(*grades_, &Grades::DiffSnapshot, diff));
  EXPECT_TRUE(changes.digest_matches());
  ASSERT_THAT(changes.changes(), SizeIs(1));
  EXPECT_EQ(changes.changes(0).before_hundredths(), 400);
  EXPECT_EQ(changes.changes(0).after_hundredths(), 800);
  EXPECT_NE(CallWith(*grades_, &Grades::PublishSnapshot, publish)->name(), snapshot.name());
  v1::GetGradebookRequest frozen;
  frozen.set_course(kCourse);
  frozen.set_snapshot(snapshot.name());
  Use("ann");
  EXPECT_EQ(CallWith(*grades_, &Grades::GetGradebook, frozen)->rows(0).final_hundredths(), 400);
}

TEST_F(GradeServiceTest, StudentsSeePublishedGradesOnceThereAreAny) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  v1::Adjustment set = NewAdjustment(v1::Adjustment::SET);
  set.set_points(50);
  ASSERT_THAT(Adjust(set), IsOk());
  v1::GetGradebookRequest own;
  own.set_course(kCourse);
  const auto final_now = [&](const std::string& user) {
    Use(user);
    const auto book = CallWith(*grades_, &Grades::GetGradebook, own);
    EXPECT_THAT(book, IsOk());
    return book.ok() ? book->rows(0).final_hundredths() : -1;
  };
  EXPECT_EQ(final_now("ann"), 400);
  v1::GetGradebookRequest other_policy = own;
  other_policy.set_policy_version(1);
  EXPECT_THAT(CallWith(*grades_, &Grades::GetGradebook, other_policy), IsOk());
  v1::PublishSnapshotRequest publish;
  publish.set_course(kCourse);
  Use("teacher");
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot first,
                       CallWith(*grades_, &Grades::PublishSnapshot, publish));
  set.set_points(100);
  ASSERT_THAT(Adjust(set), IsOk());
  EXPECT_EQ(final_now("ann"), 400);
  EXPECT_EQ(final_now("teacher"), 800);
  ASSERT_THAT(CallWith(*grades_, &Grades::PublishSnapshot, publish), IsOk());
  EXPECT_EQ(final_now("ann"), 800);
  Use("teacher");
  ASSERT_OK_AND_ASSIGN(const v1::Gradebook newest, CallWith(*grades_, &Grades::GetGradebook, own));
  EXPECT_THAT(newest.rows(), SizeIs(2));  // staff's
  Use("ann");
  ASSERT_OK_AND_ASSIGN(const v1::Gradebook row, CallWith(*grades_, &Grades::GetGradebook, own));
  EXPECT_THAT(row.rows(), SizeIs(1));
  EXPECT_EQ(CallWith(*grades_, &Grades::GetGradebook, own)->digest(), row.digest());  // kept
  EXPECT_THAT(CallWith(*grades_, &Grades::GetGradebook, other_policy),
              HasReason(ErrorReason::kInvalidRequest));
  own.set_snapshot(first.name());
  EXPECT_EQ(final_now("ann"), 400);
}

TEST_F(GradeServiceTest, GradesOfThePastAreForStaff) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  ASSERT_THAT(Book(3), IsOk());
  Use("ann");
  const auto past = Book(3);
  EXPECT_THAT(past, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(FaultsOf(past.status()), HasSubstr("as_of_sequence"));
  EXPECT_THAT(Book(), IsOk());
}

TEST_F(GradeServiceTest, TheBookGoesOutInEveryFormat) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  v1::Adjustment set = NewAdjustment(v1::Adjustment::SET);
  set.set_points(50);
  ASSERT_THAT(Adjust(set), IsOk());
  v1::ExportGradebookRequest request;
  request.set_course(kCourse);
  for (int format = v1::GRADEBOOK_FORMAT_HSE_CSV; format <= v1::GRADEBOOK_FORMAT_JSON; ++format) {
    request.set_format(static_cast<v1::GradebookFormat>(format));
    ASSERT_OK_AND_ASSIGN(const v1::ExportGradebookResponse response,
                         CallWith(*grades_, &Grades::ExportGradebook, request));
    EXPECT_FALSE(response.file_name().empty());
    if (format == v1::GRADEBOOK_FORMAT_HSE_CSV) {
      EXPECT_EQ(response.document(),
                "\xEF\xBB\xBFФИО,Программа,Накоп,Экзамены,Итог\r\nStudent ann,-,4,0.00,4.00\r\n"
                "Student bob,-,0,0.00,0.00");
    }
  }
  request.set_format(v1::GRADEBOOK_FORMAT_UNSPECIFIED);
  EXPECT_THAT(CallWith(*grades_, &Grades::ExportGradebook, request),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(GradeServiceTest, MarksOfUnknownStudentsAndExamsAreRefusedTogether) {
  v1::RecordMarksRequest request;
  request.set_course(kCourse);
  v1::ExamMark& mark = *request.add_exams();
  mark.set_student("nobody");
  mark.set_exam("exam9");
  v1::ExamMark& negative = *request.add_exams();
  negative.set_student("ann");
  negative.set_exam("exam3");
  negative.set_hundredths(-1);
  v1::QuizResult& quiz = *request.add_quizzes();
  quiz.set_student("ann");
  quiz.set_quiz("Q 1");
  quiz.set_module(-3);
  const auto refused = CallWith(*grades_, &Grades::RecordMarks, request);
  EXPECT_THAT(FaultsOf(refused.status()),
              AllOf(HasSubstr("exams[0].student"), HasSubstr("exams[0].exam"),
                    HasSubstr("exams[1].hundredths"), HasSubstr("quizzes[0].quiz"),
                    HasSubstr("quizzes[0].module")));
}

TEST_F(GradeServiceTest, ASecretOfATargetIsNeverTold) {
  v1::SetDeliveryTargetRequest request;
  request.set_course(kCourse);
  request.mutable_target()->set_kind(v1::DeliveryTarget::CHECK_RUN);
  request.mutable_target()->set_url("ftp://example.org");
  EXPECT_THAT(CallWith(*grades_, &Grades::SetDeliveryTarget, request),
              HasReason(ErrorReason::kInvalidRequest));
  request.mutable_target()->set_url("https://example.org/hook");
  request.set_secret("s3cret-of-the-hook");
  ASSERT_OK_AND_ASSIGN(const v1::DeliveryTarget target,
                       CallWith(*grades_, &Grades::SetDeliveryTarget, request));
  EXPECT_TRUE(target.secret_set());
  v1::ListCourseEventsRequest events;
  events.set_course(kCourse);
  ASSERT_OK_AND_ASSIGN(const v1::ListCourseEventsResponse log,
                       CallWith(*grades_, &Grades::ListCourseEvents, events));
  EXPECT_THAT(log.ShortDebugString(), testing::Not(HasSubstr("s3cret")));
  // It stays at its origin, and does not go to another one.
  request.clear_secret();
  request.mutable_target()->set_url("https://example.org/other");
  EXPECT_TRUE(CallWith(*grades_, &Grades::SetDeliveryTarget, request)->secret_set());
  request.mutable_target()->set_url("https://elsewhere.example/hook");
  EXPECT_FALSE(CallWith(*grades_, &Grades::SetDeliveryTarget, request)->secret_set());
  request.mutable_target()->set_url("https://example.org/hook");
  EXPECT_FALSE(CallWith(*grades_, &Grades::SetDeliveryTarget, request)->secret_set());
}

}  // namespace
}  // namespace trainyard
