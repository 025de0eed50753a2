#include "server/grading/attempt_bucket.h"

#include <random>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

v1::AttemptLimits Limits(int burst, int64_t period_seconds) {
  v1::AttemptLimits limits;
  limits.set_burst(burst);
  limits.mutable_refill_period()->set_seconds(period_seconds);
  return ResolveAttempts(limits);
}

// A bucket that is filled second by second: what BucketAt says in one formula.
class SteppedBucket {
 public:
  explicit SteppedBucket(const v1::AttemptLimits& limits)
      : period_(limits.refill_period().seconds()),
        full_(period_ * limits.burst()),
        credit_(full_) {}
  void Step() { credit_ = std::min(credit_ + 1, full_); }
  void Charge() { credit_ -= period_; }
  int64_t left() const { return credit_ < 0 ? 0 : credit_ / period_; }
  // Seconds until one more is there; -1: it is full.
  int64_t UntilNext() const {
    SteppedBucket later = *this;
    if (credit_ == full_) return -1;
    int64_t seconds = 0;
    for (; later.left() == left(); ++seconds) later.Step();
    return seconds;
  }

 private:
  int64_t period_, full_, credit_;
};

TEST(AttemptBucketTest, IsTheBucketThatIsFilledSecondBySecond) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    const v1::AttemptLimits limits = Limits(1 + static_cast<int>(random() % 6), 60 + random() % 50);
    SteppedBucket stepped(limits);
    std::vector<absl::Time> charges;
    for (int second = 0; second < 1'500; ++second) {
      const absl::Time now = kStart + absl::Seconds(second);
      // Now and then beyond what is left: a limit that was lowered leaves such charges.
      const bool charge = random() % 40 == 0 && (stepped.left() > 0 || random() % 4 == 0);
      if (charge) charges.insert(charges.begin() + random() % (charges.size() + 1), now);
      if (charge) stepped.Charge();
      const AttemptBucket bucket = BucketAt(charges, limits, now);
      ASSERT_EQ(bucket.left, stepped.left()) << "round " << round << " second " << second;
      const int64_t next = stepped.UntilNext();
      ASSERT_EQ(bucket.next, next < 0 ? absl::InfiniteFuture() : now + absl::Seconds(next))
          << "round " << round << " second " << second;
      stepped.Step();
    }
  }
}

TEST(AttemptBucketTest, AFractionOfASecondIsNotYetAnAttempt) {
  const v1::AttemptLimits limits = Limits(2, 60);
  const std::vector<absl::Time> charges = {kStart + absl::Milliseconds(400),
                                           kStart + absl::Milliseconds(400)};
  EXPECT_EQ(BucketAt(charges, limits, kStart + absl::Seconds(60)).left, 0);
  const AttemptBucket bucket = BucketAt(charges, limits, kStart + absl::Milliseconds(60'400));
  EXPECT_EQ(bucket.left, 1);
  EXPECT_EQ(bucket.next, kStart + absl::Milliseconds(120'400));
}

TEST(AttemptBucketTest, AClockThatWasSetBackGivesNothingAndTakesNothingForLong) {
  const v1::AttemptLimits limits = Limits(3, 60);
  const std::vector<absl::Time> charges = {kStart + absl::Hours(5), kStart + absl::Hours(5)};
  const AttemptBucket bucket = BucketAt(charges, limits, kStart);
  EXPECT_EQ(bucket.left, 1);
  EXPECT_EQ(bucket.next, kStart + absl::Seconds(60));
}

TEST(AttemptBucketTest, ARefundIsAChargeLess) {
  const v1::AttemptLimits limits = Limits(2, 3'600);
  EXPECT_EQ(BucketAt({kStart, kStart}, limits, kStart).left, 0);
  EXPECT_EQ(BucketAt({kStart}, limits, kStart).left, 1);
  EXPECT_EQ(BucketAt({}, limits, kStart).left, 2);
  EXPECT_EQ(BucketAt({}, limits, kStart).next, absl::InfiniteFuture());
}

TEST(AttemptBucketTest, DefaultsAreThoseOfTheContract) {
  const v1::AttemptLimits limits = ResolveAttempts({});
  EXPECT_EQ(limits.burst(), 5);
  EXPECT_EQ(limits.refill_period().seconds(), 4 * 3'600);
  EXPECT_EQ(limits.queued_max(), 3);
  EXPECT_EQ(limits.ungradable_max(), 20);
  v1::AttemptLimits given;
  given.set_burst(1);
  given.set_queued_max(2);
  given.set_ungradable_max(3);
  given.mutable_refill_period()->set_seconds(60);
  EXPECT_EQ(ResolveAttempts(given).SerializeAsString(), given.SerializeAsString());
}

}  // namespace
}  // namespace trainyard
