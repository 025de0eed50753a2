// AddAdmin makes an administrator of a data directory that no server uses: the first one of a new
// server, or one for who lost all tokens.
//
// Thread-safety: one call at a time; it holds the directory's lock.
#ifndef TRAINYARD_SERVER_ADD_ADMIN_H_
#define TRAINYARD_SERVER_ADD_ADMIN_H_

#include <string>

#include "absl/status/statusor.h"
#include "server/options.h"

namespace trainyard {

// A new token of the user options.admin_id, which is made when it is not there, with the role
// ADMIN. It is audited. Errors: FAILED_PRECONDITION (a server has the directory; the user is no
// ADMIN, or disabled), INVALID_ARGUMENT (the id), RESOURCE_EXHAUSTED (tokens of the user).
absl::StatusOr<std::string> AddAdmin(const ServerOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_ADD_ADMIN_H_
