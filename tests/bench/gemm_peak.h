// The machine's limit for training: what one large matrix product does, so that a workload's speed
// can be given as a share of it.
#ifndef TRAINYARD_TESTS_BENCH_GEMM_PEAK_H_
#define TRAINYARD_TESTS_BENCH_GEMM_PEAK_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/tensor/kernels.h"

namespace trainyard {

// Floating-point operations a second of oneDNN's product of two square matrices of 2048, the best
// of several within about 0.2 s, on `threads` threads. Errors: those of Kernels.
absl::StatusOr<double> GemmPeakFlops(int64_t threads, Precision precision);

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_BENCH_GEMM_PEAK_H_
