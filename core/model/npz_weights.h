// Initial weights out of the arrays of an NPZ file: which array is what of which layer, told by its
// name and checked by its shape.
//
//   TY_ASSIGN_OR_RETURN(std::vector<NpzArray> arrays, ReadNpzArrays(bytes));
//   TY_ASSIGN_OR_RETURN(std::vector<AffineLayer> layers, LayersOfArrays(arrays));
//
// Names, of layers counted from any number on, in the order of their numbers:
//   layer0.weights  layer0.biases    [in, out]; any text before the dot, e.g. net.0.weights
//   W1  b1,  weights_0  biases_0,    [in, out]; also w, weight and bias, and scikit-learn's
//   coefs_0  intercepts_0            coefs_ and intercepts_
//   0.weight  0.bias                 [out, in]: PyTorch's state_dict, transposed here; any text
//                                    before, e.g. layers.2.weight
// Biases are [out], or with a further axis of 1, and may be left out. Letters may be capital or
// not. Every array is used, or named in the error.
//
// The weights are those of a network on scaled features and, of a regression, a scaled target: what
// a program learned that scaled alike, or with both scalings NONE. Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_MODEL_NPZ_WEIGHTS_H_
#define TRAINYARD_CORE_MODEL_NPZ_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/data/npz_reader.h"

namespace trainyard {

// y = x·weights + biases.
struct AffineLayer {
  int64_t in = 0;
  int64_t out = 0;
  std::vector<float> weights;  // [in, out], row-major
  std::vector<float> biases;   // [out], or empty: zeros
};

// Layers from the input to the output; each takes what the one before it gives.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST with every array that is none of a layer's weights or
// biases, comes twice or has another shape. REQUIRES: what ReadNpzArrays guarantees.
absl::StatusOr<std::vector<AffineLayer>> LayersOfArrays(const std::vector<NpzArray>& arrays);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_NPZ_WEIGHTS_H_
