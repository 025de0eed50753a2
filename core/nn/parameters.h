// What stands where in a network's flat arrays of parameters and gradients. Optimizers that treat
// matrices, units or biases differently, clipping, statistics and checkpoints walk this list.
//
// Thread-safety: values.
#ifndef TRAINYARD_CORE_NN_PARAMETERS_H_
#define TRAINYARD_CORE_NN_PARAMETERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/nn/mlp_config.h"

namespace trainyard {

enum class TensorKind : uint8_t {
  kWeights,  // [in, out]: decayed, bounded by max_norm, penalised by l1
  kBiases,   // [out]
  kGains,    // [out], of a normalisation
  kShifts,   // [out], of a normalisation
};

struct ParameterTensor {
  std::string name;  // "layers[1] weights", "output biases", "layers[0] gains"
  TensorKind kind = TensorKind::kWeights;
  int64_t layer = 0;    // 0-based; the output layer is the last
  bool hidden = false;  // not of the output layer
  int64_t begin = 0;    // into the flat arrays; always on a 64-byte border
  int64_t rows = 1;     // in, for weights; else 1
  int64_t cols = 0;     // out
  int64_t size() const { return rows * cols; }
};

// In the order of the arrays: weights of all layers, then their biases, gains and shifts.
using ParameterTensors = std::vector<ParameterTensor>;

// Every tensor of the network, each on a 64-byte border.
ParameterTensors LayOut(const MlpConfig& config);

// Elements of the arrays, gaps included: every tensor ends at a 64-byte border.
int64_t ArenaSizeOf(const ParameterTensors& tensors);

// The first so many elements are weights and gaps, the rest is not decayed.
int64_t WeightCountOf(const ParameterTensors& tensors);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_PARAMETERS_H_
