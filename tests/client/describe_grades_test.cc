#include "client/describe_grades.h"

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

template <typename T>
T Text(const char* text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

// The row of GRADING.md's vectors: total 2061.13 of 2200 is 7.50 is 8, exams 2.
v1::Gradebook Book() {
  return Text<v1::Gradebook>(R"(
      as_of_sequence: 42 policy_version: 1 digest: "sha256:ab" warnings: "a name is missing"
      rows { student: "ann" full_name: "Anna\033[2J" total_centipoints: 206113
             denominator_points: 2200 homework_hundredths: 750 homework_rounded_hundredths: 800
             exam_hundredths: 200 final_hundredths: 1000 so_far_hundredths: 985
             flags: "exam3: quizzes missing" explanation: "hw1: 7 points, 1 day late: 6.30"
             homeworks { assignment: "hw1" points: 7 late_units: 1 penalty_percent: 10
                         centipoints: 630
                         submission: "courses/dl/assignments/hw1/submissions/s1" }
             homeworks { assignment: "hw2" exempt: true } })");
}

TEST(DescribeGradebookTest, ARowPerStudentAndWhatItWasMadeOf) {
  EXPECT_EQ(DescribeGradebook(Book()),
            "STUDENT  NAME          POINTS    OF  HOMEWORK  EXAMS  FINAL  SO FAR  NOTES\n"
            "ann      Anna\\x1B[2J  2061.13  2200      8.00   2.00  10.00    9.85  exam3: quizzes "
            "missing\n"
            "events up to 42, policy version 1, sha256:ab\n"
            "warning: a name is missing\n");
}

TEST(DescribeGradebookTest, ExplainsLineByLine) {
  EXPECT_EQ(DescribeExplanation(Book()),
            "ann (Anna\\x1B[2J)  10.00\n"
            "  HOMEWORK  POINTS  LATE          COUNTS  SUBMISSION\n"
            "  hw1            7  1 late, -10%    6.30  dl/hw1/s1\n"
            "  hw2            0  exempt          0.00\n"
            "  hw1: 7 points, 1 day late: 6.30\n"
            "  note: exam3: quizzes missing\n"
            "\n"
            "events up to 42, policy version 1, sha256:ab\n"
            "warning: a name is missing\n");
}

TEST(DescribeSnapshotTest, ADiffSaysWhetherTheDigestHolds) {
  auto diff = Text<v1::DiffSnapshotResponse>(R"(
      snapshot { name: "courses/dl/snapshots/3" as_of_sequence: 42 policy_version: 1
                 digest: "sha256:ab" author: "eve" create_time { seconds: 1000000 } }
      digest_matches: true)");
  EXPECT_EQ(DescribeSnapshotDiff(diff),
            "courses/dl/snapshots/3\n"
            "  published     1970-01-12 13:46:40Z\n"
            "  by            eve\n"
            "  events up to  42\n"
            "  policy        version 1\n"
            "  digest        sha256:ab\n"
            "since then: no final grade changes\n"
            "computed again, the snapshot has the digest it was published with\n");
  diff.set_digest_matches(false);
  EXPECT_THAT(DescribeSnapshotDiff(diff), HasSubstr("\nwarning: computed again"));
  v1::ListSnapshotsResponse list;
  *list.add_snapshots() = diff.snapshot();
  EXPECT_EQ(DescribeSnapshots(list),
            "SNAPSHOT  PUBLISHED             BY   EVENTS UP TO  POLICY  DIGEST\n"
            "dl/3      1970-01-12 13:46:40Z  eve            42       1  sha256:ab\n");
}

TEST(DescribeAdjustmentTest, EachKindShowsItsValue) {
  const auto list = Text<v1::ListAdjustmentsResponse>(R"(
      adjustments { id: "1" student: "ann" assignment: "hw1" kind: ADD points: -5 reason: "x" author: "eve" }
      adjustments { id: "2" student: "ann" assignment: "hw1" kind: LATE_DAYS late_units: 2 reason: "y" author: "eve" }
      adjustments { id: "3" student: "ann" assignment: "hw1" kind: EXTEND extension { seconds: 90000 } reason: "z" author: "eve" revoked: true }
      adjustments { id: "4" student: "ann" kind: FINAL final_hundredths: 750 reason: "w" author: "eve" })");
  EXPECT_EQ(DescribeAdjustments(list),
            "ID  STUDENT  ASSIGNMENT  KIND       VALUE      REASON  BY   STATE\n"
            "1   ann      hw1         add        -5 points  x       eve\n"
            "2   ann      hw1         late_days  2 late     y       eve\n"
            "3   ann      hw1         extend     1d 01h     z       eve  revoked\n"
            "4   ann                  final      7.50       w       eve\n");
  EXPECT_EQ(DescribeAdjustment(list.adjustments(2)),
            "adjustment 3  REVOKED\n"
            "  student       ann\n"
            "  assignment    hw1\n"
            "  kind          extend\n"
            "  value         1d 01h\n"
            "  reason        z\n"
            "  by            eve\n"
            "  created       -\n");
  v1::Adjustment final = list.adjustments(3);
  final.set_confirmed_by("ivan");
  EXPECT_THAT(DescribeAdjustment(final), HasSubstr("\n  confirmed by  ivan\n"));
}

TEST(DescribeDeliveryTest, TargetsAndDeliveries) {
  EXPECT_EQ(DescribeDeliveryTarget(Text<v1::DeliveryTarget>(
                R"(kind: CHECK_RUN url: "https://h/" repository_prefix: "p-" secret_set: true)")),
            "check_run goes to https://h/\n"
            "  repository prefix  p-\n"
            "  secret             known\n");
  EXPECT_EQ(DescribeDeliveryTarget(Text<v1::DeliveryTarget>("kind: LTI_SCORE")),
            "no lti_score is sent any more\n");
  EXPECT_EQ(DescribeDeliveries(Text<v1::ListDeliveriesResponse>(R"(
      deliveries { id: "7" submission: "courses/dl/assignments/hw1/submissions/s1" kind: CHECK_RUN
                   state: GIVEN_UP attempts: 9 last_outcome: "HTTP 503" url: "https://h/" })")),
            "ID  SUBMISSION  KIND       STATE     ATTEMPTS  LAST OUTCOME  URL\n"
            "7   dl/hw1/s1   check_run  given_up         9  HTTP 503      https://h/\n");
}

}  // namespace
}  // namespace trainyard
