#include "server/grading/delivery_store.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/database.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kCheckRun = v1::DeliveryTarget::CHECK_RUN;
constexpr auto kLtiScore = v1::DeliveryTarget::LTI_SCORE;
const absl::Time kNow = absl::FromUnixSeconds(1'802'284'927);

class DeliveryStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    auto database = Database::Open(folder_.path() + "/db");
    ASSERT_THAT(database, IsOk());
    database_ = *std::move(database);
  }

  absl::StatusOr<InsertedDelivery> Insert(const std::string& course,
                                          const std::string& url = "https://hook.example/x",
                                          v1::DeliveryTarget::Kind kind = kCheckRun) {
    v1::DeliveryTarget target;
    target.set_kind(kind);
    target.set_url(url);
    target.set_repository_prefix("dl-");
    DeliveredPoints points{.course = course, .assignment = "hw", .student = "ann"};
    points.submission = absl::StrCat("courses/", course, "/assignments/hw/submissions/s");
    points.external.set_github_login("ann");
    points.external.set_lti_user_id("7");
    points.points = 5;
    points.max_points = 10;
    points.accepted_at = kNow;
    absl::StatusOr<InsertedDelivery> inserted = InsertedDelivery();
    const absl::Status written = database_->Write([&](Connection& connection) {
      inserted = InsertDelivery(connection, target, points, kNow);
      return inserted.status();
    });
    return written.ok() ? inserted : absl::StatusOr<InsertedDelivery>(written);
  }

  // Rows of a course that wait, each of a topic of its own.
  void InsertWaiting(const std::string& course, int64_t count) {
    ASSERT_THAT(database_->Write([&](Connection& connection) {
      return connection.Run(
          "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT "
          "INTO deliveries (id, course, state, next_attempt_seconds, topic, timestamp_seconds, "
          "record, document) SELECT ? || i, ?, 1, 0, ? || i, 0, x'', x'' FROM n",
          count, course, course, course);
    }),
                IsOk());
  }

  void Run(const std::string& sql) {
    ASSERT_THAT(database_->Write([&](Connection& connection) { return connection.Run(sql); }),
                IsOk());
  }

  void SetSecret(const std::string& secret, const std::string& url) {
    ASSERT_THAT(database_->Write([&](Connection& connection) {
      return SetDeliverySecret(connection, "dl", kLtiScore, secret, url);
    }),
                IsOk());
  }

  // Of what is due, in the order in which it goes out.
  std::vector<std::string> DueSecrets() {
    std::vector<std::string> secrets;
    EXPECT_THAT(database_->Read([&](Connection& connection) -> absl::Status {
      auto due = FindDueDeliveries(connection, kNow + absl::Hours(1), 100, 100);
      if (!due.ok()) return due.status();
      for (const DueDelivery& delivery : *due) secrets.push_back(delivery.secret);
      return absl::OkStatus();
    }),
                IsOk());
    return secrets;
  }

  v1::Delivery Newest(const std::string& course) {
    v1::Delivery newest;
    EXPECT_THAT(database_->Read([&](Connection& connection) -> absl::Status {
      v1::ListDeliveriesRequest request;
      request.set_page_size(1);
      auto listed = ListDeliveries(connection, course, request);
      if (!listed.ok()) return listed.status();
      newest = listed->deliveries(0);
      return absl::OkStatus();
    }),
                IsOk());
    return newest;
  }

  int64_t Waiting() {
    absl::StatusOr<DeliveryStats> stats;
    EXPECT_THAT(database_->Read([&](Connection& connection) {
      stats = ReadDeliveryStats(connection, kNow);
      return stats.status();
    }),
                IsOk());
    return stats->waiting;
  }

  TempDir folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(DeliveryStoreTest, WhatAFullOutboxCannotTakeIsKeptForARetry) {
  InsertWaiting("dl", kDeliveriesWaitingMax - 1);
  ASSERT_OK_AND_ASSIGN(const InsertedDelivery last, Insert("dl"));
  EXPECT_THAT(last.warnings, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const InsertedDelivery beyond, Insert("dl"));
  EXPECT_THAT(beyond.warnings, ElementsAre(HasSubstr("RetryDelivery")));
  v1::Delivery kept = Newest("dl");
  EXPECT_EQ(kept.id(), beyond.id);
  EXPECT_EQ(kept.state(), v1::Delivery::GIVEN_UP);
  EXPECT_THAT(kept.last_outcome(), HasSubstr("full"));
  EXPECT_THAT(kept.document(), HasSubstr("Points 5/10"));
  // Other courses have room of their own.
  ASSERT_OK_AND_ASSIGN(const InsertedDelivery other, Insert("ml"));
  EXPECT_THAT(other.warnings, IsEmpty());
  EXPECT_EQ(Newest("ml").state(), v1::Delivery::WAITING);

  ASSERT_THAT(database_->Write([&](Connection& connection) {
    return RetryDelivery(connection, "dl", beyond.id, kNow).status();
  }),
              IsOk());
  EXPECT_EQ(Newest("dl").state(), v1::Delivery::WAITING);
}

TEST_F(DeliveryStoreTest, RoomIsCountedAsRowsComeAndGo) {
  InsertWaiting("dl", 3);
  InsertWaiting("ml", 2);
  EXPECT_EQ(Waiting(), 5);
  Run("UPDATE deliveries SET state = 2 WHERE id IN ('dl1', 'ml1')");
  EXPECT_EQ(Waiting(), 3);
  Run("UPDATE deliveries SET state = 3 WHERE id = 'ml1'");
  EXPECT_EQ(Waiting(), 3);
  Run("UPDATE deliveries SET state = 1 WHERE id = 'ml1'");
  Run("UPDATE deliveries SET state = 1 WHERE id = 'ml2'");
  EXPECT_EQ(Waiting(), 4);
  Run("DELETE FROM deliveries WHERE id IN ('dl1', 'dl2')");
  EXPECT_EQ(Waiting(), 3);
}

TEST_F(DeliveryStoreTest, ASecretGoesToTheServiceItWasGivenForOnly) {
  SetSecret("old", "https://lms.example/items/{assignment}");
  ASSERT_THAT(Insert("dl", "https://lms.example/items/1", kLtiScore), IsOk());
  EXPECT_THAT(DueSecrets(), ElementsAre("old"));
  // What waits for the old address is not told the new secret.
  SetSecret("new", "https://other.example/items");
  EXPECT_THAT(DueSecrets(), ElementsAre(""));
  SetSecret("newer", "https://lms.example/elsewhere");
  EXPECT_THAT(DueSecrets(), ElementsAre("newer"));
  SetSecret("any", "");
  EXPECT_THAT(DueSecrets(), ElementsAre("any"));
}

TEST_F(DeliveryStoreTest, ASecretThatIsDroppedIsGone) {
  SetSecret("old", "https://lms.example/items");
  ASSERT_THAT(Insert("dl", "https://lms.example/items/1", kLtiScore), IsOk());
  for (int time = 0; time < 2; ++time) {
    ASSERT_THAT(database_->Write([&](Connection& connection) {
      return DropDeliverySecret(connection, "dl", kLtiScore);
    }),
                IsOk());
    EXPECT_THAT(DueSecrets(), ElementsAre(""));
  }
}

}  // namespace
}  // namespace trainyard
