#include "server/data_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr char kSocketName[] = "/workers.sock";

absl::Status SystemError(absl::string_view what, int error) {
  return MakeError(
      absl::StatusCode::kInternal, absl::StrCat(what, ": ", std::strerror(error)),
      {.reason = ErrorReason::kInternal, .hint = "choose a --data-dir this user may write to"});
}

std::string HolderOf(int lock_fd) {
  char text[32] = {};
  const ssize_t size = pread(lock_fd, text, sizeof(text) - 1, 0);
  const absl::string_view pid =
      absl::StripSuffix(absl::string_view(text, size > 0 ? static_cast<size_t>(size) : 0), "\n");
  return pid.empty() ? std::string("another server") : absl::StrCat("the server with pid ", pid);
}

// The descriptor that holds the lock.
absl::StatusOr<int> Lock(const std::string& directory) {
  const std::string path = directory + "/LOCK";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(absl::StrCat("cannot open ", path), errno);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const std::string holder = HolderOf(fd);
    close(fd);
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat(directory, " is in use by ", holder),
                     {.reason = ErrorReason::kInvalidState,
                      .hint = "stop that server, or choose another --data-dir",
                      .in_force = absl::StrCat("data-dir ", directory)});
  }
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    const int error = errno;
    close(fd);
    return SystemError(absl::StrCat("cannot write ", path), error);
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& path) {
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).lexically_normal().string();
  if (!error) std::filesystem::create_directories(absolute, error);
  if (error) return SystemError(absl::StrCat("cannot create ", path), error.value());
  TY_ASSIGN_OR_RETURN(const int lock_fd, Lock(absolute));
  auto directory = std::unique_ptr<DataDirectory>(new DataDirectory(absolute, lock_fd));
  for (const std::string& part : {directory->blobs(), directory->uploads()}) {
    std::filesystem::create_directories(part, error);
    if (error) return SystemError(absl::StrCat("cannot create ", part), error.value());
  }
  TY_RETURN_IF_ERROR(directory->MakeSocketDirectory());
  return directory;
}

absl::Status DataDirectory::MakeSocketDirectory() {
  std::string directory = path_ + "/run";
  if (directory.size() + sizeof(kSocketName) > sizeof(sockaddr_un::sun_path)) {
    char name[] = "/tmp/trainyard-XXXXXX";
    if (mkdtemp(name) == nullptr) return SystemError("cannot make a directory in /tmp", errno);
    directory = temporary_directory_ = name;
  } else if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError(absl::StrCat("cannot create ", directory), errno);
  }
  if (chmod(directory.c_str(), 0700) != 0) {
    return SystemError(absl::StrCat("cannot protect ", directory), errno);
  }
  worker_socket_ = directory + kSocketName;
  // Left by a server that was killed; the lock says that nobody uses it.
  unlink(worker_socket_.c_str());
  return absl::OkStatus();
}

DataDirectory::~DataDirectory() {
  if (!worker_socket_.empty()) unlink(worker_socket_.c_str());
  if (!temporary_directory_.empty()) rmdir(temporary_directory_.c_str());
  close(lock_fd_);
}

}  // namespace trainyard
