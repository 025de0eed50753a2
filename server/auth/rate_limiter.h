// RateLimiter is a token bucket per key: `rate` takes a second in the long run, `burst` at once. It
// goes by the steady clock.
//
//   RateLimiter limiter({.rate = 200, .burst = 400, .keys_max = 65'536});
//   TY_RETURN_IF_ERROR(limiter.Take("ann", SteadyNow()));
//
// Bound: at most `keys_max` keys, those that took last; keys beyond it share one bucket until
// others are full again.
//
// Thread-safety: all methods from any thread. Errors: RESOURCE_EXHAUSTED/RATE_LIMITED with a retry
// delay.
#ifndef TRAINYARD_SERVER_AUTH_RATE_LIMITER_H_
#define TRAINYARD_SERVER_AUTH_RATE_LIMITER_H_

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace trainyard {

class RateLimiter {
 public:
  struct Options {
    double rate = 200;  // takes a second; 0: no limit
    double burst = 400;
    size_t keys_max = 65'536;
  };
  explicit RateLimiter(const Options& options) : options_(options) {}

  // `now` is a time of SteadyNow.
  absl::Status Take(absl::string_view key, absl::Time now);

  size_t size() const;  // keys it remembers

 private:
  struct Bucket {
    double level = 0;  // what may be taken, as of `time`
    absl::Time time;
  };
  // What may be taken of `bucket` now.
  double LevelAt(const Bucket& bucket, absl::Time now) const;
  Bucket& BucketOf(absl::string_view key, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Forgets keys whose buckets are full: they are as if never seen.
  void ForgetFull(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Bucket> buckets_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_sweep_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_RATE_LIMITER_H_
