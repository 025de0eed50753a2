#include "server/services/worker_service.h"

#include <memory>

#include "core/base/limits.h"
#include "server/services/blob_streams.h"

namespace trainyard {
namespace {

// float32 parameters, and room for the rest of a bundle.
constexpr int64_t kBlobBytesMax = 4 * limits::kParametersMax + (int64_t{64} << 20);

}  // namespace

grpc::ServerBidiReactor<v1::WorkRequest, v1::WorkResponse>* WorkerService::Work(
    grpc::CallbackServerContext* call) {
  return WorkReactor::Start(rpc_, admission_, jobs_, pool_, call);
}

grpc::ServerWriteReactor<v1::ReadBlobResponse>* WorkerService::ReadBlob(
    grpc::CallbackServerContext* call, const v1::ReadBlobRequest* request) {
  return WriteStream<v1::ReadBlobResponse>::Start(
      rpc_, call, "/trainyard.v1.WorkerService/ReadBlob", pool_,
      std::make_unique<BlobSource>(*request, admission_, blobs_, files_));
}

grpc::ServerReadReactor<v1::WriteBlobRequest>* WorkerService::WriteBlob(
    grpc::CallbackServerContext* call, v1::WriteBlobResponse* response) {
  return ReadStream<v1::WriteBlobRequest, v1::WriteBlobResponse>::Start(
      rpc_, call, "/trainyard.v1.WorkerService/WriteBlob", response, pool_,
      std::make_unique<BlobSink>(admission_, blobs_, kBlobBytesMax));
}

}  // namespace trainyard
