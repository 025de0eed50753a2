// Any bytes as a token and as a set of keys: an error that says why, or a token that nobody signed;
// keys that are read are written so that they read back the same.
#include <cstdint>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "server/wire/json_web_keys.h"
#include "server/wire/jwt.h"

namespace {

using namespace trainyard;

void Require(bool condition) {
  if (!condition) std::abort();
}

// A number that is nobody's key: there is no private half.
RsaPublicKey NobodysKey() {
  return *RsaPublicKey::FromNumbers(std::string(256, '\xFF'), std::string("\x01\x00\x01", 3));
}

void FuzzToken(absl::string_view text) {
  const absl::StatusOr<Jwt> jwt = Jwt::Parse(text);
  if (!jwt.ok()) return Require(GetErrorInfo(jwt.status()).has_value());
  Require(text.size() <= kJwtBytesMax && !jwt->key_id().empty());
  Require(!jwt->Verify(NobodysKey()).ok());
}

void FuzzKeys(absl::string_view text) {
  const absl::StatusOr<JsonWebKeys> keys = ParseJsonWebKeys(text);
  if (!keys.ok()) return Require(GetErrorInfo(keys.status()).has_value());
  Require(keys->size() <= kJsonWebKeysMax);
  for (const auto& [id, key] : *keys) {
    const auto again = ParseJsonWebKeys(absl::StrCat("{\"keys\":[", PublicJwk(key), "]}"));
    Require(again.ok() && again->size() == 1);
    Require(again->begin()->second.modulus() == key.modulus());
    Require(!key.Pem().empty() && !key.Verify("text", text));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  FuzzToken(text);
  FuzzKeys(text);
  return 0;
}
