// DatasetService: the rpcs of trainyard.v1.DatasetService, on top of DatasetStore.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_DATASET_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_DATASET_SERVICE_H_

#include <string>

#include "server/rpc/call_scope.h"
#include "server/storage/dataset_store.h"
#include "trainyard/v1/dataset.grpc.pb.h"

namespace trainyard {

class DatasetService final : public v1::DatasetService::CallbackService {
 public:
  DatasetService(const RpcContext& rpc, DatasetStore* datasets) : rpc_(rpc), datasets_(datasets) {}

  grpc::ServerUnaryReactor* CreateDataset(grpc::CallbackServerContext* call,
                                          const v1::CreateDatasetRequest* request,
                                          v1::Dataset* response) override;
  grpc::ServerReadReactor<v1::WriteDatasetRequest>* WriteDataset(
      grpc::CallbackServerContext* call, v1::WriteDatasetResponse* response) override;
  grpc::ServerUnaryReactor* GetUploadStatus(grpc::CallbackServerContext* call,
                                            const v1::GetUploadStatusRequest* request,
                                            v1::UploadStatus* response) override;
  grpc::ServerUnaryReactor* FinalizeDataset(grpc::CallbackServerContext* call,
                                            const v1::FinalizeDatasetRequest* request,
                                            v1::Dataset* response) override;
  grpc::ServerUnaryReactor* GetDataset(grpc::CallbackServerContext* call,
                                       const v1::GetDatasetRequest* request,
                                       v1::Dataset* response) override;
  grpc::ServerUnaryReactor* ListDatasets(grpc::CallbackServerContext* call,
                                         const v1::ListDatasetsRequest* request,
                                         v1::ListDatasetsResponse* response) override;
  grpc::ServerUnaryReactor* PreviewDataset(grpc::CallbackServerContext* call,
                                           const v1::PreviewDatasetRequest* request,
                                           v1::PreviewDatasetResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadRejectReportResponse>* DownloadRejectReport(
      grpc::CallbackServerContext* call, const v1::DownloadRejectReportRequest* request) override;
  grpc::ServerUnaryReactor* SealDataset(grpc::CallbackServerContext* call,
                                        const v1::SealDatasetRequest* request,
                                        v1::Dataset* response) override;
  grpc::ServerUnaryReactor* DeleteDataset(grpc::CallbackServerContext* call,
                                          const v1::DeleteDatasetRequest* request,
                                          google::protobuf::Empty* response) override;

 private:
  absl::StatusOr<v1::Dataset> Create(const v1::CreateDatasetRequest& request,
                                     const Principal& principal);

  const RpcContext rpc_;
  DatasetStore* const datasets_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_DATASET_SERVICE_H_
