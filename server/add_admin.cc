#include "server/add_admin.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/auth/audit.h"
#include "server/auth/users.h"
#include "server/data_directory.h"
#include "server/storage/database.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

absl::Status CheckActiveAdmin(const v1::User& user) {
  if (user.role() == v1::USER_ROLE_ADMIN && !user.disabled()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(user.name(), " is there, and no ADMIN, or disabled"),
                   {.reason = ErrorReason::kInvalidState, .hint = "choose another id"});
}

absl::StatusOr<std::string> MakeToken(const std::string& name, Users& users) {
  v1::CreateTokenRequest request;
  request.set_user(name);
  request.mutable_token()->set_display_name("add-admin");
  TY_ASSIGN_OR_RETURN(const v1::CreateTokenResponse response, users.CreateToken(request));
  return response.bearer();
}

absl::StatusOr<std::string> MakeUserAndToken(const std::string& id, Users& users) {
  const std::string name = MakeName(kUsers, id);
  const absl::StatusOr<v1::User> user = users.Get(name);
  if (user.ok()) {
    TY_RETURN_IF_ERROR(CheckActiveAdmin(*user));
    return MakeToken(name, users);
  }
  v1::CreateUserRequest request;
  request.set_user_id(id);
  request.mutable_user()->set_role(v1::USER_ROLE_ADMIN);
  TY_ASSIGN_OR_RETURN(const v1::CreateUserResponse made, users.Create(request, /*by_local=*/false));
  if (!made.bearer().empty()) return made.bearer();
  return MakeToken(name, users);
}

v1::AuditEntry EntryOf(const std::string& id) {
  v1::AuditEntry entry;
  *entry.mutable_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::GetCurrentTimeNanos());
  entry.set_principal(kLocalOwner);
  entry.set_method("add-admin");
  entry.set_resource(MakeName(kUsers, id));
  entry.set_code("OK");
  return entry;
}

}  // namespace

absl::StatusOr<std::string> AddAdmin(const ServerOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<DataDirectory> directory,
                      DataDirectory::Open(options.data_dir));
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                      Database::Open(directory->database()));
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Users> users, Users::Open(database.get()));
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Audit> audit,
                      Audit::Open(database.get(), options.audit_max_entries));
  TY_ASSIGN_OR_RETURN(const std::string bearer, MakeUserAndToken(options.admin_id, *users));
  audit->Append(EntryOf(options.admin_id));
  return bearer;
}

}  // namespace trainyard
