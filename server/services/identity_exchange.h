// IdentityExchange gives a job of GitHub Actions a token of the student in whose enrolment its
// repository is, for the identity token that it shows.
//
//   TY_ASSIGN_OR_RETURN(v1::ExchangeIdentityTokenResponse made, exchange.Exchange(request));
//
// Thread-safety: all methods from any thread; Exchange blocks on disk, and while the issuer's keys
// are fetched.
// Errors: as auth.proto says of the rpc. Whatever is wrong with a token has one text, and the
// reason is in the log.
#ifndef TRAINYARD_SERVER_SERVICES_IDENTITY_EXCHANGE_H_
#define TRAINYARD_SERVER_SERVICES_IDENTITY_EXCHANGE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/auth/identity_provider.h"
#include "server/auth/issuer_keys.h"
#include "server/auth/users.h"
#include "server/grading/course_store.h"
#include "trainyard/v1/auth.pb.h"

namespace trainyard {

class IdentityExchange {
 public:
  // Without an audience no identity token is taken. REQUIRES: `users` and `courses` outlive it.
  IdentityExchange(const IdentityProvider::Options& options, Users* users,
                   const CourseStore* courses);

  absl::StatusOr<v1::ExchangeIdentityTokenResponse> Exchange(
      const v1::ExchangeIdentityTokenRequest& request);

 private:
  // The student of the course (an id) whose repository it is; UNAUTHENTICATED: nobody's.
  absl::StatusOr<std::string> FindStudent(const std::string& course, int64_t repository) const;

  const std::string issuer_;
  Users* const users_;
  const CourseStore* const courses_;
  IssuerKeys keys_;
  std::optional<IdentityProvider> provider_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_IDENTITY_EXCHANGE_H_
