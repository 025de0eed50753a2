// The error a run ends with when a number in it stops being one. Its metadata "step", "epoch" (both
// 0-based), "learning_rate", "layer", "loss" and "gradient_norm" (of that step; "NaN" and
// "infinity" as they are), "previous_loss" and "previous_gradient_norm" (of the step before, the
// last that was in order; not for the first step) are what a job's error shows.
//
// Thread-safety: pure function.
#ifndef TRAINYARD_CORE_TRAIN_NON_FINITE_H_
#define TRAINYARD_CORE_TRAIN_NON_FINITE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "core/train/train_config.h"

namespace trainyard {

struct NonFiniteSite {
  int64_t step = 0;
  int64_t epoch = 0;
  double learning_rate = 0;
  std::string layer;  // "layers[1] weights", "output logits", "loss"
  double loss = 0;
  double gradient_norm = 0;
  double previous_loss = 0;
  double previous_gradient_norm = 0;
};

// FAILED_PRECONDITION/NON_FINITE_LOSS.
absl::Status NonFiniteError(const NonFiniteSite& site, const TrainConfig& config);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_NON_FINITE_H_
