// Access says whether a caller may touch a resource: datasets/…, trainingJobs/… (analyses too) and
// models/… Services ask it before they look anything up, so that a name that does not exist and one
// of somebody else give the same answer.
//
//   TY_RETURN_IF_ERROR(access.CheckRead(principal, request.name()));       // then datasets->Get(…)
//
// An ADMIN may do everything (and is told NOT_FOUND by the stores). Others read and change what
// they own, and read what ReadGrants adds.
//
// Thread-safety: all methods from any thread. Cost: nothing for an ADMIN, one read by a unique
// index for others. Errors: PERMISSION_DENIED/PERMISSION with one text; those of Database.
#ifndef TRAINYARD_SERVER_AUTH_ACCESS_H_
#define TRAINYARD_SERVER_AUTH_ACCESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/auth/principal.h"

namespace trainyard {

class Database;

// What else a caller may read, by what the resource is used for. Asked only about what the caller
// does not own. REQUIRES: thread-safe.
class ReadGrants {
 public:
  virtual ~ReadGrants() = default;
  virtual bool MayRead(const Principal& principal, absl::string_view resource_name) = 0;
};

// The answer to who may not: whether or not there is such a thing.
absl::Status NoPermission(absl::string_view name);

class Access {
 public:
  // `grants` may be null. REQUIRES: both outlive this object.
  explicit Access(Database* database, ReadGrants* grants = nullptr)
      : database_(database), grants_(grants) {}

  absl::Status CheckRead(const Principal& principal, absl::string_view name) const;
  // To change or delete it.
  absl::Status CheckWrite(const Principal& principal, absl::string_view name) const;
  // A name that a spec may leave out.
  absl::Status CheckReadIfNamed(const Principal& principal, absl::string_view name) const;

  // Whose resources a list shows: those of `wanted` (an id, as in a filter; empty: of all that the
  // caller may see). An empty result means everybody's.
  absl::StatusOr<std::string> ListOwner(const Principal& principal, absl::string_view wanted) const;

 private:
  // Whether there is such a resource, and it is the caller's.
  absl::StatusOr<bool> Owns(const Principal& principal, absl::string_view name) const;

  Database* const database_;
  ReadGrants* const grants_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_ACCESS_H_
