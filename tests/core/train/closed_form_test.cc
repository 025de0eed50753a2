// Answers that are known without a computer, or by another road than gradient descent.
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "core/train/trainer.h"
#include "gtest/gtest.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

struct Outcome {
  TrainResult result;
  RecordingObserver observer;
};

Outcome Train(const TrainConfig& config, const Dataset& dataset) {
  Outcome outcome;
  auto trainer = Trainer::Create(config, dataset);
  EXPECT_THAT(trainer, IsOk());
  auto result = (*trainer)->Run(outcome.observer, StopFlag());
  EXPECT_THAT(result, IsOk());
  outcome.result = *std::move(result);
  return outcome;
}

// Solves A·x = b by elimination with pivoting. A: [n, n] row-major.
std::vector<double> Solve(std::vector<double> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t col = 0; col < n; ++col) {
    size_t pivot = col;
    for (size_t r = col + 1; r < n; ++r) {
      if (std::fabs(a[r * n + col]) > std::fabs(a[pivot * n + col])) pivot = r;
    }
    for (size_t c = 0; c < n; ++c) std::swap(a[col * n + c], a[pivot * n + c]);
    std::swap(b[col], b[pivot]);
    for (size_t r = 0; r < n; ++r) {
      if (r == col) continue;
      const double factor = a[r * n + col] / a[col * n + col];
      for (size_t c = 0; c < n; ++c) a[r * n + c] -= factor * a[col * n + c];
      b[r] -= factor * b[col];
    }
  }
  for (size_t i = 0; i < n; ++i) b[i] /= a[i * n + i];
  return b;
}

// Weights and, last, the bias that minimise the squared error: (XᵀX)θ = Xᵀy.
std::vector<double> NormalEquations(const Part& part) {
  const size_t n = static_cast<size_t>(part.features.cols()) + 1;
  std::vector<double> a(n * n), b(n);
  for (int64_t r = 0; r < part.rows(); ++r) {
    std::vector<double> x(part.features.row(r).begin(), part.features.row(r).end());
    x.push_back(1);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) a[i * n + j] += x[i] * x[j];
      b[i] += x[i] * part.targets[r];
    }
  }
  return Solve(std::move(a), std::move(b));
}

TEST(ClosedFormTest, LinearRegressionReachesTheNormalEquations) {
  Dataset dataset = SyntheticDataset({.rows = 200, .features = 3, .task = Task::kRegression});
  Rng noise(5, RngStream::kAnalysis);
  for (float& y : dataset.train.targets) y += static_cast<float>(2 + noise.Normal());
  TrainConfig config =
      ResolvedConfig(Task::kRegression, {.kind = OptimizerKind::kSgd, .learning_rate = 0.1});
  config.batch_size = 200;
  config.epochs = 300;
  const Outcome outcome = Train(config, dataset);
  const std::vector<double> expected = NormalEquations(dataset.train);
  const LayerWeights& layer = outcome.result.weights[0];
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(layer.weights[i], expected[i], 1e-5);
  EXPECT_NEAR(layer.biases[0], expected[3], 1e-5);
}

TEST(ClosedFormTest, LogisticRegressionReachesItsOneOptimumFromAnySeed) {
  Dataset dataset = SyntheticDataset({.rows = 300, .features = 3, .task = Task::kBinary});
  for (size_t i = 0; i < dataset.train.targets.size(); i += 5) {
    dataset.train.targets[i] =
        1 - dataset.train.targets[i];  // not separable: the optimum is finite
  }
  std::vector<LayerWeights> found;
  for (const uint64_t seed : {1, 2}) {
    TrainConfig config = ResolvedConfig(
        Task::kBinary, {.kind = OptimizerKind::kSgd, .learning_rate = 1, .momentum = 0.9});
    config.batch_size = 300;
    config.epochs = 500;
    config.seed = seed;
    const Outcome outcome = Train(config, dataset);
    EXPECT_LT(outcome.observer.steps.back().gradient_norm, 1e-6);
    EXPECT_GT(outcome.observer.steps.front().gradient_norm, 1e-2);
    found.push_back(outcome.result.weights[0]);
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(found[0].weights[i], found[1].weights[i], 1e-4);
  EXPECT_NEAR(found[0].biases[0], found[1].biases[0], 1e-4);
}

TEST(ClosedFormTest, TheFirstLossFromZeroWeightsIsTheLogarithmOfTheClasses) {
  for (const int64_t classes : {2, 3, 7}) {
    const Task task = classes == 2 ? Task::kBinary : Task::kMulticlass;
    const Dataset dataset =
        SyntheticDataset({.rows = 50, .features = 4, .task = task, .classes = classes});
    TrainConfig config = ResolvedConfig(task);
    config.init.kind = InitKind::kZeros;
    const Outcome outcome = Train(config, dataset);
    EXPECT_NEAR(outcome.observer.steps[0].loss, std::log(static_cast<double>(classes)), 1e-6);
  }
}

TEST(ClosedFormTest, OneStepByHand) {
  Dataset dataset;
  dataset.config.task = Task::kRegression;
  dataset.train.features = Matrix(2, 1);
  dataset.train.features.row(0)[0] = 1;
  dataset.train.features.row(1)[0] = 2;
  dataset.train.targets = {3, 5};
  TrainConfig config =
      ResolvedConfig(Task::kRegression, {.kind = OptimizerKind::kSgd, .learning_rate = 0.1});
  config.init.kind = InitKind::kZeros;
  const Outcome outcome = Train(config, dataset);
  // f = 0: the loss is (9 + 25)/2, ∂L/∂w = -(2·3·1 + 2·5·2)/2 = -13, ∂L/∂b = -(2·3 + 2·5)/2 = -8.
  EXPECT_DOUBLE_EQ(outcome.observer.steps[0].loss, 17);
  EXPECT_NEAR(outcome.observer.steps[0].gradient_norm, std::sqrt(13.0 * 13 + 8 * 8), 1e-5);
  EXPECT_NEAR(outcome.result.weights[0].weights[0], 1.3, 1e-6);
  EXPECT_NEAR(outcome.result.weights[0].biases[0], 0.8, 1e-6);
}

}  // namespace
}  // namespace trainyard
