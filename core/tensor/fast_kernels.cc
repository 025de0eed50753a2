#include <memory>

#include "core/tensor/kernels.h"

namespace trainyard {
namespace {

// Weights up to which the own tiles are at least as fast as oneDNN: 1 MiB, what a second-level
// cache holds. Above it oneDNN's packing wins; core/README.md has the figures. The choice does not
// look at the batch, so that parts of a batch and the shorter last one get the same kernel.
constexpr int64_t kTiledWeightsMax = 1 << 18;

class FastKernels : public Kernels {
 public:
  absl::StatusOr<std::unique_ptr<LinearKernel>> CreateLinear(
      const LinearShape& shape) const override {
    const bool tiled =
        shape.precision != Precision::kBf16 && shape.in * shape.out <= kTiledWeightsMax;
    return (tiled ? tiled_ : dnnl_)->CreateLinear(shape);
  }

 private:
  const std::unique_ptr<Kernels> tiled_ = CreateTiledKernels();
  const std::unique_ptr<Kernels> dnnl_ = CreateDnnlKernels();
};

}  // namespace

std::unique_ptr<Kernels> CreateFastKernels() { return std::make_unique<FastKernels>(); }

}  // namespace trainyard
