// Principal is who calls, as the funnel recognised it (authenticator.h). Services get one with
// every call, and act for nobody else.
//
// Thread-safety: a value.
#ifndef TRAINYARD_SERVER_AUTH_PRINCIPAL_H_
#define TRAINYARD_SERVER_AUTH_PRINCIPAL_H_

#include <optional>
#include <string>

#include "trainyard/v1/auth.pb.h"

namespace trainyard {

// While there is no user, whoever reaches the port is this one, with the role ADMIN. No user can
// have this id.
inline constexpr char kLocalOwner[] = "local";

struct Principal {
  std::string owner;  // id of the user; owner of what the call makes
  v1::UserRole role = v1::USER_ROLE_UNSPECIFIED;
  // `courses/{id}`: services of courses refuse the call for any other. Empty: all courses.
  std::string course;
  bool read_only = false;  // the funnel has refused what changes something
  std::string token_id;    // empty while there is no user
  // Whose job the token was made for (AuthService.ExchangeIdentityToken).
  std::optional<v1::RepositoryIdentity> identity;

  bool admin() const { return role == v1::USER_ROLE_ADMIN; }
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_PRINCIPAL_H_
