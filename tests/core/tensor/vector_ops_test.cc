#include "core/tensor/vector_ops.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>
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

TEST(VectorMathTest, Expm1TanhAndErfAreWithinThreeUlpOfTheTruth) {
  double expm1 = 0, tanh = 0, erf = 0;
  for (float x = 1e-6f; x <= 12; x *= 1.0003f) {
    expm1 = std::max(expm1, UlpError(Expm1(-x), std::expm1(-static_cast<double>(x))));
    tanh = std::max(tanh, UlpError(Tanh(x), std::tanh(static_cast<double>(x))));
    erf = std::max(erf, UlpError(Erf(x), std::erf(static_cast<double>(x))));
  }
  EXPECT_LE(expm1, 3);
  EXPECT_LE(tanh, 3);
  EXPECT_LE(erf, 3);
}

TEST(VectorMathTest, TanhAndErfAreOddAndSaturate) {
  for (float (*f)(float) : {+[](float x) { return Tanh(x); }, +[](float x) { return Erf(x); }}) {
    EXPECT_EQ(f(0), 0);
    EXPECT_EQ(f(kInfinity), 1);
    EXPECT_EQ(f(-kInfinity), -1);
    EXPECT_TRUE(std::isnan(f(kNan)));
    for (float x = 0.01f; x < 6; x += 0.13f) EXPECT_EQ(f(-x), -f(x)) << x;
  }
  EXPECT_EQ(Expm1(0), 0);
  EXPECT_EQ(Expm1(-kInfinity), -1);
  EXPECT_TRUE(std::isnan(Expm1(kNan)));
}

constexpr double kLeakyAlpha = 0.2;
constexpr double kEluAlpha = 1.5;

struct ActivationCase {
  Activation activation;
  double alpha;
  double (*value)(double);
};

double HardSigmoid(double z) { return std::clamp(z / 6 + 0.5, 0.0, 1.0); }

const ActivationCase kActivations[] = {
    {Activation::kIdentity, 0, [](double z) { return z; }},
    {Activation::kRelu, 0, [](double z) { return std::max(z, 0.0); }},
    {Activation::kSigmoid, 0, [](double z) { return 1 / (1 + std::exp(-z)); }},
    {Activation::kTanh, 0, [](double z) { return std::tanh(z); }},
    {Activation::kLeakyRelu, kLeakyAlpha, [](double z) { return z > 0 ? z : kLeakyAlpha * z; }},
    {Activation::kElu, kEluAlpha, [](double z) { return z > 0 ? z : kEluAlpha * std::expm1(z); }},
    {Activation::kSelu, 0,
     [](double z) {
       return 1.0507009873554804934 * (z > 0 ? z : 1.6732632423543772848 * std::expm1(z));
     }},
    {Activation::kGelu, 0, [](double z) { return z * std::erfc(-z / std::sqrt(2)) / 2; }},
    {Activation::kGeluTanh, 0,
     [](double z) {
       return z / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
     }},
    {Activation::kSilu, 0, [](double z) { return z / (1 + std::exp(-z)); }},
    {Activation::kSoftplus, 0, [](double z) { return std::log1p(std::exp(z)); }},
    {Activation::kHardSigmoid, 0, HardSigmoid},
    {Activation::kHardTanh, 0, [](double z) { return std::clamp(z, -1.0, 1.0); }},
    {Activation::kHardSwish, 0, [](double z) { return z * HardSigmoid(z); }},
};
static_assert(std::size(kActivations) == static_cast<size_t>(kActivationLast));

// From -8 to 8, so that every branch is met; never at a kink.
std::vector<float> Inputs() {
  std::vector<float> z;
  for (int i = 0; i < 229; ++i) z.push_back(-8 + 0.07f * (static_cast<float>(i) + 0.37f));
  return z;
}

TEST(VectorOpsTest, ActivationsFollowTheFormulas) {
  for (const ActivationCase& c : kActivations) {
    SCOPED_TRACE(static_cast<int>(c.activation));
    const std::vector<float> z = Inputs();
    const int64_t count = static_cast<int64_t>(z.size());
    std::vector<float> y(z.size());
    const float alpha = static_cast<float>(c.alpha);
    ApplyActivation(c.activation, alpha, z.data(), y.data(), count);
    for (size_t i = 0; i < z.size(); ++i) EXPECT_NEAR(y[i], c.value(z[i]), 2e-6) << z[i];
    std::vector<float> in_place = z;
    ApplyActivation(c.activation, alpha, in_place.data(), in_place.data(), count);
    EXPECT_EQ(in_place, y);
  }
}

TEST(VectorOpsTest, ActivationGradientsAreTheDerivatives) {
  for (const ActivationCase& c : kActivations) {
    SCOPED_TRACE(static_cast<int>(c.activation));
    const std::vector<float> z = Inputs();
    const int64_t count = static_cast<int64_t>(z.size());
    std::vector<float> y(z.size());
    const float alpha = static_cast<float>(c.alpha);
    ApplyActivation(c.activation, alpha, z.data(), y.data(), count);
    const std::vector<float> dy = Normals(count, 2);
    std::vector<float> dz = dy;
    const bool input = GradientNeedsInput(c.activation);
    ApplyActivationGradient(c.activation, alpha, input ? z.data() : nullptr,
                            input ? nullptr : y.data(), dz.data(), count);
    for (size_t i = 0; i < z.size(); ++i) {
      constexpr double kStep = 1e-5;
      const double slope = (c.value(z[i] + kStep) - c.value(z[i] - kStep)) / (2 * kStep);
      EXPECT_NEAR(dz[i], dy[i] * slope, 1e-5) << z[i];
    }
  }
}

// The choices PyTorch 1.13 makes where there is no derivative.
TEST(VectorOpsTest, SlopesAtTheKinksArePyTorchs) {
  const struct {
    Activation activation;
    float z, slope;
  } kKinks[] = {{Activation::kRelu, 0, 0},           {Activation::kLeakyRelu, 0, 0.2f},
                {Activation::kHardTanh, 1, 0},       {Activation::kHardTanh, -1, 0},
                {Activation::kHardSigmoid, 3, 0},    {Activation::kHardSigmoid, -3, 0},
                {Activation::kHardSwish, -3, -0.5f}, {Activation::kHardSwish, 3, 1.5f}};
  for (const auto& kink : kKinks) {
    float y = 0;
    ApplyActivation(kink.activation, 0.2f, &kink.z, &y, 1);
    float dy = 1;
    ApplyActivationGradient(kink.activation, 0.2f, &kink.z, &y, &dy, 1);
    EXPECT_FLOAT_EQ(dy, kink.slope) << static_cast<int>(kink.activation) << " at " << kink.z;
  }
}

TEST(VectorOpsTest, ActivationsKeepNan) {
  for (const ActivationCase& c : kActivations) {
    const std::vector<float> z(19, kNan);
    std::vector<float> y(19);
    ApplyActivation(c.activation, 0.5f, z.data(), y.data(), 19);
    for (const float v : y) EXPECT_TRUE(std::isnan(v)) << static_cast<int>(c.activation);
  }
}

constexpr DropoutKey kKey{.seed = 5, .layer = 2, .step = 77};

std::vector<float> Dropped(const DropoutKey& key, float rate, int64_t first, int64_t count) {
  const std::vector<float> ones(static_cast<size_t>(count), 1);
  std::vector<float> y(ones.size());
  ApplyDropout(key, rate, first, ones.data(), y.data(), count);
  return y;
}

TEST(DropoutTest, ZeroesTheRateAndScalesTheRest) {
  constexpr int64_t kCount = 1 << 20;
  for (const float rate : {0.0f, 0.1f, 0.3f, 0.9f}) {
    int64_t zeros = 0;
    for (const float v : Dropped(kKey, rate, 0, kCount)) {
      if (v == 0)
        ++zeros;
      else
        EXPECT_FLOAT_EQ(v, 1 / (1 - rate));
    }
    // Five standard deviations of a binomial.
    EXPECT_NEAR(static_cast<double>(zeros) / kCount, rate,
                5 * std::sqrt(rate * (1 - rate) / kCount) + 1e-12);
  }
}

TEST(DropoutTest, APartOfABatchDropsWhatTheWholeWouldHave) {
  const std::vector<float> whole = Dropped(kKey, 0.4f, 0, 3000);
  for (const int64_t first : {0, 1, 31, 32, 33, 1000, 1023, 1024, 1025}) {
    for (const int64_t count : {0, 1, 31, 100, 1025, 1900}) {
      const std::vector<float> part = Dropped(kKey, 0.4f, first, count);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first)) << first;
    }
  }
}

TEST(DropoutTest, FollowsPhiloxAsTheHeaderSays) {
  const uint64_t substream = uint64_t{2} << 48 | 77;
  const std::vector<float> y = Dropped(kKey, 0.5f, 0, 2048);
  for (uint32_t i = 0; i < 2048; ++i) {
    const std::array<uint32_t, 4> block =
        Philox({i / 32 * 8 + i % 8, 0, static_cast<uint32_t>(substream),
                static_cast<uint32_t>(substream >> 32)},
               KeyOf(5, RngStream::kDropout));
    EXPECT_EQ(y[i] == 0, block[i % 32 / 8] < uint32_t{1} << 31) << i;
  }
}

TEST(DropoutTest, SeedLayerAndStepEachMatter) {
  const std::vector<float> base = Dropped(kKey, 0.5f, 0, 256);
  EXPECT_NE(base, Dropped({.seed = 6, .layer = 2, .step = 77}, 0.5f, 0, 256));
  EXPECT_NE(base, Dropped({.seed = 5, .layer = 3, .step = 77}, 0.5f, 0, 256));
  EXPECT_NE(base, Dropped({.seed = 5, .layer = 2, .step = 78}, 0.5f, 0, 256));
}

TEST(VectorOpsTest, RoundToBf16IsToNearestTiesToEven) {
  const struct {
    float x;
    uint16_t bits;
  } kCases[] = {{0.0f, 0},
                {-0.0f, 0x8000},
                {1.0f, 0x3f80},
                {1 + 0x1p-8f, 0x3f80},             // a tie, to the even one below
                {1 + 0x3p-8f, 0x3f82},             // a tie, to the even one above
                {1 + 0x1p-8f + 0x1p-20f, 0x3f81},  // just above a tie
                {-(1 + 0x1p-8f + 0x1p-20f), 0xbf81},
                {3.4028235e38f, 0x7f80},  // beyond the largest: infinite
                {kInfinity, 0x7f80},
                {-kInfinity, 0xff80}};
  for (const auto& c : kCases) {
    uint16_t bits = 0;
    RoundToBf16(&c.x, &bits, 1);
    EXPECT_EQ(bits, c.bits) << c.x;
  }
  for (const uint32_t word : {0x7f800001u, 0x7fffffffu, 0xffffffffu, 0x7fc00000u}) {
    const float nan = std::bit_cast<float>(word);
    uint16_t bits = 0;
    RoundToBf16(&nan, &bits, 1);
    EXPECT_TRUE(std::isnan(std::bit_cast<float>(uint32_t{bits} << 16))) << word;
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
