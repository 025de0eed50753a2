#include <algorithm>
#include <memory>

#include "core/tensor/kernels.h"

namespace trainyard {
namespace {

// Up to here the own loops beat a oneDNN call; core/README.md has the figures.
constexpr int64_t kSmallWidthMax = 32;

class FastKernels : public Kernels {
 public:
  // By the widths alone, so that a layer's arithmetic is the same for every batch size.
  absl::StatusOr<std::unique_ptr<LinearKernel>> CreateLinear(
      const LinearShape& shape) const override {
    const bool small = std::max(shape.in, shape.out) <= kSmallWidthMax;
    return (small ? small_ : dnnl_)->CreateLinear(shape);
  }

 private:
  const std::unique_ptr<Kernels> small_ = CreateSmallKernels();
  const std::unique_ptr<Kernels> dnnl_ = CreateDnnlKernels();
};

}  // namespace

std::unique_ptr<Kernels> CreateFastKernels() { return std::make_unique<FastKernels>(); }

}  // namespace trainyard
