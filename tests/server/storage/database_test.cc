#include "server/storage/database.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/migrations.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::string_view kInsert =
    "INSERT INTO requests (owner, request_id, method, body_digest, resource) "
    "VALUES ('o', ?, 'm', 'd', 'r')";

absl::Status Insert(Database& db, const std::string& id) {
  return db.Write([&](Connection& c) { return c.Run(kInsert, id); });
}

// The ids in the table, in order.
std::vector<std::string> Ids(Database& db) {
  std::vector<std::string> ids;
  const absl::Status status = db.Read([&](Connection& c) -> absl::Status {
    absl::StatusOr<Statement> rows = c.Prepare("SELECT request_id FROM requests ORDER BY 1");
    if (!rows.ok()) return rows.status();
    while (*rows->Step()) ids.push_back(rows->Text(0));
    return absl::OkStatus();
  });
  EXPECT_THAT(status, IsOk());
  return ids;
}

// Every test runs on a file and in memory.
class DatabaseTest : public testing::TestWithParam<bool> {
 protected:
  std::string path() const { return GetParam() ? ":memory:" : dir_.path() + "/trainyard.db"; }
  std::unique_ptr<Database> Open(DatabaseObserver observer = {}) {
    absl::StatusOr<std::unique_ptr<Database>> db = Database::Open(path(), std::move(observer));
    EXPECT_THAT(db, IsOk());
    return *std::move(db);
  }
  TempDir dir_;
};

INSTANTIATE_TEST_SUITE_P(FileAndMemory, DatabaseTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Memory" : "File"; });

TEST_P(DatabaseTest, ValuesComeBackAsTheyWereBound) {
  const std::unique_ptr<Database> db = Open();
  const std::string blob("\0\xff text", 7);
  ASSERT_THAT(db->Read([&](Connection& c) -> absl::Status {
    Statement row = *c.Prepare("SELECT ?, ?, ?, ?, ?, ?");
    row.Bind(int64_t{1} << 62).Bind(0.1).Bind("text").BindBlob(blob).BindNull().Bind("");
    EXPECT_TRUE(*row.Step());
    EXPECT_EQ(row.Int(0), int64_t{1} << 62);
    EXPECT_EQ(row.Real(1), 0.1);
    EXPECT_EQ(row.Text(2), "text");
    EXPECT_EQ(row.Text(3), blob);
    EXPECT_TRUE(row.IsNull(4));
    EXPECT_FALSE(row.IsNull(5));
    EXPECT_FALSE(*row.Step());
    return absl::OkStatus();
  }),
              IsOk());
}

TEST_P(DatabaseTest, AFailedBodyIsRolledBackAlone) {
  const std::unique_ptr<Database> db = Open();
  // One group: all three are queued while the writer is held up by the first.
  absl::Notification hold;
  std::atomic<int> group_bodies{0};
  std::vector<absl::Status> results(4);
  absl::Notification done;
  db->WriteAsync(
      [&](Connection&) {
        hold.WaitForNotification();
        return absl::OkStatus();
      },
      [&](absl::Status s) { results[0] = s; });
  db->WriteAsync([&](Connection& c) { return c.Run(kInsert, "a"); },
                 [&](absl::Status s) { results[1] = s; });
  db->WriteAsync(
      [&](Connection& c) {
        EXPECT_THAT(c.Run(kInsert, "b"), IsOk());
        return absl::AbortedError("no");
      },
      [&](absl::Status s) { results[2] = s; });
  db->WriteAsync([&](Connection& c) { return c.Run(kInsert, "c"); },
                 [&](absl::Status s) {
                   results[3] = s;
                   done.Notify();
                 });
  hold.Notify();
  done.WaitForNotification();
  EXPECT_THAT(results[1], IsOk());
  EXPECT_THAT(results[2], StatusIs(absl::StatusCode::kAborted, "no"));
  EXPECT_THAT(results[3], IsOk());
  EXPECT_THAT(Ids(*db), ElementsAre("a", "c"));
}

TEST_P(DatabaseTest, AFailedStatementOfABodyLeavesTheGroupAlone) {
  const std::unique_ptr<Database> db = Open();
  ASSERT_THAT(Insert(*db, "a"), IsOk());
  EXPECT_THAT(Insert(*db, "a"), StatusIs(absl::StatusCode::kInternal, HasSubstr("UNIQUE")));
  EXPECT_THAT(Insert(*db, "b"), IsOk());
  EXPECT_THAT(Ids(*db), ElementsAre("a", "b"));
}

TEST_P(DatabaseTest, SixteenThreadsShareCommits) {
  std::atomic<int> commits{0}, bodies{0};
  std::atomic<int64_t> bytes{0};
  const std::unique_ptr<Database> db = Open({.on_commit =
                                                 [&](double seconds, int count) {
                                                   EXPECT_GE(seconds, 0);
                                                   ++commits;
                                                   bodies += count;
                                                 },
                                             .on_append = [&](int64_t more) { bytes += more; }});
  // Held up until all have queued something, so that at least one group has more than one body.
  absl::Notification hold;
  db->WriteAsync(
      [&](Connection&) {
        hold.WaitForNotification();
        return absl::OkStatus();
      },
      [](absl::Status) {});
  constexpr int kThreads = 16, kWrites = 25;
  std::atomic<int> started{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++started;
      for (int i = 0; i < kWrites; ++i) {
        EXPECT_THAT(Insert(*db, absl::StrCat(t, "/", i)), IsOk());
      }
    });
  }
  while (started < kThreads) std::this_thread::yield();
  hold.Notify();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Ids(*db).size(), size_t{kThreads * kWrites});
  EXPECT_EQ(bodies, kThreads * kWrites + 1);
  EXPECT_LT(commits, bodies);
  EXPECT_TRUE(GetParam() || bytes > 0);
}

TEST_P(DatabaseTest, DoneIsCalledInTheOrderOfTheCalls) {
  std::vector<int> order;
  {
    const std::unique_ptr<Database> db = Open();
    for (int i = 0; i < 100; ++i) {
      db->WriteAsync([i](Connection& c) { return c.Run(kInsert, absl::StrCat(i)); },
                     [&order, i](absl::Status s) {
                       EXPECT_THAT(s, IsOk());
                       order.push_back(i);
                     });
    }
  }  // runs what was queued
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_P(DatabaseTest, DoneMayQueueMoreBeyondTheLimit) {
  const std::unique_ptr<Database> db = Open();
  constexpr int kMore = Database::kQueuedBodiesMax + 10;
  std::atomic<int> ran{0};
  absl::Notification all;
  db->WriteAsync([](Connection&) { return absl::OkStatus(); },
                 [&](absl::Status) {
                   for (int i = 0; i < kMore; ++i) {
                     db->WriteAsync([](Connection&) { return absl::OkStatus(); },
                                    [&](absl::Status) {
                                      if (++ran == kMore) all.Notify();
                                    });
                   }
                 });
  all.WaitForNotification();
}

TEST_P(DatabaseTest, AReaderCannotWrite) {
  const std::unique_ptr<Database> db = Open();
  EXPECT_THAT(db->Read([](Connection& c) { return c.Run(kInsert, "a"); }),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("readonly")));
  EXPECT_THAT(Insert(*db, "b"), IsOk());
  EXPECT_THAT(Ids(*db), ElementsAre("b"));
}

TEST_P(DatabaseTest, MoreStatementsThanTheCacheHolds) {
  const std::unique_ptr<Database> db = Open();
  EXPECT_THAT(db->Read([](Connection& c) -> absl::Status {
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 3 * Database::kStatementsCachedMax; ++i) {
        Statement row = *c.Prepare(absl::StrCat("SELECT ", i));
        EXPECT_TRUE(*row.Step());
        EXPECT_EQ(row.Int(0), i);
      }
    }
    return absl::OkStatus();
  }),
              IsOk());
}

TEST_P(DatabaseTest, TheSameStatementTwiceAtOnce) {
  const std::unique_ptr<Database> db = Open();
  EXPECT_THAT(db->Read([](Connection& c) -> absl::Status {
    Statement a = *c.Prepare("SELECT ?");
    Statement b = *c.Prepare("SELECT ?");
    EXPECT_TRUE(*a.Bind(1).Step());
    EXPECT_TRUE(*b.Bind(2).Step());
    EXPECT_EQ(a.Int(0), 1);
    EXPECT_EQ(b.Int(0), 2);
    return absl::OkStatus();
  }),
              IsOk());
}

TEST_P(DatabaseTest, AFaultInSqlNamesTheStatement) {
  const std::unique_ptr<Database> db = Open();
  EXPECT_THAT(db->Read([](Connection& c) { return c.Run("SELECT nothing"); }),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("SELECT nothing")));
  EXPECT_THAT(db->Read([](Connection& c) { return c.Run("SELECT 1", "one too many"); }),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("SELECT 1")));
}

class DatabaseFileTest : public testing::Test {
 protected:
  std::unique_ptr<Database> Open() {
    absl::StatusOr<std::unique_ptr<Database>> db = Database::Open(path_);
    EXPECT_THAT(db, IsOk());
    return *std::move(db);
  }
  // Writes the version into the closed file: 4 bytes, big-endian, at offset 60 (SQLite's file
  // format, 1.3).
  void SetVersion(uint32_t version) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60);
    for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(version >> shift));
    ASSERT_TRUE(file.good());
  }
  TempDir dir_;
  const std::string path_ = dir_.path() + "/trainyard.db";
};

TEST_F(DatabaseFileTest, WhatWasWrittenIsThereAfterReopening) {
  ASSERT_THAT(Insert(*Open(), "a"), IsOk());
  EXPECT_THAT(Ids(*Open()), ElementsAre("a"));
}

// A kill at the instant after OK leaves the files as they are then.
TEST_F(DatabaseFileTest, AcknowledgedIsInTheFiles) {
  const std::unique_ptr<Database> db = Open();
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(Insert(*db, absl::StrCat("id", i)), IsOk());
    TempDir copy;
    for (const char* suffix : {"", "-wal"}) {
      std::filesystem::copy(path_ + suffix, copy.path() + "/trainyard.db" + suffix);
    }
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> found,
                         Database::Open(copy.path() + "/trainyard.db"));
    EXPECT_EQ(Ids(*found).size(), size_t(i + 1));
  }
}

TEST_F(DatabaseFileTest, ReadersSeeOneSnapshot) {
  const std::unique_ptr<Database> db = Open();
  ASSERT_THAT(Insert(*db, "a"), IsOk());
  const auto count = [](Connection& c) {
    Statement row = *c.Prepare("SELECT COUNT(*) FROM requests");
    EXPECT_TRUE(*row.Step());
    return row.Int(0);
  };
  EXPECT_THAT(db->Read([&](Connection& c) {
    EXPECT_EQ(count(c), 1);
    std::thread([&] { EXPECT_THAT(Insert(*db, "b"), IsOk()); }).join();
    EXPECT_EQ(count(c), 1);
    return absl::OkStatus();
  }),
              IsOk());
  EXPECT_EQ(Ids(*db).size(), 2u);
}

TEST_F(DatabaseFileTest, MoreReadersThanConnectionsWait) {
  const std::unique_ptr<Database> db = Open();
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3 * Database::kReadConnectionsMax; ++t) {
    threads.emplace_back([&] {
      EXPECT_THAT(db->Read([&](Connection& c) {
        const int now = ++inside;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        const absl::Status status = c.Run("SELECT COUNT(*) FROM requests");
        --inside;
        return status;
      }),
                  IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, Database::kReadConnectionsMax);
}

TEST_F(DatabaseFileTest, AnEmptyFileIsMigratedToTheNewestVersion) {
  std::ofstream(path_).close();
  const std::unique_ptr<Database> db = Open();
  EXPECT_THAT(db->Read([](Connection& c) {
    Statement row = *c.Prepare("PRAGMA user_version");
    EXPECT_TRUE(*row.Step());
    EXPECT_EQ(row.Int(0), static_cast<int64_t>(kMigrations.size()));
    return c.Run("SELECT number, events.record FROM jobs JOIN events ON job = number");
  }),
              IsOk());
}

TEST_F(DatabaseFileTest, ANewerFileIsRefusedAndLeftAlone) {
  ASSERT_THAT(Insert(*Open(), "a"), IsOk());
  SetVersion(77);
  const absl::Status status = Database::Open(path_).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("version 77")));
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("up to ", kMigrations.size())));
  SetVersion(kMigrations.size());
  EXPECT_THAT(Ids(*Open()), ElementsAre("a"));
}

TEST_F(DatabaseFileTest, AFileThatIsNoDatabaseIsDataLoss) {
  std::ofstream(path_) << std::string(4096, 'x');
  const absl::Status status = Database::Open(path_).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not a database")));
  EXPECT_THAT(status, HasReason(ErrorReason::kDataLoss));
}

TEST_F(DatabaseFileTest, ADirectoryThatIsNotThereIsNamed) {
  EXPECT_THAT(Database::Open(dir_.path() + "/none/trainyard.db").status(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("/none/trainyard.db")));
}

// The limit on pages is SQLite's own way to make a disk full.
TEST_F(DatabaseFileTest, AFullDiskFailsTheWriteAndTheNextOnesWork) {
  const std::unique_ptr<Database> db = Open();
  ASSERT_THAT(Insert(*db, "a"), IsOk());
  const auto set_limit = [&](int pages) {
    return db->Write(
        [&](Connection& c) { return c.Run(absl::StrCat("PRAGMA max_page_count = ", pages)); });
  };
  ASSERT_THAT(set_limit(1), IsOk());  // SQLite takes the present size when that is more
  const std::string wide(100'000, 'x');
  const absl::Status full = Insert(*db, wide);
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("full")));
  EXPECT_THAT(full, HasReason(ErrorReason::kStorageFull));
  ASSERT_THAT(set_limit(1'000'000), IsOk());
  EXPECT_THAT(Insert(*db, "b"), IsOk());
  EXPECT_THAT(Ids(*db), ElementsAre("a", "b"));
}

// A COMMIT that fails, here for a deferred foreign key, must fail every body of its group.
TEST_F(DatabaseFileTest, AFailedCommitFailsTheWholeGroup) {
  std::atomic<int> errors{0};
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> db,
                       Database::Open(path_, {.on_error = [&](const absl::Status&) { ++errors; }}));
  ASSERT_THAT(db->Write([](Connection& c) -> absl::Status {
    const absl::Status parent = c.Run("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
    if (!parent.ok()) return parent;
    return c.Run(
        "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)");
  }),
              IsOk());
  absl::Notification hold, done;
  absl::Status first, second;
  db->WriteAsync(
      [&](Connection& c) {
        hold.WaitForNotification();
        return c.Run(kInsert, "a");
      },
      [&](absl::Status s) { first = s; });
  db->WriteAsync([&](Connection&) { return absl::OkStatus(); }, [](absl::Status) {});
  hold.Notify();
  db->WriteAsync([](Connection& c) { return c.Run("INSERT INTO child VALUES (7)"); },
                 [&](absl::Status s) {
                   second = s;
                   done.Notify();
                 });
  done.WaitForNotification();
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kInternal, HasSubstr("FOREIGN KEY")));
  EXPECT_EQ(errors, 1);
  EXPECT_THAT(Insert(*db, "b"), IsOk());
  // What was acknowledged is there, what was not is not.
  EXPECT_EQ(Ids(*db).size(), first.ok() ? 2u : 1u);
}

// Somebody looks into the file with a program of his own.
TEST(DatabaseBusyTest, AWriterWaitsForAnotherProcess) {
  const TempDir dir;
  const std::string path = dir.path() + "/trainyard.db";
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> db, Database::Open(path));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> other, Database::Open(path));
  absl::Notification holds;
  std::thread holder([&] {
    EXPECT_THAT(other->Write([&](Connection& c) {
      const absl::Status inserted = c.Run(kInsert, "theirs");
      holds.Notify();
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      return inserted;
    }),
                IsOk());
  });
  holds.WaitForNotification();
  EXPECT_THAT(Insert(*db, "ours"), IsOk());
  holder.join();
  EXPECT_THAT(Ids(*db), ElementsAre("ours", "theirs"));
}

}  // namespace
}  // namespace trainyard
