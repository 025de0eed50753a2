// Access tokens of LTI platforms. The whole of it against a platform that verifies assertions by
// openssl: tests/e2e/lti_test.py.
#include "server/grading/lti_token.h"

#include <deque>
#include <map>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/grading/delivery_queue.h"
#include "server/wire/json_web_keys.h"
#include "server/wire/jwt.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::_;
using testing::HasSubstr;
using testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

std::string Granted(const std::string& token, int seconds) {
  return absl::StrCat(R"({"access_token":")", token, R"(","token_type":"Bearer","expires_in":)",
                      seconds, R"(,"scope":null})");
}

// A platform that answers what the test says, and notes what it was asked.
class LtiTokensTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { key_ = new RsaPrivateKey(RsaPrivateKey::Generate()); }
  static void TearDownTestSuite() { delete key_; }

  absl::StatusOr<LtiGrant> Get(absl::Time now = kNow) { return GetFor(client_, now); }
  absl::StatusOr<LtiGrant> GetFor(const LtiClient& client, absl::Time now = kNow) {
    const auto call = [this](const HttpRequest& request) -> absl::StatusOr<HttpAnswer> {
      requests_.push_back(request);
      if (answers_.empty()) return absl::UnavailableError("nobody is there");
      HttpAnswer answer = answers_.front();
      answers_.pop_front();
      return answer;
    };
    return tokens_.Get(client, call, now);
  }
  void Answer(int code, const std::string& body) {
    answers_.push_back({.code = code, .body = body});
  }

  static RsaPrivateKey* key_;
  const LtiClient client_{.token_url = "https://lms.example/token", .client_id = "client-7"};
  std::deque<HttpAnswer> answers_;
  std::vector<HttpRequest> requests_;
  LtiTokens tokens_{[] { return *key_; }};
};

RsaPrivateKey* LtiTokensTest::key_ = nullptr;

std::string Unescaped(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '%';
    plain += escaped ? absl::HexStringToBytes(text.substr(i + 1, 2)) : std::string(1, text[i]);
    if (escaped) i += 2;
  }
  return plain;
}

std::map<std::string, std::string> FormOf(const std::string& body) {
  std::map<std::string, std::string> form;
  for (const absl::string_view field : absl::StrSplit(body, '&')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    form[Unescaped(parts.first)] = Unescaped(parts.second);
  }
  return form;
}

TEST_F(LtiTokensTest, AsksAsTheImsSecurityFrameworkWantsIt) {
  LtiClient client = client_;
  for (const std::string audience : {"", "https://auth.lms.example/ü?a=b&c"}) {
    client.audience = audience;
    const HttpRequest request = LtiTokenRequest(client, *key_, "id-1", kNow);
    EXPECT_EQ(request.url, "https://lms.example/token");
    EXPECT_EQ(request.headers[0].value, "application/x-www-form-urlencoded");
    const auto form = FormOf(request.body);
    EXPECT_EQ(form.size(), 4u);
    EXPECT_EQ(form.at("grant_type"), "client_credentials");
    EXPECT_EQ(form.at("client_assertion_type"),
              "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    EXPECT_EQ(form.at("scope"), "https://purl.imsglobal.org/spec/lti-ags/scope/score");
    ASSERT_OK_AND_ASSIGN(const Jwt jwt, Jwt::Parse(form.at("client_assertion")));
    EXPECT_EQ(jwt.key_id(), JwkThumbprint(key_->public_key()));
    ASSERT_OK_AND_ASSIGN(const Json::Object claims, jwt.Verify(key_->public_key()));
    EXPECT_EQ(CanonicalJson(Json(claims)),
              absl::StrCat(R"({"aud":")", audience.empty() ? client.token_url : audience,
                           R"(","exp":1800000300,"iat":1800000000,"iss":"client-7","jti":"id-1",)",
                           R"("sub":"client-7"})"));
  }
}

TEST_F(LtiTokensTest, ATokenIsUsedUntilAMinuteBeforeItsEnd) {
  Answer(200, Granted("first", 3'600));
  Answer(200, Granted("second", 3'600));
  ASSERT_OK_AND_ASSIGN(LtiGrant grant, Get());
  EXPECT_EQ(grant.token, "first");
  EXPECT_FALSE(grant.used);
  ASSERT_OK_AND_ASSIGN(grant, Get(kNow + absl::Seconds(3'539)));
  EXPECT_EQ(grant.token, "first");
  EXPECT_TRUE(grant.used);
  ASSERT_OK_AND_ASSIGN(grant, Get(kNow + absl::Seconds(3'540)));
  EXPECT_EQ(grant.token, "second");
  EXPECT_FALSE(grant.used);
  ASSERT_EQ(requests_.size(), 2u);
  EXPECT_NE(requests_[0].body, requests_[1].body);  // jti
}

TEST_F(LtiTokensTest, ADroppedTokenIsFetchedAgain) {
  Answer(200, Granted("first", 3'600));
  Answer(200, Granted("second", 3'600));
  ASSERT_THAT(Get(), IsOk());
  tokens_.Drop(client_);
  ASSERT_OK_AND_ASSIGN(const LtiGrant grant, Get());
  EXPECT_EQ(grant.token, "second");
  EXPECT_FALSE(grant.used);
}

TEST_F(LtiTokensTest, WithoutALifetimeOrWithAShortOneItIsUsedOnce) {
  for (const char* const lifetime :
       {"", R"(,"expires_in":60)", R"(,"expires_in":0)", R"(,"expires_in":-5)",
        R"(,"expires_in":"3600")", R"(,"expires_in":1e400)"}) {
    Answer(200, absl::StrCat(R"({"access_token":"t")", lifetime, "}"));
    ASSERT_OK_AND_ASSIGN(const LtiGrant grant, Get());
    EXPECT_EQ(grant.token, "t");
    EXPECT_EQ(tokens_.size(), 0u) << lifetime;
  }
}

TEST_F(LtiTokensTest, WhatThePlatformSaysInsteadIsHandedOn) {
  Answer(400, R"({"error":"invalid_client","error_description":"s3cret"})");
  ASSERT_OK_AND_ASSIGN(const LtiGrant grant, Get());
  EXPECT_EQ(grant.token, "");
  EXPECT_EQ(grant.answer.code, 400);
  EXPECT_EQ(grant.answer.body, "");
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kUnavailable, "nobody is there"));
}

TEST_F(LtiTokensTest, ASuccessWithoutABearerTokenIsNone) {
  for (const std::string& body :
       {std::string(), std::string("s3cret"), std::string("[]"), std::string("{}"),
        std::string(R"({"access_token":7})"), std::string(R"({"access_token":""})"),
        std::string(R"({"access_token":"s3cret","token_type":"mac"})"),
        std::string(R"({"access_token":"s3cret\r\nX-Header: 1"})"),
        absl::StrCat(R"({"access_token":")", std::string(LtiTokens::kTokenBytesMax + 1, 't'),
                     "\"}")}) {
    Answer(200, body);
    const absl::Status status = Get().status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("bearer token")));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("s3cret")));
  }
}

TEST_F(LtiTokensTest, EachClientHasItsOwnAndTheyAreBounded) {
  for (size_t i = 0; i <= LtiTokens::kTokensMax; ++i) {
    LtiClient client = client_;
    client.client_id = absl::StrCat("client-", i);
    Answer(200, Granted(absl::StrCat("t", i), 3'600 + static_cast<int>(i)));
    ASSERT_THAT(GetFor(client), IsOk());
  }
  EXPECT_EQ(tokens_.size(), LtiTokens::kTokensMax);
  LtiClient last = client_;
  last.client_id = absl::StrCat("client-", LtiTokens::kTokensMax);
  ASSERT_OK_AND_ASSIGN(const LtiGrant grant, GetFor(last));
  EXPECT_TRUE(grant.used);
  // The one that would have ended first is gone.
  last.client_id = "client-0";
  EXPECT_THAT(GetFor(last), StatusIs(absl::StatusCode::kUnavailable, _));
}

TEST(JudgeAttemptTest, ATokenEndpointsAnswerCountsByTheRulesOfAttempts) {
  v1::Delivery record;
  record.set_kind(v1::DeliveryTarget::LTI_SCORE);
  const auto judge = [&](absl::StatusOr<HttpAnswer> answer) {
    return JudgeAttempt(record, {.answer = std::move(answer), .for_token = true}, 22);
  };
  EXPECT_EQ(judge(HttpAnswer{.code = 400}).state, v1::Delivery::GIVEN_UP);
  EXPECT_EQ(judge(HttpAnswer{.code = 400}).outcome, "token: HTTP 400");
  EXPECT_EQ(judge(HttpAnswer{.code = 409}).state, v1::Delivery::GIVEN_UP);
  EXPECT_EQ(judge(HttpAnswer{.code = 503, .retry_after = absl::Seconds(7)}).state,
            v1::Delivery::WAITING);
  EXPECT_EQ(judge(HttpAnswer{.code = 503, .retry_after = absl::Seconds(7)}).retry_after,
            absl::Seconds(7));
  EXPECT_EQ(judge(absl::UnavailableError("timeout")).state, v1::Delivery::WAITING);
  EXPECT_EQ(judge(absl::UnavailableError("timeout")).outcome, "token: timeout");
  EXPECT_EQ(judge(absl::InvalidArgumentError("bad url")).state, v1::Delivery::GIVEN_UP);
  record.set_attempts(21);
  EXPECT_EQ(judge(absl::UnavailableError("timeout")).state, v1::Delivery::GIVEN_UP);
}

TEST(JudgeAttemptTest, AnAnswerThatWasLostIsNotForgottenForWantOfAToken) {
  v1::Delivery record;
  record.set_kind(v1::DeliveryTarget::LTI_SCORE);
  record.set_last_outcome(
      JudgeAttempt(record, {.answer = absl::UnavailableError("timeout")}, 22).outcome);
  record.set_last_outcome(
      JudgeAttempt(record, {.answer = HttpAnswer{.code = 503}, .for_token = true}, 22).outcome);
  EXPECT_THAT(record.last_outcome(), HasSubstr("token: HTTP 503"));
  EXPECT_EQ(JudgeAttempt(record, {.answer = HttpAnswer{.code = 409}}, 22).state,
            v1::Delivery::DELIVERED);
}

TEST(JudgeAttemptTest, A401IsWorthAnotherTryWithATokenThatWasUsedBefore) {
  v1::Delivery record;
  record.set_kind(v1::DeliveryTarget::LTI_SCORE);
  const HttpAnswer answer{.code = 401};
  EXPECT_EQ(JudgeAttempt(record, {.answer = answer, .token_used = true}, 22).state,
            v1::Delivery::WAITING);
  EXPECT_EQ(JudgeAttempt(record, {.answer = answer}, 22).state, v1::Delivery::GIVEN_UP);
  record.set_attempts(21);
  EXPECT_EQ(JudgeAttempt(record, {.answer = answer, .token_used = true}, 22).state,
            v1::Delivery::GIVEN_UP);
}

}  // namespace
}  // namespace trainyard
