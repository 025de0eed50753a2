// IdentityProvider recognises jobs of GitHub Actions by their identity tokens (OpenID Connect): it
// checks a token, and sees to it that each is taken once.
//
//   TY_ASSIGN_OR_RETURN(const ProvenIdentity proven, provider.Verify(token, absl::Now()));
//   ... whose repository is proven.repository.repository_id()? ...
//   TY_RETURN_IF_ERROR(provider.TakeOnce(proven, absl::Now()));
//
// Anybody on GitHub can get a valid token for any audience: a token proves which repository it is
// from, and nothing else. So TakeOnce comes after the repository was found to be somebody's here;
// else strangers could fill what is remembered.
//
// What is taken is remembered in memory until the token expires. Tokens that were issued before
// the server started are refused, so that none is taken again after a restart; jobs that were given
// one just before run again. That goes by the wall clocks of issuer and server: by as much as they
// differ, a token may be refused after a start though it is new, or be taken twice.
//
// Thread-safety: all methods from any thread. Verify blocks as IssuerKeys::Find.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST with what exactly is wrong with the token: for the log,
// not for the caller. The message quotes claims of tokens whose signature is good, never a token.
#ifndef TRAINYARD_SERVER_AUTH_IDENTITY_PROVIDER_H_
#define TRAINYARD_SERVER_AUTH_IDENTITY_PROVIDER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/wire/rsa_key.h"
#include "trainyard/v1/auth.pb.h"

namespace trainyard {

// What a token proves.
struct ProvenIdentity {
  v1::RepositoryIdentity repository;
  std::string token_id;  // the token's `jti`
  absl::Time expires;
};

class IdentityProvider {
 public:
  // By which clocks may differ.
  static constexpr absl::Duration kLeeway = absl::Seconds(60);
  // Of tokens; GitHub's are good for minutes.
  static constexpr absl::Duration kLifetimeMax = absl::Hours(1);
  static constexpr size_t kTokenIdBytesMax = 200;
  // Tokens that are remembered, some 200 bytes each: in all, and of one repository, which cannot
  // keep the others out. Beyond them tokens are refused, not forgotten.
  static constexpr size_t kTakenMax = 100'000;
  static constexpr size_t kTakenPerRepositoryMax = 200;

  struct Options {
    std::string issuer;    // exactly as in the tokens
    std::string audience;  // our own URL
  };
  using FindKey = std::function<absl::StatusOr<RsaPublicKey>(const std::string& key_id)>;
  // `start` is when the server started, by the wall clock.
  IdentityProvider(Options options, FindKey find_key, absl::Time start);

  // The rest are errors of FindKey.
  absl::StatusOr<ProvenIdentity> Verify(absl::string_view token, absl::Time now) const;
  // INVALID_ARGUMENT/INVALID_REQUEST when it was taken before; RESOURCE_EXHAUSTED/RATE_LIMITED when
  // no more can be remembered.
  absl::Status TakeOnce(const ProvenIdentity& proven, absl::Time now);

 private:
  void ForgetExpired(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const FindKey find_key_;
  const absl::Time start_;
  absl::Mutex mutex_;
  // Repository, by `jti`; and the same by when it can be forgotten.
  absl::flat_hash_map<std::string, int64_t> taken_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Time, std::string> expiries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<int64_t, size_t> taken_of_ ABSL_GUARDED_BY(mutex_);  // by repository
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_IDENTITY_PROVIDER_H_
