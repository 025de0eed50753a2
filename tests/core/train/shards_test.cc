#include "core/train/shards.h"

#include <cmath>
#include <memory>
#include <vector>

#include "core/nn/init.h"
#include "core/train/trainer.h"
#include "gtest/gtest.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

constexpr int64_t kFeatures = 7;

MlpConfig Shape(double dropout) {
  return {.features = kFeatures,
          .layers = {{.units = 24, .activation = Activation::kTanh, .dropout = dropout},
                     {.units = 9, .activation = Activation::kRelu}},
          .outputs = 1};
}

struct Gradient {
  double loss = 0;
  std::vector<float> values;
};

// Loss and gradient of the first `rows` rows.
Gradient GradientOf(const Part& part, int64_t rows, int64_t threads, double dropout) {
  const MlpConfig shape = Shape(dropout);
  const LossConfig loss{.kind = LossKind::kBinaryCrossEntropy};
  auto shards = Shards::Create(shape, *CreateFastKernels(), {.train = {rows, 1}}, loss, threads);
  EXPECT_THAT(shards, IsOk());
  EXPECT_THAT((*shards)->network().LoadWeights(InitialWeights(shape, 3)), IsOk());
  const Batch batch{.rows = rows,
                    .features = part.features.data(),
                    .targets = part.targets.data(),
                    .weights = part.weights.empty() ? nullptr : part.weights.data()};
  const double weight =
      BatchWeight(loss, {.values = batch.targets, .weights = batch.weights}, rows, /*outputs=*/1);
  auto value = (*shards)->LossAndGradient(batch, weight, {.seed = 5, .step = 11});
  EXPECT_THAT(value, IsOk());
  const auto gradients = (*shards)->network().gradients();
  return {*value, {gradients.begin(), gradients.end()}};
}

TEST(ShardsTest, AnyNumberOfThreadsGivesTheSameGradient) {
  Part part = SyntheticPart({.features = kFeatures}, 100, 1);
  for (int64_t r = 0; r < 100; ++r) part.weights.push_back(static_cast<float>(1 + r % 3));
  for (const double dropout : {0.0, 0.4}) {
    for (const int64_t rows : {1, 2, 5, 32, 100}) {
      const Gradient one = GradientOf(part, rows, 1, dropout);
      for (const int64_t threads : {2, 3, 7}) {
        const Gradient many = GradientOf(part, rows, threads, dropout);
        EXPECT_NEAR(many.loss, one.loss, 1e-6) << rows << " " << threads;
        ASSERT_EQ(many.values.size(), one.values.size());
        for (size_t i = 0; i < one.values.size(); ++i) {
          EXPECT_NEAR(many.values[i], one.values[i], 1e-5) << rows << " " << threads;
        }
      }
    }
  }
}

TEST(ShardsTest, WideLayersAndBatchNormalisationAreNotSharedOut) {
  EXPECT_TRUE(UseShards(Shape(0), 2));
  EXPECT_FALSE(UseShards(Shape(0), 1));
  MlpConfig wide = Shape(0);
  wide.layers[1].units = 513;
  EXPECT_FALSE(UseShards(wide, 2));
  MlpConfig normalised = Shape(0);
  normalised.layers[0].normalization = Normalization::kBatch;
  EXPECT_FALSE(UseShards(normalised, 2));
  normalised.layers[0].normalization = Normalization::kLayer;
  EXPECT_TRUE(UseShards(normalised, 2));
}

TEST(ShardsTest, FindsWhatIsNotANumberInAnyChunk) {
  Part part = SyntheticPart({.features = kFeatures}, 40, 1);
  part.features.row(33)[2] = std::nanf("");
  const MlpConfig shape = Shape(0);
  const LossConfig loss{.kind = LossKind::kBinaryCrossEntropy};
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Shards> shards,
      Shards::Create(shape, *CreateFastKernels(), {.train = {40}}, loss, /*threads=*/2));
  ASSERT_THAT(shards->network().LoadWeights(InitialWeights(shape, 3)), IsOk());
  const Batch batch{.rows = 40, .features = part.features.data(), .targets = part.targets.data()};
  ASSERT_THAT(shards->LossAndGradient(batch, 40, {}), IsOk());
  EXPECT_EQ(shards->FindNonFinite(40), "layers[0] outputs");
  EXPECT_EQ(shards->FindNonFinite(0), "output gradients");  // of the sum over all chunks
}

TrainConfig Threaded(int64_t threads) {
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.layers = {{.units = 30, .activation = Activation::kRelu, .dropout = 0.2},
                   {.units = 11, .activation = Activation::kTanh}};
  config.threads = threads;
  config.epochs = 20;
  return config;
}

MlpWeights Train(const TrainConfig& config, const Dataset& dataset) {
  RecordingObserver observer;
  auto trainer = Trainer::Create(config, dataset);
  EXPECT_THAT(trainer, IsOk());
  auto result = (*trainer)->Run(observer, StopFlag());
  EXPECT_THAT(result, IsOk());
  return result->weights;
}

// 800 steps with pauses of different lengths between them, so that helpers are met spinning,
// yielding and asleep.
TEST(ShardsTest, ManyStepsAreTheSameBitsEveryTime) {
  const Dataset dataset = SyntheticDataset({.rows = 325, .validation_rows = 600, .features = 5});
  for (const int64_t threads : {2, 4}) {
    const MlpWeights first = Train(Threaded(threads), dataset);
    const MlpWeights second = Train(Threaded(threads), dataset);
    for (size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(first[i].weights, second[i].weights) << threads;
      EXPECT_EQ(first[i].biases, second[i].biases) << threads;
    }
  }
}

TEST(ShardsTest, TwoThreadsTrainAsOneDoes) {
  const Dataset dataset = SyntheticDataset({.rows = 325, .features = 5});
  const MlpWeights one = Train(Threaded(1), dataset);
  const MlpWeights two = Train(Threaded(2), dataset);
  for (size_t i = 0; i < one.size(); ++i) {
    for (size_t k = 0; k < one[i].weights.size(); ++k) {
      EXPECT_NEAR(one[i].weights[k], two[i].weights[k], 1e-3);
    }
  }
}

// Large enough for the gathering of rows and the update to be shared out too.
TEST(ShardsTest, LargeBatchesAndNetworksAreSharedOutAltogether) {
  const Dataset dataset = SyntheticDataset({.rows = 300, .features = 300});
  TrainConfig config = Threaded(1);
  config.layers = {{.units = 200}};
  config.batch_size = 128;
  config.epochs = 4;
  const MlpWeights one = Train(config, dataset);
  for (const int64_t threads : {2, 3}) {
    config.threads = threads;
    const MlpWeights many = Train(config, dataset);
    for (size_t k = 0; k < one[0].weights.size(); ++k) {
      ASSERT_NEAR(one[0].weights[k], many[0].weights[k], 1e-3) << threads;
    }
    EXPECT_EQ(many[0].weights, Train(config, dataset)[0].weights);
  }
}

TEST(ShardsTest, KernelThreadsTrainWhatIsNotSharedOut) {
  const Dataset dataset = SyntheticDataset({.rows = 100, .features = 5});
  TrainConfig config = Threaded(1);
  config.epochs = 2;
  config.layers = {{.units = 600, .normalization = Normalization::kBatch}};
  const MlpWeights one = Train(config, dataset);
  config.threads = 2;
  const MlpWeights two = Train(config, dataset);
  for (size_t k = 0; k < one[1].weights.size(); ++k) {
    EXPECT_NEAR(one[1].weights[k], two[1].weights[k], 1e-3);
  }
}

}  // namespace
}  // namespace trainyard
