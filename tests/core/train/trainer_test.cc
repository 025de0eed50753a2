#include "core/train/trainer.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TrainConfig TwoHidden(Task task) {
  TrainConfig config = ResolvedConfig(task);
  config.layers = {{40, Activation::kRelu}, {20, Activation::kTanh}};
  config.epochs = 3;
  return config;
}

absl::StatusOr<TrainResult> Train(const TrainConfig& config, const Dataset& dataset,
                                  TrainObserver& observer, const StopFlag& stop = StopFlag()) {
  auto trainer = Trainer::Create(config, dataset);
  if (!trainer.ok()) return trainer.status();
  return (*trainer)->Run(observer, stop);
}

// Requests a stop when so many steps are done.
class StopAfter : public RecordingObserver {
 public:
  StopAfter(int64_t steps_max, StopCause cause, StopFlag* stop)
      : steps_max_(steps_max), cause_(cause), stop_(stop) {}
  void OnProgress(int64_t steps_done, int64_t rows_seen) override {
    RecordingObserver::OnProgress(steps_done, rows_seen);
    if (steps_done == steps_max_) stop_->Request(cause_);
  }

 private:
  const int64_t steps_max_;
  const StopCause cause_;
  StopFlag* const stop_;
};

void ExpectSameWeights(const MlpWeights& a, const MlpWeights& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].weights, b[i].weights);
    EXPECT_EQ(a[i].biases, b[i].biases);
  }
}

TEST(TrainerTest, LearnsWhatCanBeLearned) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    const Dataset dataset = SyntheticDataset({.rows = 2000,
                                              .validation_rows = 300,
                                              .test_rows = 300,
                                              .features = 5,
                                              .task = task,
                                              .classes = 3});
    TrainConfig config = TwoHidden(task);
    config.epochs = 15;
    RecordingObserver observer;
    ASSERT_OK_AND_ASSIGN(const TrainResult result, Train(config, dataset, observer));
    EXPECT_EQ(result.test.rows, 300);
    const double loss = result.test.metrics[0].second;
    EXPECT_LT(loss, 0.3 * observer.steps[0].loss) << static_cast<int>(task);
    if (task != Task::kRegression) {
      EXPECT_GT(result.test.metrics[1].second, 0.93);
    }
    EXPECT_LT(observer.epochs.back().train_loss, observer.epochs.front().train_loss);
  }
}

TEST(TrainerTest, RecordsAreNumberedAndAddUp) {
  const Dataset dataset = SyntheticDataset({.rows = 70, .validation_rows = 10});
  RecordingObserver observer;
  ASSERT_OK_AND_ASSIGN(const TrainResult result,
                       Train(TwoHidden(Task::kBinary), dataset, observer));
  EXPECT_EQ(result.stop_reason, StopReason::kCompleted);
  EXPECT_EQ(result.epochs_done, 3);
  EXPECT_EQ(result.steps_done, 9);
  EXPECT_EQ(result.test.rows, 0);
  ASSERT_EQ(observer.steps.size(), 9u);
  for (int64_t i = 0; i < 9; ++i) {
    EXPECT_EQ(observer.steps[i].step, i);
    EXPECT_EQ(observer.steps[i].epoch, i / 3);
    EXPECT_EQ(observer.steps[i].rows_seen, i / 3 * 70 + std::min<int64_t>((i % 3 + 1) * 32, 70));
    EXPECT_GT(observer.steps[i].gradient_norm, 0);
    EXPECT_EQ(observer.progress[i], i + 1);
  }
  ASSERT_EQ(observer.epochs.size(), 3u);
  const auto& s = observer.steps;
  EXPECT_NEAR(observer.epochs[0].train_loss, (32 * s[0].loss + 32 * s[1].loss + 6 * s[2].loss) / 70,
              1e-12);
  EXPECT_EQ(observer.epochs[2].steps_done, 9);
  EXPECT_EQ(observer.epochs[2].rows_seen, 210);
  EXPECT_EQ(observer.epochs[2].validation.rows, 10);
  EXPECT_EQ(observer.epochs[2].learning_rate, 0.001);
}

TEST(TrainerTest, StepEventsComeAtTheFirstStepAndThenAtTheInterval) {
  const Dataset dataset = SyntheticDataset({.rows = 320});
  TrainConfig config = TwoHidden(Task::kBinary);  // 30 steps
  config.step_event_interval = 7;
  RecordingObserver observer;
  ASSERT_THAT(Train(config, dataset, observer), IsOk());
  std::vector<int64_t> steps;
  for (const StepRecord& step : observer.steps) steps.push_back(step.step);
  EXPECT_THAT(steps, testing::ElementsAre(0, 7, 14, 21, 28));
  EXPECT_EQ(observer.progress.size(), 30u);
}

TEST(TrainerTest, TheSameRunTwiceHasTheSameBits) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    const Dataset dataset = SyntheticDataset(
        {.rows = 333, .validation_rows = 40, .features = 9, .task = task, .classes = 4});
    RecordingObserver first, second;
    ASSERT_OK_AND_ASSIGN(const TrainResult a, Train(TwoHidden(task), dataset, first));
    ASSERT_OK_AND_ASSIGN(const TrainResult b, Train(TwoHidden(task), dataset, second));
    ExpectSameWeights(a.weights, b.weights);
    ASSERT_EQ(first.steps.size(), second.steps.size());
    for (size_t i = 0; i < first.steps.size(); ++i) {
      EXPECT_EQ(first.steps[i].loss, second.steps[i].loss);
      EXPECT_EQ(first.steps[i].gradient_norm, second.steps[i].gradient_norm);
    }
    for (size_t i = 0; i < first.epochs.size(); ++i) {
      EXPECT_EQ(first.epochs[i].validation.metrics, second.epochs[i].validation.metrics);
    }
  }
}

TEST(TrainerTest, TheSeedMatters) {
  const Dataset dataset = SyntheticDataset({.rows = 100});
  TrainConfig config = TwoHidden(Task::kBinary);
  RecordingObserver observer;
  ASSERT_OK_AND_ASSIGN(const TrainResult a, Train(config, dataset, observer));
  config.seed = 8;
  ASSERT_OK_AND_ASSIGN(const TrainResult b, Train(config, dataset, observer));
  EXPECT_NE(a.weights[0].weights, b.weights[0].weights);
}

TEST(TrainerTest, ABatchLargerThanTheRowsIsAFullBatch) {
  const Dataset dataset = SyntheticDataset({.rows = 50});
  TrainConfig config = TwoHidden(Task::kBinary);
  config.batch_size = 1 << 20;
  RecordingObserver observer;
  ASSERT_OK_AND_ASSIGN(const TrainResult result, Train(config, dataset, observer));
  EXPECT_EQ(result.steps_done, 3);
  EXPECT_EQ(observer.steps[0].rows_seen, 50);
}

TEST(TrainerTest, ACancelledRunHasNoResult) {
  const Dataset dataset = SyntheticDataset({.rows = 320});
  StopFlag stop;
  StopAfter observer(4, StopCause::kCancelled, &stop);
  const auto result = Train(TwoHidden(Task::kBinary), dataset, observer, stop);
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled, HasSubstr("4 steps")));
  EXPECT_THAT(result, HasReason(ErrorReason::kCancelled));
  EXPECT_EQ(observer.progress.size(), 4u);
}

TEST(TrainerTest, ARunOutOfTimeKeepsItsModel) {
  const Dataset dataset = SyntheticDataset({.rows = 320, .test_rows = 20});
  StopFlag stop;
  StopAfter observer(14, StopCause::kRuntimeLimit, &stop);
  ASSERT_OK_AND_ASSIGN(const TrainResult result,
                       Train(TwoHidden(Task::kBinary), dataset, observer, stop));
  EXPECT_EQ(result.stop_reason, StopReason::kRuntimeLimit);
  EXPECT_EQ(result.steps_done, 14);
  EXPECT_EQ(result.epochs_done, 1);
  EXPECT_EQ(result.test.rows, 20);
  EXPECT_EQ(observer.epochs.size(), 1u);
}

TEST(TrainerTest, TimeThatEndsWithTheLastStepIsACompletedRun) {
  const Dataset dataset = SyntheticDataset({.rows = 320});
  StopFlag stop;
  StopAfter observer(30, StopCause::kRuntimeLimit, &stop);
  ASSERT_OK_AND_ASSIGN(const TrainResult result,
                       Train(TwoHidden(Task::kBinary), dataset, observer, stop));
  EXPECT_EQ(result.stop_reason, StopReason::kCompleted);
  EXPECT_EQ(result.epochs_done, 3);
}

TEST(TrainerTest, RefusesADatasetThatDoesNotFit) {
  const Dataset binary = SyntheticDataset({.rows = 20});
  EXPECT_THAT(Trainer::Create(TwoHidden(Task::kMulticlass), binary),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not fit")));
  const Dataset empty = SyntheticDataset({.rows = 0});
  EXPECT_THAT(Trainer::Create(TwoHidden(Task::kBinary), empty),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no training rows")));
  const MlpWeights other = ZeroWeights({.features = 9, .outputs = 1});
  EXPECT_THAT(Trainer::Create(TwoHidden(Task::kBinary), binary, &other),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("layers")));
}

}  // namespace
}  // namespace trainyard
