// InitialWeights draws where gradient descent starts: weights by layer from Rng(seed, kInit,
// layer); biases and shifts zero, gains one.
//
//   MlpWeights weights = InitialWeights(config, /*seed=*/7);
//
// Formulas are trainyard.v1.Init's, with PyTorch's fan_in (a layer's inputs) and fan_out (its
// units): kaiming_* with gain √2, xavier_*, orthogonal_. kUnspecified is chosen by each layer's
// activation: LeCun normal before SELU, Xavier uniform before what saturates (sigmoid, tanh, hard
// sigmoid, hard tanh), before every other, and for the output layer, what PyTorch's Linear starts
// with, uniform in ±1 / sqrt(fan_in). Thread-safety: pure function.
#ifndef TRAINYARD_CORE_NN_INIT_H_
#define TRAINYARD_CORE_NN_INIT_H_

#include <cstdint>

#include "core/nn/mlp_config.h"

namespace trainyard {

MlpWeights InitialWeights(const MlpConfig& config, uint64_t seed);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_INIT_H_
