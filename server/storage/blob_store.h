// BlobStore keeps immutable bytes under their SHA-256: `blobs/ab/abcdef…`. A blob is written to a
// temp file, synced, renamed into place, and the directory is synced: after OK it survives any
// crash. The same bytes are stored once. Who refers to a blob stands in SQL; a blob nobody refers
// to is removed by Remove() or by the sweep at start (blob_references.h).
//
// Digests are written `sha256:` and 64 lower-case hex digits everywhere.
//
// Thread-safety: all methods from any thread.
// Errors: RESOURCE_EXHAUSTED/STORAGE_FULL, DATA_LOSS (bytes do not match the digest), NOT_FOUND,
// INTERNAL.
#ifndef TRAINYARD_SERVER_STORAGE_BLOB_STORE_H_
#define TRAINYARD_SERVER_STORAGE_BLOB_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/file_system.h"

namespace trainyard {

// Where the blob of `digest` is in a store's directory: `ab/abcdef…`. REQUIRES: IsDigest(digest).
std::string BlobPath(absl::string_view digest);

// A blob being written. Dropping it without Commit removes the temp file.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Makes it durable under its digest, and returns that.
  virtual absl::StatusOr<std::string> Commit() = 0;
};

class BlobStore {
 public:
  // Creates `directory` and its `tmp` when needed, and removes what is left in `tmp`.
  static absl::StatusOr<std::unique_ptr<BlobStore>> Open(
      const std::string& directory,
      std::shared_ptr<FileSystem> files = std::make_shared<PosixFileSystem>());
  virtual ~BlobStore() = default;

  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> NewBlob() = 0;
  // Writes all of `bytes`; returns the digest.
  virtual absl::StatusOr<std::string> Put(absl::string_view bytes) = 0;
  // Makes a finished file a blob without copying: a second name for it on the same file system,
  // synced here. `path` stays; the caller removes it once the blob is referred to, so that a crash
  // between the two loses nothing, and MUST NOT write to it any more. REQUIRES: the file holds the
  // bytes of `digest`.
  virtual absl::Status Adopt(const std::string& path, absl::string_view digest) = 0;
  // Reads and checks the digest. REQUIRES: size under `size_max_bytes`, else RESOURCE_EXHAUSTED.
  virtual absl::StatusOr<std::string> Get(absl::string_view digest,
                                          int64_t size_max_bytes) const = 0;
  // Where the blob's file is; for passing to a local worker, or reading piecemeal. NOT_FOUND when
  // there is none.
  virtual absl::StatusOr<std::string> Path(absl::string_view digest) const = 0;
  // OK when there is none.
  // Removes nothing while the digest is retained.
  virtual absl::Status Remove(absl::string_view digest) = 0;
  // Between the two, Remove leaves the blob of `digest` (if there is one) alone: for whoever is
  // about to write a row that refers to it. Calls count; each Retain needs its Release.
  virtual void Retain(absl::string_view digest) = 0;
  virtual void Release(absl::string_view digest) = 0;
  // Removes every blob for which `is_referenced` is false; returns how many.
  virtual absl::StatusOr<int64_t> Sweep(
      const std::function<bool(const std::string& digest)>& is_referenced) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_BLOB_STORE_H_
