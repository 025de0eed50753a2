#include "core/tensor/kernels.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/tensor/matrix.h"
#include "core/tensor/tile_loops.h"
#include "gtest/gtest.h"
#include "tests/support/shapes.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

std::vector<Activation> Activations() {
  std::vector<Activation> all;
  for (int i = 1; i <= static_cast<int>(kActivationLast); ++i) {
    all.push_back(static_cast<Activation>(i));
  }
  return all;
}

Matrix Normals(int64_t rows, int64_t cols, uint64_t seed) {
  Rng rng(seed, RngStream::kAnalysis);
  Matrix m(rows, cols);
  for (int64_t i = 0; i < m.size(); ++i) m.data()[i] = static_cast<float>(rng.Normal());
  return m;
}

// Everything a layer computes, from inputs that depend on the shape alone. The results are laid
// over garbage.
struct LayerRun {
  LayerRun(const Kernels& kernels, const LinearShape& shape)
      : x(Normals(shape.batch, shape.in, 1)),
        w(Normals(shape.in, shape.out, 2)),
        b(Normals(1, shape.out, 3)),
        y(Normals(shape.batch, shape.out, 4)),
        dz(Normals(shape.batch, shape.out, 5)),
        dw(Normals(shape.in, shape.out, 6)),
        db(Normals(1, shape.out, 7)),
        dx(Normals(shape.batch, shape.in, 8)) {
    auto kernel = kernels.CreateLinear(shape);
    EXPECT_THAT(kernel, IsOk());
    if (!kernel.ok()) return;
    EXPECT_THAT((*kernel)->Forward(x.data(), w.data(), b.data(), y.data()), IsOk());
    if (!shape.backward) return;
    EXPECT_THAT((*kernel)->Backward(x.data(), w.data(), y.data(), dz.data(),
                                    {.weights = dw.data(),
                                     .biases = db.data(),
                                     .input = shape.input_gradient ? dx.data() : nullptr}),
                IsOk());
  }

  Matrix x, w, b, y, dz, dw, db, dx;
};

// Rounding of a float sum of `terms` products of standard normals grows like its length in the
// worst case; 4 units of the sum's own size sqrt(terms) leave room for the order of the sums and
// for the activation's own error.
double Tolerance(int64_t terms) {
  const double epsilon = std::numeric_limits<float>::epsilon();
  return 4 * epsilon * (static_cast<double>(terms) + 4);
}

void ExpectNear(const char* what, const Matrix& actual, const Matrix& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (int64_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual.data()[i], expected.data()[i], tolerance) << what << " element " << i;
  }
}

void ExpectSameBits(const Matrix& a, const Matrix& b) {
  EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size()) * sizeof(float)), 0);
}

LinearShape ShapeOf(const LayerCase& c, Activation activation, bool input_gradient) {
  return {.batch = c.batch,
          .in = c.in,
          .out = c.out,
          .activation = activation,
          .alpha = DefaultAlpha(activation),
          .backward = !GradientNeedsInput(activation),
          .input_gradient = input_gradient};
}

class FastAgainstReferenceTest : public testing::TestWithParam<std::unique_ptr<Kernels> (*)()> {};

TEST_P(FastAgainstReferenceTest, EveryShapeAndActivation) {
  SetKernelThreads(1);
  const std::unique_ptr<Kernels> fast = GetParam()();
  const std::unique_ptr<Kernels> reference = CreateReferenceKernels();
  for (const LayerCase& c : kLayerCases) {
    for (const Activation activation : Activations()) {
      SCOPED_TRACE(absl::StrCat("batch ", c.batch, " in ", c.in, " out ", c.out, " activation ",
                                static_cast<int>(activation)));
      const LinearShape shape = ShapeOf(c, activation, /*input_gradient=*/true);
      const LayerRun actual(*fast, shape);
      LayerRun expected(*reference, shape);
      ExpectNear("y", actual.y, expected.y, Tolerance(c.in));
      if (!shape.backward) continue;
      // The gradients start from outputs that differ by that much already.
      const double slope = Tolerance(c.in) * 8;
      ExpectNear("dz", actual.dz, expected.dz, slope);
      ExpectNear("db", actual.db, expected.db,
                 Tolerance(c.batch) + slope * static_cast<double>(c.batch));
      ExpectNear("dw", actual.dw, expected.dw,
                 Tolerance(c.batch) + slope * static_cast<double>(c.batch));
      ExpectNear("dx", actual.dx, expected.dx,
                 Tolerance(c.out) + slope * static_cast<double>(c.out));
    }
  }
}

TEST_P(FastAgainstReferenceTest, TheFirstLayerLeavesTheInputGradientAlone) {
  const std::unique_ptr<Kernels> fast = GetParam()();
  const LinearShape shape = ShapeOf({4, 3, 2}, Activation::kRelu, /*input_gradient=*/false);
  const LayerRun run(*fast, shape);
  ExpectSameBits(run.dx, Normals(4, 3, 8));
}

TEST_P(FastAgainstReferenceTest, RunToRunTheBitsAreEqual) {
  const std::unique_ptr<Kernels> fast = GetParam()();
  for (const LayerCase& c : kLayerCases) {
    const LinearShape shape = ShapeOf(c, Activation::kTanh, /*input_gradient=*/true);
    const LayerRun a(*fast, shape);
    const LayerRun b(*fast, shape);
    ExpectSameBits(a.y, b.y);
    ExpectSameBits(a.dw, b.dw);
    ExpectSameBits(a.db, b.db);
    ExpectSameBits(a.dx, b.dx);
  }
}

// oneDNN's own ReLU does not, which would hide a diverged layer.
TEST_P(FastAgainstReferenceTest, NanStaysNan) {
  const std::unique_ptr<Kernels> fast = GetParam()();
  for (const Activation activation : Activations()) {
    for (const int64_t out : {1, 40}) {
      const LinearShape shape{.batch = 2, .in = 40, .out = out, .activation = activation};
      ASSERT_OK_AND_ASSIGN(const std::unique_ptr<LinearKernel> linear, fast->CreateLinear(shape));
      Matrix x = Normals(2, 40, 1);
      x.row(1)[5] = std::numeric_limits<float>::quiet_NaN();
      const Matrix w = Normals(40, out, 2);
      const Matrix b = Normals(1, out, 3);
      Matrix y(2, out);
      ASSERT_THAT(linear->Forward(x.data(), w.data(), b.data(), y.data()), IsOk());
      EXPECT_TRUE(std::isfinite(y.row(0)[0])) << static_cast<int>(activation);
      for (const float v : y.row(1)) EXPECT_TRUE(std::isnan(v)) << static_cast<int>(activation);
    }
  }
}

TEST_P(FastAgainstReferenceTest, WithoutBiasNothingIsAddedAndNothingWritten) {
  const std::unique_ptr<Kernels> fast = GetParam()();
  const std::unique_ptr<Kernels> reference = CreateReferenceKernels();
  for (const LayerCase& c : kLayerCases) {
    SCOPED_TRACE(absl::StrCat("batch ", c.batch, " in ", c.in, " out ", c.out));
    LinearShape shape = ShapeOf(c, Activation::kIdentity, /*input_gradient=*/true);
    shape.bias = false;
    const LayerRun actual(*fast, shape);
    ExpectNear("y", actual.y, LayerRun(*reference, shape).y, Tolerance(c.in));
    ExpectSameBits(actual.db, Normals(1, c.out, 7));
  }
}

using Factory = std::unique_ptr<Kernels> (*)();

std::unique_ptr<Kernels> CreateBestTiled() { return CreateTiledKernels(); }
std::unique_ptr<Kernels> CreateAvx2Tiled() { return CreateTiledKernels(TileLoopsAvx2()); }
std::unique_ptr<Kernels> CreateBaselineTiled() { return CreateTiledKernels(TileLoopsBaseline()); }

// Kernels that this machine can run.
std::vector<Factory> Factories() {
  std::vector<Factory> all = {&CreateDnnlKernels, &CreateBestTiled, &CreateBaselineTiled,
                              &CreateFastKernels};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    all.push_back(&CreateAvx2Tiled);
  }
  return all;
}

std::string NameOf(const testing::TestParamInfo<Factory>& tested) {
  constexpr const char* kNames[] = {"Dnnl", "Tiled", "TiledBaseline", "Fast", "TiledAvx2"};
  return kNames[tested.index];
}

INSTANTIATE_TEST_SUITE_P(Kernels, FastAgainstReferenceTest, testing::ValuesIn(Factories()), NameOf);

// oneDNN does not document this for matmul; the engine relies on it (core/README.md).
TEST(DnnlKernelsTest, TheNumberOfThreadsDoesNotChangeTheBits) {
  const std::unique_ptr<Kernels> dnnl = CreateDnnlKernels();
  for (const LayerCase& c : {LayerCase{128, 784, 256}, LayerCase{100, 300, 300},
                             LayerCase{33, 31, 29}, LayerCase{1000, 28, 10}}) {
    SCOPED_TRACE(absl::StrCat("batch ", c.batch, " in ", c.in, " out ", c.out));
    const LinearShape shape = ShapeOf(c, Activation::kRelu, /*input_gradient=*/true);
    SetKernelThreads(1);
    const LayerRun one(*dnnl, shape);
    SetKernelThreads(2);
    const LayerRun two(*dnnl, shape);
    SetKernelThreads(1);
    ExpectSameBits(one.y, two.y);
    ExpectSameBits(one.dw, two.dw);
    ExpectSameBits(one.dx, two.dx);
  }
}

LinearShape Bf16ShapeOf(const LayerCase& c) {
  LinearShape shape = ShapeOf(c, Activation::kRelu, /*input_gradient=*/true);
  shape.precision = Precision::kBf16;
  return shape;
}

// Products of bfloat16 numbers are exact in float, so that only the sums differ. ReLU's mask is
// taken from outputs that differ by a sum's rounding: where one is nearly zero, the gradients may
// part; the seeds of this table meet no such output.
TEST(Bf16Test, AgreesWithTheReferenceOnRoundedInputs) {
  if (!SupportsPrecision(Precision::kBf16)) GTEST_SKIP() << "no bfloat16 on this machine";
  for (const LayerCase& c : kLayerCases) {
    SCOPED_TRACE(absl::StrCat("batch ", c.batch, " in ", c.in, " out ", c.out));
    const LayerRun actual(*CreateFastKernels(), Bf16ShapeOf(c));
    const LayerRun expected(*CreateReferenceKernels(), Bf16ShapeOf(c));
    ExpectNear("y", actual.y, expected.y, Tolerance(c.in));
    ExpectNear("db", actual.db, expected.db, Tolerance(c.batch));
    ExpectNear("dw", actual.dw, expected.dw, Tolerance(c.batch));
    ExpectNear("dx", actual.dx, expected.dx, Tolerance(c.out));
  }
}

// |a - b| / |b| as vectors.
double RelativeDistance(const Matrix& a, const Matrix& b) {
  double difference = 0;
  double size = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a.data()[i]) - b.data()[i], 2);
    size += std::pow(static_cast<double>(b.data()[i]), 2);
  }
  return std::sqrt(difference / size);
}

// Each rounding is at most 2^-9 of its operand.
TEST(Bf16Test, IsNearTheFloatGradientsButNotEqual) {
  if (!SupportsPrecision(Precision::kBf16)) GTEST_SKIP() << "no bfloat16 on this machine";
  LinearShape shape = Bf16ShapeOf({128, 300, 100});
  shape.activation = Activation::kIdentity;
  const LayerRun rounded(*CreateFastKernels(), shape);
  shape.precision = Precision::kFp32;
  const LayerRun full(*CreateFastKernels(), shape);
  for (const auto& [a, b] : {std::pair(&rounded.y, &full.y), std::pair(&rounded.dw, &full.dw),
                             std::pair(&rounded.dx, &full.dx)}) {
    EXPECT_LT(RelativeDistance(*a, *b), 2 * 0x1p-9);
    EXPECT_GT(RelativeDistance(*a, *b), 0x1p-12);
  }
}

TEST(Bf16Test, NanStaysNan) {
  if (!SupportsPrecision(Precision::kBf16)) GTEST_SKIP() << "no bfloat16 on this machine";
  LinearShape shape = Bf16ShapeOf({2, 40, 5});
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<LinearKernel> linear,
                       CreateFastKernels()->CreateLinear(shape));
  Matrix x = Normals(2, 40, 1);
  x.row(1)[5] = std::numeric_limits<float>::quiet_NaN();
  const Matrix w = Normals(40, 5, 2);
  const Matrix b = Normals(1, 5, 3);
  Matrix y(2, 5);
  ASSERT_THAT(linear->Forward(x.data(), w.data(), b.data(), y.data()), IsOk());
  for (const float v : y.row(0)) EXPECT_TRUE(std::isfinite(v));
  for (const float v : y.row(1)) EXPECT_TRUE(std::isnan(v));
}

TEST(TiledKernelsTest, PartsOfABatchGiveTheBitsOfTheWhole) {
  const std::unique_ptr<Kernels> tiled = CreateTiledKernels();
  const LayerRun whole(*tiled, ShapeOf({29, 37, 53}, Activation::kTanh, true));
  for (const int64_t rows : {1, 5, 8, 11}) {
    const LinearShape shape = ShapeOf({rows, 37, 53}, Activation::kTanh, true);
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<LinearKernel> part, tiled->CreateLinear(shape));
    Matrix y(rows, 53);
    const float* x = whole.x.data() + 7 * 37;
    ASSERT_THAT(part->Forward(x, whole.w.data(), whole.b.data(), y.data()), IsOk());
    EXPECT_EQ(std::memcmp(y.data(), whole.y.data() + 7 * 53, sizeof(float) * rows * 53), 0) << rows;
  }
}

TEST(FastKernelsTest, TakesOwnTilesForNarrowLayersAndOneDnnForWide) {
  const std::unique_ptr<Kernels> fast = CreateFastKernels();
  const LinearShape narrow = ShapeOf({32, 300, 300}, Activation::kTanh, true);
  ExpectSameBits(LayerRun(*fast, narrow).y, LayerRun(*CreateTiledKernels(), narrow).y);
  const LinearShape wide = ShapeOf({2, 1024, 1024}, Activation::kTanh, true);
  ExpectSameBits(LayerRun(*fast, wide).y, LayerRun(*CreateDnnlKernels(), wide).y);
}

// Floats that end where memory that must not be touched begins, with such memory before them too.
class GuardedFloats {
 public:
  explicit GuardedFloats(int64_t count, uint64_t seed) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t size_bytes = static_cast<size_t>(count) * sizeof(float);
    const size_t inner = (size_bytes + page - 1) / page * page;
    mapped_bytes_ = inner + 2 * page;
    void* p = mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(p, MAP_FAILED);
    base_ = static_cast<char*>(p);
    EXPECT_EQ(mprotect(base_ + page, inner, PROT_READ | PROT_WRITE), 0);
    data_ = reinterpret_cast<float*>(base_ + page + inner - size_bytes);
    const Matrix values = Normals(1, count, seed);
    std::copy_n(values.data(), count, data_);
  }
  GuardedFloats(const GuardedFloats&) = delete;
  GuardedFloats& operator=(const GuardedFloats&) = delete;
  ~GuardedFloats() { munmap(base_, mapped_bytes_); }

  float* data() { return data_; }

 private:
  char* base_ = nullptr;
  float* data_ = nullptr;
  size_t mapped_bytes_ = 0;
};

// A read or write past the end of any array is a crash.
TEST_P(FastAgainstReferenceTest, NothingBeyondTheArraysIsTouched) {
  const std::unique_ptr<Kernels> fast = GetParam()();
  for (const LayerCase& c : kLayerCases) {
    SCOPED_TRACE(absl::StrCat("batch ", c.batch, " in ", c.in, " out ", c.out));
    const LinearShape shape = ShapeOf(c, Activation::kRelu, /*input_gradient=*/true);
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<LinearKernel> linear, fast->CreateLinear(shape));
    GuardedFloats x(c.batch * c.in, 1), w(c.in * c.out, 2), b(c.out, 3), y(c.batch * c.out, 4);
    GuardedFloats dy(c.batch * c.out, 5), dw(c.in * c.out, 6), db(c.out, 7), dx(c.batch * c.in, 8);
    EXPECT_THAT(linear->Forward(x.data(), w.data(), b.data(), y.data()), IsOk());
    EXPECT_THAT(linear->Backward(x.data(), w.data(), y.data(), dy.data(),
                                 {.weights = dw.data(), .biases = db.data(), .input = dx.data()}),
                IsOk());
  }
}

}  // namespace
}  // namespace trainyard
