// The form of a token on the wire: `authorization: Bearer ty_{id}_{secret}`.
//
//   id      12 characters of [a-z0-9], the id of `tokens/{id}`; no secret
//   secret  64 lower-case hex digits, 256 random bits
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_AUTH_BEARER_H_
#define TRAINYARD_SERVER_AUTH_BEARER_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace trainyard {

struct Bearer {
  std::string id;
  std::string secret;
};

// A new one, from the system's entropy.
Bearer NewBearer();
// "ty_{id}_{secret}".
std::string BearerText(const Bearer& bearer);
// The token in the value of an authorization header; nullopt when it has not exactly this form. The
// scheme is "Bearer" in any case, one or more spaces follow it (RFC 7235).
std::optional<Bearer> ParseAuthorization(absl::string_view value);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_BEARER_H_
