// A run that goes on from a checkpoint ends with the bits of one that was left alone.
#include "core/train/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/train/seed_runs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

constexpr absl::string_view kIdentity = "spec, data and build";

std::string BitsOf(double number) {
  std::string bits(sizeof number, '\0');
  std::memcpy(bits.data(), &number, sizeof number);
  return bits;
}

std::string BitsOf(const EvalResult& result) {
  std::string bits = absl::StrCat(result.rows, " ");
  for (const auto& [name, value] : result.metrics) absl::StrAppend(&bits, name, BitsOf(value));
  return bits;
}

std::string BitsOf(const LayerRecord& layer) {
  std::string bits = layer.name;
  for (const double number : {layer.weight_norm, layer.gradient_norm, layer.update_ratio,
                              layer.dead_unit_fraction, layer.saturated_fraction}) {
    absl::StrAppend(&bits, BitsOf(number));
  }
  if (!layer.weights.has_value()) return bits;
  return absl::StrCat(bits, absl::StrJoin(layer.weights->histogram, " "), "; ",
                      absl::StrJoin(layer.gradients->histogram, " "));
}

std::string BitsOf(const MlpWeights& weights) {
  MlpWeights copy = weights;
  ByteWriter writer;
  StateArchive archive(&writer);
  TransferState(&copy, &archive);
  return std::move(writer).Take();
}

std::string BitsOf(const SeedsResult& result) {
  std::string bits = absl::StrCat(result.best_run, " ", static_cast<int>(result.best.stop_reason));
  absl::StrAppend(&bits, BitsOf(result.best.weights), BitsOf(result.best.validation),
                  BitsOf(result.best.test));
  for (const SeedSummary& run : result.seeds) {
    absl::StrAppend(&bits, run.seed, " ", run.fold.value_or(-1), " ", run.steps_done, " ",
                    static_cast<int>(run.stop_reason), BitsOf(run.validation), BitsOf(run.test));
  }
  return bits;
}

// Every record as a line of its bits, in order.
class Trace : public TrainObserver {
 public:
  void OnStep(const StepRecord& step) override {
    lines.push_back(absl::StrCat("step ", step.step, " ", step.epoch, " ", step.run, " ",
                                 step.rows_seen, BitsOf(step.loss), BitsOf(step.learning_rate),
                                 BitsOf(step.gradient_norm)));
  }
  void OnEpoch(const EpochRecord& epoch) override {
    lines.push_back(absl::StrCat("epoch ", epoch.epoch, " ", epoch.steps_done, " ", epoch.run, " ",
                                 epoch.rows_seen, BitsOf(epoch.train_loss),
                                 BitsOf(epoch.learning_rate), BitsOf(epoch.validation)));
    for (const LayerRecord& layer : epoch.layers) lines.push_back(BitsOf(layer));
  }
  void OnWarning(const TrainingWarning& warning) override {
    lines.push_back(absl::StrCat(warning.message, " ", warning.remedy));
  }
  void OnEvaluation(const EvaluationRecord& evaluation) override {
    lines.push_back(absl::StrCat("evaluation ", evaluation.epoch, " ", evaluation.steps_done, " ",
                                 evaluation.run, BitsOf(evaluation.validation)));
  }
  void OnProgress(int64_t steps_done, int64_t rows_seen) override {
    progress = absl::StrCat(steps_done, " ", rows_seen);
  }

  std::vector<std::string> lines;
  std::string progress;
};

// Takes one at every border of two steps.
class EverySink : public CheckpointSink {
 public:
  struct Taken {
    std::string bytes;
    int64_t steps_done = 0;
    size_t lines_before = 0;
  };
  explicit EverySink(const Trace& trace) : trace_(trace) {}
  bool IsDue(bool /*at_epoch_start*/) override { return true; }
  void Save(int64_t steps_done, const StateTransfer& transfer) override {
    taken.push_back(
        {EncodeCheckpoint(kIdentity, steps_done, transfer), steps_done, trace_.lines.size()});
  }
  std::vector<Taken> taken;

 private:
  const Trace& trace_;
};

using Train = std::function<absl::StatusOr<SeedsResult>(TrainObserver&, const StopFlag&,
                                                        const Checkpointing&)>;

// Goes on from every checkpoint of an undisturbed run (of many: from about forty), in a training of
// its own, and compares everything that comes out.
void ExpectGoesOnTheSame(const Train& train) {
  Trace alone;
  EverySink sink(alone);
  ASSERT_OK_AND_ASSIGN(const SeedsResult expected, train(alone, StopFlag(), {.sink = &sink}));
  ASSERT_GT(sink.taken.size(), 3u);
  const size_t stride = sink.taken.size() / 40 + 1;
  for (size_t i = 0; i < sink.taken.size(); i += stride) {
    const EverySink::Taken& from = sink.taken[i];
    SCOPED_TRACE(absl::StrCat("from step ", from.steps_done));
    ASSERT_OK_AND_ASSIGN(const absl::string_view state, DecodeCheckpoint(from.bytes, kIdentity));
    Trace rest;
    EverySink rest_sink(rest);
    ASSERT_OK_AND_ASSIGN(const SeedsResult result,
                         train(rest, StopFlag(), {.sink = &rest_sink, .state = state}));
    ASSERT_TRUE(std::equal(rest.lines.begin(), rest.lines.end(),
                           alone.lines.begin() + static_cast<int64_t>(from.lines_before),
                           alone.lines.end()));
    ASSERT_EQ(BitsOf(result), BitsOf(expected));
    ASSERT_EQ(rest.progress, alone.progress);
    // The checkpoints that it takes itself are the same, too; the first is the one it came from.
    ASSERT_EQ(rest_sink.taken.size(), sink.taken.size() - i);
    ASSERT_EQ(rest_sink.taken.front().bytes, from.bytes);
    ASSERT_EQ(rest_sink.taken.back().bytes, sink.taken.back().bytes);
  }
}

void ExpectGoesOnTheSame(const TrainConfig& config, const Dataset& dataset) {
  ExpectGoesOnTheSame(
      [&](TrainObserver& observer, const StopFlag& stop, const Checkpointing& checkpointing) {
        return TrainSeeds(config, dataset, nullptr, observer, stop, checkpointing);
      });
}

Dataset Data(Task task) {
  return SyntheticDataset(
      {.rows = 100, .validation_rows = 50, .test_rows = 50, .features = 6, .task = task});
}

// 3 epochs of 4 steps, the last of them shorter.
TrainConfig Network(Task task, const OptimizerConfig& optimizer = {}) {
  TrainConfig config = ResolvedConfig(task, optimizer);
  config.layers = {{.units = 5, .activation = Activation::kTanh}, {.units = 4}};
  config.epochs = 3;
  return config;
}

class EveryOptimizerTest : public testing::TestWithParam<OptimizerKind> {};

TEST_P(EveryOptimizerTest, GoesOnTheSame) {
  TrainConfig config = Network(Task::kBinary, {.kind = GetParam(), .weight_decay = 0.01});
  if (GetParam() == OptimizerKind::kLbfgs) {
    config.batch_size = 100;
    config.epochs = 14;
  }
  ExpectGoesOnTheSame(config, Data(Task::kBinary));
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, EveryOptimizerTest,
    testing::Values(OptimizerKind::kSgd, OptimizerKind::kAdam, OptimizerKind::kAdagrad,
                    OptimizerKind::kAdadelta, OptimizerKind::kRmsProp, OptimizerKind::kAdamW,
                    OptimizerKind::kAmsGrad, OptimizerKind::kNAdam, OptimizerKind::kRAdam,
                    OptimizerKind::kLion, OptimizerKind::kMuon, OptimizerKind::kLbfgs),
    [](const auto& kind) { return absl::StrCat("Kind", static_cast<int>(kind.param)); });

TEST(CheckpointTest, GoesOnWithMomentumNoiseAndAnAverage) {
  ExpectGoesOnTheSame(Network(Task::kRegression, {.kind = OptimizerKind::kSgd,
                                                  .learning_rate = 0.01,
                                                  .momentum = 0.9,
                                                  .nesterov = true,
                                                  .max_norm = 2,
                                                  .clip_norm = 1,
                                                  .gradient_noise = 0.01,
                                                  .ema_decay = 0.9}),
                      Data(Task::kRegression));
}

TEST(CheckpointTest, GoesOnWithDropoutAndRunningMeans) {
  TrainConfig config = Network(Task::kMulticlass);
  config.input_dropout = 0.1;
  config.layers = {{.units = 6, .normalization = Normalization::kBatch, .dropout = 0.3},
                   {.units = 6, .normalization = Normalization::kLayer, .residual = true}};
  config.evaluation_interval = 3;
  ExpectGoesOnTheSame(config, Data(Task::kMulticlass));
}

TEST(CheckpointTest, GoesOnWithRecordsOfLayersAndWarnings) {
  TrainConfig config = Network(Task::kBinary, {.learning_rate = 1e-9});
  config.layer_records = LayerRecords::kHistograms;
  config.batch_size = 4;
  config.epochs = 6;  // the loss does not move
  const Dataset dataset = Data(Task::kBinary);
  ExpectGoesOnTheSame(config, dataset);
  RecordingObserver observer;
  ASSERT_THAT(TrainSeeds(config, dataset, nullptr, observer, StopFlag()), IsOk());
  EXPECT_EQ(observer.warnings.size(), 1u);
}

TEST(CheckpointTest, GoesOnInsideAnAccumulation) {
  TrainConfig config = Network(Task::kBinary);
  config.batch_size = 16;  // 7 batches, steps of 3, 3 and 1
  config.accumulation_steps = 3;
  config.layers[0].dropout = 0.2;
  ExpectGoesOnTheSame(config, Data(Task::kBinary));
}

TEST(CheckpointTest, GoesOnWithTheBestWeightsKept) {
  TrainConfig config = Network(Task::kBinary, {.learning_rate = 0.3});
  config.layers[0].normalization = Normalization::kBatch;
  config.epochs = 40;
  config.evaluation_interval = 2;
  config.early_stopping = {
      .enabled = true, .metric = "loss", .patience = 4, .min_delta = 1e-4, .restore_best = true};
  ExpectGoesOnTheSame(config, Data(Task::kBinary));
}

TEST(CheckpointTest, GoesOnAlongEverySchedule) {
  for (const ScheduleKind kind : {ScheduleKind::kReduceOnPlateau, ScheduleKind::kCosineRestarts}) {
    TrainConfig config = Network(Task::kBinary, {.learning_rate = 0.2});
    config.epochs = 12;
    config.schedule.kind = kind;
    config.schedule.warmup_steps = 5;
    if (kind == ScheduleKind::kReduceOnPlateau) config.schedule.patience = 0;
    ExpectGoesOnTheSame(config, Data(Task::kBinary));
  }
}

TEST(CheckpointTest, GoesOnOnSeveralThreads) {
  TrainConfig config = Network(Task::kBinary);
  config.threads = 2;
  config.layers = {{.units = 64}};
  ExpectGoesOnTheSame(config, Data(Task::kBinary));
}

TEST(CheckpointTest, GoesOnAtAnySeed) {
  TrainConfig config = Network(Task::kBinary);
  config.seed_count = 3;
  config.max_steps = 10;  // the last epoch of each seed is not ended
  ExpectGoesOnTheSame(config, Data(Task::kBinary));
}

TEST(CheckpointTest, GoesOnAtAnyFold) {
  Rng rng(3, RngStream::kAnalysis);
  std::string csv = "x,z,y\n";
  for (int i = 0; i < 60; ++i) {
    const double x = rng.Uniform();
    absl::StrAppend(&csv, x, ",", rng.Normal(), ",", x > 0.5 ? "yes" : "no", "\n");
  }
  const Table table = TableOf(csv);
  TrainConfig config = Network(Task::kBinary);
  config.data.target_column = "y";
  config.data.feature_columns = {"x", "z"};
  config.data.split = {.test_fraction = 0.2, .fold_count = 3};
  const auto build = [&](int64_t fold) {
    return BuildDataset(table, config.data, config.seed, {.fold = fold});
  };
  ExpectGoesOnTheSame([&](TrainObserver& observer, const StopFlag& stop,
                          const Checkpointing& checkpointing) -> absl::StatusOr<SeedsResult> {
    TY_ASSIGN_OR_RETURN(FoldsResult folds,
                        TrainFolds(config, build, nullptr, observer, stop, checkpointing));
    return std::move(folds.runs);
  });
}

// Asks for a stop at a step, and takes what a yield saves.
class YieldingObserver : public Trace {
 public:
  YieldingObserver(int64_t at_step, StopFlag* stop) : at_step_(at_step), stop_(stop) {}
  void OnProgress(int64_t steps_done, int64_t rows_seen) override {
    Trace::OnProgress(steps_done, rows_seen);
    if (steps_done == at_step_) stop_->Request(StopCause::kYield);
  }

 private:
  const int64_t at_step_;
  StopFlag* const stop_;
};

class YieldSink : public CheckpointSink {
 public:
  bool IsDue(bool /*at_epoch_start*/) override { return false; }
  void Save(int64_t steps, const StateTransfer& transfer) override {
    steps_done = steps;
    bytes = EncodeCheckpoint(kIdentity, steps, transfer);
  }
  int64_t steps_done = -1;
  std::string bytes;
};

TEST(YieldTest, SavesWhereItStopsAndNothingIsTrainedTwice) {
  const Dataset dataset = Data(Task::kBinary);
  TrainConfig config = Network(Task::kBinary);
  config.evaluation_interval = 3;
  Trace alone;
  ASSERT_OK_AND_ASSIGN(const SeedsResult expected,
                       TrainSeeds(config, dataset, nullptr, alone, StopFlag()));
  for (int64_t step = 1; step < 12; ++step) {
    StopFlag stop;
    YieldingObserver first(step, &stop);
    YieldSink sink;
    EXPECT_THAT(TrainSeeds(config, dataset, nullptr, first, stop, {.sink = &sink}),
                HasReason(ErrorReason::kCancelled));
    ASSERT_EQ(sink.steps_done, step);
    ASSERT_OK_AND_ASSIGN(const absl::string_view state, DecodeCheckpoint(sink.bytes, kIdentity));
    Trace second;
    ASSERT_OK_AND_ASSIGN(const SeedsResult result, TrainSeeds(config, dataset, nullptr, second,
                                                              StopFlag(), {.state = state}));
    first.lines.insert(first.lines.end(), second.lines.begin(), second.lines.end());
    EXPECT_EQ(first.lines, alone.lines);
    EXPECT_EQ(BitsOf(result), BitsOf(expected));
  }
}

TEST(YieldTest, ARunThatIsOverIsAResult) {
  const Dataset dataset = Data(Task::kBinary);
  StopFlag stop;
  YieldingObserver observer(12, &stop);  // the last step
  YieldSink sink;
  EXPECT_THAT(TrainSeeds(Network(Task::kBinary), dataset, nullptr, observer, stop, {.sink = &sink}),
              IsOk());
  EXPECT_EQ(sink.steps_done, -1);
}

std::string OneCheckpoint(const TrainConfig& config, const Dataset& dataset) {
  Trace trace;
  EverySink sink(trace);
  EXPECT_THAT(TrainSeeds(config, dataset, nullptr, trace, StopFlag(), {.sink = &sink}), IsOk());
  return sink.taken.back().bytes;
}

TEST(CorruptCheckpointTest, IsRefusedWhereverABitIsWrong) {
  const std::string bytes = OneCheckpoint(Network(Task::kBinary), Data(Task::kBinary));
  ASSERT_THAT(DecodeCheckpoint(bytes, kIdentity), IsOk());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    ASSERT_THAT(DecodeCheckpoint(damaged, kIdentity), HasReason(ErrorReason::kCorruptCheckpoint));
    ASSERT_THAT(DecodeCheckpoint(bytes.substr(0, i), kIdentity),
                HasReason(ErrorReason::kCorruptCheckpoint));
  }
}

TEST(CorruptCheckpointTest, OfAnotherIdentityIsRefused) {
  const std::string bytes = OneCheckpoint(Network(Task::kBinary), Data(Task::kBinary));
  EXPECT_THAT(DecodeCheckpoint(bytes, "another build").status().message(),
              testing::HasSubstr("belongs to \"spec, data and build\""));
}

// The checksum is right, and the state that of something else: any cut, any other config.
TEST(CorruptCheckpointTest, AStateThatDoesNotFitIsRefusedBeforeAnythingIsObserved) {
  const Dataset dataset = Data(Task::kBinary);
  TrainConfig config = Network(Task::kBinary);
  config.seed_count = 2;
  config.early_stopping = {.enabled = true, .metric = "loss", .patience = 9, .restore_best = true};
  const std::string bytes = OneCheckpoint(config, dataset);
  ASSERT_OK_AND_ASSIGN(const absl::string_view state, DecodeCheckpoint(bytes, kIdentity));
  const auto expect_refused = [&](const TrainConfig& other, absl::string_view part) {
    Trace trace;
    ASSERT_THAT(TrainSeeds(other, dataset, nullptr, trace, StopFlag(), {.state = part}),
                HasReason(ErrorReason::kCorruptCheckpoint));
    ASSERT_TRUE(trace.lines.empty());
  };
  for (size_t size = 1; size < state.size(); size += 7) {
    expect_refused(config, state.substr(0, size));
  }
  TrainConfig wider = config;
  wider.layers[0].units = 6;
  expect_refused(wider, state);
  TrainConfig other_rule = config;
  other_rule.optimizer = WithDefaults({.kind = OptimizerKind::kSgd, .momentum = 0.9});
  expect_refused(other_rule, state);
  TrainConfig one_seed = config;
  one_seed.seed_count = 1;
  expect_refused(one_seed, state);
}

}  // namespace
}  // namespace trainyard
