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
#include <optional>
#include <string>
#include <vector>

#include "core/nn/meter.h"
#include "core/nn/number_summary.h"

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

// One layer at the end of an epoch.
struct LayerRecord {
  std::string name;               // "layers[0]" or "output"
  int64_t parameter_count = 0;    // weights, biases, gains and shifts; what the norms are over
  double weight_norm = 0;         // Euclidean
  double gradient_norm = 0;       // Euclidean, of the epoch's last step; of a scaled target
  double update_ratio = 0;        // ‖what the last step changed‖ / ‖what was there‖
  double dead_unit_fraction = 0;  // see UnitWatch; 0 for the output layer
  double saturated_fraction = 0;  // see UnitWatch; 0 for the output layer
  std::optional<NumberSummary> weights, gradients;  // of the weights alone; with kHistograms
};

struct EpochRecord {
  int64_t epoch = 0;       // 0-based
  int64_t steps_done = 0;  // over the whole run
  double train_loss = 0;   // row-weighted mean over the epoch's steps
  EvalResult validation;
  double learning_rate = 0;  // of the epoch's last step
  int64_t rows_seen = 0;
  int64_t run = 0;                  // 0-based number of the seed
  std::vector<LayerRecord> layers;  // input to output; with TrainConfig::layer_records
};

// Numbers equal trainyard.v1.TrainingWarning.
enum class WarningKind : int {
  kUnspecified = 0,
  kVanishingGradients = 1,
  kExplodingGradients = 2,
  kDeadUnits = 3,
  kSaturatedUnits = 4,
  kOverfitting = 5,
  kStuckLoss = 6,
};

// What goes wrong with a training; see Diagnosis.
struct TrainingWarning {
  WarningKind kind = WarningKind::kUnspecified;
  std::string message;  // what and where, with the numbers
  std::string remedy;   // what to try, with the options in force
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
  // Called after the OnEpoch of the epoch that shows it. Default: nothing.
  virtual void OnWarning(const TrainingWarning& /*warning*/) {}
  // Called after every step, with no values computed for it: for progress counters. Default:
  // nothing.
  virtual void OnProgress(int64_t /*steps_done*/, int64_t /*rows_seen*/) {}
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_OBSERVER_H_
