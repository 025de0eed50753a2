// RSA keys for RS256 (RFC 7518, 3.3: RSASSA-PKCS1-v1_5 with SHA-256), by OpenSSL.
//
//   TY_ASSIGN_OR_RETURN(RsaPublicKey key, RsaPublicKey::FromNumbers(modulus, exponent));
//   key.Verify(bytes, signature);                                  // true
//
// Thread-safety: constant objects, copies share the key. Errors: INVALID_ARGUMENT/INVALID_REQUEST.
#ifndef TRAINYARD_SERVER_WIRE_RSA_KEY_H_
#define TRAINYARD_SERVER_WIRE_RSA_KEY_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// OpenSSL's key.
struct RsaKeyHandle;

class RsaPublicKey {
 public:
  // Smaller keys can be factored; greater ones cost whoever verifies too much.
  static constexpr int kBitsMin = 2048;
  static constexpr int kBitsMax = 8192;
  static constexpr size_t kExponentBytesMax = 8;

  // Both big-endian, without leading zeros. The exponent is odd and at least 3.
  static absl::StatusOr<RsaPublicKey> FromNumbers(absl::string_view modulus,
                                                  absl::string_view exponent);

  // Whether `signature` is one of `bytes` by the owner of the key.
  bool Verify(absl::string_view bytes, absl::string_view signature) const;
  const std::string& modulus() const { return modulus_; }
  const std::string& exponent() const { return exponent_; }
  // SubjectPublicKeyInfo.
  std::string Pem() const;

 private:
  friend class RsaPrivateKey;
  RsaPublicKey(std::shared_ptr<const RsaKeyHandle> handle, std::string modulus,
               std::string exponent)
      : handle_(std::move(handle)), modulus_(std::move(modulus)), exponent_(std::move(exponent)) {}

  std::shared_ptr<const RsaKeyHandle> handle_;
  std::string modulus_, exponent_;
};

class RsaPrivateKey {
 public:
  // A new one of kBitsMin bits, from the system's entropy. Takes some tenths of a second.
  static RsaPrivateKey Generate();
  // PKCS #8, without a passphrase.
  static absl::StatusOr<RsaPrivateKey> FromPem(absl::string_view pem);

  // To be stored and given to FromPem. A copy that the caller has to keep secret.
  std::string Pem() const;
  // The same bytes always have the same signature.
  std::string Sign(absl::string_view bytes) const;
  const RsaPublicKey& public_key() const { return public_key_; }

 private:
  RsaPrivateKey(std::shared_ptr<const RsaKeyHandle> handle, RsaPublicKey public_key)
      : handle_(std::move(handle)), public_key_(std::move(public_key)) {}
  static absl::StatusOr<RsaPrivateKey> FromHandle(std::shared_ptr<const RsaKeyHandle> handle);

  std::shared_ptr<const RsaKeyHandle> handle_;
  RsaPublicKey public_key_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_RSA_KEY_H_
