#include "core/analysis/decision_boundary.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/analysis/analysis_fixtures.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// p = σ(x − 2y + z), z held at its mean of 1; features are scaled by (value − 1)·0.5 first.
TEST(DecisionBoundaryTest, IsTheModelOverThePlane) {
  AnalysisCase c;
  Dataset dataset = HandMadeDataset(Task::kBinary, {{0, 0, 0}, {1, 2, 2}}, {0, 1});
  dataset.preprocessor = Preprocessor({1, 1, 1}, {0.5, 0.5, 0.5});
  SetUpCase(std::move(dataset), {AffineLayer(3, 1, {1, -2, 1}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(
      const DecisionBoundaryResult result,
      ComputeDecisionBoundary(
          c.input(), {.x_feature = "x0", .y_feature = "x1", .resolution = 5, .rows_shown = 1}));
  // In original units the rows' features are 1 + 2·{0, 1} and 1 + 2·{0, 2}, and the margin is a
  // tenth.
  EXPECT_NEAR(result.x_axis.front(), 1 - 0.2, 1e-6);
  EXPECT_NEAR(result.x_axis.back(), 3 + 0.2, 1e-6);
  EXPECT_NEAR(result.y_axis.back(), 5 + 0.4, 1e-6);
  for (size_t i = 0; i < 5; ++i) {
    for (size_t j = 0; j < 5; ++j) {
      const double z = (result.x_axis[j] - 1) / 2 - 2 * (result.y_axis[i] - 1) / 2 + 1;
      EXPECT_NEAR(result.values[i * 5 + j], 1 / (1 + std::exp(-z)), 1e-6);
      EXPECT_EQ(result.class_indices[i * 5 + j], z > 0 ? 1 : 0);
    }
  }
  ASSERT_THAT(result.points, SizeIs(1));
  EXPECT_NEAR(result.points[0].x, 1, 1e-6);
  EXPECT_EQ(result.points[0].class_index, 0);
}

// z = 3·Rome − x0 + x1 over features (Rome, Oslo, x0, x1); half of the rows are of Rome.
TEST(DecisionBoundaryTest, AxesAreFoundBehindCategories) {
  AnalysisCase c;
  Dataset dataset = HandMadeDataset(Task::kBinary, {{1, 0, 0, 0}, {0, 1, 1, 2}}, {0, 1});
  dataset.config.feature_columns = {"city", "x0", "x1"};
  dataset.preprocessor = Preprocessor(
      {{.encoding = Encoding::kOneHot, .categories = {"Rome", "Oslo"}}, {}, {.offset = 7}});
  SetUpCase(std::move(dataset), {AffineLayer(4, 1, {3, 0, -1, 1}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(
      const DecisionBoundaryResult result,
      ComputeDecisionBoundary(c.input(), {.x_feature = "x0", .y_feature = "x1", .resolution = 2}));
  EXPECT_NEAR(result.x_axis.back(), 1.1, 1e-6);
  EXPECT_NEAR(result.y_axis.back(), 7 + 2.2, 1e-6);
  EXPECT_NEAR(result.values[3], 1 / (1 + std::exp(-(1.5 - 1.1 + 2.2))), 1e-6);
  EXPECT_NEAR(result.points[1].y, 9, 1e-6);
}

TEST(DecisionBoundaryTest, OfRegressionIsItsValue) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{0, 0}, {1, 1}}, {5, 6}),
            {AffineLayer(2, 1, {1, 10}, {3})}, &c);
  ASSERT_OK_AND_ASSIGN(
      const DecisionBoundaryResult result,
      ComputeDecisionBoundary(c.input(), {.x_feature = "x1", .y_feature = "x0", .resolution = 2}));
  EXPECT_TRUE(result.class_indices.empty());
  EXPECT_NEAR(result.values[0], -0.1 - 1 + 3, 1e-5);
  EXPECT_NEAR(result.values[1], -0.1 + 11 + 3, 1e-5);
  EXPECT_EQ(result.points[1].value, 6);
}

TEST(DecisionBoundaryTest, OfRegressionIsInTheUnitOfTheTarget) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{0, 0}, {1, 1}}, {5, 6}),
            {AffineLayer(2, 1, {1, 10}, {3})}, &c);
  c.dataset.target_offset = 1000;
  c.dataset.target_scale = 10;
  ASSERT_OK_AND_ASSIGN(
      const DecisionBoundaryResult result,
      ComputeDecisionBoundary(c.input(), {.x_feature = "x1", .y_feature = "x0", .resolution = 2}));
  EXPECT_NEAR(result.values[0], 1000 + 10 * (-0.1 - 1 + 3), 1e-4);
  EXPECT_NEAR(result.points[1].value, 1060, 1e-4);
}

TEST(DecisionBoundaryTest, EveryFaultOfTheOptionsAtOnce) {
  const DataConfig data{.feature_columns = {"radius_mean", "texture", "city"},
                        .feature_options = {{.column = "city", .encoding = Encoding::kOneHot}}};
  std::vector<FieldViolation> violations;
  CheckDecisionBoundaryOptions(
      {.x_feature = "radius_meen", .y_feature = "texture", .resolution = 1, .rows_shown = -1}, data,
      &violations);
  ASSERT_THAT(violations, SizeIs(3));
  EXPECT_THAT(violations[0].description, HasSubstr("did you mean \"radius_mean\""));
  CheckDecisionBoundaryOptions({.x_feature = "texture", .y_feature = "texture"}, data, &violations);
  ASSERT_THAT(violations, SizeIs(4));
  EXPECT_EQ(violations[3].field, "analysis.decision_boundary.y_feature");
  CheckDecisionBoundaryOptions({.x_feature = "texture", .y_feature = "city"}, data, &violations);
  ASSERT_THAT(violations, SizeIs(5));
  EXPECT_THAT(violations[4].description, HasSubstr("whose values are categories"));
}

}  // namespace
}  // namespace trainyard
