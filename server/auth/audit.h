// Audit is the record of every call that changed something, or was refused for want of permission:
// entries in a chain of digests, in the order in which the calls ended. The funnel writes it
// (call_scope.h); services do nothing for it.
//
// Promised: an entry is appended before its call is answered, in order and without gap, and is
// durable one group commit later. A crash in between may lose the newest entries, never one before
// an entry that is there. Nothing is appended while there is no user.
//
// Bounds: beyond `entries_max` the oldest are dropped in blocks of kDropBlock; the chain begins at
// the oldest entry that is left, whose previous_digest still tells which one came before. At most
// kWaitingMax entries wait for the disk; then calls that change something are refused.
//
// Thread-safety: all methods from any thread.
#ifndef TRAINYARD_SERVER_AUTH_AUDIT_H_
#define TRAINYARD_SERVER_AUTH_AUDIT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/message.h"
#include "trainyard/v1/auth.pb.h"

namespace trainyard {

class Connection;
class Database;

// What `entry.digest` must be: the digest of all the rest of it.
std::string AuditDigest(v1::AuditEntry entry);
// What a request or an answer is about: its `name`, or that of the first resource in it, or its
// `parent`, `course`, `assignment` or `user` where that is a name ("courses/dl"), not an id; else
// empty.
std::string ResourceOf(const google::protobuf::Message& message);

class Audit {
 public:
  static constexpr int64_t kEntriesMaxDefault = 10'000'000;
  static constexpr int64_t kDropBlock = 1'000;
  static constexpr size_t kWaitingMax = 65'536;
  static constexpr int64_t kPageDefault = 1'000;
  static constexpr int64_t kPageMax = 10'000;

  // REQUIRES: `database` outlives this object.
  static absl::StatusOr<std::unique_ptr<Audit>> Open(Database* database, int64_t entries_max);
  // Waits until what was appended is durable, or cannot be.
  ~Audit();

  // RESOURCE_EXHAUSTED/STORAGE_FULL when too many entries wait for the disk: a call that changes
  // something must not begin.
  absl::Status CheckRoom() const;
  // Sets sequence, previous_digest and digest. Waits for no disk. REQUIRES: CheckRoom was OK when
  // the call began, so that calls under way bound what waits beyond kWaitingMax.
  void Append(v1::AuditEntry entry);
  // What was appended before the call is in it.
  absl::StatusOr<v1::ListAuditEntriesResponse> List(const v1::ListAuditEntriesRequest& request);

 private:
  Audit(Database* database, int64_t entries_max) : database_(database), entries_max_(entries_max) {}
  absl::Status Load();
  // Starts writing what waits, unless a write is under way.
  void MaybeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // On the writer thread.
  absl::Status InsertAll(Connection& connection, const std::deque<v1::AuditEntry>& entries) const;
  void OnWritten(size_t count, const absl::Status& status);
  // Waits until nothing waits any more, trying again once; the error of that.
  absl::Status Flush();
  bool idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !writing_; }

  Database* const database_;
  const int64_t entries_max_;
  mutable absl::Mutex mutex_;
  int64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string last_digest_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::AuditEntry> waiting_ ABSL_GUARDED_BY(mutex_);  // not durable yet, oldest first
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;                // the first of them
  absl::Status last_write_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_AUDIT_H_
