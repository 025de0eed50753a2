// Mlp is the model family f(x, θ): layers y = σ(Wx + b) stacked, the last one without activation (its outputs are
// logits, or the value in regression). With no hidden layer it is a linear model or logistic regression.
//
// [SEAM written first by the lead; the engine owner completes class Mlp below and keeps these structs.]
#ifndef TRAINYARD_CORE_NN_MLP_H_
#define TRAINYARD_CORE_NN_MLP_H_

#include <cstdint>
#include <vector>

#include "core/tensor/kernels.h"

namespace trainyard {

// Numbers equal trainyard.v1.Init.
enum class InitKind : uint8_t {
  kUnspecified = 0,
  kHeNormal = 1,
  kHeUniform = 2,
  kXavierNormal = 3,
  kXavierUniform = 4,
  kZeros = 5,
};

// One hidden layer.
struct LayerConfig {
  int64_t units = 0;
  Activation activation = Activation::kRelu;
};

struct MlpConfig {
  int64_t features = 0;
  std::vector<LayerConfig> layers;  // hidden
  int64_t outputs = 0;
  InitKind init = InitKind::kUnspecified;
};

// Number of parameters, weights and biases.
int64_t ParameterCount(const MlpConfig& config);

// One affine map with the activation after it: what a bundle stores of a layer.
struct LayerWeights {
  int64_t in = 0;
  int64_t out = 0;
  Activation activation = Activation::kIdentity;  // kIdentity for the output layer
  std::vector<float> weights;                     // [in, out], row-major: y = x·weights + biases
  std::vector<float> biases;                      // [out]
};
using MlpWeights = std::vector<LayerWeights>;  // input to output, output layer included

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_MLP_H_
