// WorkerService: what worker processes use; served on their own socket only.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_WORKER_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_WORKER_SERVICE_H_

#include <utility>

#include "core/base/file_system.h"
#include "server/jobs/job_manager.h"
#include "server/rpc/call_scope.h"
#include "server/services/work_reactor.h"
#include "server/storage/blob_store.h"
#include "trainyard/v1/worker.grpc.pb.h"

namespace trainyard {

class WorkerService final : public v1::WorkerService::CallbackService {
 public:
  // `pool` runs nothing but messages of workers, so that clients cannot hold them up; its queue is
  // longer than there are slots.
  WorkerService(const RpcContext& rpc, WorkerAdmission admission, JobManager* jobs,
                BlobStore* blobs, FileSystem* files, Executor* pool)
      : rpc_(rpc),
        admission_(std::move(admission)),
        jobs_(jobs),
        blobs_(blobs),
        files_(files),
        pool_(pool) {}

  grpc::ServerBidiReactor<v1::WorkRequest, v1::WorkResponse>* Work(
      grpc::CallbackServerContext* call) override;
  grpc::ServerWriteReactor<v1::ReadBlobResponse>* ReadBlob(
      grpc::CallbackServerContext* call, const v1::ReadBlobRequest* request) override;
  grpc::ServerReadReactor<v1::WriteBlobRequest>* WriteBlob(
      grpc::CallbackServerContext* call, v1::WriteBlobResponse* response) override;

 private:
  const RpcContext rpc_;
  const WorkerAdmission admission_;
  JobManager* const jobs_;
  BlobStore* const blobs_;
  FileSystem* const files_;
  Executor* const pool_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_WORKER_SERVICE_H_
