#include "core/optim/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

// A layer of [in, out] weights, and its biases.
ParameterTensors TensorsOf(int64_t in, int64_t out, bool hidden = false) {
  const int64_t border = (in * out + 15) / 16 * 16;
  return {{.name = "weights", .hidden = hidden, .begin = 0, .rows = in, .cols = out},
          {.name = "biases",
           .kind = TensorKind::kBiases,
           .hidden = hidden,
           .begin = border,
           .rows = 1,
           .cols = out}};
}

// One weight and one bias in an arena of two cache lines.
constexpr size_t kWeight = 0;
constexpr size_t kBias = 16;
constexpr size_t kGap = 1;

std::vector<float> Arena(float weight, float bias) {
  std::vector<float> arena(32, 0.0F);
  arena[kWeight] = weight;
  arena[kBias] = bias;
  return arena;
}

// The arena after steps with these gradients of both parameters.
std::vector<float> After(const OptimizerConfig& given, float start,
                         const std::vector<float>& gradients) {
  const OptimizerConfig config = WithDefaults(given);
  Optimizer optimizer(config, TensorsOf(1, 1), /*seed=*/7);
  std::vector<float> parameters = Arena(start, start);
  for (const float gradient : gradients) {
    std::vector<float> arena = Arena(gradient, gradient);
    optimizer.PrepareGradients(arena);
    optimizer.Step(*config.learning_rate, arena, parameters);
  }
  return parameters;
}

OptimizerConfig Of(OptimizerKind kind) { return {.kind = kind, .learning_rate = 0.1}; }

constexpr OptimizerKind kStochasticKinds[] = {
    OptimizerKind::kSgd,      OptimizerKind::kAdam,    OptimizerKind::kAdagrad,
    OptimizerKind::kAdadelta, OptimizerKind::kRmsProp, OptimizerKind::kAdamW,
    OptimizerKind::kAmsGrad,  OptimizerKind::kNAdam,   OptimizerKind::kRAdam,
    OptimizerKind::kLion,     OptimizerKind::kMuon};

TEST(OptimizerTest, DefaultsAreThoseOfTheKind) {
  const OptimizerConfig adam = WithDefaults(OptimizerConfig{});
  EXPECT_EQ(adam.kind, OptimizerKind::kAdam);
  EXPECT_EQ(adam.learning_rate, 0.001);
  EXPECT_EQ(adam.beta1, 0.9);
  EXPECT_EQ(adam.beta2, 0.999);
  EXPECT_EQ(adam.epsilon, 1e-8);
  EXPECT_FALSE(adam.momentum.has_value());
  const OptimizerConfig sgd = WithDefaults(OptimizerConfig{.kind = OptimizerKind::kSgd});
  EXPECT_EQ(sgd.learning_rate, 0.01);
  EXPECT_EQ(sgd.momentum, 0);
  EXPECT_FALSE(sgd.beta1.has_value());
  EXPECT_EQ(WithDefaults(OptimizerConfig{.learning_rate = 3}).learning_rate, 3);
  EXPECT_EQ(WithDefaults(Of(OptimizerKind::kAdamW)).weight_decay, 0.01);
  EXPECT_EQ(WithDefaults(Of(OptimizerKind::kMuon)).secondary_learning_rate, 0.001);
}

struct HandCase {
  const char* name;
  OptimizerConfig config;
  std::vector<float> gradients;
  double expected;  // from θ = 1 with α = 0.1, by paper and pencil
};

TEST(OptimizerTest, FirstStepsByHand) {
  OptimizerConfig momentum = Of(OptimizerKind::kSgd);
  momentum.momentum = 0.5;
  OptimizerConfig nesterov = momentum;
  nesterov.nesterov = true;
  OptimizerConfig dampened = momentum;
  dampened.dampening = 0.5;
  OptimizerConfig slowed = Of(OptimizerKind::kAdagrad);
  slowed.learning_rate_decay = 1;
  OptimizerConfig centered = Of(OptimizerKind::kRmsProp);
  centered.centered = true;
  OptimizerConfig rms_momentum = Of(OptimizerKind::kRmsProp);
  rms_momentum.momentum = 0.5;
  OptimizerConfig centered_momentum = centered;
  centered_momentum.momentum = 0.5;
  OptimizerConfig adadelta = Of(OptimizerKind::kAdadelta);
  adadelta.learning_rate = 1;
  const HandCase cases[] = {
      {"sgd", Of(OptimizerKind::kSgd), {2, 2}, 0.6},
      // v: 2, then 0.5·2 + 2 = 3, then 3.5.
      {"momentum", momentum, {2, 2, 2}, 0.15},
      // 2 + 0.5·2.
      {"nesterov", nesterov, {2}, 0.7},
      // v: 2 (the first is not dampened), then 0.5·2 + 0.5·2.
      {"dampening", dampened, {2, 2}, 0.6},
      // 2/√4, then 2/√8.
      {"adagrad", Of(OptimizerKind::kAdagrad), {2, 2}, 1 - 0.1 - 0.1 / std::sqrt(2)},
      {"adagrad, slowed", slowed, {2, 2}, 1 - 0.1 - 0.05 / std::sqrt(2)},
      {"adadelta", adadelta, {2}, 1 - std::sqrt(1e-6 / 0.400001) * 2},
      // Mean square 0.04.
      {"rmsprop", Of(OptimizerKind::kRmsProp), {2}, 0},
      // Mean 0.02.
      {"rmsprop, centered", centered, {2}, 1 - 0.2 / std::sqrt(0.0396)},
      {"rmsprop, momentum", rms_momentum, {2, 2}, 0 - 0.1 * (5 + 2 / std::sqrt(0.0796))},
      {"rmsprop, both", centered_momentum, {2}, 1 - 0.2 / std::sqrt(0.0396)},
      // m̂ = g, ŝ = g²: the step is α, whatever the gradient.
      {"adam", Of(OptimizerKind::kAdam), {2}, 0.9},
      {"adam, small", Of(OptimizerKind::kAdam), {-1e-3F}, 1.1},
      // ε is outside the root: with g as small as ε the first step is half of α.
      {"adam, tiny", Of(OptimizerKind::kAdam), {1e-8F}, 0.95},
      // α·0.01·θ by the default decay is taken off directly.
      {"adamw", Of(OptimizerKind::kAdamW), {2}, 0.899},
      // The second step divides by the mean square of the first.
      {"amsgrad",
       Of(OptimizerKind::kAmsGrad),
       {2, 0},
       0.9 - 0.1 * (0.18 / 0.19) / std::sqrt(0.004 / 0.001999)},
      {"nadam", Of(OptimizerKind::kNAdam), {2}, 0.894355},
      // Not rectified yet: the mean alone.
      {"radam", Of(OptimizerKind::kRAdam), {2}, 0.8},
      {"lion", Of(OptimizerKind::kLion), {2}, 0.9},
      // c = 0.9·0.02 - 0.1·0.3 < 0 turns the sign, though the gradient is small.
      {"lion, turned", Of(OptimizerKind::kLion), {2, -0.3F}, 1.0},
  };
  for (const HandCase& c : cases) {
    const std::vector<float> after = After(c.config, 1, c.gradients);
    const double decay = c.config.kind == OptimizerKind::kAdamW ? 0.001 : 0;
    EXPECT_NEAR(after[kWeight], c.expected, 3e-5) << c.name;
    EXPECT_NEAR(after[kBias], c.expected + decay, 3e-5) << c.name;
  }
}

TEST(OptimizerTest, AdamOfAChangingGradient) {
  std::vector<float> gradients;
  double m = 0, s = 0, expected = 1;
  for (int t = 1; t <= 20; ++t) {
    const double g = std::sin(t);
    gradients.push_back(static_cast<float>(g));
    m = 0.9 * m + 0.1 * g;
    s = 0.999 * s + 0.001 * g * g;
    expected -=
        0.1 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(s / (1 - std::pow(0.999, t))) + 1e-8);
    EXPECT_NEAR(After(Of(OptimizerKind::kAdam), 1, gradients)[kWeight], expected, 2e-5) << t;
  }
}

TEST(OptimizerTest, WeightDecayAndL1MoveWeightsButNotBiases) {
  for (const OptimizerKind kind : kStochasticKinds) {
    for (const bool l1 : {false, true}) {
      OptimizerConfig config = Of(kind);
      config.weight_decay = l1 ? 0 : 0.5;
      if (l1) config.l1 = 0.5;
      const std::vector<float> after = After(config, 2, {0});
      EXPECT_LT(after[kWeight], 2) << static_cast<int>(kind);
      EXPECT_EQ(after[kBias], 2) << static_cast<int>(kind);
    }
  }
  OptimizerConfig config = Of(OptimizerKind::kSgd);
  config.weight_decay = 0.5;
  EXPECT_FLOAT_EQ(After(config, 2, {0})[kWeight], 1.9F);  // 2 - 0.1·0.5·2
  config.l1 = 0.25;
  EXPECT_FLOAT_EQ(After(config, 2, {0})[kWeight], 1.875F);
  EXPECT_FLOAT_EQ(After(config, -2, {0})[kWeight], -1.875F);
  for (const OptimizerKind kind : {OptimizerKind::kAdamW, OptimizerKind::kLion}) {
    config = Of(kind);
    config.weight_decay = 0.5;
    EXPECT_FLOAT_EQ(After(config, 2, {0})[kWeight], 1.9F);
  }
}

TEST(OptimizerTest, GapsStayZero) {
  for (const OptimizerKind kind : kStochasticKinds) {
    OptimizerConfig config = Of(kind);
    config.weight_decay = 0.5;
    config.l1 = 0.1;
    config.gradient_noise = 1;
    config.clip_norm = 1;
    config.clip_value = 1;
    config.max_norm = 1;
    config.ema_decay = 0.9;
    const std::vector<float> after = After(config, 1, {0.5F, -1, 3});
    for (size_t i = kGap; i < kBias; ++i) EXPECT_EQ(after[i], 0) << static_cast<int>(kind);
    for (size_t i = kBias + 1; i < after.size(); ++i) EXPECT_EQ(after[i], 0);
    EXPECT_TRUE(std::isfinite(after[kWeight]));
  }
}

TEST(OptimizerTest, EveryElementOfALongArenaIsUpdatedAlike) {
  const ParameterTensors tensors = TensorsOf(17, 59);
  const auto count = static_cast<size_t>(ArenaSizeOf(tensors));
  for (const OptimizerKind kind : kStochasticKinds) {
    if (kind == OptimizerKind::kMuon) continue;  // by matrices
    const OptimizerConfig config = WithDefaults(Of(kind));
    Optimizer optimizer(config, tensors, 0);
    std::vector<float> parameters(count, 1);
    for (const float g : {0.5F, 0.25F, -0.5F}) {
      optimizer.Step(0.1, std::vector<float>(count, g), parameters);
    }
    // One element lies behind the others so that a vectorised loop's end is seen.
    const double expected = parameters[count - 1];
    const double weight = parameters[0];
    for (size_t i = 0; i < count; ++i) {
      const bool is_weight = i < static_cast<size_t>(tensors[1].begin);
      EXPECT_NEAR(parameters[i], is_weight ? weight : expected, 1e-6);
    }
  }
}

TEST(OptimizerTest, PrepareTellsTheNormAsItCame) {
  OptimizerConfig config = Of(OptimizerKind::kSgd);
  config.clip_norm = 1;
  config.clip_value = 0.1;
  config.gradient_noise = 1;
  Optimizer optimizer(WithDefaults(config), TensorsOf(1, 1), 0);
  std::vector<float> gradients = Arena(3, -4);
  EXPECT_DOUBLE_EQ(optimizer.PrepareGradients(gradients), 5);
}

TEST(OptimizerTest, NonFiniteGradientsAreLeftAlone) {
  OptimizerConfig config = Of(OptimizerKind::kSgd);
  config.clip_value = 1;
  config.gradient_noise = 1;
  Optimizer optimizer(WithDefaults(config), TensorsOf(1, 1), 0);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> gradients = Arena(bad, 3);
    EXPECT_FALSE(std::isfinite(optimizer.PrepareGradients(gradients)));
    EXPECT_EQ(gradients[kBias], 3);
  }
}

TEST(OptimizerTest, ClipsByValueThenByNorm) {
  OptimizerConfig config = Of(OptimizerKind::kSgd);
  config.clip_norm = 1;
  // 2 elements of 3: the norm is 3√2.
  EXPECT_NEAR(After(config, 1, {3})[kWeight], 1 - 0.1 / std::sqrt(2), 1e-6);
  EXPECT_NEAR(After(config, 1, {0.5F})[kWeight], 0.95, 1e-6);
  config.clip_value = 0.25;
  EXPECT_NEAR(After(config, 1, {3})[kWeight], 0.975, 1e-6);
  EXPECT_NEAR(After(config, 1, {-3})[kWeight], 1.025, 1e-6);
  // The scale is of one gradient, not of those after it.
  config.clip_value.reset();
  EXPECT_NEAR(After(config, 1, {3, 0.5F})[kWeight], 1 - 0.1 / std::sqrt(2) - 0.05, 1e-6);
}

TEST(OptimizerTest, MaxNormBoundsTheColumnsOfWeights) {
  OptimizerConfig config = Of(OptimizerKind::kSgd);
  config.max_norm = 5;
  const ParameterTensors tensors = TensorsOf(2, 3);
  Optimizer optimizer(WithDefaults(config), tensors, 0);
  // Columns (6, 8), (3, 4) and (0, 1); biases 9.
  std::vector<float> parameters(32, 0.0F);
  const std::vector<float> weights = {6, 3, 0, 8, 4, 1};
  std::copy(weights.begin(), weights.end(), parameters.begin());
  for (size_t i = 16; i < 19; ++i) parameters[i] = 9;
  optimizer.Step(0.1, std::vector<float>(32, 0.0F), parameters);
  const std::vector<float> expected = {3, 3, 0, 4, 4, 1};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(parameters[i], expected[i], 1e-5) << i;
  EXPECT_EQ(parameters[16], 9);
}

TEST(OptimizerTest, TheAverageBeginsWithTheFirstParameters) {
  OptimizerConfig config = Of(OptimizerKind::kSgd);
  config.ema_decay = 0.75;
  Optimizer optimizer(WithDefaults(config), TensorsOf(1, 1), 0);
  std::vector<float> parameters = Arena(1, 1);
  EXPECT_EQ(optimizer.averaged_parameters()[kWeight], 0);
  optimizer.Step(0.1, Arena(2, 0), parameters);
  EXPECT_FLOAT_EQ(optimizer.averaged_parameters()[kWeight], 0.8F);
  optimizer.Step(0.1, Arena(2, 0), parameters);
  EXPECT_FLOAT_EQ(optimizer.averaged_parameters()[kWeight], 0.75F * 0.8F + 0.25F * 0.6F);
  EXPECT_FLOAT_EQ(optimizer.averaged_parameters()[kBias], 1);
  Optimizer plain(WithDefaults(Of(OptimizerKind::kSgd)), TensorsOf(1, 1), 0);
  EXPECT_TRUE(plain.averaged_parameters().empty());
}

TEST(OptimizerTest, NoiseHasItsVarianceAndIsThatOfSeedAndStep) {
  const ParameterTensors tensors = TensorsOf(100, 100);
  const auto count = static_cast<size_t>(ArenaSizeOf(tensors));
  OptimizerConfig config = Of(OptimizerKind::kSgd);
  config.gradient_noise = 4;
  const auto noise_at = [&](uint64_t seed, int64_t step) {
    Optimizer optimizer(WithDefaults(config), tensors, seed);
    optimizer.set_steps_done(step);
    std::vector<float> gradients(count, 0.0F);
    optimizer.PrepareGradients(gradients);
    return gradients;
  };
  const auto variance_of = [](const std::vector<float>& noise) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 10'000; ++i) {
      sum += noise[i];
      squares += static_cast<double>(noise[i]) * noise[i];
    }
    EXPECT_NEAR(sum / 1e4 / std::sqrt(squares / 1e4), 0, 0.05);
    return squares / 1e4;
  };
  EXPECT_EQ(noise_at(1, 3), noise_at(1, 3));
  EXPECT_NE(noise_at(1, 3), noise_at(1, 4));
  EXPECT_NE(noise_at(1, 3), noise_at(2, 3));
  EXPECT_NEAR(variance_of(noise_at(1, 0)), 4, 0.3);
  EXPECT_NEAR(variance_of(noise_at(1, 99)), 4 / std::pow(100, 0.55), 0.03);
}

TEST(OptimizerTest, StateArraysAreAllThatALaterStepDependsOn) {
  for (const OptimizerKind kind : kStochasticKinds) {
    OptimizerConfig given = Of(kind);
    given.ema_decay = 0.9;
    if (kind == OptimizerKind::kSgd) given.momentum = 0.9;
    const OptimizerConfig config = WithDefaults(given);
    Optimizer first(config, TensorsOf(1, 1, /*hidden=*/true), 0);
    std::vector<float> parameters = Arena(1, -1);
    for (const float g : {1.0F, -0.5F, 2.0F}) first.Step(0.1, Arena(g, g), parameters);
    Optimizer second(config, TensorsOf(1, 1, /*hidden=*/true), 0);
    second.set_steps_done(first.steps_done());
    std::vector<Optimizer::StateArray> to = second.state_arrays();
    const std::vector<Optimizer::StateArray> from = first.state_arrays();
    ASSERT_EQ(from.size(), to.size());
    for (size_t i = 0; i < from.size(); ++i) {
      EXPECT_STREQ(from[i].name, to[i].name);
      std::copy(from[i].values.begin(), from[i].values.end(), to[i].values.begin());
    }
    std::vector<float> copy = parameters;
    for (const float g : {0.5F, 0.25F}) {
      first.Step(0.1, Arena(g, g), parameters);
      second.Step(0.1, Arena(g, g), copy);
    }
    EXPECT_EQ(parameters, copy) << static_cast<int>(kind);
    EXPECT_EQ(first.averaged_parameters()[kWeight], second.averaged_parameters()[kWeight]);
  }
}

// Five steps of the quintic iteration on a singular value.
double NewtonSchulz(double x) {
  for (int i = 0; i < 5; ++i) {
    const double x3 = x * x * x;
    x = 3.4445 * x - 4.7750 * x3 + 2.0315 * x3 * x * x;
  }
  return x;
}

// θ after one step of MUON from zeros on the gradient 3·u₁v₁ᵀ + u₂v₂ᵀ, whose singular vectors
// stay and whose singular values go through the iteration.
TEST(OptimizerTest, MuonOrthogonalizesHiddenWeights) {
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{3, 3}, {2, 5}, {7, 2}}) {
    const auto at = [](int64_t i, int k) {
      const auto x = static_cast<double>(i);
      return k == 0 ? std::cos(x) : std::sin(2 * x + 1);
    };
    const auto basis = [&at](int64_t n) {
      std::vector<std::array<double, 2>> vectors(static_cast<size_t>(n));
      double norm = 0, along = 0, rest = 0;
      for (int64_t i = 0; i < n; ++i) norm += at(i, 0) * at(i, 0);
      for (int64_t i = 0; i < n; ++i) along += at(i, 0) * at(i, 1) / norm;
      for (int64_t i = 0; i < n; ++i) rest += std::pow(at(i, 1) - along * at(i, 0), 2);
      for (int64_t i = 0; i < n; ++i) {
        vectors[static_cast<size_t>(i)] = {at(i, 0) / std::sqrt(norm),
                                           (at(i, 1) - along * at(i, 0)) / std::sqrt(rest)};
      }
      return vectors;
    };
    const auto u = basis(in);
    const auto v = basis(out);
    const ParameterTensors tensors = TensorsOf(in, out, /*hidden=*/true);
    const auto count = static_cast<size_t>(ArenaSizeOf(tensors));
    const auto matrix = [&](double first, double second) {
      std::vector<float> values(count, 0.0F);
      for (size_t i = 0; i < u.size(); ++i) {
        for (size_t j = 0; j < v.size(); ++j) {
          values[i * v.size() + j] =
              static_cast<float>(first * u[i][0] * v[j][0] + second * u[i][1] * v[j][1]);
        }
      }
      return values;
    };
    std::vector<float> gradients = matrix(3, 1);
    const auto bias = static_cast<size_t>(tensors[1].begin);
    gradients[bias] = 2;
    const OptimizerConfig config = WithDefaults(OptimizerConfig{.kind = OptimizerKind::kMuon});
    Optimizer optimizer(config, tensors, 0);
    std::vector<float> parameters(count, 0.0F);
    optimizer.Step(0.01, gradients, parameters);
    const double step =
        0.01 * std::sqrt(std::max(1.0, static_cast<double>(out) / static_cast<double>(in)));
    const std::vector<float> expected =
        matrix(-step * NewtonSchulz(3 / std::sqrt(10)), -step * NewtonSchulz(1 / std::sqrt(10)));
    for (size_t i = 0; i < bias; ++i) EXPECT_NEAR(parameters[i], expected[i], 2e-6) << i;
    // Half of the learning rate 0.02, so half of the secondary one.
    EXPECT_NEAR(parameters[bias], -0.0005, 1e-7);
  }
}

TEST(OptimizerTest, MuonMovesTheOutputLayerByAdamW) {
  OptimizerConfig muon = WithDefaults(OptimizerConfig{.kind = OptimizerKind::kMuon,
                                                      .learning_rate = 0.1,
                                                      .weight_decay = 0.5,
                                                      .secondary_learning_rate = 0.1});
  const std::vector<float> expected = After(
      {.kind = OptimizerKind::kAdamW, .learning_rate = 0.1, .beta2 = 0.95, .weight_decay = 0.5}, 1,
      {1, -2, 0.5F});
  EXPECT_EQ(After(muon, 1, {1, -2, 0.5F}), expected);
}

}  // namespace
}  // namespace trainyard
