#include "server/grading/course_store.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/wire/timestamp.h"
#include "tests/server/grading/course_events.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "trainyard/v1/grades.pb.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Events = CourseStore::Events;

v1::CourseEvent Created() { return EventOf(R"(course_created { name: "courses/dl" })"); }
v1::CourseEvent Joined(const std::string& user) {
  return EventOf(absl::StrCat("roster_changed { enrolments { role: COURSE_ROLE_STUDENT user: \"",
                              user, "\" } }"));
}

absl::Status Add(CourseStore& store, const v1::CourseEvent& event,
                 const CourseStore::Also& also = {}) {
  return store.Append(
      "dl", "ivan", [&](const CourseState&) -> absl::StatusOr<Events> { return Events{event}; },
      also);
}

std::string DumpOf(const CourseStore& store, const std::string& course = "dl") {
  std::string dump;
  const absl::Status read = store.Read(course, [&](const CourseState& state) {
    dump = StateDump::Of(state);
    return absl::OkStatus();
  });
  return read.ok() ? dump : std::string(read.message());
}

class CourseStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(":memory:"));
    ASSERT_OK_AND_ASSIGN(store_, CourseStore::Open(database_.get()));
  }
  // Its events one by one, but for the first.
  void PlayAll() {
    const std::vector<v1::CourseEvent> events = EveryKindOfEvent();
    ASSERT_THAT(store_->Create("dl", "ivan", {events[0]}), IsOk());
    for (size_t i = 1; i < events.size(); ++i) ASSERT_THAT(Add(*store_, events[i]), IsOk());
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<CourseStore> store_;
};

TEST_F(CourseStoreTest, IsTheSameAfterItWasOpenedAgain) {
  PlayAll();
  ASSERT_OK_AND_ASSIGN(const auto again, CourseStore::Open(database_.get()));
  EXPECT_EQ(DumpOf(*again), DumpOf(*store_));
  EXPECT_THAT(again->Courses(), ElementsAre("dl"));
}

TEST_F(CourseStoreTest, StampsSequenceActorAndTime) {
  const absl::Time before = absl::Now();
  PlayAll();
  ASSERT_OK_AND_ASSIGN(const Events events, store_->List("dl", 1, 1'000));
  ASSERT_EQ(events.size(), EveryKindOfEvent().size());
  absl::Time last = before;
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence(), static_cast<int64_t>(i) + 1);
    EXPECT_EQ(events[i].actor(), "ivan");
    EXPECT_GE(FromTimestamp(events[i].create_time()), last);
    last = FromTimestamp(events[i].create_time());
  }
  EXPECT_LE(last, absl::Now());
}

TEST_F(CourseStoreTest, AtIsTheFoldOfThatManyEvents) {
  PlayAll();
  ASSERT_OK_AND_ASSIGN(const Events events, store_->List("dl", 1, 1'000));
  for (size_t count = 1; count <= events.size(); ++count) {
    ASSERT_OK_AND_ASSIGN(const CourseState at, store_->At("dl", static_cast<int64_t>(count)));
    EXPECT_EQ(
        StateDump::Of(at),
        StateDump::Of(StateOf({events.begin(), events.begin() + static_cast<int64_t>(count)})))
        << count;
  }
  ASSERT_OK_AND_ASSIGN(const CourseState now, store_->At("dl", 0));
  EXPECT_EQ(StateDump::Of(now), DumpOf(*store_));
  for (const int64_t sequence : {int64_t{-1}, static_cast<int64_t>(events.size()) + 1}) {
    const absl::Status status = store_->At("dl", sequence).status();
    EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
    EXPECT_THAT(ViolatedFields(status), ElementsAre("as_of_sequence"));
  }
}

TEST_F(CourseStoreTest, ListGivesAPageFromAnyEvent) {
  PlayAll();
  ASSERT_OK_AND_ASSIGN(const Events page, store_->List("dl", 3, 2));
  ASSERT_EQ(page.size(), 2u);
  EXPECT_EQ(page[0].sequence(), 3);
  EXPECT_EQ(page[1].sequence(), 4);
  EXPECT_TRUE(store_->List("dl", 100, 2)->empty());
}

TEST_F(CourseStoreTest, AListFitsIntoAnAnswerButAlwaysHasOne) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  v1::CourseEvent large = Joined("ann");
  large.mutable_roster_changed()->add_removed_users(std::string(3 << 20, 'x'));
  ASSERT_THAT(Add(*store_, large), IsOk());
  ASSERT_THAT(Add(*store_, large), IsOk());
  EXPECT_EQ(store_->List("dl", 2, 10)->size(), 1u);
  EXPECT_EQ(store_->List("dl", 3, 10)->size(), 1u);
}

TEST_F(CourseStoreTest, ACourseIsMadeOnce) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created(), Joined("ann")}), IsOk());
  const std::string before = DumpOf(*store_);
  const absl::Status again = store_->Create("dl", "eve", {Created()});
  EXPECT_THAT(again, StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("courses/dl")));
  EXPECT_THAT(again, HasReason(ErrorReason::kInvalidState));
  EXPECT_EQ(DumpOf(*store_), before);
}

TEST_F(CourseStoreTest, AnUnknownCourseIsNotFound) {
  const auto nothing = [](const CourseState&) { return absl::OkStatus(); };
  EXPECT_THAT(store_->Read("x", nothing), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(store_->At("x", 0).status(), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(store_->List("x", 1, 1).status(), HasReason(ErrorReason::kNotFound));
  bool asked = false;
  const auto decide = [&](const CourseState&) -> absl::StatusOr<Events> {
    asked = true;
    return Events{Created()};
  };
  EXPECT_THAT(store_->Append("x", "ivan", decide), HasReason(ErrorReason::kNotFound));
  EXPECT_FALSE(asked);
  EXPECT_TRUE(store_->Courses().empty());
}

TEST_F(CourseStoreTest, WhatIsRefusedLeavesNothing) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  const std::string before = DumpOf(*store_);
  const auto refuse = [](const CourseState&) -> absl::StatusOr<Events> {
    return absl::PermissionDeniedError("no");
  };
  EXPECT_TRUE(absl::IsPermissionDenied(store_->Append("dl", "eve", refuse)));
  const auto fail = [](Connection& connection) -> absl::Status {
    EXPECT_THAT(connection.Run("INSERT INTO secrets (name, value) VALUES ('x', x'00')"), IsOk());
    return absl::AbortedError("no");
  };
  EXPECT_TRUE(absl::IsAborted(Add(*store_, Joined("ann"), fail)));
  EXPECT_TRUE(absl::IsAborted(store_->Create("other", "ivan", {Created()}, fail)));
  EXPECT_EQ(DumpOf(*store_), before);
  EXPECT_THAT(store_->Courses(), ElementsAre("dl"));
  ASSERT_OK_AND_ASSIGN(const auto again, CourseStore::Open(database_.get()));
  EXPECT_EQ(DumpOf(*again), before);
  EXPECT_THAT(database_->Read([](Connection& connection) -> absl::Status {
    auto row = connection.Prepare("SELECT count(*) FROM secrets");
    EXPECT_THAT(row->Step(), IsOk());
    EXPECT_EQ(row->Int(0), 0);
    return absl::OkStatus();
  }),
              IsOk());
  EXPECT_THAT(Add(*store_, Joined("ann")), IsOk());
}

TEST_F(CourseStoreTest, NoEventsChangeNothingButWhatIsWrittenAlongIs) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  const std::string before = DumpOf(*store_);
  const auto none = [](const CourseState&) -> absl::StatusOr<Events> { return Events{}; };
  int64_t written = 0;
  const auto also = [&](Connection&) {
    ++written;
    return absl::OkStatus();
  };
  EXPECT_THAT(store_->Append("dl", "ivan", none), IsOk());
  EXPECT_THAT(store_->Append("dl", "ivan", none, also), IsOk());
  EXPECT_EQ(written, 1);
  EXPECT_EQ(DumpOf(*store_), before);
}

TEST_F(CourseStoreTest, TimeNeverGoesBack) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  // As a clock would leave it that was set back an hour after.
  const absl::Time future = absl::Now() + absl::Hours(1);
  v1::CourseEvent late = Joined("ann");
  late.set_sequence(2);
  *late.mutable_create_time() = ToTimestamp(future);
  ASSERT_THAT(database_->Write([&](Connection& connection) -> absl::Status {
    auto insert = connection.Prepare(
        "INSERT INTO course_events (course, sequence, record) VALUES ('dl', 2, ?)");
    insert->BindBlob(late.SerializeAsString());
    return insert->Step().status();
  }),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const auto again, CourseStore::Open(database_.get()));
  ASSERT_THAT(Add(*again, Joined("bob")), IsOk());
  EXPECT_EQ(again->List("dl", 3, 1)->at(0).create_time().seconds(), late.create_time().seconds());
  EXPECT_EQ(again->List("dl", 3, 1)->at(0).create_time().nanos(), late.create_time().nanos());
}

TEST_F(CourseStoreTest, WhoDecidesAsOfATimeIsGivenTheEventsTime) {
  PlayAll();
  absl::Time last, told;
  const auto decide = [&](const CourseState& state, absl::Time time) -> absl::StatusOr<Events> {
    last = state.last_time;
    told = time;
    // A time of its own is not kept.
    v1::CourseEvent event = Joined("carol");
    event.mutable_create_time()->set_seconds(1);
    return Events{event, Joined("dave")};
  };
  ASSERT_THAT(store_->AppendAsOf("dl", "ivan", decide), IsOk());
  EXPECT_GE(told, last);
  EXPECT_LE(told, absl::Now());
  const auto count = static_cast<int64_t>(EveryKindOfEvent().size());
  ASSERT_OK_AND_ASSIGN(const Events events, store_->List("dl", count + 1, 2));
  ASSERT_EQ(events.size(), 2u);
  for (const v1::CourseEvent& event : events) EXPECT_EQ(FromTimestamp(event.create_time()), told);
}

TEST_F(CourseStoreTest, LimitsAreNamed) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  v1::CourseEvent large = Joined("ann");
  large.mutable_roster_changed()->add_removed_users(std::string(CourseStore::kEventBytesMax, 'x'));
  EXPECT_THAT(Add(*store_, large), HasReason(ErrorReason::kTooLarge));
  const auto many = [](const CourseState&) -> absl::StatusOr<Events> {
    return Events(CourseStore::kCourseEventsMax);
  };
  EXPECT_THAT(store_->Append("dl", "ivan", many), HasReason(ErrorReason::kTooLarge));
  EXPECT_EQ(store_->At("dl", 0)->course.last_sequence(), 1);
  for (size_t i = 1; i < CourseStore::kCoursesMax; ++i) {
    ASSERT_THAT(store_->Create(absl::StrCat("c", i), "ivan", {Created()}), IsOk());
  }
  EXPECT_THAT(store_->Create("one-more", "ivan", {Created()}), HasReason(ErrorReason::kTooLarge));
  EXPECT_EQ(store_->Courses().size(), CourseStore::kCoursesMax);
  EXPECT_THAT(Add(*store_, Joined("ann")), IsOk());
}

// A page has at least one.
TEST_F(CourseStoreTest, AnEventThatNoAnswerCouldHoldIsRefused) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  v1::CourseEvent large = Joined("ann");
  std::string& bytes = *large.mutable_roster_changed()->add_removed_users();
  bytes = std::string(limits::kAnswerBytesMax, 'x');
  EXPECT_THAT(Add(*store_, large), HasReason(ErrorReason::kTooLarge));
  bytes.resize(CourseStore::kEventBytesMax - 1'024);
  ASSERT_THAT(Add(*store_, large), IsOk());
  v1::ListCourseEventsResponse response;
  *response.add_events() = store_->List("dl", 2, 1)->at(0);
  response.set_next_sequence(CourseStore::kCourseEventsMax);
  EXPECT_LE(response.ByteSizeLong(), static_cast<size_t>(limits::kAnswerBytesMax));
}

TEST_F(CourseStoreTest, SettlingWaitsForNobodyWhoDecides) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  absl::Notification deciding, go, settled;
  std::thread slow([&] {
    const auto decide = [&](const CourseState&) -> absl::StatusOr<Events> {
      deciding.Notify();
      go.WaitForNotification();
      return Events{Joined("ann")};
    };
    EXPECT_THAT(store_->Append("dl", "ivan", decide), IsOk());
  });
  deciding.WaitForNotification();
  std::thread quick([&] {
    store_->Settle();
    settled.Notify();
  });
  EXPECT_TRUE(settled.WaitForNotificationWithTimeout(absl::Seconds(10)));
  go.Notify();
  quick.join();
  slow.join();
}

TEST_F(CourseStoreTest, WhoSettlesSeesWhatIsDurable) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  absl::Notification begun, settled;
  bool joined = false;
  std::thread reader([&] {
    begun.WaitForNotification();
    store_->Settle();
    EXPECT_THAT(store_->Read("dl",
                             [&](const CourseState& state) {
                               joined = state.roster.contains("ann");
                               return absl::OkStatus();
                             }),
                IsOk());
    settled.Notify();
  });
  const auto also = [&](Connection&) {
    begun.Notify();
    EXPECT_FALSE(settled.WaitForNotificationWithTimeout(absl::Milliseconds(200)));
    return absl::OkStatus();
  };
  EXPECT_THAT(Add(*store_, Joined("ann"), also), IsOk());
  reader.join();
  EXPECT_TRUE(joined);
  // What failed is over, too.
  EXPECT_FALSE(
      Add(*store_, Joined("bob"), [](Connection&) { return absl::AbortedError("no"); }).ok());
  store_->Settle();
}

TEST_F(CourseStoreTest, ManyWhoAppendAtOnceMakeOneDenseLog) {
  ASSERT_THAT(store_->Create("dl", "ivan", {Created()}), IsOk());
  constexpr int kThreads = 6, kEach = 40;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        // What it decides by is what it is applied to.
        const auto decide = [&](const CourseState& state) -> absl::StatusOr<Events> {
          return Events{Joined(absl::StrCat("u", state.roster.size())),
                        Joined(absl::StrCat("t", t, "-", i))};
        };
        EXPECT_THAT(store_->Append("dl", "ivan", decide), IsOk());
        EXPECT_THAT(store_->At("dl", 1 + (t * kEach + i) % 3), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const Events events, store_->List("dl", 1, 10'000));
  ASSERT_EQ(events.size(), 1u + 2 * kThreads * kEach);
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence(), static_cast<int64_t>(i) + 1);
  }
  // Each saw all before it, so that no two saw the same number.
  EXPECT_EQ(store_->At("dl", 0)->roster.size(), 2u * kThreads * kEach);
  ASSERT_OK_AND_ASSIGN(const auto again, CourseStore::Open(database_.get()));
  EXPECT_EQ(DumpOf(*again), DumpOf(*store_));
}

TEST_F(CourseStoreTest, ADamagedEventIsDataLoss) {
  PlayAll();
  ASSERT_THAT(database_->Write([](Connection& connection) {
    return connection.Run("UPDATE course_events SET record = x'ff' WHERE sequence = 3");
  }),
              IsOk());
  EXPECT_THAT(CourseStore::Open(database_.get()).status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("courses/dl")));
}

// Each change that SQLite makes to a file fails in turn.
TEST(CourseStoreFaultsTest, MemoryAndDiskAgreeWhateverFails) {
  FaultyVfs vfs;
  bool failed = true;
  for (int64_t nth = 1; failed; ++nth) {
    TempDir directory;
    std::string dump;
    {
      ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(directory.path() + "/db"));
      ASSERT_OK_AND_ASSIGN(const auto store, CourseStore::Open(database.get()));
      ASSERT_THAT(store->Create("dl", "ivan", {Created()}), IsOk());
      const std::string before = DumpOf(*store);
      vfs.FailFrom(nth, 1);
      const absl::Status added = Add(*store, Joined("ann"), [](Connection& connection) {
        return connection.Run("INSERT INTO secrets (name, value) VALUES ('x', x'00')");
      });
      failed = vfs.Failed();
      vfs.FailFrom(1, 0);
      EXPECT_EQ(DumpOf(*store) == before, !added.ok()) << nth;
      // It stays usable.
      ASSERT_THAT(Add(*store, Joined("bob")), IsOk()) << nth;
      dump = DumpOf(*store);
    }
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(directory.path() + "/db"));
    ASSERT_OK_AND_ASSIGN(const auto store, CourseStore::Open(database.get()));
    EXPECT_EQ(DumpOf(*store), dump) << nth;
    ASSERT_LT(nth, 1'000);
  }
}

}  // namespace
}  // namespace trainyard
