// Sanctions, and marks that were recorded by mistake, over a real server: what keeps grades from being published, staff can mend.
#include "absl/strings/str_cat.h"
#include "tests/server/services/classroom.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class SanctionsTest : public Classroom {
 protected:
  SanctionsTest() : Classroom(/*workers=*/1) {}

  // Two assignments of 100 points; ann has 80 of each, by staff.
  void SetUp() override {
    for (const char* id : {"hw-mlp", "hw-two"}) {
      v1::Assignment assignment = NewAssignment();
      assignment.set_name(absl::StrCat(kCourse, "/assignments/", id));
      ASSERT_THAT(Publish(assignment), IsOk());
      v1::Adjustment set = NewAdjustment(v1::Adjustment::SET, id);
      set.set_points(80);
      ASSERT_THAT(Adjust(set), IsOk());
    }
  }

  absl::StatusOr<v1::Adjustment> Sanction(const std::string& assignment) {
    return Adjust(NewAdjustment(v1::Adjustment::SANCTION_PLAGIARISM, assignment));
  }

  void SetEffect(v1::SanctionEffect effect) {
    v1::SetPolicyRequest request;
    request.set_course(kCourse);
    request.mutable_policy()->mutable_sanctions()->set_plagiarism(effect);
    ASSERT_THAT(CallWith(*courses_, &Courses::SetPolicy, request), IsOk());
  }

  // Ann's row.
  v1::GradeRow Row() {
    v1::GetGradebookRequest request;
    request.set_course(kCourse);
    const auto book = CallWith(*grades_, &Grades::GetGradebook, request);
    EXPECT_THAT(book, IsOk());
    return book.ok() && book->rows_size() > 0 ? book->rows(0) : v1::GradeRow();
  }

  absl::StatusOr<v1::Snapshot> PublishGrades() {
    v1::PublishSnapshotRequest request;
    request.set_course(kCourse);
    return CallWith(*grades_, &Grades::PublishSnapshot, request);
  }
};

TEST_F(SanctionsTest, PlagiarismCostsTheHomeworkWhereItWasFoundIfThePolicySaysSo) {
  SetEffect(v1::SANCTION_EFFECT_ZERO_HOMEWORK);
  EXPECT_EQ(Row().total_centipoints(), 16'000);
  for (const char* assignment : {"", "hw-nine"}) {
    const absl::Status refused = Sanction(assignment).status();
    EXPECT_THAT(refused, HasReason(ErrorReason::kInvalidRequest));
    EXPECT_THAT(FaultsOf(refused), HasSubstr("adjustment.assignment"));
  }
  ASSERT_OK_AND_ASSIGN(const v1::Adjustment made, Sanction("hw-two"));
  EXPECT_EQ(made.assignment(), "hw-two");
  EXPECT_EQ(Row().total_centipoints(), 8'000);
  EXPECT_EQ(Row().denominator_points(), 200);
  EXPECT_THAT(PublishGrades(), IsOk());
}

TEST_F(SanctionsTest, WhereItCostsAllHomeworkTheAssignmentMayBeNamed) {
  for (const char* assignment : {"", "hw-two"}) {
    ASSERT_OK_AND_ASSIGN(const v1::Adjustment made, Sanction(assignment));
    EXPECT_EQ(Row().total_centipoints(), 0) << assignment;
    v1::RevokeAdjustmentRequest revoke;
    revoke.set_course(kCourse);
    revoke.set_id(made.id());
    revoke.set_reason("once more");
    ASSERT_THAT(CallWith(*grades_, &Grades::RevokeAdjustment, revoke), IsOk());
    EXPECT_EQ(Row().total_centipoints(), 16'000);
  }
}

// The policy was another one when the sanction was made.
TEST_F(SanctionsTest, WhatBlocksPublicationIsMendedByWhatTheMessageSays) {
  ASSERT_OK_AND_ASSIGN(const v1::Adjustment made, Sanction(""));
  SetEffect(v1::SANCTION_EFFECT_ZERO_HOMEWORK);
  const absl::StatusOr<v1::Snapshot> blocked = PublishGrades();
  EXPECT_THAT(blocked, HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(std::string(blocked.status().message()),
              AllOf(HasSubstr(made.id()), HasSubstr("revoke it and name one")));
  v1::RevokeAdjustmentRequest revoke;
  revoke.set_course(kCourse);
  revoke.set_id(made.id());
  revoke.set_reason("names no homework");
  ASSERT_THAT(CallWith(*grades_, &Grades::RevokeAdjustment, revoke), IsOk());
  ASSERT_THAT(Sanction("hw-mlp"), IsOk());
  EXPECT_EQ(Row().total_centipoints(), 8'000);
  EXPECT_THAT(PublishGrades(), IsOk());
}

// A mark of who is in the roster no more blocks publication, and nothing else could end that.
TEST_F(SanctionsTest, AMarkRecordedByMistakeIsRemoved) {
  v1::RecordMarksRequest record;
  record.set_course(kCourse);
  for (const char* student : {"ann", "bob"}) {
    v1::ExamMark& mark = *record.add_exams();
    mark.set_student(student);
    mark.set_exam("exam3");
    mark.set_hundredths(750);
  }
  ASSERT_THAT(CallWith(*grades_, &Grades::RecordMarks, record), IsOk());
  EXPECT_EQ(Row().exam_hundredths(), 75);
  v1::UpdateRosterRequest roster;
  roster.set_course(kCourse);
  roster.add_removed_users("bob");
  ASSERT_THAT(CallWith(*courses_, &Courses::UpdateRoster, roster), IsOk());
  EXPECT_THAT(PublishGrades(), HasReason(ErrorReason::kInvalidState));
  for (v1::ExamMark& mark : *record.mutable_exams()) mark.set_removed(true);
  const auto refused = CallWith(*grades_, &Grades::RecordMarks, record);
  EXPECT_THAT(FaultsOf(refused.status()),
              AllOf(HasSubstr("exams[0].hundredths"), HasSubstr("exams[1].hundredths")));
  for (v1::ExamMark& mark : *record.mutable_exams()) mark.clear_hundredths();
  ASSERT_THAT(CallWith(*grades_, &Grades::RecordMarks, record), IsOk());
  EXPECT_EQ(Row().exam_hundredths(), 0);
  EXPECT_THAT(PublishGrades(), IsOk());
  // There is nothing more to remove.
  const auto again = CallWith(*grades_, &Grades::RecordMarks, record);
  EXPECT_THAT(FaultsOf(again.status()),
              AllOf(HasSubstr("\"ann\" has no mark of exam \"exam3\""), HasSubstr("\"bob\"")));
}

}  // namespace
}  // namespace trainyard
