// Follows one job from an event to its end, over as many streams as that takes. Each event is
// delivered once and in order; the log being dense, a stream that skips or repeats one is refused,
// not believed.
//
// Thread-safety: one call at a time per Remote.
#ifndef TRAINYARD_CLIENT_WATCH_H_
#define TRAINYARD_CLIENT_WATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/remote.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

struct WatchOptions {
  std::string name;             // `trainingJobs/{id}`
  int64_t start_sequence = 1;   // of the first event wanted
  absl::Duration min_interval;  // between step events; zero: all of them
  bool without_steps = false;   // step events are not sent at all
};

// What a watch shows. Called from the thread that watches.
class WatchView {
 public:
  virtual ~WatchView() = default;
  // Once per stream, so again after a reconnection.
  virtual void OnSnapshot(const v1::TrainingJob& job) = 0;
  virtual void OnMessage(const v1::WatchTrainingJobResponse& event) = 0;
  virtual void OnHeartbeat() = 0;
  // The stream broke, and is taken up again after a while.
  virtual void OnBreak(absl::string_view notice) = 0;
};

// The terminal job: name, state, error and model are set. Errors: the server's, DATA_LOSS (an event
// is missing or comes twice), UNAVAILABLE when retries are used up, CANCELLED when interrupted (the
// job goes on).
absl::StatusOr<v1::TrainingJob> Watch(Remote& remote, const WatchOptions& options, WatchView& view);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_WATCH_H_
