#include "server/storage/uploads.h"

#include <algorithm>
#include <span>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr size_t kCopyChunkBytes = size_t{1} << 20;

absl::Status LostBytes(const std::string& path, int64_t size_bytes, int64_t committed_bytes) {
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat("upload \"", path, "\" has ", size_bytes, " of ", committed_bytes,
                                " durable bytes"),
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "the disk is damaged; delete the dataset and upload it again"});
}

}  // namespace

std::unique_ptr<UploadLocks::Lock> UploadLocks::Acquire(absl::string_view id, UploadUse use) {
  absl::MutexLock lock(&mutex_);
  const auto turn_came = [&] {
    mutex_.AssertReaderHeld();
    return use != UploadUse::kFinalize || !IsFinalizing(id);
  };
  mutex_.Await(absl::Condition(&turn_came));
  const bool acquired = uses_.emplace(id, use).second;
  return acquired ? std::make_unique<Lock>(this, std::string(id)) : nullptr;
}

void UploadLocks::Release(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  uses_.erase(id);
}

bool UploadLocks::IsFinalizing(absl::string_view id) const {
  const auto found = uses_.find(id);
  return found != uses_.end() && found->second == UploadUse::kFinalize;
}

std::string Uploads::Path(absl::string_view id) const { return absl::StrCat(directory_, "/", id); }

absl::Status Uploads::Prepare() { return files_->CreateDirectory(directory_); }

absl::Status Uploads::Restore(absl::string_view id, int64_t committed_bytes) {
  const std::string path = Path(id);
  const absl::StatusOr<int64_t> size_bytes = files_->Size(path);
  if (absl::IsNotFound(size_bytes.status())) {
    return committed_bytes == 0 ? absl::OkStatus() : LostBytes(path, 0, committed_bytes);
  }
  TY_RETURN_IF_ERROR(size_bytes.status());
  if (*size_bytes < committed_bytes) return LostBytes(path, *size_bytes, committed_bytes);
  if (*size_bytes == committed_bytes) return absl::OkStatus();
  TY_RETURN_IF_ERROR(Unshare(id, committed_bytes));
  return files_->Truncate(path, committed_bytes);
}

absl::StatusOr<std::unique_ptr<WritableFile>> Uploads::OpenAppend(absl::string_view id,
                                                                  int64_t committed_bytes) {
  TY_RETURN_IF_ERROR(Restore(id, committed_bytes));
  TY_RETURN_IF_ERROR(Unshare(id, committed_bytes));
  return files_->OpenAppend(Path(id));
}

absl::StatusOr<std::unique_ptr<ReadableFile>> Uploads::OpenRead(absl::string_view id) {
  return files_->OpenRead(Path(id));
}

absl::Status Uploads::Remove(absl::string_view id) { return RemoveIfThere(*files_, Path(id)); }

absl::Status Uploads::Unshare(absl::string_view id, int64_t committed_bytes) {
  const std::string path = Path(id);
  const absl::StatusOr<int64_t> links = files_->LinkCount(path);
  if (absl::IsNotFound(links.status())) return absl::OkStatus();
  TY_RETURN_IF_ERROR(links.status());
  if (*links == 1) return absl::OkStatus();
  // No id has a dot: what a crash leaves of the copy is removed as a file without a row.
  const std::string copy = absl::StrCat(path, ".copy");
  TY_RETURN_IF_ERROR(CopyPrefix(path, copy, committed_bytes));
  TY_RETURN_IF_ERROR(files_->Rename(copy, path));
  return SyncDirectory();
}

absl::Status Uploads::CopyPrefix(const std::string& from, const std::string& to,
                                 int64_t size_bytes) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> source, files_->OpenRead(from));
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> copy, files_->Create(to));
  std::string buffer(kCopyChunkBytes, '\0');
  for (size_t rest = static_cast<size_t>(size_bytes); rest > 0;) {
    const std::span<char> chunk(buffer.data(), std::min(rest, buffer.size()));
    TY_ASSIGN_OR_RETURN(const size_t got, source->Read(chunk));
    if (got == 0) return LostBytes(from, size_bytes - static_cast<int64_t>(rest), size_bytes);
    TY_RETURN_IF_ERROR(copy->Append(absl::string_view(buffer.data(), got)));
    rest -= got;
  }
  return copy->Sync();
}

}  // namespace trainyard
