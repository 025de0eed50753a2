#include "server/services/export_source.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/model/export.h"
#include "server/services/request_checks.h"

namespace trainyard {
namespace {

constexpr int64_t kRowsComparedMax = 1'000;
constexpr uint64_t kRandomRowsSeed = 4711;

absl::Status CheckRequest(const v1::ExportModelRequest& request) {
  std::vector<FieldViolation> violations;
  if (!v1::ModelFormat_IsValid(request.format())) {
    violations.push_back({"format", absl::StrCat("value ", static_cast<int>(request.format()),
                                                 " is not known; use NATIVE, ONNX or JSON")});
  }
  const bool compares = request.format() == v1::MODEL_FORMAT_ONNX;
  if (!compares && !request.verify_dataset().empty()) {
    violations.push_back({"verify_dataset", "is for ONNX only; leave it out"});
  }
  if (!compares && request.has_tolerance()) {
    violations.push_back({"tolerance", "is for ONNX only; leave it out"});
  }
  if (compares && !(request.tolerance() >= 0)) {
    violations.push_back({"tolerance", absl::StrCat("is ", request.tolerance(),
                                                    "; give a number of at least 0")});
  }
  return InvalidRequest(std::move(violations));
}

}  // namespace

absl::StatusOr<bool> ExportSource::Next(v1::ExportModelResponse* response) {
  if (!made_) TY_RETURN_IF_ERROR(Make());
  if (position_ >= bytes_.size()) return false;
  const size_t size =
      std::min(bytes_.size() - position_, static_cast<size_t>(limits::kChunkBytesMax));
  response->set_data(bytes_.substr(position_, size));
  response->set_total_size_bytes(static_cast<int64_t>(bytes_.size()));
  if (comparison_.has_value()) {
    response->set_largest_difference(comparison_->largest_difference);
    response->set_rows_compared(comparison_->rows_compared);
  }
  position_ += size;
  return true;
}

absl::Status ExportSource::Make() {
  TY_RETURN_IF_ERROR(CheckRequest(request_));
  TY_RETURN_IF_ERROR(access_->CheckRead(caller_, request_.name()));
  TY_RETURN_IF_ERROR(access_->CheckReadIfNamed(caller_, request_.verify_dataset()));
  TY_ASSIGN_OR_RETURN(const v1::Model model, models_->Get(request_.name()));
  made_ = true;
  if (request_.format() != v1::MODEL_FORMAT_ONNX && request_.format() != v1::MODEL_FORMAT_JSON) {
    TY_ASSIGN_OR_RETURN(bytes_, models_->LoadBundle(model));
    return absl::OkStatus();
  }
  TY_ASSIGN_OR_RETURN(const std::shared_ptr<const Predictor> predictor, cache_->Get(model));
  if (request_.format() == v1::MODEL_FORMAT_ONNX) return MakeOnnx(model, *predictor);
  bytes_ = ExportJson(predictor->bundle());
  return absl::OkStatus();
}

absl::Status ExportSource::MakeOnnx(const v1::Model& model, const Predictor& predictor) {
  TY_ASSIGN_OR_RETURN(std::string bytes, ExportOnnx(predictor.bundle()));
  TY_ASSIGN_OR_RETURN(const Table rows, RowsToCompare(model, predictor.bundle()));
  TY_ASSIGN_OR_RETURN(comparison_, CompareOnnx(bytes, predictor, rows, kRowsComparedMax));
  const double tolerance =
      request_.has_tolerance() ? request_.tolerance() : kOnnxToleranceDefault;
  const absl::Status close = CheckOnnxTolerance(*comparison_, tolerance);
  if (!close.ok()) return Annotate(close, model.name());
  bytes_ = std::move(bytes);
  return absl::OkStatus();
}

absl::StatusOr<Table> ExportSource::RowsToCompare(const v1::Model& model, const Bundle& bundle) {
  if (!request_.verify_dataset().empty()) {
    TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(request_.verify_dataset()));
    TY_RETURN_IF_ERROR(CheckReady(dataset));
    return datasets_->LoadTable(dataset, /*check_cells=*/false);
  }
  const std::string& digest = model.receipt().table_digest();
  if (!digest.empty()) {
    absl::StatusOr<Table> table = datasets_->LoadFrozenTable(digest);
    if (!absl::IsNotFound(table.status())) return table;
  }
  return RandomFeatureRows(bundle, kRowsComparedMax, kRandomRowsSeed);
}

}  // namespace trainyard
