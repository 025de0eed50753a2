#include "core/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "core/base/descriptor.h"
#include "core/base/errno_error.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const Descriptor descriptor, OpenDescriptor(path, O_RDONLY));
  return Of(descriptor, path);
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Of(const Descriptor& file,
                                                                 const std::string& path) {
  struct stat info;
  if (fstat(file.get(), &info) != 0) return ErrnoError("cannot look at", path);
  if (!S_ISREG(info.st_mode)) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("cannot map \"", path, "\": it is no ordinary file"),
                     {.reason = ErrorReason::kInvalidRequest});
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) data = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return ErrnoError("cannot map", path);
  return std::shared_ptr<const MappedFile>(new MappedFile(data, size));
}

std::shared_ptr<const MappedFile> MappedFile::Of(std::string bytes) {
  return std::shared_ptr<const MappedFile>(new MappedFile(std::move(bytes)));
}

void MappedFile::Forget(absl::string_view part) const {
  if (data_ == nullptr || part.empty()) return;
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<size_t>(part.data() - static_cast<const char*>(data_));
  const size_t page_begin = begin / page_bytes * page_bytes;
  // Advice only: pages that stay are the system's to take.
  madvise(static_cast<char*>(data_) + page_begin, begin + part.size() - page_begin, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_bytes_);
}

}  // namespace trainyard
