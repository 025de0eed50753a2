#include "core/train/seed_runs.h"

#include <algorithm>
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

Dataset Data() {
  return SyntheticDataset({.rows = 100, .validation_rows = 50, .test_rows = 50, .features = 6});
}

TrainConfig Seeds(int64_t count) {
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.layers = {{4, Activation::kRelu}};
  config.epochs = 3;  // 4 steps each
  config.seed_count = count;
  return config;
}

TEST(SeedRunsTest, EachIsTheRunOfItsSeedAndTheBestIsKept) {
  const Dataset dataset = Data();
  RecordingObserver observer;
  ASSERT_OK_AND_ASSIGN(const SeedsResult all,
                       TrainSeeds(Seeds(4), dataset, nullptr, observer, StopFlag()));
  ASSERT_EQ(all.seeds.size(), 4u);
  double best = HUGE_VAL;
  for (uint64_t i = 0; i < 4; ++i) {
    TrainConfig alone = Seeds(1);
    alone.seed += i;
    RecordingObserver ignored;
    ASSERT_OK_AND_ASSIGN(const SeedsResult one,
                         TrainSeeds(alone, dataset, nullptr, ignored, StopFlag()));
    EXPECT_EQ(all.seeds[i].seed, alone.seed);
    EXPECT_EQ(all.seeds[i].steps_done, 12);
    EXPECT_EQ(all.seeds[i].stop_reason, StopReason::kCompleted);
    EXPECT_EQ(all.seeds[i].validation.metrics, one.best.validation.metrics);
    EXPECT_EQ(all.seeds[i].test.metrics, one.best.test.metrics);
    if (one.best.validation.Find("loss") >= best) continue;
    best = one.best.validation.Find("loss");
    EXPECT_LE(all.best.validation.Find("loss"), best);
  }
  EXPECT_EQ(all.best.validation.Find("loss"), best);
}

TEST(SeedRunsTest, TheBestIsByTheMetricAskedFor) {
  TrainConfig config = Seeds(5);
  config.early_stopping = {.enabled = true, .metric = "accuracy", .restore_only = true};
  RecordingObserver observer;
  ASSERT_OK_AND_ASSIGN(const SeedsResult all,
                       TrainSeeds(config, Data(), nullptr, observer, StopFlag()));
  double most = 0;
  for (const SeedSummary& seed : all.seeds) most = std::max(most, seed.validation.Find("accuracy"));
  EXPECT_EQ(all.best.validation.Find("accuracy"), most);
}

TEST(SeedRunsTest, RecordsCountOnOverTheRuns) {
  RecordingObserver observer;
  TrainConfig config = Seeds(3);
  config.evaluation_interval = 3;
  ASSERT_THAT(TrainSeeds(config, Data(), nullptr, observer, StopFlag()), IsOk());
  ASSERT_EQ(observer.steps.size(), 36u);
  for (int64_t i = 0; i < 36; ++i) {
    EXPECT_EQ(observer.steps[i].step, i);
    EXPECT_EQ(observer.steps[i].epoch, i / 4);
    EXPECT_EQ(observer.steps[i].run, i / 12);
    EXPECT_EQ(observer.progress[i], i + 1);
  }
  EXPECT_EQ(observer.steps.back().rows_seen, 900);
  ASSERT_EQ(observer.epochs.size(), 9u);
  EXPECT_EQ(observer.epochs[8].epoch, 8);
  EXPECT_EQ(observer.epochs[8].steps_done, 36);
  EXPECT_EQ(observer.epochs[8].rows_seen, 900);
  EXPECT_EQ(observer.epochs[8].run, 2);
  EXPECT_EQ(observer.evaluations.back().run, 2);
  EXPECT_EQ(observer.evaluations.back().steps_done, 24 + 9);
}

class StopAt : public RecordingObserver {
 public:
  StopAt(int64_t step, StopCause cause, StopFlag* stop) : step_(step), cause_(cause), stop_(stop) {}
  void OnProgress(int64_t steps_done, int64_t /*rows_seen*/) override {
    if (steps_done == step_) stop_->Request(cause_);
  }

 private:
  const int64_t step_;
  const StopCause cause_;
  StopFlag* const stop_;
};

TEST(SeedRunsTest, TheRuntimeLimitEndsAllRuns) {
  StopFlag stop;
  StopAt observer(15, StopCause::kRuntimeLimit, &stop);
  ASSERT_OK_AND_ASSIGN(const SeedsResult all,
                       TrainSeeds(Seeds(4), Data(), nullptr, observer, stop));
  ASSERT_EQ(all.seeds.size(), 2u);
  EXPECT_EQ(all.seeds[0].stop_reason, StopReason::kCompleted);
  EXPECT_EQ(all.seeds[1].stop_reason, StopReason::kRuntimeLimit);
  EXPECT_EQ(all.best.stop_reason, StopReason::kRuntimeLimit);
}

TEST(SeedRunsTest, CancellingEndsWithoutAResult) {
  StopFlag stop;
  StopAt observer(15, StopCause::kCancelled, &stop);
  EXPECT_THAT(TrainSeeds(Seeds(4), Data(), nullptr, observer, stop),
              StatusIs(absl::StatusCode::kCancelled, testing::_));
}

TEST(SeedRunsTest, ARunThatDivergesFailsTheWholeAndIsNamed) {
  TrainConfig config = Seeds(2);
  config.optimizer = WithDefaults({.kind = OptimizerKind::kSgd, .learning_rate = 1e30});
  RecordingObserver observer;
  const auto result = TrainSeeds(config, Data(), nullptr, observer, StopFlag());
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("seed 7")));
  EXPECT_THAT(result, HasReason(ErrorReason::kNonFiniteLoss));
}

}  // namespace
}  // namespace trainyard
