#include "core/nn/init.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

constexpr int64_t kIn = 300;
constexpr int64_t kOut = 200;

MlpConfig OneHidden(InitKind init, Activation activation = Activation::kRelu) {
  return {.features = kIn, .layers = {{kOut, activation}}, .outputs = 3, .init = {.kind = init}};
}

double StandardDeviation(const std::vector<float>& w) {
  double sum = 0;
  for (const float v : w) sum += static_cast<double>(v) * v;
  return std::sqrt(sum / static_cast<double>(w.size()));
}

double LargestMagnitude(const std::vector<float>& w) {
  double largest = 0;
  for (const float v : w) largest = std::max(largest, std::fabs(static_cast<double>(v)));
  return largest;
}

struct Case {
  InitKind init;
  Activation activation;
  double standard_deviation;
  bool bounded;  // uniform: nothing beyond √3 standard deviations
};

TEST(InitTest, SpreadFollowsTheFormula) {
  const double he = std::sqrt(2.0 / kIn);
  const double lecun = std::sqrt(1.0 / kIn);
  const double xavier = std::sqrt(2.0 / (kIn + kOut));
  const double linear = std::sqrt(1.0 / (3 * kIn));  // PyTorch's
  const Case cases[] = {
      {InitKind::kHeNormal, Activation::kTanh, he, false},
      {InitKind::kHeUniform, Activation::kTanh, he, true},
      {InitKind::kXavierNormal, Activation::kRelu, xavier, false},
      {InitKind::kXavierUniform, Activation::kRelu, xavier, true},
      {InitKind::kLecunNormal, Activation::kTanh, lecun, false},
      {InitKind::kLecunUniform, Activation::kTanh, lecun, true},
      {InitKind::kNormal, Activation::kRelu, 0.01, false},
      {InitKind::kUniform, Activation::kRelu, 0.01 / std::sqrt(3.0), true},
      {InitKind::kUnspecified, Activation::kRelu, linear, true},
      {InitKind::kUnspecified, Activation::kGelu, linear, true},
      {InitKind::kUnspecified, Activation::kHardSwish, linear, true},
      {InitKind::kUnspecified, Activation::kIdentity, linear, true},
      {InitKind::kUnspecified, Activation::kSelu, lecun, false},
      {InitKind::kUnspecified, Activation::kHardTanh, xavier, true},
      {InitKind::kUnspecified, Activation::kTanh, xavier, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(static_cast<int>(c.init));
    const std::vector<float> w = InitialWeights(OneHidden(c.init, c.activation), 1)[0].weights;
    // 60 000 draws: the estimate of a standard deviation is good to 1/sqrt(2·60 000), 0.3 %.
    EXPECT_NEAR(StandardDeviation(w) / c.standard_deviation, 1, 0.012);
    const double reach = LargestMagnitude(w) / c.standard_deviation;
    EXPECT_EQ(reach <= std::sqrt(3.0) * 1.0001, c.bounded) << reach;
  }
}

TEST(InitTest, GainAndScaleStretchWhatIsDrawn) {
  for (const InitKind kind : {InitKind::kUnspecified, InitKind::kHeNormal, InitKind::kXavierUniform,
                              InitKind::kLecunUniform, InitKind::kOrthogonal}) {
    MlpConfig config = OneHidden(kind);
    const double plain = StandardDeviation(InitialWeights(config, 1)[0].weights);
    config.init.gain = 3;
    EXPECT_NEAR(StandardDeviation(InitialWeights(config, 1)[0].weights) / plain, 3, 1e-6);
  }
  for (const InitKind kind : {InitKind::kNormal, InitKind::kUniform}) {
    MlpConfig config = OneHidden(kind);
    config.init.scale = 0.5;
    const double deviation = kind == InitKind::kNormal ? 0.5 : 0.5 / std::sqrt(3.0);
    EXPECT_NEAR(StandardDeviation(InitialWeights(config, 1)[0].weights) / deviation, 1, 0.012);
  }
}

// What was drawn for a seed stays what is drawn: a bundle is reproducible by its spec.
TEST(InitTest, DrawsTheNumbersOfTheStream) {
  Rng normal(9, RngStream::kInit, 0);
  const std::vector<float> he = InitialWeights(OneHidden(InitKind::kHeNormal), 9)[0].weights;
  Rng uniform(9, RngStream::kInit, 0);
  const std::vector<float> xavier =
      InitialWeights(OneHidden(InitKind::kXavierUniform), 9)[0].weights;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(he[i], static_cast<float>(std::sqrt(2.0 / kIn) * normal.Normal()));
    EXPECT_EQ(xavier[i],
              static_cast<float>(std::sqrt(6.0 / (kIn + kOut)) * (2 * uniform.Uniform() - 1)));
  }
}

TEST(InitTest, OrthogonalMakesTheFewerOfRowsAndColumnsOrthonormal) {
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{30, 20}, {20, 30}, {25, 25}}) {
    const MlpConfig config{
        .features = in, .layers = {{.units = out}}, .outputs = 1, .init = {InitKind::kOrthogonal}};
    const std::vector<float> w = InitialWeights(config, 4)[0].weights;
    const bool by_column = out <= in;
    const int64_t count = std::min(in, out), length = std::max(in, out);
    const auto at = [&](int64_t vector, int64_t i) {
      return w[static_cast<size_t>(by_column ? i * out + vector : vector * out + i)];
    };
    for (int64_t a = 0; a < count; ++a) {
      for (int64_t b = 0; b <= a; ++b) {
        double dot = 0;
        for (int64_t i = 0; i < length; ++i) dot += static_cast<double>(at(a, i)) * at(b, i);
        ASSERT_NEAR(dot, a == b ? 1 : 0, 1e-6) << in << " " << a << " " << b;
      }
    }
  }
}

TEST(InitTest, BiasesAreZeroAndZerosIsAllZero) {
  for (const LayerWeights& layer : InitialWeights(OneHidden(InitKind::kHeNormal), 1)) {
    EXPECT_EQ(LargestMagnitude(layer.biases), 0);
  }
  for (const LayerWeights& layer : InitialWeights(OneHidden(InitKind::kZeros), 1)) {
    EXPECT_EQ(LargestMagnitude(layer.weights), 0);
  }
}

TEST(InitTest, IsAFunctionOfSeedAndLayer) {
  const MlpConfig config{
      .features = 8, .layers = {{8, Activation::kTanh}, {8, Activation::kTanh}}, .outputs = 8};
  const MlpWeights a = InitialWeights(config, 7);
  EXPECT_EQ(a[1].weights, InitialWeights(config, 7)[1].weights);
  EXPECT_NE(a[1].weights, InitialWeights(config, 8)[1].weights);
  EXPECT_NE(a[0].weights, a[1].weights);
}

}  // namespace
}  // namespace trainyard
