// Users, tokens, limits and the audit log as a client meets them.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/add_admin.h"
#include "server/auth/audit.h"
#include "server/auth/users.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/wire/error_detail.h"
#include "tests/support/any_call.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

using Stub = v1::AuthService::Stub;
using testing::HasSubstr;

absl::StatusOr<v1::WhoAmIResponse> WhoAmI(TestServer& server) {
  return CallWith(server.auth(), &Stub::WhoAmI, {});
}

absl::StatusOr<v1::CreateTokenResponse> NewToken(TestServer& server,
                                                 const v1::CreateTokenRequest& request = {}) {
  return CallWith(server.auth(), &Stub::CreateToken, request);
}

std::vector<v1::AuditEntry> AuditOf(TestServer& server) {
  const auto list = CallWith(server.auth(), &Stub::ListAuditEntries, {});
  EXPECT_THAT(list, IsOk());
  if (!list.ok()) return {};
  return {list->entries().begin(), list->entries().end()};
}

std::string IdOf(const std::string& bearer) { return bearer.substr(3, 12); }

TEST(AuthServiceTest, WithoutUsersEverybodyIsLocalAndAdmin) {
  TestServer server({});
  ASSERT_OK_AND_ASSIGN(const auto who, WhoAmI(server));
  EXPECT_EQ(who.user(), "users/local");
  EXPECT_EQ(who.role(), v1::USER_ROLE_ADMIN);
  EXPECT_TRUE(who.open());
  EXPECT_FALSE(who.has_token());
  server.NewUpload();
  EXPECT_TRUE(AuditOf(server).empty());
}

TEST(AuthServiceTest, FromTheFirstUserOnATokenIsNeeded) {
  TestServer server({});
  v1::CreateUserRequest request;
  request.set_user_id("stu");
  request.mutable_user()->set_role(v1::USER_ROLE_STUDENT);
  EXPECT_THAT(CallWith(server.auth(), &Stub::CreateUser, request),
              HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(WhoAmI(server), IsOk());
  const std::string root = server.AddRoot();
  ASSERT_OK_AND_ASSIGN(const auto who, WhoAmI(server));
  EXPECT_EQ(who.user(), "users/root");
  EXPECT_FALSE(who.open());
  EXPECT_EQ(who.token().name(), "tokens/" + IdOf(root));
  server.UseToken("");
  EXPECT_THAT(WhoAmI(server), HasReason(ErrorReason::kUnauthenticated));
}

TEST(AuthServiceTest, UnknownRevokedAndMalformedTokensGiveTheSameAnswer) {
  TestServer server({});
  const std::string root = server.AddRoot();
  ASSERT_OK_AND_ASSIGN(const auto made, NewToken(server));
  server.UseToken(made.bearer());
  ASSERT_THAT(WhoAmI(server), IsOk());
  v1::RevokeTokenRequest revoke;
  revoke.set_name(made.token().name());
  ASSERT_THAT(CallWith(server.auth(), &Stub::RevokeToken, revoke), IsOk());
  const absl::Status revoked = WhoAmI(server).status();  // a replay, at once
  EXPECT_EQ(revoked.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(revoked, HasReason(ErrorReason::kUnauthenticated));
  std::string unknown = root;
  unknown.back() = unknown.back() == '0' ? '1' : '0';
  for (const std::string& bearer : {std::string(), std::string("nonsense"), unknown}) {
    server.UseToken(bearer);
    EXPECT_EQ(WhoAmI(server).status(), revoked) << bearer;
  }
}

TEST(AuthServiceTest, DisablingAUserEndsItsTokensAtOnce) {
  TestServer server({});
  const std::string root = server.AddRoot();
  const std::string ann = server.AddUser("ann", v1::USER_ROLE_STUDENT);
  v1::UpdateUserRequest request;
  request.mutable_user()->set_name("users/ann");
  request.mutable_user()->set_disabled(true);
  request.mutable_update_mask()->add_paths("disabled");
  ASSERT_THAT(CallWith(server.auth(), &Stub::UpdateUser, request), IsOk());
  server.UseToken(ann);
  EXPECT_THAT(WhoAmI(server), HasReason(ErrorReason::kUnauthenticated));
}

TEST(AuthServiceTest, UsersManageTheirOwnTokensOnly) {
  TestServer server({});
  const std::string root = server.AddRoot();
  const std::string ann = server.AddUser("ann", v1::USER_ROLE_STUDENT);
  const std::string bob = server.AddUser("bob", v1::USER_ROLE_VIEWER);
  server.UseToken(ann);
  ASSERT_OK_AND_ASSIGN(const auto own, NewToken(server));
  EXPECT_EQ(own.token().user(), "users/ann");
  v1::ListTokensRequest list;
  ASSERT_OK_AND_ASSIGN(const auto anns, CallWith(server.auth(), &Stub::ListTokens, list));
  EXPECT_EQ(anns.tokens_size(), 2);
  const std::string nobody = "users/eve", other = "users/bob";
  for (const std::string& user : {nobody, other}) {
    SCOPED_TRACE(user);
    list.set_user(user);
    EXPECT_THAT(CallWith(server.auth(), &Stub::ListTokens, list),
                HasReason(ErrorReason::kPermission));
    v1::CreateTokenRequest create;
    create.set_user(user);
    EXPECT_THAT(NewToken(server, create), HasReason(ErrorReason::kPermission));
    v1::GetUserRequest get;
    get.set_name(user);
    EXPECT_THAT(CallWith(server.auth(), &Stub::GetUser, get), HasReason(ErrorReason::kPermission));
  }
  v1::RevokeTokenRequest revoke;
  for (const std::string& name : {"tokens/" + IdOf(bob), std::string("tokens/zzzzzzzzzzzz")}) {
    revoke.set_name(name);
    EXPECT_THAT(CallWith(server.auth(), &Stub::RevokeToken, revoke),
                HasReason(ErrorReason::kPermission));
  }
  EXPECT_THAT(CallWith(server.auth(), &Stub::ListUsers, {}), HasReason(ErrorReason::kPermission));
  EXPECT_THAT(CallWith(server.auth(), &Stub::ListAuditEntries, {}),
              HasReason(ErrorReason::kPermission));
  server.UseToken(bob);
  EXPECT_THAT(NewToken(server), IsOk()) << "also a VIEWER";
}

TEST(AuthServiceTest, AWeakerTokenMakesNoStrongerOne) {
  TestServer server({});
  server.AddRoot();
  v1::CreateTokenRequest request;
  request.mutable_token()->set_read_only(true);
  ASSERT_OK_AND_ASSIGN(const auto read_only, NewToken(server, request));
  request.mutable_token()->set_read_only(false);
  request.mutable_token()->set_course("courses/dl");
  ASSERT_OK_AND_ASSIGN(const auto scoped, NewToken(server, request));
  for (const std::string& bearer : {read_only.bearer(), scoped.bearer()}) {
    server.UseToken(bearer);
    EXPECT_THAT(WhoAmI(server), IsOk());
    EXPECT_THAT(NewToken(server), HasReason(ErrorReason::kPermission));
  }
}

TEST(AuthServiceTest, AUserWhoAsksTooOftenIsToldWhenToTryAgain) {
  TestServer server({.adjust = [](ServerOptions* options) { options->rate_limit = 2; }});
  server.AddRoot();
  absl::Status status;
  for (int i = 0; i < 200 && status.ok(); ++i) status = WhoAmI(server).status();
  EXPECT_THAT(status, HasReason(ErrorReason::kRateLimited));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const auto info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_THAT(info->metadata,
              testing::Contains(testing::Pair(std::string(kRetryAfterKey), std::string("1"))));
}

TEST(AuthServiceTest, WhatWasChangedAndWhatWasRefusedIsAudited) {
  TestServer server({});
  const std::string root = server.AddRoot();
  const std::string ann = server.AddUser("ann", v1::USER_ROLE_STUDENT);
  const std::string vic = server.AddUser("vic", v1::USER_ROLE_VIEWER);
  server.UseToken(ann);
  v1::CreateDatasetRequest create;
  create.mutable_dataset()->set_display_name("mine");
  ASSERT_OK_AND_ASSIGN(
      const v1::Dataset dataset,
      CallWith(server.datasets(), &v1::DatasetService::Stub::CreateDataset, create));
  const v1::WriteDatasetRequest chunk = Chunk(dataset.name(), 0, "a,y\n1,no\n");
  ASSERT_THAT(server.Write(dataset.name(), "a,y\n1,no\n"), IsOk());
  ASSERT_THAT(WhoAmI(server), IsOk());  // a read leaves no entry
  server.UseToken(vic);
  v1::DeleteDatasetRequest remove;
  remove.set_name(dataset.name());
  ASSERT_THAT(CallWith(server.datasets(), &v1::DatasetService::Stub::DeleteDataset, remove),
              HasReason(ErrorReason::kPermission));
  server.UseToken(root);
  const std::vector<v1::AuditEntry> entries = AuditOf(server);
  ASSERT_EQ(entries.size(), 8u);  // CreateUser, 2 of (CreateUser, CreateToken), and the three above
  EXPECT_EQ(entries[0].principal(), "local");
  EXPECT_EQ(entries[0].resource(), "users/root");
  EXPECT_EQ(entries[2].principal(), "root");
  EXPECT_EQ(entries[2].token_id(), IdOf(root));
  EXPECT_EQ(entries[2].method(), "/trainyard.v1.AuthService/CreateToken");
  const v1::AuditEntry& made = entries[5];
  EXPECT_EQ(made.principal(), "ann");
  EXPECT_EQ(made.method(), "/trainyard.v1.DatasetService/CreateDataset");
  EXPECT_EQ(made.resource(), dataset.name());
  EXPECT_EQ(made.request_digest(), Sha256Digest(create.SerializeAsString()));
  EXPECT_EQ(made.code(), "OK");
  EXPECT_EQ(entries[6].method(), "/trainyard.v1.DatasetService/WriteDataset");
  EXPECT_EQ(entries[6].request_digest(), Sha256Digest(chunk.SerializeAsString()));
  EXPECT_EQ(entries[6].resource(), dataset.name());
  EXPECT_EQ(entries[7].principal(), "vic");
  EXPECT_EQ(entries[7].code(), "PermissionDenied");
  EXPECT_EQ(entries[7].resource(), dataset.name());
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].digest(), AuditDigest(entries[i]));
    EXPECT_EQ(entries[i].previous_digest(), i == 0 ? "" : entries[i - 1].digest());
  }
}

TEST(AuthServiceTest, AddAdminMakesTheFirstTokenAndAnotherForWhoLostIt) {
  TempDir directory;
  ServerOptions options = ServerOptions::ForThisMachine();
  options.data_dir = directory.path();
  options.admin_id = "ann";
  ASSERT_OK_AND_ASSIGN(const std::string first, AddAdmin(options));
  ASSERT_OK_AND_ASSIGN(const std::string second, AddAdmin(options));
  EXPECT_NE(first, second);
  TestServer server(
      {.adjust = [&](ServerOptions* serving) { serving->data_dir = directory.path(); }});
  EXPECT_THAT(AddAdmin(options), StatusIs(absl::StatusCode::kFailedPrecondition, testing::_))
      << "a server has the directory";
  EXPECT_THAT(WhoAmI(server), HasReason(ErrorReason::kUnauthenticated));
  for (const std::string& bearer : {first, second}) {
    server.UseToken(bearer);
    ASSERT_OK_AND_ASSIGN(const auto who, WhoAmI(server));
    EXPECT_EQ(who.user(), "users/ann");
    EXPECT_EQ(who.role(), v1::USER_ROLE_ADMIN);
  }
  EXPECT_EQ(AuditOf(server).size(), 2u);
}

TEST(AuthServiceTest, NoSecretIsInTheLogTheFilesOrAnError) {
  TempDir directory;
  testing::internal::CaptureStderr();
  std::vector<std::string> secrets;
  std::string errors;
  {
    TestServer server({.adjust = [&](ServerOptions* o) { o->data_dir = directory.path(); }});
    Log::SetLevel("debug");
    secrets.push_back(server.AddRoot());
    secrets.push_back(server.AddUser("ann", v1::USER_ROLE_STUDENT));
    std::string wrong = secrets[0];
    wrong.back() = wrong.back() == '0' ? '1' : '0';
    for (const std::string& bearer : {wrong, secrets[1]}) {
      server.UseToken(bearer);
      absl::StrAppend(&errors, CallWith(server.auth(), &Stub::ListUsers, {}).status().ToString());
    }
    secrets.push_back(wrong);
    server.server().Shutdown(SteadyNow());
  }
  const std::string log = testing::internal::GetCapturedStderr();
  Log::SetLevel("error");
  EXPECT_THAT(log, HasSubstr("rpc_failed")) << "the log says nothing at all";
  EXPECT_THAT(errors, HasSubstr("token"));
  std::string all = log + errors;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  for (const std::string& bearer : secrets) {
    EXPECT_TRUE(absl::StrContains(all, IdOf(bearer)) || bearer == secrets.back());
    EXPECT_FALSE(absl::StrContains(all, bearer.substr(bearer.rfind('_') + 1)));
  }
}

v1::ExchangeIdentityTokenRequest Exchange(const std::string& course, const std::string& token) {
  v1::ExchangeIdentityTokenRequest request;
  request.set_course(course);
  request.set_identity_token(token);
  return request;
}

// What is taken, and the rest of what is not, is in tests/e2e/identity_test.py.
TEST(ExchangeIdentityTokenTest, AsksForNoAuthorizationButForAnAudienceAndUsers) {
  TestServer server({});
  const auto exchange = [&](const std::string& course, const std::string& token) {
    return CallWith(server.auth(), &Stub::ExchangeIdentityToken, Exchange(course, token));
  };
  EXPECT_THAT(exchange("courses/dl", "a.b.c"), HasReason(ErrorReason::kInvalidState));
  server.AddRoot();
  server.UseToken("");
  EXPECT_THAT(exchange("courses/dl", "a.b.c"), HasReason(ErrorReason::kInvalidState));
  for (const auto& [course, token] : {std::pair<std::string, std::string>{"dl", "a.b.c"},
                                      {"courses/dl", ""},
                                      {"courses/dl", std::string(16'385, 'a')}}) {
    const auto refused = exchange(course, token);
    EXPECT_THAT(refused, HasReason(ErrorReason::kInvalidRequest));
    EXPECT_EQ(GetErrorInfo(refused.status())->violations.size(), 1u);
  }
}

}  // namespace
}  // namespace trainyard
