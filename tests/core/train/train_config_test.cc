#include "core/train/train_config.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
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
  EXPECT_EQ(resolved.config.loss.kind, LossKind::kBinaryCrossEntropy);
  EXPECT_EQ(resolved.config.optimizer.kind, OptimizerKind::kAdam);
  EXPECT_EQ(resolved.config.optimizer.learning_rate, 0.001);
  EXPECT_EQ(resolved.config.batch_size, 32);
  EXPECT_EQ(resolved.config.epochs, 46);
  EXPECT_GE(resolved.config.step_event_interval, 1);
}

// 0.7 of the rows train.
TEST(TrainConfigTest, EpochsFollowTheRowsUnlessGiven) {
  const struct {
    int64_t rows, batch_size, epochs;
    const char* why;
  } cases[] = {
      {100, 32, 200, "one has 3 steps"},        // the most
      {100, 1'000, 200, "one has 1 step and"},  // full batch
      {1'000, 32, 46, "one has 22 steps"},      // 1 012 of them
      {1'000, 7, 20, "one has 100 steps"},      // the least
      {100'000, 32, 20, "one has 2188 steps"},
  };
  for (const auto& c : cases) {
    Schema schema = MakeSchema();
    schema.rows = c.rows;
    TrainConfig config = For("label");
    config.batch_size = c.batch_size;
    const Resolved chosen = Resolve(config, schema);
    ASSERT_THAT(FieldsOf(chosen), IsEmpty());
    EXPECT_EQ(chosen.config.epochs, c.epochs) << c.rows;
    const std::string start = absl::StrCat("epochs: ", c.epochs, ", because ", c.why);
    EXPECT_THAT(chosen.notes, Contains(StartsWith(start)));
    config.epochs = 3;
    const Resolved given = Resolve(config, schema);
    EXPECT_EQ(given.config.epochs, 3);
    EXPECT_THAT(given.notes, Not(Contains(StartsWith("epochs"))));
  }
}

TEST(TrainConfigTest, ChosenEpochsAreAsIfTheyWereGiven) {
  TrainConfig config = For("label");
  config.schedule.kind = ScheduleKind::kCosine;
  const TrainConfig chosen = Resolve(config).config;
  config.epochs = 46;
  const TrainConfig given = Resolve(config).config;
  EXPECT_EQ(chosen.epochs, given.epochs);
  EXPECT_EQ(chosen.schedule.period, given.schedule.period);
  EXPECT_EQ(chosen.step_event_interval, given.step_event_interval);
  EXPECT_THAT(Resolve(chosen).notes, Not(Contains(StartsWith("epochs"))));
}

TEST(TrainConfigTest, EpochsAreChosenByBatchesThatMakeAStepAndTheSmallestFold) {
  TrainConfig config = For("label");
  config.accumulation_steps = 4;
  EXPECT_EQ(Resolve(config).config.epochs, 167);  // 6 steps
  config = For("label");
  config.data.split = {.test_fraction = 0.1, .fold_count = 2};
  EXPECT_EQ(Resolve(config).config.epochs, 67);  // 450 rows
}

TEST(TrainConfigTest, ResolvingTwiceChangesNothing) {
  TrainConfig config = For("kind");
  config.layers = {{64, Activation::kUnspecified}};
  const Resolved once = Resolve(config);
  const Resolved twice = Resolve(once.config);
  EXPECT_THAT(FieldsOf(twice), IsEmpty());
  EXPECT_EQ(once.config.layers[0].activation, Activation::kRelu);
  EXPECT_EQ(twice.config.step_event_interval, once.config.step_event_interval);
  EXPECT_EQ(twice.config.loss.kind, once.config.loss.kind);
  EXPECT_EQ(twice.config.optimizer.learning_rate, once.config.optimizer.learning_rate);
}

TEST(TrainConfigTest, TheLossFollowsTheTask) {
  EXPECT_EQ(Resolve(For("kind")).config.loss.kind, LossKind::kSoftmaxCrossEntropy);
  EXPECT_EQ(Resolve(For("price")).config.loss.kind, LossKind::kMeanSquaredError);
}

TEST(TrainConfigTest, EveryFaultIsToldAtOnce) {
  TrainConfig config = For("label");
  config.layers = {{8, Activation::kRelu}, {0, Activation::kRelu}, {70'000, Activation::kTanh}};
  config.init.kind = InitKind::kZeros;
  config.loss.kind = LossKind::kMeanSquaredError;
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
  config.init.kind = InitKind::kZeros;
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
  const int64_t steps = StepsTotal(chosen.config, {.rows = 1000});
  EXPECT_LE(steps / chosen.config.step_event_interval + config.epochs, limits::kTrainingEventsMax);
}

TEST(TrainConfigTest, TooManyRecordsOfLayers) {
  TrainConfig config = For("label");
  config.layers.assign(7, {8, Activation::kRelu});
  config.epochs = 20'000;  // 8 layers: 73 numbers with histograms, 5 without
  config.layer_records = LayerRecords::kHistograms;
  const Resolved refused = Resolve(config);
  EXPECT_THAT(FieldsOf(refused), ElementsAre("layer_records"));
  EXPECT_THAT(refused.violations[0].description, HasSubstr("11680000 numbers in 20000 epochs"));
  config.layer_records = LayerRecords::kSummary;
  EXPECT_THAT(FieldsOf(Resolve(config)), IsEmpty());
  config.seed_count = 20;
  EXPECT_THAT(FieldsOf(Resolve(config)), testing::Contains("layer_records"));
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
  EXPECT_EQ(TrainRowCount(config, {.rows = 1000}), 700);
  EXPECT_EQ(StepsTotal(config, {.rows = 1000}), 22 * 46);
  config.batch_size = 5000;
  EXPECT_EQ(StepsTotal(config, {.rows = 1000}), 46);
  EXPECT_EQ(OutputCountOf(Resolve(For("kind")).config, MakeSchema()), 3);
  EXPECT_EQ(OutputCountOf(config, MakeSchema()), 1);
}

TrainConfig WithLayer(const LayerConfig& layer) {
  TrainConfig config = For("label");
  config.layers = {layer};
  return config;
}

// One fault each: what is wrong, where, and a word of the remedy.
struct FaultCase {
  const char* field;
  const char* remedy;
  TrainConfig config;
};

void ExpectFaults(const std::vector<FaultCase>& cases) {
  for (const FaultCase& c : cases) {
    const Resolved resolved = Resolve(c.config);
    EXPECT_THAT(FieldsOf(resolved), ElementsAre(c.field)) << c.remedy;
    if (resolved.violations.empty()) continue;
    EXPECT_THAT(resolved.violations[0].description, HasSubstr(c.remedy)) << c.field;
  }
}

template <typename Change>
TrainConfig Changed(TrainConfig config, const Change& change) {
  change(config);
  return config;
}

TEST(TrainConfigTest, FaultsOfLayers) {
  ExpectFaults({
      {"layers[0].alpha", "LEAKY_RELU", WithLayer({.units = 2, .alpha = 0.1})},
      {"layers[0].alpha", "below 1",
       WithLayer({.units = 2, .activation = Activation::kLeakyRelu, .alpha = 1})},
      {"layers[0].alpha", "at most 100",
       WithLayer({.units = 2, .activation = Activation::kElu, .alpha = 0})},
      {"layers[0].dropout", "below 1", WithLayer({.units = 2, .dropout = 1})},
      {"layers[0].dropout", "below 1", WithLayer({.units = 2, .dropout = 0.99999999})},  // 1.0F
      {"layers[0].dropout", "NaN", WithLayer({.units = 2, .dropout = kNan})},
      {"layers[0].residual", "use 2 units", WithLayer({.units = 3, .residual = true})},
      {"input_dropout", "below 1",
       Changed(For("label"), [](TrainConfig& c) { c.input_dropout = -0.1; })},
  });
  EXPECT_THAT(FieldsOf(Resolve(WithLayer({.units = 2, .residual = true}))), IsEmpty());
}

TEST(TrainConfigTest, ParametersAreCountedBesideOtherFaults) {
  TrainConfig config = For("label");
  config.layers = {{.units = 65'536}, {.units = 65'536}};
  config.optimizer.learning_rate = 0;
  EXPECT_THAT(FieldsOf(Resolve(config)), UnorderedElementsAre("layers", "optimizer.learning_rate"));
}

TEST(TrainConfigTest, EvaluationsAreThoseOfTheStepsThatAreDone) {
  TrainConfig config = For("label");
  config.epochs = 100'000;
  config.seed_count = 11;
  config.max_steps = 10;
  const Resolved resolved = Resolve(config);
  EXPECT_THAT(FieldsOf(resolved), IsEmpty());
}

TEST(TrainConfigTest, OptionsThatWouldDoNothingAreFaults) {
  ExpectFaults({
      {"schedule.warmup_steps", "must be fewer",
       Changed(For("label"), [](TrainConfig& c) { c.schedule.warmup_steps = 1'000'000'000; })},
      {"schedule.unit", "leave it out",
       Changed(For("label"), [](TrainConfig& c) { c.schedule.unit = ScheduleUnit::kEpochs; })},
      {"schedule.gamma", "below 1",
       Changed(For("label"),
               [](TrainConfig& c) {
                 c.schedule = {.kind = ScheduleKind::kReduceOnPlateau, .gamma = 1};
               })},
      {"early_stopping.restore_best", "leave one of the two out",
       Changed(For("label"),
               [](TrainConfig& c) {
                 c.early_stopping = {.enabled = true, .restore_best = false, .restore_only = true};
               })},
      {"evaluation_interval", "needs validation rows",
       Changed(For("label"),
               [](TrainConfig& c) {
                 c.evaluation_interval = 5;
                 c.data.split = {.validation_fraction = 0, .test_fraction = 0.1};
               })},
      {"optimizer.learning_rate", "1e-30 or more",
       Changed(For("label"), [](TrainConfig& c) { c.optimizer.learning_rate = 1e-50; })},
  });
}

// 699 training rows: 2 and 349 leave one over.
TEST(TrainConfigTest, TheBatchSizeThatIsAdvisedFits) {
  TrainConfig config = WithLayer({.units = 2, .normalization = Normalization::kBatch});
  config.batch_size = 349;
  config.data.split = {.validation_fraction = 0.151, .test_fraction = 0.15};
  const Resolved resolved = Resolve(config);
  ASSERT_THAT(FieldsOf(resolved), ElementsAre("batch_size"));
  EXPECT_THAT(resolved.violations[0].description, HasSubstr("use a batch_size of 350"));
}

TEST(TrainConfigTest, OrthogonalWeightsHaveALargestCost) {
  TrainConfig config = For("label");
  config.init.kind = InitKind::kOrthogonal;
  config.layers = {{.units = 4096}, {.units = 4096}};
  EXPECT_THAT(FieldsOf(Resolve(config)), IsEmpty());
  config.layers.resize(4, {.units = 4096});
  const Resolved resolved = Resolve(config);
  EXPECT_THAT(FieldsOf(resolved), ElementsAre("init"));
  EXPECT_THAT(resolved.violations[0].description, HasSubstr("another init"));
}

TEST(TrainConfigTest, FaultsOfInit) {
  const auto with = [](InitConfig init) {
    return Changed(For("label"), [&](TrainConfig& c) { c.init = init; });
  };
  ExpectFaults({
      {"init_options.gain", "NORMAL", with({.kind = InitKind::kNormal, .gain = 2})},
      {"init_options.scale", "NORMAL", with({.kind = InitKind::kOrthogonal, .scale = 2})},
      {"init_options.gain", "at most 1000", with({.kind = InitKind::kOrthogonal, .gain = 1001})},
      {"init_options.scale", "above 0", with({.kind = InitKind::kUniform, .scale = 0})},
  });
  EXPECT_EQ(Resolve(with({.kind = InitKind::kUniform})).config.init.scale, 0.01);
}

TEST(TrainConfigTest, FaultsOfInitialWeights) {
  TrainConfig good = WithLayer({.units = 3, .bias = false});
  good.initial_weights = {{.weights = std::vector<float>(6)},
                          {.weights = {1, 2, 3}, .biases = {4}}};
  EXPECT_THAT(FieldsOf(Resolve(good)), IsEmpty());
  const auto changed = [&](auto change) { return Changed(good, change); };
  ExpectFaults({
      {"initial_weights", "must have 2",
       changed([](TrainConfig& c) { c.initial_weights.pop_back(); })},
      {"initial_weights[0].weights", "2 inputs of 3 units",
       changed([](TrainConfig& c) { c.initial_weights[0].weights.pop_back(); })},
      {"initial_weights[0].biases", "bias to true", changed([](TrainConfig& c) {
         c.initial_weights[0].biases = {1, 2, 3};
       })},
      {"initial_weights[1].biases", "must have 1",
       changed([](TrainConfig& c) { c.initial_weights[1].biases.push_back(1); })},
      {"initial_weights[1].weights", "NaN", changed([](TrainConfig& c) {
         c.initial_weights[1].weights[2] = std::numeric_limits<float>::quiet_NaN();
       })},
      {"init", "initial_weights",
       changed([](TrainConfig& c) { c.init.kind = InitKind::kHeNormal; })},
  });
}

TEST(TrainConfigTest, FaultsOfTheLoss) {
  const auto with = [](const char* target, LossConfig loss) {
    return Changed(For(target), [&](TrainConfig& c) { c.loss = loss; });
  };
  const auto weighed = [](const char* target, ClassWeights weights) {
    return Changed(For(target), [&](TrainConfig& c) { c.class_weights = weights; });
  };
  ExpectFaults({
      {"loss_options.label_smoothing", "SOFTMAX", with("label", {.label_smoothing = 0.1})},
      {"loss_options.label_smoothing", "SOFTMAX", with("price", {.label_smoothing = 0.1})},
      {"loss_options.label_smoothing", "below 1", with("kind", {.label_smoothing = 1})},
      {"loss_options.delta", "HUBER", with("price", {.delta = 2})},
      {"loss_options.delta", "above 0", with("price", {.kind = LossKind::kHuber, .delta = 0})},
      {"loss_options.quantile", "QUANTILE", with("price", {.quantile = 0.9})},
      {"loss_options.quantile", "below 1",
       with("price", {.kind = LossKind::kQuantile, .quantile = 1})},
      {"loss", "MEAN_SQUARED_ERROR", with("price", {.kind = LossKind::kHinge})},
      {"loss_options.class_weights[\"yse\"]", "did you mean \"yes\"",
       weighed("label", {.by_name = {{"yse", 2}}})},
      {"loss_options.class_weights[\"yes\"]", "at least 0",
       weighed("label", {.by_name = {{"yes", -1}}})},
      {"loss_options.class_weights", "REGRESSION", weighed("price", {.by_name = {{"yes", 1}}})},
      {"loss_options.balanced_class_weights", "REGRESSION", weighed("price", {.balanced = true})},
      {"loss_options.balanced_class_weights", "together",
       weighed("label", {.by_name = {{"yes", 2}}, .balanced = true})},
  });
  EXPECT_THAT(FieldsOf(Resolve(with("kind", {.label_smoothing = 0.1}))), IsEmpty());
  EXPECT_THAT(FieldsOf(Resolve(with("price", {.kind = LossKind::kPoisson}))), IsEmpty());
}

TEST(TrainConfigTest, ANumberIsStandardisedUnlessItIsACount) {
  const auto scaling = [](const char* target, LossKind loss) {
    TrainConfig config = For(target);
    config.loss.kind = loss;
    return Resolve(config).config.data.target_scaling;
  };
  EXPECT_EQ(scaling("price", LossKind::kUnspecified), TargetScaling::kStandardize);
  EXPECT_EQ(scaling("price", LossKind::kHuber), TargetScaling::kStandardize);
  EXPECT_EQ(scaling("price", LossKind::kPoisson), TargetScaling::kNone);
  EXPECT_EQ(scaling("label", LossKind::kUnspecified), TargetScaling::kUnspecified);
  const auto with = [](const char* target, TargetScaling given, LossKind loss) {
    return Changed(For(target), [&](TrainConfig& c) {
      c.data.target_scaling = given;
      c.loss.kind = loss;
    });
  };
  const TargetScaling standardize = TargetScaling::kStandardize;
  ExpectFaults({
      {"target_scaling", "POISSON", with("price", standardize, LossKind::kPoisson)},
      {"target_scaling", "BINARY", with("label", standardize, LossKind::kUnspecified)},
  });
  const Resolved none = Resolve(with("price", TargetScaling::kNone, LossKind::kUnspecified));
  EXPECT_THAT(FieldsOf(none), IsEmpty());
  EXPECT_EQ(none.config.data.target_scaling, TargetScaling::kNone);
}

TEST(TrainConfigTest, FaultsOfWhatIsMeasured) {
  const auto changed = [](auto change) { return Changed(For("label"), change); };
  ExpectFaults({
      {"metrics[1]", "did you mean \"accuracy\"", changed([](TrainConfig& c) {
         c.metrics = {"loss", "acuracy"};
       })},
      {"early_stopping.metric", "accuracy",
       changed([](TrainConfig& c) { c.early_stopping = {.enabled = true, .metric = "rmse"}; })},
      {"early_stopping.patience", "10",
       changed([](TrainConfig& c) { c.early_stopping = {.enabled = true, .patience = 0}; })},
      {"early_stopping.min_delta", "at least 0",
       changed([](TrainConfig& c) { c.early_stopping = {.enabled = true, .min_delta = -1}; })},
      {"early_stopping", "validation_fraction", changed([](TrainConfig& c) {
         c.early_stopping.enabled = true;
         c.data.split.validation_fraction = 0;
       })},
      {"seed_count", "validation_fraction", changed([](TrainConfig& c) {
         c.seed_count = 2;
         c.data.split.validation_fraction = 0;
       })},
      {"schedule.kind", "validation_fraction", changed([](TrainConfig& c) {
         c.schedule.kind = ScheduleKind::kReduceOnPlateau;
         c.data.split.validation_fraction = 0;
       })},
      {"schedule.metric", "accuracy", changed([](TrainConfig& c) {
         c.schedule = {.kind = ScheduleKind::kReduceOnPlateau, .metric = "accurcy"};
       })},
  });
  const Resolved stopping =
      Resolve(changed([](TrainConfig& c) { c.early_stopping.enabled = true; }));
  EXPECT_EQ(stopping.config.early_stopping.metric, "loss");
}

TEST(TrainConfigTest, FaultsOfTheRun) {
  const auto changed = [](auto change) { return Changed(For("label"), change); };
  ExpectFaults({
      {"accumulation_steps", "10000", changed([](TrainConfig& c) { c.accumulation_steps = 0; })},
      {"max_steps", "no limit", changed([](TrainConfig& c) { c.max_steps = -1; })},
      {"evaluation_interval", "epoch", changed([](TrainConfig& c) { c.evaluation_interval = -1; })},
      {"seed_count", "to 64", changed([](TrainConfig& c) { c.seed_count = 65; })},
  });
  const Resolved bf16 = Resolve(changed([](TrainConfig& c) { c.precision = Precision::kBf16; }));
  const auto expected = SupportsPrecision(Precision::kBf16) ? std::vector<std::string>{}
                                                            : std::vector<std::string>{"precision"};
  EXPECT_EQ(FieldsOf(bf16), expected);
}

TEST(TrainConfigTest, BatchNormalisationNeedsTwoRowsInEveryBatch) {
  TrainConfig config = WithLayer({.units = 2, .normalization = Normalization::kBatch});
  EXPECT_THAT(FieldsOf(Resolve(config)), IsEmpty());
  config.batch_size = 1;
  EXPECT_THAT(FieldsOf(Resolve(config)), ElementsAre("batch_size"));
  config.batch_size = 699;  // of 700 training rows
  EXPECT_THAT(FieldsOf(Resolve(config)), ElementsAre("batch_size"));
  EXPECT_THAT(Resolve(config).violations[0].description, HasSubstr("last batch"));
  config.batch_size = 698;
  EXPECT_THAT(FieldsOf(Resolve(config)), IsEmpty());
}

TEST(TrainConfigTest, LbfgsTakesFullBatchesOfTheSameFunction) {
  TrainConfig config = WithLayer({.units = 2, .dropout = 0.5});
  config.layers.push_back({.units = 2, .normalization = Normalization::kBatch});
  config.optimizer.kind = OptimizerKind::kLbfgs;
  config.accumulation_steps = 2;
  EXPECT_THAT(FieldsOf(Resolve(config)),
              UnorderedElementsAre("batch_size", "layers", "layers", "accumulation_steps"));
  config.layers = {};
  config.accumulation_steps = 1;
  config.batch_size = 700;
  EXPECT_THAT(FieldsOf(Resolve(config)), IsEmpty());
}

TEST(TrainConfigTest, AResolvedConfigStaysAsItIs) {
  TrainConfig config = WithLayer({.units = 4, .activation = Activation::kElu, .dropout = 0.1});
  config.init.kind = InitKind::kNormal;
  config.early_stopping.enabled = true;
  config.schedule.kind = ScheduleKind::kCosine;
  config.optimizer.kind = OptimizerKind::kRmsProp;
  const Resolved once = Resolve(config);
  ASSERT_THAT(FieldsOf(once), IsEmpty());
  const Resolved twice = Resolve(once.config);
  EXPECT_THAT(FieldsOf(twice), IsEmpty());
  EXPECT_EQ(twice.config.layers[0].alpha, 1);
  EXPECT_EQ(twice.config.schedule.period, once.config.schedule.period);
  EXPECT_EQ(twice.config.schedule.period, 22 * 46);
  EXPECT_EQ(twice.config.optimizer.rho, once.config.optimizer.rho);
  EXPECT_EQ(twice.config.step_event_interval, once.config.step_event_interval);
}

TEST(TrainConfigTest, StepsWithAccumulationSeedsAndALimit) {
  TrainConfig config = Resolve(For("label")).config;  // 22 batches
  config.epochs = 20;
  config.accumulation_steps = 4;
  EXPECT_EQ(StepsTotal(config, {.rows = 1000}), 6 * 20);
  config.seed_count = 3;
  EXPECT_EQ(StepsTotal(config, {.rows = 1000}), 6 * 20 * 3);
  config.max_steps = 13;
  EXPECT_EQ(StepsTotal(config, {.rows = 1000}), 13 * 3);
  EXPECT_EQ(RunLengthOf(config, 700).epochs, 3);
}

TEST(TrainConfigTest, RowsAndStepsOfFolds) {
  TrainConfig config = For("label");
  config.data.split = {.test_fraction = 0.1, .fold_count = 7};  // 900 rows: 129 or 128 validate
  config.epochs = 2;
  config.batch_size = 257;  // 771 or 772 train: 3 or 4 batches
  const Resolved resolved = Resolve(config);
  EXPECT_THAT(FieldsOf(resolved), IsEmpty());
  EXPECT_EQ(RunCountOf(resolved.config), 7);
  EXPECT_EQ(TrainRowCount(resolved.config, {.rows = 1000}), 771);
  EXPECT_EQ(StepsTotal(resolved.config, {.rows = 1000}), 2 * (4 * 3 + 3 * 4));
  config.early_stopping.enabled = true;
  EXPECT_THAT(FieldsOf(Resolve(config)), IsEmpty());  // every fold validates
  config.seed_count = 2;
  EXPECT_THAT(FieldsOf(Resolve(config)), ElementsAre("seed_count"));
}

TEST(TrainConfigTest, ABatchOfOneRowInAnyFoldIsAFault) {
  TrainConfig config = WithLayer({.units = 2, .normalization = Normalization::kBatch});
  config.data.split = {.test_fraction = 0.1, .fold_count = 7};
  config.batch_size = 257;
  const Resolved resolved = Resolve(config);
  ASSERT_THAT(FieldsOf(resolved), ElementsAre("batch_size"));
  EXPECT_THAT(resolved.violations[0].description, HasSubstr("1 of the 772 training rows"));
  config.data.split = {.group_column = "price"};  // nobody knows before the groups are dealt
  EXPECT_THAT(FieldsOf(Resolve(config)), IsEmpty());
}

TEST(TrainConfigTest, RowsOfAPartColumnAreCounted) {
  Schema schema = MakeSchema();
  schema.columns.push_back({.name = "part",
                            .type = ColumnType::kText,
                            .distinct_count = 2,
                            .values = {"train", "test"},
                            .value_counts = {600, 400}});
  TrainConfig config = For("label");
  config.data.split.part_column = "part";
  const Resolved resolved = Resolve(config, schema);
  EXPECT_THAT(FieldsOf(resolved), IsEmpty());
  EXPECT_EQ(TrainRowCount(resolved.config, schema), 600);
  EXPECT_EQ(StepsTotal(resolved.config, schema), 53 * 19);
  config.seed_count = 2;
  const Resolved choosing = Resolve(config, schema);
  ASSERT_THAT(FieldsOf(choosing), ElementsAre("seed_count"));
  EXPECT_THAT(choosing.violations[0].description, HasSubstr("no row for \"validation\""));
}

TEST(TrainConfigTest, EvaluationsAreEventsToo) {
  TrainConfig config = For("label");
  config.batch_size = 1;
  config.epochs = 10'000;
  config.evaluation_interval = 1;
  EXPECT_THAT(FieldsOf(Resolve(config)), ElementsAre("evaluation_interval"));
}

TEST(TrainConfigTest, ClassWeightsBecomeThoseOfTheDataset) {
  Dataset dataset;
  dataset.classes = {"a", "b", "c"};
  dataset.train.classes = {0, 0, 0, 2};
  TrainConfig config;
  config.class_weights.by_name = {{"c", 5}};
  EXPECT_THAT(LossConfigOf(config, dataset).class_weights, ElementsAre(1, 1, 5));
  config.class_weights = {.balanced = true};
  const float rare = 4.0F / 3;  // rows / (classes · rows of the class)
  EXPECT_THAT(LossConfigOf(config, dataset).class_weights, ElementsAre(4.0F / 9, 1, rare));
  dataset = {};
  dataset.classes = {"no", "yes"};
  dataset.train.targets = {0, 1, 1, 1};
  EXPECT_THAT(LossConfigOf(config, dataset).class_weights, ElementsAre(2, 2.0F / 3));
}

}  // namespace
}  // namespace trainyard
