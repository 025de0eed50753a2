#include "server/grading/work_budget.h"

#include <limits>

#include "core/base/rng.h"
#include "core/train/train_config.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::TrainingSpec SpecOf(const std::vector<int>& units, int epochs) {
  v1::TrainingSpec spec;
  for (const int u : units) spec.add_layers()->set_units(u);
  spec.set_epochs(epochs);
  return spec;
}

TEST(WorkBudgetTest, TheFormulaByHand) {
  // 30 → 64 → 32 → 1, 455 rows, 50 epochs.
  ASSERT_OK_AND_ASSIGN(const Work work, WorkOf(SpecOf({64, 32}, 50),
                                               {.features = 30, .outputs = 1, .train_rows = 455}));
  EXPECT_EQ(work.parameters, (30 * 64 + 64) + (64 * 32 + 32) + (32 * 1 + 1));
  EXPECT_EQ(work.epochs, 50);
  EXPECT_EQ(work.train_flops, 22750 * (6 * (30 * 64 + 64 * 32 + 32) - 2 * 30 * 64));
  // Logistic regression: the first layer is the output layer.
  ASSERT_OK_AND_ASSIGN(const Work linear,
                       WorkOf(SpecOf({}, 3), {.features = 7, .outputs = 4, .train_rows = 10}));
  EXPECT_EQ(linear, (Work{7 * 4 + 4, 30 * (6 * 28 - 2 * 28), 3}));
}

TEST(WorkBudgetTest, RunsAreSeedsOrFolds) {
  v1::TrainingSpec spec = SpecOf({}, 3);
  spec.set_seed_count(5);
  ASSERT_OK_AND_ASSIGN(const Work seeds, WorkOf(spec, {1, 1, 10}));
  EXPECT_EQ(seeds.train_flops, 150 * 4);
  EXPECT_EQ(seeds.parameters, 2);
  spec.clear_seed_count();
  spec.mutable_split()->set_fold_count(4);
  ASSERT_OK_AND_ASSIGN(const Work folds, WorkOf(spec, {1, 1, 10}));
  EXPECT_EQ(folds.train_flops, 120 * 4);
}

// A limit must hold whatever the line search does.
TEST(WorkBudgetTest, AStepOfLbfgsIsAsManyEvaluationsAsItMayMake) {
  v1::TrainingSpec spec = SpecOf({}, 3);
  spec.mutable_optimizer()->set_kind(v1::OptimizerSpec::LBFGS);
  ASSERT_OK_AND_ASSIGN(const Work work, WorkOf(spec, {1, 1, 10}));
  EXPECT_EQ(work.train_flops, 26 * 30 * 4);
}

// Numbers in the arrays of a network that was really built.
int64_t NumbersOf(const MlpWeights& weights) {
  size_t count = 0;
  for (const LayerWeights& layer : weights) {
    count += layer.weights.size() + layer.biases.size() + layer.gains.size() + layer.shifts.size();
  }
  return static_cast<int64_t>(count);
}

TEST(WorkBudgetTest, AgreesWithNetworksThatAreBuilt) {
  Rng rng(5, RngStream::kAnalysis);
  for (int round = 0; round < 300; ++round) {
    v1::TrainingSpec spec = SpecOf({}, 1 + static_cast<int>(rng.Below(9)));
    MlpConfig config{.features = 1 + static_cast<int64_t>(rng.Below(20)),
                     .outputs = 1 + static_cast<int64_t>(rng.Below(5))};
    for (uint64_t i = rng.Below(4); i > 0; --i) {
      const int units = 1 + static_cast<int>(rng.Below(20));
      const bool bias = rng.Below(2) == 0;
      const auto normalization = static_cast<int>(rng.Below(4));
      v1::LayerSpec* layer = spec.add_layers();
      layer->set_units(units);
      if (!bias || rng.Below(2) == 0) layer->set_bias(bias);
      layer->set_normalization(static_cast<v1::Normalization>(normalization));
      config.layers.push_back({.units = units,
                               .bias = bias,
                               .normalization = static_cast<Normalization>(normalization)});
      if (normalization == 0) config.layers.back().normalization = Normalization::kNone;
    }
    config.output_bias = rng.Below(2) == 0;
    if (!config.output_bias || rng.Below(2) == 0) spec.set_output_bias(config.output_bias);
    const int64_t rows = 1 + static_cast<int64_t>(rng.Below(1000));
    ASSERT_OK_AND_ASSIGN(const Work work, WorkOf(spec, {config.features, config.outputs, rows}));
    EXPECT_EQ(work.parameters, NumbersOf(ZeroWeights(config)));
    EXPECT_EQ(work.train_flops, rows * spec.epochs() * TrainFlopsPerRow(config));
  }
}

TEST(WorkBudgetTest, WhatDoesNotFitIsAnErrorAndNeverWraps) {
  const int huge = std::numeric_limits<int32_t>::max();
  const int64_t most = std::numeric_limits<int64_t>::max();
  const v1::TrainingSpec specs[] = {SpecOf({huge, huge, huge, huge}, 1), SpecOf({2}, huge),
                                    SpecOf({huge}, huge)};
  for (const v1::TrainingSpec& spec : specs) {
    EXPECT_THAT(WorkOf(spec, {.features = most, .outputs = 1, .train_rows = most}).status(),
                HasReason(ErrorReason::kTooLarge));
  }
  // The largest that fits: 2^61 · (6 - 2) would be 2^63.
  EXPECT_THAT(WorkOf(SpecOf({}, 1), {1, 1, int64_t{1} << 61}).status(),
              HasReason(ErrorReason::kTooLarge));
  ASSERT_OK_AND_ASSIGN(const Work work, WorkOf(SpecOf({}, 1), {1, 1, (int64_t{1} << 61) - 1}));
  EXPECT_EQ(work.train_flops, most - 3);
}

TEST(WorkBudgetTest, EveryCountBelowOneIsNamed) {
  v1::TrainingSpec spec = SpecOf({3, 0, -5}, 0);
  spec.set_seed_count(0);
  spec.mutable_split()->set_fold_count(-1);
  EXPECT_THAT(
      ViolatedFields(WorkOf(spec, {0, 0, 0}).status()),
      ElementsAre("spec.layers[1].units", "spec.layers[2].units", "spec.epochs", "spec.seed_count",
                  "spec.split.fold_count", "features", "outputs", "training rows"));
}

TEST(WorkBudgetTest, EveryLimitIsCheckedWithItsNumbers) {
  const Work work{.parameters = 18410, .train_flops = 512, .epochs = 100};
  std::vector<FieldViolation> violations;
  CheckWork(work, {}, "spec", &violations);
  CheckWork(work, {18410, 512, 100}, "spec", &violations);
  EXPECT_TRUE(violations.empty());
  CheckWork(work, {18409, 511, 99}, "spec", &violations);
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_THAT(violations[0].description, HasSubstr("18410 parameters, and 18409 are allowed"));
  EXPECT_THAT(violations[1].description, HasSubstr("512 training operations, and 511 are"));
  EXPECT_THAT(violations[2].description, HasSubstr("100 epochs, and 99 are"));
  EXPECT_TRUE(IsWithin(work, {18410, 512, 100}));
  EXPECT_FALSE(IsWithin(work, {.parameters_max = 18409}));
  EXPECT_FALSE(IsWithin(work, {.train_flops_max = 511}));
  EXPECT_FALSE(IsWithin(work, {.epochs_max = 99}));
}

}  // namespace
}  // namespace trainyard
