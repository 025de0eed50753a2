#include "core/nn/meter.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/golden_blocks.h"

namespace trainyard {
namespace {

std::vector<std::string> Names(const EvalResult& result) {
  std::vector<std::string> names;
  for (const auto& [name, value] : result.metrics) names.push_back(name);
  return names;
}

double Metric(const EvalResult& result, const std::string& wanted) {
  EXPECT_FALSE(std::isnan(result.Find(wanted))) << "no metric " << wanted;
  return result.Find(wanted);
}

MeterConfig ConfigOf(Task task, int64_t outputs = 1) {
  return {.loss = {.kind = LossOf(task)}, .task = task, .outputs = outputs};
}

constexpr Task kTasks[] = {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel};

TEST(EvalMeterTest, NothingMeasuredHasNoMetrics) {
  for (const Task task : kTasks) {
    const EvalResult result = EvalMeter(ConfigOf(task)).Result();
    EXPECT_EQ(result.rows, 0);
    EXPECT_TRUE(result.metrics.empty());
  }
}

TEST(EvalMeterTest, BinaryCountsTheRightSideOfZero) {
  const float logits[] = {2, -1, 0, 3};
  const float targets[] = {1, 0, 1, 0};
  EvalMeter meter(ConfigOf(Task::kBinary));
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
  EvalMeter meter(ConfigOf(Task::kMulticlass, 3));
  meter.Add(logits, {.classes = classes}, 2);
  EXPECT_EQ(Metric(meter.Result(), "accuracy"), 0.5);
}

TEST(EvalMeterTest, RegressionByHand) {
  const float values[] = {1, 2, 5};
  const float targets[] = {1, 4, 4};
  EvalMeter meter(ConfigOf(Task::kRegression));
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
  EvalMeter perfect(ConfigOf(Task::kRegression));
  perfect.Add(met, {.values = met}, 2);
  EXPECT_EQ(Metric(perfect.Result(), "r2"), 1);
  EvalMeter wrong(ConfigOf(Task::kRegression));
  wrong.Add(missed, {.values = met}, 2);
  EXPECT_EQ(Metric(wrong.Result(), "r2"), 0);
}

TEST(EvalMeterTest, R2DoesNotCancelFarFromZero) {
  const float targets[] = {1e6f, 1e6f + 1, 1e6f + 2, 1e6f + 3};
  const float values[] = {1e6f, 1e6f + 1, 1e6f + 2, 1e6f + 4};
  EvalMeter meter(ConfigOf(Task::kRegression));
  meter.Add(values, {.values = targets}, 4);
  EXPECT_NEAR(Metric(meter.Result(), "r2"), 1 - 1.0 / 5, 1e-9);
}

TEST(EvalMeterTest, BatchesDoNotMatter) {
  std::vector<float> logits, targets;
  for (int i = 0; i < 100; ++i) {
    logits.push_back(static_cast<float>(i % 7) - 3);
    targets.push_back(i % 3 == 0 ? 1.0f : 0.0f);
  }
  for (const Task task : {Task::kBinary, Task::kRegression}) {
    MeterConfig config = ConfigOf(task);
    config.all = true;
    EvalMeter whole(config);
    whole.Add(logits.data(), {.values = targets.data()}, 100);
    EvalMeter parts(config);
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

// Every metric of every task, with row weights and without.
TEST(EvalMeterTest, MetricsAreThoseOfScikitLearn) {
  const std::vector<GoldenBlock> blocks = ReadGoldenBlocks("metrics.txt");
  EXPECT_EQ(blocks.size(), 10u);
  for (const GoldenBlock& golden : blocks) {
    SCOPED_TRACE(golden.Text("case"));
    const auto task = static_cast<Task>(golden.Number("task"));
    const auto outputs = static_cast<int64_t>(golden.Number("outputs"));
    MeterConfig config = ConfigOf(task, outputs);
    config.all = true;
    const std::vector<float> logits = golden.Numbers<float>("z");
    const std::vector<float> values = golden.Numbers<float>("y");
    const std::vector<int32_t> classes = golden.Numbers<int32_t>("y");
    const std::vector<float> weights = golden.Numbers<float>("weights");
    LossTargets targets{.weights = weights.empty() ? nullptr : weights.data()};
    if (task == Task::kMulticlass) {
      targets.classes = classes.data();
    } else {
      targets.values = values.data();
    }
    EvalMeter meter(config);
    meter.Add(logits.data(), targets, static_cast<int64_t>(logits.size()) / outputs);
    const EvalResult result = meter.Result();

    EXPECT_EQ(Names(result), MetricNames(task, outputs));
    const std::vector<std::string> names = golden.Words("metric_names");
    const std::vector<double> expected = golden.Numbers("metric_values");
    EXPECT_EQ(names.size() + 1, result.metrics.size());
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_NEAR(Metric(result, names[i]), expected[i], 2e-7 * (1 + std::fabs(expected[i])))
          << names[i];
    }
    const std::vector<double> confusion = golden.Numbers("confusion");
    ASSERT_EQ(result.confusion.size(), confusion.size());
    for (size_t i = 0; i < confusion.size(); ++i) {
      EXPECT_NEAR(result.confusion[i], confusion[i], 1e-9) << i;
    }
  }
}

// What scikit-learn says of y and its prediction, from what a network says of a scaled target.
TEST(EvalMeterTest, MetricsOfAScaledTargetAreThoseOfY) {
  MeterConfig config = ConfigOf(Task::kRegression);
  config.all = true;
  config.loss.target_offset = 0.7;
  config.loss.target_scale = 2.3;
  const auto scaled = [](std::vector<float> numbers) {
    for (float& y : numbers) y = static_cast<float>((y - 0.7) / 2.3);
    return numbers;
  };
  size_t checked = 0;
  for (const GoldenBlock& golden : ReadGoldenBlocks("metrics.txt")) {
    if (static_cast<Task>(golden.Number("task")) != Task::kRegression) continue;
    const std::vector<float> z = scaled(golden.Numbers<float>("z"));
    const std::vector<float> y = scaled(golden.Numbers<float>("y"));
    const std::vector<float> weights = golden.Numbers<float>("weights");
    EvalMeter meter(config);
    meter.Add(z.data(), {.values = y.data(), .weights = weights.empty() ? nullptr : weights.data()},
              static_cast<int64_t>(z.size()));
    const EvalResult result = meter.Result();
    const std::vector<std::string> names = golden.Words("metric_names");
    const std::vector<double> expected = golden.Numbers("metric_values");
    for (size_t i = 0; i < names.size(); ++i, ++checked) {
      EXPECT_NEAR(Metric(result, names[i]), expected[i], 1e-6 * (1 + std::fabs(expected[i])))
          << names[i];
    }
    const double rmse = Metric(result, "rmse");
    EXPECT_NEAR(Metric(result, "loss"), rmse * rmse, 1e-6);
  }
  EXPECT_EQ(checked, 8u);
}

// Scaled there and back, 0 is a rounding error: nothing to divide by.
TEST(EvalMeterTest, ATargetOfZeroIsNoRowOfMapeHoweverScaled) {
  MeterConfig config = ConfigOf(Task::kRegression);
  config.all = true;
  config.loss.target_offset = 1.1;
  config.loss.target_scale = 0.3;
  const auto scaled = [](double y) { return static_cast<float>((y - 1.1) / 0.3); };
  const float targets[] = {scaled(0), scaled(2)};
  const float values[] = {scaled(5), scaled(3)};
  EvalMeter meter(config);
  meter.Add(values, {.values = targets}, 2);
  EXPECT_NEAR(Metric(meter.Result(), "mape"), 0.5, 1e-6);
}

TEST(EvalMeterTest, OnlyWhatIsAskedForBeyondTheUsual) {
  const float logits[] = {2, -1};
  const float targets[] = {1, 0};
  MeterConfig config = ConfigOf(Task::kBinary);
  config.metrics = {"brier", "roc_auc"};
  EvalMeter meter(config);
  meter.Add(logits, {.values = targets}, 2);
  EXPECT_THAT(Names(meter.Result()), testing::ElementsAre("loss", "accuracy", "roc_auc", "brier"));
  EXPECT_EQ(meter.Result().Find("roc_auc"), 1);
  EXPECT_TRUE(std::isnan(meter.Result().Find("f1")));
}

TEST(EvalMeterTest, WhatIsNotDefinedIsLeftOut) {
  const float logits[] = {2, -1};
  const float zeros[] = {0, 0};
  MeterConfig binary = ConfigOf(Task::kBinary);
  binary.all = true;
  EvalMeter one_class(binary);
  one_class.Add(logits, {.values = zeros}, 2);
  const EvalResult result = one_class.Result();
  EXPECT_TRUE(std::isnan(result.Find("roc_auc")));
  EXPECT_TRUE(std::isnan(result.Find("pr_auc")));
  EXPECT_EQ(Metric(result, "recall"), 0);
  EXPECT_EQ(Metric(result, "balanced_accuracy"), 0.5);
  MeterConfig regression = ConfigOf(Task::kRegression);
  regression.all = true;
  EvalMeter all_zero(regression);
  all_zero.Add(logits, {.values = zeros}, 2);
  EXPECT_THAT(Names(all_zero.Result()), testing::ElementsAre("loss", "rmse", "mae", "r2"));
}

TEST(EvalMeterTest, ClassWeightsCountInTheLossOnly) {
  const float logits[] = {2, 1};
  const float targets[] = {1, 0};
  MeterConfig config = ConfigOf(Task::kBinary);
  config.loss.class_weights = {3, 1};
  EvalMeter meter(config);
  meter.Add(logits, {.values = targets}, 2);
  EXPECT_EQ(Metric(meter.Result(), "accuracy"), 0.5);
  EXPECT_NEAR(Metric(meter.Result(), "loss"),
              (std::log1p(std::exp(-2.0)) + 3 * (1 + std::log1p(std::exp(-1.0)))) / 4, 1e-6);
}

TEST(EvalMeterTest, RowsOfNoWeightMeasureNothing) {
  const float logits[] = {2, 1};
  const float targets[] = {1, 0};
  const float weights[] = {0, 0};
  EvalMeter meter(ConfigOf(Task::kBinary));
  meter.Add(logits, {.values = targets, .weights = weights}, 2);
  EXPECT_EQ(meter.Result().rows, 0);
  EXPECT_TRUE(meter.Result().metrics.empty());
}

// p rounds to 1 for all four rows; their order is still known.
TEST(EvalMeterTest, ConfidentClassesAreStillRanked) {
  const float logits[] = {60, 0, 50, 0, 55, 0, 0, 50};
  const int32_t classes[] = {0, 1, 0, 1};
  MeterConfig config = ConfigOf(Task::kMulticlass, 2);
  config.all = true;
  EvalMeter meter(config);
  meter.Add(logits, {.classes = classes}, 4);
  EXPECT_EQ(Metric(meter.Result(), "roc_auc"), 1);
}

TEST(EvalMeterTest, PoissonIsMeasuredByItsRate) {
  const float logits[] = {0, std::log(4.0f)};
  const float targets[] = {1, 2};
  MeterConfig config{.loss = {.kind = LossKind::kPoisson}, .task = Task::kRegression, .all = true};
  EvalMeter meter(config);
  meter.Add(logits, {.values = targets}, 2);
  EXPECT_NEAR(Metric(meter.Result(), "mae"), 1, 1e-6);
  EXPECT_NEAR(Metric(meter.Result(), "mape"), 0.5, 1e-6);
}

TEST(EvalMeterTest, NanLogitsAreAResult) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits(3 * 7, nan);
  const std::vector<float> values(3 * 7, 1);
  const int32_t classes[] = {0, 6, 3};
  for (const Task task : kTasks) {
    const int64_t outputs = task == Task::kBinary || task == Task::kRegression ? 1 : 7;
    MeterConfig config = ConfigOf(task, outputs);
    config.all = true;
    EvalMeter meter(config);
    LossTargets targets;
    if (task == Task::kMulticlass) {
      targets.classes = classes;
    } else {
      targets.values = values.data();
    }
    meter.Add(logits.data(), targets, 3);
    const EvalResult result = meter.Result();
    EXPECT_EQ(result.metrics[0].first, "loss");
    EXPECT_TRUE(std::isnan(result.metrics[0].second));
    for (size_t i = 1; i < result.metrics.size(); ++i) {
      EXPECT_TRUE(std::isfinite(result.metrics[i].second)) << result.metrics[i].first;
    }
  }
}

TEST(EvalMeterTest, TooManyClassesHaveNoConfusionMatrix) {
  for (const int64_t classes : {kConfusionClassesMax, kConfusionClassesMax + 1}) {
    const std::vector<float> logits(static_cast<size_t>(classes), 0.0f);
    const int32_t actual = 2;
    EvalMeter meter(ConfigOf(Task::kMulticlass, classes));
    meter.Add(logits.data(), {.classes = &actual}, 1);
    const std::vector<double> confusion = meter.Result().confusion;
    EXPECT_EQ(confusion.empty(), classes > kConfusionClassesMax);
    if (!confusion.empty()) {
      EXPECT_EQ(confusion[2 * classes], 1);
    }
  }
}

TEST(MetricNamesTest, BeginWithTheUsualOnesAndSayWhatIsBetter) {
  for (const Task task : kTasks) {
    const std::vector<std::string> names = MetricNames(task, 7);
    const std::vector<std::string> usual = UsualMetricNames(task);
    EXPECT_TRUE(std::equal(usual.begin(), usual.end(), names.begin()));
  }
  for (const char* name : {"accuracy", "roc_auc", "f1_micro", "top_5_accuracy", "r2"}) {
    EXPECT_TRUE(HigherIsBetter(name)) << name;
  }
  for (const char* name : {"loss", "log_loss", "brier", "rmse", "mae", "mape"}) {
    EXPECT_FALSE(HigherIsBetter(name)) << name;
  }
}

}  // namespace
}  // namespace trainyard
