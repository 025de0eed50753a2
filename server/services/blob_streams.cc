#include "server/services/blob_streams.h"

#include <span>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "server/services/request_checks.h"

namespace trainyard {
namespace {

absl::Status Damaged(const std::string& digest) {
  return MakeError(
      absl::StatusCode::kDataLoss,
      absl::StrCat("the stored bytes of ", digest, " do not match it any more"),
      {.reason = ErrorReason::kDataLoss, .hint = "restore the data directory from a backup"});
}

}  // namespace

absl::StatusOr<bool> BlobSource::Next(v1::ReadBlobResponse* response) {
  if (file_ == nullptr) TY_RETURN_IF_ERROR(Open());
  std::string& data = *response->mutable_data();
  data.resize(static_cast<size_t>(limits::kChunkBytesMax));
  TY_ASSIGN_OR_RETURN(const size_t size, file_->Read(std::span<char>(data.data(), data.size())));
  data.resize(size);
  if (size > 0) {
    digest_.Update(data);
    return true;
  }
  if (digest_.Digest() != request_.digest()) return Damaged(request_.digest());
  return false;
}

absl::Status BlobSource::Open() {
  TY_RETURN_IF_ERROR(CheckWorkerToken(admission_, request_.token()));
  TY_ASSIGN_OR_RETURN(const std::string path, blobs_->Path(request_.digest()));
  TY_ASSIGN_OR_RETURN(file_, files_->OpenRead(path));
  return absl::OkStatus();
}

absl::Status BlobSink::Accept(const v1::WriteBlobRequest& request) {
  if (writer_ == nullptr) TY_RETURN_IF_ERROR(Open(request));
  size_bytes_ += static_cast<int64_t>(request.data().size());
  if (size_bytes_ > bytes_max_) {
    return MakeError(absl::StatusCode::kResourceExhausted, "the blob is too large",
                     {.reason = ErrorReason::kTooLarge,
                      .hint = "use a smaller model",
                      .in_force = absl::StrCat("at most ", bytes_max_, " bytes")});
  }
  digest_.Update(request.data());
  return writer_->Append(request.data());
}

absl::Status BlobSink::Open(const v1::WriteBlobRequest& request) {
  TY_RETURN_IF_ERROR(CheckWorkerToken(admission_, request.token()));
  if (!IsDigest(request.digest())) {
    return InvalidRequest("digest", "is no digest; give sha256: and 64 hex digits");
  }
  expected_ = request.digest();
  TY_ASSIGN_OR_RETURN(writer_, blobs_->NewBlob());
  return absl::OkStatus();
}

absl::Status BlobSink::Close(const absl::Status& input, v1::WriteBlobResponse* response) {
  // A part of a blob is of no use to anyone: dropping the writer removes it.
  if (!input.ok()) return input;
  if (writer_ == nullptr) return InvalidRequest("digest", "is missing; the stream had no message");
  const std::string actual = digest_.Digest();
  if (actual != expected_) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("the bytes have digest ", actual, ", expected was ", expected_),
                     {.reason = ErrorReason::kDigestMismatch, .hint = "send them again"});
  }
  TY_RETURN_IF_ERROR(writer_->Commit().status());
  response->set_size_bytes(size_bytes_);
  return absl::OkStatus();
}

}  // namespace trainyard
