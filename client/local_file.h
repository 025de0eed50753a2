// Files of the user: reading one from any offset with its digest on the way, writing one that is
// either complete or not there, and one that others read while it grows.
//
// Thread-safety: none; one object per file.
// Errors: usage errors (exit_code.h), naming the path and the system's words.
#ifndef TRAINYARD_CLIENT_LOCAL_FILE_H_
#define TRAINYARD_CLIENT_LOCAL_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/digest.h"
#include "core/base/file_system.h"
#include "core/data/byte_source.h"

namespace trainyard {

// A file read in chunks, from its start or again from any earlier offset. The digest is of what was
// read first at each offset, that is, of the bytes that were sent.
class SourceFile : public ByteSource {
 public:
  static absl::StatusOr<std::unique_ptr<SourceFile>> Open(const std::string& path);

  // When it was opened.
  int64_t size_bytes() const { return size_bytes_; }
  int64_t offset() const { return offset_; }
  // Up to `bytes_max` bytes from offset(); fewer only at the end, none there.
  absl::Status Read(size_t bytes_max, std::string* chunk);
  absl::Status Rewind() override { return SeekTo(0); }
  absl::StatusOr<absl::string_view> Next() override;
  // The next Read starts at `offset`. REQUIRES: 0 ≤ offset.
  absl::Status SeekTo(int64_t offset);
  // Of the whole. REQUIRES: everything was read; called once.
  std::string FinishDigest() { return digest_.Finish(); }

 private:
  SourceFile(std::string path, std::unique_ptr<ReadableFile> file, int64_t size_bytes)
      : path_(std::move(path)), file_(std::move(file)), size_bytes_(size_bytes) {}

  const std::string path_;
  const std::unique_ptr<ReadableFile> file_;
  const int64_t size_bytes_;
  int64_t offset_ = 0;
  int64_t digested_bytes_ = 0;
  Digest digest_;
  std::string chunk_;  // what Next gave
};

// Writes `path` through a temporary file beside it. Without Commit() the temporary file is removed
// and `path` is as it was.
class TargetFile {
 public:
  static absl::StatusOr<std::unique_ptr<TargetFile>> Create(const std::string& path);
  ~TargetFile();
  absl::Status Append(absl::string_view bytes);
  absl::Status Commit();

 private:
  TargetFile(std::string path, std::string temporary)
      : path_(std::move(path)), temporary_(std::move(temporary)) {}

  const std::string path_;
  const std::string temporary_;
  PosixFileSystem files_;
  std::unique_ptr<WritableFile> file_;  // null once committed
};

// Writes `path` itself, for programs that read along: what was appended is there for them at once.
class GrowingFile {
 public:
  // A file that is there is emptied. Its folder must be there.
  static absl::StatusOr<std::unique_ptr<GrowingFile>> Create(const std::string& path);
  absl::Status Append(absl::string_view bytes);

 private:
  explicit GrowingFile(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

  const std::unique_ptr<WritableFile> file_;
};

// Makes the folder with its parents; OK when it is there.
absl::Status MakeFolder(const std::string& path);
// Names in a folder, sorted; none when there is no such folder.
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);

// The whole of a file of at most `bytes_max` bytes.
absl::StatusOr<std::string> ReadWhole(const std::string& path, int64_t bytes_max);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_LOCAL_FILE_H_
