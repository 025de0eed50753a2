// JSON Web Tokens as this server reads and writes them: a compact JWS (RFC 7515) of claims (RFC
// 7519) signed by RS256, and by nothing else.
//
//   TY_ASSIGN_OR_RETURN(const Jwt jwt, Jwt::Parse(text));
//   ... find the key of jwt.key_id() ...
//   TY_ASSIGN_OR_RETURN(const Json::Object claims, jwt.Verify(key));
//
// What a token claims cannot be had before its signature was verified. Refused as malformed: `alg`
// other than RS256 (`none`, and HS256 with a public key for a secret, are how verifiers were
// fooled), no `kid`, `crit`, `b64`, a key that comes twice, base64url with padding, white space or
// unused bits, and what is longer than kJwtBytesMax. So each token has one spelling.
//
// Thread-safety: pure functions and constant objects. Errors: INVALID_ARGUMENT/INVALID_REQUEST,
// whose message says why and quotes nothing of the token.
#ifndef TRAINYARD_SERVER_WIRE_JWT_H_
#define TRAINYARD_SERVER_WIRE_JWT_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/wire/canonical_json.h"
#include "server/wire/rsa_key.h"

namespace trainyard {

inline constexpr size_t kJwtBytesMax = size_t{16} << 10;
inline constexpr size_t kKeyIdBytesMax = 200;

class Jwt {
 public:
  static absl::StatusOr<Jwt> Parse(absl::string_view text);

  // Which of its issuer's keys signed it, as it says.
  const std::string& key_id() const { return key_id_; }
  // The claims, if the owner of `key` signed them.
  absl::StatusOr<Json::Object> Verify(const RsaPublicKey& key) const;

 private:
  Jwt(std::string key_id, std::string signed_text, std::string payload, std::string signature)
      : key_id_(std::move(key_id)),
        signed_text_(std::move(signed_text)),
        payload_(std::move(payload)),
        signature_(std::move(signature)) {}

  std::string key_id_;
  std::string signed_text_;  // header and payload as they stand
  std::string payload_, signature_;
};

// A token of `claims`. REQUIRES: `key_id` is how others know the public half of `key`.
std::string SignJwt(Json::Object claims, const std::string& key_id, const RsaPrivateKey& key);

// RFC 4648, section 5, without padding.
std::string Base64Url(absl::string_view bytes);
// nullopt unless `text` is what Base64Url gives.
std::optional<std::string> ParseBase64Url(absl::string_view text);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_JWT_H_
