// Ticker calls functions at given times of the steady clock, all from one thread "ty-ticker":
// heartbeats and deadlines of any number of streams.
//
//   Ticker::Id id = ticker.At(SteadyNow() + absl::Seconds(15), [weak = weak_from_this()] { ... });
//   ticker.Cancel(id);
//
// Callbacks must be quick (hand work to an executor) and may call At and Cancel. One may still be
// running when Cancel returns: let callbacks hold a weak_ptr to what they touch.
//
// Thread-safety: all methods from any thread. The destructor joins the thread; what is pending then
// is never called.
#ifndef TRAINYARD_SERVER_RPC_TICKER_H_
#define TRAINYARD_SERVER_RPC_TICKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace trainyard {

class Ticker {
 public:
  using Id = uint64_t;  // never 0

  Ticker();
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  // `when`: by SteadyNow.
  Id At(absl::Time when, std::function<void()> callback);
  // Nothing happens when `id` was called already, or is 0.
  void Cancel(Id id);

 private:
  using Key = std::pair<absl::Time, Id>;

  void RunThread();
  // Waits until a callback is due; null when the ticker stops.
  std::function<void()> Take();

  absl::Mutex mutex_;
  std::map<Key, std::function<void()>> pending_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<Id, absl::Time> times_ ABSL_GUARDED_BY(mutex_);  // of what is pending
  Id last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_TICKER_H_
