#include "core/train/learning_rate_finder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> FaultsOf(const LearningRateFinderOptions& options,
                                  OptimizerKind kind = OptimizerKind::kSgd) {
  std::vector<FieldViolation> violations;
  CheckLearningRateFinderOptions(options, ResolvedConfig(Task::kBinary, {.kind = kind}),
                                 &violations);
  std::vector<std::string> fields;
  for (const FieldViolation& v : violations) fields.push_back(v.field);
  return fields;
}

TEST(LearningRateFinderTest, FaultsOfTheOptions) {
  EXPECT_THAT(FaultsOf({}), IsEmpty());
  EXPECT_THAT(FaultsOf({.start = 0, .end = -1, .steps = 9}),
              UnorderedElementsAre("analysis.learning_rate_finder.start",
                                   "analysis.learning_rate_finder.end",
                                   "analysis.learning_rate_finder.steps"));
  EXPECT_THAT(FaultsOf({.start = 1, .end = 1}), ElementsAre("analysis.learning_rate_finder.end"));
  EXPECT_THAT(FaultsOf({.start = std::numeric_limits<double>::quiet_NaN()}),
              ElementsAre("analysis.learning_rate_finder.start"));
  EXPECT_THAT(FaultsOf({}, OptimizerKind::kLbfgs), ElementsAre("analysis.learning_rate_finder"));
}

// Gradient descent on a quadratic diverges above 2 / λ, which is known: λ = 2 for one row, one
// weight of 1. So the loss must fall below a rate of 1 and grow above it.
TEST(LearningRateFinderTest, FindsTheEdgeOfAQuadratic) {
  Dataset dataset;
  dataset.config.task = Task::kRegression;
  dataset.train.features = Matrix(1, 1);
  dataset.train.features.row(0)[0] = 1;
  dataset.train.targets = {1};
  TrainConfig config = ResolvedConfig(Task::kRegression, {.kind = OptimizerKind::kSgd});
  config.output_bias = false;
  config.init.kind = InitKind::kZeros;
  const LearningRateFinderOptions options{.start = 1e-2, .end = 1e3, .steps = 60};
  int64_t told = 0;
  ASSERT_OK_AND_ASSIGN(const LearningRateFinderResult result, FindLearningRate(
                                                                  config, dataset, nullptr, options,
                                                                  [&](int64_t done, int64_t total) {
                                                                    EXPECT_EQ(done, ++told);
                                                                    EXPECT_EQ(total, 60);
                                                                  },
                                                                  StopFlag()));
  EXPECT_TRUE(result.diverged);
  const size_t count = result.losses.size();
  EXPECT_LT(count, 60u);
  EXPECT_EQ(told, static_cast<int64_t>(count));
  ASSERT_EQ(result.learning_rates.size(), count);
  ASSERT_EQ(result.smoothed_losses.size(), count);
  // The recursion by hand, in double: θ' = θ + 2·lr·(1 - θ).
  double theta = 0;
  double mean = 0;
  for (size_t i = 0; i < count; ++i) {
    const double lr = 1e-2 * std::pow(1e5, static_cast<double>(i) / 59);
    EXPECT_NEAR(result.learning_rates[i] / lr, 1, 1e-12);
    const double loss = (1 - theta) * (1 - theta);
    // Next to the optimum float32 rounds what is left of the loss.
    if (lr < 0.3) {
      EXPECT_NEAR(result.losses[i], loss, 1e-4 * loss);
    }
    mean = 0.9 * mean + 0.1 * result.losses[i];
    const double corrected = mean / (1 - std::pow(0.9, static_cast<double>(i + 1)));
    EXPECT_NEAR(result.smoothed_losses[i], corrected, 1e-9 * corrected);
    theta += 2 * lr * (1 - theta);
  }
  EXPECT_GT(result.learning_rates.back(), 1);
  EXPECT_GT(result.suggestion, 1e-2);
  EXPECT_LT(result.suggestion, 1);
}

TEST(LearningRateFinderTest, ANumberThatIsNoneIsDivergenceNotAnError) {
  Dataset dataset = SyntheticDataset({.rows = 64, .task = Task::kRegression});
  for (float& y : dataset.train.targets) y *= 1e18F;
  TrainConfig config = ResolvedConfig(Task::kRegression, {.kind = OptimizerKind::kSgd});
  config.layers = {{8, Activation::kRelu}, {8, Activation::kRelu}};
  ASSERT_OK_AND_ASSIGN(
      const LearningRateFinderResult result,
      FindLearningRate(config, dataset, nullptr, {.start = 1, .end = 1e6, .steps = 50}, nullptr,
                       StopFlag()));
  EXPECT_TRUE(result.diverged);
  for (const double loss : result.losses) EXPECT_TRUE(std::isfinite(loss));
}

TEST(LearningRateFinderTest, StopsWhenAsked) {
  const Dataset dataset = SyntheticDataset({.rows = 64});
  const TrainConfig config = ResolvedConfig(Task::kBinary);
  for (const StopCause cause : {StopCause::kCancelled, StopCause::kRuntimeLimit}) {
    StopFlag stop;
    const auto progress = [&](int64_t done, int64_t /*total*/) {
      if (done == 12) stop.Request(cause);
    };
    const auto result = FindLearningRate(config, dataset, nullptr, {}, progress, stop);
    if (cause == StopCause::kCancelled) {
      EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled, testing::_));
      continue;
    }
    ASSERT_THAT(result, IsOk());
    EXPECT_EQ(result->losses.size(), 12u);
    EXPECT_FALSE(result->diverged);
  }
}

}  // namespace
}  // namespace trainyard
