// TrainConfig is the training spec in core's own words: everything that decides what a run
// computes. See trainyard.v1.TrainingSpec for what each field means to a user.
//
//   TrainConfig config{.layers = {{64, Activation::kRelu}}, .epochs = 50};
//   std::vector<FieldViolation> faults;
//   config = ResolveTrainConfig(config, schema, &faults, &notes);
//
// Thread-safety: a value.
#ifndef TRAINYARD_CORE_TRAIN_TRAIN_CONFIG_H_
#define TRAINYARD_CORE_TRAIN_TRAIN_CONFIG_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/data/dataset.h"
#include "core/nn/loss.h"
#include "core/nn/meter.h"
#include "core/nn/mlp.h"
#include "core/optim/optimizer.h"
#include "core/optim/schedule.h"

namespace trainyard {

// The weights of one layer as a user gives them.
struct InitialLayerConfig {
  std::vector<float> weights;  // [in, out], row-major
  std::vector<float> biases;   // [out], or empty: zeros
};

struct EarlyStoppingConfig {
  bool enabled = false;       // the user asked for it
  std::string metric;         // of the validation rows; empty: "loss"
  int64_t patience = 10;      // evaluations without improvement
  double min_delta = 0;       // unit of the metric: of a loss that of y, scaled or not
  bool restore_best = true;   // the result is the best evaluation's, however the run stops
  bool restore_only = false;  // never stop early
};

// LossConfig's class weights are by index, which is known only with the classes; here they are by
// name.
struct ClassWeights {
  std::vector<std::pair<std::string, double>> by_name;  // sorted by name; classes not named have 1
  bool balanced = false;
};

// What EpochRecord::layers has. Numbers equal trainyard.v1.LayerRecords.
enum class LayerRecords : uint8_t { kUnspecified = 0, kNone = 1, kSummary = 2, kHistograms = 3 };

struct TrainConfig {
  DataConfig data;
  std::vector<LayerConfig> layers;                  // hidden layers, input to output
  InitConfig init;                                  // kUnspecified: see trainyard.v1.Init
  std::vector<InitialLayerConfig> initial_weights;  // all layers, output layer last; empty: drawn
  double input_dropout = 0;
  bool output_bias = true;
  LossConfig loss;  // kUnspecified: by the task; class_weights stay empty here
  ClassWeights class_weights;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  EarlyStoppingConfig early_stopping;
  std::vector<std::string> metrics;  // wanted after each evaluation beyond the usual ones
  int64_t batch_size = 32;           // rows per step; more than the training rows means full batch
  int64_t epochs = 0;                // 0: chosen by ResolveTrainConfig
  uint64_t seed = 0;
  int64_t threads = 1;
  int64_t max_steps = 0;            // optimizer steps, of one run; 0: no limit
  int64_t accumulation_steps = 1;   // batches for one optimizer step
  int64_t evaluation_interval = 0;  // steps between evaluations inside an epoch; 0: none
  int64_t seed_count = 1;           // seeds seed, seed + 1, …; the split is that of `seed`
  Precision precision = Precision::kFp32;
  int64_t step_event_interval = 0;  // steps between OnStep calls; 0: chosen by ResolveTrainConfig
  LayerRecords layer_records = LayerRecords::kNone;
  double runtime_seconds_max = limits::kRuntimeSecondsMax;  // enforced by whoever sets the StopFlag
};

// How long a run is when nobody says. Adam moves a weight by at most about its learning rate in a
// step, 0.001 by default, so that a weight of 1 is a thousand steps away: 20 epochs of 100 rows are
// only 80. The least is for large tables. The most, which is scikit-learn's, is for those of fewer
// than five batches, whose rows would be seen too often.
inline constexpr int64_t kChosenSteps = 1000;
inline constexpr int64_t kChosenEpochsMin = 20;
inline constexpr int64_t kChosenEpochsMax = 200;

// `config` with every default and inferred choice made; a resolved config stays as it is. Faults go
// to `violations` with paths in the words of the proto, without "spec." in front:
// "layers[2].units", "optimizer.learning_rate", "loss_options.delta"; each description has the
// value, the limit and the remedy. The target of a regression is standardised unless
// data.target_scaling says otherwise or the loss is Poisson's. Notes for the user (task inferred, a
// network of identities is linear) go to `notes`. Every range and every "only with" of
// trainyard.v1.TrainingSpec is checked, the data part by ResolveDataConfig, optimizer and schedule
// by optimizer_checks.h; what counts rows, parameters, steps or events only when every field by
// itself is in order. epochs, when 0, are as many as make kChosenSteps, in [kChosenEpochsMin,
// kChosenEpochsMax], and a note says so. Whether this machine has the precision is checked too:
// server and workers share it. step_event_interval, when 0, is chosen from the FLOPs of a step and
// a nominal speed, for at most about 10 events a second: a pure function of the config and the
// schema, so that a repeated run records the same events.
TrainConfig ResolveTrainConfig(const TrainConfig& config, const Schema& schema,
                               std::vector<FieldViolation>* violations,
                               std::vector<std::string>* notes);

// Shape of the network for a resolved config.
MlpConfig MlpConfigOf(const TrainConfig& config, int64_t features, int64_t outputs);

// Outputs of the network for a resolved config: the number of classes or labels, or 1. A class that
// is in the table but in no training row counts too.
int64_t OutputCountOf(const TrainConfig& config, const Schema& schema);

// Loss with the class weights of the dataset's classes and the scaling of its target: what training
// and its evaluations use. Balanced ones count training rows; a class without any counts 1.
// REQUIRES: `config` is resolved and `dataset` was built from it.
LossConfig LossConfigOf(const TrainConfig& config, const Dataset& dataset);

// The metric that early stopping, and the choice between seeds, go by.
std::string MonitoredMetric(const TrainConfig& config);

// What an evaluation measures: the usual metrics, those asked for, and those something goes by.
// REQUIRES: as LossConfigOf.
MeterConfig MeterConfigOf(const TrainConfig& config, const Dataset& dataset);

// Runs of a resolved config, one after another: its seeds, or its folds.
int64_t RunCountOf(const TrainConfig& config);

// Number of training rows a resolved config has, in the run that has fewest. Exact, but for a split
// by groups, where it is what holds on average.
int64_t TrainRowCount(const TrainConfig& config, const Schema& schema);

// Optimizer steps of one epoch; the last one may be of fewer batches, and its last batch shorter.
int64_t StepsPerEpoch(const TrainConfig& config, int64_t train_rows);

// What one run does if nothing stops it early but max_steps.
RunLength RunLengthOf(const TrainConfig& config, int64_t train_rows);

// Optimizer steps of all runs together, if nothing stops them early but max_steps. As exact as
// TrainRowCount.
int64_t StepsTotal(const TrainConfig& config, const Schema& schema);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_TRAIN_CONFIG_H_
