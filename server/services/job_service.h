// JobService: the rpcs of trainyard.v1.JobService. Checks requests and hands them to JobManager.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_JOB_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_JOB_SERVICE_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "server/jobs/job_manager.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/serve.h"
#include "server/services/job_admission.h"
#include "server/services/watch_reactor.h"
#include "trainyard/v1/job.grpc.pb.h"

namespace trainyard {

class JobService final : public v1::JobService::CallbackService {
 public:
  JobService(const RpcContext& rpc, const WatchOptions& watch, JobManager* jobs,
             JobAdmission* admission)
      : rpc_(rpc), watch_(watch), jobs_(jobs), admission_(admission) {}

  grpc::ServerUnaryReactor* CreateTrainingJob(grpc::CallbackServerContext* call,
                                              const v1::CreateTrainingJobRequest* request,
                                              v1::TrainingJob* response) override;
  grpc::ServerUnaryReactor* GetTrainingJob(grpc::CallbackServerContext* call,
                                           const v1::GetTrainingJobRequest* request,
                                           v1::TrainingJob* response) override;
  grpc::ServerUnaryReactor* ListTrainingJobs(grpc::CallbackServerContext* call,
                                             const v1::ListTrainingJobsRequest* request,
                                             v1::ListTrainingJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelTrainingJob(grpc::CallbackServerContext* call,
                                              const v1::CancelTrainingJobRequest* request,
                                              v1::TrainingJob* response) override;
  grpc::ServerUnaryReactor* PauseTrainingJob(grpc::CallbackServerContext* call,
                                             const v1::PauseTrainingJobRequest* request,
                                             v1::TrainingJob* response) override;
  grpc::ServerUnaryReactor* ResumeTrainingJob(grpc::CallbackServerContext* call,
                                              const v1::ResumeTrainingJobRequest* request,
                                              v1::TrainingJob* response) override;
  grpc::ServerUnaryReactor* SetTrainingJobPriority(grpc::CallbackServerContext* call,
                                                   const v1::SetTrainingJobPriorityRequest* request,
                                                   v1::TrainingJob* response) override;
  grpc::ServerUnaryReactor* DeleteTrainingJob(grpc::CallbackServerContext* call,
                                              const v1::DeleteTrainingJobRequest* request,
                                              google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::WatchTrainingJobResponse>* WatchTrainingJob(
      grpc::CallbackServerContext* call, const v1::WatchTrainingJobRequest* request) override;
  grpc::ServerUnaryReactor* ListJobEvents(grpc::CallbackServerContext* call,
                                          const v1::ListJobEventsRequest* request,
                                          v1::ListJobEventsResponse* response) override;
  grpc::ServerUnaryReactor* WaitTrainingJob(grpc::CallbackServerContext* call,
                                            const v1::WaitTrainingJobRequest* request,
                                            v1::TrainingJob* response) override;

 private:
  // A call that changes the job `name`: the caller may, and it is not a submission's.
  grpc::ServerUnaryReactor* ChangeJob(grpc::CallbackServerContext* call, const char* method,
                                      const std::string& name,
                                      const google::protobuf::Message* request,
                                      const google::protobuf::Message* response, UnaryBody body);
  absl::Status CheckMayChange(const Principal& principal, const std::string& name);
  absl::StatusOr<v1::ListTrainingJobsResponse> List(const v1::ListTrainingJobsRequest& request,
                                                    const Principal& principal);
  absl::StatusOr<v1::ListJobEventsResponse> ListEvents(const v1::ListJobEventsRequest& request,
                                                       const Principal& principal);

  const RpcContext rpc_;
  const WatchOptions watch_;
  JobManager* const jobs_;
  JobAdmission* const admission_;
  std::atomic<int64_t> watchers_{0};
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_JOB_SERVICE_H_
