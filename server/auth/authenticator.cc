#include "server/auth/authenticator.h"

#include <algorithm>
#include <optional>

#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/auth/bearer.h"
#include "server/base/steady_clock.h"

namespace trainyard {
namespace {

// One text for all: what is wrong with a token is not told to who may not have one.
absl::Status Unauthenticated() {
  return MakeError(
      absl::StatusCode::kUnauthenticated,
      "the call has no valid token: none was given, or it is unknown, revoked or expired",
      {.reason = ErrorReason::kUnauthenticated,
       .hint = "give one with --token-file or the variable TRAINYARD_TOKEN (metadata "
               "`authorization: Bearer ...`); an administrator, or `trainyard token "
               "create`, makes one"});
}

// The address without the port, which is another one for each connection. Unix sockets have no
// port.
absl::string_view HostOf(absl::string_view peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace

Authenticator::Authenticator(const Options& options, const Users* users)
    : users_(users),
      calls_({.rate = options.calls_per_second,
              .burst = std::max(2 * options.calls_per_second, 1.0),
              .keys_max = Users::kUsersMax + 1}),
      failures_({.rate = kFailuresPerSecond, .burst = kFailuresAtOnce, .keys_max = kPeersMax}) {}

absl::StatusOr<Principal> Authenticator::Authenticate(const std::vector<absl::string_view>& headers,
                                                      absl::string_view peer) {
  if (users_->open()) return Principal{.owner = kLocalOwner, .role = v1::USER_ROLE_ADMIN};
  const std::optional<Bearer> bearer =
      headers.size() == 1 ? ParseAuthorization(headers.front()) : std::nullopt;
  std::optional<Principal> principal;
  if (bearer.has_value()) principal = users_->Verify(*bearer, absl::Now());
  if (!principal.has_value()) {
    TY_RETURN_IF_ERROR(CountFailure(peer));
    return Unauthenticated();
  }
  TY_RETURN_IF_ERROR(calls_.Take(principal->owner, SteadyNow()));
  return *std::move(principal);
}

absl::Status Authenticator::CountFailure(absl::string_view peer) {
  return failures_.Take(HostOf(peer), SteadyNow());
}

}  // namespace trainyard
