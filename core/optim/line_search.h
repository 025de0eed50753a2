// A line search for a step length that fulfils the strong Wolfe conditions: the function falls
// enough, and its slope flattens enough (Nocedal and Wright 2006, algorithms 3.5 and 3.6, in the
// form of PyTorch's _strong_wolfe). Internal to optim.
//
// Thread-safety: a pure function but for `probe`.
#ifndef TRAINYARD_CORE_OPTIM_LINE_SEARCH_H_
#define TRAINYARD_CORE_OPTIM_LINE_SEARCH_H_

#include <functional>

#include "absl/status/statusor.h"

namespace trainyard {

// φ(length) = f(x + length·d). An infinite value: the function is not finite there.
struct LinePoint {
  double length = 0;
  double value = 0;
  double slope = 0;  // φ'(length)
};
// Probes of one search, at most. PyTorch's.
inline constexpr int kLineProbesMax = 25;
using LineProbe = std::function<absl::StatusOr<LinePoint>(double length)>;

// The best point found; `start` itself when none is lower. `start`: length 0, slope below 0.
// `first`: the length to try first. `direction_max`: largest element of d. A fall smaller than what
// float32 arithmetic can tell counts as none, so that the search also ends well next to a minimum.
// Errors: those of `probe`.
absl::StatusOr<LinePoint> StrongWolfeSearch(const LinePoint& start, double first,
                                            double direction_max, const LineProbe& probe);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_LINE_SEARCH_H_
