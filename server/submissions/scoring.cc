#include "server/submissions/scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/grading/assignment_rules.h"
#include "server/grading/leak_meter.h"
#include "server/grading/score_metric.h"

namespace trainyard {
namespace {

// Scores as whole numbers of this, so that selection compares no doubles.
constexpr double kRankUnit = 1e-9;

Work WorkOfRecord(const v1::Submission& record) {
  return {.parameters = record.work().parameters(),
          .train_flops = record.work().train_flops(),
          .epochs = record.work().epochs()};
}

// Different numbers of points that the rule can give.
int64_t LevelsOf(const v1::Assignment& assignment) {
  const ScoreRule rule = RuleOf(assignment);
  if (!rule.linear.has_value()) return static_cast<int64_t>(rule.steps.size()) + 1;
  return rule.linear->to_points - rule.linear->from_points + 2;
}

}  // namespace

int64_t ResultMillibits(const v1::Assignment& assignment, int64_t rows) {
  const int64_t values = ReportedValueCount(MetricOf(assignment), std::max<int64_t>(rows, 1));
  return ReleaseMillibits(values + LevelsOf(assignment) - 1);
}

int FirstComparableVersion(const CourseState& state, const std::string& assignment, int version) {
  const v1::PublishedAssignment& last = *state.Find(assignment, version);
  const auto comparable = [&](const v1::PublishedAssignment& other) {
    return other.public_table_digest() == last.public_table_digest() &&
           MetricOf(other.assignment()) == MetricOf(last.assignment());
  };
  while (version > 1 && comparable(*state.Find(assignment, version - 1))) --version;
  return version;
}

int64_t PublicRank(const v1::Assignment& assignment, const v1::SealedRecord& sealed) {
  if (!sealed.has_public_median()) return 0;
  const double bound = static_cast<double>(std::numeric_limits<int64_t>::max()) / 4;
  const double rank = std::clamp(sealed.public_median() / kRankUnit, -bound, bound);
  const int64_t whole = std::llround(rank);
  return HigherIsBetter(MetricOf(assignment)) ? whole : -whole;
}

void ScoreRuns(const v1::Assignment& assignment, const std::vector<Evaluation>& evaluations,
               StoredSubmission* submission) {
  const ScoreMetric metric = MetricOf(assignment);
  std::vector<double> public_values, deciding;
  std::vector<ScoreValue> scores;
  int64_t rows = 0;
  for (size_t i = 0; i < evaluations.size(); ++i) {
    const Evaluation& evaluation = evaluations[i];
    v1::SealedRecord::Run& run = *submission->sealed.mutable_runs(static_cast<int>(i));
    if (evaluation.public_score.has_value()) {
      run.set_public_value(evaluation.public_score->value);
      public_values.push_back(evaluation.public_score->value);
    }
    if (evaluation.sealed_score.has_value()) run.set_sealed_value(evaluation.sealed_score->value);
    scores.push_back(evaluation.sealed_score.has_value() ? *evaluation.sealed_score
                                                         : *evaluation.public_score);
    deciding.push_back(scores.back().value);
    rows = evaluation.deciding_rows;
  }
  if (!public_values.empty()) {
    const SeedScores median = MedianOfSeeds(metric, public_values);
    submission->sealed.set_public_median(median.median);
    submission->sealed.set_public_median_run(static_cast<int32_t>(median.median_index));
  }
  const SeedScores median = MedianOfSeeds(metric, deciding);
  const ScoreValue score{.value = median.median,
                         .standard_error =
                             scores[static_cast<size_t>(median.median_index)].standard_error};
  *submission->sealed.mutable_result() =
      ResultToProto(assignment, score, WorkOfRecord(submission->record));
  submission->sealed.set_standard_error(score.standard_error);
  submission->sealed.set_leak_millibits(ResultMillibits(assignment, rows));
}

}  // namespace trainyard
