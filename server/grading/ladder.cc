#include "server/grading/ladder.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// Relative. Gain and margin are exact to about 1e-16·n.
constexpr double kTie = 1e-8;

double MeanOf(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double DeviationOf(std::span<const double> values) {
  const double mean = MeanOf(values);
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

bool IsLoss(double loss) {
  return loss >= 0 && loss <= double{std::numeric_limits<float>::max()};  // NaN is neither
}

}  // namespace

std::vector<double> RowLosses(ScoreMetric metric, const RowErrors& rows) {
  std::vector<double> losses;
  losses.reserve(rows.errors.size());
  const bool squared = metric == ScoreMetric::kRmse || metric == ScoreMetric::kR2;
  for (const double e : rows.errors) losses.push_back(squared ? e * e : std::fabs(e));
  return losses;
}

double LadderUnit(ScoreMetric metric, const RowErrors& rows) {
  if (metric == ScoreMetric::kAccuracy) return 1;
  const double variance = TargetSquareSum(rows) / static_cast<double>(rows.targets.size());
  if (!(variance > 0)) return 1;
  return metric == ScoreMetric::kMae ? std::sqrt(variance) : variance;
}

double ScoreOfLoss(ScoreMetric metric, double loss, double unit) {
  switch (metric) {
    case ScoreMetric::kAccuracy:
      return 1 - loss;
    case ScoreMetric::kRmse:
      return std::sqrt(loss);
    case ScoreMetric::kMae:
      return loss;
    default:
      return 1 - loss / unit;
  }
}

absl::Status Ladder::Check(std::span<const double> row_losses) const {
  std::vector<FieldViolation> violations;
  const size_t before = state_.row_losses.size();
  if (row_losses.size() < static_cast<size_t>(kScoreRowsMin)) {
    violations.push_back(
        {"row_losses", absl::StrCat("are ", row_losses.size(), "; give at least ", kScoreRowsMin)});
  }
  if (before > 0 && row_losses.size() != before) {
    violations.push_back(
        {"row_losses", absl::StrCat("are ", row_losses.size(), ", but the best network has ",
                                    before, "; another test set needs a new ladder")});
  }
  if (!std::all_of(row_losses.begin(), row_losses.end(), IsLoss)) {
    violations.push_back({"row_losses", "are not all 0 or more and within float32"});
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

absl::StatusOr<LadderReport> Ladder::Score(std::span<const double> row_losses) {
  TY_RETURN_IF_ERROR(Check(row_losses));
  std::vector<double> gains(row_losses.begin(), row_losses.end());
  for (size_t i = 0; i < state_.row_losses.size(); ++i) gains[i] -= state_.row_losses[i];
  const auto n = static_cast<double>(row_losses.size());
  const double mean = MeanOf(row_losses);
  const double margin = DeviationOf(gains) / std::sqrt(n);
  if (!(state_.best_loss - mean > margin * (1 + kTie))) {
    return LadderReport{state_.best_loss, false};
  }
  state_.best_loss = std::nearbyint(mean / unit_ * n) / n * unit_;
  state_.row_losses.assign(row_losses.begin(), row_losses.end());
  return LadderReport{state_.best_loss, true};
}

}  // namespace trainyard
