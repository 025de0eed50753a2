// The functions between two affine maps, and what is known about each.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_TENSOR_ACTIVATION_H_
#define TRAINYARD_CORE_TENSOR_ACTIVATION_H_

#include <cstdint>
#include <iterator>

#include "absl/strings/string_view.h"

namespace trainyard {

// Numbers equal trainyard.v1.Activation, which has the formulas, and are persisted in bundles: do
// not change existing values.
enum class Activation : uint8_t {
  kUnspecified = 0,
  kIdentity = 1,
  kRelu = 2,
  kSigmoid = 3,
  kTanh = 4,
  kLeakyRelu = 5,
  kElu = 6,
  kSelu = 7,
  kGelu = 8,
  kGeluTanh = 9,
  kSilu = 10,
  kSoftplus = 11,
  kHardSigmoid = 12,
  kHardTanh = 13,
  kHardSwish = 14,
};
inline constexpr Activation kActivationLast = Activation::kHardSwish;

// "relu", "leaky_relu", …: as in a spec file.
inline absl::string_view ActivationWord(Activation activation) {
  constexpr absl::string_view kWords[] = {"unspecified",  "identity",   "relu",      "sigmoid",
                                          "tanh",         "leaky_relu", "elu",       "selu",
                                          "gelu",         "gelu_tanh",  "silu",      "softplus",
                                          "hard_sigmoid", "hard_tanh",  "hard_swish"};
  static_assert(std::size(kWords) == static_cast<size_t>(kActivationLast) + 1);
  return kWords[static_cast<size_t>(activation)];
}

// Whether `alpha` is a parameter of the activation: leaky ReLU's slope below zero, ELU's scale.
inline bool HasAlpha(Activation activation) {
  return activation == Activation::kLeakyRelu || activation == Activation::kElu;
}

// The alpha that is meant when none is given; 0 for activations that have none.
inline float DefaultAlpha(Activation activation) {
  if (activation == Activation::kLeakyRelu) return 0.01F;
  return activation == Activation::kElu ? 1.0F : 0.0F;
}

// Whether the derivative cannot be told from the output alone, because the function rises and falls
// or is flat: the input z is kept then. The derivative of every other one is a function of y.
inline bool GradientNeedsInput(Activation activation) {
  return activation == Activation::kGelu || activation == Activation::kGeluTanh ||
         activation == Activation::kSilu || activation == Activation::kHardSwish;
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_ACTIVATION_H_
