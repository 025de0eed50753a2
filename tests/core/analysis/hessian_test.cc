#include "core/analysis/hessian.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/analysis/analysis_fixtures.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::Field;
using ::testing::UnorderedElementsAre;

// L = mean (x·w + b − y)², H = 2/N [X 1]ᵀ[X 1]: here diag(a², b², 2).
TEST(HessianTest, OfLinearRegressionIsTheMomentMatrix) {
  constexpr float kA = 3;
  constexpr float kB = 0.5;
  AnalysisCase c;
  SetUpCase(
      HandMadeDataset(Task::kRegression, {{kA, 0}, {-kA, 0}, {0, kB}, {0, -kB}}, {1, 2, 3, 4}),
      {AffineLayer(2, 1, {0.3F, -0.2F}, {0.1F})}, &c);
  ASSERT_OK_AND_ASSIGN(const HessianResult result,
                       ComputeHessianSpectrum(c.input(), {.tolerance = 1e-7}));
  EXPECT_NEAR(result.eigenvalue_max, kA * kA, 1e-3);
  EXPECT_NEAR(result.eigenvalue_min, kB * kB, 1e-3);
  EXPECT_TRUE(result.converged);
  EXPECT_LT(result.residual, 1e-2);
  EXPECT_EQ(result.row_count, 4);
}

// H = 1/N Σ p(1 − p) [x 1]ᵀ[x 1]: at w = 0 every p is a half.
TEST(HessianTest, OfLogisticRegressionAtZero) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kBinary, {{2}, {-2}}, {1, 0}), {AffineLayer(1, 1, {0}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(const HessianResult result,
                       ComputeHessianSpectrum(c.input(), {.tolerance = 1e-7}));
  EXPECT_NEAR(result.eigenvalue_max, 0.25 * 4, 1e-3);
  EXPECT_NEAR(result.eigenvalue_min, 0.25, 1e-3);
  // ∂L/∂w = mean (p − y)x = −1, ∂L/∂b = 0.
  EXPECT_NEAR(result.gradient_norm, 1, 1e-5);
}

TEST(HessianTest, LogisticRegressionIsConvexAnywhere) {
  AnalysisCase c;
  Dataset dataset = SyntheticDataset({.rows = 200, .features = 5});
  SetUpCase(std::move(dataset), {AffineLayer(5, 1, {1, -1, 0.5F, 0.2F, 2}, {0.3F})}, &c);
  ASSERT_OK_AND_ASSIGN(const HessianResult result,
                       ComputeHessianSpectrum(c.input(), {.iterations_max = 300}));
  EXPECT_GT(result.eigenvalue_max, 0);
  EXPECT_GT(result.eigenvalue_min, -1e-4);
}

// f = w2·w1·x + …: at zero weights ∂²L/∂w1∂w2 = −2·mean(xy), so the eigenvalues are ±2·mean(xy), 2
// and 0: a saddle.
TEST(HessianTest, ADeepLinearNetworkIsNotConvexAtZero) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{2}, {-2}}, {2, -2}),
            {AffineLayer(1, 1, {0}, {0}), AffineLayer(1, 1, {0}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(const HessianResult result,
                       ComputeHessianSpectrum(c.input(), {.tolerance = 1e-6}));
  EXPECT_NEAR(result.eigenvalue_max, 8, 0.05);
  EXPECT_NEAR(result.eigenvalue_min, -8, 0.05);
}

// A network: a few large eigenvalues, a bulk near 0 and some
// below it. The whole space, which Lanczos knows after as many products, against the default.
TEST(HessianTest, FindsBothEndsOfANetworksSpectrum) {
  AnalysisCase c;
  Dataset dataset = SyntheticDataset({.rows = 60, .features = 4});
  const MlpConfig shape{
      .features = 4, .layers = {{.units = 9, .activation = Activation::kTanh}}, .outputs = 1};
  SetUpCase(std::move(dataset), InitialWeights(shape, /*seed=*/2), &c);
  ASSERT_OK_AND_ASSIGN(
      const HessianResult all,
      ComputeHessianSpectrum(c.input(), {.iterations_max = 1000, .tolerance = 1e-9}));
  ASSERT_OK_AND_ASSIGN(const HessianResult quick, ComputeHessianSpectrum(c.input(), {}));
  EXPECT_LE(all.iterations, 55);  // parameters: then the space is complete
  EXPECT_LT(quick.iterations, all.iterations);
  EXPECT_TRUE(quick.converged);
  EXPECT_LT(all.eigenvalue_min, -0.01);
  EXPECT_NEAR(quick.eigenvalue_max, all.eigenvalue_max, 2e-3 * all.eigenvalue_max);
  EXPECT_NEAR(quick.eigenvalue_min, all.eigenvalue_min, 2e-3 * all.eigenvalue_max);
}

TEST(HessianTest, StopsWhenAsked) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kBinary, {{2}, {-2}}, {1, 0}), {AffineLayer(1, 1, {0}, {0})}, &c);
  c.stop.Request(StopCause::kCancelled);
  EXPECT_THAT(ComputeHessianSpectrum(c.input(), {}),
              StatusIs(absl::StatusCode::kCancelled, testing::_));
}

TEST(HessianTest, EveryFaultOfTheOptionsAtOnce) {
  std::vector<FieldViolation> violations;
  CheckHessianOptions({.iterations_max = 0, .tolerance = std::nan("")}, &violations);
  EXPECT_THAT(violations,
              UnorderedElementsAre(Field(&FieldViolation::field, "analysis.hessian.iterations_max"),
                                   Field(&FieldViolation::field, "analysis.hessian.tolerance")));
}

}  // namespace
}  // namespace trainyard
