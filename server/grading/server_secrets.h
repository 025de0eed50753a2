// Secrets that the server makes for itself once and keeps: the key of receipts, salts, what seeds and pseudonyms are derived from. They are in the
// database, so that a backup has them; whoever reads the data directory reads them.
//
// Thread-safety: functions over a Database. Errors: those of Database.
#ifndef TRAINYARD_SERVER_GRADING_SERVER_SECRETS_H_
#define TRAINYARD_SERVER_GRADING_SERVER_SECRETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/wire/rsa_key.h"
#include "server/wire/signature.h"

namespace trainyard {

class Connection;
class Database;

// The secret of the name; made of 32 random bytes when there is none.
absl::StatusOr<std::string> FindOrMakeSecret(Database* database, absl::string_view name);
absl::StatusOr<SigningKey> FindOrMakeSigningKey(Database* database);
// The key by which this server proves itself to LTI platforms. Made when it is first asked for,
// which takes some tenths of a second.
absl::StatusOr<RsaPrivateKey> FindOrMakeToolKey(Database* database);

// `count` seeds of an assignment: the same for every student and every version, known to nobody
// before; the first ones stay when there are more. Below 2^48, so that every JSON reader has them.
std::vector<uint64_t> SeedsOf(absl::string_view secret, absl::string_view assignment, int count);
// A name for a student that is the same in an assignment and says nothing elsewhere.
std::string PseudonymOf(absl::string_view secret, absl::string_view assignment,
                        absl::string_view student);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_SERVER_SECRETS_H_
