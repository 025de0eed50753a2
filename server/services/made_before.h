// The first half of idempotent calls whose second half is written elsewhere: what a request made
// before (storage/requests.h).
//
//   const MadeRequest made = MadeRequest::Of(principal.owner, "CreateCourse", request);
//   TY_ASSIGN_OR_RETURN(const std::optional<std::string> before, made.Find(database));
//   if (before.has_value()) return Get(*before);
//   ...                                                 // and in the transaction that makes it:
//   TY_RETURN_IF_ERROR(made.Remember(connection, name));
//
// Thread-safety: a value; its methods as their Database and Connection.
#ifndef TRAINYARD_SERVER_SERVICES_MADE_BEFORE_H_
#define TRAINYARD_SERVER_SERVICES_MADE_BEFORE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/storage/database.h"
#include "server/storage/requests.h"
#include "server/wire/convert.h"

namespace trainyard {

// One create call of somebody, by its request_id and what else it says.
struct MadeRequest {
  std::string owner, request_id, method, digest;

  template <typename Request>
  static MadeRequest Of(const std::string& owner, const char* method, Request request) {
    MadeRequest made{.owner = owner, .request_id = request.request_id(), .method = method};
    request.clear_request_id();
    made.digest = MessageDigest(request);
    return made;
  }

  // The name of what it made; nullopt: it is new. INVALID_ARGUMENT/REQUEST_ID_REUSED.
  absl::StatusOr<std::optional<std::string>> Find(Database* database) const {
    std::optional<std::string> before;
    if (request_id.empty()) return before;
    const absl::Status read = database->Read([&](Connection& connection) -> absl::Status {
      TY_ASSIGN_OR_RETURN(before, FindRequest(connection, owner, request_id, method, digest));
      return absl::OkStatus();
    });
    TY_RETURN_IF_ERROR(read);
    return before;
  }

  // In the transaction that makes `resource`. UNAVAILABLE when the same request has just made one
  // in another transaction, which asking again gives.
  absl::Status Remember(Connection& connection, const std::string& resource) const {
    TY_ASSIGN_OR_RETURN(const std::optional<std::string> before,
                        FindRequest(connection, owner, request_id, method, digest));
    if (before.has_value()) {
      return MakeError(absl::StatusCode::kUnavailable, "the same request is under way",
                       {.reason = ErrorReason::kRequestIdReused,
                        .hint = "ask again, with the same request_id",
                        .metadata = {{"retry_after_seconds", "1"}}});
    }
    return InsertRequest(connection, owner, request_id, method, digest, resource);
  }
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_MADE_BEFORE_H_
