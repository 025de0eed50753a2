#include "server/storage/requests.h"

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {

absl::StatusOr<std::optional<std::string>> FindRequest(Connection& connection,
                                                       absl::string_view owner,
                                                       absl::string_view request_id,
                                                       absl::string_view method,
                                                       absl::string_view body_digest) {
  if (request_id.empty()) return std::nullopt;
  TY_ASSIGN_OR_RETURN(Statement find,
                      connection.Prepare("SELECT method, body_digest, resource FROM requests "
                                         "WHERE owner = ? AND request_id = ?"));
  TY_ASSIGN_OR_RETURN(const bool found, find.Bind(owner).Bind(request_id).Step());
  if (!found) return std::nullopt;
  if (find.Text(0) == method && find.Text(1) == body_digest) return find.Text(2);
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("request_id \"", request_id, "\" was used before for ", find.Text(2),
                   find.Text(0) == method ? " with another body"
                                          : absl::StrCat(" by another method, ", find.Text(0))),
      {.reason = ErrorReason::kRequestIdReused,
       .hint = "use a new UUID for a new request, and the same one only to repeat it unchanged",
       .violations = {{"request_id", "was used before with another request"}},
       .metadata = {{"resource", find.Text(2)}}});
}

absl::Status InsertRequest(Connection& connection, absl::string_view owner,
                           absl::string_view request_id, absl::string_view method,
                           absl::string_view body_digest, absl::string_view resource) {
  if (request_id.empty()) return absl::OkStatus();
  return connection.Run(
      "INSERT INTO requests (owner, request_id, method, body_digest, resource) "
      "VALUES (?, ?, ?, ?, ?)",
      owner, request_id, method, body_digest, resource);
}

absl::Status DeleteRequests(Connection& connection, absl::string_view resource) {
  return connection.Run("DELETE FROM requests WHERE resource = ?", resource);
}

}  // namespace trainyard
