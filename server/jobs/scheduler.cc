#include "server/jobs/scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/check.h"

namespace trainyard {
namespace {

constexpr double kMicrosecondsPerSecond = 1e6;
// Of a job that is put back, if it took more than its estimate.
constexpr double kRemainingShareMin = 1.0 / 16;

int64_t Microseconds(double slot_seconds) {
  const double bounded = std::clamp(slot_seconds, 0.0, Scheduler::kCostMax);
  return std::llround(bounded * kMicrosecondsPerSecond);
}

int64_t VirtualTime(int64_t work, double weight) {
  return std::llround(static_cast<double>(work) / weight);
}

}  // namespace

bool Scheduler::Add(const Entry& entry) {
  TY_CHECK(entry.slots >= 1);
  TY_CHECK(entry.cost > 0);
  if (size() >= options_.queue_max) return false;
  if (queued_.contains(entry.job) || running_.contains(entry.job)) return false;
  if (!tickets_.insert(entry.ticket).second) return false;
  Owner& owner = FindOrAddOwner(entry.owner);
  const size_t to = PriorityClassOf(entry.priority);
  if (owner.shares[to].queue.empty()) Arrive(classes_[to], &owner.shares[to]);
  ++owner.jobs;
  Enqueue(entry, owner);
  UpdateTurns(owner);
  return true;
}

Scheduler::Owner& Scheduler::FindOrAddOwner(const std::string& name) {
  if (const auto found = owners_.find(name); found != owners_.end()) return *found->second;
  if (owners_.size() >= kOwnersRemembered) ForgetIdleOwners();
  auto owner = std::make_unique<Owner>();
  owner->name = name;
  if (const auto weight = weights_.find(name); weight != weights_.end())
    owner->weight = weight->second;
  return *(owners_[name] = std::move(owner));
}

void Scheduler::ForgetIdleOwners() {
  absl::erase_if(owners_, [](const auto& named) { return named.second->jobs == 0; });
}

void Scheduler::CloseAccountsIfIdle() {
  if (!queued_.empty() || !running_.empty()) return;
  owners_.clear();
  classes_ = {};
}

bool Scheduler::WithinLimit(const Owner& owner, int slots) const {
  if (options_.owner_running_max == 0 || owner.running_slots == 0) return true;
  return owner.running_slots + slots <= options_.owner_running_max;
}

void Scheduler::Arrive(const Class& to, Share* share) {
  share->lead = share->virtual_time - to.virtual_time;
  share->virtual_time = std::max(share->virtual_time, to.virtual_time);
  ++share->arrivals;
}

TicketQueue::Item Scheduler::ItemOf(const Entry& entry, double weight) {
  const int64_t work = std::max<int64_t>(1, Microseconds(entry.cost));
  return {.ticket = entry.ticket,
          .job = entry.job,
          .slots = entry.slots,
          .virtual_cost = std::max<int64_t>(1, VirtualTime(work, weight)),
          .work = work};
}

void Scheduler::Enqueue(const Entry& entry, Owner& owner) {
  const TicketQueue::Item item = ItemOf(entry, owner.weight);
  const size_t to = PriorityClassOf(entry.priority);
  owner.shares[to].queue.Insert(item);
  classes_[to].total += TicketQueue::SumsOf(item);
  classes_[to].owners.insert(&owner);
  queued_.insert_or_assign(entry.job, Queued{entry, &owner});
}

void Scheduler::Dequeue(const Queued& queued) {
  Owner& owner = *queued.owner;
  const size_t from = PriorityClassOf(queued.entry.priority);
  TicketQueue& queue = owner.shares[from].queue;
  Class& left = classes_[from];
  left.total -= queue.Total();
  queue.Erase(queued.entry.ticket);
  left.total += queue.Total();
  if (queue.empty()) left.owners.erase(&owner);
  if (queue.empty() && left.holder == &owner) left.holder = nullptr;
  if (left.owners.empty()) left.passed_work = 0;
  queued_.erase(queued.entry.job);
}

void Scheduler::UpdateTurns(Owner& owner) {
  for (size_t i = 0; i < kPriorityClassCount; ++i) UpdateTurn(owner, i);
}

void Scheduler::UpdateTurn(Owner& owner, size_t priority_class) {
  Share& share = owner.shares[priority_class];
  std::map<Turn, Owner*>& turns = classes_[priority_class].turns;
  std::optional<Turn> turn;
  if (!share.queue.empty() && WithinLimit(owner, share.queue.First().slots))
    turn = Turn(share.virtual_time, share.queue.First().ticket);
  if (turn == share.turn) return;
  if (share.turn.has_value()) turns.erase(*share.turn);
  if (turn.has_value()) turns.emplace(*turn, &owner);
  share.turn = turn;
}

std::optional<Scheduler::Pick> Scheduler::FrontOf(size_t priority_class) const {
  const Class& from = classes_[priority_class];
  if (from.turns.empty()) return std::nullopt;
  Owner* owner = from.turns.begin()->second;
  if (from.holder != nullptr && from.holder->shares[priority_class].turn.has_value())
    owner = from.holder;
  return Pick{priority_class, owner, &owner->shares[priority_class].queue.First()};
}

std::optional<Scheduler::Pick> Scheduler::Next() const {
  std::optional<Pick> highest, due;
  for (size_t i = 0; i < kPriorityClassCount; ++i) {
    const std::optional<Pick> front = FrontOf(i);
    if (!front.has_value()) continue;
    if (!highest.has_value()) highest = front;
    if (classes_[i].passed_work >= kPatience * front->item->work) due = front;
  }
  return due.has_value() ? due : highest;
}

std::optional<Scheduler::Entry> Scheduler::Take(int free_slots) {
  const std::optional<Pick> next = Next();
  if (!next.has_value()) return std::nullopt;
  if (next->item->slots > free_slots) {
    classes_[next->priority_class].holder = next->owner;
    return std::nullopt;
  }
  CountAsPassed(*next);
  return StartRunning(*next).entry;
}

void Scheduler::CountAsPassed(const Pick& pick) {
  Class& served = classes_[pick.priority_class];
  served.passed_work = 0;
  served.holder = nullptr;
  for (size_t i = pick.priority_class + 1; i < kPriorityClassCount; ++i) {
    if (!classes_[i].turns.empty()) classes_[i].passed_work += pick.item->work;
  }
}

Scheduler::Running& Scheduler::StartRunning(const Pick& pick) {
  Owner& owner = *pick.owner;
  Class& served = classes_[pick.priority_class];
  const Queued queued = queued_.at(pick.item->job);
  Running run{.entry = queued.entry,
              .owner = &owner,
              .charged_class = pick.priority_class,
              .charged = pick.item->virtual_cost};
  served.virtual_time = owner.shares[pick.priority_class].virtual_time;
  for (size_t i = pick.priority_class; i < kPriorityClassCount; ++i) {
    owner.shares[i].virtual_time += run.charged;
    run.arrivals[i] = owner.shares[i].arrivals;
  }
  owner.running_slots += run.entry.slots;
  Dequeue(queued);
  UpdateTurns(owner);
  return running_[run.entry.job] = std::move(run);
}

std::optional<Scheduler::Running> Scheduler::StopRunning(int64_t job, double slot_seconds) {
  const auto found = running_.find(job);
  if (found == running_.end()) return std::nullopt;
  Running run = std::move(found->second);
  running_.erase(found);
  Owner& owner = *run.owner;
  owner.running_slots -= run.entry.slots;
  const int64_t correction = VirtualTime(Microseconds(slot_seconds), owner.weight) - run.charged;
  for (size_t i = run.charged_class; i < kPriorityClassCount; ++i) {
    Share& share = owner.shares[i];
    if (share.arrivals == run.arrivals[i]) {
      share.virtual_time += correction;
      continue;
    }
    // The owner was idle in between: as if the right amount had been charged before that.
    const int64_t lead_before = std::max<int64_t>(0, share.lead);
    share.lead += correction;
    share.virtual_time += std::max<int64_t>(0, share.lead) - lead_before;
  }
  return run;
}

bool Scheduler::End(int64_t job, double slot_seconds) {
  const std::optional<Running> run = StopRunning(job, slot_seconds);
  if (!run.has_value()) return false;
  --run->owner->jobs;
  tickets_.erase(run->entry.ticket);
  UpdateTurns(*run->owner);
  CloseAccountsIfIdle();
  return true;
}

bool Scheduler::PutBack(int64_t job, double slot_seconds) {
  std::optional<Running> run = StopRunning(job, slot_seconds);
  if (!run.has_value()) return false;
  Entry& entry = run->entry;
  entry.cost = std::max(entry.cost - slot_seconds, entry.cost * kRemainingShareMin);
  // No Arrive: a job that ran was not idle.
  Enqueue(entry, *run->owner);
  UpdateTurns(*run->owner);
  return true;
}

bool Scheduler::Remove(int64_t job) {
  const auto found = queued_.find(job);
  if (found == queued_.end()) return false;
  const Queued queued = found->second;
  Dequeue(queued);
  tickets_.erase(queued.entry.ticket);
  --queued.owner->jobs;
  UpdateTurns(*queued.owner);
  CloseAccountsIfIdle();
  return true;
}

bool Scheduler::SetPriority(int64_t job, v1::JobPriority priority) {
  if (const auto run = running_.find(job); run != running_.end()) {
    run->second.entry.priority = priority;
    return true;
  }
  const auto found = queued_.find(job);
  if (found == queued_.end()) return false;
  Queued queued = found->second;
  Owner& owner = *queued.owner;
  Dequeue(queued);
  queued.entry.priority = priority;
  const size_t to = PriorityClassOf(priority);
  if (owner.shares[to].queue.empty()) Arrive(classes_[to], &owner.shares[to]);
  Enqueue(queued.entry, owner);
  UpdateTurns(owner);
  return true;
}

void Scheduler::SetWeight(absl::string_view owner_name, double weight) {
  weight = std::clamp(weight, kWeightMin, kWeightMax);
  weights_[owner_name] = weight;
  const auto found = owners_.find(owner_name);
  if (found == owners_.end()) return;
  Owner& owner = *found->second;
  owner.weight = weight;
  for (const auto& [job, queued] : queued_) {
    if (queued.owner == &owner) Reweigh(queued.entry, &owner);
  }
  UpdateTurns(owner);
}

void Scheduler::Reweigh(const Entry& entry, Owner* owner) {
  const size_t in = PriorityClassOf(entry.priority);
  TicketQueue& queue = owner->shares[in].queue;
  classes_[in].total -= queue.Total();
  queue.Erase(entry.ticket);
  queue.Insert(ItemOf(entry, owner->weight));
  classes_[in].total += queue.Total();
}

std::optional<Scheduler::Entry> Scheduler::Head() const {
  const std::optional<Pick> next = Next();
  if (!next.has_value()) return std::nullopt;
  return queued_.at(next->item->job).entry;
}

std::optional<Scheduler::Entry> Scheduler::Head(v1::JobPriority priority) const {
  const std::optional<Pick> front = FrontOf(PriorityClassOf(priority));
  if (!front.has_value()) return std::nullopt;
  return queued_.at(front->item->job).entry;
}

std::optional<Scheduler::Entry> Scheduler::Oldest(v1::JobPriority priority) const {
  const size_t in = PriorityClassOf(priority);
  const TicketQueue::Item* oldest = nullptr;
  for (const Owner* owner : classes_[in].owners) {
    const TicketQueue::Item& first = owner->shares[in].queue.First();
    if (oldest == nullptr || first.ticket < oldest->ticket) oldest = &first;
  }
  if (oldest == nullptr) return std::nullopt;
  return queued_.at(oldest->job).entry;
}

TicketQueue::Moment Scheduler::StartOf(const Queued& queued, size_t priority_class) {
  const Owner& owner = *queued.owner;
  const Share& share = owner.shares[priority_class];
  int64_t time = share.virtual_time + share.queue.Before(queued.entry.ticket).virtual_cost;
  for (size_t i = 0; i < priority_class; ++i) time += owner.shares[i].queue.Total().virtual_cost;
  return {.time = time, .ticket = queued.entry.ticket};
}

TicketQueue::Sums Scheduler::Before(const Owner& owner, size_t priority_class,
                                    const TicketQueue::Moment& moment) {
  int64_t start = owner.shares[priority_class].virtual_time;
  for (size_t i = 0; i < priority_class; ++i) start += owner.shares[i].queue.Total().virtual_cost;
  return owner.shares[priority_class].queue.StartedBefore(
      {.time = moment.time - start, .ticket = moment.ticket});
}

// What is taken first of a class whatever the virtual times are; empty: the virtual times decide.
// Of the class that is next it is the next job (owners may be at their limit now), of others the
// one that holds its turn.
std::optional<Scheduler::Pick> Scheduler::SureFrontOf(size_t priority_class,
                                                      const std::optional<Pick>& next) const {
  if (next.has_value() && next->priority_class == priority_class) return next;
  if (classes_[priority_class].holder == nullptr) return std::nullopt;
  const std::optional<Pick> front = FrontOf(priority_class);
  const bool holds = front.has_value() && front->owner == classes_[priority_class].holder;
  return holds ? front : std::nullopt;
}

TicketQueue::Sums Scheduler::BeforeInClass(const Queued& queued, size_t priority_class,
                                           const std::optional<Pick>& front) const {
  if (front.has_value() && front->item->job == queued.entry.job) return {};
  const TicketQueue::Moment moment = StartOf(queued, priority_class);
  TicketQueue::Sums sums;
  for (const Owner* owner : classes_[priority_class].owners) {
    TicketQueue::Sums before = Before(*owner, priority_class, moment);
    const bool has_front = front.has_value() && front->owner == owner;
    if (has_front && before.count == 0) before = TicketQueue::SumsOf(*front->item);
    sums += before;
  }
  return sums;
}

TicketQueue::Sums Scheduler::BeforeInAll(const Queued& queued) const {
  const std::optional<Pick> next = Next();
  if (next.has_value() && next->item->job == queued.entry.job) return {};
  const size_t priority_class = PriorityClassOf(queued.entry.priority);
  TicketQueue::Sums before =
      BeforeInClass(queued, priority_class, SureFrontOf(priority_class, next));
  for (size_t i = 0; i < priority_class; ++i) before += classes_[i].total;
  // One job of a lower class, because that is due.
  const bool is_passed = next.has_value() && next->priority_class > priority_class;
  if (is_passed) before += TicketQueue::SumsOf(*next->item);
  return before;
}

Scheduler::Place Scheduler::PlaceOf(int64_t job) const {
  const auto found = queued_.find(job);
  if (found == queued_.end()) return {};
  const TicketQueue::Sums before = BeforeInAll(found->second);
  return {.position = before.count + 1,
          .jobs_ahead = before.count + running(),
          .work_ahead = static_cast<double>(before.work) / kMicrosecondsPerSecond};
}

v1::PendingReason Scheduler::ReasonFor(int64_t job, const Situation& situation) const {
  if (situation.draining) return v1::PENDING_REASON_DRAINING;
  if (situation.workers_connected == 0) return v1::PENDING_REASON_NO_WORKERS;
  if (situation.storage_full) return v1::PENDING_REASON_STORAGE_FULL;
  const auto found = queued_.find(job);
  if (found == queued_.end()) return v1::PENDING_REASON_UNSPECIFIED;
  const Queued& queued = found->second;
  const Share& share = queued.owner->shares[PriorityClassOf(queued.entry.priority)];
  if (!share.turn.has_value()) return v1::PENDING_REASON_OWNER_LIMIT;
  const std::optional<Pick> next = Next();
  const bool is_next = next.has_value() && next->item->job == job;
  return is_next ? v1::PENDING_REASON_WAITING_FOR_SLOTS : v1::PENDING_REASON_QUEUED;
}

}  // namespace trainyard
