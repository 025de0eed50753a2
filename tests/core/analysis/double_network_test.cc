#include "core/analysis/double_network.h"

#include <cmath>
#include <numbers>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/analysis/analysis_fixtures.h"

namespace trainyard {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

// Values of PyTorch 1.13 in float64 at z = -1.5 and 0.75.
TEST(DoubleNetworkTest, ActivationsAreThoseOfPyTorch) {
  struct Case {
    Activation activation;
    double low, high;
  };
  const Case cases[] = {
      {Activation::kIdentity, -1.5, 0.75},
      {Activation::kRelu, 0, 0.75},
      {Activation::kSigmoid, 0.18242552380635635, 0.679178699175393},
      {Activation::kTanh, -0.9051482536448664, 0.6351489523872873},
      {Activation::kLeakyRelu, -0.015, 0.75},
      {Activation::kElu, -0.7768698398515702, 0.75},
      {Activation::kSelu, -1.3658143533672527, 0.7880257405166103},
      {Activation::kGelu, -0.10021080190328704, 0.5800294857173489},
      {Activation::kGeluTanh, -0.10042842301976707, 0.5799605551656203},
      {Activation::kSilu, -0.2736382857095345, 0.5093840243815447},
      {Activation::kSoftplus, 0.2014132779827524, 1.1368710061148999},
      {Activation::kHardSigmoid, 0.25, 0.625},
      {Activation::kHardTanh, -1, 0.75},
      {Activation::kHardSwish, -0.375, 0.46875},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(static_cast<int>(c.activation));
    LayerWeights layer = AffineLayer(1, 1, {1}, {0}, c.activation);
    const float x[] = {-1.5F, 0.75F};
    const DoubleNetwork network({layer});
    EXPECT_THAT(network.Forward(x, 2, DoubleNetwork::Mode::kEvaluation),
                ElementsAre(DoubleNear(c.low, 1e-8), DoubleNear(c.high, 1e-8)));
  }
}

TEST(DoubleNetworkTest, NormalizesOverTheBatchOrTheRow) {
  LayerWeights layer = AffineLayer(2, 2, {1, 0, 0, 1}, {0, 0});
  layer.normalization = Normalization::kBatch;
  layer.gains = {1, 2};
  layer.shifts = {0, 5};
  layer.running_means = {0, 0};
  layer.running_variances = {1, 1};
  const float x[] = {1, 10, 3, 30};  // per column ±1 deviation
  const std::vector<double> batch =
      DoubleNetwork({layer}).Forward(x, 2, DoubleNetwork::Mode::kTraining);
  EXPECT_THAT(batch, ElementsAre(DoubleNear(-1, 1e-4), DoubleNear(3, 1e-4), DoubleNear(1, 1e-4),
                                 DoubleNear(7, 1e-4)));
  layer.normalization = Normalization::kLayer;
  const std::vector<double> row =
      DoubleNetwork({layer}).Forward(x, 2, DoubleNetwork::Mode::kTraining);
  EXPECT_THAT(row, ElementsAre(DoubleNear(-1, 1e-4), DoubleNear(7, 1e-4), DoubleNear(-1, 1e-4),
                               DoubleNear(7, 1e-4)));
}

TEST(DoubleLossTest, ByHand) {
  const float values[] = {1, 0};
  const int32_t classes[] = {2};
  const std::vector<double> zeros(3, 0.0);
  EXPECT_DOUBLE_EQ(
      DoubleLoss({.kind = LossKind::kBinaryCrossEntropy}, zeros, {.values = values}, 2, 1),
      std::numbers::ln2);
  EXPECT_DOUBLE_EQ(
      DoubleLoss({.kind = LossKind::kSoftmaxCrossEntropy}, zeros, {.classes = classes}, 1, 3),
      std::log(3.0));
  EXPECT_DOUBLE_EQ(DoubleLoss({.kind = LossKind::kHinge}, {0.25, 0.5}, {.values = values}, 2, 1),
                   (0.75 + 1.5) / 2);
  EXPECT_DOUBLE_EQ(DoubleLoss({.kind = LossKind::kHinge}, {0.5, 0, 1}, {.classes = classes}, 1, 3),
                   0.5 / 3);
  EXPECT_DOUBLE_EQ(
      DoubleLoss({.kind = LossKind::kHuber, .delta = 0.5}, {0.75, 2}, {.values = values}, 2, 1),
      (0.25 * 0.25 / 2 + 0.5 * (2 - 0.25)) / 2);
  EXPECT_DOUBLE_EQ(DoubleLoss({.kind = LossKind::kQuantile, .quantile = 0.9}, {0.5, 2},
                              {.values = values}, 2, 1),
                   (0.9 * 0.5 + 0.1 * 2) / 2);
  EXPECT_DOUBLE_EQ(DoubleLoss({.kind = LossKind::kPoisson}, {0.5, 0}, {.values = values}, 2, 1),
                   (std::exp(0.5) - 0.5 + 1) / 2);
  const float weights[] = {3, 1};
  EXPECT_DOUBLE_EQ(DoubleLoss({.kind = LossKind::kMeanSquaredError}, {0, 2},
                              {.values = values, .weights = weights}, 2, 1),
                   (3 + 4) / 4.0);
}

// Of logits that are exact in float both must say the same; 3·(2 - 0.5) = 4.5 is beyond delta.
TEST(DoubleLossTest, OfAScaledTargetIsThatOfTheEngine) {
  const float logits[] = {0.5F, -1, 2};
  const float targets[] = {2, -0.75F, 2.5F};
  for (const LossKind kind : {LossKind::kMeanSquaredError, LossKind::kMeanAbsoluteError,
                              LossKind::kHuber, LossKind::kQuantile}) {
    const LossConfig loss{
        .kind = kind, .delta = 3, .quantile = 0.75, .target_offset = 100, .target_scale = 3};
    const double engine = LossSum(loss, logits, {.values = targets}, 3, 1) / 3;
    EXPECT_DOUBLE_EQ(DoubleLoss(loss, {0.5, -1, 2}, {.values = targets}, 3, 1), engine)
        << static_cast<int>(kind);
  }
  const LossConfig huber{.kind = LossKind::kHuber, .delta = 3, .target_scale = 3};
  EXPECT_DOUBLE_EQ(DoubleLoss(huber, {0.5}, {.values = targets}, 1, 1), 3 * (4.5 - 1.5));
}

}  // namespace
}  // namespace trainyard
