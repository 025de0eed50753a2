#include "server/auth/issuer_keys.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/http_call.h"
#include "server/base/log.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

std::string KeysUrl(absl::string_view issuer) {
  return absl::StrCat(absl::StripSuffix(issuer, "/"), "/.well-known/jwks");
}

HttpOptions FetchOptions() {
  return {.connect_timeout = kFetchTimeout,
          .total_timeout = kFetchTimeout,
          .answer_bytes_max = kJsonWebKeysBytesMax};
}

absl::Status NoSuchKey() {
  return MakeError(absl::StatusCode::kInvalidArgument, "the issuer has no key of the token's kid",
                   {.reason = ErrorReason::kInvalidRequest,
                    .hint = "give a token that the issuer has just made"});
}

// What went wrong is the operator's to read in the log.
absl::Status CannotRead() {
  return MakeError(
      absl::StatusCode::kUnavailable, "the keys of the identity tokens' issuer cannot be read now",
      {.hint = "try again later; the operator finds why in the server's log",
       .in_force =
           absl::StrCat("asked again after ", absl::FormatDuration(IssuerKeys::kRetryDelay)),
       .metadata = {
           {kRetryAfterKey, absl::StrCat(absl::ToInt64Seconds(IssuerKeys::kRetryDelay))}}});
}

}  // namespace

absl::Status CheckIssuer(absl::string_view issuer) {
  return CheckHttpUrl(KeysUrl(issuer), FetchOptions());
}

absl::StatusOr<JsonWebKeys> FetchKeys(absl::string_view issuer) {
  const std::atomic<bool> never_stopping = false;
  TY_ASSIGN_OR_RETURN(const HttpAnswer answer,
                      HttpCall({.url = KeysUrl(issuer),
                                .method = HttpMethod::kGet,
                                .headers = {{"Accept", "application/json"}}},
                               FetchOptions(), never_stopping));
  if (answer.code != 200 || !answer.whole) {
    return absl::UnavailableError(
        absl::StrCat("HTTP ", answer.code, answer.whole ? "" : ", and a body that is too long"));
  }
  return ParseJsonWebKeys(answer.body);
}

IssuerKeys::IssuerKeys(Fetch fetch, Clock clock)
    : fetch_(std::move(fetch)), clock_(std::move(clock)) {}

absl::StatusOr<RsaPublicKey> IssuerKeys::Find(const std::string& key_id) {
  int64_t seen = 0;
  {
    absl::MutexLock lock(&mutex_);
    const Known known = Look(key_id);
    if (known.key != nullptr && known.fresh) return *known.key;
    seen = known.fetches;
  }
  Refresh(seen);
  absl::MutexLock lock(&mutex_);
  const Known known = Look(key_id);
  if (known.key != nullptr) return *known.key;
  return last_fetch_.ok() ? NoSuchKey() : CannotRead();
}

IssuerKeys::Known IssuerKeys::Look(const std::string& key_id) const {
  const auto found = keys_.find(key_id);
  return {.key = found == keys_.end() ? nullptr : &found->second,
          .fresh = clock_() - fetched_ < kFreshFor,
          .fetches = fetches_};
}

void IssuerKeys::Refresh(int64_t seen) {
  absl::MutexLock fetch_lock(&fetch_mutex_);
  {
    absl::MutexLock lock(&mutex_);
    if (fetches_ != seen || clock_() < next_fetch_) return;
  }
  Store(fetch_());
}

void IssuerKeys::Store(absl::StatusOr<JsonWebKeys> fetched) {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_();
  ++fetches_;
  last_fetch_ = fetched.status();
  next_fetch_ = now + (fetched.ok() ? kRefreshDelay : kRetryDelay);
  if (!fetched.ok()) {
    Log::Warning("issuer_keys_not_read", {{"why", fetched.status().message()}});
    return;
  }
  fetched_ = now;
  keys_ = *std::move(fetched);
  Log::Info("issuer_keys_read", {{"keys", keys_.size()}});
}

}  // namespace trainyard
