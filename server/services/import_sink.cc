#include "server/services/import_sink.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/model/bundle.h"
#include "server/base/ids.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"

namespace trainyard {

absl::Status ImportSink::Accept(const v1::ImportModelRequest& request) {
  if (opened_ == request.has_options()) {
    return InvalidRequest("options", opened_ ? "came a second time; only the first message has them"
                                             : "are missing; the first message must have them");
  }
  if (!opened_) {
    opened_ = true;
    options_ = request.options();
    std::vector<FieldViolation> violations;
    CheckDisplayName("options.display_name", options_.display_name(), &violations);
    CheckRequestId(options_.request_id(), &violations);
    TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  }
  TY_RETURN_IF_ERROR(CheckChunk(request.data()));
  if (static_cast<int64_t>(bytes_.size() + request.data().size()) > kBundleBytesMax) {
    return InvalidRequest("data", absl::StrCat("is more than ", kBundleBytesMax,
                                               " bytes together; no bundle is that large"));
  }
  bytes_ += request.data();
  return absl::OkStatus();
}

absl::Status ImportSink::Close(const absl::Status& input, v1::Model* response) {
  if (!input.ok()) return input;
  if (!opened_) return InvalidRequest("options", "are missing; the stream had no message");
  const absl::StatusOr<Bundle> bundle = DecodeBundle(bytes_);
  if (!bundle.ok()) {
    return InvalidRequest("data", absl::StrCat("is no bundle of a model: ",
                                               bundle.status().message(),
                                               "; export one in native format"));
  }
  v1::Model model;
  model.set_owner(owner_);
  model.set_display_name(options_.display_name());
  BundleToProto(*bundle, &model);
  absl::StatusOr<v1::Model> stored = models_->Import(std::move(model), bytes_, options_.request_id());
  TY_RETURN_IF_ERROR(stored.status());
  *response = *std::move(stored);
  return absl::OkStatus();
}

}  // namespace trainyard
