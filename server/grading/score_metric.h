// What a trained network is graded by: one number from its errors on the test rows, how exactly the
// rows can know it, and as which of few values it may be told.
//
//   TY_ASSIGN_OR_RETURN(RowErrors rows, predictor->EvaluateRows(test_table));
//   TY_ASSIGN_OR_RETURN(ScoreValue score, MeasureScore(ScoreMetric::kAccuracy, rows));
//   double told = ReportedValue(ScoreMetric::kAccuracy, score);   // 0.93 for 0.9276 ± 0.0058
//
// A sealed set is asked again and again, and every digit of an answer that is finer than the
// standard error says something about single rows and nothing about the network. So what leaves the
// server is ReportedValue; points are of the exact value.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_SCORE_METRIC_H_
#define TRAINYARD_SERVER_GRADING_SCORE_METRIC_H_

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/model/predictor.h"

namespace trainyard {

enum class ScoreMetric : uint8_t {
  kUnspecified = 0,
  kAccuracy = 1,  // ratio of right rows, in [0, 1]; labels: of rows that are right in every label
  kRmse = 2,      // root of the mean squared error, ≥ 0, in the target's unit
  kMae = 3,       // mean absolute error, ≥ 0, in the target's unit
  kR2 = 4,        // 1 - squared errors / squared distances of the targets from their mean, ≤ 1
};
inline constexpr ScoreMetric kScoreMetricLast = ScoreMetric::kR2;

// "accuracy", "rmse", "mae", "r2": the names of core/nn/meter.h. "unspecified" for kUnspecified.
absl::string_view ScoreMetricName(ScoreMetric metric);
bool HigherIsBetter(ScoreMetric metric);
// Whether `a` is strictly better than `b`.
bool IsBetter(ScoreMetric metric, double a, double b);

// Fewer rows have no standard error.
inline constexpr int64_t kScoreRowsMin = 2;

struct ScoreValue {
  double value = 0;           // finite
  double standard_error = 0;  // ≥ 0, unit of the value
};

// Standard errors, of n rows:
// - accuracy p: √(p(1 - p)/n), but at least √(q(1 - q)/(n + 4)) with q = (p·n + 2)/(n + 4) (Agresti
//   and Coull 1998), which is not 0 where all rows are right or all are wrong;
// - mae: s/√n, where s is the standard deviation of |e|, divisor n - 1 as in all of these;
// - rmse, by the delta method: s/√n / (2·rmse), where s is that of e²; 0 where rmse is 0;
// - r2 = 1 - A/B with A the mean of e² and B that of d², d = y less the mean of y: a ratio of two
//   means, by the delta method s/√n / B, where s is the standard deviation of e² - (A/B)·d²
//   (Cochran, Sampling Techniques, 3rd ed. 1977, section 6.3).
// Errors: INVALID_ARGUMENT/INVALID_REQUEST for fewer than kScoreRowsMin rows, a metric that is not
// of the task, or r2 of targets that are all equal; FAILED_PRECONDITION/NON_FINITE_LOSS for errors
// that are not finite: such a network cannot be graded.
absl::StatusOr<ScoreValue> MeasureScore(ScoreMetric metric, const RowErrors& rows);

// What MeasureScore's standard error will be about for a network of this value on `rows` rows: that
// of accuracy exactly; of the others for errors that are normally distributed (rmse/√(2n),
// mae·√((π/2 - 1)/n)), and for r2 by Olkin and Finn 1995, 2√r2·(1 - r2)/√n, 0 for r2 ≤ 0. It is for
// rules that are written before anything was trained. REQUIRES: rows ≥ 1; value finite.
double ExpectedStandardError(ScoreMetric metric, double value, int64_t rows);

// The smallest of 1, 2, 5 times a power of ten that is at least `error` and at least 1e-9.
// REQUIRES: error finite, ≥ 0.
double DecimalStep(double error);
// `value` as the nearest multiple of DecimalStep(error), the one away from 0 of two that are as
// near; never -0. The double nearest to that decimal. REQUIRES: both finite; error ≥ 0.
double RoundToError(double value, double error);

// The bounds of what ReportedValue tells, so that the values can be counted. An rmse or mae has 3
// digits at most, and is 0 below kReportedErrorMin.
inline constexpr double kReportedErrorMin = 1e-9;
inline constexpr double kReportedErrorMax = 1e9;
inline constexpr double kReportedR2Min = -1;
inline constexpr double kReportedR2Step = 1e-3;

// RoundToError of the score within these bounds.
double ReportedValue(ScoreMetric metric, const ScoreValue& score);

// At most so many different values ReportedValue has, for a test set of `rows` rows: what a release
// is worth to somebody who knows nothing (leak_meter.h).
// - accuracy: of each step the multiples between the accuracies that have it, at most rows + 1;
// - r2: the thousandths from -1 to 1;
// - rmse and mae: 900 values of 3 digits in each of 18 decades, 0 and 1e9. They have no unit, so
//   this cannot be less. REQUIRES: rows ≥ 1.
int64_t ReportedValueCount(ScoreMetric metric, int64_t rows);

// What the same network came to with several seeds of the server.
struct SeedScores {
  double median = 0;         // of an even number the worse of the two in the middle
  int64_t median_index = 0;  // of the seed that has it, the first of several
  double spread = 0;         // largest less smallest
};
// REQUIRES: `values` not empty and finite.
SeedScores MedianOfSeeds(ScoreMetric metric, std::span<const double> values);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_SCORE_METRIC_H_
