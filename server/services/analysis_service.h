// AnalysisService: the rpcs of trainyard.v1.AnalysisService. An analysis is a job: everything but
// its creation and its result is JobService's.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_ANALYSIS_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_ANALYSIS_SERVICE_H_

#include <string>

#include "absl/status/statusor.h"
#include "server/jobs/job_manager.h"
#include "server/rpc/call_scope.h"
#include "server/services/job_admission.h"
#include "server/storage/blob_store.h"
#include "trainyard/v1/analysis.grpc.pb.h"

namespace trainyard {

class AnalysisService final : public v1::AnalysisService::CallbackService {
 public:
  AnalysisService(const RpcContext& rpc, JobManager* jobs, JobAdmission* admission,
                  BlobStore* blobs)
      : rpc_(rpc), jobs_(jobs), admission_(admission), blobs_(blobs) {}

  grpc::ServerUnaryReactor* CreateAnalysis(grpc::CallbackServerContext* call,
                                           const v1::CreateAnalysisRequest* request,
                                           v1::TrainingJob* response) override;
  grpc::ServerUnaryReactor* GetAnalysisResult(grpc::CallbackServerContext* call,
                                              const v1::GetAnalysisResultRequest* request,
                                              v1::AnalysisResult* response) override;

 private:
  absl::StatusOr<v1::AnalysisResult> Result(const std::string& name);

  const RpcContext rpc_;
  JobManager* const jobs_;
  JobAdmission* const admission_;
  BlobStore* const blobs_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_ANALYSIS_SERVICE_H_
