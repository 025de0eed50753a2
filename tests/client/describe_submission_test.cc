#include "client/describe_submission.h"

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

v1::Submission Done() {
  return Text<v1::Submission>(R"(
      name: "courses/dl/assignments/hw1/submissions/s1" student: "ann" actor: "ann"
      state: SUBMISSION_STATE_DONE accepted_at { seconds: 1000000 }
      finish_time { seconds: 1000060 } assignment_version: 2 spec { epochs: 3 }
      spec_digest: "sha256:ab" public_score: 0.93 public_improved: true receipt: "ty_1"
      work { parameters: 18410 train_flops: 512600000 epochs: 3 }
      result { points: 86 max_points: 100 score: 0.927 metric: SCORE_METRIC_ACCURACY sealed: true
               criteria { name: "accuracy at least 0.9" points: 70 max_points: 70 passed: true }
               criteria { name: "accuracy at least 0.95" points: 16 max_points: 30 } })");
}

TEST(SubmissionLineTest, SaysWhatOneWaitsFor) {
  EXPECT_EQ(SubmissionLine(Text<v1::Submission>(
                "state: SUBMISSION_STATE_QUEUED queue_position: 4 eta { seconds: 90 }")),
            "QUEUED  position 4  ETA 1m 30s");
  EXPECT_EQ(SubmissionLine(Text<v1::Submission>("state: SUBMISSION_STATE_QUEUED")),
            "QUEUED  waits for its turn");
  EXPECT_EQ(SubmissionLine(Text<v1::Submission>(
                "state: SUBMISSION_STATE_RUNNING epochs_done: 2 epochs_total: 9 eta {}")),
            "RUNNING  epoch 2/9  ETA 0ms");
  EXPECT_EQ(SubmissionLine(Text<v1::Submission>(
                "state: SUBMISSION_STATE_DONE epochs_done: 9 epochs_total: 9 eta {}")),
            "DONE");
}

TEST(DescribeSubmissionTest, SaysWhenWhatAndWhy) {
  EXPECT_EQ(DescribeSubmission(Done()),
            "courses/dl/assignments/hw1/submissions/s1  DONE\n"
            "  student                ann\n"
            "  accepted               1970-01-12 13:46:40Z\n"
            "  finished               1970-01-12 13:47:40Z\n"
            "  assignment version     2\n"
            "  public score           best so far 0.93, by this one\n"
            "  points                 86 of 100 (accuracy 0.927, sealed data)\n"
            "  work                   18,410 parameters, 513M FLOPs a seed, 3 epochs\n"
            "  receipt                ty_1\n"
            "  spec digest            sha256:ab\n"
            "CRITERION               POINTS  OF  PASSED\n"
            "accuracy at least 0.9       70  70  yes\n"
            "accuracy at least 0.95      16  30  no\n"
            "spec:\n"
            "  epochs: 3\n");
}

// A teacher looks over a student's shoulder: his answers have the result.
TEST(DescribeSubmissionTest, NothingOfAWithheldResultIsSaid) {
  v1::Submission submission = Done();
  submission.set_withheld(true);
  v1::ListSubmissionsResponse list;
  *list.add_submissions() = submission;
  for (const std::string& text :
       {DescribeSubmission(submission), DescribeGraded(submission), DescribeSubmissions(list)}) {
    EXPECT_THAT(text, Not(HasSubstr("86")));
    EXPECT_THAT(text, Not(HasSubstr("0.927")));
    EXPECT_THAT(text, Not(HasSubstr("accuracy")));
  }
  EXPECT_THAT(DescribeGraded(submission),
              HasSubstr("  points        told when the assignment has closed\n"));
}

TEST(DescribeSubmissionTest, WhyItCouldNotBeGraded) {
  const std::string text = DescribeGraded(Text<v1::Submission>(R"(
      name: "n" state: SUBMISSION_STATE_UNGRADABLE
      error { message: "the loss is NaN\033[2J" })"));
  EXPECT_THAT(text, HasSubstr("n  UNGRADABLE\n"));
  EXPECT_THAT(text, HasSubstr("the loss is NaN\\x1B[2J ("));
}

TEST(DescribeSubmissionTest, List) {
  v1::ListSubmissionsResponse list;
  *list.add_submissions() = Done();
  *list.add_submissions() = Text<v1::Submission>(R"(
      name: "courses/dl/assignments/hw1/submissions/s2" student: "bob\n" withheld: true
      state: SUBMISSION_STATE_DONE accepted_at { seconds: 1000000 } nominated: true)");
  EXPECT_EQ(DescribeSubmissions(list),
            "SUBMISSION  STUDENT  STATE  ACCEPTED              PUBLIC    POINTS  COUNTS\n"
            "dl/hw1/s1   ann      DONE   1970-01-12 13:46:40Z    0.93    86/100\n"
            "dl/hw1/s2   bob\\x0A  DONE   1970-01-12 13:46:40Z          withheld  chosen\n");
}

TEST(DescribeAcceptedTest, IsAReceiptWithTheAttemptsLeft) {
  const auto submission = Text<v1::Submission>(R"(
      name: "courses/dl/assignments/hw1/submissions/s1" queue_position: 2
      state: SUBMISSION_STATE_QUEUED accepted_at { seconds: 1000000 }
      assignment_version: 1 spec_digest: "sha256:ab")");
  const auto standing =
      Text<v1::Standing>("attempts_left: 0 next_attempt_time { seconds: 1014400 }");
  EXPECT_THAT(DescribeAccepted(submission, nullptr), Not(HasSubstr("attempt")));
  EXPECT_EQ(DescribeAccepted(submission, &standing),
            "accepted courses/dl/assignments/hw1/submissions/s1\n"
            "  accepted            1970-01-12 13:46:40Z\n"
            "  state               QUEUED  position 2\n"
            "  assignment version  1\n"
            "  spec digest         sha256:ab\n"
            "  attempts left       0\n"
            "  next attempt        1970-01-12 17:46:40Z\n"
            "next:\n"
            "  trainyard submission watch dl/hw1/s1\n");
}

TEST(DescribeStandingTest, Standing) {
  EXPECT_EQ(DescribeStanding(Text<v1::Standing>(
                "attempts_left: 5 due_time { seconds: 1000000 } leaked_millibits: 6640")),
            "  attempts left        5\n"
            "  due                  1970-01-12 13:46:40Z\n"
            "  closes               never\n"
            "  best points          none\n"
            "  learned of the data  6.6 bits\n");
}

TEST(DescribeLeaderboardTest, TheBestFirstAndWhichIsYours) {
  EXPECT_EQ(DescribeLeaderboard(Text<v1::Leaderboard>(R"(
      metric: SCORE_METRIC_RMSE
      entries { pseudonym: "blue-fox" public_score: 0.5 work { parameters: 1000 train_flops: 12 } }
      entries { pseudonym: "red-cat" public_score: 0.75 own: true })")),
            "   WHO            RMSE  PARAMETERS  FLOPS\n"
            "1  blue-fox        0.5       1,000     12\n"
            "2  red-cat (you)  0.75           0      0\n");
}

TEST(DescribeIntegrityTest, LeaksAndEqualSpecs) {
  EXPECT_EQ(DescribeIntegrity(Text<v1::IntegrityReport>(R"(
      leaks { student: "ann" millibits: 6644 } class_millibits: 9966 replays: 4 replay_mismatches: 1
      identical_specs { spec_digest: "sha256:ab"
                        submissions: "courses/dl/assignments/hw1/submissions/s1"
                        submissions: "courses/dl/assignments/hw1/submissions/s4" })")),
            "STUDENT         BITS LEARNED\n"
            "ann                      6.6\n"
            "(all together)          10.0\n"
            "the same spec, in the order of acceptance: dl/hw1/s1, dl/hw1/s4\n"
            "trained again to compare: 4, not bit-equal: 1\n");
}

TEST(DescribeRegradeTest, PerStudentThenGrades) {
  EXPECT_EQ(DescribeRegrade(Text<v1::Regrade>(R"(
      name: "courses/dl/assignments/hw1/regrades/r1" create_time { seconds: 1000000 }
      submissions_total: 3 submissions_done: 3
      changes { submission: "courses/dl/assignments/hw1/submissions/s1" student: "ann"
                points_before: 80 points_after: 86 bit_equal: false other_engine: true }
      changes { submission: "courses/dl/assignments/hw1/submissions/s2" student: "bob"
                points_before: -1 points_after: -1 }
      changes { submission: "courses/dl/assignments/hw1/submissions/s3" student: "eve"
                points_before: 0 points_after: 0 bit_equal: true }
      grade_changes { student: "ann" before_hundredths: 700 after_hundredths: 800 })")),
            "courses/dl/assignments/hw1/regrades/r1\n"
            "  created  1970-01-12 13:46:40Z\n"
            "  state    3 of 3 submissions done\n"
            "STUDENT  SUBMISSION  BEFORE  AFTER  BIT-EQUAL  OTHER ENGINE\n"
            "ann      dl/hw1/s1       80     86  NO         yes\n"
            "bob      dl/hw1/s2        -      -\n"
            "eve      dl/hw1/s3        0      0  yes\n"
            "STUDENT  BEFORE  AFTER  WHY\n"
            "ann        7.00   8.00\n");
}

}  // namespace
}  // namespace trainyard
