// FileSource reads a file of a FileSystem as the ByteSource that ingest wants.
//
// Thread-safety: none; one thread at a time. Errors: the file's.
#ifndef TRAINYARD_SERVER_STORAGE_FILE_SOURCE_H_
#define TRAINYARD_SERVER_STORAGE_FILE_SOURCE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/file_system.h"
#include "core/data/ingest.h"

namespace trainyard {

class FileSource : public ByteSource {
 public:
  explicit FileSource(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}
  absl::Status Rewind() override { return file_->Rewind(); }
  absl::StatusOr<absl::string_view> Next() override;

 private:
  const std::unique_ptr<ReadableFile> file_;
  std::string buffer_;
};

// The digest of all its bytes; leaves the source at its end.
absl::StatusOr<std::string> DigestOf(ByteSource& source);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_FILE_SOURCE_H_
