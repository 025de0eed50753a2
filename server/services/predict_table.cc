#include "server/services/predict_table.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

absl::Status CheckHiddenLayer(int64_t layer, const Bundle& bundle) {
  const auto layers_max = static_cast<int64_t>(bundle.weights.size()) - 1;
  if (layer >= 0 && layer <= layers_max) return absl::OkStatus();
  return InvalidRequest("options.hidden_layer",
                        absl::StrCat("is ", layer, "; the model has ", layers_max,
                                     " hidden layers, the first is 1, and 0 asks for predictions"));
}

}  // namespace

absl::Status PredictTableTransform::Accept(const v1::PredictTableRequest* request) {
  if (request == nullptr) {
    if (table_ == nullptr)
      return InvalidRequest("options", "are missing; the first message must have them");
    table_->Finish();
    return absl::OkStatus();
  }
  if (table_ == nullptr && !request->has_options()) {
    return InvalidRequest("options", "are missing; the first message must have them");
  }
  if (table_ != nullptr && request->has_options()) {
    return InvalidRequest("options", "came a second time; only the first message has them");
  }
  TY_RETURN_IF_ERROR(CheckChunk(request->data()));
  if (table_ == nullptr) TY_RETURN_IF_ERROR(Open(request->options()));
  table_->Append(request->data());
  return absl::OkStatus();
}

absl::Status PredictTableTransform::Open(const v1::PredictTableRequest::Options& options) {
  TY_RETURN_IF_ERROR(access_->CheckRead(caller_, options.name()));
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(options.name()));
  std::vector<FieldViolation> violations;
  const CsvOptions csv = CsvOptionsFromProto(options.csv(), &violations);
  for (FieldViolation& violation : violations) violation.field = "options." + violation.field;
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  TY_ASSIGN_OR_RETURN(predictor_, cache_->Get(model));
  TY_RETURN_IF_ERROR(CheckHiddenLayer(options.hidden_layer(), predictor_->bundle()));
  table_ = std::make_unique<TablePredictor>(*predictor_, csv, options.hidden_layer());
  return absl::OkStatus();
}

absl::StatusOr<bool> PredictTableTransform::Next(v1::PredictTableResponse* response) {
  if (table_ == nullptr) return false;
  TY_ASSIGN_OR_RETURN(std::string out, table_->Take());
  if (out.empty()) return false;
  const int64_t rows = table_->rows_done() - rows_answered_;
  rows_answered_ = table_->rows_done();
  metrics_->PredictedRows(rows);
  response->set_data(std::move(out));
  response->set_row_count(rows);
  return true;
}

}  // namespace trainyard
