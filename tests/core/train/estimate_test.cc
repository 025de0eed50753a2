// Counts against sums written out by hand; that memory is what a process takes is
// training_memory_test's, which has the same formula.
#include "core/train/estimate.h"

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
#include "tests/support/synthetic_data.h"

namespace trainyard {
namespace {

// 100 rows of two numbers and a class.
Schema SmallSchema() {
  std::string csv = "x,z,y\n";
  for (int i = 0; i < 100; ++i)
    absl::StrAppend(&csv, i * 0.5, ",", 100 - i * 0.25, ",", i % 2 == 0 ? "a" : "b", "\n");
  return SchemaOf(TableOf(csv));
}

TrainConfig Resolved(TrainConfig config) {
  config.data.target_column = std::string("y");
  config.data.split.validation_fraction = 0.2;
  config.data.split.test_fraction = 0.1;
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
  config = ResolveTrainConfig(config, SmallSchema(), &violations, &notes);
  TY_CHECK(violations.empty());
  return config;
}

// 2 → 8 → 1.
constexpr int64_t kParameters = 2 * 8 + 8 + 8 + 1;
constexpr double kForward = 2 * (2 * 8 + 8 * 1);
constexpr double kTrain = 3 * kForward - 2 * 2 * 8;  // no gradient of the input

TEST(EstimateTest, CountsOneRun) {
  const TrainConfig config = Resolved({.layers = {{.units = 8}}, .batch_size = 32, .epochs = 5});
  const ResourceEstimate estimate = EstimateResources(config, SmallSchema());
  EXPECT_EQ(estimate.parameter_count, kParameters);
  EXPECT_EQ(estimate.steps, 5 * 3);
  EXPECT_EQ(estimate.flops, 5 * 70 * kTrain + (5 * 20 + 10) * kForward);
  // Adam: parameters, gradients and two moments; inputs, outputs and gradients of a batch;
  // features.
  EXPECT_EQ(estimate.memory_bytes, 4 * (4 * kParameters + 32 * (2 + 3 * 8 + 3) + 100 * 2));
}

TEST(EstimateTest, CountsEverySeedAndEveryEvaluation) {
  const TrainConfig config = Resolved({.layers = {{.units = 8}},
                                       .batch_size = 32,
                                       .epochs = 5,
                                       .max_steps = 7,  // two epochs and a step of the third
                                       .evaluation_interval = 2,
                                       .seed_count = 3});
  const ResourceEstimate estimate = EstimateResources(config, SmallSchema());
  EXPECT_EQ(estimate.steps, 3 * 7);
  EXPECT_EQ(estimate.flops, 3 * ((2 * 70 + 32) * kTrain + ((3 + 3) * 20 + 10) * kForward));
}

TEST(EstimateTest, CountsEveryFold) {
  TrainConfig config{.layers = {{.units = 8}}, .batch_size = 32, .epochs = 2};
  config.data.target_column = std::string("y");
  config.data.split.fold_count = 4;
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
  config = ResolveTrainConfig(config, SmallSchema(), &violations, &notes);
  ASSERT_TRUE(violations.empty());
  const ResourceEstimate estimate = EstimateResources(config, SmallSchema());
  EXPECT_EQ(estimate.flops, 4 * (2 * 75 * kTrain + 2 * 25 * kForward));
}

TEST(EstimateTest, MemoryIsThatOfWhatTheRunKeeps) {
  const auto bytes_of = [](const TrainConfig& config) {
    return EstimateResources(Resolved(config), SmallSchema()).memory_bytes;
  };
  const TrainConfig plain{.layers = {{.units = 8}}, .epochs = 5};
  TrainConfig more = plain;
  more.optimizer.kind = OptimizerKind::kSgd;  // no moments
  EXPECT_EQ(bytes_of(plain) - bytes_of(more), 4 * 2 * kParameters);
  more = plain;
  more.optimizer.ema_decay = 0.9;  // it, and the weights while it is measured
  more.early_stopping = {.enabled = true, .metric = "loss", .patience = 2, .restore_best = true};
  more.threads = 2;
  EXPECT_EQ(bytes_of(more) - bytes_of(plain), 4 * 4 * kParameters);
  more = plain;
  more.optimizer = {.kind = OptimizerKind::kLbfgs, .history_size = 3};
  more.batch_size = 100;
  more.data.split.validation_fraction = 0.2;
  EXPECT_EQ(bytes_of(more) - bytes_of(plain), 4 * (8 * kParameters + (70 - 32) * (2 + 3 * 8 + 3)));
}

TEST(EstimateTest, RecordsOfLayersTakeACopyOfTheParameters) {
  TrainConfig config = {.layers = {{.units = 8}}, .batch_size = 32, .epochs = 5};
  const int64_t without = EstimateResources(Resolved(config), SmallSchema()).memory_bytes;
  config.layer_records = LayerRecords::kSummary;
  const int64_t with = EstimateResources(Resolved(config), SmallSchema()).memory_bytes;
  EXPECT_EQ(with - without, 4 * kParameters);
}

}  // namespace
}  // namespace trainyard
