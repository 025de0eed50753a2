#include "server/grading/course_checks.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/grading/course_events.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Violations = std::vector<FieldViolation>;

std::vector<std::string> FieldsOf(const Violations& violations) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : violations) fields.push_back(violation.field);
  return fields;
}

// The sample course before Bob leaves it.
CourseState Course() {
  std::vector<v1::CourseEvent> events = EveryKindOfEvent();
  events.pop_back();
  return StateOf(events);
}

std::vector<std::string> TextFaults(absl::string_view text) {
  Violations violations;
  CheckText("f", text, 20, &violations);
  return FieldsOf(violations);
}

TEST(CheckTextTest, TakesWhatPeopleAreCalled) {
  for (const char* text : {"", "О'Нил-Ёжик", "=1+1", "@SUM(A1)", "-2", "a,\"b\"; c", "日本"}) {
    EXPECT_THAT(TextFaults(text), IsEmpty()) << text;
  }
  EXPECT_THAT(TextFaults(std::string(20, 'x')), IsEmpty());
  EXPECT_THAT(TextFaults("\u00A0\u2027\u202A"), IsEmpty());
}

TEST(CheckTextTest, RefusesControlCharactersAndLengthAtOnce) {
  for (const std::string& text :
       {std::string("a\0b", 3), std::string("a\n"), std::string("\r"), std::string("\t"),
        std::string("\x1B[2J"), std::string("\x7F"), std::string("a\u0085"), std::string("\u009B"),
        std::string("a\u2028b"), std::string("\u2029")}) {
    EXPECT_THAT(TextFaults(text), ElementsAre("f")) << text;
  }
  EXPECT_THAT(TextFaults(std::string(21, 'x')), ElementsAre("f"));
  EXPECT_THAT(TextFaults(std::string(21, '\n')), ElementsAre("f", "f"));
}

std::vector<std::string> CourseFaults(const std::string& text) {
  Violations violations;
  CheckNewCourse(FromText<v1::Course>(text), &violations);
  return FieldsOf(violations);
}

TEST(CheckNewCourseTest, NamesEveryFault) {
  EXPECT_THAT(CourseFaults(R"(name: "courses/dl")"), IsEmpty());
  EXPECT_THAT(CourseFaults(R"(name: "courses/dl" display_name: "DL" time_zone: "Asia/Tokyo")"),
              IsEmpty());
  EXPECT_THAT(CourseFaults(R"(display_name: "a\nb" time_zone: "Mars/Base")"),
              ElementsAre("course.name", "course.display_name", "course.time_zone"));
  EXPECT_THAT(CourseFaults(R"(name: "dl")"), ElementsAre("course.name"));
  for (const char* zone : {"localtime", "/etc/localtime", "../x"}) {
    EXPECT_THAT(CourseFaults(absl::StrCat("name: 'courses/dl' time_zone: '", zone, "'")),
                ElementsAre("course.time_zone"))
        << zone;
  }
}

Violations RosterFaults(const v1::UpdateRosterRequest& request) {
  Violations violations;
  CheckRosterUpdate(Course(), request, &violations);
  return violations;
}
std::vector<std::string> RosterFields(const std::string& text) {
  return FieldsOf(RosterFaults(FromText<v1::UpdateRosterRequest>(text)));
}

TEST(CheckRosterTest, TakesEveryRoleAndEveryField) {
  EXPECT_THAT(RosterFields(R"(
      enrolments { user: "ann" role: COURSE_ROLE_VIEWER }
      enrolments { user: "eve" role: COURSE_ROLE_STUDENT full_name: "=Eve" programme: "p" group: "g"
                   external { github_login: "Eve-1" email: "e@x" canvas_id: "1" sis_user_id: "2"
                              sis_login_id: "3" section: "4" lti_user_id: "5" } }
      removed_users: "bob")"),
              IsEmpty());
  EXPECT_THAT(RosterFields(""), IsEmpty());
}

TEST(CheckRosterTest, NamesEveryFieldOfEveryRowAtOnce) {
  const std::string rows = R"(
      enrolments { user: "ann" role: COURSE_ROLE_STUDENT }
      enrolments { user: "Eve" full_name: "a\n" programme: "\r" group: "\t"
                   external { github_login: "e ve" email: "\n" canvas_id: "\n" sis_user_id: "\n"
                              sis_login_id: "\n" section: "\n" lti_user_id: "\000" } }
      enrolments { user: "ann" role: COURSE_ROLE_GRADER }
      enrolments { user: "zed" role: 77 }
      removed_users: "nobody" removed_users: "ann" removed_users: "bob" removed_users: "bob")";
  EXPECT_THAT(RosterFields(rows),
              ElementsAre("enrolments[1].user", "enrolments[1].role", "enrolments[1].full_name",
                          "enrolments[1].programme", "enrolments[1].group",
                          "enrolments[1].external.github_login", "enrolments[1].external.email",
                          "enrolments[1].external.canvas_id", "enrolments[1].external.sis_user_id",
                          "enrolments[1].external.sis_login_id", "enrolments[1].external.section",
                          "enrolments[1].external.lti_user_id", "enrolments[2].user",
                          "enrolments[3].role", "removed_users[1]", "removed_users[3]"));
}

TEST(CheckRosterTest, LengthsAreBounded) {
  v1::UpdateRosterRequest request;
  v1::Enrolment& row = *request.add_enrolments();
  row.set_user("eve");
  row.set_role(v1::COURSE_ROLE_STUDENT);
  row.set_full_name(std::string(200, 'x'));
  row.mutable_external()->set_github_login(std::string(39, 'x'));
  EXPECT_THAT(RosterFaults(request), IsEmpty());
  row.set_full_name(std::string(201, 'x'));
  row.mutable_external()->set_github_login("-x");
  EXPECT_THAT(FieldsOf(RosterFaults(request)),
              testing::Contains("enrolments[0].external.github_login"));
  row.mutable_external()->set_github_login(std::string(40, 'x'));
  EXPECT_THAT(FieldsOf(RosterFaults(request)),
              ElementsAre("enrolments[0].full_name", "enrolments[0].external.github_login"));
}

TEST(CheckRosterTest, ARosterHasALimit) {
  v1::UpdateRosterRequest request;
  const auto add = [&](int i) {
    request.add_enrolments()->set_user(absl::StrCat("u", i));
    request.mutable_enrolments()->rbegin()->set_role(v1::COURSE_ROLE_STUDENT);
  };
  for (int i = 0; i < kRosterMax - 4; ++i) add(i);
  EXPECT_THAT(RosterFaults(request), IsEmpty());
  add(kRosterMax);
  const Violations violations = RosterFaults(request);
  ASSERT_THAT(FieldsOf(violations), ElementsAre("enrolments"));
  EXPECT_THAT(violations[0].description, HasSubstr("10001 members"));
  request.add_removed_users("bob");
  EXPECT_THAT(RosterFaults(request), IsEmpty());
}

TEST(CheckRosterTest, WarnsOfEqualAndMissingNames) {
  CourseState state = Course();
  EXPECT_THAT(RosterWarnings(state), ElementsAre(HasSubstr("1 students have no full_name, bob")));
  state.roster["bob"].set_full_name("Ann A");
  // Staff may be called as students are, or not at all.
  state.roster["greta"].set_full_name("Ann A");
  EXPECT_THAT(RosterWarnings(state),
              ElementsAre(HasSubstr("\"Ann A\" is the name of ann and bob")));
}

std::vector<std::string> AdjustmentFaults(const std::string& text) {
  Violations violations;
  CheckAdjustment(Course(), FromText<v1::Adjustment>(text), &violations);
  return FieldsOf(violations);
}

TEST(CheckAdjustmentTest, TakesTheBoundsOfEveryKind) {
  const std::string who = R"(student: "bob" reason: "r" )", hw = R"(assignment: "hw1" )";
  for (const char* value :
       {"kind: ADD points: 1000000", "kind: ADD points: -1000000", "kind: SET points: 0",
        "kind: SET points: 1000000", "kind: ZERO", "kind: LATE_DAYS",
        "kind: LATE_DAYS late_units: 1000", "kind: EXEMPT", "kind: EXTEND extension { seconds: 1 }",
        "kind: EXTEND extension { seconds: 34560000 }", "kind: SANCTION_TAMPERING"}) {
    EXPECT_THAT(AdjustmentFaults(who + hw + value), IsEmpty()) << value;
    EXPECT_THAT(AdjustmentFaults(who + value), ElementsAre("adjustment.assignment")) << value;
  }
  for (const char* value : {"kind: FINAL", "kind: FINAL final_hundredths: 100000"}) {
    EXPECT_THAT(AdjustmentFaults(who + value), IsEmpty()) << value;
    EXPECT_THAT(AdjustmentFaults(who + hw + value), ElementsAre("adjustment.assignment")) << value;
  }
}

TEST(CheckAdjustmentTest, PlagiarismNamesAnAssignmentWhereThePolicyZeroesOne) {
  CourseState state = Course();
  v1::Adjustment sanction =
      FromText<v1::Adjustment>(R"(student: "bob" reason: "r" kind: SANCTION_PLAGIARISM)");
  const auto faults = [&](v1::SanctionEffect effect, const char* assignment) {
    state.policies.back().mutable_policy()->mutable_sanctions()->set_plagiarism(effect);
    sanction.set_assignment(assignment);
    Violations violations;
    CheckAdjustment(state, sanction, &violations);
    return FieldsOf(violations);
  };
  for (const v1::SanctionEffect effect :
       {v1::SANCTION_EFFECT_ZERO_ALL_HOMEWORK, v1::SANCTION_EFFECT_FLAG}) {
    EXPECT_THAT(faults(effect, ""), IsEmpty());
    EXPECT_THAT(faults(effect, "hw1"), IsEmpty());
    EXPECT_THAT(faults(effect, "hw9"), ElementsAre("adjustment.assignment"));
  }
  EXPECT_THAT(faults(v1::SANCTION_EFFECT_ZERO_HOMEWORK, ""), ElementsAre("adjustment.assignment"));
  EXPECT_THAT(faults(v1::SANCTION_EFFECT_ZERO_HOMEWORK, "hw1"), IsEmpty());
  EXPECT_THAT(faults(v1::SANCTION_EFFECT_ZERO_HOMEWORK, "hw9"),
              ElementsAre("adjustment.assignment"));
}

TEST(CheckAdjustmentTest, RefusesWhatIsBeyondThem) {
  const std::string who = R"(student: "bob" reason: "r" )", hw = R"(assignment: "hw1" )";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {hw + "kind: ADD", "adjustment.points"},
      {hw + "kind: ADD points: 1000001", "adjustment.points"},
      {hw + "kind: ADD points: -1000001", "adjustment.points"},
      {hw + "kind: SET points: -1", "adjustment.points"},
      {hw + "kind: ZERO points: 1", "adjustment.points"},
      {hw + "kind: LATE_DAYS late_units: -1", "adjustment.late_units"},
      {hw + "kind: LATE_DAYS late_units: 1001", "adjustment.late_units"},
      {hw + "kind: EXEMPT late_units: 1", "adjustment.late_units"},
      {hw + "kind: EXTEND", "adjustment.extension"},
      {hw + "kind: EXTEND extension { }", "adjustment.extension"},
      {hw + "kind: EXTEND extension { seconds: -1 }", "adjustment.extension"},
      {hw + "kind: EXTEND extension { seconds: 34560001 }", "adjustment.extension"},
      {hw + "kind: EXTEND extension { seconds: 1 nanos: 1 }", "adjustment.extension"},
      {hw + "kind: ZERO extension { seconds: 1 }", "adjustment.extension"},
      {"kind: FINAL final_hundredths: -1", "adjustment.final_hundredths"},
      {"kind: FINAL final_hundredths: 100001", "adjustment.final_hundredths"},
      {hw + "kind: ZERO final_hundredths: 1", "adjustment.final_hundredths"},
      {R"(assignment: "hw2" kind: ZERO)", "adjustment.assignment"}};
  for (const auto& [text, field] : cases) {
    EXPECT_THAT(AdjustmentFaults(who + text), ElementsAre(field)) << text;
  }
}

TEST(CheckAdjustmentTest, NamesEveryFaultAtOnce) {
  EXPECT_THAT(
      AdjustmentFaults(R"(student: "zed" reason: "a\nb" kind: LATE_DAYS late_units: 1001 points: 1
                                  assignment: "hw9" extension { seconds: 1 } final_hundredths: 1)"),
      ElementsAre("adjustment.student", "adjustment.reason", "adjustment.assignment",
                  "adjustment.points", "adjustment.late_units", "adjustment.extension",
                  "adjustment.final_hundredths"));
  EXPECT_THAT(AdjustmentFaults(R"(student: "greta")"),
              ElementsAre("adjustment.student", "adjustment.reason", "adjustment.kind"));
  EXPECT_THAT(AdjustmentFaults(R"(student: "bob" reason: "r" kind: 99)"),
              ElementsAre("adjustment.kind"));
  EXPECT_THAT(AdjustmentFaults(absl::StrCat("student: 'bob' assignment: 'hw1' kind: ZERO reason: '",
                                            std::string(1'001, 'x'), "'")),
              ElementsAre("adjustment.reason"));
}

TEST(CheckAdjustmentTest, SaysWhoIsMeantAndWhatIsWrongWithThem) {
  Violations violations;
  CheckAdjustment(Course(), FromText<v1::Adjustment>(R"(student: "zed" reason: "r" kind: FINAL)"),
                  &violations);
  CheckAdjustment(Course(), FromText<v1::Adjustment>(R"(student: "greta" reason: "r" kind: FINAL)"),
                  &violations);
  ASSERT_THAT(violations, SizeIs(2));
  EXPECT_THAT(violations[0].description, HasSubstr("\"zed\" is not in the roster"));
  EXPECT_THAT(violations[1].description, HasSubstr("\"greta\" is no student"));
}

Violations MarkFaults(const std::string& text) {
  Violations violations;
  CheckMarks(Course(), FromText<v1::RecordMarksRequest>(text), &violations);
  return violations;
}

TEST(CheckMarksTest, TakesTheBoundsOfExamsAndQuizzes) {
  EXPECT_THAT(MarkFaults(R"(exams { student: "ann" exam: "exam3" hundredths: 0 }
                            exams { student: "bob" exam: "exam3" hundredths: 1000 examiner: "=Prof" }
                            quizzes { student: "ann" quiz: "q1" module: 100 attempts: 1000000 }
                            quizzes { student: "bob" quiz: "q1" }
                            quizzes { student: "bob" quiz: "q2" })"),
              IsEmpty());
}

TEST(CheckMarksTest, NamesEveryFaultOfEveryRow) {
  const Violations violations = MarkFaults(R"(
      exams { student: "ann" exam: "exam3" hundredths: 1001 }
      exams { student: "zed" exam: "exam9" examiner: "a\nb" }
      exams { student: "ann" exam: "exam3" hundredths: -1 }
      quizzes { student: "ivan" quiz: "Q 1" module: 101 attempts: -1 }
      quizzes { student: "bob" quiz: "q1" module: -1 attempts: 1000001 }
      quizzes { student: "bob" quiz: "q1" })");
  EXPECT_THAT(FieldsOf(violations),
              ElementsAre("exams[0].hundredths", "exams[1].student", "exams[1].examiner",
                          "exams[1].exam", "exams[2].hundredths", "exams[2]", "quizzes[0].student",
                          "quizzes[0].quiz", "quizzes[0].module", "quizzes[0].attempts",
                          "quizzes[1].module", "quizzes[1].attempts", "quizzes[2]"));
  EXPECT_THAT(violations[0].description, HasSubstr("give 0 to 1000"));
  EXPECT_THAT(violations[1].description, HasSubstr("\"zed\""));
}

// Ann has a mark of exam3, Bob a result of q1.
TEST(CheckMarksTest, WhatIsThereIsRemoved) {
  EXPECT_THAT(MarkFaults(R"(exams { student: "ann" exam: "exam3" removed: true }
                            exams { student: "bob" exam: "exam3" hundredths: 500 }
                            quizzes { student: "bob" quiz: "q1" removed: true }
                            quizzes { student: "ann" quiz: "q1" })"),
              IsEmpty());
}

TEST(CheckMarksTest, MarksOfWhoHasLeftAndOfExamsOfBeforeAreRemoved) {
  CourseState state = Course();
  state.roster.erase("ann");
  state.roster.erase("bob");
  state.policies.back().mutable_policy()->clear_exams();
  Violations violations;
  CheckMarks(state, FromText<v1::RecordMarksRequest>(R"(
                 exams { student: "ann" exam: "exam3" removed: true }
                 quizzes { student: "bob" quiz: "q1" removed: true })"),
             &violations);
  EXPECT_THAT(violations, IsEmpty());
}

TEST(CheckMarksTest, ARemovalOfNothingOrWithAMarkIsRefusedWithEveryFault) {
  const Violations violations = MarkFaults(R"(
      exams { student: "bob" exam: "exam3" removed: true }
      exams { student: "ann" exam: "exam3" removed: true hundredths: 700 examiner: "e" }
      exams { student: "ann" exam: "exam3" }
      quizzes { student: "ann" quiz: "q9" removed: true }
      quizzes { student: "bob" quiz: "q1" removed: true attempts: 2 correct_at { seconds: 1 } })");
  EXPECT_THAT(FieldsOf(violations),
              ElementsAre("exams[0]", "exams[1].hundredths", "exams[1].examiner", "exams[2]",
                          "quizzes[0]", "quizzes[1].correct_at", "quizzes[1].attempts"));
  EXPECT_THAT(violations[0].description, HasSubstr("\"bob\" has no mark of exam \"exam3\""));
  EXPECT_THAT(violations[4].description, HasSubstr("\"ann\" has no result of quiz \"q9\""));
}

TEST(CheckMarksTest, ACallHasALimitAndIsNotEmpty) {
  EXPECT_THAT(FieldsOf(MarkFaults("")), ElementsAre("exams"));
  v1::RecordMarksRequest request;
  for (int i = 0; i <= kMarksMax; ++i) {
    request.add_quizzes()->set_student("ann");
    request.mutable_quizzes(i)->set_quiz(absl::StrCat("q", i));
  }
  Violations violations;
  CheckMarks(Course(), request, &violations);
  EXPECT_THAT(FieldsOf(violations), ElementsAre("exams"));
  request.mutable_quizzes()->RemoveLast();
  violations.clear();
  CheckMarks(Course(), request, &violations);
  EXPECT_THAT(violations, IsEmpty());
}

std::vector<std::string> TargetFaults(const std::string& text) {
  Violations violations;
  CheckTarget(FromText<v1::DeliveryTarget>(text), &violations);
  return FieldsOf(violations);
}

TEST(CheckTargetTest, NamesEveryFault) {
  EXPECT_THAT(TargetFaults("kind: CHECK_RUN"), IsEmpty());  // ends it
  EXPECT_THAT(
      TargetFaults(
          R"(kind: CHECK_RUN url: "https://h.example/a" repository_prefix: "fintech-dl_hse.-")"),
      IsEmpty());
  EXPECT_THAT(TargetFaults(R"(kind: LTI_SCORE url: "http://127.0.0.1/{assignment}")"), IsEmpty());
  EXPECT_THAT(TargetFaults(R"(url: "ftp://x\n" repository_prefix: "a/b")"),
              ElementsAre("target.kind", "target.url", "target.url", "target.repository_prefix"));
  EXPECT_THAT(TargetFaults("kind: 9"), ElementsAre("target.kind"));
  EXPECT_THAT(
      TargetFaults(absl::StrCat("kind: CHECK_RUN url: 'https://", std::string(2'000, 'x'), "'")),
      ElementsAre("target.url"));
  EXPECT_THAT(TargetFaults(
                  absl::StrCat("kind: CHECK_RUN repository_prefix: '", std::string(101, 'x'), "'")),
              ElementsAre("target.repository_prefix"));
}

TEST(CheckTargetTest, LineItemsAreOfScoresAndOfOneOrigin) {
  const std::string lti = "kind: LTI_SCORE url: 'https://lms.example/item' above_max: true ";
  EXPECT_THAT(TargetFaults(lti + "line_items { key: 'hw-a' value: 'https://lms.example/7' }"),
              IsEmpty());
  EXPECT_THAT(TargetFaults(lti + "line_items { key: 'hw-a' value: 'https://evil.example/7' }"),
              ElementsAre("target.line_items[\"hw-a\"]"));
  EXPECT_THAT(TargetFaults(lti + "line_items { key: 'A/B' value: 'https://lms.example/7' }"),
              ElementsAre("target.line_items[\"A/B\"]"));
  EXPECT_THAT(TargetFaults("kind: CHECK_RUN url: 'https://lms.example/item' above_max: true"),
              ElementsAre("target.line_items"));
  std::string many = lti;
  for (int i = 0; i < 201; ++i) {
    absl::StrAppend(&many, "line_items { key: 'a", i, "' value: 'https://lms.example/7' }");
  }
  EXPECT_THAT(TargetFaults(many), ElementsAre("target.line_items"));
}

TEST(CheckTargetTest, AccessTokensAreOfScoresAndNeedAClient) {
  const std::string lti = "kind: LTI_SCORE url: 'https://lms.example/item' ";
  EXPECT_THAT(TargetFaults(lti + "token_url: 'https://lms.example/token' client_id: '7'"),
              IsEmpty());
  EXPECT_THAT(TargetFaults(lti + "token_url: 'https://lms.example/token' client_id: '7' "
                                 "token_audience: 'https://auth.lms.example'"),
              IsEmpty());
  EXPECT_THAT(TargetFaults(lti + "token_url: 'https://lms.example/token'"),
              ElementsAre("target.client_id"));
  EXPECT_THAT(TargetFaults(lti + "client_id: '7'"), ElementsAre("target.token_url"));
  EXPECT_THAT(TargetFaults(lti + "token_audience: 'x'"), ElementsAre("target.token_url"));
  EXPECT_THAT(TargetFaults(lti + "token_url: 'ftp://x' client_id: 'a\\n'"),
              ElementsAre("target.token_url", "target.client_id"));
  EXPECT_THAT(TargetFaults(lti + absl::StrCat("token_url: 'https://x' client_id: '",
                                              std::string(256, '7'), "'")),
              ElementsAre("target.client_id"));
  EXPECT_THAT(TargetFaults("kind: CHECK_RUN token_url: 'https://x' client_id: '7'"),
              ElementsAre("target.token_url"));
}

}  // namespace
}  // namespace trainyard
