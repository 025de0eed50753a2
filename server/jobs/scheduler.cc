#include "server/jobs/scheduler.h"

#include "core/base/check.h"

namespace trainyard {

bool Scheduler::Add(const Entry& entry) {
  TY_CHECK(entry.slots >= 1);
  if (size() >= queue_max_ || by_job_.contains(entry.job)) return false;
  if (tickets_.find(entry.ticket) != tickets_.end()) return false;
  tickets_.insert({entry.ticket, entry.job});
  by_job_.emplace(entry.job, entry);
  return true;
}

bool Scheduler::Remove(int64_t job) {
  const auto found = by_job_.find(job);
  if (found == by_job_.end()) return false;
  tickets_.erase(found->second.ticket);
  by_job_.erase(found);
  return true;
}

std::optional<Scheduler::Entry> Scheduler::Take(int free_slots) {
  const std::optional<Entry> head = Head();
  if (!head.has_value() || head->slots > free_slots) return std::nullopt;
  Remove(head->job);
  return head;
}

std::optional<Scheduler::Entry> Scheduler::Head() const {
  if (tickets_.empty()) return std::nullopt;
  return by_job_.at(tickets_.begin()->second);
}

int64_t Scheduler::Position(int64_t job) const {
  const auto found = by_job_.find(job);
  if (found == by_job_.end()) return 0;
  return static_cast<int64_t>(tickets_.order_of_key(found->second.ticket)) + 1;
}

v1::PendingReason Scheduler::ReasonFor(int64_t job, const Situation& situation) const {
  if (situation.draining) return v1::PENDING_REASON_DRAINING;
  if (situation.workers_connected == 0) return v1::PENDING_REASON_NO_WORKERS;
  return Position(job) == 1 ? v1::PENDING_REASON_WAITING_FOR_SLOTS : v1::PENDING_REASON_QUEUED;
}

}  // namespace trainyard
