#include <memory>

#include "core/tensor/kernels.h"

namespace trainyard {
namespace {

// Multiplications of one matrix product up to which the own loops beat a oneDNN call;
// core/README.md has the figures.
constexpr int64_t kSmallProductsMax = 1024;

class FastKernels : public Kernels {
 public:
  absl::StatusOr<std::unique_ptr<LinearKernel>> CreateLinear(
      const LinearShape& shape) const override {
    const bool small = shape.batch * shape.in * shape.out <= kSmallProductsMax;
    return (small ? small_ : dnnl_)->CreateLinear(shape);
  }

 private:
  const std::unique_ptr<Kernels> small_ = CreateSmallKernels();
  const std::unique_ptr<Kernels> dnnl_ = CreateDnnlKernels();
};

}  // namespace

std::unique_ptr<Kernels> CreateFastKernels() { return std::make_unique<FastKernels>(); }

}  // namespace trainyard
