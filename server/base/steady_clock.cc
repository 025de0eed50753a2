#include "server/base/steady_clock.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace trainyard {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// Beyond any wait, and far from overflow.
constexpr absl::Duration kTimeoutMax = absl::Hours(24 * 365);

// Wakes threads that wait for a condition under a mutex of their own.
class AlarmClock {
 public:
  struct Waiter {
    explicit Waiter(absl::Mutex* its_mutex) : mutex(its_mutex) {}
    absl::Mutex* const mutex;
    bool expired = false;  // guarded by *mutex
    bool waiting = true;   // guarded by the clock
  };
  using Place = std::multimap<SteadyTime, Waiter*>::iterator;

  // Never destroyed: threads may wait until the process ends.
  static AlarmClock& Get() {
    static auto* const clock = new AlarmClock;
    return *clock;
  }

  Place Add(SteadyTime when, Waiter* waiter) {
    const std::lock_guard lock(mutex_);
    const Place place = waiters_.emplace(when, waiter);
    if (place == waiters_.begin()) changed_.notify_one();
    return place;
  }

  // False when it is being woken right now, which needs its mutex.
  bool Remove(Place place, Waiter* waiter) {
    const std::lock_guard lock(mutex_);
    if (waiter->waiting) waiters_.erase(place);
    return waking_ != waiter;
  }

  void AwaitWoken(const Waiter* waiter) {
    std::unique_lock lock(mutex_);
    woken_.wait(lock, [&] { return waking_ != waiter; });
  }

 private:
  AlarmClock() {
    std::thread([this] { Run(); }).detach();
  }

  [[noreturn]] void Run() {
    pthread_setname_np(pthread_self(), "ty-alarm");
    std::unique_lock lock(mutex_);
    while (true) {
      if (waiters_.empty()) {
        changed_.wait(lock);
      } else if (waiters_.begin()->first > std::chrono::steady_clock::now()) {
        changed_.wait_until(lock, SteadyTime(waiters_.begin()->first));
      } else {
        WakeFirst(lock);
      }
    }
  }

  void WakeFirst(std::unique_lock<std::mutex>& lock) {
    waking_ = waiters_.begin()->second;
    waking_->waiting = false;
    waiters_.erase(waiters_.begin());
    Waiter* const waiter = waking_;
    lock.unlock();
    {
      const absl::MutexLock its_lock(waiter->mutex);
      waiter->expired = true;
    }
    lock.lock();
    waking_ = nullptr;
    woken_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_, woken_;
  std::multimap<SteadyTime, Waiter*> waiters_;
  Waiter* waking_ = nullptr;
};

}  // namespace

absl::Time SteadyNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

bool AwaitFor(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout) {
  if (condition.Eval()) return true;
  if (timeout <= absl::ZeroDuration()) return false;
  AlarmClock& clock = AlarmClock::Get();
  AlarmClock::Waiter waiter(&mutex);
  const auto place = clock.Add(
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(std::min(timeout, kTimeoutMax)),
      &waiter);
  const auto is_over = [&] { return waiter.expired || condition.Eval(); };
  mutex.Await(absl::Condition(&is_over));
  if (!clock.Remove(place, &waiter)) {
    mutex.Unlock();
    clock.AwaitWoken(&waiter);
    mutex.Lock();
  }
  return condition.Eval();
}

}  // namespace trainyard
