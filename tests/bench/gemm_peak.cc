#include "tests/bench/gemm_peak.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "core/base/status_macros.h"
#include "core/tensor/matrix.h"

namespace trainyard {

absl::StatusOr<double> GemmPeakFlops(int64_t threads, Precision precision) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kSize = 2048;
  constexpr double kFlops = 2.0 * kSize * kSize * kSize;
  constexpr std::chrono::milliseconds kTime(200);
  SetKernelThreads(threads);
  TY_ASSIGN_OR_RETURN(
      const std::unique_ptr<LinearKernel> kernel,
      CreateDnnlKernels()->CreateLinear(
          {.batch = kSize, .in = kSize, .out = kSize, .bias = false, .precision = precision}));
  Matrix x(kSize, kSize);
  Matrix weights(kSize, kSize);
  Matrix y(kSize, kSize);
  for (Matrix* matrix : {&x, &weights}) std::fill_n(matrix->data(), matrix->size(), 0.5F);
  double best = 0;
  for (const auto end = Clock::now() + kTime; Clock::now() < end;) {
    const auto begin = Clock::now();
    TY_RETURN_IF_ERROR(kernel->Forward(x.data(), weights.data(), nullptr, y.data()));
    best = std::max(best, kFlops / std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

}  // namespace trainyard
