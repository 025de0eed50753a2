#include "core/train/train_config.h"

#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

ColumnInfo Feature(const std::string& name) {
  return {.name = name, .type = ColumnType::kNumeric, .distinct_count = 900};
}

// 1 000 rows, features a and b, targets of each task.
Schema MakeSchema() {
  return {.rows = 1000,
          .columns = {Feature("a"),
                      Feature("b"),
                      Feature("price"),
                      {.name = "label",
                       .type = ColumnType::kText,
                       .distinct_count = 2,
                       .values = {"no", "yes"}},
                      {.name = "kind",
                       .type = ColumnType::kText,
                       .distinct_count = 3,
                       .values = {"x", "y", "z"}}}};
}

TrainConfig For(const std::string& target) {
  TrainConfig config;
  config.data.target_column = target;
  config.data.feature_columns = {"a", "b"};
  return config;
}

struct Resolved {
  TrainConfig config;
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
};

Resolved Resolve(const TrainConfig& config, const Schema& schema = MakeSchema()) {
  Resolved resolved;
  resolved.config = ResolveTrainConfig(config, schema, &resolved.violations, &resolved.notes);
  return resolved;
}

std::vector<std::string> FieldsOf(const Resolved& resolved) {
  std::vector<std::string> fields;
  for (const FieldViolation& v : resolved.violations) fields.push_back(v.field);
  return fields;
}

TEST(TrainConfigTest, DefaultsAreFilledIn) {
  const Resolved resolved = Resolve(For("label"));
  EXPECT_THAT(FieldsOf(resolved), IsEmpty());
  EXPECT_EQ(resolved.config.data.task, Task::kBinary);
  EXPECT_EQ(resolved.config.loss, LossKind::kBinaryCrossEntropy);
  EXPECT_EQ(resolved.config.optimizer.kind, OptimizerKind::kAdam);
  EXPECT_EQ(resolved.config.optimizer.learning_rate, 0.001);
  EXPECT_EQ(resolved.config.batch_size, 32);
  EXPECT_EQ(resolved.config.epochs, 20);
  EXPECT_GE(resolved.config.step_event_interval, 1);
}

TEST(TrainConfigTest, ResolvingTwiceChangesNothing) {
  TrainConfig config = For("kind");
  config.layers = {{64, Activation::kUnspecified}};
  const Resolved once = Resolve(config);
  const Resolved twice = Resolve(once.config);
  EXPECT_THAT(FieldsOf(twice), IsEmpty());
  EXPECT_EQ(once.config.layers[0].activation, Activation::kRelu);
  EXPECT_EQ(twice.config.step_event_interval, once.config.step_event_interval);
  EXPECT_EQ(twice.config.loss, once.config.loss);
  EXPECT_EQ(twice.config.optimizer.learning_rate, once.config.optimizer.learning_rate);
}

TEST(TrainConfigTest, TheLossFollowsTheTask) {
  EXPECT_EQ(Resolve(For("kind")).config.loss, LossKind::kSoftmaxCrossEntropy);
  EXPECT_EQ(Resolve(For("price")).config.loss, LossKind::kMeanSquaredError);
}

TEST(TrainConfigTest, EveryFaultIsToldAtOnce) {
  TrainConfig config = For("label");
  config.layers = {{8, Activation::kRelu}, {0, Activation::kRelu}, {70'000, Activation::kTanh}};
  config.init = InitKind::kZeros;
  config.loss = LossKind::kMeanSquaredError;
  config.optimizer = {.kind = OptimizerKind::kSgd,
                      .learning_rate = -1,
                      .momentum = 1,
                      .beta1 = 0.9,
                      .weight_decay = kNan};
  config.batch_size = 0;
  config.epochs = 100'001;
  config.threads = 0;
  config.step_event_interval = -1;
  config.runtime_seconds_max = 1e9;
  EXPECT_THAT(FieldsOf(Resolve(config)),
              UnorderedElementsAre("layers[1].units", "layers[2].units", "init", "loss",
                                   "optimizer.learning_rate", "optimizer.momentum",
                                   "optimizer.beta1", "optimizer.weight_decay", "batch_size",
                                   "epochs", "threads", "step_event_interval", "max_runtime"));
}

TEST(TrainConfigTest, FaultsOfTheDataAreToldWithTheOthers) {
  TrainConfig config = For("lable");
  config.batch_size = 0;
  EXPECT_THAT(FieldsOf(Resolve(config)), UnorderedElementsAre("target_column", "batch_size"));
}

TEST(TrainConfigTest, AFaultHasValueLimitAndRemedy) {
  TrainConfig config = For("label");
  config.layers = {{70'000, Activation::kRelu}};
  EXPECT_THAT(Resolve(config).violations[0].description,
              AllOf(HasSubstr("70000"), HasSubstr("65536"), HasSubstr("64")));
  config = For("label");
  config.optimizer.learning_rate = 1e7;
  EXPECT_THAT(Resolve(config).violations[0].description,
              AllOf(HasSubstr("10000000"), HasSubstr("at most 1e6"), HasSubstr("0.001")));
  config = For("label");
  config.optimizer.momentum = 0.9;
  EXPECT_THAT(Resolve(config).violations[0].description,
              AllOf(HasSubstr("0.9"), HasSubstr("ADAM"), HasSubstr("SGD")));
}

struct NumberCase {
  const char* field;
  void (*set)(OptimizerConfig*, double);
  std::vector<double> good;
  std::vector<double> bad;
};

TEST(TrainConfigTest, RangesOfTheOptimizersNumbers) {
  const double inf = std::numeric_limits<double>::infinity();
  const NumberCase cases[] = {
      {"optimizer.learning_rate",
       [](OptimizerConfig* o, double v) { o->learning_rate = v; },
       {1e-12, 1, 1e6},
       {0, -1, 1.1e6, inf, kNan}},
      {"optimizer.beta1",
       [](OptimizerConfig* o, double v) { o->beta1 = v; },
       {0, 0.999999},
       {1, -0.1, kNan, inf}},
      {"optimizer.beta2",
       [](OptimizerConfig* o, double v) { o->beta2 = v; },
       {0, 0.5},
       {1, 2, kNan}},
      {"optimizer.epsilon",
       [](OptimizerConfig* o, double v) { o->epsilon = v; },
       {1e-30, 1},
       {0, -1, 1.5, kNan}},
      {"optimizer.weight_decay",
       [](OptimizerConfig* o, double v) { o->weight_decay = v; },
       {0, 1e6},
       {-1e-9, 2e6, inf, kNan}},
  };
  for (const NumberCase& c : cases) {
    for (const bool good : {true, false}) {
      for (const double value : good ? c.good : c.bad) {
        TrainConfig config = For("label");
        c.set(&config.optimizer, value);
        const std::vector<std::string> fields = FieldsOf(Resolve(config));
        const std::vector<std::string> expected =
            good ? std::vector<std::string>{} : std::vector<std::string>{c.field};
        EXPECT_EQ(fields, expected) << c.field << " " << value;
      }
    }
  }
}

TEST(TrainConfigTest, TooManyLayers) {
  TrainConfig config = For("label");
  config.layers.assign(65, {4, Activation::kRelu});
  EXPECT_THAT(FieldsOf(Resolve(config)), ElementsAre("layers"));
}

TEST(TrainConfigTest, TooManyParameters) {
  TrainConfig config = For("label");
  config.layers.assign(2, {32'768, Activation::kRelu});  // 2^30 in the second alone
  EXPECT_THAT(FieldsOf(Resolve(config)), ElementsAre("layers"));
}

TEST(TrainConfigTest, ZerosIsFineWithoutHiddenLayers) {
  TrainConfig config = For("label");
  config.init = InitKind::kZeros;
  EXPECT_THAT(FieldsOf(Resolve(config)), IsEmpty());
}

TEST(TrainConfigTest, ANetworkOfIdentitiesIsNotedAsLinear) {
  TrainConfig config = For("label");
  config.layers = {{8, Activation::kIdentity}, {8, Activation::kIdentity}};
  EXPECT_THAT(Resolve(config).notes, testing::Contains(HasSubstr("linear")));
  config.layers[1].activation = Activation::kTanh;
  EXPECT_THAT(Resolve(config).notes, testing::Not(testing::Contains(HasSubstr("linear"))));
}

TEST(TrainConfigTest, TooManyEvents) {
  TrainConfig config = For("label");
  config.batch_size = 1;
  config.epochs = 100'000;
  config.step_event_interval = 10;
  EXPECT_THAT(FieldsOf(Resolve(config)), ElementsAre("step_event_interval"));
  config.step_event_interval = 0;
  const Resolved chosen = Resolve(config);
  EXPECT_THAT(FieldsOf(chosen), IsEmpty());
  const int64_t steps = StepsTotal(chosen.config, 1000);
  EXPECT_LE(steps / chosen.config.step_event_interval + config.epochs, limits::kTrainingEventsMax);
}

TEST(TrainConfigTest, TheChosenIntervalShrinksAsStepsGrowHeavier) {
  TrainConfig small = For("label");
  TrainConfig large = For("label");
  large.layers.assign(3, {4096, Activation::kRelu});
  large.batch_size = 512;
  EXPECT_GT(Resolve(small).config.step_event_interval,
            Resolve(large).config.step_event_interval * 10);
}

TEST(TrainConfigTest, CountsRowsAndSteps) {
  TrainConfig config = Resolve(For("label")).config;  // 15 % and 15 % of 1 000 rows are kept
  EXPECT_EQ(TrainRowCount(config, 1000), 700);
  EXPECT_EQ(StepsTotal(config, 1000), 22 * 20);
  config.batch_size = 5000;
  EXPECT_EQ(StepsTotal(config, 1000), 20);
  EXPECT_EQ(OutputCountOf(Resolve(For("kind")).config, MakeSchema()), 3);
  EXPECT_EQ(OutputCountOf(config, MakeSchema()), 1);
}

}  // namespace
}  // namespace trainyard
