#include "server/storage/backup.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/storage/blob_references.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"

namespace trainyard {
namespace {

// Jobs and datasets may be deleted while their blobs are copied; that goes on for so long at most.
constexpr int kTriesMax = 5;
constexpr size_t kChunkBytes = 1 << 20;
constexpr char kDatabase[] = "/trainyard.db";
constexpr char kUnfinished[] = "/trainyard.db.unfinished";

// An upload that goes on, and how much of it is durable.
struct Upload {
  std::string id;
  int64_t size_bytes = 0;
};

struct Contents {
  absl::flat_hash_set<std::string> digests;
  std::vector<Upload> uploads;
};

absl::StatusOr<Contents> ContentsOf(const std::string& database_path) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(database_path));
  Contents contents;
  TY_RETURN_IF_ERROR(database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(contents.digests, ReferencedBlobs(connection));
    TY_ASSIGN_OR_RETURN(Statement query,
                        connection.Prepare("SELECT id, committed_size_bytes FROM datasets "
                                           "WHERE table_digest IS NULL"));
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool found, query.Step());
      if (!found) return absl::OkStatus();
      contents.uploads.push_back({query.Text(0), query.Int(1)});
    }
  }));
  return contents;
}

// Calls `on_chunk` for the first `size_bytes` of a file, or all of it when it has fewer.
template <typename OnChunk>
absl::Status ForEachChunk(const std::string& path, int64_t size_bytes, FileSystem& files,
                          OnChunk on_chunk) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files.OpenRead(path));
  std::string chunk(kChunkBytes, '\0');
  while (size_bytes > 0) {
    const size_t wanted = std::min(chunk.size(), static_cast<size_t>(size_bytes));
    TY_ASSIGN_OR_RETURN(const size_t size, file->Read({chunk.data(), wanted}));
    if (size == 0) return absl::OkStatus();
    TY_RETURN_IF_ERROR(on_chunk(absl::string_view(chunk).substr(0, size)));
    size_bytes -= static_cast<int64_t>(size);
  }
  return absl::OkStatus();
}

class Copier {
 public:
  Copier(std::string source, std::string destination, FileSystem& files)
      : source_(std::move(source)), destination_(std::move(destination)), files_(files) {}

  // False when what the database refers to has changed meanwhile, so that it is to be done again;
  // `last`: what is gone then is told as damaged.
  absl::StatusOr<bool> Copy(bool last) {
    report_.damaged.clear();
    TY_RETURN_IF_ERROR(CopyDatabase());
    TY_ASSIGN_OR_RETURN(const Contents contents, ContentsOf(destination_ + kUnfinished));
    report_.blob_count = static_cast<int64_t>(contents.digests.size());
    for (const std::string& digest : contents.digests) {
      const absl::Status copied = CopyBlob(digest);
      if (absl::IsNotFound(copied) && !last) return false;
      if (absl::IsNotFound(copied)) report_.damaged.push_back(digest);
      if (!copied.ok() && !absl::IsNotFound(copied)) return copied;
    }
    for (const Upload& upload : contents.uploads) {
      const absl::Status copied = CopyUpload(upload);
      if (absl::IsNotFound(copied) && !last) return false;
      if (!copied.ok() && !absl::IsNotFound(copied)) return copied;
    }
    std::sort(report_.damaged.begin(), report_.damaged.end());
    TY_RETURN_IF_ERROR(Finish());
    TY_RETURN_IF_ERROR(
        blobs_->Sweep([&](const std::string& digest) { return contents.digests.contains(digest); })
            .status());
    return true;
  }

  absl::Status Open() {
    TY_RETURN_IF_ERROR(files_.Size(source_ + kDatabase).status());
    TY_RETURN_IF_ERROR(files_.CreateDirectory(destination_ + "/uploads"));
    TY_ASSIGN_OR_RETURN(blobs_, BlobStore::Open(destination_ + "/blobs", Shared()));
    return absl::OkStatus();
  }

  BackupReport& report() { return report_; }

 private:
  // The blob store shares its file system, which here outlives it.
  std::shared_ptr<FileSystem> Shared() { return {std::shared_ptr<FileSystem>(), &files_}; }

  absl::Status CopyDatabase() {
    for (const char* end : {"", "-wal", "-shm"}) {
      TY_RETURN_IF_ERROR(RemoveIfThere(files_, absl::StrCat(destination_, kUnfinished, end)));
    }
    return Database::Copy(source_ + kDatabase, destination_ + kUnfinished);
  }

  // Only bytes that have the digest; what is there already had it when it was copied.
  absl::Status CopyBlob(const std::string& digest) {
    if (blobs_->Path(digest).ok()) return absl::OkStatus();
    const std::string path = absl::StrCat(source_, "/blobs/", BlobPath(digest));
    TY_ASSIGN_OR_RETURN(const int64_t size, files_.Size(path));
    TY_ASSIGN_OR_RETURN(const std::unique_ptr<BlobWriter> writer, blobs_->NewBlob());
    Sha256 hash;
    TY_RETURN_IF_ERROR(ForEachChunk(path, size, files_, [&](absl::string_view chunk) {
      hash.Update(chunk);
      return writer->Append(chunk);
    }));
    if (hash.Digest() != digest) {
      report_.damaged.push_back(digest);
      return absl::OkStatus();
    }
    ++report_.copied_count;
    report_.copied_bytes += size;
    return writer->Commit().status();
  }

  absl::Status CopyUpload(const Upload& upload) {
    if (upload.size_bytes == 0) return absl::OkStatus();
    TY_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                        files_.Create(absl::StrCat(destination_, "/uploads/", upload.id)));
    TY_RETURN_IF_ERROR(ForEachChunk(absl::StrCat(source_, "/uploads/", upload.id),
                                    upload.size_bytes, files_,
                                    [&](absl::string_view chunk) { return file->Append(chunk); }));
    report_.copied_bytes += upload.size_bytes;
    return file->Sync();
  }

  absl::Status Finish() {
    // Closed by now, so that all is in the one file.
    TY_RETURN_IF_ERROR(files_.SyncFile(destination_ + kUnfinished));
    TY_RETURN_IF_ERROR(files_.SyncDirectory(destination_ + "/uploads"));
    for (const char* end : {"-wal", "-shm"}) {
      TY_RETURN_IF_ERROR(RemoveIfThere(files_, absl::StrCat(destination_, kDatabase, end)));
    }
    TY_RETURN_IF_ERROR(files_.Rename(destination_ + kUnfinished, destination_ + kDatabase));
    return files_.SyncDirectory(destination_);
  }

  const std::string source_;
  const std::string destination_;
  FileSystem& files_;
  std::unique_ptr<BlobStore> blobs_;
  BackupReport report_;
};

}  // namespace

absl::StatusOr<BackupReport> CopyData(const std::string& source, const std::string& destination,
                                      FileSystem& files) {
  Copier copier(source, destination, files);
  TY_RETURN_IF_ERROR(copier.Open());
  for (int tries = 1; tries <= kTriesMax; ++tries) {
    TY_ASSIGN_OR_RETURN(const bool done, copier.Copy(/*last=*/tries == kTriesMax));
    if (done) break;
  }
  return std::move(copier.report());
}

absl::Status CheckEmptyForRestore(const std::string& directory, FileSystem& files) {
  if (!files.Size(directory + kDatabase).ok()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(directory, " holds data already, and a restore would replace it"),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "name another --data-dir, or move this one away",
                    .in_force = absl::StrCat("data-dir ", directory)});
}

}  // namespace trainyard
