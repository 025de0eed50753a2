#include "server/grading/attempt_bucket.h"

#include <algorithm>

namespace trainyard {
namespace {

absl::Duration PeriodOf(const v1::AttemptLimits& limits) {
  return absl::Seconds(limits.refill_period().seconds()) +
         absl::Nanoseconds(limits.refill_period().nanos());
}

}  // namespace

v1::AttemptLimits ResolveAttempts(const v1::AttemptLimits& limits) {
  v1::AttemptLimits resolved = limits;
  if (limits.burst() == 0) resolved.set_burst(kAttemptBurstDefault);
  if (!limits.has_refill_period()) {
    resolved.mutable_refill_period()->set_seconds(absl::ToInt64Seconds(kAttemptPeriodDefault));
  }
  if (limits.queued_max() == 0) resolved.set_queued_max(kQueuedSubmissionsDefault);
  if (limits.ungradable_max() == 0) resolved.set_ungradable_max(kUngradableDefault);
  return resolved;
}

AttemptBucket BucketAt(std::vector<absl::Time> charges, const v1::AttemptLimits& limits,
                       absl::Time now) {
  std::sort(charges.begin(), charges.end());
  const absl::Duration period = PeriodOf(limits);
  // The bucket is full when the last of what was taken has come back: each charge pushes that time on by a period.
  absl::Time full = absl::InfinitePast();
  for (const absl::Time charge : charges) full = std::max(full, std::min(charge, now)) + period;
  AttemptBucket bucket{.left = limits.burst()};
  if (full <= now) return bucket;
  const absl::Duration missing = full - now;
  absl::Duration rest;
  const int64_t whole = absl::IDivDuration(missing, period, &rest);
  const int64_t taken = whole + (rest > absl::ZeroDuration() ? 1 : 0);
  bucket.left = static_cast<int>(std::max<int64_t>(limits.burst() - taken, 0));
  // One more is there when at most burst - left - 1 periods are missing.
  bucket.next = full - period * (limits.burst() - bucket.left - 1);
  return bucket;
}

}  // namespace trainyard
