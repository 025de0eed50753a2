// InitialWeights draws where gradient descent starts: weights by layer from Rng(seed, kInit,
// layer); biases and shifts zero, gains one.
//
//   MlpWeights weights = InitialWeights(config, /*seed=*/7);
//
// Formulas are trainyard.v1.Init's, with PyTorch's fan_in (a layer's inputs) and fan_out (its
// units): kaiming_* with gain √2, xavier_*, orthogonal_. kUnspecified is chosen by each layer's
// activation: He normal before ReLU and its kin (leaky ReLU, ELU, GELU, SiLU, softplus, hard
// swish), LeCun normal before SELU, Xavier uniform before every other, the output layer's identity
// too. Thread-safety: pure function.
#ifndef TRAINYARD_CORE_NN_INIT_H_
#define TRAINYARD_CORE_NN_INIT_H_

#include <cstdint>

#include "core/nn/mlp_config.h"

namespace trainyard {

// What `kind` means before that activation: never kUnspecified.
InitKind ResolveInit(InitKind kind, Activation activation);

MlpWeights InitialWeights(const MlpConfig& config, uint64_t seed);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_INIT_H_
