#include "core/optim/optimizer_checks.h"

#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<FieldViolation> FaultsOf(const OptimizerConfig& config) {
  std::vector<FieldViolation> faults;
  CheckOptimizer(config, &faults);
  return faults;
}

std::vector<FieldViolation> FaultsOf(const ScheduleConfig& config, double learning_rate = 0.1) {
  std::vector<FieldViolation> faults;
  CheckSchedule(config, learning_rate, &faults);
  return faults;
}

std::vector<std::string> FieldsOf(const std::vector<FieldViolation>& faults) {
  std::vector<std::string> fields;
  for (const FieldViolation& fault : faults) fields.push_back(fault.field);
  return fields;
}

TEST(CheckOptimizerTest, DefaultsAndResolvedConfigsAreFine) {
  for (int kind = 0; kind <= 12; ++kind) {
    const OptimizerConfig config{.kind = static_cast<OptimizerKind>(kind)};
    EXPECT_THAT(FaultsOf(config), IsEmpty()) << kind;
    EXPECT_THAT(FaultsOf(WithDefaults(config)), IsEmpty()) << kind;
  }
}

TEST(CheckOptimizerTest, LearningRates) {
  for (const double value : {0.0, -1.0, 1e30, kInf, kNan}) {
    EXPECT_THAT(FieldsOf(FaultsOf({.learning_rate = value})),
                ElementsAre("optimizer.learning_rate"));
  }
  EXPECT_THAT(FaultsOf({.learning_rate = 1e30})[0].description,
              AllOf(HasSubstr("is 1e+30"), HasSubstr("at most 1e6"), HasSubstr("0.001 is usual")));
  EXPECT_THAT(FaultsOf({.learning_rate = kNan})[0].description, HasSubstr("is NaN"));
}

TEST(CheckOptimizerTest, EveryFaultAtOnce) {
  const OptimizerConfig config{.kind = OptimizerKind::kAdam,
                               .learning_rate = 0,
                               .momentum = 0.9,
                               .beta1 = 1,
                               .beta2 = -0.1,
                               .epsilon = 0,
                               .weight_decay = kNan,
                               .nesterov = true,
                               .dampening = 0.1,
                               .rho = 0.9,
                               .centered = true,
                               .learning_rate_decay = 0,
                               .momentum_decay = 0,
                               .history_size = 5,
                               .secondary_learning_rate = 1,
                               .l1 = -1,
                               .max_norm = 0,
                               .clip_norm = kInf,
                               .clip_value = -1,
                               .gradient_noise = -1,
                               .ema_decay = 1};
  EXPECT_EQ(FaultsOf(config).size(), 20u);
}

TEST(CheckOptimizerTest, AFieldOfAnotherKindNamesTheKindsThatHaveIt) {
  EXPECT_THAT(
      FaultsOf({.momentum = 0.9})[0].description,
      AllOf(HasSubstr("is 0.9 but the optimizer is ADAM"), HasSubstr("SGD or RMSPROP or MUON")));
  EXPECT_THAT(FaultsOf({.kind = OptimizerKind::kLion, .epsilon = 1e-8})[0].description,
              HasSubstr("LION, which has no epsilon"));
}

TEST(CheckOptimizerTest, NesterovAndDampeningNeedMomentumAndExcludeEachOther) {
  const auto sgd = [](std::optional<double> momentum, std::optional<bool> nesterov,
                      std::optional<double> dampening) {
    return FieldsOf(FaultsOf({.kind = OptimizerKind::kSgd,
                              .momentum = momentum,
                              .nesterov = nesterov,
                              .dampening = dampening}));
  };
  EXPECT_THAT(sgd(0.9, true, {}), IsEmpty());
  EXPECT_THAT(sgd(0.9, {}, 0.1), IsEmpty());
  EXPECT_THAT(sgd({}, true, {}), ElementsAre("optimizer.nesterov"));
  EXPECT_THAT(sgd({}, {}, 0.1), ElementsAre("optimizer.dampening"));
  EXPECT_THAT(sgd(0.9, true, 0.1), ElementsAre("optimizer.dampening"));
}

TEST(CheckOptimizerTest, LbfgsTakesNoPartOfAStochasticStep) {
  EXPECT_THAT(FieldsOf(FaultsOf({.kind = OptimizerKind::kLbfgs,
                                 .history_size = 101,
                                 .l1 = 0.1,
                                 .max_norm = 1,
                                 .clip_norm = 1,
                                 .clip_value = 1,
                                 .gradient_noise = 0.1,
                                 .ema_decay = 0.9})),
              UnorderedElementsAre("optimizer.history_size", "optimizer.max_norm",
                                   "optimizer.clip_norm", "optimizer.clip_value",
                                   "optimizer.gradient_noise", "optimizer.ema_decay"));
}

TEST(CheckScheduleTest, DefaultsAndResolvedConfigsAreFine) {
  for (int kind = 0; kind <= 10; ++kind) {
    ScheduleConfig config{.kind = static_cast<ScheduleKind>(kind), .warmup_steps = 5};
    if (config.kind == ScheduleKind::kMultiStep) config.milestones = {1, 2};
    EXPECT_THAT(FaultsOf(config), IsEmpty()) << kind;
    EXPECT_THAT(FaultsOf(WithDefaults(config, 0.1, {.steps = 100, .epochs = 10})), IsEmpty())
        << kind;
  }
}

TEST(CheckScheduleTest, EveryFaultAtOnce) {
  const ScheduleConfig config{.period = 5,
                              .gamma = 0.5,
                              .milestones = {1},
                              .power = 1,
                              .final_learning_rate = 0,
                              .period_factor = 1,
                              .warm_fraction = 0.3,
                              .patience = 1,
                              .metric = "loss",
                              .warmup_steps = -1};
  EXPECT_EQ(FaultsOf(config).size(), 10u);
}

TEST(CheckScheduleTest, Ranges) {
  EXPECT_THAT(FieldsOf(FaultsOf({.kind = ScheduleKind::kStep, .period = 0, .gamma = 1.5})),
              UnorderedElementsAre("schedule.period", "schedule.gamma"));
  EXPECT_THAT(FieldsOf(FaultsOf({.kind = ScheduleKind::kPolynomial, .power = 0})),
              ElementsAre("schedule.power"));
  EXPECT_THAT(FieldsOf(FaultsOf({.kind = ScheduleKind::kOneCycle, .warm_fraction = 1})),
              ElementsAre("schedule.warm_fraction"));
  EXPECT_THAT(FieldsOf(FaultsOf({.kind = ScheduleKind::kReduceOnPlateau, .patience = -1})),
              ElementsAre("schedule.patience"));
  EXPECT_THAT(FieldsOf(FaultsOf({.kind = ScheduleKind::kCosineRestarts, .period_factor = 0})),
              ElementsAre("schedule.period_factor"));
}

TEST(CheckScheduleTest, TheFinalLearningRateIsAtMostTheFirst) {
  const ScheduleConfig config{.kind = ScheduleKind::kCosine, .final_learning_rate = 0.2};
  EXPECT_THAT(FaultsOf(config, 0.2), IsEmpty());
  EXPECT_THAT(FaultsOf(config, 0.1)[0].description,
              AllOf(HasSubstr("is 0.2"), HasSubstr("optimizer.learning_rate, 0.1")));
  EXPECT_THAT(FaultsOf(config, kNan), IsEmpty());
  EXPECT_EQ(FaultsOf({.kind = ScheduleKind::kCosine, .final_learning_rate = kNan}).size(), 1u);
}

TEST(CheckScheduleTest, MilestonesAscend) {
  const auto faults = [](const std::vector<int64_t>& milestones) {
    return FieldsOf(FaultsOf({.kind = ScheduleKind::kMultiStep, .milestones = milestones}));
  };
  EXPECT_THAT(faults({3, 5, 9}), IsEmpty());
  EXPECT_THAT(faults({}), ElementsAre("schedule.milestones"));
  EXPECT_THAT(faults({3, 3}), ElementsAre("schedule.milestones[1]"));
  EXPECT_THAT(faults({-1, 3}), ElementsAre("schedule.milestones[0]"));
  std::vector<int64_t> many(1001);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int64_t>(i);
  EXPECT_THAT(faults(many), ElementsAre("schedule.milestones"));
}

}  // namespace
}  // namespace trainyard
