#include "core/tensor/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "core/tensor/vector_math.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> Normals(int64_t count, uint64_t seed = 1) {
  Rng rng(seed, RngStream::kAnalysis);
  std::vector<float> x(static_cast<size_t>(count));
  for (float& v : x) v = static_cast<float>(rng.Normal());
  return x;
}

// Distance in units of the last place of the correctly rounded result.
double UlpError(float actual, double expected) {
  const float rounded = static_cast<float>(expected);
  const float next = std::nextafter(rounded, kInfinity);
  return std::fabs(actual - expected) / (static_cast<double>(next) - rounded);
}

TEST(VectorMathTest, ExpIsWithinTwoUlpOfTheTruth) {
  double worst = 0;
  for (float x = -87.3f; x < 88.7f; x += 0.0037f) {
    worst = std::max(worst, UlpError(Exp(x), std::exp(static_cast<double>(x))));
  }
  EXPECT_LE(worst, 2);
}

TEST(VectorMathTest, ExpAtTheEndsOfItsRange) {
  EXPECT_EQ(Exp(0), 1);
  EXPECT_EQ(Exp(-0.0f), 1);
  EXPECT_EQ(Exp(-1000), 0);
  EXPECT_EQ(Exp(-kInfinity), 0);
  EXPECT_EQ(Exp(1000), kInfinity);
  EXPECT_EQ(Exp(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Exp(kNan)));
  EXPECT_NEAR(Exp(-100) / std::exp(-100.0), 1, 0.1);  // denormal
}

TEST(VectorMathTest, Log1pIsWithinTwoUlpOfTheTruth) {
  double worst = 0;
  for (float x = 1e-6f; x <= 1; x *= 1.0003f) {
    worst = std::max(worst, UlpError(Log1p(x), std::log1p(static_cast<double>(x))));
  }
  EXPECT_LE(worst, 2);
  EXPECT_EQ(Log1p(0), 0);
  EXPECT_FLOAT_EQ(Log1p(1), std::log(2.0f));
  EXPECT_TRUE(std::isnan(Log1p(kNan)));
}

TEST(VectorMathTest, SigmoidIsSymmetricAndSaturates) {
  EXPECT_EQ(Sigmoid(0), 0.5f);
  EXPECT_EQ(Sigmoid(kInfinity), 1);
  EXPECT_EQ(Sigmoid(-kInfinity), 0);
  EXPECT_TRUE(std::isnan(Sigmoid(kNan)));
  for (float z = -20; z < 20; z += 0.37f) EXPECT_NEAR(Sigmoid(z) + Sigmoid(-z), 1, 1e-6) << z;
}

struct ActivationCase {
  Activation activation;
  double (*value)(double);
  double (*slope_of_output)(double);
};

const ActivationCase kActivations[] = {
    {Activation::kIdentity, [](double z) { return z; }, [](double) { return 1.0; }},
    {Activation::kRelu, [](double z) { return std::max(z, 0.0); },
     [](double y) { return y > 0 ? 1.0 : 0.0; }},
    {Activation::kSigmoid, [](double z) { return 1 / (1 + std::exp(-z)); },
     [](double y) { return y * (1 - y); }},
    {Activation::kTanh, [](double z) { return std::tanh(z); }, [](double y) { return 1 - y * y; }},
};

TEST(VectorOpsTest, ActivationsAndTheirGradientsFollowTheFormulas) {
  for (const ActivationCase& c : kActivations) {
    SCOPED_TRACE(static_cast<int>(c.activation));
    const std::vector<float> z = Normals(101);
    const std::vector<float> dy = Normals(101, 2);
    std::vector<float> y = z;
    ApplyActivation(c.activation, y.data(), 101);
    std::vector<float> dz = dy;
    ApplyActivationGradient(c.activation, y.data(), dz.data(), 101);
    for (size_t i = 0; i < z.size(); ++i) {
      EXPECT_NEAR(y[i], c.value(z[i]), 1e-6);
      EXPECT_NEAR(dz[i], dy[i] * c.slope_of_output(y[i]), 1e-6);
    }
  }
}

TEST(VectorOpsTest, ReluHasNoSlopeAtItsKink) {
  const float y = 0;
  float dy = 3;
  ApplyActivationGradient(Activation::kRelu, &y, &dy, 1);
  EXPECT_EQ(dy, 0);
}

TEST(VectorOpsTest, ActivationsKeepNan) {
  for (const ActivationCase& c : kActivations) {
    std::vector<float> y(19, kNan);
    ApplyActivation(c.activation, y.data(), 19);
    for (const float v : y) EXPECT_TRUE(std::isnan(v)) << static_cast<int>(c.activation);
  }
}

TEST(VectorOpsTest, ColumnSumsOfAwkwardShapes) {
  for (const int64_t rows : {0, 1, 2, 255, 256, 257, 1000}) {
    for (const int64_t cols : {1, 3, 63, 64, 65, 130}) {
      const std::vector<float> m = Normals(rows * cols);
      std::vector<float> sums(static_cast<size_t>(cols), kNan);
      ColumnSums(m.data(), rows, cols, sums.data());
      for (int64_t c = 0; c < cols; ++c) {
        double expected = 0;
        for (int64_t r = 0; r < rows; ++r) expected += m[r * cols + c];
        // Each of the additions rounds a partial sum of standard normals.
        EXPECT_NEAR(sums[c], expected, 1e-6 * std::sqrt(static_cast<double>(rows) + 1) * 16)
            << rows << "x" << cols;
      }
    }
  }
}

TEST(VectorOpsTest, SumsOfManyEqualNumbersDoNotDrift) {
  constexpr int64_t kRows = 1 << 20;
  const std::vector<float> m(kRows, 0.1f);
  float sum = 0;
  ColumnSums(m.data(), kRows, 1, &sum);
  EXPECT_NEAR(sum / (kRows * static_cast<double>(0.1f)), 1, 1e-5);
}

TEST(VectorOpsTest, SumOfSquares) {
  for (const int64_t count : {0, 1, 63, 64, 65, 4096, 4097, 10'000}) {
    const std::vector<float> x = Normals(count);
    double expected = 0;
    for (const float v : x) expected += static_cast<double>(v) * v;
    EXPECT_NEAR(SumOfSquares(x.data(), count), expected, 1e-5 * (expected + 1)) << count;
  }
}

TEST(VectorOpsTest, SquaresThatOverflowAFloatAreStillFinite) {
  const std::vector<float> x(100, 1e30f);
  EXPECT_NEAR(SumOfSquares(x.data(), 100) / 1e62, 1, 1e-6);
  EXPECT_TRUE(AllFinite(x.data(), 100));
}

TEST(VectorOpsTest, OneBadNumberAnywhereIsSeen) {
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    for (const size_t where : {0, 63, 64, 4095, 4096, 4999}) {
      std::vector<float> x(5000, 1.0f);
      EXPECT_TRUE(AllFinite(x.data(), 5000));
      x[where] = bad;
      EXPECT_FALSE(AllFinite(x.data(), 5000)) << bad << " at " << where;
    }
  }
}

}  // namespace
}  // namespace trainyard
