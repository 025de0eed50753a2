// Loss functions and their gradients with respect to the logits, L(θ) = (1/N) Σ L(y_i, f(x_i, θ)): softmax and binary
// cross-entropy from logits (stable, one pass), mean squared error. Loss sums are accumulated in double.
#ifndef TRAINYARD_CORE_NN_LOSS_H_
#define TRAINYARD_CORE_NN_LOSS_H_

#include <cstdint>

namespace trainyard {

// Numbers equal trainyard.v1.Loss.
enum class LossKind : uint8_t {
  kUnspecified = 0,
  kBinaryCrossEntropy = 1,
  kSoftmaxCrossEntropy = 2,
  kMeanSquaredError = 3,
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_LOSS_H_
