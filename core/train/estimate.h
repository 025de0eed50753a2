// What a training will take, counted from its config and the schema of its table before it runs.
//
//   const ResourceEstimate estimate = EstimateResources(config, schema);
//
// Thread-safety: pure function. REQUIRES everywhere: `config` came out of ResolveTrainConfig
// without violations.
#ifndef TRAINYARD_CORE_TRAIN_ESTIMATE_H_
#define TRAINYARD_CORE_TRAIN_ESTIMATE_H_

#include <cstdint>

#include "core/train/train_config.h"

namespace trainyard {

struct ResourceEstimate {
  // Of one network. Where categories are still to be counted, at most so many.
  int64_t parameter_count = 0;
  // Floating-point operations of all steps and evaluations of all runs, multiplications and
  // additions of the layers: 2 · in · out a row forward, and twice that backward. Early stopping
  // makes them fewer, a line search of L-BFGS more.
  double flops = 0;
  int64_t steps = 0;
  // Memory that the process needs of its own for it: features (beyond limits of memory they are in
  // a file, see feature_options.h), parameters, gradients, what the optimizer keeps, weights kept
  // aside, and activations of one batch. Without the process itself, about 30 MiB.
  int64_t memory_bytes = 0;
};

ResourceEstimate EstimateResources(const TrainConfig& config, const Schema& schema);

// A step costs something however small it is. So many operations are worth as much time, so that
// `flops + steps · kStepFlops` is in proportion to the time of large networks and of tiny ones.
inline constexpr double kStepFlops = 250e3;

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_ESTIMATE_H_
