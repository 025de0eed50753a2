#include "server/wire/jwt.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr absl::string_view kAlgorithm = "RS256";

absl::Status Malformed(absl::string_view what) {
  return MakeError(
      absl::StatusCode::kInvalidArgument, absl::StrCat("the token ", what),
      {.reason = ErrorReason::kInvalidRequest,
       .hint = "give a JSON Web Token as its issuer made it",
       .in_force = absl::StrCat("signed by ", kAlgorithm, ", at most ", kJwtBytesMax, " bytes")});
}

// The object that `bytes` are. JSON's own error would quote the token.
absl::StatusOr<Json::Object> ParseObject(const std::string& bytes, absl::string_view part) {
  const absl::StatusOr<Json> json =
      ParseJson(bytes, {.numbers_as_text = true, .null_is_absent = true});
  const Json::Object* const object = json.ok() ? json->object() : nullptr;
  if (object == nullptr) return Malformed(absl::StrCat("has a ", part, " that is no JSON object"));
  return *object;
}

// The key's id in a header that asks for nothing but what is done here.
absl::StatusOr<std::string> CheckHeader(const Json::Object& header) {
  const auto text = [&](const char* name) {
    const auto found = header.find(name);
    return found == header.end() ? nullptr : found->second.text();
  };
  const std::string* const algorithm = text("alg");
  if (algorithm == nullptr || *algorithm != kAlgorithm) return Malformed("has another alg");
  if (header.contains("crit") || header.contains("b64")) return Malformed("has an extension");
  const std::string* const key_id = text("kid");
  const bool named = key_id != nullptr && !key_id->empty() && key_id->size() <= kKeyIdBytesMax;
  if (!named) return Malformed("has no kid");
  return *key_id;
}

}  // namespace

absl::StatusOr<Jwt> Jwt::Parse(absl::string_view text) {
  if (text.size() > kJwtBytesMax) return Malformed(absl::StrCat("has ", text.size(), " bytes"));
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() != 3) return Malformed("has not three parts");
  const std::optional<std::string> header = ParseBase64Url(parts[0]);
  std::optional<std::string> payload = ParseBase64Url(parts[1]);
  std::optional<std::string> signature = ParseBase64Url(parts[2]);
  const bool decoded = header.has_value() && payload.has_value() && signature.has_value();
  if (!decoded) return Malformed("is not in base64url");
  TY_ASSIGN_OR_RETURN(const Json::Object members, ParseObject(*header, "header"));
  TY_ASSIGN_OR_RETURN(std::string key_id, CheckHeader(members));
  return Jwt(std::move(key_id), absl::StrCat(parts[0], ".", parts[1]), *std::move(payload),
             *std::move(signature));
}

absl::StatusOr<Json::Object> Jwt::Verify(const RsaPublicKey& key) const {
  if (!key.Verify(signed_text_, signature_)) return Malformed("has not the key's signature");
  return ParseObject(payload_, "payload");
}

std::string SignJwt(Json::Object claims, const std::string& key_id, const RsaPrivateKey& key) {
  Json::Object header;
  header["alg"] = std::string(kAlgorithm);
  header["kid"] = key_id;
  header["typ"] = "JWT";
  const std::string text = absl::StrCat(Base64Url(CanonicalJson(Json(std::move(header)))), ".",
                                        Base64Url(CanonicalJson(Json(std::move(claims)))));
  return absl::StrCat(text, ".", Base64Url(key.Sign(text)));
}

std::string Base64Url(absl::string_view bytes) { return absl::WebSafeBase64Escape(bytes); }

std::optional<std::string> ParseBase64Url(absl::string_view text) {
  std::string bytes;
  // Abseil takes padding, white space and unused bits, too.
  if (!absl::WebSafeBase64Unescape(text, &bytes) || Base64Url(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace trainyard
