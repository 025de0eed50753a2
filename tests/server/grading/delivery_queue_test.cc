// The outbox against a receiver in another process that fails in all ways (fake_hook.py).
#include "server/grading/delivery_queue.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/database.h"
#include "tests/server/grading/fake_hook.h"
#include "tests/support/http_get.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kSecret[] = "s3cret";
constexpr auto kCheckRun = v1::DeliveryTarget::CHECK_RUN;
constexpr auto kLtiScore = v1::DeliveryTarget::LTI_SCORE;

// Everything a hundred times as fast.
DeliveryOptions Fast() {
  DeliveryOptions options;
  options.delay_min = absl::Milliseconds(20);
  options.delay_max = absl::Milliseconds(100);
  options.poll_interval = absl::Milliseconds(20);
  options.http.total_timeout = absl::Milliseconds(400);
  return options;
}

v1::DeliveryTarget Target(const std::string& url, v1::DeliveryTarget::Kind kind = kCheckRun) {
  v1::DeliveryTarget target;
  target.set_kind(kind);
  target.set_url(url);
  target.set_repository_prefix("fintech-dl-hse-");
  return target;
}

DeliveredPoints Points(int64_t points, const std::string& student = "ann",
                       const std::string& assignment = "hw-a", const std::string& course = "dl") {
  DeliveredPoints delivered;
  delivered.course = course;
  delivered.assignment = assignment;
  delivered.student = student;
  delivered.submission =
      absl::StrCat("courses/", course, "/assignments/", assignment, "/submissions/s", points);
  delivered.external.set_github_login(student);
  delivered.external.set_lti_user_id("lti-" + student);
  delivered.points = points;
  delivered.centipoints = 100 * points;
  delivered.max_points = 100;
  delivered.accepted_at = absl::FromUnixSeconds(1'802'284'927);
  return delivered;
}

class DeliveryQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    Open();
    for (const auto kind : {kCheckRun, kLtiScore}) {
      ASSERT_THAT(database_->Write([&](Connection& connection) {
        return SetDeliverySecret(connection, "dl", kind, kSecret);
      }),
                  IsOk());
    }
  }
  void Open() {
    auto database = Database::Open(folder_.path() + "/db");
    ASSERT_THAT(database, IsOk());
    database_ = *std::move(database);
  }
  void Start(const DeliveryOptions& options = Fast()) {
    queue_ = std::make_unique<DeliveryQueue>(
        options, database_.get(),
        DeliveryObserver{.on_stats = [this](const DeliveryStats& stats) { SetStats(stats); }});
  }
  void SetStats(const DeliveryStats& stats) {
    absl::MutexLock lock(&mu_);
    stats_ = stats;
  }
  absl::StatusOr<InsertedDelivery> Insert(const v1::DeliveryTarget& target,
                                          const DeliveredPoints& points,
                                          absl::Time now = absl::Now()) {
    absl::StatusOr<InsertedDelivery> inserted = InsertedDelivery();
    const absl::Status written = database_->Write([&](Connection& connection) {
      inserted = InsertDelivery(connection, target, points, now);
      return inserted.status();
    });
    if (!written.ok()) return written;
    if (queue_ != nullptr) queue_->Wake();
    return inserted;
  }
  // Newest first.
  std::vector<v1::Delivery> List(v1::Delivery::State state = v1::Delivery::STATE_UNSPECIFIED,
                                 const std::string& course = "dl") {
    v1::ListDeliveriesResponse response;
    EXPECT_THAT(database_->Read([&](Connection& connection) -> absl::Status {
      v1::ListDeliveriesRequest request;
      request.set_page_size(1000);
      request.set_state(state);
      auto listed = ListDeliveries(connection, course, request);
      if (listed.ok()) response = *listed;
      return listed.status();
    }),
                IsOk());
    return {response.deliveries().begin(), response.deliveries().end()};
  }
  // Until nothing waits.
  void AwaitSettled() {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (!List(v1::Delivery::WAITING).empty()) {
      ASSERT_LT(absl::Now(), deadline) << List(v1::Delivery::WAITING)[0].ShortDebugString();
      absl::SleepFor(absl::Milliseconds(5));
    }
  }
  static std::vector<std::string> Lines(const FakeHook& hook, absl::string_view path) {
    return absl::StrSplit(HttpGet(hook.port(), path), '\n', absl::SkipEmpty());
  }

  TempDir folder_;
  std::unique_ptr<Database> database_;
  absl::Mutex mu_;
  DeliveryStats stats_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<DeliveryQueue> queue_;  // last: its thread uses what is above
};

TEST_F(DeliveryQueueTest, WhatIsInsertedArrivesSigned) {
  const FakeHook hook(kSecret);
  Start();
  ASSERT_OK_AND_ASSIGN(const InsertedDelivery inserted,
                       Insert(Target(hook.url("/hook")), Points(86)));
  AwaitSettled();
  const std::vector<v1::Delivery> deliveries = List();
  ASSERT_THAT(deliveries, SizeIs(1));
  EXPECT_EQ(deliveries[0].state(), v1::Delivery::DELIVERED);
  EXPECT_EQ(deliveries[0].last_outcome(), "HTTP 200");
  EXPECT_EQ(deliveries[0].course(), "courses/dl");
  EXPECT_THAT(deliveries[0].document(), HasSubstr("Points 86/100"));
  EXPECT_TRUE(deliveries[0].has_deliver_time());
  EXPECT_EQ(HttpGet(hook.port(), "/page"), "ann hw-a 86\n");
  EXPECT_THAT(Lines(hook, "/log"), ElementsAre(HasSubstr(inserted.id)));
}

TEST_F(DeliveryQueueTest, FaultsAreOutlived) {
  const FakeHook hook(kSecret, {"500", "hang", "429", "busy", "408", "lost", "ok"});
  Start();
  ASSERT_THAT(Insert(Target(hook.url("/hook")), Points(86)), IsOk());
  AwaitSettled();
  const std::vector<v1::Delivery> deliveries = List();
  ASSERT_THAT(deliveries, SizeIs(1));
  EXPECT_EQ(deliveries[0].state(), v1::Delivery::DELIVERED);
  EXPECT_EQ(deliveries[0].attempts(), 7);
  // The lost answer makes a replay: the same id and bytes, so the page counts it once.
  const std::vector<std::string> log = Lines(hook, "/log");
  ASSERT_THAT(log, SizeIs(2));
  EXPECT_EQ(log[0], log[1]);
  EXPECT_EQ(HttpGet(hook.port(), "/page"), "ann hw-a 86\n");
}

TEST_F(DeliveryQueueTest, ManyThroughFaultsArriveEachOnce) {
  std::vector<std::string> behaviours;
  for (int i = 0; i < 40; ++i)
    behaviours.push_back(i % 3 == 0 ? "503" : i % 7 == 0 ? "lost" : "ok");
  const FakeHook hook(kSecret, behaviours);
  Start();
  std::string expected;
  for (int i = 10; i < 40; ++i) {
    ASSERT_THAT(Insert(Target(hook.url("/hook")), Points(i, absl::StrCat("student", i, "x"))),
                IsOk());
    absl::StrAppend(&expected, "student", i, "x hw-a ", i, "\n");
  }
  AwaitSettled();
  EXPECT_THAT(List(v1::Delivery::DELIVERED), SizeIs(30));
  EXPECT_EQ(HttpGet(hook.port(), "/page"), expected);
}

TEST_F(DeliveryQueueTest, OfOneStudentTheOrderIsKept) {
  const FakeHook hook(kSecret, {"503", "503", "ok"});
  for (int i = 1; i <= 5; ++i) {
    ASSERT_THAT(Insert(Target(hook.url("/hook")), Points(i)), IsOk());
  }
  Start();
  AwaitSettled();
  const std::vector<std::string> log = Lines(hook, "/log");
  ASSERT_THAT(log, SizeIs(5));
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(log[i], HasSubstr(absl::StrCat("Points ", i + 1, "/100")));
}

TEST_F(DeliveryQueueTest, ARefusalIsFinalUntilSomebodyAsksAgain) {
  const FakeHook hook(kSecret, {"410", "moved", "ok"});
  Start();
  ASSERT_OK_AND_ASSIGN(const InsertedDelivery inserted,
                       Insert(Target(hook.url("/hook")), Points(1)));
  AwaitSettled();
  EXPECT_EQ(List()[0].state(), v1::Delivery::GIVEN_UP);
  EXPECT_EQ(List()[0].last_outcome(), "HTTP 410");
  const auto retry = [&](const std::string& course, const std::string& id) {
    absl::StatusOr<v1::Delivery> retried = v1::Delivery();
    EXPECT_THAT(database_->Write([&](Connection& connection) {
      retried = RetryDelivery(connection, course, id, absl::Now());
      return absl::OkStatus();
    }),
                IsOk());
    queue_->Wake();
    return retried;
  };
  ASSERT_THAT(retry("dl", inserted.id), IsOk());
  AwaitSettled();
  EXPECT_EQ(List()[0].last_outcome(), "HTTP 301");  // no redirect is followed
  ASSERT_THAT(retry("dl", inserted.id), IsOk());
  AwaitSettled();
  EXPECT_EQ(List()[0].state(), v1::Delivery::DELIVERED);
  EXPECT_THAT(retry("dl", inserted.id),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("was delivered")));
  EXPECT_THAT(retry("other", inserted.id), HasReason(ErrorReason::kNotFound));
}

TEST_F(DeliveryQueueTest, AWrongSecretIsRefusedByTheHook) {
  const FakeHook hook("another");
  Start();
  ASSERT_THAT(Insert(Target(hook.url("/hook")), Points(1)), IsOk());
  AwaitSettled();
  EXPECT_EQ(List()[0].state(), v1::Delivery::GIVEN_UP);
  EXPECT_EQ(List()[0].last_outcome(), "HTTP 404");
  EXPECT_THAT(Lines(hook, "/log"), IsEmpty());
}

TEST_F(DeliveryQueueTest, ACertificateThatNobodyVouchesForIsRefused) {
  DeliveryOptions options = Fast();
  options.http.total_timeout = absl::Seconds(10);
  options.attempts_max = 1;
  const FakeHook hook(kSecret, {}, FakeHook::Tls::kSelfSigned);
  Start(options);
  ASSERT_THAT(Insert(Target(absl::StrCat("https://localhost:", hook.port(), "/hook")), Points(1)),
              IsOk());
  AwaitSettled();
  EXPECT_EQ(List()[0].state(), v1::Delivery::GIVEN_UP);
  EXPECT_THAT(List()[0].last_outcome(), HasSubstr("certificate"));
}

TEST_F(DeliveryQueueTest, TheLastAttemptGivesUp) {
  DeliveryOptions options = Fast();
  options.attempts_max = 3;
  const FakeHook hook(kSecret, {"500", "500", "500", "500"});
  Start(options);
  ASSERT_THAT(Insert(Target(hook.url("/hook")), Points(1)), IsOk());
  AwaitSettled();
  EXPECT_EQ(List()[0].state(), v1::Delivery::GIVEN_UP);
  EXPECT_EQ(List()[0].attempts(), 3);
  EXPECT_EQ(HttpGet(hook.port(), "/sent"), "3");
}

TEST_F(DeliveryQueueTest, WhatWaitsSurvivesARestart) {
  auto hook = std::make_unique<FakeHook>(kSecret, std::vector<std::string>{"503", "503"});
  const std::string url = hook->url("/hook");
  Start();
  ASSERT_THAT(Insert(Target(url), Points(86)), IsOk());
  while (List()[0].attempts() == 0) absl::SleepFor(absl::Milliseconds(2));
  queue_.reset();
  database_.reset();
  Open();
  ASSERT_THAT(List(v1::Delivery::WAITING), SizeIs(1));
  Start();
  AwaitSettled();
  EXPECT_EQ(HttpGet(hook->port(), "/page"), "ann hw-a 86\n");
}

TEST_F(DeliveryQueueTest, AStopDoesNotWaitForAHangingService) {
  DeliveryOptions options = Fast();
  options.http.total_timeout = absl::Minutes(1);
  const FakeHook hook(kSecret, {"hang"});
  Start(options);
  ASSERT_THAT(Insert(Target(hook.url("/hook")), Points(1)), IsOk());
  while (HttpGet(hook.port(), "/sent") == "0") absl::SleepFor(absl::Milliseconds(5));
  const absl::Time start = absl::Now();
  queue_.reset();
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_EQ(List()[0].attempts(), 0);
}

TEST_F(DeliveryQueueTest, ASilentServiceHoldsUpItsOwnCourseOnly) {
  ASSERT_THAT(database_->Write([&](Connection& connection) {
    return SetDeliverySecret(connection, "other", kCheckRun, kSecret);
  }),
              IsOk());
  const FakeHook silent(kSecret, std::vector<std::string>(1000, "hang"));
  const FakeHook hook(kSecret);
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(Insert(Target(silent.url("/hook")), Points(i, absl::StrCat("s", i, "x"))), IsOk());
  }
  ASSERT_THAT(Insert(Target(hook.url("/hook")), Points(7, "bob", "hw-b", "other")), IsOk());
  const absl::Time start = absl::Now();
  Start();
  while (List(v1::Delivery::DELIVERED, "other").empty()) absl::SleepFor(absl::Milliseconds(5));
  // One timeout, not fifty.
  EXPECT_LT(absl::Now() - start, 10 * Fast().http.total_timeout);
  EXPECT_EQ(HttpGet(hook.port(), "/page"), "bob hw-b 7\n");
}

TEST_F(DeliveryQueueTest, ALongAnswerIsCutOff) {
  const FakeHook hook(kSecret, {"flood"});
  Start();
  ASSERT_THAT(Insert(Target(hook.url("/hook")), Points(1)), IsOk());
  AwaitSettled();
  EXPECT_EQ(List()[0].state(), v1::Delivery::DELIVERED);
}

// A platform refuses a score that is not of a later second; three of one second become three
// seconds.
TEST_F(DeliveryQueueTest, ScoresOfAUserAreOfGrowingSeconds) {
  const FakeHook hook(kSecret, {"ok", "lost"});
  const absl::Time now = absl::Now();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_THAT(Insert(Target(hook.url("/lti/{assignment}?type=2"), kLtiScore), Points(i), now),
                IsOk());
  }
  Start();
  AwaitSettled();
  const std::vector<std::string> scores = Lines(hook, "/scores");
  ASSERT_THAT(scores, SizeIs(3));
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(scores[i], HasSubstr(absl::StrCat("\"scoreGiven\": ", i + 1)));
  const std::vector<v1::Delivery> deliveries = List(v1::Delivery::DELIVERED);
  ASSERT_THAT(deliveries, SizeIs(3));
  EXPECT_EQ(deliveries[0].url(), hook.url("/lti/hw-a/scores?type=2"));
  // Its answer was lost; the platform's refusal of the replay says that it is there.
  EXPECT_EQ(deliveries[1].last_outcome(), "HTTP 409");
}

TEST_F(DeliveryQueueTest, AScoreThatCameTooLateIsGivenUp) {
  v1::Delivery record;
  record.set_kind(kLtiScore);
  EXPECT_EQ(JudgeAttempt(record, {.answer = HttpAnswer{.code = 409}}, 22).state,
            v1::Delivery::GIVEN_UP);
  record.set_last_outcome("HTTP 503");
  EXPECT_EQ(JudgeAttempt(record, {.answer = HttpAnswer{.code = 409}}, 22).state,
            v1::Delivery::GIVEN_UP);
  record.set_last_outcome(
      JudgeAttempt(record, {.answer = absl::UnavailableError("timeout")}, 22).outcome);
  EXPECT_EQ(JudgeAttempt(record, {.answer = HttpAnswer{.code = 409}}, 22).state,
            v1::Delivery::DELIVERED);
}

TEST_F(DeliveryQueueTest, WithoutATokenNoScoreIsSent) {
  const FakeHook hook(kSecret);
  Start();
  ASSERT_THAT(Insert(Target(hook.url("/lti"), kLtiScore), Points(1, "ann", "hw-a", "tokenless")),
              IsOk());
  while (!List(v1::Delivery::WAITING, "tokenless").empty()) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_THAT(List(v1::Delivery::GIVEN_UP, "tokenless")[0].last_outcome(), HasSubstr("token"));
  EXPECT_EQ(HttpGet(hook.port(), "/sent"), "0");
}

TEST_F(DeliveryQueueTest, LagIsObserved) {
  ASSERT_THAT(Insert(Target("http://127.0.0.1:1/hook"), Points(1), absl::Now() - absl::Minutes(5)),
              IsOk());
  Start();
  const auto observed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stats_.waiting == 1; };
  absl::MutexLock lock(&mu_);
  ASSERT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&observed), absl::Seconds(30)));
  EXPECT_GE(stats_.oldest_waiting, absl::Minutes(5));
  EXPECT_LT(stats_.oldest_waiting, absl::Minutes(10));
}

TEST_F(DeliveryQueueTest, NothingIsInsertedForATargetWithoutUrl) {
  EXPECT_EQ(Insert(Target(""), Points(1))->id, "");
  EXPECT_THAT(List(), IsEmpty());
}

TEST_F(DeliveryQueueTest, PagesAndStatesAreListed) {
  for (int i = 1; i <= 5; ++i) ASSERT_THAT(Insert(Target("https://x/"), Points(i)), IsOk());
  v1::ListDeliveriesRequest request;
  request.set_page_size(2);
  std::vector<std::string> seen;
  do {
    ASSERT_THAT(database_->Read([&](Connection& connection) -> absl::Status {
      auto page = ListDeliveries(connection, "dl", request);
      if (!page.ok()) return page.status();
      for (const v1::Delivery& delivery : page->deliveries()) seen.push_back(delivery.submission());
      request.set_page_token(page->next_page_token());
      return absl::OkStatus();
    }),
                IsOk());
  } while (!request.page_token().empty());
  ASSERT_THAT(seen, SizeIs(5));
  EXPECT_THAT(seen[0], HasSubstr("/s5"));
  EXPECT_THAT(seen[4], HasSubstr("/s1"));
  EXPECT_THAT(List(v1::Delivery::GIVEN_UP), IsEmpty());
}

TEST_F(DeliveryQueueTest, SecretsAreHeadersAndStaySo) {
  const auto set = [&](const std::string& secret) {
    return database_->Write([&](Connection& connection) {
      return SetDeliverySecret(connection, "dl", kLtiScore, secret);
    });
  };
  for (const std::string& bad : {std::string(), std::string("a\r\nX-Evil: 1"), std::string("\xFF"),
                                 std::string(kDeliverySecretBytesMax + 1, 'x')}) {
    EXPECT_THAT(ViolatedFields(set(bad)), ElementsAre("secret"));
  }
  EXPECT_THAT(set("good one"), IsOk());
}

TEST(DeliveryDelayTest, AllAttemptsTakeAboutADay) {
  const DeliveryOptions options;
  absl::Duration total;
  for (int attempt = 1; attempt < options.attempts_max; ++attempt) {
    total += DeliveryDelay(options, attempt);
  }
  EXPECT_GT(total, absl::Hours(22));
  EXPECT_LT(total, absl::Hours(28));
  EXPECT_EQ(DeliveryDelay(options, 1), absl::Seconds(10));
  EXPECT_EQ(DeliveryDelay(options, 2), absl::Seconds(20));
  EXPECT_EQ(DeliveryDelay(options, 1000), absl::Hours(2));
}

TEST(HttpUrlTest, OnlyWhatIsSafeMayBeCalled) {
  for (const char* good : {"https://lms.example/api?x=1", "http://127.0.0.1:8080/hook",
                           "http://localhost/hook", "http://[::1]:80/"}) {
    EXPECT_THAT(CheckHttpUrl(good, {}), IsOk()) << good;
  }
  for (const char* bad :
       {"", "lms.example", "ftp://x/", "file:///etc/passwd", "http://lms.example/hook",
        "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://0.0.0.0/",
        "https://user:pass@x/", "https://x/#f", "gopher://x", "http://2130706434.example/"}) {
    EXPECT_THAT(ViolatedFields(CheckHttpUrl(bad, {})), ElementsAre("url")) << bad;
  }
  EXPECT_THAT(CheckHttpUrl("http://lms.example/", {.allow_plain_http = true}), IsOk());
  EXPECT_THAT(CheckHttpUrl("https://x/" + std::string(kUrlBytesMax, 'a'), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("longer")));
}

}  // namespace
}  // namespace trainyard
