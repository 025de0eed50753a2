#include "server/grading/course_state.h"

#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/grading/course_events.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;

constexpr char kS1[] = "courses/dl/assignments/hw1/submissions/s1";

TEST(CourseStateTest, TheSampleHasEveryKindOfEvent) {
  std::set<int> kinds;
  for (const v1::CourseEvent& event : EveryKindOfEvent()) kinds.insert(event.kind_case());
  const int all = v1::CourseEvent::descriptor()->FindOneofByName("kind")->field_count();
  EXPECT_EQ(static_cast<int>(kinds.size()), all);
}

TEST(CourseStateTest, EveryEventChangesTheState) {
  CourseState state;
  for (const v1::CourseEvent& event : EveryKindOfEvent()) {
    // Sequence and time aside, which always change.
    CourseState before = state;
    Apply(event, &state);
    CourseState after = state;
    before.course.clear_last_sequence();
    after.course.clear_last_sequence();
    before.last_time = after.last_time;
    EXPECT_NE(StateDump::Of(before), StateDump::Of(after)) << event.ShortDebugString();
  }
}

TEST(CourseStateTest, CoursePolicyAndRosterAreTheLastOnes) {
  const CourseState state = StateOf(EveryKindOfEvent());
  EXPECT_EQ(state.course.display_name(), "DL");
  EXPECT_EQ(state.course.create_time().seconds(), 1'800'000'001);
  EXPECT_EQ(state.course.policy_version(), 1);
  EXPECT_EQ(state.course.last_sequence(), 18);
  EXPECT_EQ(state.last_time, absl::FromUnixSeconds(1'800'000'018));
  ASSERT_EQ(state.policies.size(), 1u);
  EXPECT_EQ(state.policies[0].create_time().seconds(), 1'800'000'002);
  EXPECT_EQ(state.roster.at("ann").full_name(), "Ann B");
  EXPECT_EQ(state.RoleOf("ann"), v1::COURSE_ROLE_STUDENT);
  EXPECT_EQ(state.RoleOf("bob"), v1::COURSE_ROLE_UNSPECIFIED);
  EXPECT_EQ(state.RoleOf("ivan"), v1::COURSE_ROLE_INSTRUCTOR);
  EXPECT_EQ(state.targets.at(v1::DeliveryTarget::CHECK_RUN).url(), "https://hook.example");
}

TEST(CourseStateTest, VersionsOfAnAssignmentAreKept) {
  const CourseState state = StateOf(EveryKindOfEvent());
  EXPECT_THAT(state.assignment_order, ElementsAre("hw1"));
  EXPECT_EQ(state.Find("hw1")->assignment().max_points(), 50);
  EXPECT_EQ(state.Find("hw1", 1)->assignment().max_points(), 100);
  EXPECT_EQ(state.Find("hw1", 2)->assignment().publish_time().seconds(), 1'800'000'005);
  EXPECT_EQ(state.Find("hw1", 3), nullptr);
  EXPECT_EQ(state.Find("hw1", -1), nullptr);
  EXPECT_EQ(state.Find("hw2"), nullptr);
}

TEST(CourseStateTest, EachVersionHasItsOwnCommitmentRevealed) {
  const CourseState state = StateOf(EveryKindOfEvent());
  EXPECT_EQ(state.Find("hw1", 1)->assignment().commitments(1).salt(), "aa");
  EXPECT_EQ(state.Find("hw1", 2)->assignment().commitments(1).salt(), "bb");
  EXPECT_EQ(state.Find("hw1", 2)->assignment().commitments(1).row_count(), 100);
  // It was not among the revealed ones.
  EXPECT_EQ(state.Find("hw1", 2)->assignment().commitments(0).salt(), "");
}

TEST(CourseStateTest, PointsAreWithheldUntilTheyAreReleasedAndThenCountTheirBits) {
  std::vector<v1::CourseEvent> events = EveryKindOfEvent();
  events.resize(6);
  CourseState state = StateOf(events);
  EXPECT_FALSE(state.graded.at(kS1).released);
  EXPECT_THAT(state.unreleased.at("hw1"), ElementsAre(kS1));
  EXPECT_EQ(state.last_receipt_digest, "sha256:r1");
  EXPECT_EQ(state.graded.at(kS1).sequence, 6);
  Apply(EveryKindOfEvent()[6], &state);
  EXPECT_TRUE(state.graded.at(kS1).released);
  EXPECT_TRUE(state.unreleased.at("hw1").empty());
  EXPECT_EQ(state.leaked_millibits.at({"ann", "hw1"}), 7'500);
  Apply(EveryKindOfEvent()[6], &state);
  EXPECT_EQ(state.leaked_millibits.at({"ann", "hw1"}), 15'000);
  EXPECT_EQ(state.class_leaked_millibits.at("hw1"), 15'000);
}

TEST(CourseStateTest, ARegradeChangesPointsAndReceiptButNotWhenOrWhose) {
  const CourseState state = StateOf(EveryKindOfEvent());
  const v1::SubmissionGraded& graded = state.graded.at(kS1).graded;
  EXPECT_EQ(graded.points(), 45);
  EXPECT_EQ(graded.receipt(), "ty_2");
  EXPECT_EQ(graded.student(), "ann");
  EXPECT_EQ(graded.public_rank(), 7);
  EXPECT_EQ(state.last_receipt_digest, "sha256:r2");
  EXPECT_THAT(state.graded_of.at({"ann", "hw1"}), ElementsAre(kS1));
  EXPECT_EQ(state.nominated.at({"ann", "hw1"}), kS1);
  ASSERT_TRUE(state.regrades.at("g1").applied.has_value());
  EXPECT_EQ(state.regrades.at("g1").created.originals(0), kS1);
  const auto events = EveryKindOfEvent();
  const auto applied = std::find_if(events.begin(), events.end(), [](const v1::CourseEvent& event) {
    return event.has_regrade_applied();
  });
  EXPECT_EQ(state.regrades.at("g1").applied_sequence, applied->sequence());
}

// Ranks of two metrics, or of two public splits, cannot be compared.
TEST(CourseStateTest, ARegradeBringsThePublicRankOfItsOwnVersion) {
  std::vector<v1::CourseEvent> events = EveryKindOfEvent();
  for (v1::CourseEvent& event : events) {
    if (event.has_regrade_applied())
      event.mutable_regrade_applied()->mutable_points(0)->set_public_rank(0);
  }
  EXPECT_EQ(StateOf(events).graded.at(kS1).graded.public_rank(), 0);
}

TEST(CourseStateTest, PointsOfARegradeAreWithheldUntilTheyAreReleased) {
  CourseState state = StateOf(EveryKindOfEvent());
  EXPECT_FALSE(state.graded.at(kS1).released);
  EXPECT_THAT(state.unreleased.at("hw1"), ElementsAre(kS1));
  EXPECT_EQ(state.leaked_millibits.at({"ann", "hw1"}), 7'500);
  Apply(EveryKindOfEvent()[6], &state);
  EXPECT_TRUE(state.graded.at(kS1).released);
  EXPECT_TRUE(state.unreleased.at("hw1").empty());
  EXPECT_EQ(state.leaked_millibits.at({"ann", "hw1"}), 15'000);
}

TEST(CourseStateTest, WhatWasRevokedStaysAndDoesNotCount) {
  const CourseState state = StateOf(EveryKindOfEvent());
  ASSERT_EQ(state.adjustments.size(), 1u);
  EXPECT_TRUE(state.adjustments[0].revoked());
  EXPECT_EQ(state.adjustments[0].author(), "greta");
  EXPECT_EQ(state.adjustments[0].create_time().seconds(), 1'800'000'009);
  EXPECT_FALSE(InForce(state.adjustments[0], absl::UnixEpoch()));
}

TEST(CourseStateTest, TheLastMarkCounts) {
  CourseState state = StateOf(EveryKindOfEvent());
  EXPECT_EQ(state.exams.at({"ann", "exam3"}).hundredths(), 700);
  Apply(EventOf(R"(marks_recorded { exams { student: "ann" exam: "exam3" hundredths: 650 } })"),
        &state);
  EXPECT_EQ(state.exams.at({"ann", "exam3"}).hundredths(), 650);
  EXPECT_EQ(state.quizzes.at({"bob", "q1"}).attempts(), 2);
  EXPECT_EQ(state.snapshots.at(0).author, "ivan");
  EXPECT_EQ(state.snapshots.at(0).published.as_of_sequence(), 11);
}

TEST(CourseStateTest, WhatWasRecordedByMistakeIsRemoved) {
  CourseState state = StateOf(EveryKindOfEvent());
  const v1::CourseEvent removed =
      EventOf(R"(marks_recorded { exams { student: "ann" exam: "exam3" removed: true }
                                  exams { student: "bob" exam: "exam3" hundredths: 300 }
                                  quizzes { student: "bob" quiz: "q1" removed: true } })");
  Apply(removed, &state);
  EXPECT_FALSE(state.exams.contains({"ann", "exam3"}));
  EXPECT_EQ(state.exams.at({"bob", "exam3"}).hundredths(), 300);
  EXPECT_TRUE(state.quizzes.empty());
  Apply(removed, &state);
  EXPECT_EQ(state.exams.size(), 1u);
  Apply(EventOf(R"(marks_recorded { exams { student: "ann" exam: "exam3" hundredths: 0 } })"),
        &state);
  EXPECT_TRUE(state.exams.contains({"ann", "exam3"}));
}

absl::Time Utc(int month, int day, int hour, int minute, int second) {
  return absl::FromCivil(absl::CivilSecond(2027, month, day, hour, minute, second),
                         absl::UTCTimeZone());
}

TEST(ParseCivilTest, IsTheTimeOfTheZone) {
  absl::Time time;
  ASSERT_TRUE(ParseCivil("2027-02-10 23:59:59", "Europe/Moscow", &time));
  EXPECT_EQ(time, Utc(2, 10, 20, 59, 59));
  ASSERT_TRUE(ParseCivil("2027-02-10 23:59:59", "America/New_York", &time));
  EXPECT_EQ(time, Utc(2, 11, 4, 59, 59));
}

// Berlin 2027: from 02:00 CET to 03:00 CEST on 28 March, back from 03:00 to 02:00 on 31 October.
TEST(ParseCivilTest, WhereClocksChangeItIsTheLaterInstant) {
  absl::Time time;
  ASSERT_TRUE(ParseCivil("2027-03-28 01:59:59", "Europe/Berlin", &time));
  EXPECT_EQ(time, Utc(3, 28, 0, 59, 59));
  ASSERT_TRUE(ParseCivil("2027-03-28 02:30:00", "Europe/Berlin", &time));  // skipped
  EXPECT_EQ(time, Utc(3, 28, 1, 30, 0));
  ASSERT_TRUE(ParseCivil("2027-10-31 02:30:00", "Europe/Berlin", &time));  // twice
  EXPECT_EQ(time, Utc(10, 31, 1, 30, 0));
}

TEST(ParseCivilTest, OtherTextsAreNoTimes) {
  absl::Time time = absl::UnixEpoch();
  for (const char* text :
       {"", "2027-02-10", "2027-02-10T23:59:59", "2027-02-10 23:59", "2027-02-30 23:59:59",
        "2027-13-01 00:00:00", "2027-02-10 24:00:00", "2027-02-10 23:60:00", "2027-02-10 23:59:60",
        "12027-2-10 23:59:59", "+027-02-10 23:59:59", "2027-02-10 23:59:5 ", " 2027-2-10 23:59:59",
        "2027-02-10  3:59:59", "2027-02-10 23:59:59Z"}) {
    EXPECT_FALSE(ParseCivil(text, "Europe/Moscow", &time)) << text;
    EXPECT_EQ(CivilSecondOf(text), std::nullopt) << text;
  }
  for (const char* zone : {"", "localtime", "Europe/Nowhere", "/etc/localtime", "../zone"}) {
    EXPECT_FALSE(ParseCivil("2027-02-10 23:59:59", zone, &time)) << zone;
  }
  EXPECT_EQ(time, absl::UnixEpoch());
}

class DeadlinesTest : public testing::Test {
 protected:
  DeadlinesTest() : state_(StateOf(EveryKindOfEvent())) {
    assignment_ = state_.Find("hw1")->assignment();
    assignment_.set_opens("2027-02-01 00:00:00");
    assignment_.set_due("2027-02-10 23:59:59");
    assignment_.set_closes("2027-02-20 23:59:59");
  }
  void Adjust(const std::string& text) {
    state_.adjustments.push_back(FromText<v1::Adjustment>(text));
  }
  Deadlines Of(const char* student) {
    return DeadlinesOf(state_, assignment_, student, absl::FromUnixSeconds(1'800'000'000));
  }
  absl::Time Last() { return LastClose(state_, assignment_, absl::FromUnixSeconds(1'800'000'000)); }

  CourseState state_;
  v1::Assignment assignment_;
};

TEST_F(DeadlinesTest, AreInTheCoursesZone) {
  EXPECT_EQ(Of("ann").opens, Utc(1, 31, 21, 0, 0));
  EXPECT_EQ(Of("ann").due, Utc(2, 10, 20, 59, 59));
  EXPECT_EQ(Of("ann").closes, Utc(2, 20, 20, 59, 59));
  EXPECT_EQ(Last(), Of("ann").closes);
}

TEST_F(DeadlinesTest, WithoutThemItIsAlwaysOpenAndNeverDue) {
  assignment_.clear_opens();
  assignment_.clear_due();
  assignment_.clear_closes();
  Adjust(R"(student: "ann" assignment: "hw1" kind: EXTEND extension { seconds: 60 })");
  EXPECT_EQ(Of("ann").opens, absl::InfinitePast());
  EXPECT_EQ(Of("ann").due, absl::InfiniteFuture());
  EXPECT_EQ(Of("ann").closes, absl::InfiniteFuture());
  EXPECT_EQ(Last(), absl::InfiniteFuture());
}

TEST_F(DeadlinesTest, ExtensionsOfTheStudentAndTheAssignmentAddUp) {
  Adjust(R"(student: "ann" assignment: "hw1" kind: EXTEND extension { seconds: 3600 })");
  Adjust(R"(student: "ann" assignment: "hw1" kind: EXTEND extension { seconds: 60 })");
  Adjust(R"(student: "ann" assignment: "hw2" kind: EXTEND extension { seconds: 86400 })");
  Adjust(R"(student: "bob" assignment: "hw1" kind: EXTEND extension { seconds: 3600 })");
  Adjust(
      R"(student: "ann" assignment: "hw1" kind: EXTEND extension { seconds: 7200 } revoked: true)");
  Adjust(R"(student: "ann" assignment: "hw1" kind: EXTEND extension { seconds: 7200 }
            expires { seconds: 1800000000 })");
  EXPECT_EQ(Of("ann").due, Utc(2, 10, 22, 0, 59));
  EXPECT_EQ(Of("bob").closes, Utc(2, 20, 21, 59, 59));
  EXPECT_EQ(Of("greta").closes, Utc(2, 20, 20, 59, 59));
  EXPECT_EQ(Last(), Of("ann").closes);
}

TEST_F(DeadlinesTest, ARetiredOneHasClosedForEverybody) {
  Adjust(R"(student: "ann" assignment: "hw1" kind: EXTEND extension { seconds: 3600 })");
  assignment_.set_retired(true);
  EXPECT_EQ(Last(), absl::InfinitePast());
  assignment_.clear_closes();
  EXPECT_EQ(Last(), absl::InfinitePast());
}

TEST_F(DeadlinesTest, AnExemptionIsOfOneStudentAndExpires) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  Adjust(
      R"(student: "ann" assignment: "hw1" kind: EXEMPT expires { seconds: 1800000000 nanos: 1 })");
  EXPECT_TRUE(IsExempt(state_, "hw1", "ann", now));
  EXPECT_FALSE(IsExempt(state_, "hw1", "bob", now));
  EXPECT_FALSE(IsExempt(state_, "hw2", "ann", now));
  EXPECT_FALSE(IsExempt(state_, "hw1", "ann", now + absl::Nanoseconds(1)));
}

}  // namespace
}  // namespace trainyard
