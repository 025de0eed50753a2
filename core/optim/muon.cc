#include "core/optim/muon.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/check.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

// Keller Jordan's: they do not converge to 1 but to [0.7, 1.2], which is enough, and fast.
constexpr int kIterations = 5;
constexpr float kA = 3.4445F;
constexpr float kB = -4.7750F;
constexpr float kC = 2.0315F;
constexpr double kNormEpsilon = 1e-7;
// Side of the tiles that Transpose walks: two of them fit the first cache.
constexpr int64_t kTile = 16;

// v = μv + g, and the update that is to be made orthogonal: g + μv or v.
TY_MULTIVERSION void MomentumLoop(const UpdateFactors& factors, float keep, bool nesterov,
                                  int64_t count, const float* __restrict g,
                                  const float* __restrict p, float* __restrict v,
                                  float* __restrict update) {
  const UpdateFactors f = factors;
  const float now = nesterov ? 1.0F : 0.0F;
  const float kept = nesterov ? keep : 1.0F;
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = RegularizedGradient(f, g[i], p[i]);
    v[i] = keep * v[i] + gradient;
    update[i] = now * gradient + kept * v[i];
  }
}

TY_MULTIVERSION void Scale(float factor, int64_t count, float* x) {
  for (int64_t i = 0; i < count; ++i) x[i] *= factor;
}

// y = a·x + b·y.
TY_MULTIVERSION void Combine(float a, float b, int64_t count, const float* __restrict x,
                             float* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] = a * x[i] + b * y[i];
}

// to: [cols, rows], from: [rows, cols].
void Transpose(const float* from, int64_t rows, int64_t cols, float* to) {
  for (int64_t tile = 0; tile < rows; tile += kTile) {
    const int64_t end = std::min(tile + kTile, rows);
    for (int64_t c = 0; c < cols; ++c) {
      for (int64_t r = tile; r < end; ++r) to[c * rows + r] = from[r * cols + c];
    }
  }
}

// A product of matrices is a linear layer without bias. Memory apart, only a defect of ours can
// make one fail, and an optimizer has no other way to say so.
std::unique_ptr<LinearKernel> CreateProduct(const Kernels& kernels, int64_t rows, int64_t inner,
                                            int64_t cols) {
  auto kernel = kernels.CreateLinear({.batch = rows, .in = inner, .out = cols, .bias = false});
  TY_CHECK(kernel.ok());
  return *std::move(kernel);
}

void Multiply(LinearKernel& kernel, const float* a, const float* b, float* product) {
  TY_CHECK(kernel.Forward(a, b, /*biases=*/nullptr, product).ok());
}

}  // namespace

Muon::Muon(const OptimizerConfig& config, const ParameterTensors& tensors)
    : momentum_(static_cast<float>(*config.momentum)), nesterov_(*config.nesterov) {
  const std::unique_ptr<Kernels> kernels = CreateFastKernels();
  int64_t area_max = 0;
  int64_t rows_max = 0;
  for (const ParameterTensor& tensor : tensors) {
    end_ = tensor.begin;
    if (!tensor.hidden || tensor.kind != TensorKind::kWeights) break;
    Side side{.begin = tensor.begin,
              .in = tensor.rows,
              .out = tensor.cols,
              .rows = std::min(tensor.rows, tensor.cols),
              .cols = std::max(tensor.rows, tensor.cols)};
    side.gram = CreateProduct(*kernels, side.rows, side.cols, side.rows);
    side.square = CreateProduct(*kernels, side.rows, side.rows, side.rows);
    side.mix = CreateProduct(*kernels, side.rows, side.rows, side.cols);
    area_max = std::max(area_max, tensor.size());
    rows_max = std::max(rows_max, side.rows);
    sides_.push_back(std::move(side));
  }
  x_ = AllocateFloats(area_max);
  transposed_ = AllocateFloats(area_max);
  product_ = AllocateFloats(area_max);
  gram_ = AllocateFloats(rows_max * rows_max);
  square_ = AllocateFloats(rows_max * rows_max);
}

void Muon::Step(double learning_rate, const UpdateFactors& factors, const float* gradients,
                float* parameters, float* momentum) {
  for (const Side& side : sides_) {
    const int64_t count = side.in * side.out;
    const bool lying = side.in > side.out;
    float* update = lying ? transposed_.get() : x_.get();
    MomentumLoop(factors, momentum_, nesterov_, count, gradients + side.begin,
                 parameters + side.begin, momentum + side.begin, update);
    if (lying) Transpose(transposed_.get(), side.in, side.out, x_.get());
    Orthogonalize(side);
    if (lying) Transpose(x_.get(), side.out, side.in, transposed_.get());
    const double shape = static_cast<double>(side.out) / static_cast<double>(side.in);
    const auto step = static_cast<float>(learning_rate * std::sqrt(std::max(1.0, shape)));
    Combine(-step, factors.shrink, count, update, parameters + side.begin);
  }
}

// x = NS(x), where X' = aX + (bA + cA²)X and A = XXᵀ.
void Muon::Orthogonalize(const Side& side) {
  const int64_t count = side.rows * side.cols;
  const double norm = std::sqrt(SumOfSquares(x_.get(), count));
  Scale(static_cast<float>(1 / (norm + kNormEpsilon)), count, x_.get());
  for (int i = 0; i < kIterations; ++i) {
    Transpose(x_.get(), side.rows, side.cols, transposed_.get());
    Multiply(*side.gram, x_.get(), transposed_.get(), gram_.get());
    Multiply(*side.square, gram_.get(), gram_.get(), square_.get());
    Combine(kB, kC, side.rows * side.rows, gram_.get(), square_.get());
    Multiply(*side.mix, square_.get(), x_.get(), product_.get());
    Combine(1, kA, count, product_.get(), x_.get());
  }
}

}  // namespace trainyard
