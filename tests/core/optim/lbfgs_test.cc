#include "core/optim/lbfgs.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

// So many weights in a row, in an arena without gaps but at its end.
ParameterTensors Weights(int64_t count) { return {{.name = "weights", .rows = 1, .cols = count}}; }

std::vector<float> Arena(const ParameterTensors& tensors, const std::vector<float>& values) {
  std::vector<float> arena(static_cast<size_t>(ArenaSizeOf(tensors)), 0.0F);
  std::copy(values.begin(), values.end(), arena.begin());
  return arena;
}

OptimizerConfig Config(double weight_decay = 0) {
  return WithDefaults(OptimizerConfig{.kind = OptimizerKind::kLbfgs, .weight_decay = weight_decay});
}

// A function of double arrays as Lbfgs sees it: parameters and gradients are float.
template <typename Function>
Lbfgs::Evaluate EvaluateOf(const Function& function, const std::vector<float>* x,
                           std::vector<float>* gradients) {
  return [=]() -> absl::StatusOr<Lbfgs::Evaluation> {
    const double value = function(*x, gradients);
    return Lbfgs::Evaluation{value, *gradients};
  };
}

double Rosenbrock(const std::vector<float>& x, std::vector<float>* gradients) {
  const double a = 1.0 - x[0];
  const double b = x[1] - static_cast<double>(x[0]) * x[0];
  (*gradients)[0] = static_cast<float>(-2 * a - 400 * b * x[0]);
  (*gradients)[1] = static_cast<float>(200 * b);
  return a * a + 100 * b * b;
}

TEST(LbfgsTest, FindsTheMinimumOfRosenbrocksValley) {
  const ParameterTensors tensors = Weights(2);
  std::vector<float> x = Arena(tensors, {-1.2F, 1});
  std::vector<float> gradients = Arena(tensors, {});
  Lbfgs lbfgs(Config(), tensors);
  const Lbfgs::Evaluate evaluate = EvaluateOf(Rosenbrock, &x, &gradients);
  Lbfgs::Outcome outcome;
  double last = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 60; ++i) {
    ASSERT_OK_AND_ASSIGN(outcome, lbfgs.Step(1, evaluate, x));
    EXPECT_LE(outcome.loss, last + 1e-12);
    last = outcome.loss;
    if (!outcome.moved) break;
  }
  EXPECT_NEAR(x[0], 1, 1e-4);
  EXPECT_NEAR(x[1], 1, 1e-4);
  EXPECT_LT(outcome.gradient_norm, 1e-4);
}

TEST(LbfgsTest, AQuadraticEndsAtItsMinimumAndStaysThere) {
  // Σ c_i (x_i - i)², condition 1000.
  const ParameterTensors tensors = Weights(5);
  const auto quadratic = [](const std::vector<float>& x, std::vector<float>* gradients) {
    double sum = 0;
    for (size_t i = 0; i < 5; ++i) {
      const double scale = std::pow(1000, static_cast<double>(i) / 4);
      const double e = x[i] - static_cast<double>(i);
      (*gradients)[i] = static_cast<float>(2 * scale * e);
      sum += scale * e * e;
    }
    return sum;
  };
  std::vector<float> x = Arena(tensors, {5, -3, 2, 0.5F, 1});
  std::vector<float> gradients = Arena(tensors, {});
  Lbfgs lbfgs(Config(), tensors);
  const Lbfgs::Evaluate evaluate = EvaluateOf(quadratic, &x, &gradients);
  Lbfgs::Outcome outcome;
  for (int i = 0; i < 60; ++i) {
    ASSERT_OK_AND_ASSIGN(outcome, lbfgs.Step(1, evaluate, x));
  }
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(x[i], static_cast<double>(i), 1e-5) << i;
  const std::vector<float> before = x;
  ASSERT_OK_AND_ASSIGN(outcome, lbfgs.Step(1, evaluate, x));
  EXPECT_FALSE(outcome.moved);
  EXPECT_EQ(x, before);
}

// Logistic regression with L2: Σ log(1 + exp(-y·w'x)) / n + λ/2·|w|², strictly convex.
TEST(LbfgsTest, LogisticRegressionReachesTheOneOptimumFromAnySeed) {
  constexpr size_t kRows = 200;
  constexpr size_t kFeatures = 6;
  Rng rng(11, RngStream::kInit);
  std::vector<double> rows, signs;
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t c = 0; c < kFeatures; ++c) rows.push_back(rng.Normal());
    signs.push_back(rows[r * kFeatures] + rng.Normal() > 0 ? 1 : -1);
  }
  const auto logistic = [&](const std::vector<float>& w, std::vector<float>* gradients) {
    std::vector<double> sums(kFeatures, 0);
    double loss = 0;
    for (size_t r = 0; r < kRows; ++r) {
      double score = 0;
      for (size_t c = 0; c < kFeatures; ++c) score += w[c] * rows[r * kFeatures + c];
      loss += std::log1p(std::exp(-signs[r] * score)) / kRows;
      const double slope = -signs[r] / (1 + std::exp(signs[r] * score)) / kRows;
      for (size_t c = 0; c < kFeatures; ++c) sums[c] += slope * rows[r * kFeatures + c];
    }
    for (size_t c = 0; c < kFeatures; ++c) (*gradients)[c] = static_cast<float>(sums[c]);
    return loss;
  };
  const ParameterTensors tensors = Weights(kFeatures);
  std::vector<std::vector<float>> optima;
  for (int seed = 0; seed < 3; ++seed) {
    std::vector<float> w = Arena(tensors, {});
    std::vector<float> gradients = w;
    for (size_t c = 0; c < kFeatures; ++c) w[c] = static_cast<float>(3 * rng.Normal());
    Lbfgs lbfgs(Config(/*weight_decay=*/0.01), tensors);
    const Lbfgs::Evaluate evaluate = EvaluateOf(logistic, &w, &gradients);
    Lbfgs::Outcome outcome{.moved = true};
    for (int i = 0; i < 50 && outcome.moved; ++i) {
      ASSERT_OK_AND_ASSIGN(outcome, lbfgs.Step(1, evaluate, w));
    }
    EXPECT_LT(outcome.gradient_norm, 1e-6);
    optima.push_back(w);
  }
  for (const std::vector<float>& w : optima) {
    for (size_t c = 0; c < kFeatures; ++c) EXPECT_NEAR(w[c], optima[0][c], 1e-5);
  }
}

TEST(LbfgsTest, AnInfiniteLossIsAStepTooLong) {
  // -log(x) + x is infinite from 0 down; its minimum is 1.
  const ParameterTensors tensors = Weights(1);
  const auto barrier = [](const std::vector<float>& x, std::vector<float>* gradients) {
    const double v = x[0];
    (*gradients)[0] = static_cast<float>(1 - 1 / v);
    return v > 0 ? v - std::log(v) : std::numeric_limits<double>::quiet_NaN();
  };
  std::vector<float> x = Arena(tensors, {20});
  std::vector<float> gradients = Arena(tensors, {});
  Lbfgs lbfgs(Config(), tensors);
  const Lbfgs::Evaluate evaluate = EvaluateOf(barrier, &x, &gradients);
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(lbfgs.Step(100, evaluate, x).ok());
  EXPECT_NEAR(x[0], 1, 1e-4);
}

// Schedules pass through 0: that is no optimum.
TEST(LbfgsTest, ALearningRateOfZeroWaits) {
  const ParameterTensors tensors = Weights(2);
  std::vector<float> x = Arena(tensors, {-1.2F, 1});
  const std::vector<float> before = x;
  std::vector<float> gradients = Arena(tensors, {});
  Lbfgs lbfgs(Config(), tensors);
  const Lbfgs::Evaluate evaluate = EvaluateOf(Rosenbrock, &x, &gradients);
  ASSERT_OK_AND_ASSIGN(const Lbfgs::Outcome waited, lbfgs.Step(0, evaluate, x));
  EXPECT_TRUE(waited.moved);
  EXPECT_EQ(waited.evaluations, 1);
  EXPECT_EQ(x, before);
  ASSERT_OK_AND_ASSIGN(const Lbfgs::Outcome went, lbfgs.Step(1, evaluate, x));
  EXPECT_TRUE(went.moved);
  EXPECT_NE(x, before);
}

TEST(LbfgsTest, ANonFiniteStartIsToldAndLeftAlone) {
  const ParameterTensors tensors = Weights(1);
  const auto nan = [](const std::vector<float>&, std::vector<float>* gradients) {
    (*gradients)[0] = 1;
    return std::numeric_limits<double>::quiet_NaN();
  };
  std::vector<float> x = Arena(tensors, {3});
  std::vector<float> gradients = Arena(tensors, {});
  Lbfgs lbfgs(Config(), tensors);
  ASSERT_OK_AND_ASSIGN(const Lbfgs::Outcome outcome,
                       lbfgs.Step(1, EvaluateOf(nan, &x, &gradients), x));
  EXPECT_FALSE(outcome.moved);
  EXPECT_TRUE(std::isnan(outcome.loss));
  EXPECT_EQ(x[0], 3);
}

TEST(LbfgsTest, ErrorsOfTheFunctionAreAnswered) {
  const ParameterTensors tensors = Weights(1);
  std::vector<float> x = Arena(tensors, {3});
  Lbfgs lbfgs(Config(), tensors);
  const auto result = lbfgs.Step(
      1, []() -> absl::StatusOr<Lbfgs::Evaluation> { return absl::InternalError("broken"); }, x);
  EXPECT_EQ(result.status(), absl::InternalError("broken"));
}

}  // namespace
}  // namespace trainyard
