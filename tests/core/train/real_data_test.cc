// Accuracy on real data, over five splits, beside that of PyTorch and scikit-learn with the same
// network, optimizer and splits: tests/golden/make_real_data.py.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/train/trainer.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
#include "tests/support/golden_blocks.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

// The last column of the table is the target, all others are features; `test_rows` ascend.
Dataset DatasetOf(const Table& table, const std::vector<int64_t>& test_rows) {
  std::vector<int64_t> train_rows;
  for (int64_t row = 0; row < table.rows; ++row) {
    if (!std::binary_search(test_rows.begin(), test_rows.end(), row)) train_rows.push_back(row);
  }
  std::vector<const Column*> features;
  for (size_t c = 0; c + 1 < table.columns.size(); ++c) features.push_back(&table.columns[c]);
  const Column& target = table.columns.back();
  Dataset dataset;
  dataset.classes = ClassesOf(target);
  const bool binary = dataset.classes.size() == 2;
  dataset.config.task = binary ? Task::kBinary : Task::kMulticlass;
  dataset.preprocessor = Preprocessor::Fit(features, train_rows, Scaling::kStandardize);
  const EncodedTargets all = *EncodeTargets(target, dataset.config.task, dataset.classes);
  const auto fill = [&](const std::vector<int64_t>& rows, Part* part) {
    part->features = *BuildFeatures(features, rows, dataset.preprocessor);
    for (const int64_t row : rows) {
      if (binary) part->targets.push_back(all.numbers[row]);
      if (!binary) part->classes.push_back(all.classes[row]);
    }
  };
  fill(train_rows, &dataset.train);
  fill(test_rows, &dataset.test);
  return dataset;
}

double TestAccuracy(const Dataset& dataset, uint64_t seed) {
  TrainConfig config =
      ResolvedConfig(dataset.config.task, {.kind = OptimizerKind::kAdam, .learning_rate = 0.01});
  config.layers = {{.units = 16, .activation = Activation::kRelu}};
  config.epochs = 60;
  config.seed = seed;
  auto trainer = Trainer::Create(config, dataset);
  EXPECT_THAT(trainer, IsOk());
  RecordingObserver observer;
  const auto result = (*trainer)->Run(observer, StopFlag());
  EXPECT_THAT(result, IsOk());
  return result->test.Find("accuracy");
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// The mean over the splits is that of `peer` within the standard error of one split's accuracy.
void ExpectWithinAStandardError(const std::vector<double>& own, const std::vector<double>& peer,
                                int64_t test_rows) {
  const double p = Mean(peer);
  EXPECT_NEAR(Mean(own), p, std::sqrt(p * (1 - p) / static_cast<double>(test_rows)));
}

class RealDataTest : public testing::TestWithParam<const char*> {};

TEST_P(RealDataTest, AccuracyIsThatOfPyTorchAndScikitLearn) {
  const std::string path = std::string(TY_SOURCE_DIR) + "/tests/data/" + GetParam() + ".csv";
  const Table table = TableOf(ReadFileForTest(path));
  std::vector<double> own, torch, sklearn;
  int64_t test_rows = 0;
  for (const GoldenBlock& golden : ReadGoldenBlocks("real_data.txt")) {
    if (golden.Text("data") != GetParam()) continue;
    const std::vector<int64_t> rows = golden.Numbers<int64_t>("test_rows");
    test_rows = static_cast<int64_t>(rows.size());
    own.push_back(
        TestAccuracy(DatasetOf(table, rows), static_cast<uint64_t>(golden.Number("seed"))));
    torch.push_back(golden.Number("pytorch_accuracy"));
    sklearn.push_back(golden.Number("sklearn_accuracy"));
  }
  ASSERT_EQ(own.size(), 5u);
  RecordProperty("own", std::to_string(Mean(own)));
  RecordProperty("pytorch", std::to_string(Mean(torch)));
  RecordProperty("sklearn", std::to_string(Mean(sklearn)));
  ExpectWithinAStandardError(own, torch, test_rows);
  ExpectWithinAStandardError(own, sklearn, test_rows);
}

INSTANTIATE_TEST_SUITE_P(, RealDataTest, testing::Values("wdbc", "iris"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace trainyard
