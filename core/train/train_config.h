// TrainConfig is the training spec in core's own words: everything that decides what a run
// computes. See trainyard.v1.TrainingSpec for what each field means to a user.
//
//   TrainConfig config{.layers = {{64, Activation::kRelu}}, .epochs = 50};
//   std::vector<FieldViolation> faults;
//   config = ResolveTrainConfig(config, schema, &faults, &notes);   // defaults filled in, all
//   faults at once
//
// Thread-safety: a value.
#ifndef TRAINYARD_CORE_TRAIN_TRAIN_CONFIG_H_
#define TRAINYARD_CORE_TRAIN_TRAIN_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/data/dataset.h"
#include "core/nn/loss.h"
#include "core/nn/mlp.h"
#include "core/optim/optimizer.h"

namespace trainyard {

struct TrainConfig {
  DataConfig data;
  std::vector<LayerConfig> layers;  // hidden layers, input to output; {units, activation}
  InitKind init =
      InitKind::kUnspecified;  // kUnspecified: He before ReLU, Xavier before everything else
  LossKind loss = LossKind::kUnspecified;  // kUnspecified: by the task
  OptimizerConfig optimizer;
  int64_t batch_size = 32;  // rows per step; more than the training rows means full batch
  int64_t epochs = 20;
  uint64_t seed = 0;
  int64_t threads = 1;
  int64_t step_event_interval = 0;  // steps between OnStep calls; 0: chosen by ResolveTrainConfig
  double runtime_seconds_max = limits::kRuntimeSecondsMax;  // enforced by whoever sets the StopFlag
};

// `config` with every default and inferred choice made. Faults go to `violations` with paths in the
// words of the proto, without "spec." in front: "layers[2].units", "optimizer.learning_rate",
// "loss". Notes for the user (task inferred, a network of identities is linear) go to `notes`.
// Calls ResolveDataConfig for the data part. Each description has the value, the limit and the
// remedy. Checked: ranges of limits.h and the proto, NaN and infinities, loss against task,
// momentum without SGD and betas without Adam, zeros with hidden layers, parameter count, number of
// training events (kTrainingEventsMax). The counts are checked only when every field by itself is
// in order. step_event_interval, when 0, is chosen from the FLOPs of a step and a nominal speed,
// for at most about 10 events a second: a pure function of the config and the schema, so that a
// repeated run records the same events.
TrainConfig ResolveTrainConfig(const TrainConfig& config, const Schema& schema,
                               std::vector<FieldViolation>* violations,
                               std::vector<std::string>* notes);

// Shape of the network for a resolved config.
MlpConfig MlpConfigOf(const TrainConfig& config, int64_t features, int64_t outputs);

// Outputs of the network for a resolved config: the number of classes, or 1. A class that is in the
// table but in no training row counts too.
int64_t OutputCountOf(const TrainConfig& config, const Schema& schema);

// Number of training rows and steps a resolved config will do on `rows` table rows.
int64_t TrainRowCount(const TrainConfig& config, int64_t rows);
int64_t StepsTotal(const TrainConfig& config, int64_t rows);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_TRAIN_CONFIG_H_
