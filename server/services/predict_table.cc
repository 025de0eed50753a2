#include "server/services/predict_table.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

// An answer stays near this size.
constexpr int64_t kPieceAnswerBytes = int64_t{1} << 20;
// A probability in text, with its comma.
constexpr int64_t kNumberBytesMax = 25;
constexpr int64_t kPieceBytesMin = 16;
constexpr int64_t kPieceBytesMax = 64 * 1024;

// So many bytes of input that the rows in them, at their shortest (one digit and a separator per
// feature), are answered with about kPieceAnswerBytes.
int64_t PieceBytes(const Bundle& bundle, int64_t hidden_layer) {
  const int64_t row_in =
      2 * std::max<int64_t>(static_cast<int64_t>(bundle.feature_columns.size()), 1);
  const int64_t numbers = hidden_layer == 0
                              ? static_cast<int64_t>(bundle.classes.size()) + 1
                              : bundle.weights[static_cast<size_t>(hidden_layer) - 1].out;
  const int64_t row_out = kNumberBytesMax * numbers;
  return std::clamp(kPieceAnswerBytes * row_in / row_out, kPieceBytesMin, kPieceBytesMax);
}

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
    finish_ = table_ != nullptr;
    if (finish_) return absl::OkStatus();
    return InvalidRequest("options", "are missing; the first message must have them");
  }
  if (table_ == nullptr && !request->has_options()) {
    return InvalidRequest("options", "are missing; the first message must have them");
  }
  if (table_ != nullptr && request->has_options()) {
    return InvalidRequest("options", "came a second time; only the first message has them");
  }
  if (static_cast<int64_t>(request->data().size()) > limits::kChunkBytesMax) {
    return InvalidRequest("data",
                          absl::StrCat("has ", request->data().size(), " bytes; send at most ",
                                       limits::kChunkBytesMax, " in one message"));
  }
  if (table_ == nullptr) TY_RETURN_IF_ERROR(Open(request->options()));
  input_ = request->data();
  return absl::OkStatus();
}

absl::Status PredictTableTransform::Open(const v1::PredictTableRequest::Options& options) {
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(options.name()));
  std::vector<FieldViolation> violations;
  const CsvOptions csv = CsvOptionsFromProto(options.csv(), &violations);
  for (FieldViolation& violation : violations) violation.field = "options." + violation.field;
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  TY_ASSIGN_OR_RETURN(predictor_, cache_->Get(model));
  TY_RETURN_IF_ERROR(CheckHiddenLayer(options.hidden_layer(), predictor_->bundle()));
  piece_bytes_ = static_cast<size_t>(PieceBytes(predictor_->bundle(), options.hidden_layer()));
  table_ = std::make_unique<TablePredictor>(*predictor_, csv, options.hidden_layer());
  return absl::OkStatus();
}

absl::StatusOr<bool> PredictTableTransform::Next(v1::PredictTableResponse* response) {
  std::string out;
  while (out.empty() && !input_.empty()) {
    const absl::string_view piece = input_.substr(0, piece_bytes_);
    input_.remove_prefix(piece.size());
    TY_ASSIGN_OR_RETURN(out, table_->Append(piece));
  }
  if (out.empty() && finish_) {
    finish_ = false;
    TY_ASSIGN_OR_RETURN(out, table_->Finish());
  }
  if (out.empty()) return false;
  const int64_t rows = table_->rows_done() - rows_answered_;
  rows_answered_ = table_->rows_done();
  metrics_->PredictedRows(rows);
  response->set_data(std::move(out));
  response->set_row_count(rows);
  return true;
}

}  // namespace trainyard
