#include "core/train/evaluate.h"

#include <cmath>
#include <memory>
#include <vector>

#include "core/nn/init.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"

namespace trainyard {
namespace {

TEST(EvaluateTest, BatchSizesCoverTheRows) {
  EXPECT_TRUE(EvalBatchSizes(0).empty());
  for (const int64_t rows : {1, 511, 512, 513, 1024, 100'000}) {
    const std::vector<int64_t> sizes = EvalBatchSizes(rows);
    ASSERT_FALSE(sizes.empty());
    const int64_t rest = sizes.size() == 2 ? sizes[1] : 0;
    EXPECT_EQ((rows - rest) % sizes[0], 0) << rows;
    EXPECT_LE(sizes[0], rows);
  }
}

TEST(EvaluateTest, SeesEveryRowOnce) {
  const MeterConfig measured{
      .loss = {.kind = LossKind::kSoftmaxCrossEntropy}, .task = Task::kMulticlass, .outputs = 4};
  for (const int64_t rows : {0, 1, 512, 700, 1025}) {
    const Part part =
        SyntheticPart({.features = 3, .task = Task::kMulticlass, .classes = 4}, rows, 1);
    const MlpConfig shape{.features = 3, .layers = {{5, Activation::kTanh}}, .outputs = 4};
    ASSERT_OK_AND_ASSIGN(
        std::unique_ptr<Mlp> mlp,
        Mlp::Create(shape, *CreateFastKernels(), {.train = {1}, .forward = EvalBatchSizes(rows)}));
    ASSERT_THAT(mlp->LoadWeights(InitialWeights(shape, 1)), IsOk());
    ASSERT_OK_AND_ASSIGN(const EvalResult result, Evaluate(measured, part, *mlp));
    EXPECT_EQ(result.rows, rows);
    if (rows == 0) continue;
    EvalMeter meter(measured);
    for (int64_t r = 0; r < rows; ++r) {
      ASSERT_THAT(mlp->Forward(part.features.row(r).data(), 1), IsOk());
      meter.Add(mlp->logits(), {.classes = &part.classes[r]}, 1);
    }
    for (size_t i = 0; i < result.metrics.size(); ++i) {
      EXPECT_NEAR(result.metrics[i].second, meter.Result().metrics[i].second, 1e-6) << rows;
    }
  }
}

// Rows beyond the first batch must meet their own labels and weights.
TEST(EvaluateTest, LabelsAndWeightsGoWithTheirRows) {
  constexpr int64_t kRows = 700;
  Part part = SyntheticPart({.features = 2, .task = Task::kRegression}, kRows, 1);
  part.targets.clear();
  double expected = 0;
  double weight_sum = 0;
  MlpWeights weights = ZeroWeights({.features = 2, .outputs = 2});
  weights[0].weights = {4, 0, 0, 4};
  for (int64_t r = 0; r < kRows; ++r) {
    const auto x = part.features.row(r);
    part.weights.push_back(static_cast<float>(r % 3));
    for (const float value : {x[0], x[1]}) {
      part.targets.push_back(value > 0 ? 1.0F : 0.0F);
      expected += part.weights.back() * std::log1p(std::exp(-std::fabs(4.0 * value))) / 2;
    }
    weight_sum += part.weights.back();
  }
  ASSERT_OK_AND_ASSIGN(
      std::unique_ptr<Mlp> mlp,
      Mlp::Create(ConfigOf(weights), *CreateFastKernels(), {.forward = EvalBatchSizes(kRows)}));
  ASSERT_THAT(mlp->LoadWeights(weights), IsOk());
  ASSERT_OK_AND_ASSIGN(const EvalResult result,
                       Evaluate({.loss = {.kind = LossKind::kBinaryCrossEntropy},
                                 .task = Task::kMultilabel,
                                 .outputs = 2},
                                part, *mlp));
  EXPECT_NEAR(result.Find("loss"), expected / weight_sum, 1e-6);
  EXPECT_EQ(result.Find("accuracy"), 1);
}

}  // namespace
}  // namespace trainyard
