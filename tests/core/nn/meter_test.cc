#include "core/nn/meter.h"

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

std::vector<std::string> Names(const EvalResult& result) {
  std::vector<std::string> names;
  for (const auto& [name, value] : result.metrics) names.push_back(name);
  return names;
}

double Metric(const EvalResult& result, const std::string& wanted) {
  for (const auto& [name, value] : result.metrics) {
    if (name == wanted) return value;
  }
  ADD_FAILURE() << "no metric " << wanted;
  return 0;
}

TEST(EvalMeterTest, NothingMeasuredHasNoMetrics) {
  for (const LossKind kind : {LossKind::kBinaryCrossEntropy, LossKind::kSoftmaxCrossEntropy,
                              LossKind::kMeanSquaredError}) {
    const EvalResult result = EvalMeter(kind, 1).Result();
    EXPECT_EQ(result.rows, 0);
    EXPECT_TRUE(result.metrics.empty());
  }
}

TEST(EvalMeterTest, BinaryCountsTheRightSideOfZero) {
  const float logits[] = {2, -1, 0, 3};
  const float targets[] = {1, 0, 1, 0};
  EvalMeter meter(LossKind::kBinaryCrossEntropy, 1);
  meter.Add(logits, {.values = targets}, 4);
  const EvalResult result = meter.Result();
  EXPECT_THAT(Names(result), testing::ElementsAre("loss", "accuracy"));
  EXPECT_EQ(result.rows, 4);
  EXPECT_EQ(Metric(result, "accuracy"), 0.5);
  const double expected = (std::log1p(std::exp(-2.0)) + std::log1p(std::exp(-1.0)) + std::log(2.0) +
                           3 + std::log1p(std::exp(-3.0))) /
                          4;
  EXPECT_NEAR(Metric(result, "loss"), expected, 1e-6);
}

TEST(EvalMeterTest, MulticlassTakesTheLargestLogit) {
  const float logits[] = {0, 1, 2, 5, 1, 1};
  const int32_t classes[] = {2, 1};
  EvalMeter meter(LossKind::kSoftmaxCrossEntropy, 3);
  meter.Add(logits, {.classes = classes}, 2);
  EXPECT_EQ(Metric(meter.Result(), "accuracy"), 0.5);
}

TEST(EvalMeterTest, RegressionByHand) {
  const float values[] = {1, 2, 5};
  const float targets[] = {1, 4, 4};
  EvalMeter meter(LossKind::kMeanSquaredError, 1);
  meter.Add(values, {.values = targets}, 3);
  const EvalResult result = meter.Result();
  EXPECT_THAT(Names(result), testing::ElementsAre("loss", "rmse", "mae", "r2"));
  EXPECT_NEAR(Metric(result, "loss"), 5.0 / 3, 1e-12);
  EXPECT_NEAR(Metric(result, "rmse"), std::sqrt(5.0 / 3), 1e-12);
  EXPECT_NEAR(Metric(result, "mae"), 1, 1e-12);
  EXPECT_NEAR(Metric(result, "r2"), 1 - 5.0 / 6, 1e-12);
}

TEST(EvalMeterTest, R2OfAConstantTarget) {
  const float met[] = {3, 3};
  const float missed[] = {3, 4};
  EvalMeter perfect(LossKind::kMeanSquaredError, 1);
  perfect.Add(met, {.values = met}, 2);
  EXPECT_EQ(Metric(perfect.Result(), "r2"), 1);
  EvalMeter wrong(LossKind::kMeanSquaredError, 1);
  wrong.Add(missed, {.values = met}, 2);
  EXPECT_EQ(Metric(wrong.Result(), "r2"), 0);
}

TEST(EvalMeterTest, R2DoesNotCancelFarFromZero) {
  const float targets[] = {1e6f, 1e6f + 1, 1e6f + 2, 1e6f + 3};
  const float values[] = {1e6f, 1e6f + 1, 1e6f + 2, 1e6f + 4};
  EvalMeter meter(LossKind::kMeanSquaredError, 1);
  meter.Add(values, {.values = targets}, 4);
  EXPECT_NEAR(Metric(meter.Result(), "r2"), 1 - 1.0 / 5, 1e-9);
}

TEST(EvalMeterTest, BatchesDoNotMatter) {
  std::vector<float> logits, targets;
  for (int i = 0; i < 100; ++i) {
    logits.push_back(static_cast<float>(i % 7) - 3);
    targets.push_back(i % 3 == 0 ? 1.0f : 0.0f);
  }
  for (const LossKind kind : {LossKind::kBinaryCrossEntropy, LossKind::kMeanSquaredError}) {
    EvalMeter whole(kind, 1);
    whole.Add(logits.data(), {.values = targets.data()}, 100);
    EvalMeter parts(kind, 1);
    const LossTargets all{.values = targets.data()};
    for (int64_t begin = 0; begin < 100; begin += 9) {
      parts.Add(logits.data() + begin, all.From(begin), std::min<int64_t>(9, 100 - begin));
    }
    const EvalResult a = whole.Result();
    const EvalResult b = parts.Result();
    ASSERT_EQ(Names(a), Names(b));
    for (size_t i = 0; i < a.metrics.size(); ++i) {
      EXPECT_NEAR(a.metrics[i].second, b.metrics[i].second, 1e-12);
    }
  }
}

}  // namespace
}  // namespace trainyard
