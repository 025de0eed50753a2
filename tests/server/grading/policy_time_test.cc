#include "server/grading/policy_time.h"

#include "gtest/gtest.h"

namespace trainyard {
namespace {

absl::Time Utc(int year, int month, int day, int hour, int minute, int second = 0) {
  return absl::FromCivil(absl::CivilSecond(year, month, day, hour, minute, second),
                         absl::UTCTimeZone());
}

TEST(PolicyTimeTest, ASkippedOrRepeatedHourIsTheLaterInstant) {
  const auto berlin = LoadPolicyZone("Europe/Berlin");
  ASSERT_TRUE(berlin.has_value());
  // 2027-03-28: 02:00 becomes 03:00 at 01:00 UTC; 02:30 is half an hour after it, or before.
  EXPECT_EQ(LaterInstant(absl::CivilSecond(2027, 3, 28, 2, 30), *berlin), Utc(2027, 3, 28, 1, 30));
  // 2027-10-31: 03:00 becomes 02:00 at 01:00 UTC; 02:30 is at 00:30 and at 01:30.
  EXPECT_EQ(LaterInstant(absl::CivilSecond(2027, 10, 31, 2, 30), *berlin),
            Utc(2027, 10, 31, 1, 30));
  EXPECT_EQ(LaterInstant(absl::CivilSecond(2027, 7, 1, 12, 0), *berlin), Utc(2027, 7, 1, 10, 0));
}

TEST(PolicyTimeTest, DatesWithAYearAreThemselves) {
  const auto date = PolicyDate::Parse("2027-03-29 23:59:30");
  ASSERT_TRUE(date.has_value());
  EXPECT_TRUE(date->has_year());
  EXPECT_EQ(date->At(absl::CivilSecond(2030, 1, 1)), absl::CivilSecond(2027, 3, 29, 23, 59, 30));
}

TEST(PolicyTimeTest, WithoutSecondsTheWholeMinuteIsMeant) {
  EXPECT_EQ(PolicyDate::Parse("2027-03-29 23:59")->At({}),
            absl::CivilSecond(2027, 3, 29, 23, 59, 59));
}

TEST(PolicyTimeTest, DatesWithoutAYearAreTheFirstFromTheStartOn) {
  const auto date = PolicyDate::Parse("03-29 23:59");
  ASSERT_TRUE(date.has_value());
  EXPECT_FALSE(date->has_year());
  EXPECT_EQ(date->At(absl::CivilSecond(2027, 2, 1)), absl::CivilSecond(2027, 3, 29, 23, 59, 59));
  EXPECT_EQ(date->At(absl::CivilSecond(2026, 10, 1)), absl::CivilSecond(2027, 3, 29, 23, 59, 59));
  EXPECT_EQ(PolicyDate::Parse("02-29 12:00:00")->At(absl::CivilSecond(2097, 1, 1)),
            absl::CivilSecond(2104, 2, 29, 12));
}

TEST(PolicyTimeTest, WhatIsNoDateIsRefused) {
  for (const char* text :
       {"", "2027", "2027-03-29", "2027-02-29 12:00", "02-30 12:00", "2027-13-01 12:00",
        "2027-03-29 24:00", "2027-03-29T23:59", "2027-03-29 23:5", " 03-29 23:59", "+3-29 23:59",
        "12027-03-29 23:59", "2027-03-29 23:59:59.5", "2027-03-29 23:59 "}) {
    EXPECT_FALSE(PolicyDate::Parse(text).has_value()) << text;
  }
}

TEST(PolicyTimeTest, WholeSecondsRefuseFractions) {
  google::protobuf::Duration duration;
  duration.set_seconds(7);
  EXPECT_EQ(WholeSeconds(duration), 7);
  duration.set_nanos(1);
  EXPECT_EQ(WholeSeconds(duration), std::nullopt);
}

}  // namespace
}  // namespace trainyard
