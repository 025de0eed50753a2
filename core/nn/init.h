// InitialWeights draws where gradient descent starts: weights by layer from Rng(seed, kInit,
// layer), biases zero.
//
//   MlpWeights weights = InitialWeights(config, /*seed=*/7);
//
// Formulas are PyTorch's kaiming_* (fan_in, gain √2) and xavier_* (gain 1); see InitKind.
// kUnspecified means He normal for a layer before ReLU and Xavier uniform for every other, the
// output layer too. Thread-safety: pure function.
#ifndef TRAINYARD_CORE_NN_INIT_H_
#define TRAINYARD_CORE_NN_INIT_H_

#include <cstdint>

#include "core/nn/mlp.h"

namespace trainyard {

MlpWeights InitialWeights(const MlpConfig& config, uint64_t seed);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_INIT_H_
