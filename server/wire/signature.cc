#include "server/wire/signature.h"

#include <sodium.h>

#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

static_assert(kSeedBytes == crypto_sign_SEEDBYTES, "the seed of Ed25519");

const unsigned char* Data(absl::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

template <size_t kSize>
std::string Hex(const std::array<unsigned char, kSize>& bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

// The bytes of exactly `size` * 2 hex digits.
std::optional<std::string> FromHex(absl::string_view hex, size_t size) {
  const bool shaped = hex.size() == 2 * size &&
                      hex.find_first_not_of("0123456789abcdefABCDEF") == absl::string_view::npos;
  if (!shaped) return std::nullopt;
  return absl::HexStringToBytes(hex);
}

// May be called any number of times; the first one chooses implementations and opens the entropy.
void StartSodium() { TY_CHECK(sodium_init() >= 0); }

}  // namespace

struct SigningKey::Secret {
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> bytes = {};
  ~Secret() { sodium_memzero(bytes.data(), bytes.size()); }
};

SigningKey::SigningKey(std::unique_ptr<Secret> secret, std::string public_key)
    : secret_(std::move(secret)), public_key_(std::move(public_key)), key_id_(KeyId(public_key_)) {}

SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::Generate() {
  StartSodium();
  auto secret = std::make_unique<Secret>();
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> public_key = {};
  TY_CHECK(crypto_sign_keypair(public_key.data(), secret->bytes.data()) == 0);
  return SigningKey(std::move(secret), Hex(public_key));
}

absl::StatusOr<SigningKey> SigningKey::FromSeed(absl::string_view seed) {
  if (seed.size() != kSeedBytes) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("the seed of a signing key has ", seed.size(), " bytes"),
                     {.reason = ErrorReason::kInvalidRequest,
                      .hint = absl::StrCat("give the ", kSeedBytes, " bytes that were stored")});
  }
  StartSodium();
  auto secret = std::make_unique<Secret>();
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> public_key = {};
  TY_CHECK(crypto_sign_seed_keypair(public_key.data(), secret->bytes.data(), Data(seed)) == 0);
  return SigningKey(std::move(secret), Hex(public_key));
}

std::string SigningKey::seed() const {
  std::string seed(kSeedBytes, '\0');
  auto* const bytes = reinterpret_cast<unsigned char*>(seed.data());
  TY_CHECK(crypto_sign_ed25519_sk_to_seed(bytes, secret_->bytes.data()) == 0);
  return seed;
}

std::string SigningKey::Sign(absl::string_view bytes) const {
  std::array<unsigned char, crypto_sign_BYTES> signature = {};
  TY_CHECK(crypto_sign_detached(signature.data(), nullptr, Data(bytes), bytes.size(),
                                secret_->bytes.data()) == 0);
  return Hex(signature);
}

std::string KeyId(absl::string_view public_key) {
  const std::optional<std::string> bytes = FromHex(public_key, crypto_sign_PUBLICKEYBYTES);
  TY_CHECK(bytes.has_value());
  return Sha256Hex(*bytes).substr(0, 16);
}

bool IsPublicKey(absl::string_view text) {
  return FromHex(text, crypto_sign_PUBLICKEYBYTES).has_value();
}

bool VerifySignature(absl::string_view bytes, absl::string_view signature,
                     absl::string_view public_key) {
  StartSodium();
  const std::optional<std::string> signed_by = FromHex(public_key, crypto_sign_PUBLICKEYBYTES);
  const std::optional<std::string> raw = FromHex(signature, crypto_sign_BYTES);
  if (!signed_by.has_value() || !raw.has_value()) return false;
  return crypto_sign_verify_detached(Data(*raw), Data(bytes), bytes.size(), Data(*signed_by)) == 0;
}

std::string Sha256Hex(absl::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest = {};
  TY_CHECK(crypto_hash_sha256(digest.data(), Data(bytes), bytes.size()) == 0);
  return Hex(digest);
}

std::string HmacSha256Hex(absl::string_view key, absl::string_view bytes) {
  StartSodium();
  crypto_auth_hmacsha256_state state;
  TY_CHECK(crypto_auth_hmacsha256_init(&state, Data(key), key.size()) == 0);
  TY_CHECK(crypto_auth_hmacsha256_update(&state, Data(bytes), bytes.size()) == 0);
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> code = {};
  TY_CHECK(crypto_auth_hmacsha256_final(&state, code.data()) == 0);
  sodium_memzero(&state, sizeof state);
  return Hex(code);
}

}  // namespace trainyard
