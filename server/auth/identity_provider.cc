#include "server/auth/identity_provider.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/wire/canonical_json.h"
#include "server/wire/error_detail.h"
#include "server/wire/jwt.h"

namespace trainyard {
namespace {

constexpr size_t kShownBytesMax = 100;

absl::Status Refused(absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrCat("the identity token ", why),
                   {.reason = ErrorReason::kInvalidRequest,
                    .hint = "give a token that the issuer has just made for this server"});
}

const Json* Find(const Json::Object& claims, absl::string_view name) {
  const auto found = claims.find(name);
  return found == claims.end() ? nullptr : &found->second;
}

// The claim if it is a string; else nullptr.
const std::string* FindText(const Json::Object& claims, absl::string_view name) {
  const Json* const claim = Find(claims, name);
  return claim == nullptr ? nullptr : claim->text();
}

// The claim that must be there as a string.
absl::StatusOr<std::string> TextOf(const Json::Object& claims, absl::string_view name) {
  const std::string* const text = FindText(claims, name);
  if (text == nullptr) return Refused(absl::StrCat("has no ", name));
  return *text;
}

absl::StatusOr<absl::Time> TimeOf(const Json::Object& claims, absl::string_view name) {
  const Json* const claim = Find(claims, name);
  const int64_t* const seconds = claim == nullptr ? nullptr : claim->integer();
  if (seconds == nullptr) return Refused(absl::StrCat("has no ", name, " in whole seconds"));
  return absl::FromUnixSeconds(*seconds);
}

bool IsDecimal(absl::string_view text) {
  return !text.empty() && text.front() != '0' &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// GitHub writes ids as strings of digits.
absl::StatusOr<int64_t> IdOf(const Json::Object& claims, absl::string_view name) {
  const std::string* const text = FindText(claims, name);
  int64_t id = 0;
  if (text == nullptr || !IsDecimal(*text) || !absl::SimpleAtoi(*text, &id)) {
    return Refused(absl::StrCat("has a ", name, " that is no number"));
  }
  return id;
}

bool HasAudience(const Json& claim, const std::string& audience) {
  if (claim.text() != nullptr) return *claim.text() == audience;
  const Json::Array* const list = claim.array();
  return list != nullptr && std::any_of(list->begin(), list->end(), [&](const Json& one) {
           return one.text() != nullptr && *one.text() == audience;
         });
}

absl::Status CheckParties(const Json::Object& claims, const IdentityProvider::Options& options) {
  TY_ASSIGN_OR_RETURN(const std::string issuer, TextOf(claims, "iss"));
  if (issuer != options.issuer) {
    return Refused(absl::StrCat("is of the issuer \"", issuer.substr(0, kShownBytesMax), "\""));
  }
  const Json* const audience = Find(claims, "aud");
  if (audience != nullptr && HasAudience(*audience, options.audience)) return absl::OkStatus();
  return Refused("is for another audience");
}

// Returns when it expires.
absl::StatusOr<absl::Time> CheckTimes(const Json::Object& claims, absl::Time start,
                                      absl::Time now) {
  TY_ASSIGN_OR_RETURN(const absl::Time issued, TimeOf(claims, "iat"));
  TY_ASSIGN_OR_RETURN(const absl::Time expires, TimeOf(claims, "exp"));
  const absl::Duration leeway = IdentityProvider::kLeeway;
  if (Find(claims, "nbf") != nullptr) {
    TY_ASSIGN_OR_RETURN(const absl::Time begins, TimeOf(claims, "nbf"));
    if (now < begins - leeway) return Refused("is not valid yet");
  }
  if (now < issued - leeway) return Refused("is of the future");
  if (now >= expires + leeway) return Refused("has expired");
  if (expires - issued > IdentityProvider::kLifetimeMax) return Refused("is valid for too long");
  if (issued < start) return Refused("was issued before this server started");
  return expires;
}

// A commit: SHA-1, or SHA-256.
bool IsCommit(absl::string_view sha) {
  return (sha.size() == 40 || sha.size() == 64) &&
         sha.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

// Numeric ids only: names can be given to others.
absl::StatusOr<v1::RepositoryIdentity> RepositoryOf(const Json::Object& claims) {
  v1::RepositoryIdentity repository;
  TY_ASSIGN_OR_RETURN(const int64_t id, IdOf(claims, "repository_id"));
  TY_ASSIGN_OR_RETURN(const int64_t owner, IdOf(claims, "repository_owner_id"));
  TY_ASSIGN_OR_RETURN(const int64_t actor, IdOf(claims, "actor_id"));
  TY_ASSIGN_OR_RETURN(std::string sha, TextOf(claims, "sha"));
  TY_ASSIGN_OR_RETURN(const int64_t run, IdOf(claims, "run_id"));
  if (!IsCommit(sha)) return Refused("has a sha that is no commit");
  repository.set_repository_id(id);
  repository.set_repository_owner_id(owner);
  repository.set_actor_id(actor);
  repository.set_sha(std::move(sha));
  repository.set_run_id(absl::StrCat(run));
  return repository;
}

absl::Status TooMany(size_t limit, absl::string_view of) {
  return MakeError(absl::StatusCode::kResourceExhausted, "too many identity tokens were taken",
                   {.reason = ErrorReason::kRateLimited,
                    .hint = "exchange one token per job, and try again when older ones expired",
                    .in_force = absl::StrCat("at most ", limit, " unexpired tokens ", of),
                    .metadata = {{kRetryAfterKey, "300"}}});
}

}  // namespace

IdentityProvider::IdentityProvider(Options options, FindKey find_key, absl::Time start)
    : options_(std::move(options)),
      find_key_(std::move(find_key)),
      // `iat` has no fraction: a token of the second in which the server started is a new one.
      start_(absl::FromUnixSeconds(absl::ToUnixSeconds(start))) {}

absl::StatusOr<ProvenIdentity> IdentityProvider::Verify(absl::string_view token,
                                                        absl::Time now) const {
  TY_ASSIGN_OR_RETURN(const Jwt jwt, Jwt::Parse(token));
  TY_ASSIGN_OR_RETURN(const RsaPublicKey key, find_key_(jwt.key_id()));
  TY_ASSIGN_OR_RETURN(const Json::Object claims, jwt.Verify(key));
  TY_RETURN_IF_ERROR(CheckParties(claims, options_));
  ProvenIdentity proven;
  TY_ASSIGN_OR_RETURN(proven.expires, CheckTimes(claims, start_, now));
  TY_ASSIGN_OR_RETURN(proven.token_id, TextOf(claims, "jti"));
  if (proven.token_id.empty() || proven.token_id.size() > kTokenIdBytesMax) {
    return Refused("has no jti of 1 to 200 bytes");
  }
  TY_ASSIGN_OR_RETURN(proven.repository, RepositoryOf(claims));
  return proven;
}

absl::Status IdentityProvider::TakeOnce(const ProvenIdentity& proven, absl::Time now) {
  const int64_t repository = proven.repository.repository_id();
  absl::MutexLock lock(&mutex_);
  ForgetExpired(now);
  if (taken_.contains(proven.token_id)) return Refused("was taken before");
  if (taken_.size() >= kTakenMax) return TooMany(kTakenMax, "in all");
  const auto of = taken_of_.find(repository);
  if (of != taken_of_.end() && of->second >= kTakenPerRepositoryMax) {
    return TooMany(kTakenPerRepositoryMax, "of a repository");
  }
  taken_.emplace(proven.token_id, repository);
  expiries_.emplace(proven.expires + kLeeway, proven.token_id);
  ++taken_of_[repository];
  return absl::OkStatus();
}

void IdentityProvider::ForgetExpired(absl::Time now) {
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    const auto taken = taken_.find(expiries_.begin()->second);
    const auto of = taken_of_.find(taken->second);
    if (--of->second == 0) taken_of_.erase(of);
    taken_.erase(taken);
    expiries_.erase(expiries_.begin());
  }
}

}  // namespace trainyard
