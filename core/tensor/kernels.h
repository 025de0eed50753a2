// Kernels: the arithmetic the engine is built from, behind one interface with two real implementations:
// reference_kernels (plain loops, the oracle) and dnnl_kernels (oneDNN, fast).
//
// [SEAM written first by the lead; the engine owner completes it.]
#ifndef TRAINYARD_CORE_TENSOR_KERNELS_H_
#define TRAINYARD_CORE_TENSOR_KERNELS_H_

#include <cstdint>

namespace trainyard {

// Numbers equal trainyard.v1.Activation and are persisted in bundles: do not change existing values.
enum class Activation : uint8_t {
  kUnspecified = 0,
  kIdentity = 1,
  kRelu = 2,
  kSigmoid = 3,
  kTanh = 4,
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_KERNELS_H_
