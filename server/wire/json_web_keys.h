// JSON Web Keys (RFC 7517): the public keys that an issuer of tokens publishes, and how we publish
// ours.
//
//   TY_ASSIGN_OR_RETURN(const JsonWebKeys keys, ParseJsonWebKeys(document));
//   const auto key = keys.find(jwt.key_id());
//
// Thread-safety: pure functions. Errors: INVALID_ARGUMENT/INVALID_REQUEST; TOO_LARGE beyond a
// limit.
#ifndef TRAINYARD_SERVER_WIRE_JSON_WEB_KEYS_H_
#define TRAINYARD_SERVER_WIRE_JSON_WEB_KEYS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/wire/rsa_key.h"

namespace trainyard {

// By `kid`.
using JsonWebKeys = std::map<std::string, RsaPublicKey>;

inline constexpr size_t kJsonWebKeysMax = 64;
inline constexpr size_t kJsonWebKeysBytesMax = size_t{256} << 10;

// The keys of a set that RS256 can be verified with: kty RSA, a kid, `use` sig or absent, `alg`
// RS256 or absent, and of a size that RsaPublicKey takes. Others are left out, as the RFC asks. Two
// of one kid are an error, since nobody can tell which is meant.
absl::StatusOr<JsonWebKeys> ParseJsonWebKeys(absl::string_view document);

// {"alg":"RS256","e":…,"kid":JwkThumbprint(key),"kty":"RSA","n":…,"use":"sig"}
std::string PublicJwk(const RsaPublicKey& key);
// RFC 7638, by SHA-256.
std::string JwkThumbprint(const RsaPublicKey& key);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_JSON_WEB_KEYS_H_
