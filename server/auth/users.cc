#include "server/auth/users.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/auth/secret.h"
#include "server/base/ids.h"
#include "server/storage/database.h"
#include "server/storage/paging.h"
#include "server/storage/records.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using Violations = std::vector<FieldViolation>;

constexpr absl::string_view kCourseCollection = "courses";

Timestamp ToProto(absl::Time time) {
  return TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(time));
}

absl::Time FromProto(const Timestamp& time) {
  return absl::FromUnixNanos(TimeUtil::TimestampToNanoseconds(time));
}

bool IsExpired(const v1::Token& token, absl::Time now) {
  return now >= FromProto(token.expire_time());
}

// Whether tokens of the user may be made for jobs: an ADMIN is an instructor in every course, and
// whoever changes a repository writes its jobs.
bool MayHaveJobs(const v1::User& user) {
  return !user.disabled() && user.role() != v1::USER_ROLE_ADMIN;
}

bool IsActiveAdmin(const v1::User& user) {
  return user.role() == v1::USER_ROLE_ADMIN && !user.disabled();
}

absl::Status InvalidState(absl::StatusCode code, absl::string_view what, absl::string_view hint) {
  return MakeError(code, what, {.reason = ErrorReason::kInvalidState, .hint = std::string(hint)});
}

absl::Status Faults(Violations violations) {
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

void CheckDisplayName(absl::string_view field, const std::string& name, Violations* violations) {
  if (static_cast<int64_t>(name.size()) <= limits::kDisplayNameBytesMax) return;
  violations->push_back(
      {std::string(field), absl::StrCat("has ", name.size(), " bytes; shorten it to at most ",
                                        limits::kDisplayNameBytesMax)});
}

void CheckRole(v1::UserRole role, Violations* violations) {
  if (v1::UserRole_IsValid(role) && role != v1::USER_ROLE_UNSPECIFIED) return;
  violations->push_back(
      {"user.role", absl::StrCat("is ", static_cast<int>(role),
                                 "; give ADMIN, INSTRUCTOR, GRADER, STUDENT or VIEWER")});
}

void CheckUserId(const std::string& id, Violations* violations) {
  const bool valid = ParseName(kUsers, MakeName(kUsers, id)).ok() && !absl::StartsWith(id, "-") &&
                     id != kLocalOwner;
  if (valid) return;
  violations->push_back(
      {"user_id", absl::StrCat("\"", id.substr(0, 100),
                               "\" is no id of a user; give 1 to 63 characters of a-z, 0-9 and -, "
                               "the first no hyphen, and not \"",
                               kLocalOwner, "\"")});
}

absl::StatusOr<absl::Duration> LifetimeOf(const v1::CreateTokenRequest& request,
                                          Violations* violations) {
  if (!request.has_lifetime()) return Users::kLifetimeDefault;
  const absl::Duration lifetime =
      absl::Seconds(request.lifetime().seconds()) + absl::Nanoseconds(request.lifetime().nanos());
  if (lifetime >= Users::kLifetimeMin && lifetime <= Users::kLifetimeMax) return lifetime;
  violations->push_back({"lifetime", absl::StrCat("is ", absl::FormatDuration(lifetime), "; give ",
                                                  absl::FormatDuration(Users::kLifetimeMin), " to ",
                                                  absl::FormatDuration(Users::kLifetimeMax))});
  return lifetime;
}

// Copies what the mask names from `from`.
void Apply(const v1::UpdateUserRequest& request, v1::User* user, Violations* violations) {
  if (request.update_mask().paths().empty()) {
    violations->push_back({"update_mask", "is empty; name role, disabled or display_name"});
  }
  for (const std::string& path : request.update_mask().paths()) {
    if (path == "role") {
      CheckRole(request.user().role(), violations);
      user->set_role(request.user().role());
    } else if (path == "disabled") {
      user->set_disabled(request.user().disabled());
    } else if (path == "display_name") {
      CheckDisplayName("user.display_name", request.user().display_name(), violations);
      user->set_display_name(request.user().display_name());
    } else {
      violations->push_back(
          {"update_mask", absl::StrCat("\"", path.substr(0, 100),
                                       "\" cannot be changed; name role, disabled or "
                                       "display_name")});
    }
  }
}

absl::Status InsertUser(Connection& connection, const std::string& id, const v1::User& user) {
  TY_ASSIGN_OR_RETURN(Statement insert,
                      connection.Prepare("INSERT INTO users (id, record) VALUES (?, ?)"));
  return insert.Bind(id).BindBlob(user.SerializeAsString()).Step().status();
}

absl::Status InsertToken(Connection& connection, const Bearer& bearer, absl::string_view user,
                         const v1::Token& token) {
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare(
          "INSERT INTO tokens (id, user, secret_digest, record) VALUES (?, ?, ?, ?)"));
  insert.Bind(bearer.id).Bind(user).Bind(Sha256Digest(bearer.secret));
  return insert.BindBlob(token.SerializeAsString()).Step().status();
}

absl::Status DeleteToken(Connection& connection, const std::string& id) {
  return connection.Run("DELETE FROM tokens WHERE id = ?", id);
}

v1::User NewUser(const v1::CreateUserRequest& request, absl::Time now) {
  v1::User user = request.user();
  user.set_name(MakeName(kUsers, request.user_id()));
  *user.mutable_create_time() = ToProto(now);
  return user;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Users>> Users::Open(Database* database) {
  auto users = std::unique_ptr<Users>(new Users(database));
  TY_RETURN_IF_ERROR(users->Load());
  return users;
}

absl::Status Users::Load() {
  absl::MutexLock lock(&mutex_);
  const auto load = [this](Connection& connection)
                        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
    TY_ASSIGN_OR_RETURN(Statement users, connection.Prepare("SELECT id, record FROM users"));
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool more, users.Step());
      if (!more) break;
      TY_RETURN_IF_ERROR(ParseRecord(users.Text(1), kUsers, &users_[users.Text(0)]));
    }
    TY_ASSIGN_OR_RETURN(Statement tokens,
                        connection.Prepare("SELECT id, secret_digest, record FROM tokens"));
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool more, tokens.Step());
      if (!more) return absl::OkStatus();
      StoredToken& token = tokens_[tokens.Text(0)];
      token.digest = tokens.Text(1);
      TY_RETURN_IF_ERROR(ParseRecord(tokens.Text(2), kTokens, &token.record));
    }
  };
  TY_RETURN_IF_ERROR(database_->Read(load));
  open_.store(users_.empty(), std::memory_order_release);
  return absl::OkStatus();
}

std::optional<Principal> Users::Verify(const Bearer& bearer, absl::Time now) const {
  const std::string digest = Sha256Digest(bearer.secret);
  absl::ReaderMutexLock lock(&mutex_);
  const auto token = tokens_.find(bearer.id);
  if (token == tokens_.end()) return std::nullopt;
  const v1::Token& record = token->second.record;
  if (!SameSecret(digest, token->second.digest) || IsExpired(record, now)) return std::nullopt;
  const absl::StatusOr<std::string> owner = ParseName(kUsers, record.user());
  const auto user = owner.ok() ? users_.find(*owner) : users_.end();
  if (user == users_.end() || user->second.disabled()) return std::nullopt;
  if (record.has_identity() && !MayHaveJobs(user->second)) return std::nullopt;
  Principal principal{.owner = *owner,
                      .role = user->second.role(),
                      .course = record.course(),
                      .read_only = record.read_only(),
                      .token_id = bearer.id};
  if (record.has_identity()) principal.identity = record.identity();
  return principal;
}

absl::Status Users::CheckNew(const v1::CreateUserRequest& request, const std::string& id,
                             bool by_local) const {
  if (by_local && !open()) {
    return MakeError(absl::StatusCode::kUnauthenticated, "there is a first user by now",
                     {.reason = ErrorReason::kUnauthenticated, .hint = "call with a token"});
  }
  Violations violations;
  CheckUserId(id, &violations);
  CheckRole(request.user().role(), &violations);
  CheckDisplayName("user.display_name", request.user().display_name(), &violations);
  TY_RETURN_IF_ERROR(Faults(std::move(violations)));
  if (open() && !IsActiveAdmin(request.user())) {
    return InvalidState(absl::StatusCode::kFailedPrecondition,
                        "the first user must be an ADMIN who is not disabled",
                        "nobody could make other users; make an administrator first");
  }
  absl::ReaderMutexLock lock(&mutex_);
  if (users_.contains(id)) {
    return InvalidState(absl::StatusCode::kAlreadyExists,
                        absl::StrCat(MakeName(kUsers, id), " exists already"),
                        "choose another id, or change this user with UpdateUser");
  }
  if (users_.size() < kUsersMax) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("there are ", users_.size(), " users"),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "let users be reused; they are not deleted",
                    .in_force = absl::StrCat("at most ", kUsersMax, " users")});
}

absl::StatusOr<v1::CreateUserResponse> Users::Create(const v1::CreateUserRequest& request,
                                                     bool by_local) {
  absl::MutexLock write_lock(&write_mutex_);
  TY_RETURN_IF_ERROR(CheckNew(request, request.user_id(), by_local));
  const absl::Time now = absl::Now();
  const bool is_first = open();
  v1::CreateUserResponse response;
  *response.mutable_user() = NewUser(request, now);
  v1::CreateTokenRequest first;
  first.set_user(response.user().name());
  first.mutable_token()->set_display_name("first");
  const Bearer bearer = NewBearer();
  TY_ASSIGN_OR_RETURN(const v1::Token token, MakeToken(first, bearer, now));
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    TY_RETURN_IF_ERROR(InsertUser(connection, request.user_id(), response.user()));
    return is_first ? InsertToken(connection, bearer, request.user_id(), token) : absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(written);
  Remember(response.user());
  if (!is_first) return response;
  Remember(bearer, token);
  response.set_bearer(BearerText(bearer));
  open_.store(false, std::memory_order_release);
  return response;
}

absl::StatusOr<v1::User> Users::Get(absl::string_view name) const {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kUsers, name));
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = users_.find(id);
  if (found == users_.end()) return NotFound(name);
  return found->second;
}

bool Users::Has(absl::string_view id) const {
  absl::ReaderMutexLock lock(&mutex_);
  return users_.contains(id);
}

absl::StatusOr<v1::ListUsersResponse> Users::List(const v1::ListUsersRequest& request) const {
  TY_ASSIGN_OR_RETURN(const PageQuery page, ParsePage(request.page_size(), request.page_token()));
  v1::ListUsersResponse response;
  const auto add = [&](absl::string_view record) -> absl::StatusOr<int64_t> {
    TY_RETURN_IF_ERROR(ParseRecord(record, kUsers, response.add_users()));
    return static_cast<int64_t>(record.size());
  };
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(Statement rows,
                        connection.Prepare("SELECT number, record FROM users WHERE number < ? "
                                           "ORDER BY number DESC LIMIT ?"));
    rows.Bind(page.before_number).Bind(page.size + 1);
    TY_ASSIGN_OR_RETURN(*response.mutable_next_page_token(), ReadPage(rows, page.size, add));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return response;
}

absl::Status Users::CheckStaysAdmin(const v1::User& before, const v1::User& after) const {
  if (!IsActiveAdmin(before) || IsActiveAdmin(after)) return absl::OkStatus();
  absl::ReaderMutexLock lock(&mutex_);
  const bool has_other = std::any_of(users_.begin(), users_.end(), [&](const auto& entry) {
    return entry.second.name() != before.name() && IsActiveAdmin(entry.second);
  });
  if (has_other) return absl::OkStatus();
  return InvalidState(absl::StatusCode::kFailedPrecondition,
                      absl::StrCat(before.name(), " is the only ADMIN who is not disabled"),
                      "make another user ADMIN first");
}

absl::StatusOr<v1::User> Users::Update(const v1::UpdateUserRequest& request) {
  absl::MutexLock write_lock(&write_mutex_);
  TY_ASSIGN_OR_RETURN(const v1::User before, Get(request.user().name()));
  v1::User user = before;
  Violations violations;
  Apply(request, &user, &violations);
  TY_RETURN_IF_ERROR(Faults(std::move(violations)));
  TY_RETURN_IF_ERROR(CheckStaysAdmin(before, user));
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kUsers, user.name()));
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(Statement update,
                        connection.Prepare("UPDATE users SET record = ? WHERE id = ?"));
    return update.BindBlob(user.SerializeAsString()).Bind(id).Step().status();
  });
  TY_RETURN_IF_ERROR(written);
  Remember(user);
  return user;
}

absl::StatusOr<v1::Token> Users::MakeToken(const v1::CreateTokenRequest& request,
                                           const Bearer& bearer, absl::Time now) const {
  Violations violations;
  TY_ASSIGN_OR_RETURN(const absl::Duration lifetime, LifetimeOf(request, &violations));
  const v1::Token& wanted = request.token();
  CheckDisplayName("token.display_name", wanted.display_name(), &violations);
  if (!wanted.course().empty() && !ParseName(kCourseCollection, wanted.course()).ok()) {
    violations.push_back({"token.course", absl::StrCat("\"", wanted.course().substr(0, 100),
                                                       "\" is no course; give courses/{id}")});
  }
  TY_RETURN_IF_ERROR(Faults(std::move(violations)));
  v1::Token token;
  token.set_name(MakeName(kTokens, bearer.id));
  token.set_user(request.user());
  token.set_display_name(wanted.display_name());
  token.set_course(wanted.course());
  token.set_read_only(wanted.read_only());
  *token.mutable_create_time() = ToProto(now);
  *token.mutable_expire_time() = ToProto(now + lifetime);
  return token;
}

absl::Status Users::CheckTokenCount(absl::string_view user, absl::Time now) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto count = std::count_if(tokens_.begin(), tokens_.end(), [&](const auto& entry) {
    const v1::Token& token = entry.second.record;
    return token.user() == user && !token.has_identity() && !IsExpired(token, now);
  });
  if (static_cast<size_t>(count) < kTokensPerUserMax) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat(user, " has ", count, " tokens"),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "revoke one that is not used: `trainyard token list`",
                    .in_force = absl::StrCat("at most ", kTokensPerUserMax, " tokens per user")});
}

absl::StatusOr<v1::CreateTokenResponse> Users::CreateToken(const v1::CreateTokenRequest& request) {
  absl::MutexLock write_lock(&write_mutex_);
  TY_ASSIGN_OR_RETURN(const v1::User user, Get(request.user()));
  const absl::Time now = absl::Now();
  const Bearer bearer = NewBearer();
  TY_ASSIGN_OR_RETURN(v1::Token token, MakeToken(request, bearer, now));
  TY_RETURN_IF_ERROR(CheckTokenCount(user.name(), now));
  return Issue(bearer, std::move(token), FindUnwanted(user.name(), kIdentityTokensPerUserMax, now));
}

absl::StatusOr<v1::CreateTokenResponse> Users::CreateIdentityToken(
    absl::string_view user, absl::string_view course, const v1::RepositoryIdentity& identity) {
  absl::MutexLock write_lock(&write_mutex_);
  TY_ASSIGN_OR_RETURN(const v1::User owner, Get(user));
  if (!MayHaveJobs(owner)) {
    return InvalidState(absl::StatusCode::kFailedPrecondition,
                        absl::StrCat(owner.name(), " is disabled, or an ADMIN"),
                        "enrol another user for the repository");
  }
  v1::CreateTokenRequest request;
  request.set_user(owner.name());
  request.mutable_token()->set_display_name(absl::StrCat("GitHub run ", identity.run_id()));
  request.mutable_token()->set_course(std::string(course));
  request.mutable_lifetime()->set_seconds(absl::ToInt64Seconds(kIdentityLifetime));
  const absl::Time now = absl::Now();
  const Bearer bearer = NewBearer();
  TY_ASSIGN_OR_RETURN(v1::Token token, MakeToken(request, bearer, now));
  *token.mutable_identity() = identity;
  return Issue(bearer, std::move(token),
               FindUnwanted(owner.name(), kIdentityTokensPerUserMax - 1, now));
}

std::vector<std::string> Users::FindUnwanted(absl::string_view user, size_t identity_tokens_max,
                                             absl::Time now) const {
  std::vector<std::string> unwanted;
  std::vector<std::pair<absl::Time, std::string>> of_jobs;
  absl::ReaderMutexLock lock(&mutex_);
  for (const auto& [id, token] : tokens_) {
    if (token.record.user() != user) continue;
    if (IsExpired(token.record, now)) {
      unwanted.push_back(id);
    } else if (token.record.has_identity()) {
      of_jobs.emplace_back(FromProto(token.record.create_time()), id);
    }
  }
  std::sort(of_jobs.begin(), of_jobs.end());
  for (size_t i = 0; i + identity_tokens_max < of_jobs.size(); ++i) {
    unwanted.push_back(of_jobs[i].second);
  }
  return unwanted;
}

absl::StatusOr<v1::CreateTokenResponse> Users::Issue(const Bearer& bearer, v1::Token token,
                                                     const std::vector<std::string>& unwanted) {
  TY_ASSIGN_OR_RETURN(const std::string user_id, ParseName(kUsers, token.user()));
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    for (const std::string& id : unwanted) TY_RETURN_IF_ERROR(DeleteToken(connection, id));
    return InsertToken(connection, bearer, user_id, token);
  });
  TY_RETURN_IF_ERROR(written);
  Remember(bearer, token);
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& id : unwanted) tokens_.erase(id);
  }
  v1::CreateTokenResponse response;
  *response.mutable_token() = std::move(token);
  response.set_bearer(BearerText(bearer));
  return response;
}

absl::StatusOr<v1::ListTokensResponse> Users::ListTokens(absl::string_view user) const {
  TY_RETURN_IF_ERROR(Get(user).status());
  std::vector<v1::Token> tokens;
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [id, token] : tokens_) {
      if (token.record.user() == user) tokens.push_back(token.record);
    }
  }
  std::sort(tokens.begin(), tokens.end(), [](const v1::Token& a, const v1::Token& b) {
    return FromProto(a.create_time()) > FromProto(b.create_time());
  });
  v1::ListTokensResponse response;
  for (v1::Token& token : tokens) *response.add_tokens() = std::move(token);
  return response;
}

absl::StatusOr<v1::Token> Users::GetToken(absl::string_view name) const {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kTokens, name));
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = tokens_.find(id);
  if (found == tokens_.end()) return NotFound(name);
  return found->second.record;
}

absl::Status Users::RevokeToken(absl::string_view name) {
  absl::MutexLock write_lock(&write_mutex_);
  TY_RETURN_IF_ERROR(GetToken(name).status());
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kTokens, name));
  TY_RETURN_IF_ERROR(
      database_->Write([&](Connection& connection) { return DeleteToken(connection, id); }));
  absl::MutexLock lock(&mutex_);
  tokens_.erase(id);
  return absl::OkStatus();
}

void Users::Remember(const v1::User& user) {
  const absl::StatusOr<std::string> id = ParseName(kUsers, user.name());
  absl::MutexLock lock(&mutex_);
  users_[*id] = user;
}

void Users::Remember(const Bearer& bearer, const v1::Token& token) {
  absl::MutexLock lock(&mutex_);
  tokens_[bearer.id] = {Sha256Digest(bearer.secret), token};
}

}  // namespace trainyard
