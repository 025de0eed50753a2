#include "core/train/non_finite.h"

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "core/train/trainer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

std::map<std::string, std::string> MetadataOf(const absl::Status& status) {
  const auto info = GetErrorInfo(status);
  if (!info) return {};
  return {info->metadata.begin(), info->metadata.end()};
}

absl::Status TrainStatus(const TrainConfig& config, const Dataset& dataset,
                         RecordingObserver& observer, const MlpWeights* initial = nullptr) {
  auto trainer = Trainer::Create(config, dataset, initial);
  if (!trainer.ok()) return trainer.status();
  return (*trainer)->Run(observer, StopFlag()).status();
}

TrainConfig WithRate(double learning_rate, Task task = Task::kBinary) {
  TrainConfig config = ResolvedConfig(
      task, {.kind = OptimizerKind::kSgd, .learning_rate = learning_rate, .momentum = 0});
  config.epochs = 5;
  return config;
}

TEST(NonFiniteTest, AHugeLearningRateStopsAtTheStepAfter) {
  const Dataset dataset = SyntheticDataset({.rows = 100, .features = 4});
  for (const int64_t units : {8, 64}) {
    TrainConfig config = WithRate(1e30);
    config.layers = {{units, Activation::kRelu}, {units, Activation::kRelu}};
    RecordingObserver observer;
    const absl::Status status = TrainStatus(config, dataset, observer);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("step 1")));
    EXPECT_THAT(status, HasReason(ErrorReason::kNonFiniteLoss));
    EXPECT_EQ(observer.steps.size(), 1u);  // step 0 was sound; nothing is reported of the bad one
    auto metadata = MetadataOf(status);
    EXPECT_EQ(metadata["step"], "1");
    EXPECT_EQ(metadata["epoch"], "0");
    EXPECT_EQ(std::stod(metadata["learning_rate"]), 1e30);
    EXPECT_EQ(metadata["layer"], "layers[1] outputs");  // weights of 1e30, twice
    EXPECT_FALSE(std::isfinite(std::stod(metadata["gradient_norm"])));
    EXPECT_EQ(std::stod(metadata["previous_loss"]), observer.steps[0].loss);
    EXPECT_EQ(std::stod(metadata["previous_gradient_norm"]), observer.steps[0].gradient_norm);
    EXPECT_THAT(status.message(), HasSubstr("gradient norm"));
    const auto info = GetErrorInfo(status);
    EXPECT_THAT(info->hint, HasSubstr("optimizer.learning_rate"));
    EXPECT_THAT(info->in_force, HasSubstr("batch_size 32"));
  }
}

TEST(NonFiniteTest, WeightsThatOverflowInTheLastStepAreSeenThere) {
  Dataset dataset = SyntheticDataset({.rows = 100, .features = 4, .task = Task::kRegression});
  for (float& y : dataset.train.targets) y *= 1e10f;
  TrainConfig config = WithRate(1e30, Task::kRegression);
  config.batch_size = 100;
  config.epochs = 1;
  RecordingObserver observer;
  const absl::Status status = TrainStatus(config, dataset, observer);
  EXPECT_THAT(status, HasReason(ErrorReason::kNonFiniteLoss));
  EXPECT_EQ(MetadataOf(status)["step"], "0");
  EXPECT_EQ(MetadataOf(status)["layer"], "output weights");
  EXPECT_EQ(MetadataOf(status).count("previous_loss"), 0u);
  EXPECT_TRUE(observer.epochs.empty());
}

// The variance of such features is no float: gradients stay finite, the model could not be read.
TEST(NonFiniteTest, RunningStatisticsThatOverflowAreNamed) {
  Dataset dataset = SyntheticDataset({.rows = 100, .features = 4});
  for (int64_t i = 0; i < dataset.train.features.size(); ++i) {
    dataset.train.features.data()[i] *= 1e20F;
  }
  TrainConfig config = WithRate(0.01);
  config.layers = {{.units = 3, .activation = Activation::kTanh}};
  config.layers[0].normalization = Normalization::kBatch;
  RecordingObserver observer;
  const absl::Status status = TrainStatus(config, dataset, observer);
  EXPECT_THAT(status, HasReason(ErrorReason::kNonFiniteLoss));
  EXPECT_EQ(MetadataOf(status)["layer"], "layers[0] running statistics");
}

// Squares of such gradients are no floats: Adam would never move again, with a finite loss.
TEST(NonFiniteTest, AnOptimizerThatOverflowsIsNamed) {
  Dataset dataset = SyntheticDataset({.rows = 100, .features = 4, .task = Task::kRegression});
  for (float& y : dataset.train.targets) y *= 1e22F;
  TrainConfig config = ResolvedConfig(Task::kRegression, {.kind = OptimizerKind::kAdam});
  RecordingObserver observer;
  const absl::Status status = TrainStatus(config, dataset, observer);
  EXPECT_THAT(status, HasReason(ErrorReason::kNonFiniteLoss));
  EXPECT_EQ(MetadataOf(status)["layer"], "optimizer state");
}

TEST(NonFiniteTest, ADivergingRegressionStopsWithinTheRun) {
  const Dataset dataset = SyntheticDataset({.rows = 64, .features = 4, .task = Task::kRegression});
  TrainConfig config = WithRate(10, Task::kRegression);
  config.epochs = 1000;
  RecordingObserver observer;
  const absl::Status status = TrainStatus(config, dataset, observer);
  EXPECT_THAT(status, HasReason(ErrorReason::kNonFiniteLoss));
  auto metadata = MetadataOf(status);
  EXPECT_EQ(std::stoll(metadata["step"]), static_cast<int64_t>(observer.steps.size()));
  EXPECT_EQ(std::stoll(metadata["epoch"]), std::stoll(metadata["step"]) / 2);
}

TEST(NonFiniteTest, NamesTheLayerWhoseWeightsAreNotNumbers) {
  const Dataset dataset = SyntheticDataset({.rows = 40, .features = 4});
  for (const Activation activation : {Activation::kTanh, Activation::kSigmoid}) {
    TrainConfig config = WithRate(0.1);
    config.layers = {{40, activation}, {40, activation}};
    MlpWeights initial = ZeroWeights(MlpConfigOf(config, 4, 1));
    initial[1].weights[17] = std::numeric_limits<float>::quiet_NaN();
    RecordingObserver observer;
    const absl::Status status = TrainStatus(config, dataset, observer, &initial);
    EXPECT_EQ(MetadataOf(status)["layer"], "layers[1] weights");
    EXPECT_EQ(MetadataOf(status)["step"], "0");
  }
}

TEST(NonFiniteTest, ALossThatOverflowsOnlyInValidationIsNamed) {
  Dataset dataset = SyntheticDataset({.rows = 40, .validation_rows = 3, .features = 4});
  for (float& x : dataset.validation.features.row(1)) x = 3e38f;
  TrainConfig config = WithRate(0.1);
  config.init.kind = InitKind::kXavierNormal;
  MlpWeights initial = ZeroWeights(MlpConfigOf(config, 4, 1));
  for (float& w : initial[0].weights) w = 10;
  RecordingObserver observer;
  const absl::Status status = TrainStatus(config, dataset, observer, &initial);
  EXPECT_THAT(status, HasReason(ErrorReason::kNonFiniteLoss));
  EXPECT_EQ(MetadataOf(status)["layer"], "validation loss");
}

TEST(NonFiniteErrorTest, HintsFollowTheOptionsInForce) {
  TrainConfig config = WithRate(0.1, Task::kRegression);
  config.data.scaling = Scaling::kNone;
  const absl::Status status =
      NonFiniteError({.step = 3, .epoch = 1, .learning_rate = 0.1, .layer = "loss"}, config);
  EXPECT_THAT(GetErrorInfo(status)->hint,
              testing::AllOf(HasSubstr("STANDARDIZE"), HasSubstr("target")));
  EXPECT_THAT(GetErrorInfo(status)->in_force,
              testing::AllOf(HasSubstr("SGD"), HasSubstr("learning_rate 0.1"), HasSubstr("NONE")));
  EXPECT_THAT(GetErrorInfo(status)->hint, HasSubstr("clip_norm"));
  config.optimizer = WithDefaults({.kind = OptimizerKind::kMuon, .clip_norm = 2.5});
  const absl::Status clipped = NonFiniteError({.layer = "loss"}, config);
  EXPECT_THAT(GetErrorInfo(clipped)->hint, testing::Not(HasSubstr("clip_norm")));
  EXPECT_THAT(GetErrorInfo(clipped)->in_force,
              testing::AllOf(HasSubstr("MUON"), HasSubstr("clip_norm 2.5")));
}

}  // namespace
}  // namespace trainyard
