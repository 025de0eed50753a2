#include "server/services/upload_sink.h"

#include "absl/strings/str_cat.h"
#include "core/base/crc32c.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/services/request_checks.h"

namespace trainyard {
namespace {

absl::Status WrongOffset(const std::string& name, int64_t offset, int64_t expected) {
  return MakeError(absl::StatusCode::kAborted,
                   absl::StrCat(name, ": a message starts at offset ", offset,
                                ", but the upload stands at ", expected),
                   {.reason = ErrorReason::kOffsetMismatch,
                    .hint = "ask GetUploadStatus and go on from committed_size_bytes",
                    .metadata = {{"committed_size_bytes", absl::StrCat(expected)}}});
}

absl::Status WrongChecksum(const std::string& name, const v1::WriteDatasetRequest& request,
                           uint32_t actual) {
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat(name, ": the ", request.data().size(), " bytes at offset ", request.offset(),
                   " have crc32c ", actual, ", the message says ", request.crc32c()),
      {.reason = ErrorReason::kDigestMismatch,
       .hint = "send them again; crc32c is Castagnoli's polynomial over `data` alone"});
}

}  // namespace

absl::Status UploadSink::Accept(const v1::WriteDatasetRequest& request) {
  if (writer_ == nullptr) TY_RETURN_IF_ERROR(Open(request));
  TY_RETURN_IF_ERROR(Check(request));
  return writer_->Append(request.data());
}

absl::Status UploadSink::Open(const v1::WriteDatasetRequest& request) {
  if (request.name().empty()) {
    return InvalidRequest("name", "is missing; the first message must name the dataset");
  }
  name_ = request.name();
  TY_RETURN_IF_ERROR(access_->CheckWrite(caller_, name_));
  TY_ASSIGN_OR_RETURN(writer_, datasets_->OpenUpload(name_));
  return absl::OkStatus();
}

absl::Status UploadSink::Check(const v1::WriteDatasetRequest& request) const {
  if (!request.name().empty() && request.name() != name_) {
    return InvalidRequest(
        "name", absl::StrCat("is another dataset than ", name_, "; open another stream for it"));
  }
  TY_RETURN_IF_ERROR(CheckChunk(request.data()));
  if (request.offset() != writer_->offset()) {
    return WrongOffset(name_, request.offset(), writer_->offset());
  }
  const uint32_t actual = crc32c::Value(request.data());
  if (actual != request.crc32c()) return WrongChecksum(name_, request, actual);
  return absl::OkStatus();
}

absl::Status UploadSink::Close(const absl::Status& input, v1::WriteDatasetResponse* response) {
  if (writer_ == nullptr) {
    return InvalidRequest("name", "is missing; the stream had no message");
  }
  const absl::StatusOr<int64_t> committed = writer_->Commit();
  writer_.reset();  // a resumed upload may begin as soon as this call is answered
  TY_RETURN_IF_ERROR(committed.status());
  if (input.ok()) response->set_committed_size_bytes(*committed);
  return absl::OkStatus();
}

}  // namespace trainyard
