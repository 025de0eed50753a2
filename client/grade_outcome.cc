#include "client/grade_outcome.h"

#include "absl/strings/str_cat.h"
#include "client/describe_submission.h"
#include "client/render.h"

namespace trainyard {
namespace {

bool LowerIsBetter(v1::ScoreMetric metric) {
  return metric == v1::SCORE_METRIC_RMSE || metric == v1::SCORE_METRIC_MAE;
}

struct Score {
  double value = 0;
  v1::ScoreMetric metric = v1::SCORE_METRIC_UNSPECIFIED;
  bool is_public = false;
};

std::optional<Score> ScoreOf(const v1::Submission& submission, v1::ScoreMetric metric) {
  if (IsReleased(submission)) {
    return Score{submission.result().score(), submission.result().metric()};
  }
  if (!submission.has_public_score()) return std::nullopt;
  return Score{submission.public_score(), metric, true};
}

std::string BelowText(const v1::Submission& submission, double at_least, v1::ScoreMetric metric) {
  const std::optional<Score> score = ScoreOf(submission, metric);
  if (!score.has_value()) return "there is no score yet that --at-least could be compared with";
  return absl::StrCat(MetricWord(score->metric), " ", FormatNumber(score->value),
                      score->is_public ? " of the public data" : "", " is not at least as good as ",
                      FormatNumber(at_least));
}

std::string StateRemark(const v1::Submission& submission, const std::string& closes) {
  switch (submission.state()) {
    case v1::SUBMISSION_STATE_DONE:
      if (!submission.withheld()) return "";
      return closes.empty()
                 ? "graded; points are told when the assignment has closed"
                 : absl::StrCat("graded; points are told when the assignment has closed, ", closes);
    case v1::SUBMISSION_STATE_UNGRADABLE:
      return "the spec cannot be trained; no attempt is used up";
    case v1::SUBMISSION_STATE_INFRA_ERROR:
      return "the service failed, which costs no attempt; submit again, or ask the course's staff";
    case v1::SUBMISSION_STATE_CANCELLED:
      return "cancelled, or superseded by a later submission";
    default:
      return absl::StrCat(
          "not finished in time; the submission goes on, see: trainyard submission "
          "watch ",
          submission.name());
  }
}

}  // namespace

bool IsReleased(const v1::Submission& submission) {
  return submission.state() == v1::SUBMISSION_STATE_DONE && submission.has_result() &&
         !submission.withheld();
}

std::string PointsLine(const v1::Submission& submission) {
  if (!IsReleased(submission)) return "";
  return absl::StrCat("Points ", submission.result().points(), "/",
                      submission.result().max_points(), "\n");
}

bool Reaches(const v1::Submission& submission, double at_least, v1::ScoreMetric metric) {
  const std::optional<Score> score = ScoreOf(submission, metric);
  if (!score.has_value()) return false;
  return LowerIsBetter(score->metric) ? score->value <= at_least : score->value >= at_least;
}

ExitCode GradeExitCode(const v1::Submission& submission, std::optional<double> at_least,
                       v1::ScoreMetric metric) {
  if (!IsTerminal(submission.state())) return ExitCode::kUnfinished;
  if (submission.state() == v1::SUBMISSION_STATE_INFRA_ERROR) return ExitCode::kInfra;
  if (submission.state() != v1::SUBMISSION_STATE_DONE) return ExitCode::kRefused;
  const bool passed = !at_least.has_value() || Reaches(submission, *at_least, metric);
  return passed ? ExitCode::kOk : ExitCode::kRefused;
}

std::string GradeRemark(const v1::Submission& submission, std::optional<double> at_least,
                        v1::ScoreMetric metric, const std::string& closes) {
  const std::string remark = StateRemark(submission, closes);
  const bool below = submission.state() == v1::SUBMISSION_STATE_DONE && at_least.has_value() &&
                     !Reaches(submission, *at_least, metric);
  if (!below) return remark;
  const std::string why = BelowText(submission, *at_least, metric);
  return remark.empty() ? why : absl::StrCat(remark, "; ", why);
}

}  // namespace trainyard
