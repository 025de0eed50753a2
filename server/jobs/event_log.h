// EventLog is the dense, durable log of each job: append, replay, follow. An event has its sequence
// number, and is seen by anyone, only when it is durable ("persist before publish").
//
// Watchers are cursors: they ask for events after the last one they sent, and are told when there
// is more. The newest events of jobs that are not terminal are kept in memory (bounded), older ones
// are read from SQLite.
//
// Thread-safety: all methods from any thread. Listeners are called from an internal thread; they
// must be quick and must not call back into the log (hand the work to a reactor or a pool).
#ifndef TRAINYARD_SERVER_JOBS_EVENT_LOG_H_
#define TRAINYARD_SERVER_JOBS_EVENT_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

using SharedEvent = std::shared_ptr<const v1::JobEvent>;

class EventLog {
 public:
  // Ends the subscription when destroyed; after that the listener is not running and will not be
  // called.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };

  virtual ~EventLog() = default;

  // Events with sequence >= start, at most `count_max`, in order; empty when there are none yet.
  // Errors: NOT_FOUND (no such job), DATA_LOSS.
  virtual absl::StatusOr<std::vector<SharedEvent>> Read(absl::string_view job_name,
                                                        int64_t start_sequence,
                                                        int64_t count_max) const = 0;
  // `listener` is called with the newest sequence after each durable append to the job's log; also
  // when the job is deleted (with -1). It may be called before this returns.
  virtual std::unique_ptr<Subscription> Subscribe(
      absl::string_view job_name, std::function<void(int64_t last_sequence)> listener) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_EVENT_LOG_H_
