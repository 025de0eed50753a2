#include "core/optim/optimizer.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

OptimizerConfig Sgd(double momentum, double weight_decay = 0) {
  return WithDefaults({.kind = OptimizerKind::kSgd,
                       .learning_rate = 0.1,
                       .momentum = momentum,
                       .weight_decay = weight_decay});
}

OptimizerConfig Adam(double weight_decay = 0) {
  return WithDefaults(
      {.kind = OptimizerKind::kAdam, .learning_rate = 0.1, .weight_decay = weight_decay});
}

// θ after so many steps with the same gradient.
std::vector<float> Steps(const OptimizerConfig& config, int count, std::vector<float> gradients,
                         std::vector<float> parameters, int64_t weight_count) {
  Optimizer optimizer(config, static_cast<int64_t>(parameters.size()), weight_count);
  for (int i = 0; i < count; ++i) {
    optimizer.Step(*config.learning_rate, gradients, parameters);
  }
  return parameters;
}

TEST(OptimizerTest, DefaultsAreThoseOfTheKind) {
  const OptimizerConfig adam = WithDefaults({});
  EXPECT_EQ(adam.kind, OptimizerKind::kAdam);
  EXPECT_EQ(adam.learning_rate, 0.001);
  EXPECT_EQ(adam.beta1, 0.9);
  EXPECT_EQ(adam.beta2, 0.999);
  EXPECT_EQ(adam.epsilon, 1e-8);
  EXPECT_FALSE(adam.momentum.has_value());
  const OptimizerConfig sgd = WithDefaults({.kind = OptimizerKind::kSgd});
  EXPECT_EQ(sgd.learning_rate, 0.01);
  EXPECT_EQ(sgd.momentum, 0);
  EXPECT_FALSE(sgd.beta1.has_value());
  EXPECT_EQ(WithDefaults({.learning_rate = 3}).learning_rate, 3);
}

TEST(OptimizerTest, SgdByHand) {
  EXPECT_FLOAT_EQ(Steps(Sgd(0), 1, {2}, {1}, 1)[0], 0.8f);
  EXPECT_FLOAT_EQ(Steps(Sgd(0), 2, {2}, {1}, 1)[0], 0.6f);
}

TEST(OptimizerTest, MomentumByHand) {
  // v: 2, then 0.5·2 + 2 = 3, then 3.5.
  EXPECT_FLOAT_EQ(Steps(Sgd(0.5), 1, {2}, {1}, 1)[0], 0.8f);
  EXPECT_FLOAT_EQ(Steps(Sgd(0.5), 2, {2}, {1}, 1)[0], 0.5f);
  EXPECT_FLOAT_EQ(Steps(Sgd(0.5), 3, {2}, {1}, 1)[0], 0.15f);
}

TEST(OptimizerTest, AdamByHand) {
  // Step 1: m̂ = g, ŝ = g²: the step is the learning rate, whatever the gradient.
  EXPECT_NEAR(Steps(Adam(), 1, {2}, {1}, 1)[0], 0.9, 1e-6);
  EXPECT_NEAR(Steps(Adam(), 1, {-1e-3f}, {1}, 1)[0], 1.1, 1e-5);
  // ε is outside the root: with g as small as ε the first step is half the learning rate.
  EXPECT_NEAR(Steps(Adam(), 1, {1e-8f}, {1}, 1)[0], 0.95, 1e-5);
}

TEST(OptimizerTest, AdamOfAChangingGradient) {
  const OptimizerConfig config = Adam();
  Optimizer optimizer(config, 1, 1);
  std::vector<float> parameters = {1};
  double m = 0, s = 0, expected = 1;
  for (int t = 1; t <= 20; ++t) {
    const double g = std::sin(t);
    m = 0.9 * m + 0.1 * g;
    s = 0.999 * s + 0.001 * g * g;
    expected -=
        0.1 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(s / (1 - std::pow(0.999, t))) + 1e-8);
    optimizer.Step(0.1, std::vector<float>{static_cast<float>(g)}, parameters);
    EXPECT_NEAR(parameters[0], expected, 2e-5) << t;
  }
}

TEST(OptimizerTest, WeightDecayMovesWeightsButNotBiases) {
  for (const OptimizerConfig& config : {Sgd(0, 0.5), Sgd(0.9, 0.5), Adam(0.5)}) {
    const std::vector<float> after = Steps(config, 1, {0, 0}, {2, 2}, /*weight_count=*/1);
    EXPECT_LT(after[0], 2);
    EXPECT_EQ(after[1], 2);
  }
  EXPECT_FLOAT_EQ(Steps(Sgd(0, 0.5), 1, {0}, {2}, 1)[0], 1.9f);  // 2 - 0.1·0.5·2
}

TEST(OptimizerTest, ZeroGradientsLeaveZerosAtZero) {
  // The gaps between tensors in the arenas rely on it.
  for (const OptimizerConfig& config : {Sgd(0), Sgd(0.9, 0.5), Adam(), Adam(0.5)}) {
    EXPECT_EQ(Steps(config, 5, {0, 1}, {0, 1}, 2)[0], 0);
  }
}

TEST(OptimizerTest, EveryElementOfALongArenaIsUpdatedAlike) {
  const size_t count = 1003;
  for (const OptimizerConfig& config : {Sgd(0), Sgd(0.9), Adam()}) {
    const std::vector<float> one = Steps(config, 3, {0.5f}, {1}, 1);
    const std::vector<float> many =
        Steps(config, 3, std::vector<float>(count, 0.5f), std::vector<float>(count, 1), 500);
    for (const float v : many) EXPECT_NEAR(v, one[0], 1e-6);
  }
}

}  // namespace
}  // namespace trainyard
