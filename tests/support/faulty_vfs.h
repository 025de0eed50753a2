// FaultyVfs stands between SQLite and its files for as long as it lives: any change of a file can
// be made to fail, or be looked at before it happens. A change is a write, a sync, a truncation or
// a deletion of a database or its log; what SQLite keeps in shared memory is none.
//
//   FaultyVfs vfs;                       // before the database is opened
//   vfs.FailFrom(3, /*count=*/1);        // the third change from now fails once
//   vfs.Watch([&](int64_t change) { … }) // before each change: what a kill would leave is on disk
//
// Thread-safety: all methods from any thread; one FaultyVfs at a time in a process. Lifetime: must
// outlive every database that was opened meanwhile.
#ifndef TRAINYARD_TESTS_SUPPORT_FAULTY_VFS_H_
#define TRAINYARD_TESTS_SUPPORT_FAULTY_VFS_H_

#include <cstdint>
#include <functional>
#include <memory>

namespace trainyard {

class FaultyVfs {
 public:
  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  // The nth change from now (1: the next) and the `count - 1` after it fail with an I/O error.
  void FailFrom(int64_t nth, int64_t count);
  // Whether a fault was met since the last FailFrom.
  bool Failed() const;
  // Called before each change with its number, 1 for the first, from the thread that makes it.
  void Watch(std::function<void(int64_t change)> before_change);
  // Whether every change of a log so far was followed by a sync of it.
  bool LogIsSynced() const;

  struct State;

 private:
  const std::unique_ptr<State> state_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_FAULTY_VFS_H_
