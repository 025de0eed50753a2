#include "server/grading/policy.h"

#include <functional>
#include <string>

#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/server/grading/course_builder.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

v1::GradingPolicy Given(const std::string& text) {
  v1::GradingPolicy policy;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &policy)) << text;
  return policy;
}

TEST(PolicyTest, ThePresetIsTheDocumentOfTheCourse) {
  const v1::GradingPolicy policy = Policy();
  EXPECT_EQ(policy.time().tz(), "Europe/Moscow");
  EXPECT_EQ(policy.time().late_clock(), v1::LATE_CLOCK_ACCEPTED_AT);
  EXPECT_EQ(policy.time().grace().seconds(), 6 * 3600 + 5 * 60 + 1);
  EXPECT_EQ(policy.late().percent_per_unit(), 10);
  EXPECT_EQ(policy.late().max_percent(), 30);
  EXPECT_EQ(policy.homework().scale(), 8);
  ASSERT_EQ(policy.exams().items_size(), 2);
  EXPECT_EQ(policy.exams().items(1).id(), "exam4");
  EXPECT_EQ(policy.exams().items(1).weight_percent(), 10);
  ASSERT_EQ(policy.admission_size(), 2);
  EXPECT_EQ(policy.admission(1).by(), "06-16 23:59");
  EXPECT_EQ(policy.final().cap(), 10);
  EXPECT_EQ(policy.arithmetic(), v1::GRADE_ARITHMETIC_EXACT);
}

TEST(PolicyTest, TheParityPresetDiffersInClockAndArithmeticOnly) {
  v1::GradingPolicy policy = Policy("", "hse-2026-exact");
  EXPECT_EQ(policy.time().late_clock(), v1::LATE_CLOCK_FINISHED_AT);
  EXPECT_EQ(policy.arithmetic(), v1::GRADE_ARITHMETIC_HSE_2026_DOUBLE);
  policy.set_preset("hse");
  policy.mutable_time()->set_late_clock(v1::LATE_CLOCK_ACCEPTED_AT);
  policy.set_arithmetic(v1::GRADE_ARITHMETIC_EXACT);
  EXPECT_TRUE(MessageDifferencer::Equals(policy, Policy()));
}

TEST(PolicyTest, WhatIsGivenStaysAndTheRestIsThePresets) {
  const v1::GradingPolicy policy =
      Policy("late { percent_per_unit: 20 max_percent: 60 } time { grace { seconds: 60 } }");
  EXPECT_EQ(policy.late().percent_per_unit(), 20);
  EXPECT_EQ(policy.late().unit().seconds(), 86'400);
  EXPECT_EQ(policy.time().grace().seconds(), 60);
  EXPECT_EQ(policy.time().tz(), "Europe/Moscow");
}

TEST(PolicyTest, ZeroAndFalseAreGiven) {
  const v1::GradingPolicy policy =
      Policy("late { percent_per_unit: 0 first_day_counts: false } time { grace {} }");
  EXPECT_EQ(policy.late().percent_per_unit(), 0);
  EXPECT_FALSE(policy.late().first_day_counts());
  EXPECT_EQ(policy.time().grace().seconds(), 0);
}

TEST(PolicyTest, AListThatIsGivenReplacesThePresets) {
  const v1::GradingPolicy policy = Policy(
      "exams { items { id: \"exam3\" max: 20 weight_percent: 5 } }"
      "admission { exam: \"exam3\" module: \"1\" by: \"2027-01-01 00:00\" "
      "on_fail: ADMISSION_FAILURE_ZERO }");
  ASSERT_EQ(policy.exams().items_size(), 1);
  EXPECT_EQ(policy.exams().items(0).max(), 20);
  EXPECT_EQ(policy.exams().cap(), 2);
  ASSERT_EQ(policy.admission_size(), 1);
}

TEST(PolicyTest, ResolvingTwiceChangesNothing) {
  for (const std::string& preset : PolicyPresets()) {
    SCOPED_TRACE(preset);
    const v1::GradingPolicy once = Policy("late { max_percent: 50 }", preset);
    ASSERT_OK_AND_ASSIGN(const v1::GradingPolicy twice, ResolvePolicy(once));
    EXPECT_TRUE(MessageDifferencer::Equals(once, twice));
  }
}

TEST(PolicyTest, AResolvedPolicyNeedsNoPreset) {
  v1::GradingPolicy policy = Policy();
  policy.clear_preset();
  EXPECT_THAT(ValidatePolicy(policy), IsOk());
}

TEST(PolicyTest, WithoutAPresetEveryFieldIsAskedFor) {
  const absl::Status status = ResolvePolicy(Given("late { unit { seconds: 60 } }")).status();
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("hse-2026-exact")));
  EXPECT_THAT(
      ViolatedFields(status),
      ElementsAre("policy.time", "policy.late.first_day_counts", "policy.late.percent_per_unit",
                  "policy.late.max_percent", "policy.late.apply_to", "policy.late.hard_close",
                  "policy.select", "policy.points", "policy.homework", "policy.exams",
                  "policy.final", "policy.sanctions", "policy.export", "policy.arithmetic"));
}

TEST(PolicyTest, AnUnknownPresetIsNamedWithTheNearest) {
  EXPECT_THAT(ResolvePolicy(Given("preset: \"hse-2026-exakt\"")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("did you mean")));
}

TEST(PolicyTest, AnUnknownPresetDoesNotHideTheOtherFaults) {
  for (const char* preset : {"hse-2026-exakt", "something else"}) {
    SCOPED_TRACE(preset);
    v1::GradingPolicy given = Given("time { tz: \"x\" } late { max_percent: 101 }");
    given.set_preset(preset);
    // Nothing is missing that a preset gives.
    EXPECT_THAT(ViolatedFields(ResolvePolicy(given).status()),
                ElementsAre("policy.preset", "policy.time.tz", "policy.late.max_percent"));
  }
}

TEST(PolicyTest, AModuleIsWrittenAsQuizzesHaveIt) {
  v1::GradingPolicy given = Given(
      "preset: \"hse\" admission { exam: \"exam3\" by: \"03-29 23:59\" "
      "on_fail: ADMISSION_FAILURE_FLAG }");
  for (const char* module : {"1", "3", "10", "100"}) {
    given.mutable_admission(0)->set_module(module);
    EXPECT_THAT(ResolvePolicy(given), IsOk()) << module;
  }
  for (const char* module : {"three", "module 3", "03", "0", "-3", "+3", "3.0", " 3", "101"}) {
    SCOPED_TRACE(module);
    given.mutable_admission(0)->set_module(module);
    const absl::Status status = ResolvePolicy(given).status();
    EXPECT_THAT(ViolatedFields(status), ElementsAre("policy.admission[0].module"));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(module)));
  }
}

TEST(PolicyTest, APolicyOfBeforeModulesWereCheckedStillComputesGrades) {
  v1::GradingPolicy policy = Policy();
  policy.mutable_admission(0)->set_module("module 3");
  EXPECT_THAT(ValidatePolicy(policy), IsOk());
  EXPECT_THAT(ComputeGradebook(OneHomework().input, policy), IsOk());
  policy.mutable_admission(0)->set_module(std::string(201, '3'));
  EXPECT_THAT(ViolatedFields(ValidatePolicy(policy)), ElementsAre("policy.admission[0].module"));
}

struct Fault {
  const char* text;   // over preset hse
  const char* field;  // the only one that is named
  const char* what;
};

TEST(PolicyTest, EachFaultIsNamed) {
  const Fault faults[] = {
      {"time { tz: \"Europe/Moskau\" }", "policy.time.tz", "IANA"},
      {"time { tz: \"../../../etc/passwd\" }", "policy.time.tz", "IANA"},
      {"time { tz: \"localtime\" }", "policy.time.tz", "IANA"},
      {"time { tz: \"\" }", "policy.time.tz", "IANA"},
      {"time { grace { seconds: -1 } }", "policy.time.grace", "is -1 s"},
      {"time { grace { nanos: 5 } }", "policy.time.grace", "5 ns"},
      {"time { grace { seconds: 9223372036854775807 } }", "policy.time.grace", "from 0 to"},
      {"late { unit {} }", "policy.late.unit", "from 1 to"},
      {"late { percent_per_unit: 31 }", "policy.late.percent_per_unit", "more than max_percent"},
      {"late { max_percent: 101 }", "policy.late.max_percent", "from 0 to 100"},
      {"late { percent_per_unit: -1 }", "policy.late.percent_per_unit", "from 0 to 100"},
      {"late { hard_close: HARD_CLOSE_AFTER }", "policy.late.hard_close_after", "not given"},
      {"late { hard_close_after { seconds: 1 } }", "policy.late.hard_close_after", "take out one"},
      {"late { apply_to: LATE_BASE_UNSPECIFIED }", "policy.late.apply_to", "is not given"},
      {"homework { scale: 11 }", "policy.homework.scale", "more than final.cap"},
      {"homework { scale: 0 }", "policy.homework.scale", "from 1 to"},
      {"homework { denominator: HOMEWORK_DENOMINATOR_ALL_MAX bonus: BONUS_RULE_NONE }",
       "policy.homework.bonus", "non_bonus_max"},
      {"exams { cap: 1 }", "policy.exams.items", "up to 2.00 points, more than exams.cap, 1"},
      {"exams { items { id: \"exam3\" max: 10 weight_percent: 10 } "
       "items { id: \"exam4\" max: 10 weight_percent: 11 } }",
       "policy.exams.items", "up to 2.10"},
      {"exams { items { id: \"exam3\" max: 1 weight_percent: 1 } "
       "items { id: \"exam4\" max: 1 weight_percent: 1 } "
       "items { id: \"exam4\" max: 1 weight_percent: 1 } }",
       "policy.exams.items[2].id", "each exam once"},
      {"exams { items { id: \"exam3\" max: 1 weight_percent: 1 } "
       "items { id: \"exam4\" weight_percent: 1 } }",
       "policy.exams.items[1].max", "is not given"},
      {"admission { exam: \"exam5\" module: \"3\" by: \"03-29 23:59\" "
       "on_fail: ADMISSION_FAILURE_FLAG }",
       "policy.admission[0].exam", "it has exam3, exam4"},
      {"admission { exam: \"exam3\" module: \"3\" by: \"29 March\" "
       "on_fail: ADMISSION_FAILURE_FLAG }",
       "policy.admission[0].by", "is no date"},
      {"admission { exam: \"exam3\" module: \"3\" by: \"03-29 23:59\" }",
       "policy.admission[0].on_fail", "is not given"},
      {"admission { exam: \"exam3\" by: \"03-29 23:59\" on_fail: ADMISSION_FAILURE_FLAG }",
       "policy.admission[0].module", "is not given"},
      {"admission { exam: \"exam3\" module: \"3\" by: \"03-29 23:59\" quizzes_min: 0 "
       "on_fail: ADMISSION_FAILURE_FLAG }",
       "policy.admission[0].quizzes_min", "from 1 to"},
      {"arithmetic: GRADE_ARITHMETIC_HSE_2026_DOUBLE select { rule: SELECT_RULE_NOMINATED }",
       "policy.select.rule", "hse_2026_double"},
      {"arithmetic: GRADE_ARITHMETIC_HSE_2026_DOUBLE exams { bonus_may_cover: true }",
       "policy.exams.bonus_may_cover", "hse_2026_double"},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.text);
    v1::GradingPolicy given = Given(fault.text);
    given.set_preset("hse");
    const absl::Status status = ResolvePolicy(given).status();
    EXPECT_THAT(ViolatedFields(status), ElementsAre(fault.field));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(fault.what)));
  }
}

TEST(PolicyTest, AllFaultsComeAtOnce) {
  v1::GradingPolicy given = Given(R"(
      preset: "hse" time { tz: "x" grace { seconds: -1 } } late { percent_per_unit: 40 }
      homework { scale: 20 } exams { cap: 1 }
      admission { exam: "oral" module: "3" by: "soon" on_fail: ADMISSION_FAILURE_FLAG })");
  EXPECT_THAT(
      ViolatedFields(ResolvePolicy(given).status()),
      UnorderedElementsAre("policy.time.tz", "policy.time.grace", "policy.late.percent_per_unit",
                           "policy.homework.scale", "policy.exams.items",
                           "policy.admission[0].exam", "policy.admission[0].by"));
}

TEST(PolicyTest, UnknownEnumNumbersAreFaults) {
  v1::GradingPolicy given = Given("preset: \"hse\"");
  given.mutable_select()->set_rule(static_cast<v1::SelectRule>(77));
  EXPECT_THAT(ViolatedFields(ResolvePolicy(given).status()), ElementsAre("policy.select.rule"));
}

TEST(PolicyTest, AMillionAdmissionsAreOneFault) {
  v1::GradingPolicy given = Given("preset: \"hse\"");
  for (int i = 0; i < 101; ++i) given.add_admission();
  EXPECT_THAT(ViolatedFields(ResolvePolicy(given).status()), ElementsAre("policy.admission"));
}

TEST(PolicyTest, JsonIsReadAndUnknownFieldsAreRefused) {
  ASSERT_OK_AND_ASSIGN(
      const v1::GradingPolicy policy,
      ParsePolicyJson(R"({"preset": "hse", "late": {"percent_per_unit": 5, "unit": "3600s"}})"));
  EXPECT_EQ(policy.late().percent_per_unit(), 5);
  EXPECT_EQ(policy.late().unit().seconds(), 3600);
  EXPECT_THAT(ParsePolicyJson(R"({"lateness": {}})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("lateness")));
  EXPECT_THAT(ParsePolicyJson("{"), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(ParsePolicyJson(std::string(2 << 20, ' ')), HasReason(ErrorReason::kTooLarge));
}

TEST(PolicyTest, JsonGivesBackThePolicyAndItsDigest) {
  const v1::GradingPolicy policy = Policy();
  ASSERT_OK_AND_ASSIGN(const v1::GradingPolicy read, ParsePolicyJson(PolicyJson(policy)));
  EXPECT_TRUE(MessageDifferencer::Equals(policy, read));
  EXPECT_EQ(PolicyDigest(policy), PolicyDigest(read));
  EXPECT_NE(PolicyDigest(policy), PolicyDigest(Policy("late { max_percent: 31 }")));
}

}  // namespace
}  // namespace trainyard
