#include "core/nn/loss.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double BinaryLoss(float z, float y, float* gradient) {
  return LossAndGradient(LossKind::kBinaryCrossEntropy, &z, {.values = &y}, 1, 1, gradient);
}

double SoftmaxLoss(const std::vector<float>& z, int32_t target, std::vector<float>* gradient) {
  gradient->resize(z.size());
  return LossAndGradient(LossKind::kSoftmaxCrossEntropy, z.data(), {.classes = &target}, 1,
                         static_cast<int64_t>(z.size()), gradient->data());
}

TEST(LossTest, BinaryAtZeroIsLn2) {
  float gradient = 0;
  EXPECT_NEAR(BinaryLoss(0, 1, &gradient), std::log(2.0), 1e-7);
  EXPECT_FLOAT_EQ(gradient, -0.5f);
  EXPECT_NEAR(BinaryLoss(0, 0, &gradient), std::log(2.0), 1e-7);
  EXPECT_FLOAT_EQ(gradient, 0.5f);
}

TEST(LossTest, SoftmaxOfEqualLogitsIsLnK) {
  for (const int64_t k : {2, 3, 10, 1000}) {
    std::vector<float> gradient;
    const std::vector<float> z(static_cast<size_t>(k), 3.5f);
    EXPECT_NEAR(SoftmaxLoss(z, 1, &gradient), std::log(static_cast<double>(k)), 1e-5) << k;
    EXPECT_NEAR(gradient[0], 1.0 / static_cast<double>(k), 1e-6);
    EXPECT_NEAR(gradient[1], 1.0 / static_cast<double>(k) - 1, 1e-6);
  }
}

TEST(LossTest, BinaryFollowsTheFormulaOverTheWholeRange) {
  for (float z = -80; z <= 80; z += 0.731f) {
    for (const float y : {0.0f, 1.0f}) {
      float gradient = 0;
      const double wide = z;
      const double expected =
          std::max(wide, 0.0) - wide * y + std::log1p(std::exp(-std::fabs(wide)));
      EXPECT_NEAR(BinaryLoss(z, y, &gradient), expected, 1e-6 * (1 + expected)) << z;
      EXPECT_NEAR(gradient, 1 / (1 + std::exp(-wide)) - y, 1e-6) << z;
    }
  }
}

TEST(LossTest, HugeLogitsGiveFiniteLosses) {
  float gradient = 0;
  EXPECT_DOUBLE_EQ(BinaryLoss(1e30f, 0, &gradient), static_cast<double>(1e30f));
  EXPECT_EQ(gradient, 1);
  EXPECT_EQ(BinaryLoss(1e30f, 1, &gradient), 0);
  EXPECT_EQ(gradient, 0);
  std::vector<float> gradients;
  EXPECT_NEAR(SoftmaxLoss({1e30f, -1e30f}, 1, &gradients) / 2e30, 1, 1e-6);
  EXPECT_EQ(gradients, (std::vector<float>{1, -1}));
}

TEST(LossTest, SoftmaxDoesNotChangeWhenAllLogitsShift) {
  std::vector<float> near, far;
  const double a = SoftmaxLoss({1, 2, 3}, 0, &near);
  const double b = SoftmaxLoss({1001, 1002, 1003}, 0, &far);
  EXPECT_NEAR(a, b, 1e-6);
  for (size_t i = 0; i < near.size(); ++i) EXPECT_NEAR(near[i], far[i], 1e-6);
}

TEST(LossTest, NonFiniteLogitsGiveANonFiniteLoss) {
  for (const float z : {kNan, kInfinity, -kInfinity}) {
    float gradient = 0;
    std::vector<float> gradients;
    const bool finite =
        std::isfinite(BinaryLoss(z, 0, &gradient)) && std::isfinite(BinaryLoss(z, 1, &gradient));
    EXPECT_FALSE(finite) << z;
    EXPECT_FALSE(std::isfinite(SoftmaxLoss({0, z, 1}, 1, &gradients))) << z;
    const float y = 1;
    EXPECT_FALSE(std::isfinite(
        LossAndGradient(LossKind::kMeanSquaredError, &z, {.values = &y}, 1, 1, &gradient)));
  }
}

TEST(LossTest, SquaredErrorHasNoHalf) {
  const float z[] = {3, 1};
  const float y[] = {1, 1};
  float gradient[2] = {};
  EXPECT_DOUBLE_EQ(LossAndGradient(LossKind::kMeanSquaredError, z, {.values = y}, 2, 1, gradient),
                   2);
  EXPECT_FLOAT_EQ(gradient[0], 2);  // 2·(3 - 1)/2
  EXPECT_FLOAT_EQ(gradient[1], 0);
}

// The mean over a batch is the mean of the rows' own losses, and so is its gradient; LossSum is the
// sum.
TEST(LossTest, ABatchIsTheMeanOfItsRows) {
  Rng rng(4, RngStream::kAnalysis);
  for (const int64_t rows : {1, 63, 64, 65, 200}) {
    std::vector<float> z, y;
    for (int64_t r = 0; r < rows; ++r) {
      z.push_back(static_cast<float>(3 * rng.Normal()));
      y.push_back(rng.Below(2) == 0 ? 0.0f : 1.0f);
    }
    for (const LossKind kind : {LossKind::kBinaryCrossEntropy, LossKind::kMeanSquaredError}) {
      std::vector<float> gradients(z.size());
      const double loss =
          LossAndGradient(kind, z.data(), {.values = y.data()}, rows, 1, gradients.data());
      double sum = 0;
      for (size_t r = 0; r < z.size(); ++r) {
        float gradient = 0;
        sum += LossAndGradient(kind, &z[r], {.values = &y[r]}, 1, 1, &gradient);
        EXPECT_NEAR(gradients[r], gradient / static_cast<float>(rows), 1e-6);
      }
      EXPECT_NEAR(loss, sum / static_cast<double>(rows), 1e-6 * (1 + loss)) << rows;
      EXPECT_NEAR(LossSum(kind, z.data(), {.values = y.data()}, rows, 1), sum, 1e-6 * (1 + sum));
    }
  }
}

TEST(LossTest, SoftmaxSumAgreesWithTheGradientPass) {
  Rng rng(5, RngStream::kAnalysis);
  std::vector<float> z(300 * 7);
  std::vector<int32_t> classes;
  for (float& v : z) v = static_cast<float>(4 * rng.Normal());
  for (int r = 0; r < 300; ++r) classes.push_back(static_cast<int32_t>(rng.Below(7)));
  std::vector<float> gradients(z.size());
  const double mean = LossAndGradient(LossKind::kSoftmaxCrossEntropy, z.data(),
                                      {.classes = classes.data()}, 300, 7, gradients.data());
  const double sum =
      LossSum(LossKind::kSoftmaxCrossEntropy, z.data(), {.classes = classes.data()}, 300, 7);
  EXPECT_NEAR(mean * 300 / sum, 1, 1e-6);
  for (int r = 0; r < 300; ++r) {  // softmax and one-hot both add up to 1
    double row = 0;
    for (int j = 0; j < 7; ++j) row += gradients[r * 7 + j];
    EXPECT_NEAR(row, 0, 1e-8);
  }
}

TEST(LossTest, NoRowsCostNothing) {
  EXPECT_EQ(LossSum(LossKind::kBinaryCrossEntropy, nullptr, {}, 0, 1), 0);
  EXPECT_EQ(LossSum(LossKind::kSoftmaxCrossEntropy, nullptr, {}, 0, 3), 0);
  EXPECT_EQ(LossSum(LossKind::kMeanSquaredError, nullptr, {}, 0, 1), 0);
}

TEST(ProbabilitiesTest, BinaryIsTheSigmoidAndItsRest) {
  for (const float z : {-800.0f, -3.0f, 0.0f, 0.5f, 800.0f}) {
    double p[2] = {};
    Probabilities(LossKind::kBinaryCrossEntropy, &z, 2, p);
    EXPECT_NEAR(p[1], 1 / (1 + std::exp(-static_cast<double>(z))), 1e-15);
    EXPECT_NEAR(p[0] + p[1], 1, 1e-15);
  }
}

TEST(ProbabilitiesTest, SoftmaxAddsUpToOne) {
  const float z[] = {1000, 1001, -1000};
  double p[3] = {};
  Probabilities(LossKind::kSoftmaxCrossEntropy, z, 3, p);
  EXPECT_NEAR(p[0], 1 / (1 + std::exp(1.0)), 1e-12);
  EXPECT_NEAR(p[1], 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_EQ(p[2], 0);
}

TEST(PredictedClassTest, IsTheMostProbableAndTheFirstOfEquals) {
  const float z[] = {0, 2, 2};
  EXPECT_EQ(PredictedClass(LossKind::kSoftmaxCrossEntropy, z, 3), 1);
  EXPECT_EQ(PredictedClass(LossKind::kBinaryCrossEntropy, z, 1), 0);
  EXPECT_EQ(PredictedClass(LossKind::kBinaryCrossEntropy, z + 1, 1), 1);
}

}  // namespace
}  // namespace trainyard
