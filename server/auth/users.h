// Users knows who may call: users and their tokens. All of them are in memory beside the database,
// so that a call is recognised without a read, and a revocation, a disabling or a new role holds
// for the next call; what is changed is durable before it holds.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Users> users, Users::Open(database));
//   std::optional<Principal> principal = users->Verify(bearer, absl::Now());
//
// Of a token only the SHA-256 of its secret is kept. That needs no slow hash: a secret has 256
// random bits.
//
// Thread-safety: all methods from any thread; those that change something block until durable.
// Errors: with ErrorInfo, as auth.proto says of each rpc. Who may call what is the caller's to
// check.
#ifndef TRAINYARD_SERVER_AUTH_USERS_H_
#define TRAINYARD_SERVER_AUTH_USERS_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/auth/bearer.h"
#include "server/auth/principal.h"
#include "trainyard/v1/auth.pb.h"

namespace trainyard {

class Connection;
class Database;

class Users {
 public:
  // In memory, about 300 bytes each.
  static constexpr size_t kUsersMax = 20'000;
  // That are not expired, and that the user made.
  static constexpr size_t kTokensPerUserMax = 20;
  // That are not expired, and were made for jobs.
  static constexpr size_t kIdentityTokensPerUserMax = 20;
  static constexpr absl::Duration kIdentityLifetime = absl::Hours(1);
  static constexpr absl::Duration kLifetimeMin = absl::Minutes(1);
  static constexpr absl::Duration kLifetimeDefault = absl::Hours(24 * 180);
  static constexpr absl::Duration kLifetimeMax = absl::Hours(24 * 400);

  // Loads all. REQUIRES: `database` outlives this object, and no other process changes its users.
  static absl::StatusOr<std::unique_ptr<Users>> Open(Database* database);

  // Whether there is no user: everyone is "local". Once false, it stays false.
  bool open() const { return open_.load(std::memory_order_acquire); }

  // Whose token it is, with the user's role as of now; nullopt when it is unknown, revoked or
  // expired, or its user disabled.
  std::optional<Principal> Verify(const Bearer& bearer, absl::Time now) const;

  // The answer has a token when this is the first user. `by_local`: the caller was recognised while
  // there was no user; UNAUTHENTICATED when there is one by now.
  absl::StatusOr<v1::CreateUserResponse> Create(const v1::CreateUserRequest& request,
                                                bool by_local);
  absl::StatusOr<v1::User> Get(absl::string_view name) const;
  // Whether there is a user of this id (not name), disabled or not.
  bool Has(absl::string_view id) const;
  absl::StatusOr<v1::ListUsersResponse> List(const v1::ListUsersRequest& request) const;
  absl::StatusOr<v1::User> Update(const v1::UpdateUserRequest& request);

  // For request.user, which must be given.
  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const v1::CreateTokenRequest& request);
  // For a job of `user` (`users/{id}`), scoped to `course` and good for kIdentityLifetime. The
  // user's oldest of the kind is dropped when there are kIdentityTokensPerUserMax. NOT_FOUND;
  // FAILED_PRECONDITION/INVALID_STATE for a user who is disabled, or an ADMIN, who would be one in
  // the course.
  absl::StatusOr<v1::CreateTokenResponse> CreateIdentityToken(
      absl::string_view user, absl::string_view course, const v1::RepositoryIdentity& identity);
  absl::StatusOr<v1::ListTokensResponse> ListTokens(absl::string_view user) const;
  absl::StatusOr<v1::Token> GetToken(absl::string_view name) const;
  absl::Status RevokeToken(absl::string_view name);

 private:
  struct StoredToken {
    std::string digest;  // of the secret
    v1::Token record;
  };

  explicit Users(Database* database) : database_(database) {}
  absl::Status Load();
  absl::Status CheckNew(const v1::CreateUserRequest& request, const std::string& id,
                        bool by_local) const ABSL_SHARED_LOCKS_REQUIRED(write_mutex_);
  absl::Status CheckStaysAdmin(const v1::User& before, const v1::User& after) const;
  // The token that `request` asks for, checked, without being stored.
  absl::StatusOr<v1::Token> MakeToken(const v1::CreateTokenRequest& request, const Bearer& bearer,
                                      absl::Time now) const;
  absl::Status CheckTokenCount(absl::string_view user, absl::Time now) const;
  // Ids of the user's expired tokens, and of the oldest ones for jobs beyond `identity_tokens_max`.
  std::vector<std::string> FindUnwanted(absl::string_view user, size_t identity_tokens_max,
                                        absl::Time now) const;
  // Stores `token` and deletes `unwanted` ones.
  absl::StatusOr<v1::CreateTokenResponse> Issue(const Bearer& bearer, v1::Token token,
                                                const std::vector<std::string>& unwanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  void Remember(const v1::User& user);
  void Remember(const Bearer& bearer, const v1::Token& token);

  Database* const database_;
  std::atomic<bool> open_{true};
  // Held while something is checked and made durable, so that rules over all users hold; calls are
  // recognised meanwhile.
  absl::Mutex write_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, v1::User> users_ ABSL_GUARDED_BY(mutex_);      // by id
  absl::flat_hash_map<std::string, StoredToken> tokens_ ABSL_GUARDED_BY(mutex_);  // by id
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_USERS_H_
