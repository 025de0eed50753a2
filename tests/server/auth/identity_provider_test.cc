#include "server/auth/identity_provider.h"

#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "server/wire/json_web_keys.h"
#include "server/wire/jwt.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::_;
using testing::HasSubstr;

constexpr char kIssuer[] = "https://token.actions.githubusercontent.com";
constexpr char kAudience[] = "https://trainyard.example";
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'400);

class IdentityProviderTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { key_ = new RsaPrivateKey(RsaPrivateKey::Generate()); }
  static void TearDownTestSuite() { delete key_; }

  static absl::StatusOr<RsaPublicKey> FindKey(const std::string& id) {
    if (id == "down") return absl::UnavailableError("the issuer is down");
    return key_->public_key();
  }

  // As GitHub writes them.
  static Json::Object Claims() {
    Json::Object claims;
    claims["iss"] = kIssuer;
    claims["aud"] = kAudience;
    claims["jti"] = "first";
    claims["iat"] = int64_t{1'800'000'300};
    claims["nbf"] = int64_t{1'800'000'000};
    claims["exp"] = int64_t{1'800'000'900};
    claims["repository_id"] = "424242";
    claims["repository_owner_id"] = "77";
    claims["actor_id"] = "1001";
    claims["sha"] = "1f4d0f6b7c0c3a7bd9d4a4d5d0f5a4f7d3f1a2b9";
    claims["run_id"] = "9876543210";
    return claims;
  }

  absl::StatusOr<ProvenIdentity> Verify(const Json::Object& claims, absl::Time now = kNow) const {
    return provider_.Verify(SignJwt(claims, "key", *key_), now);
  }
  absl::StatusOr<ProvenIdentity> VerifyWith(const std::string& name, Json value) const {
    Json::Object claims = Claims();
    claims[name] = std::move(value);
    return Verify(claims);
  }
  static ProvenIdentity Proven(const std::string& id, int64_t repository) {
    ProvenIdentity proven{.token_id = id, .expires = kNow + absl::Minutes(5)};
    proven.repository.set_repository_id(repository);
    return proven;
  }

  static RsaPrivateKey* key_;
  IdentityProvider provider_{{.issuer = kIssuer, .audience = kAudience},
                             &IdentityProviderTest::FindKey,
                             absl::FromUnixSeconds(1'800'000'200)};
};

RsaPrivateKey* IdentityProviderTest::key_ = nullptr;

TEST_F(IdentityProviderTest, TakesWhatGitHubWrites) {
  ASSERT_OK_AND_ASSIGN(const ProvenIdentity proven, Verify(Claims()));
  EXPECT_EQ(proven.repository.repository_id(), 424242);
  EXPECT_EQ(proven.repository.repository_owner_id(), 77);
  EXPECT_EQ(proven.repository.actor_id(), 1001);
  EXPECT_EQ(proven.repository.sha(), "1f4d0f6b7c0c3a7bd9d4a4d5d0f5a4f7d3f1a2b9");
  EXPECT_EQ(proven.repository.run_id(), "9876543210");
  EXPECT_EQ(proven.token_id, "first");
  EXPECT_EQ(proven.expires, absl::FromUnixSeconds(1'800'000'900));
}

TEST_F(IdentityProviderTest, TakesWhatPythonSigned) {
  std::ifstream file(TY_SOURCE_DIR "/tests/golden/tokens/token.txt");
  const std::string token{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::ifstream keys_file(TY_SOURCE_DIR "/tests/golden/tokens/keys.json");
  const std::string document{std::istreambuf_iterator<char>(keys_file),
                             std::istreambuf_iterator<char>()};
  ASSERT_OK_AND_ASSIGN(const JsonWebKeys keys, ParseJsonWebKeys(document));
  const IdentityProvider provider(
      {.issuer = kIssuer, .audience = kAudience},
      [&](const std::string& id) -> absl::StatusOr<RsaPublicKey> { return keys.at(id); },
      absl::FromUnixSeconds(1'800'000'200));
  ASSERT_OK_AND_ASSIGN(const ProvenIdentity proven, provider.Verify(token, kNow));
  EXPECT_EQ(proven.repository.repository_id(), 424242);
}

TEST_F(IdentityProviderTest, AnyOfSeveralAudiencesWillDo) {
  EXPECT_THAT(VerifyWith("aud", Json::Array{"https://other.example", kAudience}), IsOk());
  for (const Json& audience :
       {Json("https://other.example"), Json(Json::Array{}),
        Json(Json::Array{"https://other.example"}), Json(""), Json(absl::StrCat(kAudience, "/")),
        Json(true), Json(Json::Object{})}) {
    EXPECT_THAT(VerifyWith("aud", audience),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("audience")))
        << CanonicalJson(audience);
  }
}

TEST_F(IdentityProviderTest, TheIssuerIsExact) {
  for (const char* const issuer : {"https://token.actions.githubusercontent.com/",
                                   "https://token.actions.githubusercontent.com.evil.example",
                                   "HTTPS://token.actions.githubusercontent.com", ""}) {
    EXPECT_THAT(VerifyWith("iss", issuer),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("issuer")))
        << issuer;
  }
}

TEST_F(IdentityProviderTest, TimesAreCheckedWithAMinuteOfLeeway) {
  const absl::Time expires = absl::FromUnixSeconds(1'800'000'900);
  const absl::Time issued = absl::FromUnixSeconds(1'800'000'300);
  EXPECT_THAT(Verify(Claims(), expires + absl::Seconds(59)), IsOk());
  EXPECT_THAT(Verify(Claims(), expires + absl::Seconds(60)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expired")));
  EXPECT_THAT(Verify(Claims(), issued - absl::Seconds(60)), IsOk());
  EXPECT_THAT(Verify(Claims(), issued - absl::Seconds(61)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("future")));
  EXPECT_THAT(VerifyWith("nbf", int64_t{1'800'000'460}), IsOk());
  EXPECT_THAT(VerifyWith("nbf", int64_t{1'800'000'461}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not valid yet")));
  EXPECT_THAT(VerifyWith("exp", int64_t{1'800'000'300 + 3'600}), IsOk());
  EXPECT_THAT(VerifyWith("exp", int64_t{1'800'000'300 + 3'601}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too long")));
  Json::Object without = Claims();
  without.erase("nbf");
  EXPECT_THAT(Verify(without), IsOk());
}

TEST_F(IdentityProviderTest, TimesOfExtremeSizeAreRefused) {
  for (const char* const name : {"iat", "exp", "nbf"}) {
    for (const int64_t seconds : {-kJsonIntegerMax, kJsonIntegerMax}) {
      const bool harmless = std::string(name) == "nbf" && seconds < 0;
      EXPECT_EQ(VerifyWith(name, seconds).ok(), harmless) << name << " " << seconds;
    }
    EXPECT_FALSE(VerifyWith(name, "1800000300").ok()) << name;
    EXPECT_FALSE(VerifyWith(name, true).ok()) << name;
  }
}

TEST_F(IdentityProviderTest, WhatWasIssuedBeforeTheStartIsRefused) {
  EXPECT_THAT(VerifyWith("iat", int64_t{1'800'000'200}), IsOk());
  EXPECT_THAT(
      VerifyWith("iat", int64_t{1'800'000'199}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("before this server started")));
}

TEST_F(IdentityProviderTest, EveryClaimIsNeeded) {
  for (const char* const name : {"iss", "aud", "iat", "exp", "jti", "repository_id",
                                 "repository_owner_id", "actor_id", "sha", "run_id"}) {
    Json::Object claims = Claims();
    claims.erase(name);
    EXPECT_THAT(Verify(claims), HasReason(ErrorReason::kInvalidRequest)) << name;
  }
}

TEST_F(IdentityProviderTest, IdsAreDecimalNumbers) {
  EXPECT_THAT(VerifyWith("repository_id", "9223372036854775807"), IsOk());
  for (const Json& id : {Json(""), Json("0"), Json("-1"), Json("+1"), Json("01"), Json(" 1"),
                         Json("1 "), Json("1e3"), Json("0x10"), Json("9223372036854775808"),
                         Json("hse/hw"), Json(int64_t{424242})}) {
    for (const char* const name : {"repository_id", "repository_owner_id", "actor_id", "run_id"}) {
      EXPECT_THAT(VerifyWith(name, id), HasReason(ErrorReason::kInvalidRequest))
          << name << " " << CanonicalJson(id);
    }
  }
  for (const char* const sha :
       {"", "main", "1F4D0F6B7C0C3A7BD9D4A4D5D0F5A4F7D3F1A2B9", "1f4d0f6b"}) {
    EXPECT_THAT(VerifyWith("sha", sha), HasReason(ErrorReason::kInvalidRequest)) << sha;
  }
  EXPECT_THAT(VerifyWith("sha", std::string(64, 'a')), IsOk());
  EXPECT_THAT(VerifyWith("jti", ""), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(VerifyWith("jti", std::string(201, 'j')), HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(IdentityProviderTest, KeysThatCannotBeReadAreNoFaultOfTheToken) {
  EXPECT_THAT(provider_.Verify(SignJwt(Claims(), "down", *key_), kNow),
              StatusIs(absl::StatusCode::kUnavailable, _));
  const RsaPrivateKey other = RsaPrivateKey::Generate();
  EXPECT_THAT(provider_.Verify(SignJwt(Claims(), "key", other), kNow),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(IdentityProviderTest, EachTokenIsTakenOnce) {
  EXPECT_THAT(provider_.TakeOnce(Proven("one", 1), kNow), IsOk());
  EXPECT_THAT(provider_.TakeOnce(Proven("one", 1), kNow), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(provider_.TakeOnce(Proven("one", 2), kNow), HasReason(ErrorReason::kInvalidRequest));
  // As long as Verify would take it.
  const absl::Time end = kNow + absl::Minutes(5) + IdentityProvider::kLeeway;
  EXPECT_THAT(provider_.TakeOnce(Proven("one", 1), end - absl::Seconds(1)),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(IdentityProviderTest, ARepositoryThatTakesTooManyWaitsAndHoldsUpNobodyElse) {
  const auto max = static_cast<int>(IdentityProvider::kTakenPerRepositoryMax);
  for (int i = 0; i < max; ++i) {
    ASSERT_THAT(provider_.TakeOnce(Proven(absl::StrCat("a", i), 1), kNow), IsOk());
  }
  EXPECT_THAT(provider_.TakeOnce(Proven("a", 1), kNow), HasReason(ErrorReason::kRateLimited));
  EXPECT_THAT(provider_.TakeOnce(Proven("a0", 1), kNow), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(provider_.TakeOnce(Proven("b", 2), kNow), IsOk());
  const absl::Time later = kNow + absl::Minutes(6);
  ProvenIdentity proven = Proven("a", 1);
  proven.expires = later + absl::Minutes(5);
  EXPECT_THAT(provider_.TakeOnce(proven, later), IsOk());
}

TEST_F(IdentityProviderTest, WhenNoMoreCanBeRememberedNoneIsTaken) {
  const auto max = static_cast<int>(IdentityProvider::kTakenMax);
  for (int i = 0; i < max; ++i) {
    ASSERT_THAT(provider_.TakeOnce(Proven(absl::StrCat("t", i), 1 + i / 100), kNow), IsOk());
  }
  EXPECT_THAT(provider_.TakeOnce(Proven("new", 999'999), kNow),
              HasReason(ErrorReason::kRateLimited));
  EXPECT_THAT(provider_.TakeOnce(Proven("t0", 1), kNow), HasReason(ErrorReason::kInvalidRequest));
}

}  // namespace
}  // namespace trainyard
