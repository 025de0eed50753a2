// The Scheduler against a slow one that is written from its header: vectors, searched from end to
// end, and places found by taking everything. Costs are whole seconds and weights powers of two, so
// that both compute exactly.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "server/jobs/scheduler.h"

namespace trainyard {
namespace {

using Entry = Scheduler::Entry;

size_t ClassOf(const Entry& entry) {
  return std::array<size_t, 4>{1, 0, 1, 2}.at(static_cast<size_t>(entry.priority));
}

class NaiveScheduler {
 public:
  explicit NaiveScheduler(const Scheduler::Options& options) : options_(options) {}

  bool Add(const Entry& entry) {
    const auto is_same = [&](const Job& job) {
      return job.entry.job == entry.job || job.entry.ticket == entry.ticket;
    };
    if (Queued() >= options_.queue_max) return false;
    if (std::any_of(jobs_.begin(), jobs_.end(), is_same)) return false;
    Arrive(entry.owner, ClassOf(entry));
    jobs_.push_back({.entry = entry});
    return true;
  }
  bool Remove(int64_t number) { return Erase(number, /*running=*/false); }
  std::optional<Entry> Take(int free_slots) {
    Job* next = Next();
    if (next == nullptr) return std::nullopt;
    const size_t in = ClassOf(next->entry);
    if (next->entry.slots > free_slots) {
      holders_[in] = next->entry.owner;
      return std::nullopt;
    }
    passed_[in] = 0;
    holders_[in].reset();
    for (size_t i = in + 1; i < 3; ++i) {
      if (Front(i) != nullptr) passed_[i] += next->entry.cost;
    }
    Start(*next);
    return next->entry;
  }
  bool End(int64_t number, double took) {
    Job* job = Find(number, /*running=*/true);
    if (job == nullptr) return false;
    Correct(*job, took);
    return Erase(number, /*running=*/true);
  }
  bool PutBack(int64_t number, double took) {
    Job* job = Find(number, /*running=*/true);
    if (job == nullptr) return false;
    Correct(*job, took);
    job->running = false;
    job->entry.cost -= took;
    return true;
  }
  bool SetPriority(int64_t number, v1::JobPriority priority) {
    const auto found = std::find_if(jobs_.begin(), jobs_.end(),
                                    [&](const Job& job) { return job.entry.job == number; });
    if (found == jobs_.end()) return false;
    Job moved = *found;
    moved.entry.priority = priority;
    if (!moved.running) {
      jobs_.erase(found);
      Tidy();
      Arrive(moved.entry.owner, ClassOf(moved.entry));
      jobs_.push_back(moved);
    } else {
      *found = moved;
    }
    return true;
  }
  void SetWeight(const std::string& owner, double weight) { weights_[owner] = weight; }

  // The queued jobs in the order of their places.
  std::vector<Entry> Order() const {
    NaiveScheduler copy = *this;
    std::vector<Entry> order;
    const Job* next = copy.Next();
    const size_t next_class = next == nullptr ? 3 : ClassOf(next->entry);
    if (next != nullptr) copy.Consume(*copy.Next(), &order);
    for (size_t i = 0; i < 3; ++i) {
      if (i != next_class && copy.HolderOf(i) != nullptr) copy.Consume(*copy.HolderOf(i), &order);
      copy.options_.owner_running_max = 0;
      while (Job* first = copy.Smallest(i)) copy.Consume(*first, &order);
      copy.options_.owner_running_max = options_.owner_running_max;
    }
    return order;
  }
  bool AtLimit(int64_t number) const {
    const Job& job = *const_cast<NaiveScheduler*>(this)->Find(number, /*running=*/false);
    return !MayRun(*First(job.entry.owner, ClassOf(job.entry)));
  }
  std::vector<int64_t> Numbers(bool running) const {
    std::vector<int64_t> numbers;
    for (const Job& job : jobs_) {
      if (job.running == running) numbers.push_back(job.entry.job);
    }
    return numbers;
  }
  double CostOf(int64_t number) { return Find(number, /*running=*/true)->entry.cost; }

 private:
  struct Job {
    Entry entry;
    bool running = false;
    size_t charged_class = 0;
    double charged = 0;
    std::array<int, 3> arrivals{};
  };
  struct Account {
    double time = 0;
    double lead = 0;
    int arrivals = 0;
  };

  int64_t Queued() const { return static_cast<int64_t>(Numbers(/*running=*/false).size()); }
  double WeightOf(const std::string& owner) const {
    const auto found = weights_.find(owner);
    return found == weights_.end() ? 1 : found->second;
  }
  Job* Find(int64_t number, bool running) {
    for (Job& job : jobs_) {
      if (job.entry.job == number && job.running == running) return &job;
    }
    return nullptr;
  }
  bool Erase(int64_t number, bool running) {
    const auto end = std::remove_if(jobs_.begin(), jobs_.end(), [&](const Job& job) {
      return job.entry.job == number && job.running == running;
    });
    const bool erased = end != jobs_.end();
    jobs_.erase(end, jobs_.end());
    Tidy();
    CloseIfIdle();
    return erased;
  }
  // What follows when jobs have left.
  void Tidy() {
    for (size_t i = 0; i < 3; ++i) {
      if (holders_[i].has_value() && First(*holders_[i], i) == nullptr) holders_[i].reset();
      if (IsEmpty(i)) passed_[i] = 0;
    }
  }
  void CloseIfIdle() {
    if (!jobs_.empty()) return;
    accounts_.clear();
    times_ = {};
  }
  bool IsEmpty(size_t in) const {
    return std::none_of(jobs_.begin(), jobs_.end(),
                        [in](const Job& job) { return !job.running && ClassOf(job.entry) == in; });
  }
  void Arrive(const std::string& owner, size_t in) {
    if (First(owner, in) != nullptr) return;
    Account& account = accounts_[owner][in];
    account.lead = account.time - times_[in];
    account.time = std::max(account.time, times_[in]);
    ++account.arrivals;
  }
  Job* First(const std::string& owner, size_t in) const {
    const Job* first = nullptr;
    for (const Job& job : jobs_) {
      if (job.running || job.entry.owner != owner || ClassOf(job.entry) != in) continue;
      if (first == nullptr || job.entry.ticket < first->entry.ticket) first = &job;
    }
    return const_cast<Job*>(first);
  }
  bool MayRun(const Job& job) const {
    int slots = 0;
    for (const Job& other : jobs_) {
      if (other.running && other.entry.owner == job.entry.owner) slots += other.entry.slots;
    }
    const int limit = options_.owner_running_max;
    return limit == 0 || slots == 0 || slots + job.entry.slots <= limit;
  }
  Job* Smallest(size_t in) {
    Job* best = nullptr;
    const auto key = [&](const Job& job) {
      return std::tuple(accounts_[job.entry.owner][in].time, job.entry.ticket);
    };
    for (const Job& job : jobs_) {
      Job* first = First(job.entry.owner, in);
      if (first == nullptr || !MayRun(*first)) continue;
      if (best == nullptr || key(*first) < key(*best)) best = first;
    }
    return best;
  }
  Job* HolderOf(size_t in) {
    if (!holders_[in].has_value()) return nullptr;
    Job* first = First(*holders_[in], in);
    return first != nullptr && MayRun(*first) ? first : nullptr;
  }
  Job* Front(size_t in) { return HolderOf(in) != nullptr ? HolderOf(in) : Smallest(in); }
  Job* Next() {
    for (size_t i = 2; i > 0; --i) {
      Job* front = Front(i);
      if (front != nullptr && passed_[i] >= 15 * front->entry.cost) return front;
    }
    for (size_t i = 0; i < 3; ++i) {
      if (Job* front = Front(i)) return front;
    }
    return nullptr;
  }
  void Start(Job& job) {
    const std::string& owner = job.entry.owner;
    job.running = true;
    job.charged_class = ClassOf(job.entry);
    job.charged = job.entry.cost / WeightOf(owner);
    times_[job.charged_class] = accounts_[owner][job.charged_class].time;
    for (size_t i = job.charged_class; i < 3; ++i) {
      accounts_[owner][i].time += job.charged;
      job.arrivals[i] = accounts_[owner][i].arrivals;
    }
    Tidy();
  }
  void Correct(Job& job, double took) {
    const double difference = took / WeightOf(job.entry.owner) - job.charged;
    for (size_t i = job.charged_class; i < 3; ++i) {
      Account& account = accounts_[job.entry.owner][i];
      const double before = account.lead;
      if (account.arrivals != job.arrivals[i]) account.lead += difference;
      account.time += account.arrivals == job.arrivals[i]
                          ? difference
                          : std::max(0.0, account.lead) - std::max(0.0, before);
    }
  }
  // As if it ran and took its cost.
  void Consume(Job& job, std::vector<Entry>* order) {
    order->push_back(job.entry);
    for (size_t i = ClassOf(job.entry); i < 3; ++i)
      accounts_[job.entry.owner][i].time += job.entry.cost / WeightOf(job.entry.owner);
    jobs_.erase(jobs_.begin() + (&job - jobs_.data()));
  }

  Scheduler::Options options_;
  std::vector<Job> jobs_;
  std::map<std::string, std::array<Account, 3>> accounts_;
  std::map<std::string, double> weights_;
  std::array<double, 3> times_{};
  std::array<double, 3> passed_{};
  std::array<std::optional<std::string>, 3> holders_;
};

// Both schedulers, given the same random calls.
class Pair {
 public:
  Pair(uint32_t seed, const Scheduler::Options& options)
      : random_(seed), fast_(options), naive_(options) {}

  void Step() {
    switch (Random(10)) {
      case 0:
      case 1:
      case 2:
        return Add();
      case 3:
      case 4:
        return Take();
      case 5:
        return EndOrPutBack(/*end=*/true);
      case 6:
        return EndOrPutBack(/*end=*/false);
      case 7:
        return Remove();
      case 8:
        return SetPriority();
      default:
        return SetWeight();
    }
  }

  void CheckPlaces() {
    const std::vector<Entry> order = naive_.Order();
    ASSERT_EQ(fast_.size(), static_cast<int64_t>(order.size()));
    const auto running = static_cast<int64_t>(naive_.Numbers(/*running=*/true).size());
    double work = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      const Scheduler::Place place = fast_.PlaceOf(order[i].job);
      ASSERT_EQ(place.position, static_cast<int64_t>(i) + 1);
      ASSERT_EQ(place.jobs_ahead, static_cast<int64_t>(i) + running);
      ASSERT_DOUBLE_EQ(place.work_ahead, work);
      work += order[i].cost;
      CheckReason(order[i].job);
    }
  }

 private:
  int Random(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }
  std::string RandomOwner() { return std::string(1, static_cast<char>('a' + Random(6))); }
  v1::JobPriority RandomPriority() { return static_cast<v1::JobPriority>(Random(4)); }
  int64_t RandomJob(bool running) {
    const std::vector<int64_t> numbers = naive_.Numbers(running);
    return numbers.empty() ? -1
                           : numbers[static_cast<size_t>(Random(static_cast<int>(numbers.size())))];
  }

  void CheckReason(int64_t job) {
    const v1::PendingReason reason = fast_.ReasonFor(job, {.workers_connected = 1});
    const std::optional<Entry> head = fast_.Head();
    ASSERT_EQ(reason == v1::PENDING_REASON_OWNER_LIMIT, naive_.AtLimit(job));
    ASSERT_EQ(reason == v1::PENDING_REASON_WAITING_FOR_SLOTS, head.has_value() && head->job == job);
  }
  void Add() {
    // Tickets do not always come in their order: a paused job that is resumed, a lost race.
    const Entry entry{.job = next_,
                      .ticket = next_ * 7 % 1'000'003,
                      .slots = Random(8) == 0 ? Random(3) + 2 : 1,
                      .owner = RandomOwner(),
                      .priority = RandomPriority(),
                      .cost = 1.0 + Random(Random(4) == 0 ? 200 : 4)};
    ++next_;
    ASSERT_EQ(fast_.Add(entry), naive_.Add(entry));
    ASSERT_FALSE(fast_.Add(entry));
  }
  void Take() {
    const int free_slots = Random(5);
    const std::optional<Entry> fast = fast_.Take(free_slots), naive = naive_.Take(free_slots);
    ASSERT_EQ(fast.has_value(), naive.has_value());
    if (!fast.has_value()) return;
    ASSERT_EQ(fast->job, naive->job);
    ASSERT_DOUBLE_EQ(fast->cost, naive->cost);
  }
  void EndOrPutBack(bool end) {
    const int64_t job = RandomJob(/*running=*/true);
    ASSERT_FALSE(fast_.Remove(job));
    if (job < 0) return;
    const int cost = static_cast<int>(naive_.CostOf(job));
    // A job that is put back has at least 1/16 left.
    const int took = end ? Random(2 * cost + 1) : Random(cost - cost / 16);
    ASSERT_TRUE(end ? fast_.End(job, took) : fast_.PutBack(job, took));
    ASSERT_TRUE(end ? naive_.End(job, took) : naive_.PutBack(job, took));
  }
  void Remove() {
    const int64_t job = RandomJob(/*running=*/false);
    ASSERT_EQ(fast_.Remove(job), job >= 0);
    naive_.Remove(job);
  }
  void SetPriority() {
    const int64_t job = RandomJob(Random(2) == 0);
    const v1::JobPriority priority = RandomPriority();
    ASSERT_EQ(fast_.SetPriority(job, priority), naive_.SetPriority(job, priority));
  }
  void SetWeight() {
    const std::string owner = RandomOwner();
    const double weight = std::array<double, 4>{0.5, 1, 2, 4}.at(static_cast<size_t>(Random(4)));
    fast_.SetWeight(owner, weight);
    naive_.SetWeight(owner, weight);
  }

  std::mt19937 random_;
  Scheduler fast_;
  NaiveScheduler naive_;
  int64_t next_ = 1;
};

void Compare(uint32_t seed, const Scheduler::Options& options) {
  SCOPED_TRACE(seed);
  Pair pair(seed, options);
  for (int step = 0; step < 600; ++step) {
    pair.Step();
    if (step % 8 == 0) pair.CheckPlaces();
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(SchedulerModelTest, AgreesWithANaiveOne) {
  for (uint32_t seed = 1; seed <= 40; ++seed) Compare(seed, {.queue_max = 60});
}

TEST(SchedulerModelTest, AgreesWithANaiveOneThatLimitsOwners) {
  for (uint32_t seed = 101; seed <= 140; ++seed)
    Compare(seed, {.queue_max = 60, .owner_running_max = static_cast<int>(seed % 3) + 1});
}

TEST(SchedulerModelTest, AgreesOnShortQueuesThatRunEmpty) {
  for (uint32_t seed = 201; seed <= 240; ++seed) Compare(seed, {.queue_max = 3});
}

}  // namespace
}  // namespace trainyard
