#include "server/auth/issuer_keys.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::_;

// An issuer whose keys, health and clock the test sets.
class IssuerKeysTest : public testing::Test {
 protected:
  IssuerKeysTest() : key_(RsaPrivateKey::Generate().public_key()) {}

  void Publish(const std::vector<std::string>& ids) {
    published_.clear();
    for (const std::string& id : ids) published_.emplace(id, key_);
  }
  absl::StatusOr<JsonWebKeys> Fetch() {
    ++fetches_;
    if (down_) return absl::UnavailableError("connection refused");
    return published_;
  }

  const RsaPublicKey key_;
  JsonWebKeys published_;
  bool down_ = false;
  std::atomic<int> fetches_ = 0;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  IssuerKeys keys_{[this] { return Fetch(); }, [this] { return now_; }};
};

TEST_F(IssuerKeysTest, FetchesOnceForAllKnownKeys) {
  Publish({"a", "b"});
  EXPECT_THAT(keys_.Find("a"), IsOk());
  EXPECT_THAT(keys_.Find("b"), IsOk());
  EXPECT_EQ(fetches_, 1);
}

TEST_F(IssuerKeysTest, MadeUpKeysFetchOnceAMinute) {
  Publish({"a"});
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(keys_.Find("made-up"), HasReason(ErrorReason::kInvalidRequest));
  }
  EXPECT_EQ(fetches_, 1);
  now_ += IssuerKeys::kRefreshDelay;
  EXPECT_THAT(keys_.Find("made-up"), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(fetches_, 2);
}

TEST_F(IssuerKeysTest, FollowsARotation) {
  Publish({"a"});
  EXPECT_THAT(keys_.Find("a"), IsOk());
  Publish({"b"});
  now_ += IssuerKeys::kRefreshDelay;
  EXPECT_THAT(keys_.Find("b"), IsOk());
  // What the issuer took back is not taken any more.
  EXPECT_THAT(keys_.Find("a"), HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(IssuerKeysTest, FetchesAgainAfterADay) {
  Publish({"a"});
  EXPECT_THAT(keys_.Find("a"), IsOk());
  Publish({});
  now_ += IssuerKeys::kFreshFor - absl::Seconds(1);
  EXPECT_THAT(keys_.Find("a"), IsOk());
  now_ += absl::Seconds(1);
  EXPECT_THAT(keys_.Find("a"), HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(IssuerKeysTest, AnIssuerThatIsDownTakesNoKeysAway) {
  Publish({"a"});
  EXPECT_THAT(keys_.Find("a"), IsOk());
  down_ = true;
  now_ += absl::Hours(100);
  EXPECT_THAT(keys_.Find("a"), IsOk());
  EXPECT_EQ(fetches_, 2);
  // Whether the issuer has this one is not known.
  EXPECT_THAT(keys_.Find("b"), StatusIs(absl::StatusCode::kUnavailable, _));
  EXPECT_EQ(fetches_, 2);
  down_ = false;
  Publish({"a", "b"});
  now_ += IssuerKeys::kRetryDelay;
  EXPECT_THAT(keys_.Find("b"), IsOk());
}

TEST_F(IssuerKeysTest, ABeginningWithoutIssuerIsTriedAgainAfterADelay) {
  down_ = true;
  EXPECT_THAT(keys_.Find("a"), StatusIs(absl::StatusCode::kUnavailable, _));
  EXPECT_THAT(keys_.Find("a"), StatusIs(absl::StatusCode::kUnavailable, _));
  EXPECT_EQ(fetches_, 1);
  down_ = false;
  Publish({"a"});
  now_ += IssuerKeys::kRetryDelay;
  EXPECT_THAT(keys_.Find("a"), IsOk());
}

TEST_F(IssuerKeysTest, ManyWhoWantAKeyAtOnceShareOneFetch) {
  Publish({"a"});
  absl::Notification go;
  IssuerKeys keys(
      [&] {
        go.WaitForNotification();
        return Fetch();
      },
      [this] { return now_; });
  std::atomic<int> found = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) callers.emplace_back([&] { found += keys.Find("a").ok() ? 1 : 0; });
  go.Notify();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(found, 8);
  EXPECT_EQ(fetches_, 1);
}

TEST(CheckIssuerTest, WantsHttpsOrThisMachine) {
  EXPECT_THAT(CheckIssuer("https://token.actions.githubusercontent.com"), IsOk());
  EXPECT_THAT(CheckIssuer("http://127.0.0.1:8080"), IsOk());
  EXPECT_THAT(CheckIssuer("http://example.com"), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(CheckIssuer("file:///etc/passwd"), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(CheckIssuer(""), HasReason(ErrorReason::kInvalidRequest));
}

}  // namespace
}  // namespace trainyard
