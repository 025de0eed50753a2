#include "server/grading/late_rule.h"

#include "tests/server/grading/course_builder.h"

namespace trainyard {
namespace {

struct Case {
  absl::Duration late;
  int64_t seconds;
  int64_t units;
  int64_t percent;
};

void ExpectCases(const LateRule& rule, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(absl::FormatDuration(c.late));
    const Lateness late = rule.Of(PresetDeadline() + c.late, PresetDeadline(), std::nullopt);
    EXPECT_EQ(late.seconds, c.seconds);
    EXPECT_EQ(late.units, c.units);
    EXPECT_EQ(late.percent, c.percent);
    EXPECT_FALSE(late.closed);
  }
}

TEST(LateRuleTest, TheCoursesVectors) {
  ExpectCases(LateRule(Policy()), {{-absl::Hours(1000), 0, 0, 0},
                                   {absl::ZeroDuration(), 0, 0, 0},
                                   {absl::Nanoseconds(1), 1, 1, 10},
                                   {absl::Seconds(1), 1, 1, 10},
                                   {absl::Seconds(86'399), 86'399, 1, 10},
                                   {absl::Seconds(86'399) + absl::Milliseconds(1), 86'400, 2, 20},
                                   {absl::Seconds(86'400), 86'400, 2, 20},
                                   {absl::Seconds(172'799), 172'799, 2, 20},
                                   {absl::Seconds(172'800), 172'800, 3, 30},
                                   {absl::Hours(24 * 90), 7'776'000, 3, 30}});
}

TEST(LateRuleTest, TheFirstUnitMayBeFree) {
  ExpectCases(LateRule(Policy("late { first_day_counts: false }")),
              {{absl::Seconds(1), 1, 0, 0},
               {absl::Seconds(86'399), 86'399, 0, 0},
               {absl::Seconds(86'400), 86'400, 1, 10}});
}

TEST(LateRuleTest, TheLastUnitCostsWhatIsLeftToTheMaximum) {
  ExpectCases(LateRule(Policy("late { percent_per_unit: 20 max_percent: 50 }")),
              {{absl::Hours(25), 90'000, 2, 40},
               {absl::Hours(49), 176'400, 3, 50},
               {absl::Hours(240), 864'000, 3, 50}});
}

TEST(LateRuleTest, UnitsThatCostNothingAreStillTold) {
  ExpectCases(LateRule(Policy("late { percent_per_unit: 0 unit { seconds: 3600 } }")),
              {{absl::Hours(5), 18'000, 6, 0}});
}

TEST(LateRuleTest, InfiniteTimesAreLateOrNot) {
  const LateRule rule(Policy("late { unit { seconds: 1 } percent_per_unit: 1 }"));
  EXPECT_EQ(rule.Of(absl::InfiniteFuture(), PresetDeadline(), std::nullopt).percent, 30);
  EXPECT_EQ(rule.Of(absl::InfinitePast(), PresetDeadline(), std::nullopt).percent, 0);
  EXPECT_EQ(rule.Of(absl::InfiniteFuture(), std::nullopt, std::nullopt).percent, 0);
}

TEST(LateRuleTest, WhatStaffSaysReplacesWhatWasCounted) {
  const LateRule rule((Policy()));
  EXPECT_EQ(rule.Of(PresetDeadline() + absl::Hours(90), PresetDeadline(), 0).percent, 0);
  EXPECT_EQ(rule.Of(PresetDeadline(), PresetDeadline(), 2).percent, 20);
  EXPECT_EQ(rule.Of(PresetDeadline(), PresetDeadline(), 5).percent, 30);
  // The course's own table is not capped.
  const LateRule course(Policy("", "hse-2026-exact"));
  EXPECT_EQ(course.Of(PresetDeadline(), PresetDeadline(), 5).percent, 50);
  EXPECT_EQ(course.Of(PresetDeadline(), PresetDeadline(), 99).percent, 100);
}

TEST(LateRuleTest, TheHardCloseIsExact) {
  const LateRule rule(
      Policy("late { hard_close: HARD_CLOSE_AFTER hard_close_after { seconds: 3600 } }"));
  EXPECT_FALSE(rule.Of(PresetDeadline() + absl::Hours(1), PresetDeadline(), std::nullopt).closed);
  const absl::Time after = PresetDeadline() + absl::Hours(1) + absl::Nanoseconds(1);
  EXPECT_TRUE(rule.Of(after, PresetDeadline(), std::nullopt).closed);
  EXPECT_TRUE(rule.Of(after, PresetDeadline(), 0).closed);
}

TEST(LateRuleTest, ThePenaltyMayBeOfTheMaximum) {
  const LateRule points((Policy()));
  EXPECT_EQ(points.Centipoints(7, 100, 10), 630);
  const LateRule maximum(Policy("late { apply_to: LATE_BASE_MAX_POINTS }"));
  EXPECT_EQ(maximum.Centipoints(80, 100, 10), 7'000);
  EXPECT_EQ(maximum.Centipoints(5, 100, 10), 0);
}

// The deadline of the preset is 03:05:00 UTC of the next day, what the course's code enforces.
TEST(LateRuleTest, ThePresetEndsWhereTheCourseEnds) {
  EXPECT_EQ(LateRule(Policy()).Deadline(kDue, 0), PresetDeadline());
  EXPECT_EQ(LateRule(Policy()).Deadline(kDue, 90), PresetDeadline() + absl::Seconds(90));
}

// In Berlin the night of 2027-03-28 has 23 hours: a deadline at midnight plus 6 h is 6 h later, not
// at 06:00, and a day late is 86 400 s, not the next midnight.
TEST(LateRuleTest, DaysAreOf86400SecondsWhenClocksChange) {
  const LateRule rule(Policy("time { tz: \"Europe/Berlin\" grace { seconds: 21600 } }"));
  const absl::Time deadline = rule.Deadline(absl::CivilSecond(2027, 3, 28), 0);
  EXPECT_EQ(absl::FormatTime(deadline, rule.zone()), "2027-03-28T07:00:00+02:00");
  const auto at = [&](int day, int hour, int minute, int second) {
    return absl::FromCivil(absl::CivilSecond(2027, 3, day, hour, minute, second), rule.zone());
  };
  EXPECT_EQ(rule.Of(at(29, 6, 59, 59), deadline, std::nullopt).units, 1);
  EXPECT_EQ(rule.Of(at(29, 7, 0, 0), deadline, std::nullopt).units, 2);
  const absl::Time eve = rule.Deadline(absl::CivilSecond(2027, 3, 27, 18), 0);
  EXPECT_EQ(rule.Of(at(28, 23, 0, 0), eve, std::nullopt).seconds, 79'200);
}

}  // namespace
}  // namespace trainyard
