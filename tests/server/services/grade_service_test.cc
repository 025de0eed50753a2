// Grades over a real server: from graded submissions, marks and adjustments to a book that can be explained, published, compared and exported.
#include "server/services/grade_service.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/grading/gradebook_diff.h"
#include "server/grading/policy.h"
#include "server/wire/timestamp.h"
#include "tests/server/grading/course_events.h"
#include "tests/server/services/classroom.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class GradeServiceTest : public Classroom {
 protected:
  absl::StatusOr<v1::Gradebook> Book(int64_t as_of = 0, bool explain = false) {
    v1::GetGradebookRequest request;
    request.set_course(kCourse);
    request.set_as_of_sequence(as_of);
    request.set_explain(explain);
    return CallWith(*grades_, &Grades::GetGradebook, request);
  }

  // "hw-mlp" of ann: 50 points for `lasting`; when that ends.
  absl::Time AdjustFor(absl::Duration lasting) {
    v1::Adjustment set = NewAdjustment(v1::Adjustment::SET);
    set.set_points(50);
    const absl::Time end = absl::Now() + lasting;
    *set.mutable_expires() = ToTimestamp(end);
    EXPECT_THAT(Adjust(set), IsOk());
    return end;
  }

  absl::StatusOr<v1::Snapshot> PublishGrades() {
    v1::PublishSnapshotRequest request;
    request.set_course(kCourse);
    return CallWith(*grades_, &Grades::PublishSnapshot, request);
  }

  absl::StatusOr<v1::DiffSnapshotResponse> Diff(const std::string& snapshot = "") {
    v1::DiffSnapshotRequest request;
    request.set_course(kCourse);
    request.set_snapshot(snapshot);
    return CallWith(*grades_, &Grades::DiffSnapshot, request);
  }

  absl::StatusOr<v1::Gradebook> PublishedBook(const std::string& snapshot) {
    v1::GetGradebookRequest request;
    request.set_course(kCourse);
    request.set_snapshot(snapshot);
    return CallWith(*grades_, &Grades::GetGradebook, request);
  }

  absl::StatusOr<v1::ExportGradebookResponse> Export(
      v1::GradebookFormat format = v1::GRADEBOOK_FORMAT_UNSPECIFIED,
      const std::string& snapshot = "") {
    v1::ExportGradebookRequest request;
    request.set_course(kCourse);
    request.set_format(format);
    request.set_snapshot(snapshot);
    return CallWith(*grades_, &Grades::ExportGradebook, request);
  }

  absl::StatusOr<v1::SetPolicyResponse> SetExportPolicy(const std::string& text) {
    v1::SetPolicyRequest request;
    request.set_course(kCourse);
    *request.mutable_policy()->mutable_export_() = FromText<v1::GradebookExportPolicy>(text);
    return CallWith(*courses_, &Courses::SetPolicy, request);
  }

  // Behind the server's back, in the file: the points of the only adjustment.
  void ChangeStoredAdjustment(int64_t points) {
    v1::ListCourseEventsRequest request;
    request.set_course(kCourse);
    ASSERT_OK_AND_ASSIGN(v1::ListCourseEventsResponse log,
                         CallWith(*grades_, &Grades::ListCourseEvents, request));
    v1::CourseEvent event;
    for (v1::CourseEvent& logged : *log.mutable_events()) {
      if (logged.has_adjustment_made()) event.Swap(&logged);
    }
    event.mutable_adjustment_made()->set_points(points);
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database,
                         Database::Open(server_.data_dir() + "/trainyard.db"));
    const auto change = [&](Connection& connection) -> absl::Status {
      auto update = connection.Prepare(
          "UPDATE course_events SET record = ? WHERE course = 'dl' AND sequence = ?");
      update->BindBlob(event.SerializeAsString()).Bind(event.sequence());
      return update->Step().status();
    };
    ASSERT_THAT(database->Write(change), IsOk());
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

TEST_F(GradeServiceTest, WhatHasExpiredIsNotInGradesThatArePublishedAfter) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  const absl::Time end = AdjustFor(absl::Milliseconds(100));
  absl::SleepFor(end - absl::Now());
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot, PublishGrades());
  EXPECT_GE(FromTimestamp(snapshot.create_time()), end);
  EXPECT_EQ(PublishedBook(snapshot.name())->rows(0).final_hundredths(), 0);
  EXPECT_EQ(PublishedBook(snapshot.name())->digest(), snapshot.digest());
  ASSERT_OK_AND_ASSIGN(const v1::DiffSnapshotResponse diff, Diff());
  EXPECT_TRUE(diff.digest_matches());
  EXPECT_THAT(diff.changes(), IsEmpty());
  EXPECT_EQ(PublishGrades()->name(), snapshot.name());
}

TEST_F(GradeServiceTest, WhatExpiresAfterGradesWerePublishedIsToldByTheNextSnapshot) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  const absl::Time end = AdjustFor(absl::Seconds(3));
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot first, PublishGrades());
  ASSERT_LT(FromTimestamp(first.create_time()), end) << "the machine is too slow for this test";
  EXPECT_EQ(PublishedBook(first.name())->rows(0).final_hundredths(), 400);
  absl::SleepFor(end - absl::Now());
  ASSERT_OK_AND_ASSIGN(const v1::DiffSnapshotResponse expired, Diff());
  EXPECT_TRUE(expired.digest_matches());
  ASSERT_THAT(expired.changes(), SizeIs(1));
  EXPECT_EQ(expired.changes(0).after_hundredths(), 0);
  // Nothing else has happened.
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot second, PublishGrades());
  EXPECT_NE(second.name(), first.name());
  EXPECT_EQ(second.as_of_sequence(), first.as_of_sequence() + 1);
  EXPECT_EQ(PublishedBook(second.name())->rows(0).final_hundredths(), 0);
  EXPECT_EQ(PublishedBook(first.name())->rows(0).final_hundredths(), 400);
  EXPECT_THAT(Diff()->changes(), IsEmpty());
  EXPECT_TRUE(Diff(first.name())->digest_matches());
  EXPECT_EQ(PublishGrades()->name(), second.name());
}

// 50 points that were given at second 1004, and expired at 1500.
CourseState CourseWithExpiredPoints() {
  v1::CourseEvent policy = EventOf("policy_set { version: 1 }");
  *policy.mutable_policy_set()->mutable_policy() =
      *ResolvePolicy(FromText<v1::GradingPolicy>("preset: 'hse'"));
  std::vector<v1::CourseEvent> events = {
      EventOf("course_created { name: 'courses/dl' time_zone: 'Europe/Moscow' }"), policy,
      EventOf("roster_changed { enrolments { user: 'ann' role: COURSE_ROLE_STUDENT } }"),
      EventOf("assignment_published { assignment { max_points: 100 "
              "name: 'courses/dl/assignments/hw-mlp' version: 1 } }"),
      EventOf("adjustment_made { id: 'a1' student: 'ann' assignment: 'hw-mlp' kind: SET points: 50 "
              "reason: 'r' expires { seconds: 1500 } }")};
  for (size_t i = 0; i < events.size(); ++i) {
    events[i].set_sequence(static_cast<int64_t>(i) + 1);
    events[i].mutable_create_time()->set_seconds(1'000 + static_cast<int64_t>(i));
  }
  return StateOf(events);
}

TEST(FrozenBookTest, SnapshotsAreOfTheirOwnTimeOrAsBeforeOfTheLastEvents) {
  const CourseState state = CourseWithExpiredPoints();
  const v1::GradingPolicy& policy = state.policies.back().policy();
  PublishedSnapshot snapshot{.time = absl::FromUnixSeconds(2'000)};
  const auto publish_as_of = [&](absl::Time time) {
    const auto book = BookOf(state, policy, {.as_of = time, .released_only = true});
    snapshot.published.set_digest(book.ok() ? GradebookDigest(*book) : "none");
  };
  publish_as_of(snapshot.time);
  ASSERT_OK_AND_ASSIGN(const FrozenBook frozen, ComputeFrozen(state, policy, snapshot));
  EXPECT_TRUE(frozen.digest_matches);
  EXPECT_EQ(frozen.book.students.at(0).final_hundredths, 0);

  publish_as_of(state.last_time);
  ASSERT_OK_AND_ASSIGN(const FrozenBook older, ComputeFrozen(state, policy, snapshot));
  EXPECT_TRUE(older.digest_matches);
  EXPECT_EQ(older.book.students.at(0).final_hundredths, 400);

  snapshot.published.set_digest("sha256:of something else");
  ASSERT_OK_AND_ASSIGN(const FrozenBook other, ComputeFrozen(state, policy, snapshot));
  EXPECT_FALSE(other.digest_matches);
  EXPECT_EQ(other.book.students.at(0).final_hundredths, 0);
}

TEST_F(GradeServiceTest, PublishedGradesThatComeOutDifferentlyAreToldToNobody) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  v1::Adjustment set = NewAdjustment(v1::Adjustment::SET);
  set.set_points(50);
  ASSERT_THAT(Adjust(set), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot, PublishGrades());
  ChangeStoredAdjustment(51);
  EXPECT_FALSE(Diff()->digest_matches());
  const auto book = PublishedBook(snapshot.name());
  EXPECT_THAT(book, HasReason(ErrorReason::kInternal));
  EXPECT_THAT(book.status(), StatusIs(absl::StatusCode::kInternal, HasSubstr(snapshot.name())));
  EXPECT_THAT(Export(v1::GRADEBOOK_FORMAT_JSON, snapshot.name()),
              HasReason(ErrorReason::kInternal));
  Use("ann");
  EXPECT_THAT(Book(), HasReason(ErrorReason::kInternal));
  // The error is not kept.
  Use("teacher");
  ChangeStoredAdjustment(50);
  EXPECT_EQ(PublishedBook(snapshot.name())->digest(), snapshot.digest());
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
  EXPECT_EQ(CallWith(*grades_, &Grades::ExportGradebook, request)->file_name(), "dl-hse.csv");
  request.set_format(static_cast<v1::GradebookFormat>(99));
  EXPECT_THAT(CallWith(*grades_, &Grades::ExportGradebook, request),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(GradeServiceTest, ThePolicySaysHowTheBookGoesOut) {
  ASSERT_THAT(Publish(NewAssignment()), IsOk());
  v1::UpdateRosterRequest roster;
  roster.set_course(kCourse);
  roster.add_enrolments()->set_user("eve");  // without a name
  roster.mutable_enrolments(0)->set_role(v1::COURSE_ROLE_STUDENT);
  roster.mutable_enrolments(0)->mutable_external()->set_email("eve@edu.example");
  ASSERT_THAT(CallWith(*courses_, &Courses::UpdateRoster, roster), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::ExportGradebookResponse preset, Export());
  EXPECT_THAT(preset.document(), AllOf(StartsWith("\xEF\xBB\xBF"), Not(HasSubstr("eve"))));
  ASSERT_OK_AND_ASSIGN(const v1::ExportGradebookResponse moodle,
                       Export(v1::GRADEBOOK_FORMAT_MOODLE_CSV));
  EXPECT_THAT(moodle.document(), AllOf(StartsWith("username"), HasSubstr("eve@edu.example")));

  ASSERT_THAT(SetExportPolicy("csv_bom: false include_without_name: true"), IsOk());
  EXPECT_EQ(Export()->document(),
            "ФИО,Программа,Накоп,Экзамены,Итог\r\neve,-,0,0.00,0.00\r\n"
            "Student ann,-,0,0.00,0.00\r\nStudent bob,-,0,0.00,0.00");

  ASSERT_THAT(SetExportPolicy("csv: GRADEBOOK_CSV_MOODLE csv_bom: true include_without_name: true"),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::ExportGradebookResponse usual, Export());
  EXPECT_EQ(usual.file_name(), "dl-moodle.csv");
  EXPECT_EQ(usual.document(), "\xEF\xBB\xBF" + moodle.document());
  // HSE's table is the page's again: what the policy says is of its own file.
  EXPECT_EQ(Export(v1::GRADEBOOK_FORMAT_HSE_CSV)->document(), preset.document());
}

TEST_F(GradeServiceTest, ARetiredAssignmentIsInNoFile) {
  v1::Assignment assignment = NewAssignment();
  ASSERT_THAT(Publish(assignment), IsOk());
  EXPECT_THAT(Export(v1::GRADEBOOK_FORMAT_MOODLE_CSV)->document(), HasSubstr("hw-mlp"));
  assignment.set_retired(true);
  ASSERT_THAT(Publish(assignment), IsOk());
  for (int format = v1::GRADEBOOK_FORMAT_HSE_CSV; format <= v1::GRADEBOOK_FORMAT_JSON; ++format) {
    ASSERT_OK_AND_ASSIGN(const v1::ExportGradebookResponse response,
                         Export(static_cast<v1::GradebookFormat>(format)));
    EXPECT_THAT(response.document(), Not(HasSubstr("hw-mlp"))) << format;
  }
}

TEST_F(GradeServiceTest, WithheldPointsInAFileAreWarnedOf) {
  v1::Assignment assignment = Withholding();
  ASSERT_THAT(Publish(assignment), IsOk());
  EXPECT_THAT(Export()->warnings(), IsEmpty());
  Use("ann");
  ASSERT_TRUE(Graded(NewRequest()).withheld());
  Use("teacher");
  EXPECT_THAT(Export()->warnings(), Contains(HasSubstr("points of 1 submissions")));
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot snapshot, PublishGrades());
  ASSERT_OK_AND_ASSIGN(const v1::ExportGradebookResponse published,
                       Export(v1::GRADEBOOK_FORMAT_HSE_CSV, snapshot.name()));
  EXPECT_THAT(published.warnings(), IsEmpty());
  EXPECT_THAT(published.document(), HasSubstr("Student ann,-,0,0.00,0.00"));
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
