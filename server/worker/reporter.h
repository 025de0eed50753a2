// Reporter sends what an attempt does while it trains, without holding the training up: the
// training thread only adds to a buffer. It also watches the clock, and asks the run to stop at its
// runtime limit.
//
// The first event leaves at once, then a batch at most every kBatchInterval or kBatchEventsMax
// events, and counters at least every kProgressInterval.
//
//   Reporter reporter({.job = name, .attempt = 1, .max_runtime = absl::Hours(1)}, &sink, &stop);
//   ... reporter.Add(event); reporter.SetProgress(steps, rows); ...
//   reporter.Finish();                     // everything has been handed to the sink
//
// Thread-safety: all methods from one thread, but where said. Owns one thread "ty-report".
// Lifetime: `sink` and `stop` must outlive it.
#ifndef TRAINYARD_SERVER_WORKER_REPORTER_H_
#define TRAINYARD_SERVER_WORKER_REPORTER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
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
  absl::Duration max_runtime = absl::InfiniteDuration();  // StopCause::kRuntimeLimit then
  // Where the attempt goes on from; default: from the beginning.
  v1::Checkpoint from;
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
  // How far the job is, as a checkpoint says it: but for step, size and digest.
  v1::Checkpoint CheckpointNow();
  // A checkpoint that is stored, `write_seconds` after it was begun; its event goes with it. From
  // any thread.
  void AddCheckpoint(v1::Checkpoint checkpoint, double write_seconds);
  // One could not be stored. From any thread.
  void CountCheckpointFailure();
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
  const absl::Time started_;  // earlier by what the attempts before took
  std::atomic<int64_t> steps_done_;
  std::atomic<int64_t> rows_done_;

  absl::Mutex mu_;
  // An event, and the checkpoint that it tells of.
  struct Item {
    v1::JobEvent event;
    std::optional<v1::Checkpoint> checkpoint;
    double checkpoint_write_seconds = 0;
  };
  std::deque<Item> buffer_ ABSL_GUARDED_BY(mu_);
  int64_t checkpoint_failures_ ABSL_GUARDED_BY(mu_) = 0;  // since the last batch
  int64_t added_count_ ABSL_GUARDED_BY(mu_);  // as EventBatch.event_count counts
  int64_t sent_count_ ABSL_GUARDED_BY(mu_);
  absl::Time last_sent_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_REPORTER_H_
