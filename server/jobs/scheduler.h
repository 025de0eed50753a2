// Scheduler decides which queued job runs next. It is a pure data structure: no threads, no clock,
// no I/O, so every question of policy is a table test. JobManager holds the lock and calls it.
//
// Order: first in, first out, by ticket. A job takes as many slots as it has threads; when they are
// not free the head waits, and so does everybody behind it, so that a wide job is never starved by
// narrow ones. Cost: O(log n) for every method. Bound: at most `queue_max` jobs.
//
//   Scheduler scheduler(/*queue_max=*/100'000);
//   scheduler.Add({.job = 7, .ticket = 1, .slots = 2});
//   while (std::optional<Scheduler::Entry> next = scheduler.Take(free_slots)) { ... }
//
// Thread-safety: none.
#ifndef TRAINYARD_SERVER_JOBS_SCHEDULER_H_
#define TRAINYARD_SERVER_JOBS_SCHEDULER_H_

#include <cstdint>
#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>
#include <functional>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

class Scheduler {
 public:
  struct Entry {
    int64_t job = 0;     // jobs.number
    int64_t ticket = 0;  // place in the order, smaller is sooner; no two queued jobs have the same
    int slots = 1;
  };
  // What ReasonFor needs to know of the world.
  struct Situation {
    int workers_connected = 0;
    bool draining = false;
  };

  explicit Scheduler(int64_t queue_max) : queue_max_(queue_max) {}

  // False, and nothing changes, when the queue is full or has the job or the ticket already.
  // REQUIRES: slots >= 1.
  bool Add(const Entry& entry);
  // False when the job is not queued.
  bool Remove(int64_t job);
  // Takes the head off the queue if `free_slots` are enough for it.
  std::optional<Entry> Take(int free_slots);
  // The head, if there is one.
  std::optional<Entry> Head() const;

  // 1 for the head; 0 when the job is not queued.
  int64_t Position(int64_t job) const;
  // Why a queued job does not run now.
  v1::PendingReason ReasonFor(int64_t job, const Situation& situation) const;
  int64_t size() const { return static_cast<int64_t>(by_job_.size()); }

 private:
  // A red-black tree that knows the rank of each ticket (libstdc++'s policy-based structures).
  using Tickets = __gnu_pbds::tree<int64_t, int64_t, std::less<int64_t>, __gnu_pbds::rb_tree_tag,
                                   __gnu_pbds::tree_order_statistics_node_update>;

  const int64_t queue_max_;
  Tickets tickets_;  // ticket → job
  absl::flat_hash_map<int64_t, Entry> by_job_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_SCHEDULER_H_
