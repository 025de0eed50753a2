#include "server/grading/score_metric.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

constexpr int kStepExponentMin = -9;
constexpr int kReportedDigits = 3;

struct MeanAndError {
  double mean = 0;
  double standard_error = 0;  // of the mean
};

MeanAndError MeanOf(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

std::vector<double> SquaresOf(const std::vector<double>& values) {
  std::vector<double> squares;
  squares.reserve(values.size());
  for (const double v : values) squares.push_back(v * v);
  return squares;
}

double AccuracyError(double p, double n) {
  const double q = (p * n + 2) / (n + 4);
  // p can be beyond 1 by its rounding.
  return std::max(std::sqrt(std::max(p * (1 - p), 0.0) / n), std::sqrt(q * (1 - q) / (n + 4)));
}

ScoreValue Accuracy(const RowErrors& rows) {
  const auto n = static_cast<double>(rows.errors.size());
  const double wrong = std::accumulate(rows.errors.begin(), rows.errors.end(), 0.0);
  const double p = (n - wrong) / n;
  return {p, AccuracyError(p, n)};
}

ScoreValue Rmse(const RowErrors& rows) {
  const MeanAndError square = MeanOf(SquaresOf(rows.errors));
  const double rmse = std::sqrt(square.mean);
  return {rmse, rmse > 0 ? square.standard_error / (2 * rmse) : 0};
}

ScoreValue Mae(const RowErrors& rows) {
  std::vector<double> absolutes;
  absolutes.reserve(rows.errors.size());
  for (const double e : rows.errors) absolutes.push_back(std::fabs(e));
  const MeanAndError absolute = MeanOf(absolutes);
  return {absolute.mean, absolute.standard_error};
}

absl::StatusOr<ScoreValue> R2(const RowErrors& rows) {
  const auto n = static_cast<double>(rows.errors.size());
  const double b = TargetSquareSum(rows) / n;
  if (b == 0) {
    return MakeError(absl::StatusCode::kInvalidArgument, "all targets of the test rows are equal",
                     {.reason = ErrorReason::kInvalidRequest,
                      .hint = "grade by rmse or mae, or give test rows with different targets",
                      .in_force = "metric r2"});
  }
  const double mean = MeanOf(rows.targets).mean;
  std::vector<double> squares = SquaresOf(rows.errors);
  const double ratio = MeanOf(squares).mean / b;
  for (size_t i = 0; i < squares.size(); ++i) {
    const double distance = rows.targets[i] - mean;
    squares[i] -= ratio * distance * distance;
  }
  return ScoreValue{1 - ratio, MeanOf(squares).standard_error / b};
}

absl::Status CheckRows(ScoreMetric metric, const RowErrors& rows) {
  const bool by_number = metric != ScoreMetric::kAccuracy;
  std::vector<FieldViolation> violations;
  if (metric == ScoreMetric::kUnspecified || by_number != (rows.task == Task::kRegression)) {
    violations.push_back(
        {"metric", absl::StrCat("is ", ScoreMetricName(metric),
                                ", which is not of the task; give accuracy for classes and labels, "
                                "rmse, mae or r2 for a regression")});
  }
  const auto count = static_cast<int64_t>(rows.errors.size());
  if (count < kScoreRowsMin) {
    violations.push_back(
        {"rows", absl::StrCat("there are ", count, " test rows; give at least ", kScoreRowsMin)});
  }
  if (!violations.empty()) {
    return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
  }
  return absl::OkStatus();
}

absl::StatusOr<ScoreValue> Measure(ScoreMetric metric, const RowErrors& rows) {
  switch (metric) {
    case ScoreMetric::kAccuracy:
      return Accuracy(rows);
    case ScoreMetric::kRmse:
      return Rmse(rows);
    case ScoreMetric::kMae:
      return Mae(rows);
    default:
      return R2(rows);
  }
}

// A step is `mantissa`·10^`exponent`.
struct Step {
  int mantissa;
  int exponent;

  double value() const { return Times(mantissa); }
  // count · 10^exponent. By a power of ten that is exact, so that the result is the nearest double.
  double Times(double count) const {
    const double power = std::pow(10.0, std::abs(exponent));
    return exponent < 0 ? count / power : count * power;
  }
};

Step StepOf(double error) {
  int exponent = kStepExponentMin;
  if (error > 0) {
    exponent = std::max(exponent, static_cast<int>(std::floor(std::log10(error))) - 1);
  }
  for (;; ++exponent) {
    for (const int mantissa : {1, 2, 5}) {
      const Step step{mantissa, exponent};
      if (step.value() >= error) return step;
    }
  }
}

double RoundToStep(double value, const Step& step) {
  const double count = std::round(value / step.value());
  return step.Times(count * step.mantissa) + 0.0;  // -0 + 0 is 0
}

double ReportedError(double value, double standard_error) {
  if (value < kReportedErrorMin / 2) return 0;
  if (value >= kReportedErrorMax) return kReportedErrorMax;
  const int decade = static_cast<int>(std::floor(std::log10(value)));
  const Step digits{1, std::max(decade - kReportedDigits + 1, kStepExponentMin)};
  const double step = std::max(standard_error, digits.value());
  return std::min(RoundToError(value, step), kReportedErrorMax);
}

double ReportedR2(double value, double standard_error) {
  const double told = RoundToError(value, std::max(standard_error, kReportedR2Step));
  return std::clamp(told, kReportedR2Min, 1.0);
}

// The last number of right rows, of at most half, whose accuracy is told by no more than `step`.
int64_t LastWithStep(double step, int64_t rows) {
  const auto n = static_cast<double>(rows);
  int64_t low = 0;
  int64_t high = rows / 2;
  while (low < high) {
    const int64_t middle = high - (high - low) / 2;
    const bool within = DecimalStep(AccuracyError(static_cast<double>(middle) / n, n)) <= step;
    if (within) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// The standard error grows up to the half of the rows, and is the same from there down.
int64_t AccuracyValueCount(int64_t rows) {
  const auto n = static_cast<double>(rows);
  int64_t count = 0;
  for (int64_t first = 0; first <= rows / 2;) {
    const double step = DecimalStep(AccuracyError(static_cast<double>(first) / n, n));
    const int64_t last = LastWithStep(step, rows);
    const double length = std::round(static_cast<double>(last) / n / step) -
                          std::round(static_cast<double>(first) / n / step);
    count += std::min(static_cast<int64_t>(length) + 1, last - first + 1);
    first = last + 1;
  }
  return std::min(2 * count, rows + 1);
}

}  // namespace

absl::string_view ScoreMetricName(ScoreMetric metric) {
  switch (metric) {
    case ScoreMetric::kAccuracy:
      return "accuracy";
    case ScoreMetric::kRmse:
      return "rmse";
    case ScoreMetric::kMae:
      return "mae";
    case ScoreMetric::kR2:
      return "r2";
    default:
      return "unspecified";
  }
}

bool HigherIsBetter(ScoreMetric metric) {
  return metric == ScoreMetric::kAccuracy || metric == ScoreMetric::kR2;
}

bool IsBetter(ScoreMetric metric, double a, double b) {
  return HigherIsBetter(metric) ? a > b : a < b;
}

absl::StatusOr<ScoreValue> MeasureScore(ScoreMetric metric, const RowErrors& rows) {
  if (absl::Status status = CheckRows(metric, rows); !status.ok()) return status;
  absl::StatusOr<ScoreValue> score = Measure(metric, rows);
  if (!score.ok()) return score;
  // A square may be infinite where its error is not.
  if (std::isfinite(score->value) && std::isfinite(score->standard_error)) return score;
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("the network's ", ScoreMetricName(metric), " is not finite"),
                   {.reason = ErrorReason::kNonFiniteLoss,
                    .hint = "lower optimizer.learning_rate, or set optimizer.clip_norm",
                    .in_force = absl::StrCat("metric ", ScoreMetricName(metric))});
}

double ExpectedStandardError(ScoreMetric metric, double value, int64_t rows) {
  const auto n = static_cast<double>(rows);
  switch (metric) {
    case ScoreMetric::kAccuracy:
      return AccuracyError(value, n);
    case ScoreMetric::kRmse:
      return value / std::sqrt(2 * n);
    case ScoreMetric::kMae:
      return value * std::sqrt((M_PI / 2 - 1) / n);
    default:
      return value > 0 ? 2 * std::sqrt(value) * (1 - value) / std::sqrt(n) : 0;
  }
}

double DecimalStep(double error) { return StepOf(error).value(); }

double RoundToError(double value, double error) { return RoundToStep(value, StepOf(error)); }

double ReportedValue(ScoreMetric metric, const ScoreValue& score) {
  switch (metric) {
    case ScoreMetric::kAccuracy:
      return std::min(RoundToError(score.value, score.standard_error), 1.0);
    case ScoreMetric::kR2:
      return ReportedR2(score.value, score.standard_error);
    default:
      return ReportedError(score.value, score.standard_error);
  }
}

int64_t ReportedValueCount(ScoreMetric metric, int64_t rows) {
  switch (metric) {
    case ScoreMetric::kAccuracy:
      return AccuracyValueCount(rows);
    case ScoreMetric::kR2:
      return static_cast<int64_t>(std::round((1 - kReportedR2Min) / kReportedR2Step)) + 1;
    default:
      return 18 * 900 + 2;
  }
}

SeedScores MedianOfSeeds(ScoreMetric metric, std::span<const double> values) {
  TY_CHECK(!values.empty());
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end(),
            [metric](double a, double b) { return IsBetter(metric, b, a); });  // worst first
  SeedScores scores;
  scores.median = sorted[(sorted.size() - 1) / 2];
  scores.median_index = std::find(values.begin(), values.end(), scores.median) - values.begin();
  scores.spread = std::fabs(sorted.back() - sorted.front());
  return scores;
}

}  // namespace trainyard
