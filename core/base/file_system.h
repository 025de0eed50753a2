// FileSystem is the part of the world that holds files: what durable stores are built on, so that
// tests can make any operation fail, or lose what was not synced.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, files.Create(path));
//   TY_RETURN_IF_ERROR(file->Append(bytes));
//   TY_RETURN_IF_ERROR(file->Sync());
//   TY_RETURN_IF_ERROR(files.Rename(path, final_path));
//   TY_RETURN_IF_ERROR(files.SyncDirectory(directory));          // now it survives a power cut
//
// Thread-safety: FileSystem: all methods from any thread. An open file: one thread at a time.
// Errors: NOT_FOUND (no such file), ALREADY_EXISTS (Link), RESOURCE_EXHAUSTED with reason
// STORAGE_FULL (no space, quota), INTERNAL for the rest; all name the path and the system's words.
#ifndef TRAINYARD_CORE_BASE_FILE_SYSTEM_H_
#define TRAINYARD_CORE_BASE_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/mapped_file.h"

namespace trainyard {

// A file open for writing at its end. Destroying it closes it; what was not synced may be lost in a
// crash.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Contents and size reach the disk.
  virtual absl::Status Sync() = 0;
};

// A file open for reading from its start to its end.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  // Fills `buffer` from the current position; the number of bytes read, 0 at the end.
  virtual absl::StatusOr<size_t> Read(std::span<char> buffer) = 0;
  // Goes back to the first byte.
  virtual absl::Status Rewind() = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // A new, empty file; one that is there is emptied.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  // Writes go after what is there; the file is created when needed.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> OpenAppend(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> OpenRead(const std::string& path) = 0;
  // All of the file, without reading it (mapped_file.h).
  virtual absl::StatusOr<std::shared_ptr<const MappedFile>> Map(const std::string& path) = 0;
  virtual absl::StatusOr<int64_t> Size(const std::string& path) = 0;
  // Names that lead to the same bytes; 1 for an ordinary file.
  virtual absl::StatusOr<int64_t> LinkCount(const std::string& path) = 0;
  // Cuts the file to `size_bytes` and syncs it.
  virtual absl::Status Truncate(const std::string& path, int64_t size_bytes) = 0;
  virtual absl::Status SyncFile(const std::string& path) = 0;
  // Replaces `to` when it is there.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A second name for the same bytes. Both on one file system.
  virtual absl::Status Link(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // With its parents, durably; OK when it is there.
  virtual absl::Status CreateDirectory(const std::string& path) = 0;
  // Makes creations, renames and removals in `path` durable.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  // Names in `path`, without `.` and `..`, sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
  // What this user may still write on the file system that holds `path`.
  virtual absl::StatusOr<int64_t> FreeBytes(const std::string& path) = 0;
};

// Remove, but OK when there is no such file.
absl::Status RemoveIfThere(FileSystem& files, const std::string& path);

// The real one (POSIX calls).
class PosixFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenAppend(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenRead(const std::string& path) override;
  absl::StatusOr<std::shared_ptr<const MappedFile>> Map(const std::string& path) override;
  absl::StatusOr<int64_t> Size(const std::string& path) override;
  absl::StatusOr<int64_t> LinkCount(const std::string& path) override;
  absl::Status Truncate(const std::string& path, int64_t size_bytes) override;
  absl::Status SyncFile(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Link(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::StatusOr<int64_t> FreeBytes(const std::string& path) override;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_FILE_SYSTEM_H_
