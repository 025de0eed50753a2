// From a job's events to what a person sees of it: a state, then one line. Speed and remaining time
// come from the events' own times, not from when they arrived, so a replayed log shows the speed of
// the training.
//
//   ProgressTracker tracker;
//   tracker.OnSnapshot(job);
//   tracker.OnEvent(event);
//   out << ProgressLine(tracker.state(), width);     // on a terminal, in place
//   out << EventLine(event, tracker.state());        // elsewhere, one line per event worth one
//
// Thread-safety: none; one tracker per watch. The line functions are pure.
#ifndef TRAINYARD_CLIENT_PROGRESS_H_
#define TRAINYARD_CLIENT_PROGRESS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

struct ProgressState {
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  int64_t epochs_done = 0;
  int64_t epochs_total = 0;
  int64_t steps_done = 0;
  int64_t steps_total = 0;             // 0: unknown
  int64_t run = 0;                     // 0-based number of the seed or fold
  int64_t run_count = 1;               // of seeds or folds; epochs and steps are those of all
  bool folds = false;                  // cross-validation
  bool analysis = false;               // then steps are points, and there are no epochs
  std::optional<double> loss;          // the newest training loss, of a step or an epoch
  std::vector<v1::Metric> validation;  // of the newest evaluation: "loss", "accuracy", …
  std::optional<double> rows_per_second;
  std::optional<absl::Duration> eta;
};

class ProgressTracker {
 public:
  // Takes the totals; what is done comes from the events.
  void OnSnapshot(const v1::TrainingJob& job);
  void OnEvent(const v1::JobEvent& event);

  const ProgressState& state() const { return state_; }

 private:
  // How far training was at a time.
  struct Sample {
    absl::Time time;
    int64_t rows = 0;
    int64_t steps = 0;
  };
  void OnStateChange(const v1::JobEvent& event);
  void OnEpoch(const v1::JobEvent& event);
  void OnAnalysisProgress(const v1::JobEvent& event);
  void OnRewind(const v1::Rewind& rewind);
  void AddSample(const Sample& sample);
  void UpdateSpeed();

  ProgressState state_;
  double seconds_per_step_ = 0;  // 0: unknown
  std::deque<Sample> samples_;   // of the current attempt and the last seconds; oldest first
};

// "epoch 3/20 [####------] 40%  loss 0.1234  val_loss 0.2  val_accuracy 0.95  1.2M rows/s  ETA
// 12s", with "(seed 2/5)" or "(fold 2/5)" after the epochs or "points 50/625" of an analysis
// instead, at most `width` columns: parts are left out from the right, the bar takes what is left
// over.
std::string ProgressLine(const ProgressState& state, size_t width);

// A line without its end for state changes, epochs, evaluations, notes, rewinds and test results;
// empty for steps, checkpoints and the progress of an analysis. `state` is the tracker's, after the
// event.
std::string EventLine(const v1::JobEvent& event, const ProgressState& state);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_PROGRESS_H_
