// A target in any unit is learned alike, and everything that is said of it is in its own unit.
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/train/learning_rate_finder.h"
#include "core/train/trainer.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

constexpr int64_t kRows = 300;

// Features "a" and "b"; y is what `of` makes of a smooth function of them and noise, of deviation
// around 1.
Table MakeTable(const std::function<double(double)>& of) {
  Rng rng(3, RngStream::kAnalysis);
  std::vector<double> a, b, y;
  for (int64_t i = 0; i < kRows; ++i) {
    a.push_back(rng.Normal());
    b.push_back(5 + 2 * rng.Normal());
    y.push_back(of(0.75 * a.back() + std::sin(b.back()) + 0.1 * rng.Normal()));
  }
  Table table{.rows = kRows};
  for (auto& [name, numbers] : {std::pair{"a", &a}, {"b", &b}, {"y", &y}}) {
    Column column{.name = name};
    column.numbers = std::move(*numbers);
    column.stats.distinct_count = kRows;
    table.columns.push_back(std::move(column));
  }
  return table;
}

TrainConfig ConfigOf(LossKind loss, TargetScaling scaling) {
  TrainConfig config{.layers = {{.units = 8, .activation = Activation::kTanh}}};
  config.data.target_column = std::string("y");
  config.data.task = Task::kRegression;
  config.data.target_scaling = scaling;
  config.loss.kind = loss;
  config.optimizer.learning_rate = 0.01;
  config.epochs = 5;
  config.step_event_interval = 1;
  return config;
}

struct Trained {
  TrainConfig config;
  Dataset dataset;
  RecordingObserver observer;
  TrainResult result;

  double loss_unit() const { return LossUnit(LossConfigOf(config, dataset)); }
};

Trained Train(const TrainConfig& config, const Table& table) {
  Trained run;
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
  run.config = ResolveTrainConfig(config, SchemaOf(table), &violations, &notes);
  EXPECT_TRUE(violations.empty()) << violations[0].field << ": " << violations[0].description;
  auto dataset = BuildDataset(table, run.config.data, run.config.seed);
  EXPECT_THAT(dataset, IsOk());
  run.dataset = *std::move(dataset);
  auto trainer = Trainer::Create(run.config, run.dataset);
  EXPECT_THAT(trainer, IsOk());
  auto result = (*trainer)->Run(run.observer, StopFlag());
  EXPECT_THAT(result, IsOk());
  run.result = *std::move(result);
  return run;
}

void ExpectSameWeights(const MlpWeights& a, const MlpWeights& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].weights.size(), b[i].weights.size());
    for (size_t k = 0; k < a[i].weights.size(); ++k) {
      EXPECT_NEAR(a[i].weights[k], b[i].weights[k], tolerance) << i << ", " << k;
    }
    for (size_t k = 0; k < a[i].biases.size(); ++k) {
      EXPECT_NEAR(a[i].biases[k], b[i].biases[k], tolerance) << i << ", " << k;
    }
  }
}

// Least squares of y on (x, 1) in double, by the normal equations of two features.
struct Line {
  double slope = 0;
  double intercept = 0;
  double mean_square = 0;  // of what is left
};

Line FitLine(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) mean_x += x[i] / n, mean_y += y[i] / n;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  Line line{.slope = xy / xx, .intercept = mean_y - xy / xx * mean_x};
  for (size_t i = 0; i < x.size(); ++i) {
    const double e = y[i] - line.intercept - line.slope * x[i];
    line.mean_square += e * e / n;
  }
  return line;
}

// y = 1e6 + 25 000·x + noise of 3 000: what Adam at its default rate would not reach in a lifetime.
TEST(TargetScalingTest, LinearRegressionReachesLeastSquaresOfAMillion) {
  for (const OptimizerKind optimizer : {OptimizerKind::kSgd, OptimizerKind::kLbfgs}) {
    Rng rng(4, RngStream::kAnalysis);
    std::string csv = "x,y\n";
    for (int64_t i = 0; i < 200; ++i) {
      const double x = 10 + 2 * rng.Normal();
      absl::StrAppend(&csv, x, ",", static_cast<int64_t>(1'000'000 + 25'000 * x + 3'000 * rng.Normal()),
                      ".5\n");
    }
    const Table table = TableOf(csv);
    TrainConfig config = ConfigOf(LossKind::kMeanSquaredError, TargetScaling::kUnspecified);
    config.layers.clear();
    config.optimizer = {.kind = optimizer};
    if (optimizer == OptimizerKind::kSgd) config.optimizer.learning_rate = 0.2;
    config.batch_size = 200;
    config.epochs = 60;
    config.data.split = {.validation_fraction = 0, .test_fraction = 0};
    const Trained run = Train(config, table);
    const std::vector<double> x(table.columns[0].numbers.begin(), table.columns[0].numbers.end());
    const std::vector<double> y(table.columns[1].numbers.begin(), table.columns[1].numbers.end());
    const Line line = FitLine(x, y);
    const double w = run.result.weights[0].weights[0] * run.dataset.preprocessor.scales()[0];
    const double slope = w * run.dataset.target_scale;
    const double intercept = run.result.weights[0].biases[0] * run.dataset.target_scale +
                             run.dataset.target_offset -
                             slope * run.dataset.preprocessor.offsets()[0];
    EXPECT_NEAR(slope, line.slope, 1e-5 * line.slope);
    EXPECT_NEAR(intercept, line.intercept, 1e-5 * line.intercept);
    EXPECT_NEAR(run.observer.steps.back().loss, line.mean_square, 1e-5 * line.mean_square);
  }
}

// The same network, trained on targets that were scaled beforehand.
TEST(TargetScalingTest, IsWhatScalingByHandGives) {
  const Table raw = MakeTable([](double y) { return 2e5 + 3e4 * y; });
  for (const LossKind loss : {LossKind::kMeanSquaredError, LossKind::kMeanAbsoluteError,
                              LossKind::kHuber, LossKind::kQuantile}) {
    SCOPED_TRACE(static_cast<int>(loss));
    TrainConfig config = ConfigOf(loss, TargetScaling::kUnspecified);
    if (loss == LossKind::kHuber) config.loss.delta = 2e4;
    const Trained scaled = Train(config, raw);
    const double scale = scaled.dataset.target_scale;
    const double offset = scaled.dataset.target_offset;
    EXPECT_GT(scale, 2e4);
    Table by_hand = raw;
    std::vector<double> targets;
    for (const double y : raw.columns[2].numbers) targets.push_back((y - offset) / scale);
    by_hand.columns[2].numbers = std::move(targets);
    config.data.target_scaling = TargetScaling::kNone;
    if (loss == LossKind::kHuber) config.loss.delta = 2e4 / scale;
    const Trained plain = Train(config, by_hand);
    EXPECT_EQ(plain.dataset.target_scale, 1);

    ExpectSameWeights(scaled.result.weights, plain.result.weights, 0);
    const double unit = scaled.loss_unit();
    EXPECT_EQ(plain.loss_unit(), 1);
    ASSERT_EQ(scaled.observer.steps.size(), plain.observer.steps.size());
    for (size_t i = 0; i < scaled.observer.steps.size(); ++i) {
      const double expected = plain.observer.steps[i].loss * unit;
      EXPECT_NEAR(scaled.observer.steps[i].loss, expected, 1e-12 * expected);
      EXPECT_EQ(scaled.observer.steps[i].gradient_norm, plain.observer.steps[i].gradient_norm);
    }
    const EvalResult& test = scaled.result.test;
    EXPECT_NEAR(test.Find("loss"), plain.result.test.Find("loss") * unit, 1e-9 * unit);
    EXPECT_NEAR(test.Find("rmse"), plain.result.test.Find("rmse") * scale, 1e-6 * scale);
    EXPECT_NEAR(test.Find("mae"), plain.result.test.Find("mae") * scale, 1e-6 * scale);
    EXPECT_NEAR(test.Find("r2"), plain.result.test.Find("r2"), 1e-6);
    EXPECT_NEAR(scaled.observer.epochs.back().validation.Find("loss"),
                plain.observer.epochs.back().validation.Find("loss") * unit, 1e-9 * unit);
  }
}

// Values of the network on the test rows.
std::vector<double> ValuesOf(const Trained& run) {
  const Part& test = run.dataset.test;
  auto mlp =
      Mlp::Create(ConfigOf(run.result.weights), *CreateFastKernels(), {.forward = {test.rows()}});
  EXPECT_THAT(mlp, IsOk());
  EXPECT_THAT((*mlp)->LoadWeights(run.result.weights), IsOk());
  EXPECT_THAT((*mlp)->Forward(test.features.data(), test.rows()), IsOk());
  const LossConfig loss = LossConfigOf(run.config, run.dataset);
  std::vector<double> values;
  for (int64_t r = 0; r < test.rows(); ++r) values.push_back(ValueOf(loss, (*mlp)->logits()[r]));
  return values;
}

TEST(TargetScalingTest, AnotherUnitOfYGivesTheSameModelInThatUnit) {
  const auto train = [](double a, double b, OptimizerKind optimizer) {
    TrainConfig config = ConfigOf(LossKind::kMeanSquaredError, TargetScaling::kUnspecified);
    config.optimizer = {.kind = optimizer};
    if (optimizer == OptimizerKind::kLbfgs) config.batch_size = kRows;
    return Train(config, MakeTable([a, b](double y) { return a * y + b; }));
  };
  const std::pair<double, double> units[] = {{1e-6, 0}, {1e6, -3e5}, {1, 1e7}};
  for (const OptimizerKind optimizer : {OptimizerKind::kAdam, OptimizerKind::kLbfgs}) {
    const std::vector<double> plain = ValuesOf(train(1, 0, optimizer));
    for (const auto& [a, b] : units) {
      SCOPED_TRACE(absl::StrCat(a, ", ", b));
      const std::vector<double> values = ValuesOf(train(a, b, optimizer));
      for (size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR((values[i] - b) / a, plain[i], 2e-4);
      }
    }
  }
}

TEST(TargetScalingTest, TheFinderTellsLossesInTheUnitOfY) {
  const Table table = MakeTable([](double y) { return 1000 * y; });
  const TrainConfig config = ConfigOf(LossKind::kMeanSquaredError, TargetScaling::kUnspecified);
  const Trained run = Train(config, table);
  const auto found = FindLearningRate(run.config, run.dataset, nullptr, {}, nullptr, StopFlag());
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->losses[0], run.observer.steps[0].loss);
  EXPECT_GT(found->losses[0], 1e5);
}

}  // namespace
}  // namespace trainyard
