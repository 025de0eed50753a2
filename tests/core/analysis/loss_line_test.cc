#include "core/analysis/loss_line.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/analysis/analysis_fixtures.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::Field;
using ::testing::UnorderedElementsAre;

// Linear regression: the loss along a line is a parabola, here mean over x = ±1 of (w·x + b − y)² =
// (w − 2)² + (b − 1)².
TEST(LossLineTest, OfLinearRegressionIsAParabola) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{1}, {-1}}, {3, -1}), {AffineLayer(1, 1, {0}, {0})},
            &c);
  const MlpWeights other = {AffineLayer(1, 1, {2}, {1})};
  ASSERT_OK_AND_ASSIGN(const LossLineResult result,
                       ComputeLossLine(c.input(), other, {.points = 9, .from = -1, .to = 1}));
  ASSERT_EQ(result.axis.size(), 9u);
  for (size_t i = 0; i < result.axis.size(); ++i) {
    EXPECT_NEAR(result.losses[i], 5 * std::pow(1 - result.axis[i], 2), 1e-5);
  }
  EXPECT_EQ(result.barrier, 0);  // convex: the line lies under its chord
}

// The same network with its hidden units swapped computes the same function; half way both units
// are alike and it does not.
TEST(LossLineTest, BetweenTwoOrdersOfTheSameUnitsThereIsABarrier) {
  AnalysisCase c;
  const auto network = [](float first, float second, float out_first, float out_second) {
    return MlpWeights{AffineLayer(1, 2, {first, second}, {0, 0}, Activation::kTanh),
                      AffineLayer(2, 1, {out_first, out_second}, {0})};
  };
  SetUpCase(HandMadeDataset(Task::kRegression, {{1}, {-1}}, {2, -2}), network(3, -3, 1, -1), &c);
  ASSERT_OK_AND_ASSIGN(
      const LossLineResult result,
      ComputeLossLine(c.input(), network(-3, 3, -1, 1), {.points = 5, .from = 0, .to = 1}));
  EXPECT_NEAR(result.losses.front(), result.losses.back(), 1e-6);
  EXPECT_NEAR(result.losses[2], 4, 1e-6);  // everything is zero half way
  EXPECT_NEAR(result.barrier, 4 - result.losses.front(), 1e-4);
}

TEST(LossLineTest, AnotherShapeIsRefused) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{1}, {-1}}, {3, -1}), {AffineLayer(1, 1, {0}, {0})},
            &c);
  const MlpWeights other = {AffineLayer(1, 2, {1, 1}, {0, 0}), AffineLayer(2, 1, {1, 1}, {0})};
  EXPECT_THAT(ComputeLossLine(c.input(), other, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
}

TEST(LossLineTest, EveryFaultOfTheOptionsAtOnce) {
  std::vector<FieldViolation> violations;
  CheckLossLineOptions({.points = 2, .from = std::numeric_limits<double>::infinity(), .to = 0},
                       &violations);
  EXPECT_THAT(violations,
              UnorderedElementsAre(Field(&FieldViolation::field, "analysis.loss_line.points"),
                                   Field(&FieldViolation::field, "analysis.loss_line.from"),
                                   Field(&FieldViolation::field, "analysis.loss_line.to")));
}

}  // namespace
}  // namespace trainyard
