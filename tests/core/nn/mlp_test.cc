#include "core/nn/mlp.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/nn/init.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

MlpConfig TwoHidden() {
  return {.features = 3, .layers = {{4, Activation::kRelu}, {2, Activation::kTanh}}, .outputs = 2};
}

class MlpTest : public testing::Test {
 protected:
  std::unique_ptr<Mlp> Create(const MlpConfig& config, const BatchSizes& sizes) {
    auto mlp = Mlp::Create(config, *kernels_, sizes);
    EXPECT_THAT(mlp, IsOk());
    EXPECT_THAT((*mlp)->LoadWeights(InitialWeights(config, 1)), IsOk());
    return *std::move(mlp);
  }

  // After a Forward and a Backward on ones, with `bad` put into the parameter or gradient arenas by
  // the caller before.
  void Step(Mlp& mlp) {
    const std::vector<float> x(6, 1.0f);
    EXPECT_THAT(mlp.Forward(x.data(), 2), IsOk());
    std::fill_n(mlp.logit_gradients(), 4, 1.0f);
    EXPECT_THAT(mlp.Backward(x.data(), 2), IsOk());
  }

  const std::unique_ptr<Kernels> kernels_ = CreateFastKernels();
};

TEST_F(MlpTest, CountsParametersAndFlops) {
  EXPECT_EQ(ParameterCount(TwoHidden()), (3 + 1) * 4 + (4 + 1) * 2 + (2 + 1) * 2);
  EXPECT_EQ(ForwardFlopsPerRow(TwoHidden()), 2 * (12 + 8 + 4));
  EXPECT_EQ(TrainFlopsPerRow(TwoHidden()), 2 * (3 * (12 + 8 + 4) - 12));
  const MlpConfig linear{.features = 5, .outputs = 1};
  EXPECT_EQ(ParameterCount(linear), 6);
  EXPECT_EQ(TrainFlopsPerRow(linear), 2 * (5 + 5));
}

TEST_F(MlpTest, WeightsComeBackAsTheyWereLoaded) {
  const std::unique_ptr<Mlp> mlp = Create(TwoHidden(), {.forward = {1}});
  MlpWeights weights = InitialWeights(TwoHidden(), 9);
  weights[1].biases = {0.25f, -3};
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  const MlpWeights back = mlp->ToWeights();
  ASSERT_EQ(back.size(), 3u);
  for (size_t i = 0; i < back.size(); ++i) {
    EXPECT_EQ(back[i].weights, weights[i].weights);
    EXPECT_EQ(back[i].biases, weights[i].biases);
    EXPECT_EQ(back[i].activation, weights[i].activation);
  }
}

TEST_F(MlpTest, ConfigOfWeightsIsTheConfig) {
  const MlpConfig config = ConfigOf(ZeroWeights(TwoHidden()));
  EXPECT_EQ(config.features, 3);
  EXPECT_EQ(config.outputs, 2);
  ASSERT_EQ(config.layers.size(), 2u);
  EXPECT_EQ(config.layers[0].units, 4);
  EXPECT_EQ(config.layers[1].activation, Activation::kTanh);
}

TEST_F(MlpTest, RefusesWeightsOfAnotherShapeAndKeepsItsOwn) {
  const std::unique_ptr<Mlp> mlp = Create(TwoHidden(), {.forward = {1}});
  const std::vector<float> before = mlp->ToWeights()[0].weights;
  MlpWeights weights = InitialWeights(TwoHidden(), 9);
  weights[2].activation = Activation::kRelu;
  EXPECT_THAT(mlp->LoadWeights(weights),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("layer 2")));
  weights.pop_back();
  EXPECT_THAT(mlp->LoadWeights(weights),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 layers")));
  EXPECT_EQ(mlp->ToWeights()[0].weights, before);
}

TEST_F(MlpTest, ARowsOutputDoesNotDependOnTheBatchItIsIn) {
  const std::unique_ptr<Mlp> mlp = Create(TwoHidden(), {.train = {4}, .forward = {1, 7}});
  std::vector<float> x;
  for (int i = 0; i < 21; ++i) x.push_back(static_cast<float>(i % 5) - 2);
  ASSERT_THAT(mlp->Forward(x.data(), 7), IsOk());
  const std::vector<float> seven(mlp->logits(), mlp->logits() + 14);
  ASSERT_THAT(mlp->Forward(x.data(), 4), IsOk());
  EXPECT_TRUE(std::equal(seven.begin(), seven.begin() + 8, mlp->logits()));
  for (int row = 0; row < 7; ++row) {
    ASSERT_THAT(mlp->Forward(x.data() + row * 3, 1), IsOk());
    EXPECT_EQ(mlp->logits()[0], seven[row * 2]);
    EXPECT_EQ(mlp->logits()[1], seven[row * 2 + 1]);
  }
}

TEST_F(MlpTest, ArenasAreAligned) {
  const std::unique_ptr<Mlp> mlp = Create(TwoHidden(), {.train = {2}});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mlp->parameters().data()) % 64, 0u);
  EXPECT_EQ(mlp->weight_count() % 16, 0);
  EXPECT_EQ(mlp->gradients().size(), mlp->parameters().size());
}

TEST_F(MlpTest, FindsTheFirstNonFiniteNumber) {
  std::unique_ptr<Mlp> mlp = Create(TwoHidden(), {.train = {2}});
  Step(*mlp);
  EXPECT_EQ(mlp->FindNonFinite(2), "");

  MlpWeights weights = InitialWeights(TwoHidden(), 1);
  weights[1].weights[3] = kNan;
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  Step(*mlp);
  EXPECT_EQ(mlp->FindNonFinite(2), "layers[1] weights");

  weights[0].biases[1] = kNan;
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  EXPECT_EQ(mlp->FindNonFinite(2), "layers[0] biases");

  weights = InitialWeights(TwoHidden(), 1);
  for (float& w : weights[2].weights) w = 3e38f;
  weights[1].biases = {100, 100};  // tanh is 1 there: the logits overflow
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  Step(*mlp);
  EXPECT_EQ(mlp->FindNonFinite(2), "output logits");

  weights = InitialWeights(TwoHidden(), 1);
  for (float& w : weights[0].weights) w = 3e38f;
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  Step(*mlp);
  EXPECT_EQ(mlp->FindNonFinite(2), "layers[0] outputs");
}

TEST_F(MlpTest, FindsWhatNormalisationMadeNonFinite) {
  const MlpConfig config{
      .features = 3,
      .layers = {{.units = 4, .normalization = Normalization::kBatch}, {.units = 2}},
      .outputs = 2};
  std::unique_ptr<Mlp> mlp = Create(config, {.train = {2}});
  Step(*mlp);
  EXPECT_EQ(mlp->FindNonFinite(2), "");
  MlpWeights weights = InitialWeights(config, 1);
  weights[0].running_variances[2] = kNan;
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  EXPECT_EQ(mlp->FindNonFinite(2), "layers[0] running statistics");
  weights[0].shifts[1] = kNan;
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  EXPECT_EQ(mlp->FindNonFinite(2), "layers[0] shifts");
  weights[0].gains[1] = kNan;
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  EXPECT_EQ(mlp->FindNonFinite(2), "layers[0] gains");
}

TEST_F(MlpTest, NormalisedWeightsComeBackAsTheyWereLoaded) {
  const MlpConfig config{.features = 3,
                         .layers = {{.units = 4, .normalization = Normalization::kBatch},
                                    {.units = 4,
                                     .bias = false,
                                     .normalization = Normalization::kBatch,
                                     .residual = true}},
                         .outputs = 2};
  const std::unique_ptr<Mlp> mlp = Create(config, {.forward = {1}});
  EXPECT_EQ(mlp->running_statistics().size(), 16u);
  MlpWeights weights = InitialWeights(config, 9);
  weights[0].gains = {1, 2, 3, 4};
  weights[0].running_means = {5, 6, 7, 8};
  weights[1].shifts = {9, 10, 11, 12};
  weights[1].running_variances = {13, 14, 15, 16};
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  const MlpWeights back = mlp->ToWeights();
  EXPECT_EQ(back[0].gains, weights[0].gains);
  EXPECT_EQ(back[0].running_means, weights[0].running_means);
  EXPECT_EQ(back[1].shifts, weights[1].shifts);
  EXPECT_EQ(back[1].running_variances, weights[1].running_variances);
  EXPECT_TRUE(back[1].biases.empty());
  EXPECT_TRUE(back[1].residual);
}

TEST_F(MlpTest, ANetworkWithALeaderUsesItsParameters) {
  const std::unique_ptr<Mlp> leader = Create(TwoHidden(), {.train = {2}});
  auto follower = Mlp::Create(TwoHidden(), *kernels_, {.train = {2}}, leader.get());
  ASSERT_THAT(follower, IsOk());
  EXPECT_EQ((*follower)->parameters().data(), leader->parameters().data());
  EXPECT_NE((*follower)->gradients().data(), leader->gradients().data());
  Step(*leader);
  leader->parameters()[0] += 1;
  Step(*leader);
  Step(**follower);
  for (size_t i = 0; i < leader->gradients().size(); ++i) {
    ASSERT_EQ((*follower)->gradients()[i], leader->gradients()[i]);
  }
}

TEST_F(MlpTest, FindsAGradientThatIsNotFinite) {
  std::unique_ptr<Mlp> mlp = Create(TwoHidden(), {.train = {2}});
  const std::vector<float> x(6, 1.0f);
  ASSERT_THAT(mlp->Forward(x.data(), 2), IsOk());
  std::fill_n(mlp->logit_gradients(), 4, kNan);
  ASSERT_THAT(mlp->Backward(x.data(), 2), IsOk());
  EXPECT_EQ(mlp->FindNonFinite(2), "output gradients");
}

}  // namespace
}  // namespace trainyard
