// DrainSignal tells every call that the server is going away: new ones are refused, streams that
// would never end by themselves end.
//
//   auto subscription = drain.Subscribe([weak = weak_from_this()] { ... });
//   drain.Begin();      // once; calls every listener
//
// Thread-safety: all methods from any thread. Listeners are called on the thread that calls Begin()
// and may still be running when their Subscription is destroyed: let them hold a weak_ptr.
#ifndef TRAINYARD_SERVER_RPC_DRAIN_SIGNAL_H_
#define TRAINYARD_SERVER_RPC_DRAIN_SIGNAL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace trainyard {

class DrainSignal {
 public:
  class Subscription {
   public:
    Subscription(DrainSignal* signal, uint64_t id) : signal_(signal), id_(id) {}
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    DrainSignal* const signal_;
    const uint64_t id_;
  };

  bool draining() const { return draining_.load(std::memory_order_acquire); }
  void Begin();
  // REQUIRES: the signal outlives the subscription. When draining already, `listener` is never
  // called: look at draining() afterwards.
  std::unique_ptr<Subscription> Subscribe(std::function<void()> listener);

 private:
  std::atomic<bool> draining_{false};
  absl::Mutex mutex_;
  std::map<uint64_t, std::function<void()>> listeners_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
};

// UNAVAILABLE/DRAINING with a retry delay.
absl::Status DrainingError();

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_DRAIN_SIGNAL_H_
