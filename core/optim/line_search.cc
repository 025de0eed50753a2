#include "core/optim/line_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// PyTorch's constants.
constexpr double kEnoughFall = 1e-4;     // c1
constexpr double kEnoughFlatness = 0.9;  // c2
constexpr double kSmallestMove = 1e-9;
// A loss is a mean of float32 numbers: differences below this part of it are noise.
constexpr double kNoise = 4.0 * std::numeric_limits<float>::epsilon();
// The usual error of one, of many rows that are rounded each their way.
constexpr double kValueRounding = std::numeric_limits<float>::epsilon() / 4;

// Where the line through both slopes is 0, as a share of the way back from the right point; NaN
// where slopes do not rise.
double SecantShare(double left_slope, double right_slope) {
  const double rise = right_slope - left_slope;
  return rise > 0 ? right_slope / rise : std::numeric_limits<double>::quiet_NaN();
}

// The minimum of the cubic through two points and their slopes, in [low, high]; the middle where
// there is none. Over a short way the difference of two values is their rounding, which alone would
// decide whether the cubic has a minimum: the slopes are exact enough to be asked instead.
double CubicMinimum(const LinePoint& a, const LinePoint& b, double low, double high) {
  const LinePoint& left = a.length <= b.length ? a : b;
  const LinePoint& right = a.length <= b.length ? b : a;
  const double width = right.length - left.length;
  const double rise = right.slope - left.slope;
  const double d1 = left.slope + right.slope - 3 * (left.value - right.value) / -width;
  const double square = d1 * d1 - left.slope * right.slope;
  const double rounding = 6 * kValueRounding * std::fabs(left.value) / width;  // of d1
  const bool is_noise = 2 * std::fabs(d1) * rounding > rise * rise / 4;
  const double d2 = std::sqrt(square);
  const double share =
      is_noise ? SecantShare(left.slope, right.slope) : (right.slope + d2 - d1) / (rise + 2 * d2);
  const double minimum = right.length - width * share;
  if (!std::isfinite(minimum)) return (low + high) / 2;
  return std::clamp(minimum, low, high);
}

class Search {
 public:
  Search(const LinePoint& start, double direction_max, const LineProbe& probe)
      : start_(start), direction_max_(direction_max), probe_(probe) {}

  // Goes outward until a good point, or two with one between them.
  absl::Status Bracket(double first);
  // Narrows the two down to a good point.
  absl::Status Zoom();
  LinePoint best() const { return low_.value <= start_.value + Noise() ? low_ : start_; }

 private:
  double Noise() const { return kNoise * std::fabs(start_.value); }
  bool FallsEnough(const LinePoint& point) const {
    return point.value <= start_.value + kEnoughFall * point.length * start_.slope + Noise();
  }
  bool IsFlatEnough(const LinePoint& point) const {
    return std::fabs(point.slope) <= -kEnoughFlatness * start_.slope;
  }
  void SetBracket(const LinePoint& a, const LinePoint& b) {
    low_ = a.value <= b.value ? a : b;
    high_ = a.value <= b.value ? b : a;
  }
  double NextLength();
  void Narrow(const LinePoint& point);

  // Constant after construction.
  const LinePoint start_;
  const double direction_max_;
  const LineProbe& probe_;

  LinePoint low_, high_;  // a minimum is between them; low_ is the lower one
  bool done_ = false;
  bool slow_ = false;  // the last length was next to a border
  int probes_ = 0;
};

absl::Status Search::Bracket(double first) {
  LinePoint before = start_;
  TY_ASSIGN_OR_RETURN(LinePoint point, probe_(first));
  for (; probes_ < kLineProbesMax; ++probes_) {
    if (!FallsEnough(point) || (probes_ > 1 && point.value >= before.value)) break;
    done_ = IsFlatEnough(point);
    if (done_ || point.slope >= 0) break;
    const double low = point.length + 0.01 * (point.length - before.length);
    const double next = CubicMinimum(before, point, low, point.length * 10);
    before = std::exchange(point, LinePoint{});
    TY_ASSIGN_OR_RETURN(point, probe_(next));
  }
  if (probes_ == kLineProbesMax) before = start_;
  SetBracket(before, point);
  if (done_) low_ = point;
  return absl::OkStatus();
}

double Search::NextLength() {
  const auto [left, right] = std::minmax(low_.length, high_.length);
  const double length = CubicMinimum(low_, high_, left, right);
  const double margin = 0.1 * (right - left);
  if (std::min(right - length, length - left) >= margin) {
    slow_ = false;
    return length;
  }
  // Next to a border once is tolerated.
  if (!slow_ && length < right && length > left) {
    slow_ = true;
    return length;
  }
  slow_ = false;
  return right - length < length - left ? right - margin : left + margin;
}

void Search::Narrow(const LinePoint& point) {
  if (!FallsEnough(point) || point.value > low_.value + Noise()) {
    SetBracket(low_, point);
    return;
  }
  done_ = IsFlatEnough(point);
  if (!done_ && point.slope * (high_.length - low_.length) >= 0) high_ = low_;
  low_ = point;
}

absl::Status Search::Zoom() {
  for (; !done_ && probes_ < kLineProbesMax; ++probes_) {
    if (std::fabs(high_.length - low_.length) * direction_max_ < kSmallestMove) break;
    TY_ASSIGN_OR_RETURN(const LinePoint point, probe_(NextLength()));
    Narrow(point);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LinePoint> StrongWolfeSearch(const LinePoint& start, double first,
                                            double direction_max, const LineProbe& probe) {
  Search search(start, direction_max, probe);
  TY_RETURN_IF_ERROR(search.Bracket(first));
  TY_RETURN_IF_ERROR(search.Zoom());
  return search.best();
}

}  // namespace trainyard
