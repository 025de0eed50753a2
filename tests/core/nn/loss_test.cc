#include "core/nn/loss.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"
#include "tests/support/golden_blocks.h"

namespace trainyard {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The mean over the rows and its gradient.
double MeanLoss(const LossConfig& loss, const float* logits, const LossTargets& targets,
                int64_t rows, int64_t outputs, float* gradient) {
  return LossAndGradient(loss, logits, targets, rows, outputs,
                         BatchWeight(loss, targets, rows, outputs), gradient);
}

double BinaryLoss(float z, float y, float* gradient) {
  return MeanLoss({.kind = LossKind::kBinaryCrossEntropy}, &z, {.values = &y}, 1, 1, gradient);
}

double SoftmaxLoss(const std::vector<float>& z, int32_t target, std::vector<float>* gradient) {
  gradient->resize(z.size());
  return MeanLoss({.kind = LossKind::kSoftmaxCrossEntropy}, z.data(), {.classes = &target}, 1,
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

constexpr LossKind kOneOutputKinds[] = {LossKind::kBinaryCrossEntropy,
                                        LossKind::kMeanSquaredError,
                                        LossKind::kMeanAbsoluteError,
                                        LossKind::kHuber,
                                        LossKind::kQuantile,
                                        LossKind::kPoisson,
                                        LossKind::kHinge};

TEST(LossTest, NonFiniteLogitsGiveANonFiniteLoss) {
  for (const float z : {kNan, kInfinity, -kInfinity}) {
    for (const LossKind kind : kOneOutputKinds) {
      for (const float y : {0.0f, 1.0f}) {
        float gradient = 0;
        const LossConfig loss{.kind = kind};
        const LossTargets targets{.values = &y};
        EXPECT_FALSE(std::isfinite(MeanLoss(loss, &z, targets, 1, 1, &gradient)))
            << z << " " << static_cast<int>(kind);
        EXPECT_FALSE(std::isfinite(LossSum(loss, &z, targets, 1, 1)));
      }
    }
    for (const LossKind kind : {LossKind::kSoftmaxCrossEntropy, LossKind::kHinge}) {
      for (const int32_t target : {0, 1, 2}) {
        const float logits[] = {0, z, 1};
        float gradients[3];
        const LossTargets targets{.classes = &target};
        EXPECT_FALSE(std::isfinite(MeanLoss({.kind = kind}, logits, targets, 1, 3, gradients)));
        EXPECT_FALSE(std::isfinite(LossSum({.kind = kind}, logits, targets, 1, 3)));
      }
    }
  }
}

TEST(LossTest, SquaredErrorHasNoHalf) {
  const float z[] = {3, 1};
  const float y[] = {1, 1};
  float gradient[2] = {};
  EXPECT_DOUBLE_EQ(
      MeanLoss({.kind = LossKind::kMeanSquaredError}, z, {.values = y}, 2, 1, gradient), 2);
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
    for (const LossKind kind : kOneOutputKinds) {
      std::vector<float> gradients(z.size());
      const double loss =
          MeanLoss({.kind = kind}, z.data(), {.values = y.data()}, rows, 1, gradients.data());
      double sum = 0;
      for (size_t r = 0; r < z.size(); ++r) {
        float gradient = 0;
        sum += MeanLoss({.kind = kind}, &z[r], {.values = &y[r]}, 1, 1, &gradient);
        EXPECT_NEAR(gradients[r], gradient / static_cast<float>(rows), 1e-6);
      }
      EXPECT_NEAR(loss, sum / static_cast<double>(rows), 1e-6 * (1 + std::fabs(loss))) << rows;
      EXPECT_NEAR(LossSum({.kind = kind}, z.data(), {.values = y.data()}, rows, 1), sum,
                  1e-6 * (1 + std::fabs(sum)));
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
  const LossConfig loss{.kind = LossKind::kSoftmaxCrossEntropy};
  const LossTargets targets{.classes = classes.data()};
  const double mean = MeanLoss(loss, z.data(), targets, 300, 7, gradients.data());
  const double sum = LossSum(loss, z.data(), targets, 300, 7);
  EXPECT_NEAR(mean * 300 / sum, 1, 1e-6);
  for (int r = 0; r < 300; ++r) {  // softmax and one-hot both add up to 1
    double row = 0;
    for (int j = 0; j < 7; ++j) row += gradients[r * 7 + j];
    EXPECT_NEAR(row, 0, 1e-8);
  }
}

TEST(LossTest, NoRowsCostNothing) {
  for (const LossKind kind : kOneOutputKinds)
    EXPECT_EQ(LossSum({.kind = kind}, nullptr, {}, 0, 1), 0);
  EXPECT_EQ(LossSum({.kind = LossKind::kSoftmaxCrossEntropy}, nullptr, {}, 0, 3), 0);
  EXPECT_EQ(LossSum({.kind = LossKind::kHinge}, nullptr, {}, 0, 3), 0);
}

LossConfig ConfigOf(const GoldenBlock& golden) {
  return {.kind = static_cast<LossKind>(golden.Number("loss_kind")),
          .label_smoothing = golden.Number("label_smoothing"),
          .class_weights = golden.Numbers<float>("class_weights"),
          .delta = 0.75,
          .quantile = 0.3};
}

// The arrays of a block, and LossTargets that point into them.
struct GoldenTargets {
  explicit GoldenTargets(const GoldenBlock& golden, int64_t outputs, int64_t rows)
      : values(golden.Numbers<float>("y")),
        classes(golden.Numbers<int32_t>("y")),
        weights(golden.Numbers<float>("weights")) {
    const auto kind = static_cast<LossKind>(golden.Number("loss_kind"));
    const bool by_class = outputs > 1 && kind != LossKind::kBinaryCrossEntropy;
    EXPECT_EQ(static_cast<int64_t>(values.size()),
              by_class || outputs == 1 ? rows : rows * outputs);
    if (by_class) {
      targets.classes = classes.data();
    } else {
      targets.values = values.data();
    }
    if (!weights.empty()) targets.weights = weights.data();
  }

  std::vector<float> values;
  std::vector<int32_t> classes;
  std::vector<float> weights;
  LossTargets targets;
};

// Every loss with and without row weights, class weights and label smoothing.
TEST(LossTest, ValuesAndGradientsAreThoseOfPyTorch) {
  const std::vector<GoldenBlock> blocks = ReadGoldenBlocks("losses.txt");
  EXPECT_EQ(blocks.size(), 34u);
  for (const GoldenBlock& golden : blocks) {
    SCOPED_TRACE(golden.Text("case"));
    const LossConfig loss = ConfigOf(golden);
    const std::vector<float> z = golden.Numbers<float>("z");
    const auto outputs = static_cast<int64_t>(golden.Number("outputs"));
    const int64_t rows = static_cast<int64_t>(z.size()) / outputs;
    const GoldenTargets data(golden, outputs, rows);
    std::vector<float> gradient(z.size());
    const double weight = BatchWeight(loss, data.targets, rows, outputs);
    const double value =
        LossAndGradient(loss, z.data(), data.targets, rows, outputs, weight, gradient.data());
    const double expected = golden.Number("loss");
    EXPECT_NEAR(value, expected, 1e-6 * (1 + std::fabs(expected)));
    EXPECT_NEAR(LossSum(loss, z.data(), data.targets, rows, outputs) / weight, expected,
                1e-6 * (1 + std::fabs(expected)));
    const std::vector<double> gradients = golden.Numbers("gradient");
    ASSERT_EQ(gradients.size(), gradient.size());
    for (size_t i = 0; i < gradient.size(); ++i) EXPECT_NEAR(gradient[i], gradients[i], 2e-7) << i;

    // In two parts, each divided by the weight of the whole.
    const int64_t cut = rows / 3;
    std::vector<float> parts(z.size());
    const double sum =
        LossAndGradient(loss, z.data(), data.targets, cut, outputs, weight, parts.data()) +
        LossAndGradient(loss, z.data() + cut * outputs,
                        data.targets.From(cut, data.targets.values == nullptr ? 1 : outputs),
                        rows - cut, outputs, weight, parts.data() + cut * outputs);
    EXPECT_NEAR(sum, value, 1e-12 * (1 + std::fabs(value)));
    // Not to the last bit: the vector loop fuses multiplications with additions that its tail does
    // not.
    for (size_t i = 0; i < parts.size(); ++i) {
      EXPECT_NEAR(parts[i], gradient[i], 1e-8 + 1e-6 * std::fabs(gradient[i])) << i;
    }
  }
}

TEST(LossTest, RowsWithoutWeightGiveZero) {
  const float z[] = {1, 2};
  const float y[] = {0, 1};
  const float weights[] = {0, 0};
  float gradient[] = {7, 7};
  const LossConfig loss{.kind = LossKind::kBinaryCrossEntropy};
  const LossTargets targets{.values = y, .weights = weights};
  EXPECT_EQ(BatchWeight(loss, targets, 2, 1), 0);
  EXPECT_EQ(MeanLoss(loss, z, targets, 2, 1, gradient), 0);
  EXPECT_EQ(gradient[0], 0);
  EXPECT_EQ(gradient[1], 0);
}

// A row of weight 2 is the same as that row twice.
TEST(LossTest, AWeightIsANumberOfRows) {
  const float once[] = {0.3f, -1.5f};
  const float twice[] = {0.3f, 0.3f, -1.5f};
  const float y[] = {1, 1, 0};
  const float y_once[] = {1, 0};
  const float weights[] = {2, 1};
  float gradient[3];
  for (const LossKind kind : kOneOutputKinds) {
    const LossConfig loss{.kind = kind,
                          .class_weights = IsClassification(kind) ? std::vector<float>{0.5f, 3}
                                                                  : std::vector<float>{}};
    const double a = MeanLoss(loss, once, {.values = y_once, .weights = weights}, 2, 1, gradient);
    const double b = MeanLoss(loss, twice, {.values = y}, 3, 1, gradient);
    EXPECT_NEAR(a, b, 1e-7) << static_cast<int>(kind);
  }
}

TEST(LossTest, LinearLossesByHandAndAtTheirKinks) {
  const float y = 1;
  const auto gradient_at = [&](LossConfig loss, float z) {
    float gradient = 0;
    MeanLoss(loss, &z, {.values = &y}, 1, 1, &gradient);
    return gradient;
  };
  EXPECT_EQ(gradient_at({.kind = LossKind::kMeanAbsoluteError}, 1), 0);
  EXPECT_EQ(gradient_at({.kind = LossKind::kHuber, .delta = 2}, 3), 2);
  EXPECT_EQ(gradient_at({.kind = LossKind::kHuber, .delta = 2}, -9), -2);
  EXPECT_EQ(gradient_at({.kind = LossKind::kQuantile, .quantile = 0.5}, 1), 0);
  EXPECT_EQ(gradient_at({.kind = LossKind::kQuantile, .quantile = 0.75}, 0), -0.75f);
  EXPECT_EQ(gradient_at({.kind = LossKind::kQuantile, .quantile = 0.75}, 2), 0.25f);
  EXPECT_EQ(gradient_at({.kind = LossKind::kHinge}, 1), 0);
  EXPECT_EQ(gradient_at({.kind = LossKind::kHinge}, 0.9f), -1);
}

// Logits, targets and scale are exact in binary, so that y and the value are too.
TEST(LossTest, AScaledTargetsLossIsThatOfY) {
  const std::vector<float> z = {0.5f, -2, 3, 0.25f, 1};
  const std::vector<float> y_scaled = {0.25f, 1, -4, 0.25f, 7};
  const std::vector<float> weights = {1, 2, 0.5f, 3, 0};
  const double scale = 4;
  const double offset = 96;
  std::vector<float> values, y;
  for (const float logit : z) values.push_back(static_cast<float>(logit * scale + offset));
  for (const float target : y_scaled) y.push_back(static_cast<float>(target * scale + offset));
  for (const LossKind kind : {LossKind::kMeanSquaredError, LossKind::kMeanAbsoluteError,
                              LossKind::kHuber, LossKind::kQuantile}) {
    SCOPED_TRACE(static_cast<int>(kind));
    const LossConfig plain{.kind = kind, .delta = 2, .quantile = 0.25};
    LossConfig scaled = plain;
    scaled.target_offset = offset;
    scaled.target_scale = scale;
    std::vector<float> of_plain(z.size()), of_scaled(z.size());
    const auto of_y =
        MeanLoss(plain, values.data(), {.values = y.data(), .weights = weights.data()}, 5, 1,
                 of_plain.data());
    const LossTargets targets{.values = y_scaled.data(), .weights = weights.data()};
    EXPECT_DOUBLE_EQ(MeanLoss(scaled, z.data(), targets, 5, 1, of_scaled.data()), of_y);
    EXPECT_DOUBLE_EQ(LossSum(scaled, z.data(), targets, 5, 1), of_y * 6.5);
    // d/dz L(z·scale + offset), in units of the scaled loss.
    for (size_t i = 0; i < z.size(); ++i) {
      EXPECT_FLOAT_EQ(of_scaled[i], of_plain[i] * static_cast<float>(scale / LossUnit(scaled)));
    }
  }
}

TEST(LossTest, UnitsOfAScaledTarget) {
  const auto unit = [](LossKind kind) { return LossUnit({.kind = kind, .target_scale = 3}); };
  EXPECT_EQ(unit(LossKind::kMeanSquaredError), 9);
  EXPECT_EQ(unit(LossKind::kHuber), 9);
  EXPECT_EQ(unit(LossKind::kMeanAbsoluteError), 3);
  EXPECT_EQ(unit(LossKind::kQuantile), 3);
  EXPECT_EQ(unit(LossKind::kSoftmaxCrossEntropy), 1);
}

TEST(LossTest, EachLossFitsItsTasks) {
  EXPECT_TRUE(LossFits(LossKind::kHinge, Task::kBinary));
  EXPECT_TRUE(LossFits(LossKind::kHinge, Task::kMulticlass));
  EXPECT_FALSE(LossFits(LossKind::kHinge, Task::kMultilabel));
  EXPECT_TRUE(LossFits(LossKind::kBinaryCrossEntropy, Task::kMultilabel));
  EXPECT_FALSE(LossFits(LossKind::kBinaryCrossEntropy, Task::kMulticlass));
  EXPECT_TRUE(LossFits(LossKind::kPoisson, Task::kRegression));
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel}) {
    EXPECT_TRUE(LossFits(LossOf(task), task));
    EXPECT_FALSE(LossFits(LossKind::kUnspecified, task));
  }
}

TEST(LossTest, OnlyPoissonRefusesTargets) {
  const float values[] = {0, 3, -1, -2};
  EXPECT_EQ(FirstUnfitTarget(LossKind::kPoisson, values, 4), 2);
  EXPECT_EQ(FirstUnfitTarget(LossKind::kPoisson, values, 2), -1);
  EXPECT_EQ(FirstUnfitTarget(LossKind::kHuber, values, 4), -1);
}

TEST(ProbabilitiesTest, BinaryIsTheSigmoidAndItsRest) {
  for (const float z : {-800.0f, -3.0f, 0.0f, 0.5f, 800.0f}) {
    double p[2] = {};
    Probabilities(&z, 1, p);
    EXPECT_NEAR(p[1], 1 / (1 + std::exp(-static_cast<double>(z))), 1e-15);
    EXPECT_NEAR(p[0] + p[1], 1, 1e-15);
  }
}

TEST(ProbabilitiesTest, SoftmaxAddsUpToOne) {
  const float z[] = {1000, 1001, -1000};
  double p[3] = {};
  Probabilities(z, 3, p);
  EXPECT_NEAR(p[0], 1 / (1 + std::exp(1.0)), 1e-12);
  EXPECT_NEAR(p[1], 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_EQ(p[2], 0);
}

TEST(ProbabilitiesTest, LabelsAreEachByThemselves) {
  const float z[] = {0, 1000, -1000};
  double p[3] = {};
  LabelProbabilities(z, 3, p);
  EXPECT_EQ(p[0], 0.5);
  EXPECT_EQ(p[1], 1);
  EXPECT_EQ(p[2], 0);
}

TEST(ValueOfTest, IsTheRateForPoisson) {
  EXPECT_NEAR(ValueOf({.kind = LossKind::kPoisson}, 2), std::exp(2.0), 1e-12);
  EXPECT_EQ(ValueOf({.kind = LossKind::kHuber}, 2), 2);
}

TEST(ValueOfTest, IsInTheUnitOfY) {
  const LossConfig loss{
      .kind = LossKind::kMeanSquaredError, .target_offset = 1e9, .target_scale = 0.25};
  EXPECT_EQ(ValueOf(loss, -3), 1e9 - 0.75);
}

TEST(PredictedClassTest, IsTheMostProbableAndTheFirstOfEquals) {
  const float z[] = {0, 2, 2};
  EXPECT_EQ(PredictedClass(z, 3), 1);
  EXPECT_EQ(PredictedClass(z, 1), 0);
  EXPECT_EQ(PredictedClass(z + 1, 1), 1);
}

}  // namespace
}  // namespace trainyard
