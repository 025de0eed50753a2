#include "core/analysis/loss_landscape.h"

#include <cmath>
#include <numbers>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/analysis/analysis_fixtures.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::Each;
using ::testing::Field;
using ::testing::UnorderedElementsAre;

double At(const LossLandscapeResult& result, size_t row, size_t col) {
  return result.losses[row * result.axis.size() + col];
}

// Along rows, columns and both diagonals a convex function has no second difference below zero.
TEST(LossLandscapeTest, OfLogisticRegressionIsConvexOnEveryLine) {
  AnalysisCase c;
  SetUpCase(SyntheticDataset({.rows = 300, .features = 6}),
            {AffineLayer(6, 1, {2, -1, 0.5F, 3, -2, 1}, {0.5F})}, &c);
  ASSERT_OK_AND_ASSIGN(const LossLandscapeResult result,
                       ComputeLossLandscape(c.input(), {.resolution = 15, .range = 2}));
  constexpr int kSteps[][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
  for (const auto& step : kSteps) {
    for (size_t i = 1; i + 1 < 15; ++i) {
      for (size_t j = 1; j + 1 < 15; ++j) {
        const double second = At(result, i - step[0], j - step[1]) - 2 * At(result, i, j) +
                              At(result, i + step[0], j + step[1]);
        ASSERT_GT(second, -1e-6) << "at " << i << ", " << j;
      }
    }
  }
}

TEST(LossLandscapeTest, TheMiddleIsTheNetworkItself) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{1}, {2}}, {3, 5}), {AffineLayer(1, 1, {2}, {0})},
            &c);
  ASSERT_OK_AND_ASSIGN(const LossLandscapeResult result,
                       ComputeLossLandscape(c.input(), {.resolution = 5}));
  EXPECT_DOUBLE_EQ(result.centre, 1);  // errors of 1 and 1
  EXPECT_EQ(result.centre, At(result, 2, 2));
  EXPECT_EQ(result.axis, (std::vector<double>{-1, -0.5, 0, 0.5, 1}));
}

// One weight: both directions are ±w, so the loss at (a, b) is that of the weight w(1 ± a ± b), and
// the bias does not move.
TEST(LossLandscapeTest, AFilterMovesByItsOwnLength) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{1}}, {0}), {AffineLayer(1, 1, {3}, {0.25F})}, &c);
  ASSERT_OK_AND_ASSIGN(const LossLandscapeResult result,
                       ComputeLossLandscape(c.input(), {.resolution = 3}));
  const auto loss = [](double factor) { return std::pow(3 * factor + 0.25, 2); };
  const double left = At(result, 1, 0);
  const double right = At(result, 1, 2);
  EXPECT_NEAR(std::min(left, right), loss(0), 1e-5);
  EXPECT_NEAR(std::max(left, right), loss(2), 1e-4);
}

TEST(LossLandscapeTest, WithoutWeightsThereIsNowhereToGo) {
  AnalysisCase c;
  SetUpCase(SyntheticDataset({.rows = 50, .features = 3}), {AffineLayer(3, 1, {0, 0, 0}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(const LossLandscapeResult result,
                       ComputeLossLandscape(c.input(), {.resolution = 5}));
  EXPECT_THAT(result.losses, Each(testing::DoubleNear(std::numbers::ln2, 1e-6)));
}

TEST(LossLandscapeTest, TheSeedDecidesTheDirections) {
  AnalysisCase c;
  SetUpCase(SyntheticDataset({.rows = 50, .features = 3}), {AffineLayer(3, 1, {1, 2, 3}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(const LossLandscapeResult one,
                       ComputeLossLandscape(c.input(), {.resolution = 5, .seed = 1}));
  ASSERT_OK_AND_ASSIGN(const LossLandscapeResult again,
                       ComputeLossLandscape(c.input(), {.resolution = 5, .seed = 1}));
  ASSERT_OK_AND_ASSIGN(const LossLandscapeResult two,
                       ComputeLossLandscape(c.input(), {.resolution = 5, .seed = 2}));
  EXPECT_EQ(one.losses, again.losses);
  EXPECT_NE(one.losses, two.losses);
}

TEST(LossLandscapeTest, SaysHowFarItIsAndStopsWhenAsked) {
  AnalysisCase c;
  SetUpCase(SyntheticDataset({.rows = 50, .features = 3}), {AffineLayer(3, 1, {1, 2, 3}, {0})}, &c);
  AnalysisInput input = c.input();
  std::vector<int64_t> seen;
  input.progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 25);
    seen.push_back(done);
    if (done == 7) c.stop.Request(StopCause::kCancelled);
  };
  EXPECT_THAT(ComputeLossLandscape(input, {.resolution = 5}),
              StatusIs(absl::StatusCode::kCancelled, testing::_));
  EXPECT_EQ(seen, (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7}));
}

TEST(LossLandscapeTest, APartWithoutRowsIsRefused) {
  AnalysisCase c;
  SetUpCase(SyntheticDataset({.rows = 50, .features = 3}), {AffineLayer(3, 1, {1, 2, 3}, {0})}, &c);
  AnalysisInput input = c.input();
  input.part = DatasetPart::kTest;
  EXPECT_THAT(ComputeLossLandscape(input, {.resolution = 5}),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
}

TEST(LossLandscapeTest, EveryFaultOfTheOptionsAtOnce) {
  std::vector<FieldViolation> violations;
  CheckLossLandscapeOptions({.resolution = 24, .range = -1}, &violations);
  EXPECT_THAT(violations, UnorderedElementsAre(
                              Field(&FieldViolation::field, "analysis.loss_landscape.resolution"),
                              Field(&FieldViolation::field, "analysis.loss_landscape.range")));
}

}  // namespace
}  // namespace trainyard
