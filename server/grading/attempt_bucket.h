// AttemptBucket says how many attempts a student has: a bucket of `burst` that fills up by one each period. It is a function of when
// attempts were charged, so there is nothing to reset at midnight, and nothing to give back: a refund is a charge less.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_ATTEMPT_BUCKET_H_
#define TRAINYARD_SERVER_GRADING_ATTEMPT_BUCKET_H_

#include <vector>

#include "absl/time/time.h"
#include "trainyard/v1/course.pb.h"

namespace trainyard {

inline constexpr int kAttemptBurstDefault = 5;
inline constexpr absl::Duration kAttemptPeriodDefault = absl::Hours(4);
inline constexpr int kQueuedSubmissionsDefault = 3;
inline constexpr int kUngradableDefault = 20;

// With defaults filled in.
v1::AttemptLimits ResolveAttempts(const v1::AttemptLimits& limits);

struct AttemptBucket {
  int left = 0;
  absl::Time next = absl::InfiniteFuture();  // when one more comes back; infinite when full
};

// After `charges`, in any order; those after `now` (a clock that was set back) count as if they were of now. REQUIRES: `limits` are resolved.
AttemptBucket BucketAt(std::vector<absl::Time> charges, const v1::AttemptLimits& limits,
                       absl::Time now);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_ATTEMPT_BUCKET_H_
