#include "core/train/seed_runs.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
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

TEST(SeedRunsTest, AWarningSaysOfWhichRunItIs) {
  RecordingObserver observer;
  TrainConfig config = Seeds(2);
  config.optimizer.learning_rate = 1e-9;
  config.epochs = 30;
  ASSERT_THAT(TrainSeeds(config, Data(), nullptr, observer, StopFlag()), IsOk());
  ASSERT_EQ(observer.warnings.size(), 2u);
  EXPECT_THAT(observer.warnings[0].message, testing::StartsWith("run 1: the training loss does"));
  EXPECT_THAT(observer.warnings[1].message, testing::StartsWith("run 2: the training loss does"));
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
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("seed 7: ")));
  EXPECT_THAT(result, HasReason(ErrorReason::kNonFiniteLoss));
}

// 60 rows: y is 1 where x, which is noisy, is above a half.
Table FoldTable() {
  Rng rng(3, RngStream::kAnalysis);
  std::string csv = "x,z,y\n";
  for (int i = 0; i < 60; ++i) {
    const double x = rng.Uniform();
    absl::StrAppend(&csv, x, ",", rng.Normal(), ",", x + 0.1 * rng.Normal() > 0.5 ? "yes" : "no",
                    "\n");
  }
  return TableOf(csv);
}

TrainConfig Folds(int64_t count) {
  TrainConfig config = Seeds(1);
  config.data.target_column = "y";
  config.data.feature_columns = {"x", "z"};
  config.data.split = {.test_fraction = 0.2, .fold_count = count};
  return config;
}

// Counts what it is asked for.
struct CountingBuilder {
  absl::StatusOr<Dataset> operator()(int64_t fold) {
    asked.push_back(fold);
    return BuildDataset(table, config.data, config.seed, {.fold = fold});
  }
  Table table = FoldTable();
  TrainConfig config;
  std::vector<int64_t> asked;
};

TEST(FoldRunsTest, EachIsTheRunOfItsFoldAndTheBestIsKept) {
  CountingBuilder build{.config = Folds(3)};
  RecordingObserver observer;
  ASSERT_OK_AND_ASSIGN(FoldsResult all,
                       TrainFolds(build.config, std::ref(build), nullptr, observer, StopFlag()));
  ASSERT_EQ(all.runs.seeds.size(), 3u);
  int64_t best = 0;
  for (int64_t fold = 0; fold < 3; ++fold) {
    ASSERT_OK_AND_ASSIGN(const Dataset dataset, CountingBuilder(build)(fold));
    RecordingObserver ignored;
    ASSERT_OK_AND_ASSIGN(const SeedsResult alone,
                         TrainSeeds(build.config, dataset, nullptr, ignored, StopFlag()));
    const SeedSummary& run = all.runs.seeds[fold];
    EXPECT_EQ(run.fold, fold);
    EXPECT_EQ(run.seed, build.config.seed);
    EXPECT_EQ(run.validation.rows, 16);
    EXPECT_EQ(run.validation.metrics, alone.best.validation.metrics);
    EXPECT_EQ(run.test.metrics, alone.best.test.metrics);
    if (run.validation.Find("loss") < all.runs.seeds[best].validation.Find("loss")) best = fold;
  }
  EXPECT_EQ(all.runs.best_run, best);
  EXPECT_EQ(all.runs.best.validation.metrics, all.runs.seeds[best].validation.metrics);
  ASSERT_OK_AND_ASSIGN(const Dataset dataset, CountingBuilder(build)(best));
  EXPECT_EQ(all.dataset.preprocessor.offsets(), dataset.preprocessor.offsets());
  std::vector<int64_t> expected = {0, 1, 2};
  if (best != 2) expected.push_back(best);
  EXPECT_EQ(build.asked, expected);
}

TEST(FoldRunsTest, RecordsCountOnOverTheRuns) {
  CountingBuilder build{.config = Folds(4)};
  RecordingObserver observer;
  ASSERT_THAT(TrainFolds(build.config, std::ref(build), nullptr, observer, StopFlag()), IsOk());
  ASSERT_EQ(observer.epochs.size(), 12u);
  EXPECT_EQ(observer.epochs[11].epoch, 11);
  EXPECT_EQ(observer.epochs[11].run, 3);
  EXPECT_EQ(observer.steps.back().step + 1, StepsTotal(build.config, {.rows = 60}));
}

TEST(FoldRunsTest, TheRuntimeLimitEndsAllRuns) {
  CountingBuilder build{.config = Folds(4)};
  StopFlag stop;
  StopAt observer(8, StopCause::kRuntimeLimit, &stop);
  ASSERT_OK_AND_ASSIGN(const FoldsResult all,
                       TrainFolds(build.config, std::ref(build), nullptr, observer, stop));
  EXPECT_EQ(all.runs.seeds.size(), 2u);
  EXPECT_EQ(all.runs.best.stop_reason, StopReason::kRuntimeLimit);
}

TEST(FoldRunsTest, AFaultIsToldWithItsFold) {
  RecordingObserver observer;
  const auto build = [](int64_t fold) -> absl::StatusOr<Dataset> {
    if (fold == 0) return Data();
    return absl::InvalidArgumentError("no rows");
  };
  EXPECT_THAT(TrainFolds(Folds(3), build, nullptr, observer, StopFlag()),
              StatusIs(absl::StatusCode::kInvalidArgument, "fold 1: no rows"));
}

// Against numpy.mean and numpy.std(ddof=1).
TEST(SpreadTest, IsMeanAndDeviationOfEachMetric) {
  std::vector<SeedSummary> runs(3);
  const double losses[] = {0.5, 0.25, 0.875};
  for (size_t i = 0; i < 3; ++i) {
    runs[i].validation.metrics = {{"loss", losses[i]}};
    runs[i].test.metrics = {{"loss", 1e9 + static_cast<double>(i)}};
  }
  runs[1].test.metrics.emplace_back("roc_auc", 0.75);
  const std::vector<MetricSpread> spreads = SpreadOf(runs);
  ASSERT_EQ(spreads.size(), 3u);
  EXPECT_EQ(spreads[0].name, "validation_loss");
  EXPECT_DOUBLE_EQ(spreads[0].mean, 0.5416666666666666);
  EXPECT_DOUBLE_EQ(spreads[0].standard_deviation, 0.3145764348029479);
  EXPECT_EQ(spreads[0].count, 3);
  EXPECT_EQ(spreads[1].name, "test_loss");
  EXPECT_DOUBLE_EQ(spreads[1].mean, 1000000001.0);
  EXPECT_DOUBLE_EQ(spreads[1].standard_deviation, 1.0);
  EXPECT_EQ(spreads[2].name, "test_roc_auc");
  EXPECT_EQ(spreads[2].mean, 0.75);
  EXPECT_EQ(spreads[2].standard_deviation, 0);
  EXPECT_EQ(spreads[2].count, 1);
  EXPECT_TRUE(SpreadOf({runs[0]}).empty());
}

}  // namespace
}  // namespace trainyard
