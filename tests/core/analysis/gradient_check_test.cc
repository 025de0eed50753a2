#include "core/analysis/gradient_check.h"

#include <cmath>
#include <utility>

#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/analysis/analysis_fixtures.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::SizeIs;

struct NetworkCase {
  const char* name;
  LayerConfig layer;
};

// A network of two such layers on a task, with random weights; and biases, or a row that no unit of
// the first layer sees would stand at the kink of every ReLU of the second.
void SetUpNetwork(const LayerConfig& layer, Task task, AnalysisCase* c) {
  Dataset dataset = SyntheticDataset({.rows = 80, .features = 6, .task = task, .classes = 4});
  MlpConfig shape{.features = 6, .layers = {layer, layer}, .outputs = dataset.output_count()};
  MlpWeights weights = InitialWeights(shape, /*seed=*/3);
  Rng rng(/*seed=*/4, RngStream::kAnalysis, /*substream=*/0);
  for (LayerWeights& w : weights) {
    for (float& bias : w.biases) bias = static_cast<float>(0.1 * rng.Normal());
  }
  SetUpCase(std::move(dataset), std::move(weights), c);
}

TEST(GradientCheckTest, BackpropagationIsRightForEveryKindOfLayer) {
  const Activation relu = Activation::kRelu;
  const NetworkCase cases[] = {
      {"plain", {.units = 6, .activation = relu}},
      {"gelu", {.units = 6, .activation = Activation::kGelu}},
      {"silu without bias", {.units = 6, .activation = Activation::kSilu, .bias = false}},
      {"batch norm",
       {.units = 6, .activation = Activation::kTanh, .normalization = Normalization::kBatch}},
      {"layer norm", {.units = 6, .activation = relu, .normalization = Normalization::kLayer}},
      {"residual", {.units = 6, .activation = Activation::kSoftplus, .residual = true}},
      {"everything",
       {.units = 6,
        .activation = Activation::kHardSwish,
        .normalization = Normalization::kBatch,
        .residual = true}},
  };
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    for (const NetworkCase& network : cases) {
      SCOPED_TRACE(network.name);
      AnalysisCase c;
      SetUpNetwork(network.layer, task, &c);
      ASSERT_OK_AND_ASSIGN(const GradientCheckResult result, CheckGradients(c.input(), {}));
      EXPECT_TRUE(result.passed);
      EXPECT_EQ(result.row_count, 64);
      for (const GradientCheckResult::Tensor& tensor : result.tensors) {
        EXPECT_GT(tensor.checked_count, 0) << tensor.name;
        EXPECT_LT(tensor.error_max, 1e-3) << tensor.name;
      }
    }
  }
}

TEST(GradientCheckTest, EveryLossOfATask) {
  for (const LossKind loss :
       {LossKind::kMeanAbsoluteError, LossKind::kHuber, LossKind::kQuantile}) {
    SCOPED_TRACE(static_cast<int>(loss));
    AnalysisCase c;
    SetUpNetwork({.units = 5, .activation = Activation::kTanh}, Task::kRegression, &c);
    c.config.loss.kind = loss;
    ASSERT_OK_AND_ASSIGN(const GradientCheckResult result, CheckGradients(c.input(), {}));
    EXPECT_TRUE(result.passed);
  }
}

// The loss in millions, its gradient that of the scaled target: compared in one unit.
TEST(GradientCheckTest, EveryLossOfAScaledTarget) {
  for (const LossKind loss : {LossKind::kMeanSquaredError, LossKind::kMeanAbsoluteError,
                              LossKind::kHuber, LossKind::kQuantile}) {
    SCOPED_TRACE(static_cast<int>(loss));
    AnalysisCase c;
    SetUpNetwork({.units = 5, .activation = Activation::kTanh}, Task::kRegression, &c);
    c.config.loss.kind = loss;
    c.config.loss.delta = 900;
    c.dataset.target_offset = 5e6;
    c.dataset.target_scale = 1e3;
    ASSERT_OK_AND_ASSIGN(const GradientCheckResult result, CheckGradients(c.input(), {}));
    EXPECT_TRUE(result.passed);
    EXPECT_LT(result.tensors[0].error_max, 1e-3);
    EXPECT_GT(std::fabs(result.tensors[0].worst_numeric), 0);
    EXPECT_LT(std::fabs(result.tensors[0].worst_numeric), 100);
  }
}

// At an optimum every gradient is next to 0 and the curvature is not: no kink, and nothing wrong.
TEST(GradientCheckTest, AnOptimumIsCheckedToo) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kRegression, {{1}, {-1}, {2}, {-2}}, {2, -2, 4, -4}),
            {AffineLayer(1, 1, {2}, {0})}, &c);
  ASSERT_OK_AND_ASSIGN(const GradientCheckResult result, CheckGradients(c.input(), {}));
  EXPECT_TRUE(result.passed);
  for (const GradientCheckResult::Tensor& tensor : result.tensors) {
    EXPECT_EQ(tensor.checked_count, 1) << tensor.name;
    EXPECT_LT(tensor.error_max, 1e-3) << tensor.name;
  }
}

// All margins are met: no loss, no gradient, no error.
TEST(GradientCheckTest, AGradientOfZeroIsRight) {
  AnalysisCase c;
  SetUpCase(HandMadeDataset(Task::kBinary, {{5}, {-5}}, {1, 0}), {AffineLayer(1, 1, {1}, {0})}, &c);
  c.config.loss.kind = LossKind::kHinge;
  ASSERT_OK_AND_ASSIGN(const GradientCheckResult result, CheckGradients(c.input(), {}));
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.tensors[0].checked_count, 1);
  EXPECT_EQ(result.tensors[0].error_max, 0);
}

TEST(GradientCheckTest, StopsBetweenParameters) {
  AnalysisCase c;
  SetUpNetwork({.units = 6, .activation = Activation::kTanh}, Task::kBinary, &c);
  AnalysisInput input = c.input();
  int64_t done_last = 0;
  input.progress = [&](int64_t done, int64_t /*total*/) {
    done_last = done;
    if (done == 3) c.stop.Request(StopCause::kCancelled);
  };
  EXPECT_THAT(CheckGradients(input, {}), StatusIs(absl::StatusCode::kCancelled, testing::_));
  EXPECT_EQ(done_last, 3);
}

// Nothing in float is right to 12 digits: the check can fail.
TEST(GradientCheckTest, FailsWhatIsBeyondTheTolerance) {
  AnalysisCase c;
  SetUpNetwork({.units = 6, .activation = Activation::kTanh}, Task::kBinary, &c);
  ASSERT_OK_AND_ASSIGN(const GradientCheckResult result,
                       CheckGradients(c.input(), {.tolerance = 1e-12}));
  EXPECT_FALSE(result.passed);
  EXPECT_GT(result.tensors[0].failed_count, 0);
}

TEST(GradientCheckTest, ChecksSoManyParametersOfEachTensor) {
  AnalysisCase c;
  SetUpNetwork({.units = 6, .activation = Activation::kTanh}, Task::kBinary, &c);
  ASSERT_OK_AND_ASSIGN(const GradientCheckResult result,
                       CheckGradients(c.input(), {.parameters_per_tensor = 4}));
  ASSERT_THAT(result.tensors, SizeIs(6));
  EXPECT_EQ(result.tensors[0].checked_count, 4);
  EXPECT_EQ(result.tensors[5].checked_count, 1);  // the output has one bias
}

TEST(GradientCheckTest, EveryFaultOfTheOptionsAtOnce) {
  std::vector<FieldViolation> violations;
  CheckGradientCheckOptions(
      {.parameters_per_tensor = 0, .epsilon = 1, .tolerance = 0, .batch_size = 5000}, &violations);
  EXPECT_THAT(violations, SizeIs(4));
}

}  // namespace
}  // namespace trainyard
