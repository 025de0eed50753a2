// SqliteEventLog keeps job events in the table `events`, and the newest ones of live jobs in
// memory.
//
// An append has two halves: Append() inside the transaction that stores the events and gives them
// their sequence numbers, and Publish() once that transaction is durable. Between the two nobody is
// told of them.
//
//   db->Write([&](Connection& c) { return SqliteEventLog::Append(c, number, now, &events,
//   &last_sequence); }); log.Publish(job_name, events);                        // watchers are
//   woken
//
// Thread-safety: all methods from any thread; Publish calls of one job must not overlap.
// Memory: at most kTailEventsMax events for each live job, and one entry per subscription.
#ifndef TRAINYARD_SERVER_JOBS_SQLITE_EVENT_LOG_H_
#define TRAINYARD_SERVER_JOBS_SQLITE_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/jobs/event_log.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

class Connection;
class Database;

class SqliteEventLog : public EventLog {
 public:
  static constexpr int64_t kTailEventsMax = 1024;

  // REQUIRES: `database` outlives the log.
  explicit SqliteEventLog(Database* database) : database_(database) {}

  // Stores `events` after the last one of job `number`, and updates jobs.last_sequence. Fills in
  // sequence and create_time.
  static absl::Status Append(Connection& connection, int64_t number, absl::Time now,
                             std::vector<v1::JobEvent>* events, int64_t* last_sequence);
  // Calls `visit` with each stored event of job `number`, in order. DATA_LOSS when one cannot be
  // read.
  static absl::Status ForEach(Connection& connection, int64_t number,
                              const std::function<void(const v1::JobEvent&)>& visit);

  // A job that will get events: from now on its newest ones are kept in memory.
  void Open(absl::string_view job_name, int64_t last_sequence);
  // `events` are durable. REQUIRES: the job is open, and they follow its last event.
  void Publish(absl::string_view job_name, std::vector<v1::JobEvent> events);
  // The job is terminal: its log is read from SQLite from now on.
  void Close(absl::string_view job_name);
  // The job is gone: listeners are called with -1.
  void Delete(absl::string_view job_name);

  absl::StatusOr<std::vector<SharedEvent>> Read(absl::string_view job_name, int64_t start_sequence,
                                                int64_t count_max) const override;
  std::unique_ptr<Subscription> Subscribe(
      absl::string_view job_name, std::function<void(int64_t last_sequence)> listener) override;

 private:
  class Listener;
  class ListenerSubscription;
  struct Topic {
    bool open = false;
    int64_t last_sequence = 0;
    std::deque<SharedEvent> tail;  // the newest events, up to last_sequence
    std::vector<std::shared_ptr<Listener>> listeners;
  };

  // nullopt: the memory does not have it all, ask SQLite.
  std::optional<std::vector<SharedEvent>> ReadTail(absl::string_view job_name,
                                                   int64_t start_sequence, int64_t count_max) const;
  void Unsubscribe(const std::string& job_name, const std::shared_ptr<Listener>& listener);
  void RemoveIfUnused(absl::string_view job_name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Database* const database_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<std::string, Topic> topics_ ABSL_GUARDED_BY(mu_);
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_SQLITE_EVENT_LOG_H_
