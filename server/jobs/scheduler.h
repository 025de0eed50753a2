// Scheduler decides which queued job runs next, and says of every other one how many are before it
// and why it waits. It is a pure data structure: no threads, no clock, no I/O, so every question of
// policy is a table test or a simulation. JobManager holds the lock, calls it, and measures.
//
//   Scheduler scheduler({.queue_max = 100'000, .owner_running_max = 4});
//   scheduler.Add({.job = 7, .ticket = 1, .slots = 2, .owner = "ann", .cost = 120});
//   while (std::optional<Scheduler::Entry> next = scheduler.Take(free_slots)) { ... }  // start it
//   scheduler.PutBack(7, 12.5);  // it yielded, or its worker was lost; it is queued again
//   scheduler.End(7, 93.0);      // it is over; what it really took corrects its owner's account
//
// Order, from the outside in:
//
// 1. Classes. INTERACTIVE before NORMAL before BATCH (UNSPECIFIED is NORMAL). A class that has a
//    job that may run does not starve: it is due, and goes first, once higher classes have taken
//    kPatience = 15 times the cost of its next job since it was last served. So it gets at least
//    one of 16 slot-seconds, to the accuracy of one job of the higher classes; with jobs of equal
//    cost, one of 16 picks. Of two due classes the lower one goes first. Rejected: one of 16 picks
//    whatever they cost, by which one-hour jobs between one-second ones get 99.6 % of the slots.
//
// 2. Owners. Start-time fair queueing: an owner has a virtual time in each class, the one with the
//    smallest is next (the smaller ticket, if equal), and a job that is taken moves it on by cost /
//    weight, in its class and in all lower ones. So whoever uses INTERACTIVE has less left in
//    NORMAL. Rejected: one virtual time for all classes, by which an owner whose BATCH jobs took
//    slots that nobody wanted would wait behind everybody with his first INTERACTIVE one, and
//    BATCH jobs that waited for long would be credit for NORMAL ones; virtual times that know
//    nothing of each other, by which spreading jobs over classes pays. What it pays now is the
//    1/16 of rule 1.
//    When the first job of an owner comes to a class, the owner's virtual time there is at least
//    that of the job last taken: who was idle has a fair share from now on, not the one that went
//    unused. When nothing is queued and nothing runs, all accounts are closed.
//
// 3. Tickets. First in, first out inside (owner, class).
//
// Cost is an estimate. End and PutBack say what a job took (JobManager: its time on a core, times
// its slots), and the virtual time is corrected by
// the difference, but not below what idling since then has forfeited. A job that is put back keeps
// its ticket, so it is its owner's first again; its cost is then what remains of it, so that its
// owner pays once for each slot-second.
//
// Wide jobs: a job takes its slots at once. When the next one does not fit, nothing of the same or
// a lower class overtakes it: its owner keeps the turn until it fits or leaves. Jobs of higher
// classes may, until rule 1 makes its class due: at most 15 times its cost. Slots that it waits
// for are not lent out meanwhile.
//
// Limit: an owner's jobs may hold owner_running_max slots at a time; owners at the limit are passed
// over. A job wider than the limit runs when it is the only one of its owner.
//
// Bounds: queue_max queued jobs (one that is put back is not refused); accounts of owners with a
// job and of kOwnersRemembered others. Cost: O(log n) for changes; O(owners · log n) for PlaceOf,
// where n are the jobs of one owner and owners are those with queued jobs of the same class.
//
// Thread-safety: none; const methods may run concurrently. Units: slot-seconds.
#ifndef TRAINYARD_SERVER_JOBS_SCHEDULER_H_
#define TRAINYARD_SERVER_JOBS_SCHEDULER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "server/jobs/ticket_queue.h"
#include "server/wire/priority_class.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

class Scheduler {
 public:
  // A lower class waits for at most so many times the cost of its next job.
  static constexpr int64_t kPatience = 15;
  // Weights are brought into this range.
  static constexpr double kWeightMin = 0.1, kWeightMax = 100;
  // Costs are brought into this range: a slot-microsecond to the longest job on the most threads.
  static constexpr double kCostMin = 1e-6, kCostMax = 1e6;
  // Beyond, the accounts of owners without jobs are closed.
  static constexpr size_t kOwnersRemembered = 10'000;

  struct Options {
    int64_t queue_max = 100'000;  // queued jobs; beyond, Add refuses
    // Slots of one owner's running jobs; 0: no limit. Smaller: one owner's long jobs leave more
    // slots to those who come later, and more slots stay empty when nobody comes.
    int owner_running_max = 0;
  };
  struct Entry {
    int64_t job = 0;     // jobs.number
    int64_t ticket = 0;  // place in the order, smaller is sooner; no two jobs have the same
    int slots = 1;
    std::string owner = {};
    v1::JobPriority priority = v1::JOB_PRIORITY_NORMAL;
    double cost = 1;  // estimated slot-seconds from now to its end
  };
  // Where a queued job stands.
  struct Place {
    int64_t position = 0;    // 1 for the next one; 0: the job is not queued
    int64_t jobs_ahead = 0;  // queued before it, and running
    double work_ahead = 0;   // estimated slot-seconds of those queued before it
  };
  // What ReasonFor needs to know of the world.
  struct Situation {
    int workers_connected = 0;
    bool draining = false;
    bool storage_full = false;
  };

  explicit Scheduler(const Options& options) : options_(options) {}

  // False, and nothing changes, when the queue is full or has the job or the ticket already, or one
  // of them is running. REQUIRES: slots >= 1, cost > 0.
  bool Add(const Entry& entry);
  // Takes the next job if `free_slots` are enough for it: it is running from here on. Otherwise it
  // holds its turn.
  std::optional<Entry> Take(int free_slots);
  // A running job is over, or will be added again under another ticket. `slot_seconds` is what it
  // took since it was taken. False when it is not running.
  bool End(int64_t job, double slot_seconds);
  // A running job goes back on the queue, its owner's first. `slot_seconds` is what it took of its
  // cost: 0 when all that it did is lost, so that its owner does not pay for it twice. What remains
  // is the rest of the estimate, at least 1/16 of it. False when the job is not running.
  bool PutBack(int64_t job, double slot_seconds);
  // False when the job is not queued.
  bool Remove(int64_t job);
  // Of a queued job: it moves, keeping its ticket. Of a running one: for the case that it is put
  // back. False when there is no such job.
  bool SetPriority(int64_t job, v1::JobPriority priority);
  // An owner of weight 2 gets twice the share of one of weight 1, the default. Weights are kept
  // until changed, so they are to be set for owners that are known, not for whoever asks. Cost:
  // O(queued jobs).
  void SetWeight(absl::string_view owner, double weight);

  // The job that Take takes when there are slots enough; empty when none is queued, or all are of
  // owners at their limit.
  std::optional<Entry> Head() const;
  // The same of one class, whichever is next: whether an INTERACTIVE job waits, for example.
  std::optional<Entry> Head(v1::JobPriority priority) const;

  // The queued job of a class with the smallest ticket. Cost: O(owners with queued jobs of it).
  std::optional<Entry> Oldest(v1::JobPriority priority) const;

  // Head is 1. Behind it the order is that in which jobs are taken when each takes exactly its cost
  // and nobody else comes; exact for classes, holds, owners, weights and tickets. What it leaves
  // out: which lower classes become due meanwhile, so that a job has up to 1/15 more work before
  // it, and a job of a lower class less; and limits of owners, which let others pass.
  Place PlaceOf(int64_t job) const;
  int64_t Position(int64_t job) const { return PlaceOf(job).position; }
  // Why a queued job does not run now. Above all others: what stops every job.
  v1::PendingReason ReasonFor(int64_t job, const Situation& situation) const;

  // Queued jobs; of a class.
  int64_t size() const { return static_cast<int64_t>(queued_.size()); }
  int64_t size(v1::JobPriority priority) const {
    return classes_[PriorityClassOf(priority)].total.count;
  }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }

 private:
  // A place among the owners of a class.
  using Turn = std::pair<int64_t, int64_t>;  // virtual time, ticket of the first job

  // An owner in a class. Virtual times are slot-microseconds / weight, as integers: what PlaceOf
  // adds up is then to the bit what Take will do.
  struct Share {
    TicketQueue queue;
    int64_t virtual_time = 0;  // at which the first job starts
    // Of the last time when a job came and none was queued: how far the owner's virtual time was
    // above the class's (below 0: so much was forfeited), and how often that happened.
    int64_t lead = 0;
    int64_t arrivals = 0;
    std::optional<Turn> turn;  // if its first job may run
  };
  struct Owner {
    std::string name;
    double weight = 1;
    int running_slots = 0;
    int64_t jobs = 0;  // queued and running
    std::array<Share, kPriorityClassCount> shares;
  };
  struct Class {
    std::map<Turn, Owner*> turns;        // owners whose first job may run
    absl::flat_hash_set<Owner*> owners;  // owners with queued jobs
    TicketQueue::Sums total;             // of queued jobs
    int64_t virtual_time = 0;            // at which the last job started
    int64_t passed_work = 0;             // taken by higher classes since this one was served
    Owner* holder = nullptr;             // its first job was next and did not fit
  };
  struct Queued {
    Entry entry;
    Owner* owner = nullptr;
  };
  struct Running {
    Entry entry;
    Owner* owner = nullptr;
    size_t charged_class = 0;  // and all lower ones
    int64_t charged = 0;       // virtual time
    std::array<int64_t, kPriorityClassCount> arrivals{};
  };
  // A job that is next.
  struct Pick {
    size_t priority_class = 0;
    Owner* owner = nullptr;
    const TicketQueue::Item* item = nullptr;
  };

  Owner& FindOrAddOwner(const std::string& name);
  void ForgetIdleOwners();
  void CloseAccountsIfIdle();
  bool WithinLimit(const Owner& owner, int slots) const;

  static TicketQueue::Item ItemOf(const Entry& entry, double weight);
  // Puts the job into its owner's queue; the caller updates turns.
  void Enqueue(const Entry& entry, Owner& owner);
  void Dequeue(const Queued& queued);
  // Gives a queued job the virtual cost of its owner's weight.
  void Reweigh(const Entry& entry, Owner* owner);
  // To be called when the first job of an owner comes to a class.
  static void Arrive(const Class& to, Share* share);
  // Makes the turns of an owner what its queues, virtual times and slots say.
  void UpdateTurns(Owner& owner);
  void UpdateTurn(Owner& owner, size_t priority_class);

  // Takes the job off its queue and charges its owner.
  Running& StartRunning(const Pick& pick);
  void CountAsPassed(const Pick& pick);
  // Takes the job off the running ones and corrects what its owner was charged.
  std::optional<Running> StopRunning(int64_t job, double slot_seconds);

  std::optional<Pick> FrontOf(size_t priority_class) const;
  std::optional<Pick> Next() const;
  // Of the jobs of `owner` in a class that come before one that starts at `moment`.
  static TicketQueue::Sums Before(const Owner& owner, size_t priority_class,
                                  const TicketQueue::Moment& moment);
  // When the job starts, if all of higher classes goes first.
  static TicketQueue::Moment StartOf(const Queued& queued, size_t priority_class);
  std::optional<Pick> SureFrontOf(size_t priority_class, const std::optional<Pick>& next) const;
  TicketQueue::Sums BeforeInClass(const Queued& queued, size_t priority_class,
                                  const std::optional<Pick>& front) const;
  TicketQueue::Sums BeforeInAll(const Queued& queued) const;

  const Options options_;
  std::array<Class, kPriorityClassCount> classes_;  // highest first
  absl::flat_hash_map<std::string, std::unique_ptr<Owner>> owners_;
  absl::flat_hash_map<std::string, double> weights_;
  absl::flat_hash_map<int64_t, Queued> queued_;
  absl::flat_hash_map<int64_t, Running> running_;
  absl::flat_hash_set<int64_t> tickets_;  // of both
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_SCHEDULER_H_
