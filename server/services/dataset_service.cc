#include "server/services/dataset_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "server/rpc/read_stream.h"
#include "server/rpc/serve.h"
#include "server/rpc/write_stream.h"
#include "server/services/preview.h"
#include "server/services/request_checks.h"
#include "server/services/upload_sink.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

class RejectSource final : public WriteStream<v1::DownloadRejectReportResponse>::Source {
 public:
  RejectSource(std::string name, const Access* access, DatasetStore* datasets)
      : name_(std::move(name)), access_(access), datasets_(datasets) {}

  void SetCaller(const Principal& caller) override { caller_ = caller; }

  absl::StatusOr<bool> Next(v1::DownloadRejectReportResponse* response) override {
    if (rejects_.file == nullptr) {
      TY_RETURN_IF_ERROR(access_->CheckRead(caller_, name_));
      TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(name_));
      if (dataset.sealed()) return CheckReady(dataset);
      TY_ASSIGN_OR_RETURN(rejects_, datasets_->OpenRejects(name_));
    }
    std::string& data = *response->mutable_data();
    data.resize(static_cast<size_t>(limits::kChunkBytesMax));
    TY_ASSIGN_OR_RETURN(const size_t size, rejects_.file->Read({data.data(), data.size()}));
    data.resize(size);
    response->set_total_size_bytes(rejects_.size_bytes);
    return size > 0;
  }

 private:
  const std::string name_;
  const Access* const access_;
  DatasetStore* const datasets_;
  Principal caller_;
  DatasetStore::RejectFile rejects_;  // after the first Next
};

absl::Status Show(absl::StatusOr<v1::Dataset> dataset, v1::Dataset* response) {
  if (dataset.ok()) dataset = VisibleOf(*std::move(dataset));
  return Store(std::move(dataset), response);
}

}  // namespace

grpc::ServerUnaryReactor* DatasetService::CreateDataset(grpc::CallbackServerContext* call,
                                                        const v1::CreateDatasetRequest* request,
                                                        v1::Dataset* response) {
  return Serve(rpc_, call, "/trainyard.v1.DatasetService/CreateDataset", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Show(Create(*request, principal), response);
               });
}

absl::StatusOr<v1::Dataset> DatasetService::Create(const v1::CreateDatasetRequest& request,
                                                   const Principal& principal) {
  std::vector<FieldViolation> violations;
  CheckRequestId(request.request_id(), &violations);
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  v1::CreateDatasetRequest body = request;
  body.clear_request_id();
  return datasets_->Create(request, principal.owner, MessageDigest(body));
}

grpc::ServerReadReactor<v1::WriteDatasetRequest>* DatasetService::WriteDataset(
    grpc::CallbackServerContext* call, v1::WriteDatasetResponse* response) {
  return UploadStream::Start(rpc_, call, "/trainyard.v1.DatasetService/WriteDataset", response,
                             rpc_.heavy, std::make_unique<UploadSink>(rpc_.access, datasets_));
}

grpc::ServerUnaryReactor* DatasetService::GetUploadStatus(grpc::CallbackServerContext* call,
                                                          const v1::GetUploadStatusRequest* request,
                                                          v1::UploadStatus* response) {
  return Serve(rpc_, call, "/trainyard.v1.DatasetService/GetUploadStatus", rpc_.quick, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request->name()));
                 return Store(datasets_->GetUploadStatus(request->name()), response);
               });
}

grpc::ServerUnaryReactor* DatasetService::FinalizeDataset(grpc::CallbackServerContext* call,
                                                          const v1::FinalizeDatasetRequest* request,
                                                          v1::Dataset* response) {
  return Serve(rpc_, call, "/trainyard.v1.DatasetService/FinalizeDataset", rpc_.heavy, request,
               response, [=, this](const Principal& principal) -> absl::Status {
                 const std::string& labels = request->labels_dataset();
                 TY_RETURN_IF_ERROR(rpc_.access->CheckWrite(principal, request->name()));
                 TY_RETURN_IF_ERROR(rpc_.access->CheckReadIfNamed(principal, labels));
                 return Show(datasets_->Finalize(*request), response);
               });
}

grpc::ServerUnaryReactor* DatasetService::GetDataset(grpc::CallbackServerContext* call,
                                                     const v1::GetDatasetRequest* request,
                                                     v1::Dataset* response) {
  return Serve(rpc_, call, "/trainyard.v1.DatasetService/GetDataset", rpc_.quick, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request->name()));
                 return Show(datasets_->Get(request->name()), response);
               });
}

grpc::ServerUnaryReactor* DatasetService::ListDatasets(grpc::CallbackServerContext* call,
                                                       const v1::ListDatasetsRequest* request,
                                                       v1::ListDatasetsResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.DatasetService/ListDatasets", rpc_.quick, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_ASSIGN_OR_RETURN(const std::string owner,
                                     rpc_.access->ListOwner(principal, ""));
                 TY_ASSIGN_OR_RETURN(*response, datasets_->List(*request, owner));
                 for (v1::Dataset& dataset : *response->mutable_datasets()) {
                   dataset = VisibleOf(std::move(dataset));
                 }
                 return absl::OkStatus();
               });
}

grpc::ServerUnaryReactor* DatasetService::PreviewDataset(grpc::CallbackServerContext* call,
                                                         const v1::PreviewDatasetRequest* request,
                                                         v1::PreviewDatasetResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.DatasetService/PreviewDataset", rpc_.heavy, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request->name()));
                 TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(request->name()));
                 return Store(Preview(dataset, request->row_count(), *datasets_), response);
               });
}

grpc::ServerWriteReactor<v1::DownloadRejectReportResponse>* DatasetService::DownloadRejectReport(
    grpc::CallbackServerContext* call, const v1::DownloadRejectReportRequest* request) {
  return WriteStream<v1::DownloadRejectReportResponse>::Start(
      rpc_, call, "/trainyard.v1.DatasetService/DownloadRejectReport", rpc_.heavy,
      std::make_unique<RejectSource>(request->name(), rpc_.access, datasets_));
}

grpc::ServerUnaryReactor* DatasetService::SealDataset(grpc::CallbackServerContext* call,
                                                      const v1::SealDatasetRequest* request,
                                                      v1::Dataset* response) {
  return Serve(rpc_, call, "/trainyard.v1.DatasetService/SealDataset", rpc_.quick, request,
               response, [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckWrite(principal, request->name()));
                 return Show(datasets_->Seal(request->name()), response);
               });
}

grpc::ServerUnaryReactor* DatasetService::DeleteDataset(grpc::CallbackServerContext* call,
                                                        const v1::DeleteDatasetRequest* request,
                                                        google::protobuf::Empty* response) {
  return Serve(rpc_, call, "/trainyard.v1.DatasetService/DeleteDataset", rpc_.quick, request,
               response, [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckWrite(principal, request->name()));
                 return datasets_->Delete(request->name());
               });
}

}  // namespace trainyard
