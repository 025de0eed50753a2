// Trainings that go wrong in the ways that a course shows, and one that does not.
#include "core/train/diagnosis.h"

#include <limits>

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

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<TrainingWarning> Warnings(const TrainConfig& config, const Dataset& dataset,
                                      const MlpWeights* initial = nullptr) {
  RecordingObserver observer;
  auto trainer = Trainer::Create(config, dataset, initial);
  EXPECT_THAT(trainer, IsOk());
  // One that diverges has warned before.
  (*trainer)->Run(observer, StopFlag()).status().IgnoreError();
  return observer.warnings;
}

std::vector<WarningKind> Kinds(const std::vector<TrainingWarning>& warnings) {
  std::vector<WarningKind> kinds;
  for (const TrainingWarning& warning : warnings) kinds.push_back(warning.kind);
  return kinds;
}

TrainConfig Config(Task task, int64_t epochs, const OptimizerConfig& optimizer = {}) {
  TrainConfig config = ResolvedConfig(task, optimizer);
  config.epochs = epochs;
  return config;
}

std::vector<LayerConfig> Layers(int64_t count, int64_t units, Activation activation) {
  return {static_cast<size_t>(count), LayerConfig{.units = units, .activation = activation}};
}

TEST(DiagnosisTest, AHealthyTrainingHasNoWarning) {
  const Dataset dataset = SyntheticDataset({.rows = 2000, .validation_rows = 500, .features = 10});
  for (const Activation activation :
       {Activation::kRelu, Activation::kTanh, Activation::kSigmoid, Activation::kGelu}) {
    TrainConfig config = Config(Task::kBinary, 20);
    config.layers = Layers(2, 32, activation);
    EXPECT_THAT(Warnings(config, dataset), IsEmpty()) << static_cast<int>(activation);
  }
  EXPECT_THAT(Warnings(Config(Task::kBinary, 20), dataset), IsEmpty());
}

TEST(DiagnosisTest, TheGradientOfADeepSigmoidNetworkVanishes) {
  const Dataset dataset = SyntheticDataset({.rows = 500, .features = 10});
  TrainConfig config = Config(Task::kBinary, 4);
  config.layers = Layers(8, 16, Activation::kSigmoid);
  const std::vector<TrainingWarning> warnings = Warnings(config, dataset);
  ASSERT_THAT(Kinds(warnings), Contains(WarningKind::kVanishingGradients).Times(1));
  EXPECT_THAT(warnings[0].message, HasSubstr("layers[0], which hardly learns"));
  EXPECT_THAT(warnings[0].remedy, HasSubstr("RELU"));

  config.layers = Layers(4, 32, Activation::kRelu);
  EXPECT_THAT(Kinds(Warnings(config, dataset)),
              testing::Not(Contains(WarningKind::kVanishingGradients)));
}

TEST(DiagnosisTest, DescentWithTooLargeStepsExplodes) {
  // Past 2 / λ each step of gradient descent on a parabola makes the gradient larger.
  const Dataset dataset = SyntheticDataset({.rows = 400, .task = Task::kRegression});
  TrainConfig config =
      Config(Task::kRegression, 10, {.kind = OptimizerKind::kSgd, .learning_rate = 1.5});
  config.batch_size = 100;
  const std::vector<TrainingWarning> warnings = Warnings(config, dataset);
  ASSERT_THAT(Kinds(warnings), Contains(WarningKind::kExplodingGradients).Times(1));
  EXPECT_THAT(warnings[0].remedy, HasSubstr("learning_rate (now 1.5)"));
}

TEST(DiagnosisTest, UnitsThatNeverFireAreDead) {
  const Dataset dataset = SyntheticDataset({.rows = 100, .features = 4});
  TrainConfig config = Config(Task::kBinary, 3);
  config.layers = Layers(2, 8, Activation::kRelu);
  MlpWeights initial = InitialWeights(MlpConfigOf(config, 4, 1), 1);
  for (size_t unit = 0; unit < 4; ++unit) initial[1].biases[unit] = -100;
  const std::vector<TrainingWarning> warnings = Warnings(config, dataset, &initial);
  ASSERT_THAT(Kinds(warnings), Contains(WarningKind::kDeadUnits).Times(1));
  EXPECT_EQ(warnings[0].message, "50 % of the units of layers[1] are dead: the same for every row");
  EXPECT_THAT(warnings[0].remedy, HasSubstr("LEAKY_RELU"));
}

TEST(DiagnosisTest, LargeWeightsSaturate) {
  const Dataset dataset = SyntheticDataset({.rows = 100, .features = 4});
  TrainConfig config = Config(Task::kBinary, 3);
  config.layers = Layers(1, 8, Activation::kTanh);
  MlpWeights initial = InitialWeights(MlpConfigOf(config, 4, 1), 1);
  for (float& weight : initial[0].weights) weight *= 1000;
  const std::vector<TrainingWarning> warnings = Warnings(config, dataset, &initial);
  ASSERT_THAT(Kinds(warnings), Contains(WarningKind::kSaturatedUnits).Times(1));
  EXPECT_THAT(warnings[0].message, HasSubstr("layers[0] stand at a bound"));
}

TEST(DiagnosisTest, ANetworkThatLearnsItsRowsByHeartOverfits) {
  Dataset dataset = SyntheticDataset({.rows = 40, .validation_rows = 200, .features = 20});
  // Labels that say nothing.
  for (size_t i = 0; i < dataset.train.targets.size(); ++i) {
    dataset.train.targets[i] = static_cast<float>(i % 2);
  }
  TrainConfig config = Config(Task::kBinary, 200);
  config.layers = Layers(1, 64, Activation::kRelu);
  const std::vector<TrainingWarning> warnings = Warnings(config, dataset);
  ASSERT_THAT(Kinds(warnings), Contains(WarningKind::kOverfitting).Times(1));
  EXPECT_THAT(warnings[0].message, HasSubstr("the validation loss was best after epoch "));
  EXPECT_THAT(warnings[0].remedy, HasSubstr("early_stopping"));
}

TEST(DiagnosisTest, ALossThatDoesNotMoveIsStuck) {
  const Dataset dataset = SyntheticDataset({.rows = 1000});
  const std::vector<TrainingWarning> warnings =
      Warnings(Config(Task::kBinary, 10, {.learning_rate = 1e-9}), dataset);
  ASSERT_EQ(Kinds(warnings), std::vector<WarningKind>{WarningKind::kStuckLoss});
  EXPECT_THAT(warnings[0].remedy, HasSubstr("raise optimizer.learning_rate (now 1e-09"));
}

// What was learned in the first epoch does not move any more, and is well.
TEST(DiagnosisTest, ALossThatIsLowAlreadyIsNotStuck) {
  Diagnosis diagnosis(Config(Task::kBinary, 100), 100);
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    for (int step = 0; step < 10; ++step) diagnosis.AddStep(0.7, 1);
    EXPECT_THAT(diagnosis.EndEpoch({.epoch = epoch, .train_loss = 0.01}, {}), IsEmpty());
  }
}

TEST(DiagnosisTest, NumbersThatAreNoneAreNoReasonToWarn) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TrainConfig config = Config(Task::kBinary, 100);
  config.layers = Layers(2, 4, Activation::kRelu);
  Diagnosis diagnosis(config, 100);
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    for (int step = 0; step < 10; ++step) diagnosis.AddStep(nan, nan);
    EvalResult validation{.rows = 10, .metrics = {{"loss", nan}}};
    EXPECT_THAT(diagnosis.EndEpoch({.epoch = epoch, .train_loss = nan, .validation = validation},
                                   {LayerRecord{.gradient_norm = nan}, LayerRecord{},
                                    LayerRecord{.gradient_norm = nan}}),
                IsEmpty());
  }
}

}  // namespace
}  // namespace trainyard
