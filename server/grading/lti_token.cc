#include "server/grading/lti_token.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/wire/canonical_json.h"
#include "server/wire/json_web_keys.h"
#include "server/wire/jwt.h"

namespace trainyard {
namespace {

constexpr absl::string_view kAssertionType =
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
constexpr absl::string_view kScoreScope = "https://purl.imsglobal.org/spec/lti-ags/scope/score";
// Of `expires_in`: what a platform says beyond it is cut.
constexpr int64_t kLifetimeSecondsMax = 86'400;

// As application/x-www-form-urlencoded wants it.
std::string FormText(absl::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain =
        absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
    absl::StrAppend(
        &escaped, plain ? std::string(1, c)
                        : absl::StrCat("%", absl::AsciiStrToUpper(absl::StrCat(absl::Hex(
                                                static_cast<unsigned char>(c), absl::kZeroPad2)))));
  }
  return escaped;
}

Json::Object AssertionClaims(const LtiClient& client, absl::string_view id, absl::Time now) {
  const int64_t issued = absl::ToUnixSeconds(now);
  Json::Object claims;
  claims["iss"] = client.client_id;
  claims["sub"] = client.client_id;
  claims["aud"] = client.audience.empty() ? client.token_url : client.audience;
  claims["iat"] = issued;
  claims["exp"] = issued + absl::ToInt64Seconds(LtiTokens::kAssertionLifetime);
  claims["jti"] = std::string(id);
  return claims;
}

// What a platform granted.
struct Granted {
  std::string token;
  absl::Duration lifetime = absl::ZeroDuration();  // zero: not said
};

// RFC 6749, 5.1. nullopt: it is no bearer token that a header can have.
std::optional<Granted> ParseGranted(absl::string_view body) {
  const absl::StatusOr<Json> json =
      ParseJson(body, {.numbers_as_text = true, .null_is_absent = true});
  const Json::Object* const members = json.ok() ? json->object() : nullptr;
  if (members == nullptr || !members->contains("access_token")) return std::nullopt;
  const std::string* const token = members->at("access_token").text();
  const bool printable = token != nullptr && !token->empty() &&
                         token->size() <= LtiTokens::kTokenBytesMax &&
                         std::all_of(token->begin(), token->end(), absl::ascii_isgraph);
  if (!printable) return std::nullopt;
  const auto type = members->find("token_type");
  const bool bearer =
      type == members->end() ||
      (type->second.text() != nullptr && absl::EqualsIgnoreCase(*type->second.text(), "bearer"));
  if (!bearer) return std::nullopt;
  const auto lifetime = members->find("expires_in");
  const int64_t* const seconds = lifetime == members->end() ? nullptr : lifetime->second.integer();
  Granted granted{.token = *token};
  if (seconds == nullptr) return granted;
  granted.lifetime = absl::Seconds(std::clamp<int64_t>(*seconds, 0, kLifetimeSecondsMax));
  return granted;
}

}  // namespace

HttpRequest LtiTokenRequest(const LtiClient& client, const RsaPrivateKey& key, absl::string_view id,
                            absl::Time now) {
  const std::string assertion =
      SignJwt(AssertionClaims(client, id, now), JwkThumbprint(key.public_key()), key);
  return {.url = client.token_url,
          .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                      {"Accept", "application/json"}},
          .body = absl::StrCat(
              "grant_type=client_credentials&client_assertion_type=", FormText(kAssertionType),
              "&client_assertion=", FormText(assertion), "&scope=", FormText(kScoreScope))};
}

absl::StatusOr<LtiGrant> LtiTokens::Get(const LtiClient& client, Call call, absl::Time now) {
  const auto found = tokens_.find(client);
  if (found != tokens_.end() && now < found->second.renew_at) {
    return LtiGrant{.token = found->second.text, .used = true};
  }
  tokens_.erase(client);
  TY_ASSIGN_OR_RETURN(const RsaPrivateKey key, find_key_());
  TY_ASSIGN_OR_RETURN(HttpAnswer answer, call(LtiTokenRequest(client, key, NewToken(), now)));
  const std::string body = std::move(answer.body);
  answer.body.clear();
  if (!answer.ok()) return LtiGrant{.answer = std::move(answer)};
  std::optional<Granted> granted = answer.whole ? ParseGranted(body) : std::nullopt;
  if (!granted.has_value()) {
    return absl::UnavailableError(absl::StrCat("HTTP ", answer.code, " without a bearer token"));
  }
  Keep(client, {.text = granted->token, .renew_at = now + granted->lifetime - kRenewBefore}, now);
  return LtiGrant{.token = std::move(granted->token)};
}

void LtiTokens::Keep(const LtiClient& client, Token token, absl::Time now) {
  if (token.renew_at <= now) return;
  if (tokens_.size() >= kTokensMax) {
    tokens_.erase(std::min_element(
        tokens_.begin(), tokens_.end(),
        [](const auto& a, const auto& b) { return a.second.renew_at < b.second.renew_at; }));
  }
  tokens_[client] = std::move(token);
}

}  // namespace trainyard
