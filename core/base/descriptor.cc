#include "core/base/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/base/errno_error.h"

namespace trainyard {

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<Descriptor> OpenDescriptor(const std::string& path, int flags) {
  Descriptor descriptor(open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (descriptor.get() < 0) return ErrnoError("cannot open", path);
  return descriptor;
}

}  // namespace trainyard
