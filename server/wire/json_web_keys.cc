#include "server/wire/json_web_keys.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/wire/canonical_json.h"
#include "server/wire/jwt.h"
#include "server/wire/signature.h"

namespace trainyard {
namespace {

absl::Status Fault(ErrorReason reason, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, what,
                   {.reason = reason,
                    .hint = "look whether this is a JSON Web Key Set (RFC 7517)",
                    .in_force = absl::StrCat("at most ", kJsonWebKeysMax, " keys and ",
                                             kJsonWebKeysBytesMax, " bytes")});
}

const std::string* TextOf(const Json::Object& key, const char* name) {
  const auto found = key.find(name);
  return found == key.end() ? nullptr : found->second.text();
}

// Whether the member is `value` or not there.
bool IsOrLacks(const Json::Object& key, const char* name, absl::string_view value) {
  if (!key.contains(name)) return true;
  const std::string* const text = TextOf(key, name);
  return text != nullptr && *text == value;
}

std::optional<std::string> NumberOf(const Json::Object& key, const char* name) {
  const std::string* const text = TextOf(key, name);
  return text == nullptr ? std::nullopt : ParseBase64Url(*text);
}

// nullopt: RS256 cannot be verified with it.
std::optional<RsaPublicKey> KeyOf(const Json::Object& key) {
  const std::string* const type = TextOf(key, "kty");
  const bool fits = type != nullptr && *type == "RSA" && IsOrLacks(key, "use", "sig") &&
                    IsOrLacks(key, "alg", "RS256");
  const std::optional<std::string> modulus = NumberOf(key, "n");
  const std::optional<std::string> exponent = NumberOf(key, "e");
  if (!fits || !modulus.has_value() || !exponent.has_value()) return std::nullopt;
  absl::StatusOr<RsaPublicKey> made = RsaPublicKey::FromNumbers(*modulus, *exponent);
  if (!made.ok()) return std::nullopt;
  return *std::move(made);
}

absl::Status AddKey(const Json& json, JsonWebKeys* keys) {
  const Json::Object* const members = json.object();
  if (members == nullptr) return Fault(ErrorReason::kInvalidRequest, "a key is no JSON object");
  const std::string* const id = TextOf(*members, "kid");
  std::optional<RsaPublicKey> key = KeyOf(*members);
  const bool named = id != nullptr && !id->empty() && id->size() <= kKeyIdBytesMax;
  if (!named || !key.has_value()) return absl::OkStatus();
  if (keys->emplace(*id, *std::move(key)).second) return absl::OkStatus();
  return Fault(ErrorReason::kInvalidRequest, "two keys have the same kid");
}

Json::Object RequiredMembers(const RsaPublicKey& key) {
  Json::Object members;
  members["e"] = Base64Url(key.exponent());
  members["kty"] = "RSA";
  members["n"] = Base64Url(key.modulus());
  return members;
}

}  // namespace

absl::StatusOr<JsonWebKeys> ParseJsonWebKeys(absl::string_view document) {
  if (document.size() > kJsonWebKeysBytesMax) {
    return Fault(ErrorReason::kTooLarge, absl::StrCat("the keys have ", document.size(), " bytes"));
  }
  TY_ASSIGN_OR_RETURN(const Json json,
                      ParseJson(document, {.numbers_as_text = true, .null_is_absent = true}));
  const Json::Object* const set = json.object();
  const auto found = set == nullptr ? Json::Object::const_iterator() : set->find("keys");
  const bool has_keys = set != nullptr && found != set->end() && found->second.array() != nullptr;
  if (!has_keys) return Fault(ErrorReason::kInvalidRequest, "the document has no array \"keys\"");
  const Json::Array& array = *found->second.array();
  if (array.size() > kJsonWebKeysMax) {
    return Fault(ErrorReason::kTooLarge, absl::StrCat("the document has ", array.size(), " keys"));
  }
  JsonWebKeys keys;
  for (const Json& key : array) TY_RETURN_IF_ERROR(AddKey(key, &keys));
  return keys;
}

std::string PublicJwk(const RsaPublicKey& key) {
  Json::Object members = RequiredMembers(key);
  members["alg"] = "RS256";
  members["kid"] = JwkThumbprint(key);
  members["use"] = "sig";
  return CanonicalJson(Json(std::move(members)));
}

std::string JwkThumbprint(const RsaPublicKey& key) {
  return Base64Url(absl::HexStringToBytes(Sha256Hex(CanonicalJson(Json(RequiredMembers(key))))));
}

}  // namespace trainyard
