// Moments of an array of numbers in which NaN means missing: counted, smallest, largest, mean and
// deviation, each as exact as a double can say it.
//
// Sums keep the rounding error of every addition beside them (Knuth's two-sum), so that neither the
// number of cells nor cancellation shows: 1e9 + 1 and 1e9 + 2 have the deviation of 1 and 2.
// Squares are scaled by a power of two, so that 1e200 and 1e-200 have one. Bits do not depend on
// the machine. Thread-safety: pure function.
#ifndef TRAINYARD_CORE_DATA_MOMENTS_H_
#define TRAINYARD_CORE_DATA_MOMENTS_H_

#include <cstdint>
#include <span>

namespace trainyard {

struct Moments {
  int64_t count = 0;  // of numbers that are not NaN; all else is 0 without any
  double min = 0;
  double max = 0;
  double mean = 0;
  double standard_deviation = 0;  // divisor: count; 0 exactly when all are equal
  bool integers = false;          // every number is one
};

// About 1 ns a number. REQUIRES: no infinities, at most 2^40 numbers.
Moments ComputeMoments(std::span<const double> numbers);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_MOMENTS_H_
