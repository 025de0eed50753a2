// ModelService: the rpcs of trainyard.v1.ModelService, on top of ModelStore and core/model.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_MODEL_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_MODEL_SERVICE_H_

#include "server/jobs/job_manager.h"
#include "server/rpc/call_scope.h"
#include "server/services/predictor_cache.h"
#include "server/storage/dataset_store.h"
#include "server/storage/model_store.h"
#include "trainyard/v1/model.grpc.pb.h"

namespace trainyard {

class ModelService final : public v1::ModelService::CallbackService {
 public:
  ModelService(const RpcContext& rpc, const PredictorCache::Options& cache, ModelStore* models,
               DatasetStore* datasets, JobManager* jobs)
      : rpc_(rpc), models_(models), datasets_(datasets), jobs_(jobs), cache_(cache, models) {}

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* call,
                                     const v1::GetModelRequest* request,
                                     v1::Model* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* call,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteModel(grpc::CallbackServerContext* call,
                                        const v1::DeleteModelRequest* request,
                                        google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* Predict(grpc::CallbackServerContext* call,
                                    const v1::PredictRequest* request,
                                    v1::PredictResponse* response) override;
  grpc::ServerBidiReactor<v1::PredictTableRequest, v1::PredictTableResponse>* PredictTable(
      grpc::CallbackServerContext* call) override;
  grpc::ServerUnaryReactor* EvaluateModel(grpc::CallbackServerContext* call,
                                          const v1::EvaluateModelRequest* request,
                                          v1::EvaluateModelResponse* response) override;
  grpc::ServerReadReactor<v1::ImportModelRequest>* ImportModel(grpc::CallbackServerContext* call,
                                                               v1::Model* response) override;
  grpc::ServerWriteReactor<v1::ExportModelResponse>* ExportModel(
      grpc::CallbackServerContext* call, const v1::ExportModelRequest* request) override;

 private:
  absl::StatusOr<v1::Model> DoGet(const std::string& name);
  absl::Status DoDelete(const std::string& name);
  absl::StatusOr<v1::PredictResponse> DoPredict(const v1::PredictRequest& request);
  absl::StatusOr<v1::EvaluateModelResponse> DoEvaluate(const v1::EvaluateModelRequest& request);

  const RpcContext rpc_;
  ModelStore* const models_;
  DatasetStore* const datasets_;
  JobManager* const jobs_;
  PredictorCache cache_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_MODEL_SERVICE_H_
