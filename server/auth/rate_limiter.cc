#include "server/auth/rate_limiter.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

// Of all keys beyond the limit; no user and no address is called so.
constexpr absl::string_view kOverflowKey = "";
// A sweep looks at every key.
constexpr absl::Duration kSweepInterval = absl::Seconds(1);

absl::Status TooOften(double missing, const RateLimiter::Options& options) {
  const double seconds = std::max(std::ceil(missing / options.rate), 1.0);
  return MakeError(absl::StatusCode::kResourceExhausted, "too many calls",
                   {.reason = ErrorReason::kRateLimited,
                    .hint = "wait, then go on more slowly; watch a job rather than asking again",
                    .in_force = absl::StrCat("at most ", options.rate, " calls per second, ",
                                             options.burst, " at once"),
                    .metadata = {{kRetryAfterKey, absl::StrCat(seconds)}}});
}

}  // namespace

absl::Status RateLimiter::Take(absl::string_view key, absl::Time now) {
  if (options_.rate <= 0) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  Bucket& bucket = BucketOf(key, now);
  const double level = LevelAt(bucket, now);
  if (level < 1) return TooOften(1 - level, options_);
  bucket = {level - 1, now};
  return absl::OkStatus();
}

double RateLimiter::LevelAt(const Bucket& bucket, absl::Time now) const {
  const double refill = options_.rate * absl::ToDoubleSeconds(now - bucket.time);
  return std::min(bucket.level + std::max(refill, 0.0), options_.burst);
}

RateLimiter::Bucket& RateLimiter::BucketOf(absl::string_view key, absl::Time now) {
  const auto found = buckets_.find(key);
  if (found != buckets_.end()) return found->second;
  // One place is the overflow's.
  if (buckets_.size() + 1 >= options_.keys_max) ForgetFull(now);
  const bool is_full = buckets_.size() + 1 >= options_.keys_max;
  return buckets_.try_emplace(is_full ? kOverflowKey : key, Bucket{options_.burst, now})
      .first->second;
}

void RateLimiter::ForgetFull(absl::Time now) {
  if (now - last_sweep_ < kSweepInterval) return;
  last_sweep_ = now;
  absl::erase_if(buckets_,
                 [&](const auto& entry) { return LevelAt(entry.second, now) >= options_.burst; });
}

size_t RateLimiter::size() const {
  absl::MutexLock lock(&mutex_);
  return buckets_.size();
}

}  // namespace trainyard
