// Ladder keeps a public leaderboard honest: it tells a new best loss only when it is better than
// the last one told by more than chance (Blum and Hardt, "The Ladder: A Reliable Leaderboard for
// Machine Learning Competitions", ICML 2015, the parameter-free variant). Whoever asks k times
// about the same rows learns about them as log k, not as √k: see ladder_test for the attack.
//
//   Ladder ladder(state, LadderUnit(ScoreMetric::kAccuracy, rows));
//   TY_ASSIGN_OR_RETURN(LadderReport report,
//                       ladder.Score(RowLosses(ScoreMetric::kAccuracy, rows)));
//   // report.reported_loss goes out; ladder.state() is stored
//
// One ladder belongs to one student and assignment. Pooled accounts have one each: that is what the
// limit of a class is for (leak_meter.h); and the grade comes from rows that no ladder has seen.
//
// Thread-safety: none; a value. Memory: a float for each test row.
#ifndef TRAINYARD_SERVER_GRADING_LADDER_H_
#define TRAINYARD_SERVER_GRADING_LADDER_H_

#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/model/predictor.h"
#include "server/grading/score_metric.h"

namespace trainyard {

struct LadderState {
  // The loss that was told last; infinite before the first score.
  double best_loss = std::numeric_limits<double>::infinity();
  std::vector<float> row_losses;  // [test rows] of the network that has it; empty before
};

struct LadderReport {
  double reported_loss = 0;
  bool improved = false;  // it is another one than before
};

// The loss of each row that a ladder of this metric goes by: 0 or 1 for accuracy, |e| for mae, e²
// for rmse and r2.
std::vector<double> RowLosses(ScoreMetric metric, const RowErrors& rows);
// What a loss of 1 means where it has no unit of its own: 1 for accuracy, the variance of the
// targets for rmse and r2, their standard deviation for mae; 1 where the targets are all equal.
double LadderUnit(ScoreMetric metric, const RowErrors& rows);
// The metric's value for a mean loss: 1 - loss, √loss, loss, or 1 - loss / unit.
double ScoreOfLoss(ScoreMetric metric, double loss, double unit);

class Ladder {
 public:
  // Losses are told in multiples of unit / rows. REQUIRES: unit finite, > 0.
  explicit Ladder(LadderState state, double unit = 1) : state_(std::move(state)), unit_(unit) {}

  // With m the mean of n row losses and s the standard deviation (divisor n - 1) of their
  // differences to those of the best, of themselves the first time: when m < best - s/√n, m rounded
  // to unit/n is the new best. Tells the best in any case.
  // A tie is no improvement, whatever rounding makes of it: one row of 0 and 1 that is mended has a
  // gain of 1/n and an s/√n of 1/n. Errors: INVALID_ARGUMENT/INVALID_REQUEST for losses that are
  // negative or not finite (beyond float32 too), fewer than kScoreRowsMin, or not as many as
  // before; the state stays.
  absl::StatusOr<LadderReport> Score(std::span<const double> row_losses);

  const LadderState& state() const { return state_; }

 private:
  absl::Status Check(std::span<const double> row_losses) const;

  LadderState state_;
  double unit_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_LADDER_H_
