#include "client/describe_course.h"

#include <set>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::Not;

template <typename T>
T Text(const char* text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

TEST(HundredthsTextTest, HasTwoDecimalsAndItsSign) {
  EXPECT_EQ(HundredthsText(750), "7.50");
  EXPECT_EQ(HundredthsText(5), "0.05");
  EXPECT_EQ(HundredthsText(-5), "-0.05");
  EXPECT_EQ(HundredthsText(-1234), "-12.34");
  EXPECT_EQ(HundredthsText(0), "0.00");
}

TEST(DescribeCourseTest, Courses) {
  EXPECT_EQ(DescribeCourses(Text<v1::ListCoursesResponse>(R"(
      courses { name: "courses/dl" display_name: "Deep learning" role: COURSE_ROLE_GRADER
                policy_version: 3 time_zone: "Europe/Moscow" })")),
            "COURSE  NAME           YOU ARE  POLICY  TIME ZONE\n"
            "dl      Deep learning  grader        3  Europe/Moscow\n");
}

TEST(DescribeCourseTest, NamesOfPeopleCannotMoveTheCursor) {
  const std::string text = DescribeRoster(Text<v1::Roster>(R"(
      enrolments { user: "ann\n\033[2J" role: COURSE_ROLE_STUDENT full_name: "Анна\033]0;x\007"
                   external { github_repository_ids: 42 github_repository_ids: 43 } }
      warnings: "two are called \033[31mAnn")"));
  EXPECT_EQ(text,
            "USER            ROLE     FULL NAME         PROGRAMME  GROUP  GITHUB  REPOSITORIES\n"
            "ann\\x0A\\x1B[2J  student  Анна\\x1B]0;x\\x07                            42 43\n"
            "warning: two are called \\x1B[31mAnn\n");
}

TEST(DescribeCourseTest, APolicyIsYamlUnderComments) {
  const std::string text = DescribePolicy(Text<v1::PolicyVersion>(R"(
      version: 2 author: "eve\n- x" digest: "sha256:ab" create_time { seconds: 1000000 }
      policy { preset: "hse" late { max_percent: 30 } })"));
  EXPECT_EQ(text,
            "# version 2 of 1970-01-12 13:46:40Z by eve\\x0A- x\n"
            "# sha256:ab\n"
            "preset: hse\n"
            "late:\n"
            "  max_percent: 30\n");
}

TEST(DescribeCourseTest, PolicyChangesNameWhoseGradeChanges) {
  auto response = Text<v1::SetPolicyResponse>(R"(
      policy { version: 0 }
      changes { student: "ann" before_hundredths: 750 after_hundredths: 800
                reasons: "homework: 7 to 8" reasons: "x" }
      changes { student: "bob" before_hundredths: -1 after_hundredths: 100 }
      warnings: "late.percent_per_unit is 0")");
  EXPECT_EQ(DescribePolicyChange(response),
            "the policy is valid; nothing was changed\n"
            "STUDENT  BEFORE  AFTER  WHY\n"
            "ann        7.50   8.00  homework: 7 to 8; x\n"
            "bob           -   1.00\n"
            "warning: late.percent_per_unit is 0\n");
  response.Clear();
  response.mutable_policy()->set_version(4);
  EXPECT_EQ(DescribePolicyChange(response),
            "policy version 4 is in force\nno final grade changes\n");
}

TEST(DescribeCourseTest, AnAssignmentSaysWhatDecides) {
  EXPECT_EQ(DescribeAssignment(Text<v1::Assignment>(R"(
      name: "courses/dl/assignments/hw1" version: 2 title: "MLP" max_points: 100 bonus: true
      training_dataset: "datasets/a" sealed_dataset: "datasets/s" training_row_count: 1200
      due: "2027-02-10 23:59:59" seed_count: 3 release: POINTS_RELEASE_AFTER_CLOSE
      score_rule { metric: SCORE_METRIC_ACCURACY steps { threshold: 0.9 points: 100 } }
      spec_rules { path: "epochs" min: 1 max: 50 } spec_rules { path: "optimizer" }
      spec_rules { path: "layers[].activation" values: "relu" values: "tanh" }
      budget { parameters_max: 20000 } base_spec { target_column: "y" }
      commitments { role: "sealed" commitment: "c0ffee" } warnings: "steps lie within the noise"
      publish_time { seconds: 1000000 })")),
            "courses/dl/assignments/hw1  version 2\n"
            "  title            MLP\n"
            "  points           100 (bonus)\n"
            "  datasets         datasets/a (training), datasets/s (sealed)\n"
            "  training rows    1,200\n"
            "  due              2027-02-10 23:59:59\n"
            "  points are told  after the close\n"
            "  seeds            3\n"
            "  published        1970-01-12 13:46:40Z\n"
            "score:\n"
            "  metric: accuracy\n"
            "  steps:\n"
            "    - threshold: 0.9\n"
            "      points: 100\n"
            "students choose:\n"
            "  epochs               at least 1, at most 50\n"
            "  optimizer            any\n"
            "  layers[].activation  one of relu, tanh\n"
            "budget:\n"
            "  parameters_max: 20000\n"
            "base spec:\n"
            "  target_column: y\n"
            "commitments:\n"
            "  sealed  c0ffee\n"
            "  salt    not revealed yet\n"
            "warning: steps lie within the noise\n");
}

TEST(DescribeCourseTest, ARetiredAssignmentSaysSo) {
  const auto list = Text<v1::ListAssignmentsResponse>(R"(
      assignments { name: "courses/dl/assignments/hw1" version: 2 title: "MLP" max_points: 100
                    due: "2027-02-10 23:59:59" closes: "2027-03-10 23:59:59" retired: true })");
  EXPECT_EQ(DescribeAssignments(list),
            "ASSIGNMENT  TITLE  VERSION  POINTS  BONUS  DUE                  CLOSES\n"
            "dl/hw1      MLP          2     100         2027-02-10 23:59:59  retired\n");
  EXPECT_THAT(DescribeAssignment(list.assignments(0)),
              HasSubstr("retired: it takes nothing, and does not count\n"));
}

TEST(DescribeCourseTest, EveryKindOfEventHasALineOfItsOwn) {
  const google::protobuf::OneofDescriptor& kinds = *v1::CourseEvent::descriptor()->oneof_decl(0);
  std::set<std::string> lines;
  for (int i = 0; i < kinds.field_count(); ++i) {
    v1::ListCourseEventsResponse events;
    v1::CourseEvent* const event = events.add_events();
    event->set_sequence(7);
    event->GetReflection()->MutableMessage(event, kinds.field(i));
    const std::string line = DescribeCourseEvents(events);
    EXPECT_THAT(line, Not(HasSubstr("newer server"))) << kinds.field(i)->name();
    EXPECT_TRUE(lines.insert(line).second) << line;
  }
}

TEST(DescribeCourseTest, MarksThatWereRemovedAreCounted) {
  EXPECT_THAT(DescribeCourseEvents(Text<v1::ListCourseEventsResponse>(R"(
                  events { marks_recorded { exams { exam: "e" } exams { removed: true } } })")),
              HasSubstr("2 marks of exams (1 removed), 0 results of quizzes\n"));
}

TEST(DescribeCourseTest, Events) {
  EXPECT_EQ(DescribeCourseEvents(Text<v1::ListCourseEventsResponse>(R"(
      events { sequence: 1 actor: "eve" create_time { seconds: 1000000 }
               adjustment_made { id: "a1" student: "ann" assignment: "hw1" kind: EXTEND
                                 reason: "ill\033[2J" } }
      events { sequence: 2 create_time { seconds: 1000001 }
               submission_graded { submission: "courses/dl/assignments/hw1/submissions/s1"
                                   student: "ann" points: 86 max_points: 100 } }
      next_sequence: 3)")),
            "1  1970-01-12 13:46:40Z  eve  adjustment a1: extend of hw1 for ann (ill\\x1B[2J)\n"
            "2  1970-01-12 13:46:41Z  the server  dl/hw1/s1 of ann: 86/100\n"
            "there is more: --from 3\n");
}

}  // namespace
}  // namespace trainyard
