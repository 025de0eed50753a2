// MemFileSystem is a FileSystem in memory that is as unreliable as a disk may be: any operation can
// be made to fail, and a power cut takes back everything that was not synced: bytes without Sync(),
// names without SyncDirectory().
//
//   auto files = std::make_shared<MemFileSystem>();
//   files->FailFrom(3, /*count=*/1);    // the third operation from now fails once
//   ... run the scenario ...
//   files->PowerCut();                  // what is left is what a restart finds
//
// Thread-safety: all methods from any thread.
#ifndef TRAINYARD_TESTS_SUPPORT_MEM_FILE_SYSTEM_H_
#define TRAINYARD_TESTS_SUPPORT_MEM_FILE_SYSTEM_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"

namespace trainyard {

class MemFileSystem : public FileSystem {
 public:
  static constexpr int64_t kForEver = std::numeric_limits<int64_t>::max();

  // The nth operation from now (1: the next) and the `count - 1` after it fail with `error`.
  void FailFrom(int64_t nth, int64_t count,
                absl::Status error = absl::InternalError("injected fault")) {
    absl::MutexLock lock(&mutex_);
    operations_ = 0;
    fail_first_ = nth;
    fail_count_ = count;
    error_ = std::move(error);
  }
  void FailNothing() { FailFrom(0, 0); }
  // Whether a fault was met since the last FailFrom.
  bool Failed() const {
    absl::MutexLock lock(&mutex_);
    return fail_count_ > 0 && operations_ >= fail_first_;
  }
  void PowerCut() {
    absl::MutexLock lock(&mutex_);
    names_ = durable_names_;
    for (auto& [path, inode] : names_) inode->bytes = inode->synced;
  }
  void set_free_bytes(int64_t free_bytes) {
    absl::MutexLock lock(&mutex_);
    free_bytes_ = free_bytes;
  }
  std::vector<std::string> Paths() const {
    absl::MutexLock lock(&mutex_);
    std::vector<std::string> paths;
    for (const auto& [path, inode] : names_) paths.push_back(path);
    return paths;
  }
  // Changes a byte behind everyone's back, as a failing disk does.
  void FlipByte(const std::string& path, size_t position) {
    absl::MutexLock lock(&mutex_);
    names_.at(path)->bytes.at(position) ^= 1;
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    TY_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, OpenAppend(path));
    absl::MutexLock lock(&mutex_);
    names_.at(path)->bytes.clear();
    return file;
  }
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenAppend(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_RETURN_IF_ERROR(Operate());
    if (!directories_.contains(Parent(path))) return Missing(path);
    std::shared_ptr<Inode>& inode = names_[path];
    if (inode == nullptr) inode = std::make_shared<Inode>();
    return std::make_unique<Writable>(this, inode);
  }
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenRead(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_ASSIGN_OR_RETURN(std::shared_ptr<Inode> inode, Find(path));
    return std::make_unique<Readable>(this, std::move(inode));
  }
  absl::StatusOr<std::shared_ptr<const MappedFile>> Map(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
    return MappedFile::Of(inode->bytes);
  }
  absl::StatusOr<int64_t> Size(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
    return static_cast<int64_t>(inode->bytes.size());
  }
  absl::StatusOr<int64_t> LinkCount(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
    return std::count_if(names_.begin(), names_.end(),
                         [&](const auto& entry) { return entry.second == inode; });
  }
  absl::Status Truncate(const std::string& path, int64_t size_bytes) override {
    absl::MutexLock lock(&mutex_);
    TY_ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
    inode->bytes.resize(static_cast<size_t>(size_bytes));
    inode->synced = inode->bytes;
    return absl::OkStatus();
  }
  absl::Status SyncFile(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(path));
    inode->synced = inode->bytes;
    return absl::OkStatus();
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    absl::MutexLock lock(&mutex_);
    TY_ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(from));
    if (!directories_.contains(Parent(to))) return Missing(to);
    // As rename(2): two names of one file are left as they are.
    const auto target = names_.find(to);
    if (target != names_.end() && target->second == inode) return absl::OkStatus();
    names_[to] = inode;
    names_.erase(from);
    return absl::OkStatus();
  }
  absl::Status Link(const std::string& from, const std::string& to) override {
    absl::MutexLock lock(&mutex_);
    TY_ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, Find(from));
    if (!directories_.contains(Parent(to))) return Missing(to);
    return names_.emplace(to, inode).second ? absl::OkStatus() : absl::AlreadyExistsError(to);
  }
  absl::Status Remove(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_RETURN_IF_ERROR(Find(path).status());
    names_.erase(path);
    return absl::OkStatus();
  }
  absl::Status CreateDirectory(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_RETURN_IF_ERROR(Operate());
    for (std::string part = path; !part.empty(); part = Parent(part)) directories_.insert(part);
    return absl::OkStatus();
  }
  absl::Status SyncDirectory(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_RETURN_IF_ERROR(Operate());
    std::erase_if(durable_names_, [&](const auto& entry) { return Parent(entry.first) == path; });
    for (const auto& [name, inode] : names_) {
      if (Parent(name) == path) durable_names_[name] = inode;
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    absl::MutexLock lock(&mutex_);
    TY_RETURN_IF_ERROR(Operate());
    std::set<std::string> names;
    for (const std::string& directory : directories_) {
      if (Parent(directory) == path) names.insert(directory.substr(path.size() + 1));
    }
    for (const auto& [name, inode] : names_) {
      if (Parent(name) == path) names.insert(name.substr(path.size() + 1));
    }
    return std::vector<std::string>(names.begin(), names.end());
  }
  absl::StatusOr<int64_t> FreeBytes(const std::string&) override {
    absl::MutexLock lock(&mutex_);
    TY_RETURN_IF_ERROR(Operate());
    return free_bytes_;
  }

 private:
  struct Inode {
    std::string bytes;   // what a reader sees
    std::string synced;  // what a power cut leaves
  };

  class Writable : public WritableFile {
   public:
    Writable(MemFileSystem* files, std::shared_ptr<Inode> inode)
        : files_(files), inode_(std::move(inode)) {}
    // A write that fails has written a part, as on a disk that becomes full.
    absl::Status Append(absl::string_view bytes) override {
      absl::MutexLock lock(&files_->mutex_);
      const absl::Status status = files_->Operate();
      const size_t written = status.ok() ? bytes.size() : bytes.size() / 2;
      inode_->bytes.append(bytes.data(), written);
      return status;
    }
    absl::Status Sync() override {
      absl::MutexLock lock(&files_->mutex_);
      TY_RETURN_IF_ERROR(files_->Operate());
      inode_->synced = inode_->bytes;
      return absl::OkStatus();
    }

   private:
    MemFileSystem* const files_;
    const std::shared_ptr<Inode> inode_;
  };

  class Readable : public ReadableFile {
   public:
    Readable(MemFileSystem* files, std::shared_ptr<Inode> inode)
        : files_(files), inode_(std::move(inode)) {}
    absl::StatusOr<size_t> Read(std::span<char> buffer) override {
      absl::MutexLock lock(&files_->mutex_);
      TY_RETURN_IF_ERROR(files_->Operate());
      const size_t got = inode_->bytes.copy(buffer.data(), buffer.size(), position_);
      position_ += got;
      return got;
    }
    absl::Status Rewind() override {
      position_ = 0;
      return absl::OkStatus();
    }

   private:
    MemFileSystem* const files_;
    const std::shared_ptr<Inode> inode_;
    size_t position_ = 0;
  };

  static std::string Parent(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
  }
  static absl::Status Missing(const std::string& path) {
    return absl::NotFoundError(absl::StrCat("no such file: ", path));
  }
  // Counts an operation, and fails it when it is its turn.
  absl::Status Operate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++operations_;
    const bool fails =
        fail_count_ > 0 && operations_ >= fail_first_ && operations_ - fail_first_ < fail_count_;
    return fails ? error_ : absl::OkStatus();
  }
  absl::StatusOr<std::shared_ptr<Inode>> Find(const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    TY_RETURN_IF_ERROR(Operate());
    const auto found = names_.find(path);
    if (found == names_.end()) return Missing(path);
    return found->second;
  }

  mutable absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<Inode>> names_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Inode>> durable_names_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> directories_ ABSL_GUARDED_BY(mutex_);
  int64_t free_bytes_ ABSL_GUARDED_BY(mutex_) = int64_t{1} << 40;
  int64_t operations_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t fail_first_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t fail_count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_MEM_FILE_SYSTEM_H_
