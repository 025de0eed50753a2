// Descriptor is an open file descriptor that closes itself.
//
//   TY_ASSIGN_OR_RETURN(const Descriptor file, OpenDescriptor(path, O_RDONLY));
//   pread(file.get(), ...);
//
// Thread-safety: none. Errors: those of errno_error.h.
#ifndef TRAINYARD_CORE_BASE_DESCRIPTOR_H_
#define TRAINYARD_CORE_BASE_DESCRIPTOR_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace trainyard {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// open(2) with O_CLOEXEC; a file that is created is its owner's alone.
absl::StatusOr<Descriptor> OpenDescriptor(const std::string& path, int flags);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_DESCRIPTOR_H_
