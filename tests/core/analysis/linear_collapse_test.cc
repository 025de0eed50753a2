#include "core/analysis/linear_collapse.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/analysis/analysis_fixtures.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Dataset TwoFeatures() {
  return HandMadeDataset(Task::kRegression, {{1, 2}, {-3, 0.5F}, {0, 0}}, {0, 0, 0});
}

TEST(LinearCollapseTest, TwoIdentityLayersAreOne) {
  AnalysisCase c;
  SetUpCase(TwoFeatures(),
            {AffineLayer(2, 2, {1, 2, 3, 4}, {5, 6}), AffineLayer(2, 1, {10, 100}, {7})}, &c);
  ASSERT_OK_AND_ASSIGN(const LinearCollapseResult result, CollapseLinear(c.input()));
  EXPECT_TRUE(result.linear);
  EXPECT_THAT(result.weights, ElementsAre(210, 430));  // [1 2; 3 4]·[10; 100]
  EXPECT_THAT(result.biases, ElementsAre(657));
  EXPECT_LT(result.difference_max, 1e-3);
  EXPECT_EQ(result.parameter_count, 9);
  EXPECT_EQ(result.collapsed_parameter_count, 3);
}

TEST(LinearCollapseTest, ResidualAndBatchNormalizationAreAffineToo) {
  AnalysisCase c;
  LayerWeights hidden = AffineLayer(2, 2, {1, 0, 0, 1}, {});
  hidden.residual = true;
  hidden.normalization = Normalization::kBatch;
  hidden.gains = {2, 1};
  hidden.shifts = {0, 3};
  hidden.running_means = {1, 0};
  hidden.running_variances = {4 - kNormalizationEpsilon, 1 - kNormalizationEpsilon};
  SetUpCase(TwoFeatures(), {hidden, AffineLayer(2, 1, {1, 1}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(const LinearCollapseResult result, CollapseLinear(c.input()));
  EXPECT_TRUE(result.linear) << result.reason;
  // x0: (x0 − 1)·2/2 + x0; x1: x1 + 3 + x1.
  EXPECT_THAT(result.weights, ElementsAre(DoubleNear(2, 1e-6), DoubleNear(2, 1e-6)));
  EXPECT_THAT(result.biases, ElementsAre(DoubleNear(2, 1e-6)));
  EXPECT_LT(result.difference_max, 1e-5);
}

TEST(LinearCollapseTest, SaysWhatIsNotLinear) {
  AnalysisCase c;
  SetUpCase(TwoFeatures(),
            {AffineLayer(2, 2, {1, 2, 3, 4}, {5, 6}),
             AffineLayer(2, 2, {1, 2, 3, 4}, {5, 6}, Activation::kLeakyRelu),
             AffineLayer(2, 1, {10, 100}, {7})},
            &c);
  ASSERT_OK_AND_ASSIGN(const LinearCollapseResult result, CollapseLinear(c.input()));
  EXPECT_FALSE(result.linear);
  EXPECT_THAT(result.reason, HasSubstr("layers[1]"));
  EXPECT_THAT(result.reason, HasSubstr("leaky_relu"));
  EXPECT_TRUE(result.weights.empty());
}

}  // namespace
}  // namespace trainyard
