#include "server/services/model_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/model/export.h"
#include "server/rpc/serve.h"
#include "server/rpc/write_stream.h"
#include "server/services/predict_table.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

// The values of all rows, row-major. Every row of another length is a fault.
absl::StatusOr<std::vector<double>> RowValues(const v1::PredictRequest& request,
                                              const Bundle& bundle) {
  const int features = static_cast<int>(bundle.feature_columns.size());
  std::vector<FieldViolation> violations;
  if (request.rows().empty() || request.rows_size() > limits::kPredictRowsMax) {
    violations.push_back({"rows", absl::StrCat("are ", request.rows_size(), "; give 1 to ",
                                               limits::kPredictRowsMax, ", or use PredictTable")});
  }
  std::vector<double> values;
  values.reserve(static_cast<size_t>(request.rows_size()) * static_cast<size_t>(features));
  for (int i = 0; i < request.rows_size(); ++i) {
    const auto& row = request.rows(i).values();
    if (row.size() != features) {
      violations.push_back({absl::StrCat("rows[", i, "].values"),
                            absl::StrCat("has ", row.size(), " values; the model takes ", features,
                                         ", see its feature_columns")});
    }
    values.insert(values.end(), row.begin(), row.end());
  }
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  return values;
}

// Before predicting: probabilities of many rows and classes may be far more than one answer holds.
absl::Status CheckPredictSize(int64_t rows, const Bundle& bundle) {
  const int64_t classes_max = std::max<int64_t>(static_cast<int64_t>(bundle.classes.size()), 1);
  const int64_t rows_max = limits::kAnswerBytesMax / (8 * classes_max + 32);
  if (rows <= rows_max) return absl::OkStatus();
  return InvalidRequest(
      "rows", absl::StrCat("are ", rows, ", whose ", classes_max,
                           " probabilities each do not fit into one answer; give at most ",
                           rows_max, ", or use PredictTable"));
}

absl::StatusOr<std::string> ExportBytes(const v1::Model& model, v1::ModelFormat format,
                                        const ModelStore& models, PredictorCache& cache) {
  if (format == v1::MODEL_FORMAT_UNSPECIFIED || format == v1::MODEL_FORMAT_NATIVE) {
    return models.LoadBundle(model);
  }
  if (format != v1::MODEL_FORMAT_ONNX && format != v1::MODEL_FORMAT_JSON) {
    return InvalidRequest("format", absl::StrCat("value ", static_cast<int>(format),
                                                 " is not known; use NATIVE, ONNX or JSON"));
  }
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<const Predictor> predictor, cache.Get(model));
  return format == v1::MODEL_FORMAT_ONNX ? ExportOnnx(predictor->bundle())
                                         : ExportJson(predictor->bundle());
}

// The file is made when the first piece is asked for.
class ExportSource final : public WriteStream<v1::ExportModelResponse>::Source {
 public:
  ExportSource(const v1::ExportModelRequest& request, const ModelStore* models,
               PredictorCache* cache)
      : request_(request), models_(models), cache_(cache) {}

  absl::StatusOr<bool> Next(v1::ExportModelResponse* response) override {
    if (!made_) TY_RETURN_IF_ERROR(Make());
    if (position_ >= bytes_.size()) return false;
    const size_t size =
        std::min(bytes_.size() - position_, static_cast<size_t>(limits::kChunkBytesMax));
    response->set_data(bytes_.substr(position_, size));
    response->set_total_size_bytes(static_cast<int64_t>(bytes_.size()));
    position_ += size;
    return true;
  }

 private:
  absl::Status Make() {
    TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(request_.name()));
    TY_ASSIGN_OR_RETURN(bytes_, ExportBytes(model, request_.format(), *models_, *cache_));
    made_ = true;
    return absl::OkStatus();
  }

  const v1::ExportModelRequest request_;
  const ModelStore* const models_;
  PredictorCache* const cache_;
  bool made_ = false;
  std::string bytes_;
  size_t position_ = 0;
};

}  // namespace

grpc::ServerUnaryReactor* ModelService::GetModel(grpc::CallbackServerContext* call,
                                                 const v1::GetModelRequest* request,
                                                 v1::Model* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.ModelService/GetModel", rpc_.quick, response,
      [=, this](const Principal&) { return Store(models_->Get(request->name()), response); });
}

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* call,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/ListModels", rpc_.quick, response,
               [=, this](const Principal&) { return Store(models_->List(*request), response); });
}

grpc::ServerUnaryReactor* ModelService::DeleteModel(grpc::CallbackServerContext* call,
                                                    const v1::DeleteModelRequest* request,
                                                    google::protobuf::Empty* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/DeleteModel", rpc_.quick, response,
               [=, this](const Principal&) { return models_->Delete(request->name()); });
}

grpc::ServerUnaryReactor* ModelService::Predict(grpc::CallbackServerContext* call,
                                                const v1::PredictRequest* request,
                                                v1::PredictResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/Predict", rpc_.heavy, response,
               [=, this](const Principal&) { return Store(DoPredict(*request), response); });
}

absl::StatusOr<v1::PredictResponse> ModelService::DoPredict(const v1::PredictRequest& request) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(request.name()));
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<const Predictor> predictor, cache_.Get(model));
  TY_ASSIGN_OR_RETURN(const std::vector<double> values, RowValues(request, predictor->bundle()));
  TY_RETURN_IF_ERROR(CheckPredictSize(request.rows_size(), predictor->bundle()));
  TY_ASSIGN_OR_RETURN(const std::vector<Prediction> predictions, predictor->Predict(values));
  v1::PredictResponse response;
  for (const Prediction& prediction : predictions) {
    *response.add_predictions() = PredictionToProto(prediction, predictor->bundle());
  }
  rpc_.metrics->PredictedRows(response.predictions_size());
  return response;
}

grpc::ServerBidiReactor<v1::PredictTableRequest, v1::PredictTableResponse>*
ModelService::PredictTable(grpc::CallbackServerContext* call) {
  return PredictTableStream::Start(
      rpc_, call, "/trainyard.v1.ModelService/PredictTable", rpc_.heavy,
      std::make_unique<PredictTableTransform>(models_, &cache_, rpc_.metrics));
}

grpc::ServerUnaryReactor* ModelService::EvaluateModel(grpc::CallbackServerContext* call,
                                                      const v1::EvaluateModelRequest* request,
                                                      v1::EvaluateModelResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/EvaluateModel", rpc_.heavy, response,
               [=, this](const Principal&) { return Store(DoEvaluate(*request), response); });
}

absl::StatusOr<v1::EvaluateModelResponse> ModelService::DoEvaluate(
    const v1::EvaluateModelRequest& request) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(request.name()));
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(request.dataset()));
  TY_RETURN_IF_ERROR(CheckReady(dataset));
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<const Predictor> predictor, cache_.Get(model));
  TY_ASSIGN_OR_RETURN(const Table table, datasets_->LoadTable(dataset));
  TY_ASSIGN_OR_RETURN(const EvalResult result, predictor->Evaluate(table));
  v1::EvaluateModelResponse response;
  MetricsToProto(result, response.mutable_metrics());
  response.set_row_count(result.rows);
  const std::vector<std::string>& classes = predictor->bundle().classes;
  if (HasConfusion(result, classes)) {
    ConfusionToProto(result, classes, response.mutable_confusion());
  }
  return response;
}

grpc::ServerWriteReactor<v1::ExportModelResponse>* ModelService::ExportModel(
    grpc::CallbackServerContext* call, const v1::ExportModelRequest* request) {
  return WriteStream<v1::ExportModelResponse>::Start(
      rpc_, call, "/trainyard.v1.ModelService/ExportModel", rpc_.heavy,
      std::make_unique<ExportSource>(*request, models_, &cache_));
}

}  // namespace trainyard
