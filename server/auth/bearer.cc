#include "server/auth/bearer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/ids.h"

namespace trainyard {
namespace {

constexpr absl::string_view kScheme = "bearer ";
constexpr absl::string_view kPrefix = "ty_";
constexpr size_t kIdBytes = 12;
constexpr size_t kSecretBytes = 64;

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool IsIdCharacter(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z'); }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); }

}  // namespace

Bearer NewBearer() { return {.id = NewId(), .secret = NewToken()}; }

std::string BearerText(const Bearer& bearer) {
  return absl::StrCat(kPrefix, bearer.id, "_", bearer.secret);
}

std::optional<Bearer> ParseAuthorization(absl::string_view value) {
  if (!absl::StartsWithIgnoreCase(value, kScheme)) return std::nullopt;
  absl::string_view token = value.substr(kScheme.size());
  while (absl::ConsumePrefix(&token, " ")) continue;
  if (!absl::ConsumePrefix(&token, kPrefix)) return std::nullopt;
  if (token.size() != kIdBytes + 1 + kSecretBytes || token[kIdBytes] != '_') return std::nullopt;
  const absl::string_view id = token.substr(0, kIdBytes);
  const absl::string_view secret = token.substr(kIdBytes + 1);
  if (!std::all_of(id.begin(), id.end(), IsIdCharacter)) return std::nullopt;
  if (!std::all_of(secret.begin(), secret.end(), IsHexDigit)) return std::nullopt;
  return Bearer{std::string(id), std::string(secret)};
}

}  // namespace trainyard
