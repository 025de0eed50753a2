#include "core/base/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/base/descriptor.h"
#include "core/base/errno_error.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  absl::Status Append(absl::string_view bytes) override {
    unsent_bytes_ += bytes.size();
    while (!bytes.empty()) {
      const ssize_t written = write(descriptor_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoError("cannot write", path_);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    if (unsent_bytes_ >= kWritebackBytes) StartWriteback();
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (fdatasync(descriptor_.get()) != 0) return ErrnoError("cannot sync", path_);
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kWritebackBytes = size_t{8} << 20;

  // The disk works while more bytes come, so that Sync has little left to wait for. Only a hint:
  // what goes wrong shows in Sync.
  void StartWriteback() {
    sync_file_range(descriptor_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    unsent_bytes_ = 0;
  }

  const std::string path_;
  const Descriptor descriptor_;
  size_t unsent_bytes_ = 0;  // since the last StartWriteback
};

class PosixReadableFile : public ReadableFile {
 public:
  PosixReadableFile(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    ssize_t got;
    do {
      got = read(descriptor_.get(), buffer.data(), buffer.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) return ErrnoError("cannot read", path_);
    return static_cast<size_t>(got);
  }

  absl::Status Rewind() override {
    if (lseek(descriptor_.get(), 0, SEEK_SET) < 0) return ErrnoError("cannot rewind", path_);
    return absl::OkStatus();
  }

 private:
  const std::string path_;
  const Descriptor descriptor_;
};

absl::Status SyncPath(const std::string& path, int flags) {
  TY_ASSIGN_OR_RETURN(const Descriptor descriptor, OpenDescriptor(path, flags));
  if (fsync(descriptor.get()) != 0) return ErrnoError("cannot sync", path);
  return absl::OkStatus();
}

std::string Parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<struct stat> Stat(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return ErrnoError("cannot look at", path);
  return info;
}

}  // namespace

absl::Status RemoveIfThere(FileSystem& files, const std::string& path) {
  const absl::Status removed = files.Remove(path);
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

absl::StatusOr<std::unique_ptr<WritableFile>> PosixFileSystem::Create(const std::string& path) {
  TY_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor(path, O_WRONLY | O_CREAT | O_TRUNC));
  return std::make_unique<PosixWritableFile>(path, std::move(descriptor));
}

absl::StatusOr<std::unique_ptr<WritableFile>> PosixFileSystem::OpenAppend(const std::string& path) {
  TY_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor(path, O_WRONLY | O_CREAT | O_APPEND));
  return std::make_unique<PosixWritableFile>(path, std::move(descriptor));
}

absl::StatusOr<std::unique_ptr<ReadableFile>> PosixFileSystem::OpenRead(const std::string& path) {
  TY_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor(path, O_RDONLY));
  return std::make_unique<PosixReadableFile>(path, std::move(descriptor));
}

absl::StatusOr<std::shared_ptr<const MappedFile>> PosixFileSystem::Map(const std::string& path) {
  return MappedFile::Open(path);
}

absl::StatusOr<int64_t> PosixFileSystem::Size(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const struct stat info, Stat(path));
  return static_cast<int64_t>(info.st_size);
}

absl::StatusOr<int64_t> PosixFileSystem::LinkCount(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const struct stat info, Stat(path));
  return static_cast<int64_t>(info.st_nlink);
}

absl::Status PosixFileSystem::Truncate(const std::string& path, int64_t size_bytes) {
  if (truncate(path.c_str(), size_bytes) != 0) return ErrnoError("cannot truncate", path);
  return SyncFile(path);
}

absl::Status PosixFileSystem::SyncFile(const std::string& path) { return SyncPath(path, O_RDONLY); }

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return ErrnoError("cannot rename", from);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::Link(const std::string& from, const std::string& to) {
  if (link(from.c_str(), to.c_str()) != 0) return ErrnoError("cannot link", from);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0) return ErrnoError("cannot remove", path);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::CreateDirectory(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const bool made = mkdir(part.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return ErrnoError("cannot create", part);
    const bool last = slash == std::string::npos;
    // The last one is synced in any case: whoever made it may have died before it did so.
    if (made || last) TY_RETURN_IF_ERROR(SyncDirectory(Parent(part)));
    if (last) break;
  }
  TY_ASSIGN_OR_RETURN(const struct stat info, Stat(path));
  if (S_ISDIR(info.st_mode)) return absl::OkStatus();
  errno = ENOTDIR;
  return ErrnoError("cannot create", path);
}

absl::Status PosixFileSystem::SyncDirectory(const std::string& path) {
  return SyncPath(path, O_RDONLY | O_DIRECTORY);
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), &closedir);
  if (directory == nullptr) return ErrnoError("cannot list", path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory.get())) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrnoError("cannot list", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<int64_t> PosixFileSystem::FreeBytes(const std::string& path) {
  struct statvfs info;
  if (statvfs(path.c_str(), &info) != 0) return ErrnoError("cannot look at", path);
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

}  // namespace trainyard
