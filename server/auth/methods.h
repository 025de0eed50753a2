// What each rpc of the contract does, and who may call it: the one table that the funnel looks at
// (call_scope.h). A method that is not in it is taken for one that changes something;
// tests/server/services/isolation_test checks that none is missing.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_AUTH_METHODS_H_
#define TRAINYARD_SERVER_AUTH_METHODS_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/auth/principal.h"

namespace trainyard {

enum class MethodKind {
  kRead,        // every user
  kWrite,       // every user but VIEWER
  kTokenWrite,  // every user, but not with a token that is worth less than its user
  kAdminRead,   // ADMIN
  kAdminWrite,  // ADMIN, but not with a token that is worth less than its user
  kPublic,      // everybody, without authorization; it changes something
};

// `method` as in "/trainyard.v1.JobService/GetTrainingJob". nullopt: not in the table.
std::optional<MethodKind> FindMethod(absl::string_view method);
// The same, kWrite for one that is not in the table.
MethodKind MethodKindOf(absl::string_view method);
// Whether calls change something: they are audited, and refused to a read_only token.
bool IsWrite(MethodKind kind);
// OK, or PERMISSION_DENIED/PERMISSION: the role, or the token, does not allow such calls at all.
absl::Status CheckMethod(MethodKind kind, const Principal& principal);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_METHODS_H_
