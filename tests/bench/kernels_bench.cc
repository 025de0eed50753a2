// One layer, forward and backward, per kernel: kernels_bench [--benchmark_filter=...]. The counter
// is GFLOP/s of the three matrix products. It is what FastKernels' choice between own loops and
// oneDNN rests on.
#include <memory>

#include "benchmark/benchmark.h"
#include "core/tensor/kernels.h"
#include "core/tensor/matrix.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

using Factory = std::unique_ptr<Kernels> (*)();

void BM_Layer(benchmark::State& state, Factory factory, Precision precision = Precision::kFp32) {
  SetKernelThreads(1);
  const LinearShape shape{.batch = state.range(0),
                          .in = state.range(1),
                          .out = state.range(2),
                          .activation = Activation::kRelu,
                          .precision = precision,
                          .backward = true,
                          .input_gradient = true};
  auto linear = factory()->CreateLinear(shape);
  if (!linear.ok()) return state.SkipWithError(linear.status().ToString().c_str());
  const Matrix x(shape.batch, shape.in), w(shape.in, shape.out), b(1, shape.out);
  Matrix y(shape.batch, shape.out), dy(shape.batch, shape.out);
  Matrix dw(shape.in, shape.out), db(1, shape.out), dx(shape.batch, shape.in);
  for (auto _ : state) {
    absl::Status status = (*linear)->Forward(x.data(), w.data(), b.data(), y.data());
    status.Update(
        (*linear)->Backward(x.data(), w.data(), y.data(), dy.data(),
                            {.weights = dw.data(), .biases = db.data(), .input = dx.data()}));
    if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
    benchmark::ClobberMemory();
  }
  const double flops = 6e-9 * static_cast<double>(shape.batch * shape.in * shape.out);
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

void Shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"batch", "in", "out"});
  for (const int64_t width : {1, 2, 3, 8, 16, 24, 32, 48, 64}) {
    bench->Args({16, width, width})->Args({100, width, width});
  }
  bench->Args({32, 30, 1})->Args({16, 2, 3})->Args({128, 784, 256})->Args({1024, 300, 300});
  // Layers of the workloads (core/README.md).
  bench->Args({100, 2, 100})->Args({100, 100, 100})->Args({100, 100, 1})->Args({128, 784, 100});
  bench->Args({128, 100, 10})->Args({128, 256, 128})->Args({128, 128, 10})->Args({100, 28, 300});
  bench->Args({100, 300, 300})->Args({1024, 28, 300})->Args({512, 1024, 1024});
}

BENCHMARK_CAPTURE(BM_Layer, tiled, [] { return CreateTiledKernels(); })->Apply(Shapes);
BENCHMARK_CAPTURE(BM_Layer, dnnl, &CreateDnnlKernels)->Apply(Shapes);
BENCHMARK_CAPTURE(BM_Layer, bf16, &CreateDnnlKernels, Precision::kBf16)->Apply(Shapes);

// 128 rows of 100 outputs, as in the workload fmnistdo.
void BM_Dropout(benchmark::State& state) {
  Matrix x(128, 100);
  int64_t step = 0;
  for (auto _ : state) {
    ApplyDropout({.seed = 1, .layer = 0, .step = step++}, 0.3F, 0, x.data(), x.data(), x.size());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_Dropout);

}  // namespace
}  // namespace trainyard

BENCHMARK_MAIN();
