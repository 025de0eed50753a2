#include "core/optim/schedule.h"

#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(ScheduleTest, IsConstant) {
  const OptimizerConfig config{.learning_rate = 0.25};
  EXPECT_EQ(LearningRateAt(config, 0), 0.25);
  EXPECT_EQ(LearningRateAt(config, 1'000'000'000), 0.25);
}

}  // namespace
}  // namespace trainyard
