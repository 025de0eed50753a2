#include "server/services/admin_service.h"

#include <utility>

#include "absl/time/clock.h"
#include "core/base/limits.h"
#include "core/tensor/engine_info.h"
#include "server/base/version.h"
#include "server/jobs/job.h"
#include "server/rpc/serve.h"

namespace trainyard {
namespace {

v1::Limits LimitsToProto(const ServiceLimits& limits) {
  v1::Limits proto;
  proto.set_message_bytes_max(limits::kMessageBytesMax);
  proto.set_chunk_bytes_max(limits::kChunkBytesMax);
  proto.set_dataset_bytes_max(limits.dataset_bytes_max);
  proto.set_dataset_rows_max(limits::kDatasetRowsMax);
  proto.set_dataset_columns_max(limits::kDatasetColumnsMax);
  proto.set_spec_bytes_max(limits::kSpecBytesMax);
  proto.set_layers_max(static_cast<int32_t>(limits::kLayersMax));
  proto.set_units_max(static_cast<int32_t>(limits::kUnitsMax));
  proto.set_queued_jobs_max(limits.queued_jobs_max);
  proto.set_owner_jobs_max(limits.owner_jobs_max);
  proto.mutable_job_runtime_max()->set_seconds(absl::ToInt64Seconds(limits.job_runtime_max));
  proto.set_job_memory_bytes_max(limits.job_memory_bytes_max);
  proto.set_job_threads_max(limits.job_threads_max);
  proto.set_parameters_max(limits::kParametersMax);
  return proto;
}

}  // namespace

AdminService::AdminService(const RpcContext& rpc, const ServiceLimits& limits,
                           std::string metrics_address, JobManager* jobs)
    : rpc_(rpc),
      limits_(limits),
      metrics_address_(std::move(metrics_address)),
      jobs_(jobs),
      start_time_(absl::Now()) {}

grpc::ServerUnaryReactor* AdminService::GetServerInfo(grpc::CallbackServerContext* call,
                                                      const v1::GetServerInfoRequest* /*request*/,
                                                      v1::ServerInfo* response) {
  return Serve(rpc_, call, "/trainyard.v1.AdminService/GetServerInfo", rpc_.quick, response,
               [=, this](const Principal&) {
                 *response = Info();
                 return absl::OkStatus();
               });
}

v1::ServerInfo AdminService::Info() const {
  const EngineInfo engine = GetEngineInfo();
  const JobCounts counts = jobs_->Counts();
  v1::ServerInfo info;
  info.set_version(std::string(Version()));
  info.set_revision(std::string(Revision()));
  info.set_onednn_version(engine.onednn_version);
  info.set_isa(engine.isa);
  *info.mutable_start_time() = ToTimestamp(start_time_);
  info.set_worker_slots(limits_.job_threads_max);
  info.set_workers_connected(counts.workers_connected);
  info.set_jobs_pending(counts.pending);
  info.set_jobs_running(counts.running + counts.cancelling);
  *info.mutable_limits() = LimitsToProto(limits_);
  info.set_metrics_address(metrics_address_);
  return info;
}

}  // namespace trainyard
