// StopFlag asks a training loop to stop at its next step. It is set by any thread and read by the loop.
//
//   StopFlag stop;
//   std::thread t([&] { trainer.Run(observer, stop).IgnoreError(); });
//   stop.Request(StopCause::kCancelled);
//
// Thread-safety: all methods from any thread, lock-free.
#ifndef TRAINYARD_CORE_BASE_STOP_FLAG_H_
#define TRAINYARD_CORE_BASE_STOP_FLAG_H_

#include <atomic>

namespace trainyard {

enum class StopCause : int {
  kNone = 0,
  kCancelled = 1,     // the result is not wanted
  kRuntimeLimit = 2,  // the model as it is now is wanted
  kYield = 3,         // somebody goes on from a checkpoint taken now
};

class StopFlag {
 public:
  // The first cause stays.
  void Request(StopCause cause) {
    StopCause none = StopCause::kNone;
    cause_.compare_exchange_strong(none, cause, std::memory_order_relaxed);
  }
  StopCause cause() const { return cause_.load(std::memory_order_relaxed); }
  bool requested() const { return cause() != StopCause::kNone; }

 private:
  std::atomic<StopCause> cause_{StopCause::kNone};
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_STOP_FLAG_H_
