#include "core/nn/init.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

constexpr int64_t kIn = 300;
constexpr int64_t kOut = 200;

MlpConfig OneHidden(InitKind init, Activation activation = Activation::kRelu) {
  return {.features = kIn, .layers = {{kOut, activation}}, .outputs = 3, .init = init};
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
  const double xavier = std::sqrt(2.0 / (kIn + kOut));
  const Case cases[] = {
      {InitKind::kHeNormal, Activation::kTanh, he, false},
      {InitKind::kHeUniform, Activation::kTanh, he, true},
      {InitKind::kXavierNormal, Activation::kRelu, xavier, false},
      {InitKind::kXavierUniform, Activation::kRelu, xavier, true},
      {InitKind::kUnspecified, Activation::kRelu, he, false},
      {InitKind::kUnspecified, Activation::kTanh, xavier, true},
      {InitKind::kUnspecified, Activation::kIdentity, xavier, true},
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
