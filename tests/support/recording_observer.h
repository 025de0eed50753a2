// RecordingObserver keeps every record a Trainer gives out.
#ifndef TRAINYARD_TESTS_SUPPORT_RECORDING_OBSERVER_H_
#define TRAINYARD_TESTS_SUPPORT_RECORDING_OBSERVER_H_

#include <cstdint>
#include <vector>

#include "core/train/observer.h"

namespace trainyard {

class RecordingObserver : public TrainObserver {
 public:
  void OnStep(const StepRecord& step) override { steps.push_back(step); }
  void OnEpoch(const EpochRecord& epoch) override { epochs.push_back(epoch); }
  void OnEvaluation(const EvaluationRecord& evaluation) override {
    evaluations.push_back(evaluation);
  }
  void OnWarning(const TrainingWarning& warning) override { warnings.push_back(warning); }
  void OnProgress(int64_t steps_done, int64_t /*rows_seen*/) override {
    progress.push_back(steps_done);
  }

  std::vector<StepRecord> steps;
  std::vector<EpochRecord> epochs;
  std::vector<EvaluationRecord> evaluations;
  std::vector<TrainingWarning> warnings;
  std::vector<int64_t> progress;  // steps_done of each call
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_RECORDING_OBSERVER_H_
