// Reporter sends what an attempt does while it trains, without holding the training up: the
// training thread only adds to a buffer. It also watches the clock, and asks the run to stop at its
// runtime limit.
//
// The first event leaves at once, then a batch at most every kBatchInterval or kBatchEventsMax
// events, and counters at least every kProgressInterval.
//
//   Reporter reporter({.job = name, .attempt = 1, .stop_at = deadline}, &sink, &stop);
//   ... reporter.Add(event); reporter.SetProgress(steps, rows); ...
//   reporter.Finish();                     // everything has been handed to the sink
//
// Thread-safety: Add, SetProgress and Finish from one thread. Owns one thread "ty-report".
// Lifetime: `sink` and `stop` must outlive it.
#ifndef TRAINYARD_SERVER_WORKER_REPORTER_H_
#define TRAINYARD_SERVER_WORKER_REPORTER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/stop_flag.h"
#include "server/worker/event_sink.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

struct ReporterOptions {
  std::string job;
  int32_t attempt = 0;
  absl::Time stop_at = absl::InfiniteFuture();  // StopCause::kRuntimeLimit then
};

class Reporter {
 public:
  static constexpr absl::Duration kBatchInterval = absl::Milliseconds(20);
  static constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);
  static constexpr size_t kBatchEventsMax = 256;
  // Events that may wait; beyond it Add blocks, and training waits for the server.
  static constexpr size_t kBufferedEventsMax = 16'384;

  Reporter(ReporterOptions options, EventSink* sink, StopFlag* stop);
  ~Reporter();  // Finish()

  void Add(v1::JobEvent event);
  void SetProgress(int64_t steps_done, int64_t rows_done) {
    steps_done_.store(steps_done, std::memory_order_relaxed);
    rows_done_.store(rows_done, std::memory_order_relaxed);
  }
  void Finish();

 private:
  void Run();
  bool BatchIsDue() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // Takes the next batch from the buffer; an empty one carries only counters.
  v1::WorkRequest TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const ReporterOptions options_;
  EventSink* const sink_;
  StopFlag* const stop_;
  const absl::Time started_;
  std::atomic<int64_t> steps_done_{0};
  std::atomic<int64_t> rows_done_{0};

  absl::Mutex mu_;
  std::deque<v1::JobEvent> buffer_ ABSL_GUARDED_BY(mu_);
  absl::Time last_sent_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_REPORTER_H_
