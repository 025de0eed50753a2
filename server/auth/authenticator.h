// Authenticator recognises callers by the authorization header, and limits how often each may call.
//
//   TY_ASSIGN_OR_RETURN(Principal principal, authenticator.Authenticate(headers, peer));
//
// While there is no user, everyone is "local" with the role ADMIN, without limits. From then on a
// call without a valid token is UNAUTHENTICATED, with one message whatever is wrong with it. A peer
// whose calls fail too often gets RATE_LIMITED for failures; valid tokens are taken from it all the
// same, because many users may share an address.
//
// Thread-safety: all methods from any thread. They do not block on disk.
#ifndef TRAINYARD_SERVER_AUTH_AUTHENTICATOR_H_
#define TRAINYARD_SERVER_AUTH_AUTHENTICATOR_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/auth/principal.h"
#include "server/auth/rate_limiter.h"
#include "server/auth/users.h"

namespace trainyard {

class Authenticator {
 public:
  struct Options {
    double calls_per_second = 200;  // of one user; twice as many at once. 0: no limit
  };
  // Of one address.
  static constexpr double kFailuresPerSecond = 1;
  static constexpr double kFailuresAtOnce = 30;
  static constexpr size_t kPeersMax = 65'536;

  // REQUIRES: `users` outlives this object.
  Authenticator(const Options& options, const Users* users);

  // `headers` are the values of all authorization headers of the call; `peer` is gRPC's, e.g.
  // "ipv4:10.0.0.7:51324". Errors: UNAUTHENTICATED/UNAUTHENTICATED,
  // RESOURCE_EXHAUSTED/RATE_LIMITED.
  absl::StatusOr<Principal> Authenticate(const std::vector<absl::string_view>& headers,
                                         absl::string_view peer);

  // Counts a failure of a call without authorization that showed something that is not valid: OK,
  // or RESOURCE_EXHAUSTED/RATE_LIMITED, which is then the answer.
  absl::Status CountFailure(absl::string_view peer);

  // Whether calls are taken without tokens.
  bool open() const { return users_->open(); }

 private:
  const Users* const users_;
  RateLimiter calls_;     // by user
  RateLimiter failures_;  // by address
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_AUTHENTICATOR_H_
