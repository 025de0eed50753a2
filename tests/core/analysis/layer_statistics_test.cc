#include "core/analysis/layer_statistics.h"

#include <cmath>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/analysis/analysis_fixtures.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Two rows, x = 1 and 2; hidden ReLU units x − 1, −x and 2x; output their sum. Errors: 2 − 1 and 5
// − 2.
TEST(LayerStatisticsTest, ByHand) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{1}, {2}}, {1, 2}),
            {AffineLayer(1, 3, {1, -1, 2}, {-1, 0, 0}, Activation::kRelu),
             AffineLayer(3, 1, {1, 1, 1}, {0})},
            &c);
  ASSERT_OK_AND_ASSIGN(const LayerStatisticsResult result,
                       ComputeLayerStatistics(c.input(), {.bins = 4}));
  ASSERT_THAT(result.layers, SizeIs(2));
  const LayerStatistics& hidden = result.layers[0];
  EXPECT_EQ(hidden.name, "layers[0]");
  // Outputs: 0 0 2 and 1 0 4.
  EXPECT_NEAR(hidden.activations.mean, 7.0 / 6, 1e-6);
  EXPECT_EQ(hidden.activations.min, 0);
  EXPECT_EQ(hidden.activations.max, 4);
  EXPECT_NEAR(hidden.activations.zero_fraction, 0.5, 1e-12);
  EXPECT_THAT(hidden.activations.histogram, ElementsAre(3, 1, 1, 1));
  EXPECT_NEAR(hidden.dead_unit_fraction, 1.0 / 3, 1e-12);
  EXPECT_EQ(hidden.saturated_fraction, 0);
  EXPECT_NEAR(hidden.weight_norm, std::sqrt(6.0), 1e-6);
  // dL/dz of the output: 2·error/2 = 1 and 3. Unit 0 is on in row 2 only: 3·2; unit 2 in both: 1·1
  // + 3·2.
  EXPECT_NEAR(hidden.gradient_norm, std::hypot(6, 7), 1e-5);
  EXPECT_NEAR(hidden.gradients.max, 7, 1e-5);
  const LayerStatistics& output = result.layers[1];
  EXPECT_EQ(output.name, "output");
  EXPECT_NEAR(output.activations.mean, 3.5, 1e-6);
  EXPECT_NEAR(output.activations.standard_deviation, 1.5, 1e-6);
}

TEST(LayerStatisticsTest, SeesSaturatedUnits) {
  AnalysisCase c;
  SetUpCase(
      HandMadeDataset(Task::kRegression, {{-1}, {1}}, {0, 0}),
      {AffineLayer(1, 2, {100, 0.5F}, {0, 0}, Activation::kTanh), AffineLayer(2, 1, {1, 1}, {0})},
      &c);
  ASSERT_OK_AND_ASSIGN(const LayerStatisticsResult result, ComputeLayerStatistics(c.input(), {}));
  EXPECT_NEAR(result.layers[0].saturated_fraction, 0.5, 1e-12);
}

// What a residual layer adds is what its units do: tanh(0) + 3 is not saturated, and a ReLU that
// adds nothing is dead though its outputs follow the inputs.
TEST(LayerStatisticsTest, UnitsOfAResidualLayerAreSeenWithoutTheirInput) {
  AnalysisCase c;
  LayerWeights tanh = AffineLayer(2, 2, {0, 0, 0, 0}, {0, 0}, Activation::kTanh);
  LayerWeights relu = AffineLayer(2, 2, {1, 0, 0, 0}, {0, -1}, Activation::kRelu);
  tanh.residual = relu.residual = true;
  SetUpCase(HandMadeDataset(Task::kRegression, {{3, 3}, {5, 4}}, {0, 0}),
            {tanh, relu, AffineLayer(2, 1, {1, 1}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(const LayerStatisticsResult result, ComputeLayerStatistics(c.input(), {}));
  EXPECT_EQ(result.layers[0].saturated_fraction, 0);
  EXPECT_EQ(result.layers[0].dead_unit_fraction, 1);
  EXPECT_EQ(result.layers[1].dead_unit_fraction, 0.5);
  EXPECT_EQ(result.layers[1].activations.max, 10);
}

TEST(LayerStatisticsTest, OneRowCallsNoUnitDead) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{1}, {2}}, {1, 2}), {AffineLayer(1, 1, {1}, {0})},
            &c);
  AnalysisInput input = c.input();
  input.rows_max = 1;
  ASSERT_OK_AND_ASSIGN(const LayerStatisticsResult result, ComputeLayerStatistics(input, {}));
  EXPECT_EQ(result.layers[0].dead_unit_fraction, 0);
}

// In batches of the spec, as training takes them; a last row by itself is left out.
TEST(LayerStatisticsTest, BatchNormalizationSeesTheBatchesOfTraining) {
  AnalysisCase c;
  LayerWeights hidden = AffineLayer(1, 1, {1}, {0});
  hidden.normalization = Normalization::kBatch;
  hidden.gains = {1};
  hidden.shifts = {0};
  hidden.running_means = {0};
  hidden.running_variances = {1};
  SetUpCase(HandMadeDataset(Task::kRegression, {{-1}, {1}, {9}, {11}, {50}}, {1, 2, 3, 4, 5}),
            {hidden, AffineLayer(1, 1, {1}, {0})}, &c);
  c.config.batch_size = 2;
  ASSERT_OK_AND_ASSIGN(const LayerStatisticsResult result, ComputeLayerStatistics(c.input(), {}));
  EXPECT_EQ(result.row_count, 4);
  // Every batch is -1 and 1 after normalisation, so errors are -2, -1, -4, -3 and the gradient of
  // the output weight is 2/4 (2 - 1 + 4 - 3).
  EXPECT_NEAR(result.layers[1].gradient_norm, 1, 1e-4);
}

TEST(LayerStatisticsTest, CountsEveryNumberOfManyBatches) {
  AnalysisCase c;
  SetUpCase(SyntheticDataset({.rows = 1300, .features = 3}), {AffineLayer(3, 1, {1, 2, 3}, {0})},
            &c);
  ASSERT_OK_AND_ASSIGN(const LayerStatisticsResult result,
                       ComputeLayerStatistics(c.input(), {.bins = 7}));
  const std::vector<int64_t>& histogram = result.layers[0].activations.histogram;
  EXPECT_EQ(std::accumulate(histogram.begin(), histogram.end(), int64_t{0}), 1300);
  EXPECT_EQ(result.row_count, 1300);
}

TEST(LayerStatisticsTest, ABadNumberOfBinsIsAFault) {
  std::vector<FieldViolation> violations;
  CheckLayerStatisticsOptions({.bins = 1}, &violations);
  EXPECT_THAT(violations, SizeIs(1));
}

}  // namespace
}  // namespace trainyard
