#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/command.h"
#include "client/describe.h"
#include "client/digest.h"
#include "client/message_input.h"
#include "client/render.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Stub = v1::AuthService::Stub;

constexpr char kUserCollection[] = "users";
constexpr char kTokenCollection[] = "tokens";
constexpr int kDaysMax = 400;
constexpr int32_t kAuditPage = 10'000;

struct NoOptions {};

struct UserOptions {
  std::string id;
  v1::UserRole role = v1::USER_ROLE_UNSPECIFIED;  // as it is
  std::string display_name;
  bool names_display_name = false;
  bool disable = false, enable = false;
};

struct TokenOptions {
  std::string user, display_name, course;
  std::string identity_token_path;
  bool read_only = false;
  int days = 0;  // the server's default
};

struct AuditOptions {
  int64_t start_sequence = 0;
  int32_t limit = 100;
};

std::string RoleWord(v1::UserRole role) {
  return v1::UserRole_Name(role).substr(sizeof("USER_ROLE"));
}

std::string UserText(const v1::User& user) {
  return absl::StrCat(user.name(), "\n",
                      KeyValueLines({{"role", RoleWord(user.role())},
                                     {"display name", user.display_name()},
                                     {"state", user.disabled() ? "disabled" : "enabled"},
                                     {"made", TimeText(ToTime(user.create_time()))}}));
}

std::string UsersText(const v1::ListUsersResponse& list) {
  TextTable table({{"NAME"}, {"ROLE"}, {"STATE"}, {"MADE"}, {"DISPLAY NAME"}});
  for (const v1::User& user : list.users()) {
    table.AddRow({user.name(), RoleWord(user.role()), user.disabled() ? "disabled" : "enabled",
                  TimeText(ToTime(user.create_time())), user.display_name()});
  }
  return table.Render();
}

std::string TokensText(const v1::ListTokensResponse& list) {
  TextTable table({{"NAME"}, {"COURSE"}, {"RIGHTS"}, {"EXPIRES"}, {"DISPLAY NAME"}});
  for (const v1::Token& token : list.tokens()) {
    table.AddRow({token.name(), token.course(), token.read_only() ? "read only" : "all",
                  TimeText(ToTime(token.expire_time())), token.display_name()});
  }
  return table.Render();
}

std::string EntryLine(const v1::AuditEntry& entry) {
  return absl::StrCat(entry.sequence(), "  ", TimeText(ToTime(entry.time())), "  ",
                      Printable(entry.principal()), "  ", Printable(entry.method()), "  ",
                      Printable(entry.resource()), "  ", Printable(entry.code()), "\n");
}

// The token alone on stdout, so that it can go into a file.
void ShowBearer(Session& session, const google::protobuf::Message& response,
                const std::string& bearer, const std::string& about) {
  session.screen.Note(absl::StrCat("note: ", about, "; this token is not shown again"));
  session.screen.Show(response, absl::StrCat(bearer, "\n"));
}

ExitOr RunUserCreate(Session& session, const UserOptions& options) {
  v1::CreateUserRequest request;
  request.set_user_id(options.id);
  request.mutable_user()->set_role(options.role);
  request.mutable_user()->set_display_name(options.display_name);
  TY_ASSIGN_OR_RETURN(const v1::CreateUserResponse response,
                      session.remote.Call(session.remote.auth(), &Stub::CreateUser, request));
  if (response.bearer().empty()) {
    session.screen.Show(response, UserText(response.user()));
    return ExitCode::kOk;
  }
  ShowBearer(session, response, response.bearer(),
             absl::StrCat(response.user().name(),
                          " is the first user, and from now on every call "
                          "needs a token"));
  return ExitCode::kOk;
}

ExitOr RunUserList(Session& session, const ListOptions& options) {
  TY_ASSIGN_OR_RETURN(
      const v1::ListUsersResponse list,
      ListAll(session.remote, session.remote.auth(), &Stub::ListUsers, v1::ListUsersRequest(),
              &v1::ListUsersResponse::mutable_users, options.limit));
  session.screen.Show(list, UsersText(list));
  return ExitCode::kOk;
}

ExitOr RunUserUpdate(Session& session, const UserOptions& options) {
  v1::UpdateUserRequest request;
  google::protobuf::FieldMask& mask = *request.mutable_update_mask();
  request.mutable_user()->set_name(FullName(kUserCollection, options.id));
  request.mutable_user()->set_role(options.role);
  request.mutable_user()->set_display_name(options.display_name);
  request.mutable_user()->set_disabled(options.disable);
  if (options.role != v1::USER_ROLE_UNSPECIFIED) mask.add_paths("role");
  if (options.names_display_name) mask.add_paths("display_name");
  if (options.disable || options.enable) mask.add_paths("disabled");
  TY_ASSIGN_OR_RETURN(const v1::User user,
                      session.remote.Call(session.remote.auth(), &Stub::UpdateUser, request));
  session.screen.Show(user, UserText(user));
  return ExitCode::kOk;
}

ExitOr RunTokenCreate(Session& session, const TokenOptions& options) {
  v1::CreateTokenRequest request;
  if (!options.user.empty()) request.set_user(FullName(kUserCollection, options.user));
  request.mutable_token()->set_display_name(options.display_name);
  request.mutable_token()->set_read_only(options.read_only);
  if (!options.course.empty()) {
    request.mutable_token()->set_course(FullName("courses", options.course));
  }
  if (options.days > 0) request.mutable_lifetime()->set_seconds(int64_t{options.days} * 24 * 3600);
  // Without the patience of other calls: a repetition would make a second token.
  v1::CreateTokenResponse response;
  const std::unique_ptr<CallContext> call = session.remote.NewCall(Span::kShort);
  TY_RETURN_IF_ERROR(
      session.remote.ToStatus(session.remote.auth().CreateToken(call->grpc(), request, &response)));
  const v1::Token& token = response.token();
  ShowBearer(session, response, response.bearer(),
             absl::StrCat(token.name(), " is ", token.user(), "'s until ",
                          TimeText(ToTime(token.expire_time()))));
  return ExitCode::kOk;
}

ExitOr RunTokenExchange(Session& session, const TokenOptions& options) {
  v1::ExchangeIdentityTokenRequest request;
  request.set_course(FullName("courses", options.course));
  TY_ASSIGN_OR_RETURN(*request.mutable_identity_token(),
                      ReadSecretFile(options.identity_token_path));
  // Without the patience of other calls: an identity token is taken once.
  v1::ExchangeIdentityTokenResponse response;
  const std::unique_ptr<CallContext> call = session.remote.NewCall(Span::kShort);
  TY_RETURN_IF_ERROR(session.remote.ToStatus(
      session.remote.auth().ExchangeIdentityToken(call->grpc(), request, &response)));
  const v1::Token& token = response.token();
  ShowBearer(session, response, response.bearer(),
             absl::StrCat(token.name(), " is ", token.user(), "'s for ", token.course(), " until ",
                          TimeText(ToTime(token.expire_time()))));
  return ExitCode::kOk;
}

ExitOr RunTokenList(Session& session, const TokenOptions& options) {
  v1::ListTokensRequest request;
  if (!options.user.empty()) request.set_user(FullName(kUserCollection, options.user));
  TY_ASSIGN_OR_RETURN(const v1::ListTokensResponse list,
                      session.remote.Call(session.remote.auth(), &Stub::ListTokens, request));
  session.screen.Show(list, TokensText(list));
  return ExitCode::kOk;
}

ExitOr RunTokenRevoke(Session& session, const NameOptions& options) {
  v1::RevokeTokenRequest request;
  request.set_name(FullName(kTokenCollection, options.name));
  TY_ASSIGN_OR_RETURN(const google::protobuf::Empty answer,
                      session.remote.Call(session.remote.auth(), &Stub::RevokeToken, request));
  session.screen.Show(answer, absl::StrCat(request.name(), " is revoked\n"));
  return ExitCode::kOk;
}

// Whose job the token was made for; empty: nobody's.
std::string IdentityText(const v1::Token& token) {
  if (!token.has_identity()) return "";
  return absl::StrCat("repository ", token.identity().repository_id(), ", commit ",
                      Printable(token.identity().sha()), ", run ",
                      Printable(token.identity().run_id()));
}

ExitOr RunWhoAmI(Session& session, const NoOptions&) {
  TY_ASSIGN_OR_RETURN(
      const v1::WhoAmIResponse who,
      session.remote.Call(session.remote.auth(), &Stub::WhoAmI, v1::WhoAmIRequest()));
  const v1::Token& token = who.token();
  session.screen.Show(
      who, absl::StrCat(
               who.user(), "\n",
               KeyValueLines({{"role", RoleWord(who.role())},
                              {"token", token.name()},
                              {"course", token.course()},
                              {"job of", IdentityText(token)},
                              {"rights", token.read_only() ? "read only" : ""},
                              {"expires", who.open() ? "" : TimeText(ToTime(token.expire_time()))},
                              {"server", who.open() ? "open: it has no users" : ""}})));
  return ExitCode::kOk;
}

absl::StatusOr<v1::ListAuditEntriesResponse> AuditPage(Session& session, int64_t start,
                                                       int32_t size) {
  v1::ListAuditEntriesRequest request;
  request.set_start_sequence(start);
  request.set_page_size(size);
  return session.remote.Call(session.remote.auth(), &Stub::ListAuditEntries, request);
}

ExitOr RunAuditList(Session& session, const AuditOptions& options) {
  v1::ListAuditEntriesResponse all;
  all.set_next_sequence(options.start_sequence);
  do {
    TY_ASSIGN_OR_RETURN(const v1::ListAuditEntriesResponse page,
                        AuditPage(session, all.next_sequence(),
                                  std::min(options.limit - all.entries_size(), kAuditPage)));
    all.mutable_entries()->MergeFrom(page.entries());
    all.set_next_sequence(page.next_sequence());
  } while (all.next_sequence() != 0 && all.entries_size() < options.limit);
  std::string text;
  for (const v1::AuditEntry& entry : all.entries()) absl::StrAppend(&text, EntryLine(entry));
  session.screen.Show(all, text);
  return ExitCode::kOk;
}

std::string DigestOf(v1::AuditEntry entry) {
  entry.clear_digest();
  Digest digest;
  digest.Update(entry.SerializeAsString());
  return digest.Finish();
}

// What is wrong with an entry that comes after `previous`; empty: nothing.
std::string EntryFault(const v1::AuditEntry& entry, const v1::AuditEntry& previous) {
  if (entry.digest() != DigestOf(entry)) return "its digest is not that of what it says";
  if (previous.sequence() == 0) return "";
  if (entry.sequence() != previous.sequence() + 1) {
    return absl::StrCat("it follows entry ", previous.sequence());
  }
  return entry.previous_digest() == previous.digest()
             ? ""
             : "its previous_digest is not the digest of the entry before";
}

absl::Status BrokenChain(const v1::AuditEntry& entry, const std::string& fault) {
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat("audit entry ", entry.sequence(), " is broken: ", fault),
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "the log was changed, or is damaged: compare it with a backup"});
}

ExitOr RunAuditVerify(Session& session, const NoOptions&) {
  v1::AuditEntry previous;
  int64_t first = 0, next = 0;
  do {
    TY_ASSIGN_OR_RETURN(const v1::ListAuditEntriesResponse page,
                        AuditPage(session, next, kAuditPage));
    for (const v1::AuditEntry& entry : page.entries()) {
      const std::string fault = EntryFault(entry, previous);
      if (!fault.empty()) return BrokenChain(entry, fault);
      if (first == 0) first = entry.sequence();
      previous = entry;
    }
    next = page.next_sequence();
  } while (next != 0);
  session.screen.Show(
      previous, previous.sequence() == 0
                    ? "the audit log is empty\n"
                    : absl::StrCat("entries ", first, " to ", previous.sequence(),
                                   " are a whole chain\nits end is ", previous.digest(), "\n"));
  return ExitCode::kOk;
}

CLI::Option* AddRole(CLI::App* command, v1::UserRole* role) {
  return command
      ->add_option_function<std::string>(
          "--role",
          [role](const std::string& word) {
            v1::UserRole_Parse(absl::StrCat("USER_ROLE_", absl::AsciiStrToUpper(word)), role);
          },
          "admin, instructor, grader, student, or viewer (reads only)")
      ->check(CLI::IsMember({"admin", "instructor", "grader", "student", "viewer"}))
      ->type_name("ROLE");
}

void AddUserGroup(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "user", "Who may call the server");
  auto create = std::make_shared<UserOptions>();
  CLI::App* command =
      AddCommand(group, "create", "Make a user; the first one must be an admin, and gets a token",
                 create, &RunUserCreate, chosen);
  command->add_option("id", create->id, "a-z, 0-9 and -; never changes")->required();
  AddRole(command, &create->role)->required();
  command->add_option("--display-name", create->display_name, "For people");
  auto list = std::make_shared<ListOptions>();
  AddLimit(AddCommand(group, "list", "List users, newest first", list, &RunUserList, chosen),
           list.get());
  auto update = std::make_shared<UserOptions>();
  command = AddCommand(group, "update", "Change role, name or state of a user", update,
                       &RunUserUpdate, chosen);
  command->add_option("user", update->id, "users/{id}, or the id")->required();
  AddRole(command, &update->role);
  command->add_option_function<std::string>(
      "--display-name",
      [options = update.get()](const std::string& name) {
        options->display_name = name;
        options->names_display_name = true;
      },
      "For people");
  CLI::Option* disable =
      command->add_flag("--disable", update->disable, "Refuse its tokens from now on");
  command->add_flag("--enable", update->enable, "Take its tokens again")->excludes(disable);
}

void AddTokenGroup(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "token", "What a user proves itself with");
  auto create = std::make_shared<TokenOptions>();
  CLI::App* command = AddCommand(group, "create", "Make a token and print it, once", create,
                                 &RunTokenCreate, chosen);
  command->add_option("--user", create->user, "Whose (admins only; default: your own)");
  command->add_option("--display-name", create->display_name, "For people, e.g. \"laptop\"");
  command->add_option("--course", create->course, "Good for this course only");
  command->add_flag("--read-only", create->read_only, "Calls that change something are refused");
  command->add_option("--days", create->days, "How long it is good for (default 180)")
      ->check(CLI::Range(1, kDaysMax));
  auto exchange = std::make_shared<TokenOptions>();
  command = AddCommand(group, "exchange",
                       "Make a token of the student whose repository's job has the identity token, "
                       "and print it, once",
                       exchange, &RunTokenExchange, chosen);
  command->add_option("--course", exchange->course, "Where the student is enrolled")->required();
  command
      ->add_option("--identity-token", exchange->identity_token_path,
                   "File with the job's identity token (OpenID Connect); \"-\" for standard input")
      ->type_name("FILE")
      ->required();
  auto list = std::make_shared<TokenOptions>();
  AddCommand(group, "list", "List tokens, newest first", list, &RunTokenList, chosen)
      ->add_option("--user", list->user, "Whose (admins only; default: your own)");
  auto revoke = std::make_shared<NameOptions>();
  AddCommand(group, "revoke", "End a token at once", revoke, &RunTokenRevoke, chosen)
      ->add_option("token", revoke->name, "tokens/{id}, or the id")
      ->required();
}

void AddAuditGroup(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "audit", "What was changed, by whom (admins only)");
  auto list = std::make_shared<AuditOptions>();
  CLI::App* command =
      AddCommand(group, "list", "List entries, oldest first", list, &RunAuditList, chosen);
  command->add_option("--start", list->start_sequence, "The first entry wanted")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--limit", list->limit, "At most this many")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  AddCommand(group, "verify", "Compute the chain of digests again", std::make_shared<NoOptions>(),
             &RunAuditVerify, chosen);
}

}  // namespace

void AddUserCommands(CLI::App* app, Command* chosen) {
  AddUserGroup(app, chosen);
  AddTokenGroup(app, chosen);
  AddAuditGroup(app, chosen);
  AddCommand(app, "whoami", "As whom the server sees you", std::make_shared<NoOptions>(),
             &RunWhoAmI, chosen);
}

}  // namespace trainyard
