#include "server/storage/blob_store.h"

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"

namespace trainyard {
namespace {

constexpr absl::string_view kDigestPrefix = "sha256:";
constexpr absl::string_view kTmp = "tmp";

absl::Status CheckDigest(absl::string_view digest) {
  if (IsDigest(digest)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("\"", digest, "\" is not a digest"),
                   {.reason = ErrorReason::kInvalidRequest,
                    .hint = "write `sha256:` and 64 lower-case hex digits"});
}

absl::Status BlobNotFound(absl::string_view digest) {
  return MakeError(absl::StatusCode::kNotFound, absl::StrCat("there is no blob ", digest),
                   {.reason = ErrorReason::kNotFound});
}

class DiskBlobStore : public BlobStore {
 public:
  DiskBlobStore(std::string directory, std::shared_ptr<FileSystem> files)
      : directory_(std::move(directory)), files_(std::move(files)) {}

  absl::Status Prepare();
  absl::StatusOr<std::unique_ptr<BlobWriter>> NewBlob() override;
  absl::StatusOr<std::string> Put(absl::string_view bytes) override;
  absl::Status Adopt(const std::string& path, absl::string_view digest) override;
  absl::StatusOr<std::string> Get(absl::string_view digest, int64_t size_max_bytes) const override;
  absl::StatusOr<std::string> Path(absl::string_view digest) const override;
  absl::Status Remove(absl::string_view digest) override;
  void Retain(absl::string_view digest) override;
  void Release(absl::string_view digest) override;
  absl::StatusOr<int64_t> Sweep(
      const std::function<bool(const std::string& digest)>& is_referenced) override;

  FileSystem& files() { return *files_; }
  // Gives the synced file `path` its place as `digest`, durably; `path` is gone afterwards.
  absl::Status Land(const std::string& path, absl::string_view digest);

 private:
  // `blobs/ab` and `blobs/ab/abcdef…`. REQUIRES: IsDigest(digest).
  std::string Folder(absl::string_view digest) const {
    return absl::StrCat(directory_, "/", digest.substr(kDigestPrefix.size(), 2));
  }
  std::string File(absl::string_view digest) const {
    return absl::StrCat(directory_, "/", BlobPath(digest));
  }
  std::string TmpFile() const { return absl::StrCat(directory_, "/", kTmp, "/", NewId()); }
  absl::StatusOr<std::string> ReadAll(const std::string& path, int64_t size_bytes) const;
  absl::StatusOr<int64_t> SweepFolder(
      const std::string& folder,
      const std::function<bool(const std::string& digest)>& is_referenced);

  // Constant after construction.
  const std::string directory_;
  const std::shared_ptr<FileSystem> files_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, int> retained_ ABSL_GUARDED_BY(mu_);  // digest → calls
};

class DiskBlobWriter : public BlobWriter {
 public:
  DiskBlobWriter(DiskBlobStore* store, std::string path, std::unique_ptr<WritableFile> file)
      : store_(store), path_(std::move(path)), file_(std::move(file)) {}

  // What cannot be removed now goes when the store is opened next.
  ~DiskBlobWriter() override {
    if (!landed_) store_->files().Remove(path_).IgnoreError();
  }

  absl::Status Append(absl::string_view bytes) override {
    hash_.Update(bytes);
    return file_->Append(bytes);
  }

  absl::StatusOr<std::string> Commit() override {
    TY_RETURN_IF_ERROR(file_->Sync());
    const std::string digest = hash_.Digest();
    TY_RETURN_IF_ERROR(store_->Land(path_, digest));
    landed_ = true;
    return digest;
  }

 private:
  DiskBlobStore* const store_;
  const std::string path_;
  const std::unique_ptr<WritableFile> file_;
  Sha256 hash_;
  bool landed_ = false;
};

absl::Status DiskBlobStore::Prepare() {
  const std::string tmp = absl::StrCat(directory_, "/", kTmp);
  TY_RETURN_IF_ERROR(files_->CreateDirectory(tmp));
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> left, files_->List(tmp));
  for (const std::string& name : left) {
    TY_RETURN_IF_ERROR(files_->Remove(absl::StrCat(tmp, "/", name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BlobWriter>> DiskBlobStore::NewBlob() {
  std::string path = TmpFile();
  TY_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, files_->Create(path));
  return std::make_unique<DiskBlobWriter>(this, std::move(path), std::move(file));
}

absl::StatusOr<std::string> DiskBlobStore::Put(absl::string_view bytes) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<BlobWriter> writer, NewBlob());
  TY_RETURN_IF_ERROR(writer->Append(bytes));
  return writer->Commit();
}

absl::Status DiskBlobStore::Land(const std::string& path, absl::string_view digest) {
  // Over a blob that is there: the bytes are the same, and these are surely synced.
  absl::Status renamed = files_->Rename(path, File(digest));
  if (absl::IsNotFound(renamed)) {
    TY_RETURN_IF_ERROR(files_->CreateDirectory(Folder(digest)));
    renamed = files_->Rename(path, File(digest));
  }
  TY_RETURN_IF_ERROR(renamed);
  return files_->SyncDirectory(Folder(digest));
}

absl::Status DiskBlobStore::Adopt(const std::string& path, absl::string_view digest) {
  TY_RETURN_IF_ERROR(CheckDigest(digest));
  TY_RETURN_IF_ERROR(files_->SyncFile(path));
  // Linked in tmp first: Land() then replaces a blob that is there in one step.
  const std::string linked = TmpFile();
  TY_RETURN_IF_ERROR(files_->Link(path, linked));
  const absl::Status status = Land(linked, digest);
  // rename(2) between two names of one file does nothing, so the link is left when the blob was
  // adopted before.
  const absl::Status removed = RemoveIfThere(*files_, linked);
  return status.ok() ? removed : status;
}

void DiskBlobStore::Retain(absl::string_view digest) {
  absl::MutexLock lock(&mu_);
  ++retained_[digest];
}

void DiskBlobStore::Release(absl::string_view digest) {
  absl::MutexLock lock(&mu_);
  const auto found = retained_.find(digest);
  TY_CHECK(found != retained_.end());
  if (--found->second == 0) retained_.erase(found);
}

absl::StatusOr<std::string> DiskBlobStore::Path(absl::string_view digest) const {
  TY_RETURN_IF_ERROR(CheckDigest(digest));
  const std::string path = File(digest);
  const absl::Status status = files_->Size(path).status();
  if (absl::IsNotFound(status)) return BlobNotFound(digest);
  TY_RETURN_IF_ERROR(status);
  return path;
}

absl::StatusOr<std::string> DiskBlobStore::ReadAll(const std::string& path,
                                                   int64_t size_bytes) const {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files_->OpenRead(path));
  std::string bytes(static_cast<size_t>(size_bytes), '\0');
  size_t position = 0;
  while (position < bytes.size()) {
    TY_ASSIGN_OR_RETURN(const size_t got, file->Read(std::span(bytes).subspan(position)));
    if (got == 0) break;
    position += got;
  }
  bytes.resize(position);
  return bytes;
}

absl::StatusOr<std::string> DiskBlobStore::Get(absl::string_view digest,
                                               int64_t size_max_bytes) const {
  TY_ASSIGN_OR_RETURN(const std::string path, Path(digest));
  TY_ASSIGN_OR_RETURN(const int64_t size_bytes, files_->Size(path));
  if (size_bytes > size_max_bytes) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat("blob ", digest, " has ", size_bytes, " bytes"),
                     {.reason = ErrorReason::kTooLarge,
                      .hint = "read it piecemeal",
                      .in_force = absl::StrCat("at most ", size_max_bytes, " bytes at once")});
  }
  TY_ASSIGN_OR_RETURN(std::string bytes, ReadAll(path, size_bytes));
  if (Sha256Digest(bytes) == digest) return bytes;
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat("blob ", digest, " does not hold the bytes of its digest"),
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "the disk is damaged; restore the data directory from a backup"});
}

absl::Status DiskBlobStore::Remove(absl::string_view digest) {
  TY_RETURN_IF_ERROR(CheckDigest(digest));
  absl::MutexLock lock(
      &mu_);  // until the file is gone: whoever retains it later finds out with Path
  if (retained_.contains(digest)) return absl::OkStatus();
  return RemoveIfThere(*files_, File(digest));
}

absl::StatusOr<int64_t> DiskBlobStore::Sweep(
    const std::function<bool(const std::string& digest)>& is_referenced) {
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> folders, files_->List(directory_));
  int64_t removed = 0;
  for (const std::string& folder : folders) {
    if (folder == kTmp) continue;
    TY_ASSIGN_OR_RETURN(const int64_t count, SweepFolder(folder, is_referenced));
    removed += count;
  }
  return removed;
}

absl::StatusOr<int64_t> DiskBlobStore::SweepFolder(
    const std::string& folder,
    const std::function<bool(const std::string& digest)>& is_referenced) {
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      files_->List(absl::StrCat(directory_, "/", folder)));
  int64_t removed = 0;
  for (const std::string& name : names) {
    const std::string digest = absl::StrCat(kDigestPrefix, name);
    // A file that is no blob is not ours to remove.
    if (!IsDigest(digest) || is_referenced(digest)) continue;
    TY_RETURN_IF_ERROR(Remove(digest));
    ++removed;
  }
  return removed;
}

}  // namespace

std::string BlobPath(absl::string_view digest) {
  const absl::string_view hex = digest.substr(kDigestPrefix.size());
  return absl::StrCat(hex.substr(0, 2), "/", hex);
}

absl::StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(const std::string& directory,
                                                           std::shared_ptr<FileSystem> files) {
  auto store = std::make_unique<DiskBlobStore>(directory, std::move(files));
  TY_RETURN_IF_ERROR(store->Prepare());
  return store;
}

}  // namespace trainyard
