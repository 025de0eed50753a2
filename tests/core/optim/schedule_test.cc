#include "core/optim/schedule.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

constexpr double kAlpha = 0.4;

// The first so many learning rates, with t counted in steps.
std::vector<double> Curve(ScheduleConfig config, size_t steps) {
  config.unit = ScheduleUnit::kSteps;
  config = WithDefaults(config, kAlpha, {.steps = static_cast<int64_t>(steps), .epochs = 1});
  std::vector<double> rates;
  for (size_t i = 0; i < steps; ++i) {
    rates.push_back(LearningRateAt(config, kAlpha, {.step = static_cast<int64_t>(i)}));
  }
  return rates;
}

void ExpectCurve(const ScheduleConfig& config, const std::vector<double>& expected) {
  const std::vector<double> rates = Curve(config, expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(rates[i], expected[i], 1e-9) << i;
}

// The numbers are those of PyTorch 1.13's torch.optim.lr_scheduler with lr 0.4.

TEST(ScheduleTest, Constant) { ExpectCurve({}, {0.4, 0.4, 0.4}); }

TEST(ScheduleTest, StepAsPyTorch) {
  ExpectCurve({.kind = ScheduleKind::kStep, .period = 3, .gamma = 0.5},
              {0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05});
}

TEST(ScheduleTest, MultiStepAsPyTorch) {
  ExpectCurve({.kind = ScheduleKind::kMultiStep, .gamma = 0.5, .milestones = {2, 3, 7}},
              {0.4, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05});
}

TEST(ScheduleTest, ExponentialAsPyTorch) {
  ExpectCurve({.kind = ScheduleKind::kExponential, .gamma = 0.9},
              {0.4, 0.36, 0.324, 0.2916, 0.26244, 0.236196});
}

TEST(ScheduleTest, PolynomialAsPyTorch) {
  ExpectCurve({.kind = ScheduleKind::kPolynomial, .period = 5, .power = 2},
              {0.4, 0.256, 0.144, 0.064, 0.016, 0, 0, 0});
}

TEST(ScheduleTest, CosineAsPyTorch) {
  ExpectCurve({.kind = ScheduleKind::kCosine, .period = 8, .final_learning_rate = 0.04},
              {0.4, 0.386298316, 0.347279221, 0.288883018, 0.22, 0.151116982, 0.0927207794,
               0.0537016841, 0.04, 0.04});
}

TEST(ScheduleTest, CosineRestartsAsPyTorch) {
  ExpectCurve({.kind = ScheduleKind::kCosineRestarts, .period = 4, .final_learning_rate = 0.04},
              {0.4, 0.347279221, 0.22, 0.0927207794, 0.4, 0.347279221, 0.22, 0.0927207794, 0.4});
  ExpectCurve({.kind = ScheduleKind::kCosineRestarts,
               .period = 3,
               .final_learning_rate = 0.04,
               .period_factor = 2},
              {0.4, 0.31, 0.13, 0.4, 0.375884573, 0.31, 0.22, 0.13, 0.0641154273, 0.4, 0.393866649,
               0.375884573, 0.347279221, 0.31});
}

TEST(ScheduleTest, OneCycleAsPyTorch) {
  ExpectCurve({.kind = ScheduleKind::kOneCycle, .period = 10},
              {0.016, 0.208, 0.4, 0.380193853, 0.324698262, 0.244504809, 0.155496791, 0.0753033384,
               0.0198077472, 1.6e-06, 1.6e-06});
  ExpectCurve({.kind = ScheduleKind::kOneCycle, .period = 7, .warm_fraction = 0.25},
              {0.016, 0.397766174, 0.346610588, 0.244504809, 0.126932887, 0.0347537061, 1.6e-06});
}

TEST(ScheduleTest, CyclicAsPyTorch) {
  ExpectCurve({.kind = ScheduleKind::kCyclic, .period = 4},
              {0.04, 0.13, 0.22, 0.31, 0.4, 0.31, 0.22, 0.13, 0.04, 0.13, 0.22, 0.31, 0.4});
}

TEST(ScheduleTest, EveryKindIsFiniteInRunsOfOneStep) {
  for (int kind = 1; kind <= 10; ++kind) {
    for (const double rate : Curve({.kind = static_cast<ScheduleKind>(kind)}, 1)) {
      EXPECT_TRUE(std::isfinite(rate)) << kind;
      EXPECT_GE(rate, 0) << kind;
    }
  }
}

TEST(ScheduleTest, WarmupRisesInFrontOfTheSchedule) {
  ExpectCurve({.warmup_steps = 3}, {0.1, 0.2, 0.3, 0.4, 0.4});
  ExpectCurve({.kind = ScheduleKind::kStep, .period = 2, .gamma = 0.5, .warmup_steps = 1},
              {0.2, 0.4, 0.4, 0.2, 0.2});
}

TEST(ScheduleTest, EpochsAreCountedWhereTheUnitSaysSo) {
  const ScheduleConfig config = WithDefaults({.kind = ScheduleKind::kStep}, kAlpha, {});
  EXPECT_EQ(config.unit, ScheduleUnit::kEpochs);
  EXPECT_DOUBLE_EQ(LearningRateAt(config, kAlpha, {.step = 1000, .epoch = 9}), 0.4);
  EXPECT_DOUBLE_EQ(LearningRateAt(config, kAlpha, {.step = 1000, .epoch = 10}), 0.04);
}

// Three epochs and a half of warm-up: the schedule's t = 0 is the fourth epoch, whatever counts it.
TEST(ScheduleTest, AScheduleOfEpochsBeginsWhereTheWarmupEnds) {
  const ScheduleConfig config =
      WithDefaults({.kind = ScheduleKind::kExponential, .gamma = 0.5, .warmup_steps = 350}, kAlpha,
                   {.steps = 1000, .epochs = 10, .steps_per_epoch = 100});
  EXPECT_EQ(WarmupEpochs(config, 100), 3);
  EXPECT_DOUBLE_EQ(LearningRateAt(config, kAlpha, {.step = 349}), kAlpha * 350 / 351);
  EXPECT_DOUBLE_EQ(LearningRateAt(config, kAlpha, {.step = 350, .epoch = 0}), kAlpha);
  const RunLength length{.steps = 1000, .epochs = 10, .steps_per_epoch = 100};
  const ScheduleConfig cosine = WithDefaults(
      {.kind = ScheduleKind::kCosine, .unit = ScheduleUnit::kEpochs, .warmup_steps = 350}, kAlpha,
      length);
  EXPECT_EQ(*cosine.period, 7);
}

TEST(ScheduleTest, PeriodsDefaultToTheRun) {
  const RunLength length{.steps = 1000, .epochs = 50};
  const auto period = [&](ScheduleKind kind, ScheduleUnit unit, int64_t warmup) {
    const ScheduleConfig config{.kind = kind, .unit = unit, .warmup_steps = warmup};
    return *WithDefaults(config, kAlpha, length).period;
  };
  EXPECT_EQ(period(ScheduleKind::kCosine, ScheduleUnit::kUnspecified, 0), 1000);
  EXPECT_EQ(period(ScheduleKind::kCosine, ScheduleUnit::kUnspecified, 100), 900);
  EXPECT_EQ(period(ScheduleKind::kOneCycle, ScheduleUnit::kEpochs, 0), 50);
  EXPECT_EQ(period(ScheduleKind::kCyclic, ScheduleUnit::kSteps, 0), 100);
  EXPECT_EQ(period(ScheduleKind::kCosineRestarts, ScheduleUnit::kEpochs, 0), 5);
  EXPECT_EQ(*WithDefaults({.kind = ScheduleKind::kCyclic}, kAlpha, {}).period, 1);
}

TEST(ScheduleTest, ResolvingTwiceChangesNothing) {
  const RunLength length{.steps = 1000, .epochs = 50};
  for (int kind = 0; kind <= 10; ++kind) {
    const ScheduleConfig given{.kind = static_cast<ScheduleKind>(kind)};
    const ScheduleConfig once = WithDefaults(given, kAlpha, length);
    const ScheduleConfig twice = WithDefaults(once, kAlpha, {.steps = 3, .epochs = 2});
    EXPECT_EQ(once.period, twice.period) << kind;
    EXPECT_EQ(once.final_learning_rate, twice.final_learning_rate) << kind;
  }
}

std::vector<double> PlateauCurve(const ScheduleConfig& config, bool higher_is_better,
                                 const std::vector<double>& values) {
  const ScheduleConfig full = WithDefaults(config, kAlpha, {});
  PlateauTracker tracker(full, kAlpha, higher_is_better);
  std::vector<double> rates;
  for (const double value : values) {
    tracker.Add(value);
    rates.push_back(LearningRateAt(full, kAlpha, {.plateau_factor = tracker.factor()}));
  }
  return rates;
}

TEST(PlateauTrackerTest, FallingMetricAsPyTorch) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> rates =
      PlateauCurve({.kind = ScheduleKind::kReduceOnPlateau,
                    .gamma = 0.5,
                    .final_learning_rate = 0.03,
                    .patience = 1},
                   false, {1, 0.9, 0.9, 0.8999, 0.95, nan, 0.5, 0.6, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6});
  const std::vector<double> expected = {0.4, 0.4, 0.4, 0.4,  0.4,  0.2,  0.2,
                                        0.2, 0.1, 0.1, 0.05, 0.05, 0.03, 0.03};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_DOUBLE_EQ(rates[i], expected[i]) << i;
}

TEST(PlateauTrackerTest, RisingMetricAsPyTorch) {
  const std::vector<double> rates =
      PlateauCurve({.kind = ScheduleKind::kReduceOnPlateau, .gamma = 0.5, .patience = 0}, true,
                   {0.5, 0.6, 0.60001, 0.7, 0.6, 0.8});
  const std::vector<double> expected = {0.4, 0.4, 0.2, 0.2, 0.1, 0.1};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_DOUBLE_EQ(rates[i], expected[i]) << i;
}

TEST(PlateauTrackerTest, OtherKindsKeepTheirRate) {
  for (const double rate : PlateauCurve({}, false, std::vector<double>(100, 1.0))) {
    EXPECT_EQ(rate, kAlpha);
  }
}

}  // namespace
}  // namespace trainyard
