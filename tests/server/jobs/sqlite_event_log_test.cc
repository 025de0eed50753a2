#include "server/jobs/sqlite_event_log.h"

#include <atomic>
#include <memory>
#include <thread>

#include "core/base/check.h"
#include "gtest/gtest.h"
#include "server/jobs/job_store.h"
#include "server/storage/database.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

constexpr char kJob[] = "trainingJobs/j1";

class SqliteEventLogTest : public testing::Test {
 protected:
  SqliteEventLogTest() : database_(Database::Open(":memory:").value()), log_(database_.get()) {
    TY_CHECK(database_
                 ->Write([this](Connection& connection) {
                   v1::TrainingJob job;
                   job.set_name(kJob);
                   auto number = InsertJob(connection, job);
                   number_ = number.value_or(0);
                   return number.status();
                 })
                 .ok());
    log_.Open(kJob, 0);
  }

  std::vector<v1::JobEvent> Store(int count) {
    std::vector<v1::JobEvent> events(static_cast<size_t>(count));
    for (v1::JobEvent& event : events) event.mutable_note()->set_message("n");
    int64_t last = 0;
    TY_CHECK(database_
                 ->Write([&](Connection& connection) {
                   return SqliteEventLog::Append(connection, number_, absl::Now(), &events, &last);
                 })
                 .ok());
    EXPECT_EQ(events.back().sequence(), last);
    return events;
  }
  void Append(int count) { log_.Publish(kJob, Store(count)); }

  // First and last sequence of what Read gives; checks that there is no gap.
  std::pair<int64_t, int64_t> Range(int64_t start, int64_t count_max) {
    const auto events = log_.Read(kJob, start, count_max);
    TY_CHECK(events.ok());
    if (events->empty()) return {0, 0};
    for (size_t i = 1; i < events->size(); ++i)
      EXPECT_EQ((*events)[i]->sequence(), (*events)[i - 1]->sequence() + 1);
    return {events->front()->sequence(), events->back()->sequence()};
  }

  std::unique_ptr<Database> database_;
  int64_t number_ = 0;
  SqliteEventLog log_;
};

using Pair = std::pair<int64_t, int64_t>;

TEST_F(SqliteEventLogTest, ReadsFromMemoryAndFromDiskAlike) {
  const int in_all =
      static_cast<int>(SqliteEventLog::kTailEventsMax) + 100;  // the first 100 are on disk only
  Append(in_all);
  EXPECT_EQ(Range(0, 10), Pair(1, 10));
  EXPECT_EQ(Range(95, 10), Pair(95, 104));
  EXPECT_EQ(Range(101, 10), Pair(101, 110));
  EXPECT_EQ(Range(in_all, 10), Pair(in_all, in_all));
  EXPECT_EQ(Range(in_all + 1, 10), Pair(0, 0));
  log_.Close(kJob);
  EXPECT_EQ(Range(in_all - 4, 10), Pair(in_all - 4, in_all));
  EXPECT_THAT(log_.Read("trainingJobs/none", 1, 1), HasReason(ErrorReason::kNotFound));
}

TEST_F(SqliteEventLogTest, NobodyIsToldBeforePublish) {
  int64_t told = 0;
  const auto subscription = log_.Subscribe(kJob, [&](int64_t last) { told = last; });
  std::vector<v1::JobEvent> events = Store(2);
  EXPECT_EQ(told, 0);
  EXPECT_EQ(Range(1, 10), Pair(0, 0));
  log_.Publish(kJob, std::move(events));
  EXPECT_EQ(told, 2);
  log_.Delete(kJob);
  EXPECT_EQ(told, -1);
}

TEST_F(SqliteEventLogTest, EveryListenerHearsAndNoneAfterItsEnd) {
  int first = 0, second = 0;
  auto one = log_.Subscribe(kJob, [&](int64_t) { ++first; });
  const auto two = log_.Subscribe(kJob, [&](int64_t) { ++second; });
  Append(1);
  one.reset();
  Append(1);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

TEST_F(SqliteEventLogTest, EndingASubscriptionWaitsForItsCallback) {
  for (int round = 0; round < 50; ++round) {
    std::vector<v1::JobEvent> events = Store(1);
    auto alive = std::make_unique<std::atomic<int>>(0);
    auto subscription = log_.Subscribe(kJob, [&](int64_t) {
      for (int i = 0; i < 1'000; ++i) alive->fetch_add(1);
    });
    std::thread publisher([&] { log_.Publish(kJob, std::move(events)); });
    subscription.reset();
    alive.reset();  // a callback that still ran would touch freed memory
    publisher.join();
  }
}

}  // namespace
}  // namespace trainyard
