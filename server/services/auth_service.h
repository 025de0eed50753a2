// AuthService: the rpcs of trainyard.v1.AuthService, on top of Users and Audit.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_AUTH_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_AUTH_SERVICE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/auth/audit.h"
#include "server/auth/users.h"
#include "server/rpc/call_scope.h"
#include "server/services/identity_exchange.h"
#include "trainyard/v1/auth.grpc.pb.h"

namespace trainyard {

class AuthService final : public v1::AuthService::CallbackService {
 public:
  AuthService(const RpcContext& rpc, Users* users, Audit* audit, IdentityExchange* exchange)
      : rpc_(rpc), users_(users), audit_(audit), exchange_(exchange) {}

  grpc::ServerUnaryReactor* CreateUser(grpc::CallbackServerContext* call,
                                       const v1::CreateUserRequest* request,
                                       v1::CreateUserResponse* response) override;
  grpc::ServerUnaryReactor* GetUser(grpc::CallbackServerContext* call,
                                    const v1::GetUserRequest* request, v1::User* response) override;
  grpc::ServerUnaryReactor* ListUsers(grpc::CallbackServerContext* call,
                                      const v1::ListUsersRequest* request,
                                      v1::ListUsersResponse* response) override;
  grpc::ServerUnaryReactor* UpdateUser(grpc::CallbackServerContext* call,
                                       const v1::UpdateUserRequest* request,
                                       v1::User* response) override;
  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* call,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) override;
  grpc::ServerUnaryReactor* ExchangeIdentityToken(
      grpc::CallbackServerContext* call, const v1::ExchangeIdentityTokenRequest* request,
      v1::ExchangeIdentityTokenResponse* response) override;
  grpc::ServerUnaryReactor* ListTokens(grpc::CallbackServerContext* call,
                                       const v1::ListTokensRequest* request,
                                       v1::ListTokensResponse* response) override;
  grpc::ServerUnaryReactor* RevokeToken(grpc::CallbackServerContext* call,
                                        const v1::RevokeTokenRequest* request,
                                        google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* call,
                                   const v1::WhoAmIRequest* request,
                                   v1::WhoAmIResponse* response) override;
  grpc::ServerUnaryReactor* ListAuditEntries(grpc::CallbackServerContext* call,
                                             const v1::ListAuditEntriesRequest* request,
                                             v1::ListAuditEntriesResponse* response) override;

 private:
  absl::StatusOr<v1::CreateTokenResponse> NewTokenFor(v1::CreateTokenRequest request,
                                                      const Principal& principal);
  absl::StatusOr<v1::ListTokensResponse> TokensOf(std::string user, const Principal& principal);
  absl::Status Revoke(const std::string& name, const Principal& principal);
  absl::StatusOr<v1::WhoAmIResponse> Describe(const Principal& principal);

  const RpcContext rpc_;
  Users* const users_;
  Audit* const audit_;
  IdentityExchange* const exchange_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_AUTH_SERVICE_H_
