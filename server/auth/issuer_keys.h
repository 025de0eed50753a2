// IssuerKeys has the public keys of who makes identity tokens, as published at
// {issuer}/.well-known/jwks.
//
//   TY_ASSIGN_OR_RETURN(const RsaPublicKey key, keys.Find(jwt.key_id()));
//
// They are fetched when they are first wanted, when a key is wanted that is not known, and when
// they are older than kFreshFor; but kRefreshDelay after the last success, and kRetryDelay after
// the last failure, at the earliest, so that tokens with made-up key ids cannot make this server
// call the issuer. A fetch that fails keeps the keys that are there: an issuer that is down stops
// nobody whose key is known.
//
// Thread-safety: all methods from any thread. Find may block for one fetch; whoever else needs a
// key that is not known waits for that one.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST: the issuer has no such key; UNAVAILABLE: its keys
// cannot be read.
#ifndef TRAINYARD_SERVER_AUTH_ISSUER_KEYS_H_
#define TRAINYARD_SERVER_AUTH_ISSUER_KEYS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/wire/json_web_keys.h"

namespace trainyard {

// INVALID_ARGUMENT/INVALID_REQUEST unless keys may be fetched from there: https, or this machine.
absl::Status CheckIssuer(absl::string_view issuer);
// The key set at {issuer}/.well-known/jwks. Blocks for kFetchTimeout at most. Errors: those of
// HttpCall and ParseJsonWebKeys, UNAVAILABLE for another answer than 200.
inline constexpr absl::Duration kFetchTimeout = absl::Seconds(5);
absl::StatusOr<JsonWebKeys> FetchKeys(absl::string_view issuer);

class IssuerKeys {
 public:
  static constexpr absl::Duration kFreshFor = absl::Hours(24);
  static constexpr absl::Duration kRefreshDelay = absl::Minutes(1);
  static constexpr absl::Duration kRetryDelay = absl::Seconds(10);

  using Fetch = std::function<absl::StatusOr<JsonWebKeys>()>;
  using Clock = std::function<absl::Time()>;
  // `clock` is SteadyNow, but in tests.
  IssuerKeys(Fetch fetch, Clock clock);

  absl::StatusOr<RsaPublicKey> Find(const std::string& key_id);

 private:
  // What is known: the key, if it is there; whether that will do; how many fetches that comes from.
  struct Known {
    const RsaPublicKey* key = nullptr;
    bool fresh = false;
    int64_t fetches = 0;
  };
  Known Look(const std::string& key_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Fetches when it is time to, unless somebody else did since `seen` of them.
  void Refresh(int64_t seen);
  void Store(absl::StatusOr<JsonWebKeys> fetched);

  const Fetch fetch_;
  const Clock clock_;
  absl::Mutex fetch_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // held while the issuer is asked
  mutable absl::Mutex mutex_;
  JsonWebKeys keys_ ABSL_GUARDED_BY(mutex_);
  absl::Time fetched_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();     // with success
  absl::Time next_fetch_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // at the earliest
  int64_t fetches_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status last_fetch_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_ISSUER_KEYS_H_
