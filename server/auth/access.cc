#include "server/auth/access.h"

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/storage/database.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

// Enough of a wrong name to recognise it by, whatever its length.
constexpr size_t kShownBytesMax = 100;

struct Collection {
  absl::string_view name;
  absl::string_view owner_query;
};

constexpr Collection kOwnedCollections[] = {{kDatasets, "SELECT owner FROM datasets WHERE id = ?"},
                                            {kTrainingJobs, "SELECT owner FROM jobs WHERE id = ?"},
                                            {kModels, "SELECT owner FROM models WHERE id = ?"}};

}  // namespace

absl::Status NoPermission(absl::string_view name) {
  return MakeError(
      absl::StatusCode::kPermissionDenied,
      absl::StrCat("\"", name.substr(0, kShownBytesMax), "\" is not yours, or does not exist"),
      {.reason = ErrorReason::kPermission,
       .hint = "look at the name, or ask its owner or an administrator"});
}

absl::Status Access::CheckRead(const Principal& principal, absl::string_view name) const {
  if (principal.admin()) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const bool owns, Owns(principal, name));
  if (owns) return absl::OkStatus();
  if (grants_ != nullptr && grants_->MayRead(principal, name)) return absl::OkStatus();
  return NoPermission(name);
}

absl::Status Access::CheckWrite(const Principal& principal, absl::string_view name) const {
  if (principal.admin()) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const bool owns, Owns(principal, name));
  return owns ? absl::OkStatus() : NoPermission(name);
}

absl::Status Access::CheckReadIfNamed(const Principal& principal, absl::string_view name) const {
  return name.empty() ? absl::OkStatus() : CheckRead(principal, name);
}

absl::StatusOr<std::string> Access::ListOwner(const Principal& principal,
                                              absl::string_view wanted) const {
  if (principal.admin() || wanted == principal.owner) return std::string(wanted);
  if (wanted.empty()) return principal.owner;
  return MakeError(
      absl::StatusCode::kPermissionDenied,
      absl::StrCat("what \"", wanted.substr(0, kShownBytesMax), "\" owns is not yours"),
      {.reason = ErrorReason::kPermission, .hint = "leave the owner out to see what is yours"});
}

absl::StatusOr<bool> Access::Owns(const Principal& principal, absl::string_view name) const {
  for (const Collection& collection : kOwnedCollections) {
    const absl::StatusOr<std::string> id = ParseName(collection.name, name);
    if (!id.ok()) continue;
    bool owns = false;
    const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
      TY_ASSIGN_OR_RETURN(Statement query, connection.Prepare(collection.owner_query));
      TY_ASSIGN_OR_RETURN(const bool found, query.Bind(*id).Step());
      owns = found && query.Text(0) == principal.owner;
      return absl::OkStatus();
    });
    TY_RETURN_IF_ERROR(read);
    return owns;
  }
  return false;
}

}  // namespace trainyard
