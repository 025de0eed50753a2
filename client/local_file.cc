#include "client/local_file.h"

#include <unistd.h>

#include <algorithm>
#include <span>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "core/base/check.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// A local file that cannot be used is for the user to mend, whatever the system calls it.
absl::Status LocalError(const absl::Status& status) {
  if (status.ok()) return status;
  return UsageError(status.message(),
                    {.hint = "check the path, its permissions and the free space of the disk"});
}

}  // namespace

absl::StatusOr<std::unique_ptr<SourceFile>> SourceFile::Open(const std::string& path) {
  PosixFileSystem files;
  absl::StatusOr<std::unique_ptr<ReadableFile>> file = files.OpenRead(path);
  if (!file.ok()) return LocalError(file.status());
  const absl::StatusOr<int64_t> size = files.Size(path);
  if (!size.ok()) return LocalError(size.status());
  return absl::WrapUnique(new SourceFile(path, *std::move(file), *size));
}

absl::Status SourceFile::Read(size_t bytes_max, std::string* chunk) {
  chunk->resize(bytes_max);
  size_t filled = 0;
  while (filled < bytes_max) {
    const absl::StatusOr<size_t> read =
        file_->Read(std::span(chunk->data() + filled, bytes_max - filled));
    if (!read.ok()) return LocalError(read.status());
    if (*read == 0) break;
    filled += *read;
  }
  chunk->resize(filled);
  const int64_t known = std::min(digested_bytes_ - offset_, static_cast<int64_t>(filled));
  digest_.Update(absl::string_view(*chunk).substr(static_cast<size_t>(known)));
  offset_ += static_cast<int64_t>(filled);
  digested_bytes_ = std::max(digested_bytes_, offset_);
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> SourceFile::Next() {
  TY_RETURN_IF_ERROR(Read(static_cast<size_t>(limits::kChunkBytesMax), &chunk_));
  return chunk_;
}

absl::Status SourceFile::SeekTo(int64_t offset) {
  TY_CHECK(offset >= 0);
  TY_RETURN_IF_ERROR(LocalError(file_->Rewind()));
  offset_ = 0;
  std::string skipped;
  while (offset_ < offset) {
    const int64_t step = std::min(offset - offset_, limits::kChunkBytesMax);
    TY_RETURN_IF_ERROR(Read(static_cast<size_t>(step), &skipped));
    if (skipped.empty()) {
      return UsageError(absl::StrCat(path_, ": ends at byte ", offset_, ", but ", offset,
                                     " bytes were uploaded before"),
                        {.hint = "leave the file alone during the upload, and start again"});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TargetFile>> TargetFile::Create(const std::string& path) {
  auto target = absl::WrapUnique(new TargetFile(path, absl::StrCat(path, ".part-", getpid())));
  absl::StatusOr<std::unique_ptr<WritableFile>> file = target->files_.Create(target->temporary_);
  if (!file.ok()) return LocalError(file.status());
  target->file_ = *std::move(file);
  return target;
}

TargetFile::~TargetFile() {
  if (file_ == nullptr) return;
  file_.reset();
  files_.Remove(temporary_).IgnoreError();  // what made us give up is reported; this would hide it
}

absl::Status TargetFile::Append(absl::string_view bytes) {
  return LocalError(file_->Append(bytes));
}

absl::Status TargetFile::Commit() {
  TY_RETURN_IF_ERROR(LocalError(file_->Sync()));
  TY_RETURN_IF_ERROR(LocalError(files_.Rename(temporary_, path_)));
  file_.reset();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<GrowingFile>> GrowingFile::Create(const std::string& path) {
  PosixFileSystem files;
  absl::StatusOr<std::unique_ptr<WritableFile>> file = files.Create(path);
  if (!file.ok()) return LocalError(file.status());
  return absl::WrapUnique(new GrowingFile(*std::move(file)));
}

absl::Status GrowingFile::Append(absl::string_view bytes) {
  return LocalError(file_->Append(bytes));
}

absl::Status MakeFolder(const std::string& path) {
  return LocalError(PosixFileSystem().CreateDirectory(path));
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  absl::StatusOr<std::vector<std::string>> names = PosixFileSystem().List(path);
  if (absl::IsNotFound(names.status())) return std::vector<std::string>();
  if (!names.ok()) return LocalError(names.status());
  return names;
}

absl::StatusOr<std::string> ReadWhole(const std::string& path, int64_t bytes_max) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<SourceFile> file, SourceFile::Open(path));
  std::string text;
  TY_RETURN_IF_ERROR(file->Read(static_cast<size_t>(bytes_max) + 1, &text));
  if (static_cast<int64_t>(text.size()) <= bytes_max) return text;
  return UsageError(absl::StrCat(path, ": more than ", bytes_max, " bytes"),
                    {.reason = ErrorReason::kTooLarge, .hint = "give a smaller file"});
}

}  // namespace trainyard
