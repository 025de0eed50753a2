// What changes in a course, and what its targets are told of it: a real store, a real outbox.
#include "server/grading/course_deliveries.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/log.h"
#include "server/grading/delivery_store.h"
#include "server/wire/timestamp.h"
#include "tests/server/grading/course_builder.h"
#include "tests/server/grading/course_events.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kLti[] =
    R"(delivery_target_set { kind: LTI_SCORE url: "https://lms.example/items/{assignment}" })";
constexpr char kCheck[] =
    R"(delivery_target_set { kind: CHECK_RUN url: "https://hook.example/x" repository_prefix: "dl-" })";

// Ann and Bob, an open assignment of 100 points and a sealed one of 50; due at kDue.
class CourseDeliveriesTest : public testing::Test {
 protected:
  CourseDeliveriesTest() {
    auto database = Database::Open(folder_.path() + "/db");
    TY_CHECK(database.ok());
    database_ = *std::move(database);
    auto courses = CourseStore::Open(database_.get());
    TY_CHECK(courses.ok());
    courses_ = *std::move(courses);
    courses_->Listen({.prepare = PrepareDeliveries, .written = [this] { ++wakes_; }});
    v1::CourseEvent policy = EventOf("policy_set { version: 1 }");
    *policy.mutable_policy_set()->mutable_policy() = Policy();
    const std::vector<v1::CourseEvent> events = {
        EventOf(R"(course_created { name: "courses/dl" time_zone: "Europe/Moscow" })"), policy,
        EventOf(R"(roster_changed {
          enrolments { user: "ann" role: COURSE_ROLE_STUDENT full_name: "Ann A"
                       external { github_login: "ann-gh" lti_user_id: "11" } }
          enrolments { user: "bob" role: COURSE_ROLE_STUDENT full_name: "Bob B" } })"),
        EventOf(R"(assignment_published { assignment { name: "courses/dl/assignments/open" version: 1
          max_points: 100 due: "2027-02-10 23:59:59" public_dataset: "datasets/p" } })"),
        EventOf(R"(assignment_published { assignment { name: "courses/dl/assignments/sealed" version: 1
          max_points: 50 due: "2027-02-10 23:59:59" sealed_dataset: "datasets/s" } })")};
    TY_CHECK(courses_->Create("dl", "ivan", events).ok());
  }

  void Add(const std::vector<v1::CourseEvent>& events) {
    ASSERT_THAT(
        courses_->Append("dl", "ivan", [&](const CourseState&) { return events; }), IsOk());
  }
  void Add(const std::string& text) { Add(std::vector{EventOf(text)}); }

  static std::string NameOf(const std::string& assignment, const std::string& id) {
    return absl::StrCat("courses/dl/assignments/", assignment, "/submissions/", id);
  }
  static v1::CourseEvent Graded(const std::string& student, const std::string& assignment,
                                const std::string& id, int64_t points, int64_t rank = 0,
                                absl::Time accepted = PresetDeadline() - absl::Hours(24)) {
    v1::CourseEvent event;
    v1::SubmissionGraded& graded = *event.mutable_submission_graded();
    graded.set_submission(NameOf(assignment, id));
    graded.set_assignment(assignment);
    graded.set_student(student);
    graded.set_points(points);
    graded.set_max_points(assignment == "open" ? 100 : 50);
    graded.set_public_rank(rank);
    graded.set_receipt(absl::StrCat("ty_", id));
    *graded.mutable_accepted_at() = ToTimestamp(accepted);
    *graded.mutable_finish_time() = ToTimestamp(accepted + absl::Minutes(3));
    return event;
  }
  static v1::CourseEvent Released(const v1::CourseEvent& graded) {
    v1::CourseEvent event;
    v1::PointsReleased& released = *event.mutable_points_released();
    released.set_submission(graded.submission_graded().submission());
    released.set_assignment(graded.submission_graded().assignment());
    released.set_student(graded.submission_graded().student());
    return event;
  }
  void GradeAndRelease(const v1::CourseEvent& graded) { Add({graded, Released(graded)}); }
  // The same; what is logged meanwhile.
  std::string LogOfRelease(const v1::CourseEvent& graded) {
    Log::SetLevel("warning");
    testing::internal::CaptureStderr();
    GradeAndRelease(graded);
    Log::Flush();
    Log::SetLevel("error");
    return testing::internal::GetCapturedStderr();
  }

  // Documents made since the last call, in their order; "" of one that could not be made.
  std::vector<std::string> News() {
    std::vector<std::string> news;
    EXPECT_THAT(database_->Read([&](Connection& connection) -> absl::Status {
      auto rows = connection.Prepare(
          "SELECT number, document FROM deliveries WHERE number > ? ORDER BY number");
      rows->Bind(seen_);
      while (*rows->Step()) {
        seen_ = rows->Int(0);
        news.push_back(rows->Text(1));
      }
      return absl::OkStatus();
    }),
                IsOk());
    return news;
  }
  // The newest one.
  v1::Delivery Newest() {
    v1::Delivery delivery;
    EXPECT_THAT(database_->Read([&](Connection& connection) -> absl::Status {
      const auto page = ListDeliveries(connection, "dl", v1::ListDeliveriesRequest());
      if (page.ok() && page->deliveries_size() > 0) delivery = page->deliveries(0);
      return page.status();
    }),
                IsOk());
    return delivery;
  }

  TempDir folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<CourseStore> courses_;
  int wakes_ = 0;
  int64_t seen_ = 0;
};

TEST_F(CourseDeliveriesTest, WithoutTargetsNobodyIsTold) {
  GradeAndRelease(Graded("ann", "open", "s1", 90));
  EXPECT_THAT(News(), IsEmpty());
  EXPECT_EQ(wakes_, 0);
}

TEST_F(CourseDeliveriesTest, AnLmsGetsTheLineThatCountsNotTheLastRun) {
  Add(kLti);
  EXPECT_EQ(wakes_, 0);
  GradeAndRelease(Graded("ann", "open", "s1", 90));
  EXPECT_EQ(wakes_, 1);
  EXPECT_THAT(News(), ElementsAre(AllOf(HasSubstr(R"("userId":"11","scoreGiven":90,"scoreMaximum":100)"),
                                        HasSubstr(R"("comment":"Trainyard ty_s1, late 0 days")"),
                                        HasSubstr(R"("new_submission":true)"))));
  EXPECT_EQ(Newest().url(), "https://lms.example/items/open/scores");
  // Another attempt, of now, that changes nothing.
  GradeAndRelease(Graded("ann", "open", "s2", 60, 0, PresetDeadline() - absl::Hours(12)));
  EXPECT_THAT(News(), ElementsAre(AllOf(HasSubstr(R"("scoreGiven":90,)"), HasSubstr("ty_s1"),
                                        HasSubstr(R"("submitted_at":"2027-02-10T15:05:00)"))));
  // A day and an hour late: two days, 20 %.
  GradeAndRelease(Graded("ann", "open", "s3", 100, 0, PresetDeadline() + absl::Hours(25)));
  EXPECT_THAT(News(), ElementsAre(HasSubstr(R"("scoreGiven":90,)")));
}

TEST_F(CourseDeliveriesTest, ALatePointsScoreIsExact) {
  Add(kLti);
  GradeAndRelease(Graded("ann", "open", "s1", 87, 0, PresetDeadline() + absl::Hours(25)));
  EXPECT_THAT(News(), ElementsAre(AllOf(HasSubstr(R"("scoreGiven":69.60,)"),
                                        HasSubstr("ty_s1, late 2 days"))));
}

TEST_F(CourseDeliveriesTest, WhatIsWithheldIsNotTold) {
  Add(kLti);
  Add(kCheck);
  const v1::CourseEvent first = Graded("ann", "open", "s1", 90);
  const v1::CourseEvent second = Graded("ann", "open", "s2", 70);
  Add({first});
  Add({second});
  EXPECT_THAT(News(), IsEmpty());
  // All at once when the assignment has closed: the runs in the order of their evaluation, and one
  // score.
  Add({Released(second), Released(first)});
  EXPECT_THAT(News(), ElementsAre(HasSubstr("Points 90/100"), HasSubstr("Points 70/100"),
                                  AllOf(HasSubstr(R"("scoreGiven":90,)"),
                                        HasSubstr(R"("new_submission":true)"))));
}

TEST_F(CourseDeliveriesTest, DecisionsOfStaffAndTheirRevocationAreToldToAnLms) {
  Add(kLti);
  Add(kCheck);
  GradeAndRelease(Graded("ann", "open", "s1", 90));
  EXPECT_THAT(News(), SizeIs(2));
  Add(R"(adjustment_made { id: "a1" student: "ann" assignment: "open" kind: ADD points: 5 reason: "r" })");
  EXPECT_THAT(News(), ElementsAre(AllOf(HasSubstr(R"("scoreGiven":95,)"),
                                        HasSubstr(R"("new_submission":false)"))));
  Add(R"(adjustment_made { id: "a2" student: "ann" assignment: "open" kind: ADD points: 0 reason: "r" })");
  EXPECT_THAT(News(), IsEmpty());
  Add(R"(adjustment_revoked { id: "a1" reason: "no" })");
  EXPECT_THAT(News(), ElementsAre(HasSubstr(R"("scoreGiven":90,)")));
  // Without a run; and nothing again, which is 0.
  Add(R"(adjustment_made { id: "a3" student: "ann" assignment: "sealed" kind: SET points: 20 reason: "r" })");
  EXPECT_THAT(News(), ElementsAre(AllOf(HasSubstr(R"("scoreGiven":20,)"),
                                        HasSubstr("by the course's staff"))));
  Add(R"(adjustment_revoked { id: "a3" reason: "no" })");
  EXPECT_THAT(News(), ElementsAre(HasSubstr(R"("scoreGiven":0,)")));
}

TEST_F(CourseDeliveriesTest, AnotherDeadlineOrPolicyIsToldToAnLms) {
  Add(kLti);
  GradeAndRelease(Graded("ann", "open", "s1", 80, 0, PresetDeadline() + absl::Hours(1)));
  EXPECT_THAT(News(), ElementsAre(HasSubstr(R"("scoreGiven":72,)")));
  Add(R"(assignment_published { assignment { name: "courses/dl/assignments/open" version: 2
         max_points: 100 due: "2027-02-12 23:59:59" public_dataset: "datasets/p" } })");
  EXPECT_THAT(News(), ElementsAre(HasSubstr(R"("scoreGiven":80,)")));
  v1::CourseEvent policy = EventOf("policy_set { version: 2 }");
  *policy.mutable_policy_set()->mutable_policy() = Policy();
  Add({policy});
  EXPECT_THAT(News(), IsEmpty());
}

TEST_F(CourseDeliveriesTest, WhatHasExpiredIsToldWithTheNextEvent) {
  Add(kLti);
  GradeAndRelease(Graded("ann", "open", "s1", 90));
  v1::CourseEvent added = EventOf(
      R"(adjustment_made { id: "a1" student: "ann" assignment: "open" kind: ADD points: 5 reason: "r" })");
  *added.mutable_adjustment_made()->mutable_expires() =
      ToTimestamp(absl::Now() + absl::Milliseconds(700));
  Add({added});
  EXPECT_THAT(News(),
              ElementsAre(HasSubstr(R"("scoreGiven":90,)"), HasSubstr(R"("scoreGiven":95,)")));
  absl::SleepFor(absl::Milliseconds(800));
  Add(absl::StrCat(R"(submission_nominated { student: "ann" assignment: "open" submission: ")",
                   NameOf("open", "s1"), "\" }"));
  EXPECT_THAT(News(), ElementsAre(HasSubstr(R"("scoreGiven":90,)")));
}

TEST_F(CourseDeliveriesTest, WhatWasReleasedWhileItWasRetiredIsToldWhenItIsBack) {
  Add(kCheck);
  const v1::CourseEvent graded = Graded("ann", "open", "s1", 90);
  Add({graded});
  const std::string open = R"(name: "courses/dl/assignments/open" max_points: 100
                              due: "2027-02-10 23:59:59" public_dataset: "datasets/p" )";
  Add(absl::StrCat("assignment_published { assignment { version: 2 retired: true ", open, "} }"));
  Add({Released(graded)});
  EXPECT_THAT(News(), IsEmpty());
  Add(absl::StrCat("assignment_published { assignment { version: 3 ", open, "} }"));
  EXPECT_THAT(News(), ElementsAre(HasSubstr("Points 90/100")));
}

TEST_F(CourseDeliveriesTest, ARunThatWasRegradedIsNoNewSubmission) {
  Add(kLti);
  const v1::CourseEvent graded = Graded("ann", "open", "s1", 60);
  GradeAndRelease(graded);
  News();
  Add({EventOf(absl::StrCat(
           R"(regrade_applied { regrade: "g1" assignment: "open" mode: 1
              points { points: 75 max_points: 100 assignment_version: 1 receipt: "ty_r" submission: ")",
           NameOf("open", "s1"), "\" } }")),
       Released(graded)});
  EXPECT_THAT(News(), ElementsAre(AllOf(HasSubstr(R"("scoreGiven":75,)"), HasSubstr("ty_r"),
                                        HasSubstr(R"("new_submission":false)"))));
}

// The receiver counts the best of what it gets.
TEST_F(CourseDeliveriesTest, OfSealedDataAHookGetsTheRunThatCountsOnly) {
  Add(kCheck);
  GradeAndRelease(Graded("ann", "sealed", "s1", 30, 900));
  EXPECT_THAT(News(), ElementsAre(HasSubstr("Points 30/50")));
  // More points, by rows that nobody chooses by.
  GradeAndRelease(Graded("ann", "sealed", "s2", 45, 800));
  EXPECT_THAT(News(), IsEmpty());
  GradeAndRelease(Graded("ann", "sealed", "s3", 35, 950));
  EXPECT_THAT(News(), ElementsAre(HasSubstr("Points 35/50")));
  Add(absl::StrCat(R"(submission_nominated { student: "ann" assignment: "sealed" submission: ")",
                   NameOf("sealed", "s2"), "\" }"));
  EXPECT_THAT(News(), ElementsAre(HasSubstr("Points 45/50")));
}

TEST_F(CourseDeliveriesTest, ATargetThatIsSetAnewIsToldEverything) {
  GradeAndRelease(Graded("ann", "open", "s1", 60));
  GradeAndRelease(Graded("ann", "open", "s2", 90));
  Add({Graded("ann", "open", "s3", 95)});
  Add(kCheck);
  EXPECT_THAT(News(), ElementsAre(HasSubstr("Points 60/100"), HasSubstr("Points 90/100")));
  Add(kLti);
  EXPECT_THAT(News(), ElementsAre(HasSubstr(R"("scoreGiven":90,)")));
  // Another secret is no other place.
  Add(R"(delivery_target_set { kind: LTI_SCORE url: "https://lms.example/items/{assignment}" secret_set: true })");
  EXPECT_THAT(News(), IsEmpty());
  Add(R"(delivery_target_set { kind: LTI_SCORE url: "https://lms.example/none"
         line_items { key: "open" value: "https://lms.example/courses/3/line_items/77?t=1" } })");
  EXPECT_THAT(News(), SizeIs(1));
  EXPECT_EQ(Newest().url(), "https://lms.example/courses/3/line_items/77/scores?t=1");
  std::string many = R"(delivery_target_set { kind: LTI_SCORE url: "https://lms.example/none" )";
  for (int i = 0; i < 9; ++i) {
    absl::StrAppend(&many, "line_items { key: 'a", i, "' value: 'https://lms.example/", i, "' }");
  }
  Add(many + "}");
  EXPECT_THAT(News(), SizeIs(1));
  Add(many + "secret_set: true }");
  EXPECT_THAT(News(), IsEmpty());
}

TEST_F(CourseDeliveriesTest, WhoCannotBeToldOfLeavesATraceAndIsToldOfOnceThatIsMended) {
  Add(kCheck);
  Add(kLti);
  EXPECT_THAT(LogOfRelease(Graded("bob", "open", "s1", 70)),
              AllOf(HasSubstr("delivery_impossible"), HasSubstr("submissions/s1"),
                    HasSubstr("CHECK_RUN"), HasSubstr("LTI_SCORE")));
  EXPECT_THAT(News(), ElementsAre("", ""));
  const v1::Delivery delivery = Newest();
  EXPECT_EQ(delivery.state(), v1::Delivery::GIVEN_UP);
  EXPECT_THAT(delivery.last_outcome(), AllOf(HasSubstr("never tried"), HasSubstr("lti_user_id")));
  EXPECT_THAT(database_->Write([&](Connection& connection) {
    return RetryDelivery(connection, "dl", delivery.id(), absl::Now()).status();
  }),
              HasReason(ErrorReason::kInvalidState));
  Add(R"(roster_changed { enrolments { user: "bob" role: COURSE_ROLE_STUDENT
         external { github_login: "bob-gh" } } })");
  EXPECT_THAT(News(), ElementsAre(HasSubstr("bob-gh")));
  Add(R"(roster_changed { enrolments { user: "bob" role: COURSE_ROLE_STUDENT
         external { github_login: "bob-gh" lti_user_id: "12" } } })");
  EXPECT_THAT(News(), ElementsAre(HasSubstr(R"("userId":"12")")));
}

TEST_F(CourseDeliveriesTest, WhatAReceiverMayMisreadIsLogged) {
  Add(kCheck);
  Add(R"(roster_changed { enrolments { user: "bob" role: COURSE_ROLE_STUDENT
         external { github_login: "ivan-2004" } } })");
  EXPECT_THAT(LogOfRelease(Graded("bob", "open", "s1", 70)),
              AllOf(HasSubstr("delivery_doubtful"), HasSubstr("ends with a number")));
  EXPECT_THAT(News(), ElementsAre(HasSubstr("ivan-2004")));
}

TEST_F(CourseDeliveriesTest, TheHooksClockIsThePolicys) {
  v1::CourseEvent policy = EventOf("policy_set { version: 2 }");
  *policy.mutable_policy_set()->mutable_policy() =
      Policy("time { late_clock: LATE_CLOCK_FINISHED_AT }");
  Add({policy});
  Add(kCheck);
  GradeAndRelease(Graded("ann", "open", "s1", 90, 0, absl::FromUnixSeconds(1'802'284'800)));
  EXPECT_THAT(News(), ElementsAre(HasSubstr("2027-02-10T18:43:00Z")));
}

}  // namespace
}  // namespace trainyard
