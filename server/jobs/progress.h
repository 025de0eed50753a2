// How a job's record follows its training: events become latest and best metrics, counters become
// speed and ETA.
//
// Thread-safety: none; JobManager holds the lock.
#ifndef TRAINYARD_SERVER_JOBS_PROGRESS_H_
#define TRAINYARD_SERVER_JOBS_PROGRESS_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

// nullopt when `metrics` has none of that name.
std::optional<double> FindMetric(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics,
                                 absl::string_view name);

// Forgets what an earlier attempt measured: a new one starts from the beginning and measures it
// again.
void ResetProgress(v1::TrainingJob* job);

// Takes one step, epoch, evaluation, test or analysis_progress event into latest_metrics,
// best_metrics, test results and progress. Other events change nothing.
void ApplyEvent(const v1::JobEvent& event, v1::TrainingJob* job);

// The counters of one attempt, as its batches bring them.
class AttemptCounters {
 public:
  AttemptCounters() = default;
  // Of an attempt that goes on from a checkpoint.
  explicit AttemptCounters(const v1::Checkpoint& from);

  // What a batch added.
  struct Increment {
    int64_t steps = 0, rows = 0;
    double busy_seconds = 0;
  };
  // Takes the counters of the next batch, and updates speed, ETA and steps_done of `progress`.
  // Counters that go back are taken as unchanged.
  Increment Add(const v1::EventBatch& batch, v1::JobProgress* progress);

 private:
  // Speed is measured over at least this much training, so that it follows changes and does not
  // jitter.
  static constexpr double kWindowSeconds = 2;
  struct Sample {
    int64_t steps = 0, rows = 0;
    double busy_seconds = 0;
  };
  Sample now_, window_start_, next_window_start_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_PROGRESS_H_
