#include "core/nn/mlp_config.h"

#include <functional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

MlpConfig Mixed() {
  return {.features = 5,
          .layers = {{.units = 5,
                      .activation = Activation::kLeakyRelu,
                      .alpha = 0.25,
                      .bias = false,
                      .normalization = Normalization::kBatch,
                      .dropout = 0.5,
                      .residual = true},
                     {.units = 4,
                      .activation = Activation::kElu,
                      .normalization = Normalization::kLayer}},
          .outputs = 2,
          .output_bias = false};
}

TEST(MlpConfigTest, CountsBiasesGainsAndShifts) {
  EXPECT_EQ(ParameterCount(Mixed()), (5 * 5 + 2 * 5) + (5 * 4 + 4 + 2 * 4) + 4 * 2);
  MlpConfig plain = Mixed();
  plain.layers[0].normalization = Normalization::kNone;
  EXPECT_EQ(ParameterCount(Mixed()) - ParameterCount(plain), 10);
}

TEST(MlpConfigTest, ZeroWeightsHaveEveryArrayTheirLayersNeed) {
  const MlpWeights weights = ZeroWeights(Mixed());
  ASSERT_EQ(weights.size(), 3u);
  EXPECT_EQ(weights[0].weights.size(), 25u);
  EXPECT_TRUE(weights[0].biases.empty());
  EXPECT_EQ(weights[0].gains, std::vector<float>(5, 1));
  EXPECT_EQ(weights[0].shifts, std::vector<float>(5, 0));
  EXPECT_EQ(weights[0].running_means, std::vector<float>(5, 0));
  EXPECT_EQ(weights[0].running_variances, std::vector<float>(5, 1));
  EXPECT_EQ(weights[0].alpha, 0.25f);
  EXPECT_EQ(weights[1].gains.size(), 4u);
  EXPECT_TRUE(weights[1].running_means.empty());
  EXPECT_EQ(weights[1].alpha, 1.0f);  // ELU's default
  EXPECT_TRUE(weights[2].biases.empty());
}

TEST(MlpConfigTest, ConfigOfWeightsIsTheConfig) {
  const MlpConfig config = ConfigOf(ZeroWeights(Mixed()));
  EXPECT_THAT(CheckShapes(config, ZeroWeights(Mixed())), IsOk());
  EXPECT_THAT(CheckShapes(Mixed(), ZeroWeights(config)), IsOk());
  EXPECT_EQ(config.layers[0].alpha, 0.25);
  EXPECT_FALSE(config.layers[0].bias);
  EXPECT_TRUE(config.layers[0].residual);
  EXPECT_EQ(config.layers[0].dropout, 0);
  EXPECT_EQ(config.layers[1].normalization, Normalization::kLayer);
  EXPECT_FALSE(config.output_bias);
}

TEST(MlpConfigTest, WeightsOfAnotherShapeAreNamed) {
  struct Case {
    const char* name;
    std::function<void(MlpWeights&)> change;
    const char* message;
  };
  const Case cases[] = {
      {"inputs", [](MlpWeights& w) { w[1].in = 6; }, "layer 1 are 6 x 4"},
      {"activation", [](MlpWeights& w) { w[2].activation = Activation::kRelu; }, "activation 2"},
      {"alpha", [](MlpWeights& w) { w[0].alpha = 0.5f; }, "alpha 0.5"},
      {"biases", [](MlpWeights& w) { w[0].biases.resize(5); }, "with biases"},
      {"normalization", [](MlpWeights& w) { w[1].normalization = Normalization::kNone; },
       "layer 1"},
      {"residual", [](MlpWeights& w) { w[0].residual = false; }, "layer 0"},
      {"layers", [](MlpWeights& w) { w.pop_back(); }, "2 layers, the network has 3"},
      {"weights", [](MlpWeights& w) { w[0].weights.pop_back(); }, "not as long"},
      {"gains", [](MlpWeights& w) { w[0].gains.clear(); }, "not as long"},
      {"means", [](MlpWeights& w) { w[0].running_means.pop_back(); }, "not as long"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    MlpWeights weights = ZeroWeights(Mixed());
    c.change(weights);
    EXPECT_THAT(CheckShapes(Mixed(), weights),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

}  // namespace
}  // namespace trainyard
