// The values along an axis of a picture.
#ifndef TRAINYARD_CORE_ANALYSIS_AXIS_H_
#define TRAINYARD_CORE_ANALYSIS_AXIS_H_

#include <cstdint>
#include <vector>

namespace trainyard {

// `points` values from `from` to `to`, both exactly among them, evenly spaced; the middle of an odd
// number is exactly the mean of both ends when that is 0. REQUIRES: points ≥ 2.
inline std::vector<double> EvenAxis(double from, double to, int64_t points) {
  std::vector<double> axis;
  const auto last = static_cast<double>(points - 1);
  for (int64_t i = 0; i < points; ++i) {
    const auto k = static_cast<double>(i);
    axis.push_back((from * (last - k) + to * k) / last);
  }
  return axis;
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_AXIS_H_
