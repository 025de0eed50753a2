// Configs as ResolveTrainConfig would leave them, for tests that build their Dataset without a
// table.
#ifndef TRAINYARD_TESTS_SUPPORT_TRAIN_CONFIGS_H_
#define TRAINYARD_TESTS_SUPPORT_TRAIN_CONFIGS_H_

#include "core/train/train_config.h"

namespace trainyard {

inline LossKind LossFor(Task task) {
  if (task == Task::kBinary) return LossKind::kBinaryCrossEntropy;
  if (task == Task::kMulticlass) return LossKind::kSoftmaxCrossEntropy;
  return LossKind::kMeanSquaredError;
}

// No hidden layers, batches of 32, one epoch, an event for every step.
inline TrainConfig ResolvedConfig(Task task, const OptimizerConfig& optimizer = {}) {
  TrainConfig config;
  config.data.task = task;
  config.loss.kind = LossFor(task);
  config.optimizer = WithDefaults(optimizer);
  config.epochs = 1;
  config.seed = 7;
  config.step_event_interval = 1;
  return config;
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_TRAIN_CONFIGS_H_
