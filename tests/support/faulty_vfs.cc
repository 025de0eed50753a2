#include "tests/support/faulty_vfs.h"

#include <sqlite3.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/check.h"

namespace trainyard {

struct FaultyVfs::State {
  sqlite3_vfs vfs{};
  sqlite3_vfs* real = nullptr;
  absl::Mutex mu;
  int64_t changes ABSL_GUARDED_BY(mu) = 0;  // since FailFrom
  int64_t fail_first ABSL_GUARDED_BY(mu) = 0;
  int64_t fail_count ABSL_GUARDED_BY(mu) = 0;
  int64_t unsynced ABSL_GUARDED_BY(mu) = 0;  // changes of logs
  int64_t watched ABSL_GUARDED_BY(mu) = 0;
  std::function<void(int64_t)> before_change ABSL_GUARDED_BY(mu);

  // Whether the next change is to fail.
  bool Fails() {
    absl::MutexLock lock(&mu);
    if (before_change) before_change(++watched);
    ++changes;
    return changes >= fail_first && changes - fail_first < fail_count;
  }
};

namespace {

using State = FaultyVfs::State;

// SQLite's view of an open file; the real one stands behind it in the same memory.
struct File {
  sqlite3_file base;
  State* state;
  bool is_log;
};

sqlite3_file* RealOf(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}
const sqlite3_io_methods& MethodsOf(sqlite3_file* file) { return *RealOf(file)->pMethods; }
State& StateOf(sqlite3_file* file) { return *reinterpret_cast<File*>(file)->state; }

void CountUnsynced(sqlite3_file* file, bool synced) {
  if (!reinterpret_cast<File*>(file)->is_log) return;
  State& state = StateOf(file);
  absl::MutexLock lock(&state.mu);
  state.unsynced = synced ? 0 : state.unsynced + 1;
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (StateOf(file).Fails()) return SQLITE_IOERR_WRITE;
  CountUnsynced(file, /*synced=*/false);
  return MethodsOf(file).xWrite(RealOf(file), bytes, size, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (StateOf(file).Fails()) return SQLITE_IOERR_TRUNCATE;
  CountUnsynced(file, /*synced=*/false);
  return MethodsOf(file).xTruncate(RealOf(file), size);
}
int Sync(sqlite3_file* file, int flags) {
  if (StateOf(file).Fails()) return SQLITE_IOERR_FSYNC;
  const int code = MethodsOf(file).xSync(RealOf(file), flags);
  CountUnsynced(file, /*synced=*/true);
  return code;
}
int Delete(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  auto& state = *static_cast<State*>(vfs->pAppData);
  if (state.Fails()) return SQLITE_IOERR_DELETE;
  return state.real->xDelete(state.real, path, sync_directory);
}

// What is not a change is handed on.
int Close(sqlite3_file* file) { return MethodsOf(file).xClose(RealOf(file)); }
int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  return MethodsOf(file).xRead(RealOf(file), bytes, size, offset);
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return MethodsOf(file).xFileSize(RealOf(file), size);
}
int Lock(sqlite3_file* file, int level) { return MethodsOf(file).xLock(RealOf(file), level); }
int Unlock(sqlite3_file* file, int level) { return MethodsOf(file).xUnlock(RealOf(file), level); }
int CheckReservedLock(sqlite3_file* file, int* held) {
  return MethodsOf(file).xCheckReservedLock(RealOf(file), held);
}
int FileControl(sqlite3_file* file, int what, void* argument) {
  return MethodsOf(file).xFileControl(RealOf(file), what, argument);
}
int SectorSize(sqlite3_file* file) { return MethodsOf(file).xSectorSize(RealOf(file)); }
int Characteristics(sqlite3_file* file) {
  return MethodsOf(file).xDeviceCharacteristics(RealOf(file));
}
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** memory) {
  return MethodsOf(file).xShmMap(RealOf(file), page, size, extend, memory);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return MethodsOf(file).xShmLock(RealOf(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) { MethodsOf(file).xShmBarrier(RealOf(file)); }
int ShmUnmap(sqlite3_file* file, int remove) {
  return MethodsOf(file).xShmUnmap(RealOf(file), remove);
}

// Version 2: with shared memory, without memory-mapped reads.
constexpr sqlite3_io_methods kMethods = {.iVersion = 2,
                                         .xClose = Close,
                                         .xRead = Read,
                                         .xWrite = Write,
                                         .xTruncate = Truncate,
                                         .xSync = Sync,
                                         .xFileSize = FileSize,
                                         .xLock = Lock,
                                         .xUnlock = Unlock,
                                         .xCheckReservedLock = CheckReservedLock,
                                         .xFileControl = FileControl,
                                         .xSectorSize = SectorSize,
                                         .xDeviceCharacteristics = Characteristics,
                                         .xShmMap = ShmMap,
                                         .xShmLock = ShmLock,
                                         .xShmBarrier = ShmBarrier,
                                         .xShmUnmap = ShmUnmap};

int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_out) {
  auto& state = *static_cast<State*>(vfs->pAppData);
  auto* own = reinterpret_cast<File*>(file);
  own->state = &state;
  own->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  const int code = state.real->xOpen(state.real, path, RealOf(file), flags, flags_out);
  own->base.pMethods = RealOf(file)->pMethods == nullptr ? nullptr : &kMethods;
  return code;
}

}  // namespace

FaultyVfs::FaultyVfs() : state_(std::make_unique<State>()) {
  state_->real = sqlite3_vfs_find(nullptr);
  // What is not overridden does not look at pAppData.
  state_->vfs = *state_->real;
  state_->vfs.zName = "faulty";
  state_->vfs.szOsFile += static_cast<int>(sizeof(File));
  state_->vfs.pAppData = state_.get();
  state_->vfs.xOpen = Open;
  state_->vfs.xDelete = Delete;
  TY_CHECK(sqlite3_vfs_register(&state_->vfs, /*makeDflt=*/1) == SQLITE_OK);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&state_->vfs);
  sqlite3_vfs_register(state_->real, /*makeDflt=*/1);
}

void FaultyVfs::FailFrom(int64_t nth, int64_t count) {
  absl::MutexLock lock(&state_->mu);
  state_->changes = 0;
  state_->fail_first = nth;
  state_->fail_count = count;
}

bool FaultyVfs::Failed() const {
  absl::MutexLock lock(&state_->mu);
  return state_->fail_count > 0 && state_->changes >= state_->fail_first;
}

void FaultyVfs::Watch(std::function<void(int64_t)> before_change) {
  absl::MutexLock lock(&state_->mu);
  state_->watched = 0;
  state_->before_change = std::move(before_change);
}

bool FaultyVfs::LogIsSynced() const {
  absl::MutexLock lock(&state_->mu);
  return state_->unsynced == 0;
}

}  // namespace trainyard
