// Executor runs bodies of calls on a fixed number of threads, behind a bounded queue: bodies block
// on disk, gRPC's own threads must not.
//
//   Executor quick({.name = "ty-quick", .threads = 16, .queue_max = 4096});
//   if (!quick.Submit([=] { ... })) return BusyError();
//
// Thread-safety: all methods from any thread. Owns its threads and joins them in the destructor,
// which runs what was queued first.
#ifndef TRAINYARD_SERVER_RPC_EXECUTOR_H_
#define TRAINYARD_SERVER_RPC_EXECUTOR_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace trainyard {

class Executor {
 public:
  struct Options {
    std::string name;         // of its threads, at most 12 bytes
    int threads = 1;          // more: more bodies blocked on disk at once
    size_t queue_max = 1024;  // bodies that wait; beyond it Submit refuses
  };

  explicit Executor(const Options& options);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // False when the queue is full: `body` will not run. REQUIRES: `body` does not throw.
  [[nodiscard]] bool Submit(std::function<void()> body);

  // Bodies waiting now.
  size_t queued() const;

 private:
  void RunThread(int index);
  // Waits for the next body; null when there will be none any more.
  std::function<void()> Take();
  bool HasWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  }

  const Options options_;
  mutable absl::Mutex mutex_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

// RESOURCE_EXHAUSTED/QUEUE_FULL with a retry delay: what a call answers that an executor refused.
absl::Status BusyError();

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_EXECUTOR_H_
