// What an epoch's record says of the layers, against closed forms.
#include "core/train/layer_monitor.h"

#include <cmath>
#include <numeric>

#include "core/nn/init.h"
#include "core/train/trainer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr double kLearningRate = 0.5;

std::vector<EpochRecord> Train(const TrainConfig& config, const Dataset& dataset,
                               const MlpWeights* initial = nullptr) {
  RecordingObserver observer;
  auto trainer = Trainer::Create(config, dataset, initial);
  EXPECT_THAT(trainer, IsOk());
  EXPECT_THAT((*trainer)->Run(observer, StopFlag()), IsOk());
  return observer.epochs;
}

// Gradient descent on all rows at once.
TrainConfig Descent(const Dataset& dataset, LayerRecords records) {
  TrainConfig config =
      ResolvedConfig(Task::kBinary, {.kind = OptimizerKind::kSgd, .learning_rate = kLearningRate});
  config.batch_size = dataset.train.rows();
  config.layer_records = records;
  return config;
}

double NormOf(const std::vector<double>& numbers) {
  return std::sqrt(std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
}

// Logistic regression: ∂L/∂w = Xᵀ(p − y) / n, ∂L/∂b = mean of p − y.
TEST(LayerMonitorTest, NormsAreThoseOfLogisticRegression) {
  const Dataset dataset = SyntheticDataset({.rows = 50, .features = 3});
  const MlpWeights initial = {
      {.in = 3, .out = 1, .weights = {0.3F, -0.2F, 0.5F}, .biases = {0.1F}}};
  std::vector<double> gradient(4), after(4);
  for (int64_t r = 0; r < 50; ++r) {
    const float* x = dataset.train.features.row(r).data();
    const double z = 0.3F * x[0] - 0.2F * x[1] + 0.5F * x[2] + 0.1F;
    const double error = 1 / (1 + std::exp(-z)) - dataset.train.targets[r];
    for (int64_t i = 0; i < 3; ++i) gradient[i] += error * x[i] / 50;
    gradient[3] += error / 50;
  }
  const std::vector<double> before = {0.3, -0.2, 0.5, 0.1};
  for (size_t i = 0; i < 4; ++i) after[i] = before[i] - kLearningRate * gradient[i];

  const auto epochs = Train(Descent(dataset, LayerRecords::kSummary), dataset, &initial);
  ASSERT_EQ(epochs.size(), 1u);
  ASSERT_EQ(epochs[0].layers.size(), 1u);
  const LayerRecord& layer = epochs[0].layers[0];
  EXPECT_EQ(layer.name, "output");
  EXPECT_EQ(layer.parameter_count, 4);
  EXPECT_NEAR(layer.gradient_norm, NormOf(gradient), 1e-6);
  EXPECT_NEAR(layer.weight_norm, NormOf(after), 1e-6);
  EXPECT_NEAR(layer.update_ratio, kLearningRate * NormOf(gradient) / NormOf(before), 1e-6);
  EXPECT_EQ(layer.dead_unit_fraction, 0);
  EXPECT_FALSE(layer.weights.has_value());
}

TEST(LayerMonitorTest, EveryLayerAndUnitIsSeen) {
  const Dataset dataset = SyntheticDataset({.rows = 300, .features = 3});
  TrainConfig config = Descent(dataset, LayerRecords::kHistograms);
  config.epochs = 3;
  config.layers = {{.units = 4, .activation = Activation::kRelu},
                   {.units = 5, .activation = Activation::kSigmoid}};
  MlpWeights initial = InitialWeights(MlpConfigOf(config, 3, 1), 1);
  initial[0].biases[2] = -1000;                       // never fires
  for (float& bias : initial[1].biases) bias = 1000;  // at its bound, and the same for every row
  const auto epochs = Train(config, dataset, &initial);
  ASSERT_EQ(epochs.size(), 3u);
  for (const EpochRecord& epoch : epochs) {
    ASSERT_EQ(epoch.layers.size(), 3u);
    const LayerRecord& first = epoch.layers[0];
    const LayerRecord& second = epoch.layers[1];
    EXPECT_EQ(first.name, "layers[0]");
    EXPECT_EQ(second.name, "layers[1]");
    EXPECT_EQ(epoch.layers[2].name, "output");
    EXPECT_EQ(first.parameter_count, 3 * 4 + 4);
    EXPECT_EQ(first.dead_unit_fraction, 0.25);
    EXPECT_EQ(first.saturated_fraction, 0);
    EXPECT_EQ(second.dead_unit_fraction, 1);
    EXPECT_EQ(second.saturated_fraction, 1);
    const std::vector<int64_t>& bins = first.weights->histogram;
    EXPECT_EQ(bins.size(), static_cast<size_t>(LayerMonitor::kBins));
    EXPECT_EQ(std::accumulate(bins.begin(), bins.end(), int64_t{0}), 12);
    EXPECT_TRUE(epoch.layers[2].gradients.has_value());
  }
}

TEST(LayerMonitorTest, WithoutRecordsItLooksSeldom) {
  TrainConfig config = ResolvedConfig(Task::kBinary);
  const Dataset dataset = SyntheticDataset({.rows = 300, .features = 3});
  EXPECT_FALSE(LayerMonitor(config, dataset.train).IsDue(0));  // nothing hidden
  config.layers = {{.units = 4}};
  const LayerMonitor monitor(config, dataset.train);
  std::vector<int64_t> due;
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    if (monitor.IsDue(epoch)) due.push_back(epoch + 1);
  }
  EXPECT_THAT(due, ElementsAre(1, 2, 4, 8, 16));
  EXPECT_THAT(Train(config, dataset)[0].layers, IsEmpty());
}

// To look changes nothing: with dropout and running means, too.
TEST(LayerMonitorTest, ATrainingThatIsLookedAtIsTheSame) {
  const Dataset dataset = SyntheticDataset({.rows = 300, .validation_rows = 50, .features = 3});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.epochs = 5;
  config.layers = {{.units = 8, .normalization = Normalization::kBatch, .dropout = 0.5},
                   {.units = 8, .residual = true}};
  const auto alone = Train(config, dataset);
  config.layer_records = LayerRecords::kHistograms;
  const auto watched = Train(config, dataset);
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(watched[i].train_loss, alone[i].train_loss);
    EXPECT_EQ(watched[i].validation.Find("loss"), alone[i].validation.Find("loss"));
    EXPECT_GT(watched[i].layers[1].update_ratio, 0);
  }
}

}  // namespace
}  // namespace trainyard
