#include "client/grade_outcome.h"

#include <cmath>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

v1::Submission Submission(const char* text) {
  v1::Submission submission;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &submission));
  return submission;
}

constexpr char kDone[] = R"(
    name: "courses/dl/assignments/hw1/submissions/s1" state: SUBMISSION_STATE_DONE
    public_score: 0.95
    result { points: 86 max_points: 100 score: 0.92 metric: SCORE_METRIC_ACCURACY })";
constexpr char kWithheld[] = R"(
    state: SUBMISSION_STATE_DONE withheld: true public_score: 0.93
    result { points: 86 max_points: 100 score: 0.99 metric: SCORE_METRIC_ACCURACY })";
constexpr char kError[] = R"(
    state: SUBMISSION_STATE_DONE
    result { points: 40 max_points: 100 score: 0.5 metric: SCORE_METRIC_RMSE })";

TEST(PointsLineTest, IsExactlyWhatTheHookReads) {
  EXPECT_EQ(PointsLine(Submission(kDone)), "Points 86/100\n");
  EXPECT_EQ(PointsLine(Submission(R"(state: SUBMISSION_STATE_DONE result { max_points: 100 })")),
            "Points 0/100\n");
}

// As for staff, whose answers have the result.
TEST(PointsLineTest, NothingOfWhatIsNotReleased) {
  EXPECT_EQ(PointsLine(Submission(kWithheld)), "");
  EXPECT_EQ(PointsLine(Submission("state: SUBMISSION_STATE_DONE")), "");
  EXPECT_EQ(PointsLine(Submission("state: SUBMISSION_STATE_UNGRADABLE")), "");
  EXPECT_EQ(PointsLine(Submission(R"(state: SUBMISSION_STATE_EVALUATING
                                     result { points: 1 max_points: 1 })")),
            "");
}

TEST(GradeExitCodeTest, FollowsStateScoreAndDirection) {
  const struct {
    const char* submission;
    std::optional<double> at_least;
    ExitCode code;
    v1::ScoreMetric metric = v1::SCORE_METRIC_UNSPECIFIED;
  } cases[] = {
      {kDone, {}, ExitCode::kOk},
      {kDone, 0.92, ExitCode::kOk},       // the threshold itself is enough
      {kDone, 0.93, ExitCode::kRefused},  // not by the public score, which has 0.95
      {kDone, std::nan(""), ExitCode::kRefused},
      {kWithheld, {}, ExitCode::kOk},
      {kWithheld, 0.93, ExitCode::kOk},
      {kWithheld, 0.95, ExitCode::kRefused},  // the hidden 0.99 must not show through
      {kWithheld, 0.95, ExitCode::kOk, v1::SCORE_METRIC_RMSE},
      {"state: SUBMISSION_STATE_DONE withheld: true", 0.0, ExitCode::kRefused},
      {kError, 0.5, ExitCode::kOk},
      {kError, 0.6, ExitCode::kOk},
      {kError, 0.4, ExitCode::kRefused},
      {kError, 0.6, ExitCode::kOk, v1::SCORE_METRIC_ACCURACY},  // the result's own metric counts
      {"state: SUBMISSION_STATE_UNGRADABLE", {}, ExitCode::kRefused},
      {"state: SUBMISSION_STATE_CANCELLED", {}, ExitCode::kRefused},
      {"state: SUBMISSION_STATE_INFRA_ERROR", {}, ExitCode::kInfra},
      {"state: SUBMISSION_STATE_INFRA_ERROR public_score: 1", 0.5, ExitCode::kInfra},
      {"state: SUBMISSION_STATE_QUEUED", {}, ExitCode::kUnfinished},
      {"state: SUBMISSION_STATE_RUNNING public_score: 1", 0.5, ExitCode::kUnfinished},
      {"state: SUBMISSION_STATE_EVALUATING", {}, ExitCode::kUnfinished},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(GradeExitCode(Submission(c.submission), c.at_least, c.metric), c.code)
        << c.submission << " at least " << c.at_least.value_or(-1);
  }
}

TEST(GradeRemarkTest, SaysWhyThereIsNoPointsLineOrNotEnough) {
  const auto remark = [](const char* submission, std::optional<double> at_least = {},
                         const std::string& closes = "") {
    return GradeRemark(Submission(submission), at_least, v1::SCORE_METRIC_R2, closes);
  };
  EXPECT_EQ(remark(kDone), "");
  EXPECT_EQ(remark(kDone, 0.9), "");
  EXPECT_EQ(remark(kDone, 0.95), "accuracy 0.92 is not at least as good as 0.95");
  EXPECT_EQ(remark(kError, 0.25), "rmse 0.5 is not at least as good as 0.25");
  EXPECT_EQ(remark(kWithheld), "graded; points are told when the assignment has closed");
  EXPECT_EQ(remark(kWithheld, 0.99, "2027-02-10 20:59:59Z"),
            "graded; points are told when the assignment has closed, 2027-02-10 20:59:59Z; r2 0.93 "
            "of the public data is not at least as good as 0.99");
  EXPECT_THAT(remark("state: SUBMISSION_STATE_DONE withheld: true", 0.5),
              HasSubstr("no score yet"));
  EXPECT_THAT(remark("state: SUBMISSION_STATE_RUNNING name: \"n\"", 0.5),
              HasSubstr("submission watch n"));
  EXPECT_THAT(remark("state: SUBMISSION_STATE_UNGRADABLE"), HasSubstr("no attempt"));
}

}  // namespace
}  // namespace trainyard
