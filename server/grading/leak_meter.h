// How much was told of a sealed test set, in bits. Telling one of n values tells at most log2(n)
// bits (whoever asks knows nothing before), so the sum over all that was told to a student, or to a
// class, bounds what they can know of it together. Reaching the limit ends the answers, not the
// grading.
//
//   const int64_t cost = ReleaseMillibits(ReportedValueCount(metric, rows));
//   TY_ASSIGN_OR_RETURN(LeakTotals after, ChargeRelease(before, limits, cost));
//
// A receipt that was told before and is told again (the same spec, from the cache) tells nothing
// new: do not charge it. Counted in thousandths of a bit, whole and rounded up, so that a total is
// exact and never too low.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_LEAK_METER_H_
#define TRAINYARD_SERVER_GRADING_LEAK_METER_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"

namespace trainyard {

// Of one release of one of `value_count` values: ⌈1000·log2(value_count)⌉. A value that is always
// the same costs 0. REQUIRES: value_count ≥ 1.
int64_t ReleaseMillibits(int64_t value_count);

// Both of one assignment's sealed set.
struct LeakTotals {
  int64_t student_millibits = 0;
  int64_t class_millibits = 0;
  bool operator==(const LeakTotals&) const = default;
};

struct LeakLimits {
  std::optional<int64_t> student_millibits_max;
  std::optional<int64_t> class_millibits_max;
};

// The totals after one more release. Errors: RESOURCE_EXHAUSTED/ATTEMPTS_EXHAUSTED when it would
// exceed a limit: nothing may be told then, nor charged. REQUIRES: cost_millibits ≥ 0; totals ≥ 0.
absl::StatusOr<LeakTotals> ChargeRelease(const LeakTotals& before, const LeakLimits& limits,
                                         int64_t cost_millibits);

// How many more releases of this cost the limits allow; nullopt: there is no limit.
std::optional<int64_t> ReleasesLeft(const LeakTotals& totals, const LeakLimits& limits,
                                    int64_t cost_millibits);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_LEAK_METER_H_
