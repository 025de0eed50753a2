// Signatures of documents: Ed25519 (RFC 8032) by libsodium, with SHA-256 and HMAC-SHA256, which the
// same documents need. Here and not in server/base because the client checks receipts with it.
//
//   const SigningKey key = SigningKey::Generate();
//   const std::string signature = key.Sign(bytes);                       // 128 hex digits
//   VerifySignature(bytes, signature, key.public_key());                 // true
//
// Thread-safety: pure functions and constant objects.
#ifndef TRAINYARD_SERVER_WIRE_SIGNATURE_H_
#define TRAINYARD_SERVER_WIRE_SIGNATURE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

inline constexpr size_t kSeedBytes = 32;

// The secret half of a key. Its bytes are wiped when it goes.
class SigningKey {
 public:
  // A new one, from the system's entropy.
  static SigningKey Generate();
  // The key that `seed` stands for. INVALID_ARGUMENT unless it has kSeedBytes bytes.
  static absl::StatusOr<SigningKey> FromSeed(absl::string_view seed);
  SigningKey(SigningKey&&) noexcept;
  ~SigningKey();

  // kSeedBytes bytes, to be stored and given to FromSeed. A copy that the caller has to keep
  // secret.
  std::string seed() const;
  // 64 lower-case hex digits.
  const std::string& public_key() const { return public_key_; }
  // KeyId(public_key()).
  const std::string& key_id() const { return key_id_; }
  // 128 lower-case hex digits; the same bytes always have the same signature.
  std::string Sign(absl::string_view bytes) const;

 private:
  struct Secret;
  SigningKey(std::unique_ptr<Secret> secret, std::string public_key);

  std::unique_ptr<Secret> secret_;
  std::string public_key_;
  std::string key_id_;
};

// The first 16 hex digits of the SHA-256 of the key's bytes. REQUIRES: IsPublicKey(public_key).
std::string KeyId(absl::string_view public_key);
// 64 hex digits.
bool IsPublicKey(absl::string_view text);
// Whether `signature` (hex) is one of `bytes` by the owner of `public_key` (hex). False for what is
// malformed.
bool VerifySignature(absl::string_view bytes, absl::string_view signature,
                     absl::string_view public_key);

// 64 lower-case hex digits.
std::string Sha256Hex(absl::string_view bytes);
std::string HmacSha256Hex(absl::string_view key, absl::string_view bytes);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_SIGNATURE_H_
