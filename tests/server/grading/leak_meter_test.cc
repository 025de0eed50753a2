#include "server/grading/leak_meter.h"

#include <cmath>
#include <limits>

#include "server/grading/score_metric.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(LeakMeterTest, AReleaseIsWorthTheLogarithmRoundedUp) {
  // Python: math.ceil(1000 * math.log2(n))
  EXPECT_EQ(ReleaseMillibits(1), 0);
  EXPECT_EQ(ReleaseMillibits(2), 1000);
  EXPECT_EQ(ReleaseMillibits(3), 1585);
  EXPECT_EQ(ReleaseMillibits(1000), 9966);
  EXPECT_EQ(ReleaseMillibits(1024), 10000);
  EXPECT_EQ(ReleaseMillibits(1025), 10002);
  EXPECT_EQ(ReleaseMillibits(std::numeric_limits<int64_t>::max()), 63000);
  for (int64_t n = 1; n < 5000; ++n) {
    const double bits = static_cast<double>(ReleaseMillibits(n)) / 1000;
    ASSERT_GE(std::exp2(bits), static_cast<double>(n) * (1 - 1e-12));
    ASSERT_LT(std::exp2(bits - 0.001), static_cast<double>(n));
  }
}

TEST(LeakMeterTest, StudentAndClassAreBothCharged) {
  const LeakLimits limits{.student_millibits_max = 20000, .class_millibits_max = 100000};
  LeakTotals totals{.class_millibits = 75000};
  ASSERT_OK_AND_ASSIGN(totals, ChargeRelease(totals, limits, 10000));
  EXPECT_EQ(totals, (LeakTotals{10000, 85000}));
  ASSERT_OK_AND_ASSIGN(totals, ChargeRelease(totals, limits, 10000));
  const absl::Status over = ChargeRelease(totals, limits, 1).status();
  EXPECT_THAT(over, HasReason(ErrorReason::kAttemptsExhausted));
  EXPECT_THAT(over, StatusIs(absl::StatusCode::kResourceExhausted,
                             HasSubstr("this student was told 20 bits")));
  EXPECT_THAT(ChargeRelease({0, 95000}, limits, 5001),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("the class")));
  EXPECT_THAT(ChargeRelease({0, 95000}, limits, 5000), IsOk());
  EXPECT_THAT(ChargeRelease(totals, limits, 0), IsOk());
}

TEST(LeakMeterTest, WithoutALimitTotalsStillDoNotOverflow) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  ASSERT_OK_AND_ASSIGN(const LeakTotals totals, ChargeRelease({most - 5, 3}, {}, 5));
  EXPECT_EQ(totals, (LeakTotals{most, 8}));
  EXPECT_THAT(ChargeRelease(totals, {}, 1).status(), HasReason(ErrorReason::kAttemptsExhausted));
}

TEST(LeakMeterTest, ReleasesLeftAreAsManyAsCanBeCharged) {
  const LeakLimits limits{.student_millibits_max = 50000, .class_millibits_max = 99999};
  const int64_t cost = ReleaseMillibits(ReportedValueCount(ScoreMetric::kAccuracy, 2000));
  LeakTotals totals{.class_millibits = 30000};
  int64_t left = ReleasesLeft(totals, limits, cost).value_or(-1);
  EXPECT_GT(left, 4);
  for (; left > 0; --left) {
    ASSERT_EQ(ReleasesLeft(totals, limits, cost), left);
    ASSERT_OK_AND_ASSIGN(totals, ChargeRelease(totals, limits, cost));
  }
  EXPECT_FALSE(ChargeRelease(totals, limits, cost).ok());
  EXPECT_EQ(ReleasesLeft({60000, 0}, limits, cost), 0);
  EXPECT_EQ(ReleasesLeft(totals, {}, cost), std::nullopt);
  EXPECT_EQ(ReleasesLeft(totals, limits, 0), std::nullopt);
}

}  // namespace
}  // namespace trainyard
