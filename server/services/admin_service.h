// AdminService: what the server is and which limits are in force.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_ADMIN_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_ADMIN_SERVICE_H_

#include <string>

#include "absl/time/time.h"
#include "server/jobs/job_manager.h"
#include "server/rpc/call_scope.h"
#include "server/services/service_limits.h"
#include "trainyard/v1/admin.grpc.pb.h"

namespace trainyard {

class AdminService final : public v1::AdminService::CallbackService {
 public:
  // `metrics_address` is host:port of the HTTP metrics, or empty.
  AdminService(const RpcContext& rpc, const ServiceLimits& limits, std::string metrics_address,
               JobManager* jobs);

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* call,
                                          const v1::GetServerInfoRequest* request,
                                          v1::ServerInfo* response) override;

 private:
  v1::ServerInfo Info() const;

  const RpcContext rpc_;
  const ServiceLimits limits_;
  const std::string metrics_address_;
  JobManager* const jobs_;
  const absl::Time start_time_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_ADMIN_SERVICE_H_
