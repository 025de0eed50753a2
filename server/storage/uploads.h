// Uploads keeps the bytes of datasets that are being uploaded, one file per dataset:
// `uploads/{id}`. How many of them are durable stands in SQL; what a file has beyond that is of no
// worth and is cut off. It also says who may touch an upload.
//
// A file that Finalize has made a blob (BlobStore::Adopt) shares its bytes with that blob until it
// is removed. Before it is written to again, after a Finalize that failed late, it gets bytes of
// its own: a blob never changes.
//
// Thread-safety: all methods from any thread; those of one id under its lock.
// Errors: of the file system; DATA_LOSS when a file has less than was committed.
#ifndef TRAINYARD_SERVER_STORAGE_UPLOADS_H_
#define TRAINYARD_SERVER_STORAGE_UPLOADS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "core/base/file_system.h"

namespace trainyard {

// Why an upload is locked.
enum class UploadUse { kWrite, kFinalize, kDelete };

// One user per upload at a time.
class UploadLocks {
 public:
  // Frees the upload when destroyed. REQUIRES: the UploadLocks outlive it.
  class Lock {
   public:
    Lock(UploadLocks* locks, std::string id) : locks_(locks), id_(std::move(id)) {}
    ~Lock() { locks_->Release(id_); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    UploadLocks* const locks_;
    const std::string id_;
  };

  // nullptr when it is in use. Only a Finalize waits, for another Finalize: it then finds what that
  // one made.
  std::unique_ptr<Lock> Acquire(absl::string_view id, UploadUse use) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Release(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsFinalizing(absl::string_view id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, UploadUse> uses_ ABSL_GUARDED_BY(mutex_);
};

class Uploads {
 public:
  Uploads(std::string directory, std::shared_ptr<FileSystem> files)
      : directory_(std::move(directory)), files_(std::move(files)) {}

  // Creates the directory when needed.
  absl::Status Prepare();
  // Cuts the file to what was committed. A file that was never written to need not be there.
  absl::Status Restore(absl::string_view id, int64_t committed_bytes);
  // Restores it, and opens it for more.
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenAppend(absl::string_view id,
                                                           int64_t committed_bytes);
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenRead(absl::string_view id);
  // Makes the names of new files durable.
  absl::Status SyncDirectory() { return files_->SyncDirectory(directory_); }
  // OK when there is none.
  absl::Status Remove(absl::string_view id);
  // The ids that have a file; also names that are left over and are no ids.
  absl::StatusOr<std::vector<std::string>> List() { return files_->List(directory_); }
  absl::StatusOr<int64_t> FreeBytes() { return files_->FreeBytes(directory_); }
  std::string Path(absl::string_view id) const;

  UploadLocks& locks() { return locks_; }

 private:
  // Replaces the file by a copy of its first bytes when it shares them with a blob.
  absl::Status Unshare(absl::string_view id, int64_t committed_bytes);
  absl::Status CopyPrefix(const std::string& from, const std::string& to, int64_t size_bytes);

  // Constant after construction.
  const std::string directory_;
  const std::shared_ptr<FileSystem> files_;
  UploadLocks locks_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_UPLOADS_H_
