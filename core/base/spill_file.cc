#include "core/base/spill_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "core/base/errno_error.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {

absl::StatusOr<SpillFile> SpillFile::Create(const std::string& path) {
  TY_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor(path, O_RDWR | O_CREAT | O_TRUNC));
  struct stat info;
  if (fstat(descriptor.get(), &info) != 0) return ErrnoError("cannot look at", path);
  // Not a device: tests spill to /dev/full.
  if (S_ISREG(info.st_mode) && unlink(path.c_str()) != 0) return ErrnoError("cannot remove", path);
  return SpillFile(path, std::move(descriptor));
}

absl::Status SpillFile::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor_.get(), bytes.data(), bytes.size(), size_bytes_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError("cannot write", path_);
    bytes.remove_prefix(static_cast<size_t>(written));
    size_bytes_ += written;
  }
  return absl::OkStatus();
}

absl::Status SpillFile::Read(int64_t offset, std::span<char> buffer) const {
  while (!buffer.empty()) {
    const ssize_t got = pread(descriptor_.get(), buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("cannot read", path_);
    if (got == 0) {
      return MakeError(absl::StatusCode::kDataLoss,
                       absl::StrCat("\"", path_, "\" ends at ", offset, ", before what was written"),
                       {.reason = ErrorReason::kDataLoss, .hint = "check the disk, then retry"});
    }
    buffer = buffer.subspan(static_cast<size_t>(got));
    offset += got;
  }
  return absl::OkStatus();
}

}  // namespace trainyard
