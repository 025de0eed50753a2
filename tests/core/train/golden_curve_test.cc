// The product's Trainer against PyTorch: same initial weights and batch order, 50 steps, every
// optimizer × loss. Files and their format: tests/golden/make_golden.py.
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/data/batcher.h"
#include "core/train/trainer.h"
#include "gtest/gtest.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

// A file as lines of words, by their first word.
class GoldenFile {
 public:
  explicit GoldenFile(const std::string& name) {
    std::ifstream in(std::string(TY_SOURCE_DIR) + "/tests/golden/loss_curves/" + name + ".txt");
    EXPECT_TRUE(in.good()) << name;
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string key;
      words >> key;
      std::vector<std::string>& entry = lines_[key].emplace_back();
      for (std::string word; words >> word;) entry.push_back(word);
    }
  }

  size_t Count(const std::string& key) const { return lines_.at(key).size(); }
  std::string Word(const std::string& key) const { return lines_.at(key)[0].at(0); }
  double Number(const std::string& key) const { return std::stod(Word(key)); }
  // Line `index` of that key, from word `first` on.
  template <typename T = float>
  std::vector<T> Numbers(const std::string& key, size_t index = 0, size_t first = 0) const {
    std::vector<T> numbers;
    const std::vector<std::string>& words = lines_.at(key).at(index);
    for (size_t i = first; i < words.size(); ++i) {
      numbers.push_back(static_cast<T>(std::stod(words[i])));
    }
    return numbers;
  }

 private:
  std::map<std::string, std::vector<std::vector<std::string>>> lines_;
};

Task TaskOf(const GoldenFile& file) {
  if (file.Word("task") == "binary") return Task::kBinary;
  return file.Word("task") == "multiclass" ? Task::kMulticlass : Task::kRegression;
}

Dataset DatasetOf(const GoldenFile& file) {
  Dataset dataset;
  dataset.config.task = TaskOf(file);
  const auto rows = static_cast<int64_t>(file.Count("x"));
  dataset.train.features = Matrix(rows, static_cast<int64_t>(file.Number("features")));
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<float> x = file.Numbers("x", r);
    std::copy(x.begin(), x.end(), dataset.train.features.row(r).begin());
  }
  if (TaskOf(file) == Task::kMulticlass) {
    dataset.train.classes = file.Numbers<int32_t>("y");
    dataset.classes.resize(static_cast<size_t>(file.Number("outputs")));
  } else {
    dataset.train.targets = file.Numbers("y");
  }
  return dataset;
}

Activation ActivationOf(const GoldenFile& file) {
  if (file.Word("activation") == "tanh") return Activation::kTanh;
  return file.Word("activation") == "relu" ? Activation::kRelu : Activation::kSigmoid;
}

TrainConfig ConfigFrom(const GoldenFile& file) {
  OptimizerConfig optimizer{.learning_rate = file.Number("lr"),
                            .weight_decay = file.Number("weight_decay")};
  optimizer.kind = file.Word("optimizer") == "sgd" ? OptimizerKind::kSgd : OptimizerKind::kAdam;
  if (optimizer.kind == OptimizerKind::kSgd) optimizer.momentum = file.Number("momentum");
  TrainConfig config = ResolvedConfig(TaskOf(file), optimizer);
  for (const int64_t units : file.Numbers<int64_t>("hidden")) {
    config.layers.push_back({units, ActivationOf(file)});
  }
  config.batch_size = static_cast<int64_t>(file.Number("batch_size"));
  config.epochs = static_cast<int64_t>(file.Number("epochs"));
  config.seed = std::stoull(file.Word("seed"));
  return config;
}

MlpWeights WeightsFrom(const GoldenFile& file, const std::string& prefix, const MlpConfig& shape) {
  MlpWeights weights = ZeroWeights(shape);
  EXPECT_EQ(file.Count(prefix + "_weights"), weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i].weights = file.Numbers(prefix + "_weights", i, /*first=*/1);
    weights[i].biases = file.Numbers(prefix + "_biases", i, /*first=*/1);
  }
  return weights;
}

// Relative to the larger of the two and of 0.01: a weight next to zero has no relative error worth
// the name.
void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected,
                 const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const double size = std::max({std::fabs(actual[i]), std::fabs(expected[i]), 0.01f});
    EXPECT_LT(std::fabs(actual[i] - expected[i]) / size, 1e-3) << what << " " << i;
  }
}

class GoldenCurveTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenCurveTest, FiftyStepsAsPyTorch) {
  const GoldenFile file(GetParam());
  const Dataset dataset = DatasetOf(file);
  const TrainConfig config = ConfigFrom(file);
  const MlpConfig shape = MlpConfigOf(config, dataset.feature_count(), dataset.output_count());
  const MlpWeights initial = WeightsFrom(file, "initial", shape);
  for (const auto& kernels : {CreateFastKernels(), CreateReferenceKernels(), CreateDnnlKernels()}) {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<Trainer> trainer,
                         Trainer::Create(config, dataset, &initial, kernels.get()));
    RecordingObserver observer;
    ASSERT_OK_AND_ASSIGN(const TrainResult result, trainer->Run(observer, StopFlag()));
    const std::vector<double> losses = file.Numbers<double>("losses");
    ASSERT_EQ(losses.size(), 50u);
    ASSERT_EQ(observer.steps.size(), losses.size());
    for (size_t i = 0; i < losses.size(); ++i) {
      EXPECT_LT(std::fabs(observer.steps[i].loss - losses[i]) / losses[i], 1e-4) << "step " << i;
    }
    const MlpWeights expected = WeightsFrom(file, "final", shape);
    for (size_t i = 0; i < expected.size(); ++i) {
      ExpectClose(result.weights[i].weights, expected[i].weights, "weight");
      ExpectClose(result.weights[i].biases, expected[i].biases, "bias");
    }
  }
}

TEST_P(GoldenCurveTest, RowsComeInTheFilesOrder) {
  const GoldenFile file(GetParam());
  const Dataset dataset = DatasetOf(file);
  const TrainConfig config = ConfigFrom(file);
  Batcher batcher(dataset.train, config.batch_size, config.seed);
  for (int64_t epoch = 0; epoch < config.epochs; ++epoch) {
    const std::vector<int64_t> order = file.Numbers<int64_t>("order", epoch);
    batcher.StartEpoch(epoch);
    size_t seen = 0;
    while (const Batch* batch = batcher.Next()) {
      for (int64_t r = 0; r < batch->rows; ++r, ++seen) {
        const auto expected = dataset.train.features.row(order.at(seen));
        const float* actual = batch->features + r * dataset.feature_count();
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), actual)) << "row " << seen;
      }
    }
    EXPECT_EQ(seen, order.size());
  }
}

std::vector<std::string> AllFiles() {
  std::vector<std::string> names;
  for (const char* task : {"binary", "multiclass", "regression"}) {
    for (const char* optimizer :
         {"sgd", "sgd_momentum", "sgd_momentum_decay", "adam", "adam_decay"}) {
      names.push_back(std::string(task) + "_" + optimizer);
    }
  }
  return names;
}

std::string NameOf(const testing::TestParamInfo<std::string>& tested) { return tested.param; }

INSTANTIATE_TEST_SUITE_P(Files, GoldenCurveTest, testing::ValuesIn(AllFiles()), NameOf);

}  // namespace
}  // namespace trainyard
