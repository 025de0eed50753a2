// MappedFile is a file's bytes as memory: read only, shared by all who map the same file, read from disk as they are touched
// and given back by the system when memory is short.
//
//   TY_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
//   file->bytes()
//
// Thread-safety: immutable. Lifetime: bytes() lives as long as the object; removing or replacing the file's name does not
// matter to it. A file that is cut or written to while it is mapped may end the process or change under it: map only files
// that nobody changes.
// Errors: those of errno_error.h; INVALID_ARGUMENT for what is no ordinary file.
#ifndef TRAINYARD_CORE_BASE_MAPPED_FILE_H_
#define TRAINYARD_CORE_BASE_MAPPED_FILE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/descriptor.h"

namespace trainyard {

class MappedFile {
 public:
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  // Of a file that is open for reading; `path` is its name in messages.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Of(const Descriptor& file,
                                                              const std::string& path);
  // What stands for a file that is no real one.
  static std::shared_ptr<const MappedFile> Of(std::string bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Takes the pages of `part` out of this process, so that they do not count as its memory. They
  // stay in the system's cache, and come back when they are touched: for bytes that are many and
  // that have been read. REQUIRES: `part` lies in bytes().
  void Forget(absl::string_view part) const;

  // Of a real file: starts at a multiple of the page size.
  absl::string_view bytes() const {
    return data_ == nullptr ? absl::string_view(owned_)
                            : absl::string_view(static_cast<const char*>(data_), size_bytes_);
  }

 private:
  MappedFile(void* data, size_t size_bytes) : data_(data), size_bytes_(size_bytes) {}
  explicit MappedFile(std::string owned) : owned_(std::move(owned)) {}

  void* const data_ = nullptr;  // nullptr for an empty file, and for none
  const size_t size_bytes_ = 0;
  const std::string owned_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_MAPPED_FILE_H_
