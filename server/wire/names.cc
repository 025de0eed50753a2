#include "server/wire/names.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

constexpr size_t kIdBytesMax = 63;
// Enough of a wrong name to recognise it by, whatever its length.
constexpr size_t kShownBytesMax = 100;

bool IsIdCharacter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

absl::string_view ListCommand(absl::string_view name) {
  if (absl::StartsWith(name, kDatasets)) return "trainyard dataset list";
  if (absl::StartsWith(name, kModels)) return "trainyard model list";
  if (absl::StartsWith(name, kUsers)) return "trainyard user list";
  if (absl::StartsWith(name, kTokens)) return "trainyard token list";
  return "trainyard job list";
}

}  // namespace

absl::StatusOr<std::string> ParseName(absl::string_view collection, absl::string_view name) {
  absl::string_view id = name;
  const bool valid = absl::ConsumePrefix(&id, collection) && absl::ConsumePrefix(&id, "/") &&
                     !id.empty() && id.size() <= kIdBytesMax &&
                     std::all_of(id.begin(), id.end(), IsIdCharacter);
  if (valid) return std::string(id);
  return MakeViolationsError(ErrorReason::kInvalidRequest,
                             {{"name", absl::StrCat("\"", name.substr(0, kShownBytesMax),
                                                    "\" is no resource name; expected ", collection,
                                                    "/{id} with an id of 1 to ", kIdBytesMax,
                                                    " characters of a-z, 0-9 and -")}});
}

std::string MakeName(absl::string_view collection, absl::string_view id) {
  return absl::StrCat(collection, "/", id);
}

absl::Status NotFound(absl::string_view name) {
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat(name, " does not exist, or was deleted"),
                   {.reason = ErrorReason::kNotFound,
                    .hint = absl::StrCat("`", ListCommand(name), "` shows what there is"),
                    .metadata = {{"resource", std::string(name)}}});
}

}  // namespace trainyard
