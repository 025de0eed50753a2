// Kernels: the layer arithmetic the engine is built from, behind one interface: y = act(xW + b) and
// its gradients. Implementations: reference (plain loops, double sums: the oracle the others are
// tested against), oneDNN matmul (wide layers, bf16) and own register tiles (narrow layers, where
// the cost of a library call would dominate). CreateFastKernels chooses between the last two by
// shape.
//
//   std::unique_ptr<Kernels> kernels = CreateFastKernels();
//   TY_ASSIGN_OR_RETURN(auto linear, kernels->CreateLinear({.batch = 32, .in = 30, .out = 1,
//   .activation = ...})); TY_RETURN_IF_ERROR(linear->Forward(x, weights, biases, y));
//   TY_RETURN_IF_ERROR(linear->Backward(x, weights, y, dy, {.weights = dw, .biases = db, .input =
//   dx}));
//
// Thread-safety: Kernels: const methods from any thread. LinearKernel: one thread at a time (it
// owns scratch memory). Determinism: the same shapes, inputs, ISA and threads give the same bits.
#ifndef TRAINYARD_CORE_TENSOR_KERNELS_H_
#define TRAINYARD_CORE_TENSOR_KERNELS_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/tensor/activation.h"

namespace trainyard {

struct TileLoops;  // tile_loops.h

// Numbers equal trainyard.v1.Precision.
enum class Precision : uint8_t { kUnspecified = 0, kFp32 = 1, kBf16 = 2 };

// Whether this machine can compute matrix products in that precision.
bool SupportsPrecision(Precision precision);

// What a LinearKernel is prepared for.
struct LinearShape {
  int64_t batch = 0;  // rows of x
  int64_t in = 0;
  int64_t out = 0;
  // Applied to the affine output. REQUIRES: !GradientNeedsInput when `backward`: such an activation
  // is a pass of its own over an affine output that is kept (vector_ops.h).
  Activation activation = Activation::kIdentity;
  float alpha = 0;   // of the activation, where HasAlpha
  bool bias = true;  // false: biases are null in Forward and Backward
  // kBf16: x, weights and dy are rounded to bfloat16 inside the kernel, sums are float; arrays
  // outside are float all the same.
  Precision precision = Precision::kFp32;
  bool backward = false;        // Backward will be called
  bool input_gradient = false;  // Backward fills LinearGradients::input: every layer but the first
};

// Where Backward writes; overwritten, not added to.
struct LinearGradients {
  float* weights = nullptr;  // [in, out]
  float* biases = nullptr;   // [out]; ignored unless LinearShape::bias
  float* input = nullptr;    // [batch, in]; ignored unless LinearShape::input_gradient
};

// All pointers are to row-major arrays that do not overlap.
class LinearKernel {
 public:
  virtual ~LinearKernel() = default;

  // y = act(x·weights + biases). x: [batch, in], weights: [in, out], biases: [out], y: [batch,
  // out]. Errors: INTERNAL when the library fails.
  virtual absl::Status Forward(const float* x, const float* weights, const float* biases,
                               float* y) = 0;

  // Given y of Forward and dy = ∂L/∂y, both [batch, out], fills `gradients`. Overwrites dy with
  // ∂L/∂(xW + b). REQUIRES: LinearShape::backward; Forward was
  // called last with the same x and weights. Errors: as Forward.
  virtual absl::Status Backward(const float* x, const float* weights, const float* y, float* dy,
                                const LinearGradients& gradients) = 0;
};

class Kernels {
 public:
  virtual ~Kernels() = default;

  // REQUIRES: batch, in, out ≥ 1; activation is not kUnspecified. The result does not refer to this
  // object. Errors: INTERNAL when the library cannot do the shape, FAILED_PRECONDITION when the
  // machine does not support the precision. Out of memory is std::bad_alloc,
  // as in AllocateFloats.
  virtual absl::StatusOr<std::unique_ptr<LinearKernel>> CreateLinear(
      const LinearShape& shape) const = 0;
};

std::unique_ptr<Kernels> CreateReferenceKernels();
std::unique_ptr<Kernels> CreateDnnlKernels();
std::unique_ptr<Kernels> CreateTiledKernels();
// On given loops: for tests of those that are not this machine's best.
std::unique_ptr<Kernels> CreateTiledKernels(const TileLoops& loops);
// What training and prediction use.
std::unique_ptr<Kernels> CreateFastKernels();

// How many threads kernels called from this thread use. To be called before their CreateLinear, in
// each thread that computes: OpenMP keeps the number per thread. REQUIRES: threads ≥ 1.
void SetKernelThreads(int64_t threads);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_KERNELS_H_
