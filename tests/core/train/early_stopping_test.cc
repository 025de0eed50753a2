#include "core/train/early_stopping.h"

#include <limits>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(EarlyStopperTest, StopsAfterPatienceWithoutImprovement) {
  EarlyStopper stopper({.enabled = true, .metric = "loss", .patience = 2});
  EXPECT_TRUE(stopper.Add(3));
  EXPECT_TRUE(stopper.Add(2));
  EXPECT_FALSE(stopper.Add(2));
  EXPECT_FALSE(stopper.exhausted());
  EXPECT_FALSE(stopper.Add(2.5));
  EXPECT_TRUE(stopper.exhausted());
}

TEST(EarlyStopperTest, MoreIsBetterForAccuracy) {
  EarlyStopper stopper({.enabled = true, .metric = "accuracy", .patience = 1});
  EXPECT_TRUE(stopper.Add(0.5));
  EXPECT_TRUE(stopper.Add(0.6));
  EXPECT_FALSE(stopper.Add(0.4));
  EXPECT_TRUE(stopper.exhausted());
}

TEST(EarlyStopperTest, ASmallImprovementIsTheBestButDoesNotRenewPatience) {
  EarlyStopper stopper({.enabled = true, .metric = "loss", .patience = 2, .min_delta = 0.5});
  EXPECT_TRUE(stopper.Add(3));
  EXPECT_TRUE(stopper.Add(2.9));
  EXPECT_TRUE(stopper.Add(2.8));
  EXPECT_TRUE(stopper.exhausted());
}

TEST(EarlyStopperTest, ManySmallImprovementsAddUpToOne) {
  EarlyStopper stopper({.enabled = true, .metric = "loss", .patience = 2, .min_delta = 0.5});
  stopper.Add(3);
  stopper.Add(2.7);
  stopper.Add(2.4);  // 0.6 below the last improvement
  EXPECT_FALSE(stopper.exhausted());
}

TEST(EarlyStopperTest, WhatIsNoNumberImprovesNothing) {
  EarlyStopper stopper({.enabled = true, .metric = "loss", .patience = 2});
  EXPECT_FALSE(stopper.Add(kNan));
  EXPECT_TRUE(stopper.Add(1));
  EXPECT_FALSE(stopper.Add(kNan));
  EXPECT_FALSE(stopper.Add(kNan));
  EXPECT_TRUE(stopper.exhausted());
}

TEST(EarlyStopperTest, NeverStopsWhenItOnlyRestores) {
  EarlyStopper stopper({.enabled = true, .metric = "loss", .patience = 1, .restore_only = true});
  EXPECT_TRUE(stopper.Add(1));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(stopper.Add(2));
  EXPECT_FALSE(stopper.exhausted());
  EarlyStopper off({.enabled = false, .patience = 1});
  for (int i = 0; i < 10; ++i) off.Add(2);
  EXPECT_FALSE(off.exhausted());
}

}  // namespace
}  // namespace trainyard
