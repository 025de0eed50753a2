#include "server/services/auth_service.h"

#include <utility>

#include "core/base/status_macros.h"
#include "server/rpc/serve.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

// `user` is `users/{id}`. Others are told the same of a user that does not exist.
absl::Status CheckSelfOrAdmin(const Principal& principal, const std::string& user) {
  if (principal.admin() || user == MakeName(kUsers, principal.owner)) return absl::OkStatus();
  return NoPermission(user);
}

}  // namespace

grpc::ServerUnaryReactor* AuthService::CreateUser(grpc::CallbackServerContext* call,
                                                  const v1::CreateUserRequest* request,
                                                  v1::CreateUserResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.AuthService/CreateUser", rpc_.quick, request, response,
               [=, this](const Principal& principal) {
                 const bool by_local = principal.token_id.empty();
                 return Store(users_->Create(*request, by_local), response);
               });
}

grpc::ServerUnaryReactor* AuthService::GetUser(grpc::CallbackServerContext* call,
                                               const v1::GetUserRequest* request,
                                               v1::User* response) {
  return Serve(rpc_, call, "/trainyard.v1.AuthService/GetUser", rpc_.quick, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(CheckSelfOrAdmin(principal, request->name()));
                 return Store(users_->Get(request->name()), response);
               });
}

grpc::ServerUnaryReactor* AuthService::ListUsers(grpc::CallbackServerContext* call,
                                                 const v1::ListUsersRequest* request,
                                                 v1::ListUsersResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.AuthService/ListUsers", rpc_.quick, response,
               [=, this](const Principal&) { return Store(users_->List(*request), response); });
}

grpc::ServerUnaryReactor* AuthService::UpdateUser(grpc::CallbackServerContext* call,
                                                  const v1::UpdateUserRequest* request,
                                                  v1::User* response) {
  return Serve(rpc_, call, "/trainyard.v1.AuthService/UpdateUser", rpc_.quick, request, response,
               [=, this](const Principal&) { return Store(users_->Update(*request), response); });
}

grpc::ServerUnaryReactor* AuthService::CreateToken(grpc::CallbackServerContext* call,
                                                   const v1::CreateTokenRequest* request,
                                                   v1::CreateTokenResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.AuthService/CreateToken", rpc_.quick, request, response,
               [=, this](const Principal& principal) {
                 return Store(NewTokenFor(*request, principal), response);
               });
}

absl::StatusOr<v1::CreateTokenResponse> AuthService::NewTokenFor(v1::CreateTokenRequest request,
                                                                 const Principal& principal) {
  if (request.user().empty()) request.set_user(MakeName(kUsers, principal.owner));
  TY_RETURN_IF_ERROR(CheckSelfOrAdmin(principal, request.user()));
  return users_->CreateToken(request);
}

// On the pool of long calls: the issuer may have to be asked for its keys.
grpc::ServerUnaryReactor* AuthService::ExchangeIdentityToken(
    grpc::CallbackServerContext* call, const v1::ExchangeIdentityTokenRequest* request,
    v1::ExchangeIdentityTokenResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.AuthService/ExchangeIdentityToken", rpc_.heavy, request,
               response, [=, this](const Principal&) -> absl::Status {
                 absl::Status status = Store(exchange_->Exchange(*request), response);
                 if (!absl::IsUnauthenticated(status)) return status;
                 TY_RETURN_IF_ERROR(rpc_.authenticator->CountFailure(call->peer()));
                 return status;
               });
}

grpc::ServerUnaryReactor* AuthService::ListTokens(grpc::CallbackServerContext* call,
                                                  const v1::ListTokensRequest* request,
                                                  v1::ListTokensResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.AuthService/ListTokens", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(TokensOf(request->user(), principal), response);
               });
}

absl::StatusOr<v1::ListTokensResponse> AuthService::TokensOf(std::string user,
                                                             const Principal& principal) {
  if (user.empty()) user = MakeName(kUsers, principal.owner);
  TY_RETURN_IF_ERROR(CheckSelfOrAdmin(principal, user));
  return users_->ListTokens(user);
}

grpc::ServerUnaryReactor* AuthService::RevokeToken(grpc::CallbackServerContext* call,
                                                   const v1::RevokeTokenRequest* request,
                                                   google::protobuf::Empty* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.AuthService/RevokeToken", rpc_.quick, request, response,
      [=, this](const Principal& principal) { return Revoke(request->name(), principal); });
}

absl::Status AuthService::Revoke(const std::string& name, const Principal& principal) {
  if (principal.admin()) return users_->RevokeToken(name);
  const absl::StatusOr<v1::Token> token = users_->GetToken(name);
  const bool owns = token.ok() && token->user() == MakeName(kUsers, principal.owner);
  return owns ? users_->RevokeToken(name) : NoPermission(name);
}

grpc::ServerUnaryReactor* AuthService::WhoAmI(grpc::CallbackServerContext* call,
                                              const v1::WhoAmIRequest* /*request*/,
                                              v1::WhoAmIResponse* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.AuthService/WhoAmI", rpc_.quick, response,
      [=, this](const Principal& principal) { return Store(Describe(principal), response); });
}

absl::StatusOr<v1::WhoAmIResponse> AuthService::Describe(const Principal& principal) {
  v1::WhoAmIResponse response;
  response.set_user(MakeName(kUsers, principal.owner));
  response.set_role(principal.role);
  response.set_open(principal.token_id.empty());
  if (response.open()) return response;
  TY_ASSIGN_OR_RETURN(*response.mutable_token(),
                      users_->GetToken(MakeName(kTokens, principal.token_id)));
  return response;
}

grpc::ServerUnaryReactor* AuthService::ListAuditEntries(grpc::CallbackServerContext* call,
                                                        const v1::ListAuditEntriesRequest* request,
                                                        v1::ListAuditEntriesResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.AuthService/ListAuditEntries", rpc_.quick, response,
               [=, this](const Principal&) { return Store(audit_->List(*request), response); });
}

}  // namespace trainyard
