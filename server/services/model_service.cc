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
#include "core/data/number.h"
#include "server/rpc/serve.h"
#include "server/rpc/write_stream.h"
#include "server/services/export_source.h"
#include "server/services/import_sink.h"
#include "server/services/predict_table.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

// What is wrong with the cells of one row; empty: nothing.
std::string RowFault(const v1::PredictRequest::Row& row, int features) {
  if (row.values_size() > 0 && row.cells_size() > 0) return "has values and cells; give one of both";
  const int count = row.cells_size() > 0 ? row.cells_size() : row.values_size();
  if (count == features) return "";
  return absl::StrCat("has ", count, " values; the model takes ", features,
                      ", see its feature_columns");
}

absl::Status CheckRows(const v1::PredictRequest& request, const Bundle& bundle) {
  const int features = static_cast<int>(bundle.feature_columns.size());
  std::vector<FieldViolation> violations;
  if (request.rows().empty() || request.rows_size() > limits::kPredictRowsMax) {
    violations.push_back({"rows", absl::StrCat("are ", request.rows_size(), "; give 1 to ",
                                               limits::kPredictRowsMax, ", or use PredictTable")});
  }
  for (int i = 0; i < request.rows_size(); ++i) {
    std::string fault = RowFault(request.rows(i), features);
    if (!fault.empty()) violations.push_back({absl::StrCat("rows[", i, "]"), std::move(fault)});
  }
  return InvalidRequest(std::move(violations));
}

// Raw values of all rows, row-major, as Predictor takes them; it finds what is wrong with them.
std::vector<double> RowValues(const v1::PredictRequest& request, const Preprocessor& preprocessor) {
  std::vector<double> values;
  const int64_t columns = preprocessor.column_count();
  values.reserve(static_cast<size_t>(request.rows_size() * columns));
  for (const v1::PredictRequest::Row& row : request.rows()) {
    for (int64_t c = 0; c < columns; ++c) {
      const int at = static_cast<int>(c);
      values.push_back(row.cells_size() > 0 ? preprocessor.RawOf(c, TrimCell(row.cells(at)))
                                            : preprocessor.RawOfNumber(c, row.values(at)));
    }
  }
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

}  // namespace

grpc::ServerUnaryReactor* ModelService::GetModel(grpc::CallbackServerContext* call,
                                                 const v1::GetModelRequest* request,
                                                 v1::Model* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/GetModel", rpc_.heavy, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request->name()));
                 return Store(DoGet(request->name()), response);
               });
}

absl::StatusOr<v1::Model> ModelService::DoGet(const std::string& name) {
  TY_ASSIGN_OR_RETURN(v1::Model model, models_->Get(name));
  const absl::StatusOr<std::shared_ptr<const Predictor>> predictor = cache_.Get(model);
  // A damaged bundle does not hide what else is known of the model.
  if (predictor.ok()) FeaturesToProto((*predictor)->bundle(), &model);
  return model;
}

grpc::ServerReadReactor<v1::ImportModelRequest>* ModelService::ImportModel(
    grpc::CallbackServerContext* call, v1::Model* response) {
  return ReadStream<v1::ImportModelRequest, v1::Model>::Start(
      rpc_, call, "/trainyard.v1.ModelService/ImportModel", response, rpc_.heavy,
      std::make_unique<ImportSink>(models_));
}

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* call,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/ListModels", rpc_.quick, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_ASSIGN_OR_RETURN(const std::string owner,
                                     rpc_.access->ListOwner(principal, ""));
                 return Store(models_->List(*request, owner), response);
               });
}

grpc::ServerUnaryReactor* ModelService::DeleteModel(grpc::CallbackServerContext* call,
                                                    const v1::DeleteModelRequest* request,
                                                    google::protobuf::Empty* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/DeleteModel", rpc_.quick, request, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckWrite(principal, request->name()));
                 return DoDelete(request->name());
               });
}

absl::Status ModelService::DoDelete(const std::string& name) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(name));
  const absl::StatusOr<v1::TrainingJob> job = jobs_->Get(model.training_job());
  if (!job.ok() && !absl::IsNotFound(job.status())) return job.status();
  if (job.ok()) TY_RETURN_IF_ERROR(CheckNotGraded(name, *job));
  return models_->Delete(name);
}

grpc::ServerUnaryReactor* ModelService::Predict(grpc::CallbackServerContext* call,
                                                const v1::PredictRequest* request,
                                                v1::PredictResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/Predict", rpc_.heavy, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request->name()));
                 return Store(DoPredict(*request), response);
               });
}

absl::StatusOr<v1::PredictResponse> ModelService::DoPredict(const v1::PredictRequest& request) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(request.name()));
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<const Predictor> predictor, cache_.Get(model));
  TY_RETURN_IF_ERROR(CheckRows(request, predictor->bundle()));
  TY_RETURN_IF_ERROR(CheckPredictSize(request.rows_size(), predictor->bundle()));
  TY_ASSIGN_OR_RETURN(
      const std::vector<Prediction> predictions,
      predictor->Predict(RowValues(request, predictor->bundle().preprocessor)));
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
      std::make_unique<PredictTableTransform>(rpc_.access, models_, &cache_, rpc_.metrics));
}

grpc::ServerUnaryReactor* ModelService::EvaluateModel(grpc::CallbackServerContext* call,
                                                      const v1::EvaluateModelRequest* request,
                                                      v1::EvaluateModelResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.ModelService/EvaluateModel", rpc_.heavy, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request->name()));
                 TY_RETURN_IF_ERROR(rpc_.access->CheckReadIfNamed(principal, request->dataset()));
                 return Store(DoEvaluate(*request), response);
               });
}

absl::StatusOr<v1::EvaluateModelResponse> ModelService::DoEvaluate(
    const v1::EvaluateModelRequest& request) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(request.name()));
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(request.dataset()));
  TY_RETURN_IF_ERROR(CheckReady(dataset));
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<const Predictor> predictor, cache_.Get(model));
  TY_ASSIGN_OR_RETURN(const Table table, datasets_->LoadTable(dataset, /*check_cells=*/true));
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
      std::make_unique<ExportSource>(*request, rpc_.access, models_, datasets_, &cache_));
}

}  // namespace trainyard
