#include "core/nn/mlp_layer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/nn/init.h"
#include "core/nn/mlp.h"
#include "gtest/gtest.h"
#include "tests/support/golden_blocks.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

constexpr int64_t kRows = 5;
constexpr int64_t kFeatures = 4;
constexpr int64_t kOutputs = 2;
constexpr int kPasses = 2;

MlpConfig ConfigOf(const GoldenBlock& golden) {
  const LayerConfig layer{
      .units = kFeatures,
      .activation = static_cast<Activation>(golden.Number("activation")),
      .alpha = golden.Number("alpha"),
      .bias = golden.Number("bias") != 0,
      .normalization = static_cast<Normalization>(golden.Number("normalization")),
      .residual = golden.Number("residual") != 0};
  return {.features = kFeatures, .layers = {layer, layer}, .outputs = kOutputs};
}

// The tensors one after the other, without the gaps.
std::vector<float> Packed(const Mlp& mlp, std::span<const float> arena) {
  std::vector<float> values;
  for (const ParameterTensor& tensor : mlp.tensors()) {
    const auto begin = arena.begin() + tensor.begin;
    values.insert(values.end(), begin, begin + tensor.size());
  }
  return values;
}

void LoadPacked(const std::vector<float>& values, Mlp* mlp) {
  auto next = values.begin();
  for (const ParameterTensor& tensor : mlp->tensors()) {
    std::copy_n(next, tensor.size(), mlp->parameters().begin() + tensor.begin);
    next += tensor.size();
  }
  ASSERT_EQ(next, values.end());
}

// `tolerance` is relative to the largest number of the array.
void ExpectNear(std::span<const float> actual, const std::vector<float>& expected,
                const std::string& what, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = 0;
  for (const float v : expected) largest = std::max(largest, std::fabs(static_cast<double>(v)));
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance * largest) << what << " " << i;
  }
}

void ComparePass(const GoldenBlock& golden, int number, Mlp* mlp) {
  const auto of_pass = [&](const std::string& key) {
    return golden.Numbers<float>(absl::StrCat(key, number));
  };
  const std::vector<float> x = of_pass("x");
  ASSERT_THAT(mlp->ForwardTrain(x.data(), kRows, {}), IsOk());
  ExpectNear({mlp->logits(), kRows * kOutputs}, of_pass("logits"), "logits", 5e-6);
  const std::vector<float> gradient = of_pass("logit_gradient");
  std::copy(gradient.begin(), gradient.end(), mlp->logit_gradients());
  ASSERT_THAT(mlp->Backward(x.data(), kRows), IsOk());
  ExpectNear(Packed(*mlp, mlp->gradients()), of_pass("gradient"), "gradient", 2e-5);
}

TEST(MlpLayerTest, ForwardBackwardAndEvaluationAreThoseOfPyTorch) {
  const std::unique_ptr<Kernels> all_kernels[] = {CreateReferenceKernels(), CreateFastKernels()};
  for (const GoldenBlock& golden : ReadGoldenBlocks("layers.txt")) {
    for (const auto& kernels : all_kernels) {
      SCOPED_TRACE(absl::StrCat(golden.Text("case"), " kernels ", &kernels - all_kernels));
      ASSERT_OK_AND_ASSIGN(std::unique_ptr<Mlp> mlp,
                           Mlp::Create(ConfigOf(golden), *kernels, {.train = {kRows}}));
      LoadPacked(golden.Numbers<float>("parameters"), mlp.get());
      for (int number = 0; number < kPasses; ++number) ComparePass(golden, number, mlp.get());
      ExpectNear(mlp->running_statistics(), golden.Numbers<float>("running"), "running", 2e-6);
      const std::vector<float> x = golden.Numbers<float>(absl::StrCat("x", kPasses - 1));
      ASSERT_THAT(mlp->Forward(x.data(), kRows), IsOk());
      ExpectNear({mlp->logits(), kRows * kOutputs}, golden.Numbers<float>("evaluation"),
                 "evaluation", 5e-6);
    }
  }
}

// A wide layer of ones, so that what leaves it is dropout alone.
class DropoutTest : public testing::Test {
 protected:
  static constexpr int64_t kUnits = 500;
  static constexpr int64_t kBatch = 64;
  static constexpr double kRatio = 0.3;

  static MlpConfig Config() {
    return {.features = 1,
            .layers = {{.units = kUnits, .activation = Activation::kIdentity, .dropout = kRatio}},
            .outputs = 1};
  }

  std::unique_ptr<Mlp> Create() {
    auto mlp = Mlp::Create(Config(), *kernels_, {.train = {kBatch, kBatch / 2}});
    EXPECT_THAT(mlp, IsOk());
    MlpWeights weights = ZeroWeights(Config());
    for (float& b : weights[0].biases) b = 1;
    EXPECT_THAT((*mlp)->LoadWeights(weights), IsOk());
    return *std::move(mlp);
  }

  std::vector<float> Outputs(Mlp& mlp, int64_t rows, const TrainPass& pass) {
    EXPECT_THAT(mlp.ForwardTrain(x_.data(), rows, pass), IsOk());
    return {mlp.hidden_outputs(0), mlp.hidden_outputs(0) + rows * kUnits};
  }

  const std::vector<float> x_ = std::vector<float>(kBatch, 0);
  const std::unique_ptr<Kernels> kernels_ = CreateFastKernels();
};

TEST_F(DropoutTest, ZeroesTheRatioAndScalesTheRest) {
  const std::unique_ptr<Mlp> mlp = Create();
  int64_t zeros = 0;
  for (const float v : Outputs(*mlp, kBatch, {.seed = 1})) {
    if (v == 0) {
      ++zeros;
    } else {
      ASSERT_FLOAT_EQ(v, static_cast<float>(1 / (1 - kRatio)));
    }
  }
  // 32 000 draws: the standard deviation of the share is 0.0026.
  EXPECT_NEAR(static_cast<double>(zeros) / (kBatch * kUnits), kRatio, 0.01);
}

TEST_F(DropoutTest, IsAFunctionOfSeedStepAndRow) {
  const std::unique_ptr<Mlp> mlp = Create();
  const TrainPass pass{.seed = 1, .step = 4};
  const std::vector<float> first = Outputs(*mlp, kBatch, pass);
  EXPECT_NE(Outputs(*mlp, kBatch, {.seed = 2, .step = 4}), first);
  EXPECT_NE(Outputs(*mlp, kBatch, {.seed = 1, .step = 5}), first);
  EXPECT_EQ(Outputs(*mlp, kBatch, pass), first);
}

TEST_F(DropoutTest, PartsOfABatchDropWhatTheWholeDoes) {
  const std::unique_ptr<Mlp> mlp = Create();
  const std::vector<float> whole = Outputs(*mlp, kBatch, {.seed = 1, .step = 4});
  std::vector<float> parts = Outputs(*mlp, kBatch / 2, {.seed = 1, .step = 4});
  const std::vector<float> second =
      Outputs(*mlp, kBatch / 2, {.seed = 1, .step = 4, .first_row = kBatch / 2});
  EXPECT_NE(parts, second);
  parts.insert(parts.end(), second.begin(), second.end());
  EXPECT_EQ(parts, whole);
}

TEST_F(DropoutTest, EvaluationDropsNothing) {
  const std::unique_ptr<Mlp> mlp = Create();
  Outputs(*mlp, kBatch, {.seed = 1});
  ASSERT_THAT(mlp->Forward(x_.data(), kBatch), IsOk());
  for (int64_t i = 0; i < kBatch * kUnits; ++i) ASSERT_EQ(mlp->hidden_outputs(0)[i], 1);
}

TEST_F(DropoutTest, LayersDropDifferently) {
  MlpConfig config = Config();
  config.layers.push_back(config.layers[0]);
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Mlp> mlp,
                       Mlp::Create(config, *kernels_, {.train = {kBatch}}));
  MlpWeights weights = ZeroWeights(config);
  for (LayerWeights& layer : weights) std::fill(layer.biases.begin(), layer.biases.end(), 1.0f);
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  ASSERT_THAT(mlp->ForwardTrain(x_.data(), kBatch, {.seed = 1}), IsOk());
  EXPECT_FALSE(std::equal(mlp->hidden_outputs(0), mlp->hidden_outputs(0) + kBatch * kUnits,
                          mlp->hidden_outputs(1)));
}

TEST_F(DropoutTest, BackwardAfterEvaluationHasNoDropout) {
  MlpConfig config{.features = 4,
                   .layers = {{.units = 8, .activation = Activation::kRelu, .dropout = 0.5}},
                   .outputs = 1,
                   .input_dropout = 0.5};
  MlpConfig without = config;
  without.input_dropout = 0;
  without.layers[0].dropout = 0;
  const std::vector<float> x = {1, -2, 3, 0.5, 2, 1, -1, 4};
  std::vector<std::vector<float>> gradients;
  for (const MlpConfig& c : {config, without}) {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<Mlp> mlp, Mlp::Create(c, *kernels_, {.train = {2}}));
    ASSERT_THAT(mlp->LoadWeights(InitialWeights(c, 3)), IsOk());
    ASSERT_THAT(mlp->ForwardTrain(x.data(), 2, {.seed = 9}), IsOk());
    ASSERT_THAT(mlp->Forward(x.data(), 2), IsOk());
    std::fill_n(mlp->logit_gradients(), 2, 1.0f);
    ASSERT_THAT(mlp->Backward(x.data(), 2), IsOk());
    gradients.push_back(Packed(*mlp, mlp->gradients()));
  }
  EXPECT_EQ(gradients[0], gradients[1]);
}

}  // namespace
}  // namespace trainyard
