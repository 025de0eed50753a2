#include "core/analysis/loss_line.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/analysis/axis.h"
#include "core/analysis/loss_evaluator.h"
#include "core/base/status_macros.h"
#include "core/train/config_checks.h"

namespace trainyard {
namespace {

// The flat arrays of a network: parameters, then running means and variances.
struct Position {
  std::vector<float> parameters;
  std::vector<float> running;
};

Position PositionOf(Mlp& mlp) {
  const std::span<float> parameters = mlp.parameters();
  const std::span<float> running = mlp.running_statistics();
  return {{parameters.begin(), parameters.end()}, {running.begin(), running.end()}};
}

// Both ends are met exactly.
void Interpolate(const std::vector<float>& from, const std::vector<float>& to, double a,
                 std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((1 - a) * from[i] + a * to[i]);
  }
}

// How far the line rises above the straight one between its losses at 0 and 1.
double Barrier(const LossLineResult& line, double loss0, double loss1) {
  double barrier = 0;
  for (size_t i = 0; i < line.axis.size(); ++i) {
    const double a = line.axis[i];
    if (a < 0 || a > 1) continue;
    barrier = std::max(barrier, line.losses[i] - ((1 - a) * loss0 + a * loss1));
  }
  return barrier;
}

class Line {
 public:
  Line(LossEvaluator* evaluator, Position from, Position to)
      : evaluator_(evaluator), from_(std::move(from)), to_(std::move(to)) {}

  // Infinite where the loss is not finite.
  absl::StatusOr<double> LossAt(double a) {
    Interpolate(from_.parameters, to_.parameters, a, evaluator_->parameters());
    Interpolate(from_.running, to_.running, a, evaluator_->mlp().running_statistics());
    TY_ASSIGN_OR_RETURN(const double loss, evaluator_->Loss());
    return std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity();
  }

 private:
  LossEvaluator* const evaluator_;
  const Position from_;
  const Position to_;
};

}  // namespace

void CheckLossLineOptions(const LossLineOptions& options, std::vector<FieldViolation>* violations) {
  if (options.points < 3 || options.points > kLinePointsMax) {
    violations->push_back(
        {"analysis.loss_line.points", absl::StrCat("is ", options.points, "; must be from 3 to ",
                                                   kLinePointsMax, ": 51 is usual")});
  }
  // NaN is in no range.
  CheckNumber("analysis.loss_line.from", options.from,
              options.from >= -kLineEndMax && options.from <= kLineEndMax,
              absl::StrCat("from ", -kLineEndMax, " to ", kLineEndMax), "-0.5 is usual",
              violations);
  CheckNumber("analysis.loss_line.to", options.to,
              options.to > options.from && options.to <= kLineEndMax,
              absl::StrCat("above from and at most ", kLineEndMax), "1.5 is usual", violations);
}

absl::StatusOr<LossLineResult> ComputeLossLine(const AnalysisInput& input, const MlpWeights& other,
                                               const LossLineOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<LossEvaluator> evaluator,
                      LossEvaluator::Create(input, LossEvaluator::Mode::kForward));
  Position from = PositionOf(evaluator->mlp());
  TY_RETURN_IF_ERROR(evaluator->mlp().LoadWeights(other));
  Line line(evaluator.get(), std::move(from), PositionOf(evaluator->mlp()));
  TY_ASSIGN_OR_RETURN(const double loss0, line.LossAt(0));
  TY_ASSIGN_OR_RETURN(const double loss1, line.LossAt(1));

  LossLineResult result{.axis = EvenAxis(options.from, options.to, options.points),
                        .row_count = evaluator->rows().count};
  for (const double a : result.axis) {
    TY_RETURN_IF_ERROR(CheckNotStopped(input));
    TY_ASSIGN_OR_RETURN(const double loss, line.LossAt(a));
    result.losses.push_back(loss);
    input.Report(static_cast<int64_t>(result.losses.size()), options.points);
  }
  result.barrier = Barrier(result, loss0, loss1);
  return result;
}

}  // namespace trainyard
