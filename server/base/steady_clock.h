// Time that is not set. The wall clock (absl::Now) jumps when somebody sets it, and Abseil's timed
// waits go by it: an hour forward kills every job for its runtime, an hour back leaves a wait of 20
// ms asleep for an hour. So the wall clock is for telling people when something was; how long
// something takes, and when it is due, is of this one.
//
//   const absl::Time due = SteadyNow() + absl::Seconds(2);
//   absl::MutexLock lock(&mu_);
//   if (!AwaitFor(mu_, absl::Condition(&done_), due - SteadyNow())) …
//
// Thread-safety: all functions from any thread.
#ifndef TRAINYARD_SERVER_BASE_STEADY_CLOCK_H_
#define TRAINYARD_SERVER_BASE_STEADY_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace trainyard {

// Only differences mean anything: it counts from the start of the machine. Never to be mixed with
// absl::Now, stored, or shown.
absl::Time SteadyNow();

// As absl::Mutex::AwaitWithTimeout: waits until `condition` is true, or `timeout` has passed;
// returns whether it is true. One thread "ty-alarm" of the process wakes all who wait. REQUIRES:
// the caller holds no other mutex.
bool AwaitFor(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_BASE_STEADY_CLOCK_H_
