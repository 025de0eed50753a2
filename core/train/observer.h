// TrainObserver is how results leave the training loop. core/ does not log, print, or know about
// jobs.
//
// Thread-safety: Trainer calls all methods from the thread that called Run(), never concurrently.
// Callbacks are on the hot path: OnStep should return in microseconds. They must not call back into
// the Trainer. Lifetime: records are valid during the call only. Loss values are means over rows,
// in the unit of the loss (nats for the cross-entropies).
#ifndef TRAINYARD_CORE_TRAIN_OBSERVER_H_
#define TRAINYARD_CORE_TRAIN_OBSERVER_H_

#include <cstdint>

#include "core/nn/meter.h"

namespace trainyard {

struct StepRecord {
  int64_t step = 0;   // 0-based, over the whole run
  int64_t epoch = 0;  // 0-based
  double loss = 0;    // of the step's batch, before the update
  double learning_rate = 0;
  double gradient_norm = 0;  // Euclidean, over all parameters
  int64_t rows_seen = 0;     // training rows, over the whole run, this step included
  int64_t run = 0;           // 0-based number of the seed
};

struct EpochRecord {
  int64_t epoch = 0;       // 0-based
  int64_t steps_done = 0;  // over the whole run
  double train_loss = 0;   // row-weighted mean over the epoch's steps
  EvalResult validation;
  double learning_rate = 0;  // of the epoch's last step
  int64_t rows_seen = 0;
  int64_t run = 0;  // 0-based number of the seed
};

// An evaluation between two epochs.
struct EvaluationRecord {
  int64_t steps_done = 0;  // over the whole run
  int64_t epoch = 0;       // 0-based, that it is in
  EvalResult validation;
  int64_t run = 0;
};

class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  // Called for the first step and then every TrainConfig::step_event_interval steps.
  virtual void OnStep(const StepRecord& step) = 0;
  virtual void OnEpoch(const EpochRecord& epoch) = 0;
  // Called every TrainConfig::evaluation_interval steps. Default: nothing.
  virtual void OnEvaluation(const EvaluationRecord& /*evaluation*/) {}
  // Called after every step, with no values computed for it: for progress counters. Default:
  // nothing.
  virtual void OnProgress(int64_t /*steps_done*/, int64_t /*rows_seen*/) {}
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_OBSERVER_H_
