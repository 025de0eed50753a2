// Requests remembers which request_id made which resource (AIP-155), in the transaction that makes
// it: a create call that is repeated, also after a restart, gives what the first one made.
//
//   db->Write([&](Connection& c) -> absl::Status {
//     TY_ASSIGN_OR_RETURN(std::optional<std::string> made, FindRequest(c, owner, id,
//     "CreateDataset", digest)); if (made.has_value()) return Load(c, *made);
//     ... insert the resource ...
//     return InsertRequest(c, owner, id, "CreateDataset", digest, name);
//   });
//
// An empty request_id stands for "not idempotent": it is never found and never stored.
// Thread-safety: functions of a Connection, inside its body. Errors: the connection's, and what is
// said below.
#ifndef TRAINYARD_SERVER_STORAGE_REQUESTS_H_
#define TRAINYARD_SERVER_STORAGE_REQUESTS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/storage/database.h"

namespace trainyard {

// The name of what the request made; nullopt when it is new. INVALID_ARGUMENT/REQUEST_ID_REUSED
// when the owner used the id with another method or body.
absl::StatusOr<std::optional<std::string>> FindRequest(Connection& connection,
                                                       absl::string_view owner,
                                                       absl::string_view request_id,
                                                       absl::string_view method,
                                                       absl::string_view body_digest);
absl::Status InsertRequest(Connection& connection, absl::string_view owner,
                           absl::string_view request_id, absl::string_view method,
                           absl::string_view body_digest, absl::string_view resource);
// Forgets the requests that made `resource`; to be called where it is deleted.
absl::Status DeleteRequests(Connection& connection, absl::string_view resource);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_REQUESTS_H_
