// What a Trainer does beside plain steps: stopping, restoring, accumulating, averaging.
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "core/nn/init.h"
#include "core/train/evaluate.h"
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

struct Outcome {
  TrainResult result;
  RecordingObserver observer;
};

Outcome Train(const TrainConfig& config, const Dataset& dataset,
              const MlpWeights* initial = nullptr, const StopFlag& stop = StopFlag()) {
  Outcome outcome;
  auto trainer = Trainer::Create(config, dataset, initial);
  EXPECT_THAT(trainer, IsOk());
  auto result = (*trainer)->Run(outcome.observer, stop);
  EXPECT_THAT(result, IsOk());
  outcome.result = *std::move(result);
  return outcome;
}

// The validation loss of weights, by a network of its own.
double ValidationLoss(const TrainConfig& config, const Dataset& dataset,
                      const MlpWeights& weights) {
  auto mlp = Mlp::Create(ConfigOf(weights), *CreateFastKernels(),
                         {.forward = EvalBatchSizes(dataset.validation.rows())});
  EXPECT_THAT(mlp, IsOk());
  EXPECT_THAT((*mlp)->LoadWeights(weights), IsOk());
  auto result = Evaluate(MeterConfigOf(config, dataset), dataset.validation, **mlp);
  EXPECT_THAT(result, IsOk());
  return result->Find("loss");
}

void ExpectClose(const MlpWeights& a, const MlpWeights& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t k = 0; k < a[i].weights.size(); ++k) {
      EXPECT_NEAR(a[i].weights[k], b[i].weights[k], tolerance) << i << " " << k;
    }
    for (size_t k = 0; k < a[i].biases.size(); ++k) {
      EXPECT_NEAR(a[i].biases[k], b[i].biases[k], tolerance) << i << " " << k;
    }
  }
}

// Few rows, flipped labels and a large network: it overfits at once.
Dataset Overfitting() {
  Dataset dataset =
      SyntheticDataset({.rows = 40, .validation_rows = 200, .test_rows = 50, .features = 10});
  for (size_t i = 0; i < dataset.train.targets.size(); i += 3) {
    dataset.train.targets[i] = 1 - dataset.train.targets[i];
  }
  return dataset;
}

TrainConfig OverfittingConfig() {
  TrainConfig config =
      ResolvedConfig(Task::kBinary, {.kind = OptimizerKind::kAdam, .learning_rate = 0.01});
  config.layers = {{64, Activation::kRelu}, {64, Activation::kRelu}};
  config.batch_size = 8;
  config.epochs = 60;
  return config;
}

double BestLoss(const RecordingObserver& observer) {
  double best = HUGE_VAL;
  for (const EpochRecord& e : observer.epochs) best = std::min(best, e.validation.Find("loss"));
  for (const EvaluationRecord& e : observer.evaluations) {
    best = std::min(best, e.validation.Find("loss"));
  }
  return best;
}

TEST(EarlyStoppingTest, StopsAndReturnsTheBestWeights) {
  const Dataset dataset = Overfitting();
  TrainConfig config = OverfittingConfig();
  config.early_stopping = {.enabled = true, .patience = 5};
  const Outcome outcome = Train(config, dataset);
  EXPECT_EQ(outcome.result.stop_reason, StopReason::kEarlyStopped);
  EXPECT_LT(outcome.result.epochs_done, 60);
  const auto& epochs = outcome.observer.epochs;
  // The best is the one patience epochs before the last.
  const double best = BestLoss(outcome.observer);
  EXPECT_EQ(epochs[epochs.size() - 6].validation.Find("loss"), best);
  EXPECT_GT(epochs.back().validation.Find("loss"), best);
  EXPECT_EQ(outcome.result.validation.Find("loss"), best);
  EXPECT_NEAR(ValidationLoss(config, dataset, outcome.result.weights), best, 1e-6);
}

TEST(EarlyStoppingTest, WithoutRestoreTheLastWeightsStay) {
  const Dataset dataset = Overfitting();
  TrainConfig config = OverfittingConfig();
  config.early_stopping = {.enabled = true, .patience = 5, .restore_best = false};
  const Outcome outcome = Train(config, dataset);
  EXPECT_EQ(outcome.result.stop_reason, StopReason::kEarlyStopped);
  const double last = outcome.observer.epochs.back().validation.Find("loss");
  EXPECT_EQ(outcome.result.validation.Find("loss"), last);
  EXPECT_NEAR(ValidationLoss(config, dataset, outcome.result.weights), last, 1e-6);
}

TEST(EarlyStoppingTest, RestoreOnlyRunsToTheEndAndStillReturnsTheBest) {
  const Dataset dataset = Overfitting();
  TrainConfig config = OverfittingConfig();
  config.early_stopping = {.enabled = true, .patience = 1, .restore_only = true};
  const Outcome outcome = Train(config, dataset);
  EXPECT_EQ(outcome.result.stop_reason, StopReason::kCompleted);
  EXPECT_EQ(outcome.result.epochs_done, 60);
  EXPECT_EQ(outcome.result.validation.Find("loss"), BestLoss(outcome.observer));
  EXPECT_NEAR(ValidationLoss(config, dataset, outcome.result.weights), BestLoss(outcome.observer),
              1e-6);
}

class StopAtStep : public RecordingObserver {
 public:
  StopAtStep(int64_t step, StopFlag* stop) : step_(step), stop_(stop) {}
  void OnProgress(int64_t steps_done, int64_t /*rows_seen*/) override {
    if (steps_done == step_) stop_->Request(StopCause::kRuntimeLimit);
  }

 private:
  const int64_t step_;
  StopFlag* const stop_;
};

TEST(EarlyStoppingTest, TheBestIsRestoredHoweverTheRunEnds) {
  const Dataset dataset = Overfitting();
  TrainConfig config = OverfittingConfig();
  config.early_stopping = {.enabled = true, .patience = 1000};
  config.max_steps = 40 * 5 + 2;  // inside an epoch
  const Outcome by_steps = Train(config, dataset);
  EXPECT_EQ(by_steps.result.stop_reason, StopReason::kMaxSteps);
  EXPECT_EQ(by_steps.result.steps_done, 202);
  EXPECT_EQ(by_steps.result.validation.Find("loss"), BestLoss(by_steps.observer));
  config.max_steps = 0;
  StopFlag stop;
  StopAtStep observer(202, &stop);
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Trainer> trainer, Trainer::Create(config, dataset));
  ASSERT_OK_AND_ASSIGN(const TrainResult by_time, trainer->Run(observer, stop));
  EXPECT_EQ(by_time.stop_reason, StopReason::kRuntimeLimit);
  EXPECT_EQ(by_time.validation.Find("loss"), BestLoss(observer));
  ExpectClose(by_time.weights, by_steps.result.weights, 0);
}

TEST(EarlyStoppingTest, TheStepsAfterTheLastEvaluationCountForTheBest) {
  const Dataset dataset = SyntheticDataset({.rows = 320, .validation_rows = 100});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.epochs = 10;
  config.max_steps = 8;  // of the first epoch: it still improves at every step
  config.early_stopping = {.enabled = true, .patience = 1};
  const Outcome outcome = Train(config, dataset);
  ASSERT_EQ(outcome.observer.evaluations.size(), 1u);
  EXPECT_EQ(outcome.observer.evaluations[0].steps_done, 8);
  EXPECT_EQ(outcome.result.validation.Find("loss"),
            outcome.observer.evaluations[0].validation.Find("loss"));
}

TEST(MaxStepsTest, AsManyAsTheEpochsHaveIsACompletedRun) {
  const Dataset dataset = SyntheticDataset({.rows = 64});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.epochs = 3;
  config.max_steps = 6;
  EXPECT_EQ(Train(config, dataset).result.stop_reason, StopReason::kCompleted);
  config.max_steps = 4;  // with the end of the second epoch
  const Outcome outcome = Train(config, dataset);
  EXPECT_EQ(outcome.result.stop_reason, StopReason::kMaxSteps);
  EXPECT_EQ(outcome.result.epochs_done, 2);
  EXPECT_EQ(outcome.observer.epochs.size(), 2u);
}

TEST(EvaluationIntervalTest, EvaluatesBetweenEpochsButNotTwiceAtTheirEnd) {
  const Dataset dataset = SyntheticDataset({.rows = 320, .validation_rows = 30});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.epochs = 2;  // 10 steps each
  config.evaluation_interval = 4;
  const Outcome outcome = Train(config, dataset);
  std::vector<int64_t> steps;
  for (const EvaluationRecord& e : outcome.observer.evaluations) steps.push_back(e.steps_done);
  EXPECT_THAT(steps, testing::ElementsAre(4, 8, 12, 16));
  EXPECT_EQ(outcome.observer.evaluations[2].epoch, 1);
  config.evaluation_interval = 10;
  EXPECT_TRUE(Train(config, dataset).observer.evaluations.empty());
}

TEST(EvaluationIntervalTest, AnEvaluationChangesNothing) {
  const Dataset dataset = SyntheticDataset({.rows = 320, .validation_rows = 30});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.layers = {{8, Activation::kRelu}};
  const Outcome without = Train(config, dataset);
  config.evaluation_interval = 1;
  ExpectClose(Train(config, dataset).result.weights, without.result.weights, 0);
}

TEST(MetricsTest, OnesAskedForAreMeasuredAndTheTestHasAll) {
  const Dataset dataset = SyntheticDataset({.rows = 64, .validation_rows = 40, .test_rows = 40});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.metrics = {"roc_auc"};
  const Outcome outcome = Train(config, dataset);
  EXPECT_TRUE(std::isfinite(outcome.observer.epochs[0].validation.Find("roc_auc")));
  EXPECT_TRUE(std::isnan(outcome.observer.epochs[0].validation.Find("f1")));
  EXPECT_TRUE(std::isfinite(outcome.result.test.Find("f1")));
  EXPECT_EQ(outcome.result.test.confusion.size(), 4u);
}

TEST(PlateauTest, TheRateFallsWhenTheMetricStandsStill) {
  const Dataset dataset = Overfitting();
  TrainConfig config = OverfittingConfig();
  config.schedule = {
      .kind = ScheduleKind::kReduceOnPlateau, .gamma = 0.5, .patience = 2, .metric = "loss"};
  const Outcome outcome = Train(config, dataset);
  const auto& epochs = outcome.observer.epochs;
  double best = HUGE_VAL;
  double rate = 0.01;
  int64_t bad = 0;
  for (size_t i = 0; i + 1 < epochs.size(); ++i) {
    EXPECT_NEAR(epochs[i].learning_rate, rate, 1e-12) << i;
    const double loss = epochs[i].validation.Find("loss");
    bad = loss < best * (1 - 1e-4) ? 0 : bad + 1;
    best = std::min(best, loss);
    if (bad <= 2) continue;
    rate *= 0.5;
    bad = 0;
  }
  EXPECT_LT(rate, 0.002);
}

TEST(ScheduleTest, StepsAndEpochsAreCounted) {
  const Dataset dataset = SyntheticDataset({.rows = 96});
  TrainConfig config = ResolvedConfig(Task::kBinary);  // Adam: 0.001
  config.epochs = 4;                                   // 3 steps each
  config.schedule = {.kind = ScheduleKind::kStep, .period = 2, .gamma = 0.1};
  const Outcome by_epoch = Train(config, dataset);
  for (const StepRecord& s : by_epoch.observer.steps) {
    EXPECT_NEAR(s.learning_rate, s.epoch < 2 ? 1e-3 : 1e-4, 1e-12);
  }
  config.schedule = {.kind = ScheduleKind::kCosine};  // over the whole run
  const Outcome cosine = Train(config, dataset);
  for (const StepRecord& s : cosine.observer.steps) {
    const double expected = 1e-3 * (1 + std::cos(M_PI * static_cast<double>(s.step) / 12)) / 2;
    EXPECT_NEAR(s.learning_rate, expected, 1e-12);
  }
}

// SGD on the same rows: micro-batches with one step must be the large batch, also with weights and
// when the last group is not full.
TEST(AccumulationTest, IsOneLargeBatch) {
  for (const bool weighted : {false, true}) {
    Dataset dataset = SyntheticDataset({.rows = 70, .features = 5, .task = Task::kRegression});
    for (int64_t r = 0; weighted && r < 70; ++r) {
      dataset.train.weights.push_back(static_cast<float>(r % 4));
    }
    TrainConfig config =
        ResolvedConfig(Task::kRegression, {.kind = OptimizerKind::kSgd, .learning_rate = 0.01});
    config.layers = {{6, Activation::kTanh}};
    config.batch_size = 16;
    config.epochs = 3;
    const Outcome large = Train(config, dataset);
    config.batch_size = 4;
    config.accumulation_steps = 4;
    const Outcome small = Train(config, dataset);
    ASSERT_EQ(small.observer.steps.size(), large.observer.steps.size());
    for (size_t i = 0; i < large.observer.steps.size(); ++i) {
      EXPECT_NEAR(small.observer.steps[i].loss, large.observer.steps[i].loss, 1e-5);
      EXPECT_NEAR(small.observer.steps[i].gradient_norm, large.observer.steps[i].gradient_norm,
                  1e-4);
      EXPECT_EQ(small.observer.steps[i].rows_seen, large.observer.steps[i].rows_seen);
    }
    EXPECT_NEAR(small.observer.epochs[0].train_loss, large.observer.epochs[0].train_loss, 1e-5);
    ExpectClose(small.result.weights, large.result.weights, 1e-5);
  }
}

TEST(WeightsTest, ARowOfWeightTwoIsTheRowTwice) {
  Dataset weighted = SyntheticDataset({.rows = 20, .features = 3});
  Dataset twice;
  twice.config = weighted.config;
  twice.classes = weighted.classes;
  twice.train.features = Matrix(30, 3);
  int64_t out = 0;
  for (int64_t r = 0; r < 20; ++r) {
    weighted.train.weights.push_back(r < 10 ? 2.0F : 1.0F);
    for (int64_t copy = 0; copy < (r < 10 ? 2 : 1); ++copy, ++out) {
      const auto row = weighted.train.features.row(r);
      std::copy(row.begin(), row.end(), twice.train.features.row(out).begin());
      twice.train.targets.push_back(weighted.train.targets[static_cast<size_t>(r)]);
    }
  }
  TrainConfig config =
      ResolvedConfig(Task::kBinary, {.kind = OptimizerKind::kSgd, .learning_rate = 0.5});
  config.batch_size = 100;
  config.epochs = 20;
  ExpectClose(Train(config, weighted).result.weights, Train(config, twice).result.weights, 1e-5);
}

TEST(AverageTest, EvaluationAndResultAreTheMovingAverage) {
  // One feature, one row, no bias: θ' = θ - 0.1·2·(θ - 1), and the average follows it by hand.
  Dataset dataset;
  dataset.config.task = Task::kRegression;
  for (Part* part : {&dataset.train, &dataset.validation}) {
    part->features = Matrix(1, 1);
    part->features.row(0)[0] = 1;
    part->targets = {1};
  }
  TrainConfig config = ResolvedConfig(
      Task::kRegression, {.kind = OptimizerKind::kSgd, .learning_rate = 0.1, .ema_decay = 0.5});
  config.output_bias = false;
  config.init.kind = InitKind::kZeros;
  config.epochs = 4;
  const Outcome outcome = Train(config, dataset);
  double theta = 0;
  std::vector<double> path;
  for (int i = 0; i < 4; ++i) path.push_back(theta += 0.2 * (1 - theta));
  // The losses are of the trained weights before each step, the evaluations of the average.
  EXPECT_NEAR(outcome.observer.steps[3].loss, (1 - path[2]) * (1 - path[2]), 1e-6);
  const double average = outcome.result.weights[0].weights[0];
  EXPECT_LT(average, path[3] - 0.01);
  EXPECT_GT(average, path[1]);
  EXPECT_NEAR(outcome.result.validation.Find("loss"), (1 - average) * (1 - average), 1e-6);
  EXPECT_NEAR(outcome.observer.epochs[3].validation.Find("loss"), (1 - average) * (1 - average),
              1e-6);
}

TEST(AverageTest, ARunWithoutAStepKeepsItsInitialWeights) {
  const Dataset dataset = SyntheticDataset({.rows = 20, .validation_rows = 5});
  TrainConfig config = ResolvedConfig(Task::kBinary, {.ema_decay = 0.9});
  StopFlag stop;
  stop.Request(StopCause::kRuntimeLimit);
  const Outcome outcome = Train(config, dataset, nullptr, stop);
  EXPECT_EQ(outcome.result.stop_reason, StopReason::kRuntimeLimit);
  const MlpWeights drawn = InitialWeights(MlpConfigOf(config, 4, 1), config.seed);
  ExpectClose(outcome.result.weights, drawn, 0);
}

TEST(InitialWeightsTest, ThoseOfTheConfigAreWhereItStarts) {
  const Dataset dataset = SyntheticDataset({.rows = 20, .features = 2});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.layers = {{2, Activation::kRelu}};
  config.initial_weights = {{.weights = {1, 2, 3, 4}, .biases = {5, 6}}, {.weights = {7, 8}}};
  StopFlag stop;
  stop.Request(StopCause::kRuntimeLimit);
  const MlpWeights weights = Train(config, dataset, nullptr, stop).result.weights;
  EXPECT_THAT(weights[0].weights, testing::ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(weights[0].biases, testing::ElementsAre(5, 6));
  EXPECT_THAT(weights[1].weights, testing::ElementsAre(7, 8));
  EXPECT_THAT(weights[1].biases, testing::ElementsAre(0));
}

TEST(TargetsTest, PoissonRefusesTargetsBelowZero) {
  const Dataset dataset = SyntheticDataset({.rows = 20, .task = Task::kRegression});
  TrainConfig config = ResolvedConfig(Task::kRegression);
  config.loss.kind = LossKind::kPoisson;
  const auto trainer = Trainer::Create(config, dataset);
  EXPECT_THAT(trainer, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("POISSON")));
  EXPECT_THAT(trainer, HasReason(ErrorReason::kInvalidSpec));
}

TEST(TargetsTest, AClassThatIsNotThereCannotBeWeighed) {
  const Dataset dataset = SyntheticDataset({.rows = 20});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.class_weights.by_name = {{"0", 2}, {"nowhere", 3}};
  EXPECT_THAT(Trainer::Create(config, dataset),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nowhere")));
}

TEST(TargetsTest, ClassesThatAllWeighNothingAreRefused) {
  const Dataset dataset = SyntheticDataset({.rows = 20});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.class_weights.by_name = {{"0", 0}, {"1", 0}};
  EXPECT_THAT(Trainer::Create(config, dataset),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nothing to learn from")));
  config.class_weights.by_name = {{"0", 0}, {"1", 1}};
  EXPECT_TRUE(Trainer::Create(config, dataset).ok());
}

// One class in the validation rows: there is no area under its curve, and no best evaluation.
TEST(EarlyStoppingTest, AMetricThatIsNotDefinedIsAnErrorNotAnEnd) {
  Dataset dataset = SyntheticDataset({.rows = 40, .validation_rows = 5});
  for (float& y : dataset.validation.targets) y = 1;
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.early_stopping = {.enabled = true, .metric = "roc_auc"};
  auto trainer = *Trainer::Create(config, dataset);
  RecordingObserver observer;
  const absl::Status status = trainer->Run(observer, StopFlag()).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("roc_auc")));
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_TRUE(observer.epochs.empty());
}

// The first epoch after three of warm-up has the whole learning rate.
TEST(ScheduleOfEpochsTest, BeginsAfterTheWarmup) {
  const Dataset dataset = SyntheticDataset({.rows = 20});
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.batch_size = 10;
  config.epochs = 5;
  config.step_event_interval = 1;
  config.schedule = {.kind = ScheduleKind::kExponential, .gamma = 0.5, .warmup_steps = 6};
  config.schedule =
      WithDefaults(config.schedule, *config.optimizer.learning_rate, RunLengthOf(config, 20));
  const Outcome outcome = Train(config, dataset);
  const double alpha = *config.optimizer.learning_rate;
  EXPECT_DOUBLE_EQ(outcome.observer.steps[5].learning_rate, alpha * 6 / 7);
  EXPECT_DOUBLE_EQ(outcome.observer.steps[6].learning_rate, alpha);
  EXPECT_DOUBLE_EQ(outcome.observer.steps[8].learning_rate, alpha / 2);
}

TEST(LbfgsTest, ReachesTheOptimumOfLogisticRegressionInAFewSteps) {
  Dataset dataset = SyntheticDataset({.rows = 300, .validation_rows = 10, .features = 3});
  for (size_t i = 0; i < dataset.train.targets.size(); i += 5) {
    dataset.train.targets[i] = 1 - dataset.train.targets[i];
  }
  TrainConfig config = ResolvedConfig(Task::kBinary, {.kind = OptimizerKind::kLbfgs});
  config.batch_size = 300;
  config.epochs = 200;
  const Outcome outcome = Train(config, dataset);
  EXPECT_EQ(outcome.result.stop_reason, StopReason::kCompleted);
  EXPECT_LT(outcome.observer.steps.back().gradient_norm, 1e-5);
  EXPECT_LT(outcome.result.steps_done, 100);  // it says itself that it is there
}

}  // namespace
}  // namespace trainyard
