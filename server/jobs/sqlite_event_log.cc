#include "server/jobs/sqlite_event_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/jobs/job.h"
#include "server/storage/database.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

absl::Status CannotRead(int64_t number, int64_t sequence) {
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat("event ", sequence, " of job number ", number, " cannot be read"),
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "restore the data directory from a backup",
                    .in_force = "events are stored as trainyard.v1.JobEvent"});
}

absl::StatusOr<int64_t> FindNumber(Connection& connection, absl::string_view job_name) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kTrainingJobs, job_name));
  TY_ASSIGN_OR_RETURN(Statement query, connection.Prepare("SELECT number FROM jobs WHERE id = ?"));
  query.Bind(id);
  TY_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return NotFound(job_name);
  return query.Int(0);
}

absl::StatusOr<int64_t> LastSequence(Connection& connection, int64_t number) {
  TY_ASSIGN_OR_RETURN(Statement query,
                      connection.Prepare("SELECT last_sequence FROM jobs WHERE number = ?"));
  query.Bind(number);
  TY_ASSIGN_OR_RETURN(const bool found, query.Step());
  TY_CHECK(found);
  return query.Int(0);
}

absl::Status ReadStored(Connection& connection, int64_t number, int64_t start_sequence,
                        int64_t count_max, const std::function<void(v1::JobEvent)>& visit) {
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT sequence, record FROM events WHERE job = ? AND sequence >= ? "
                         "ORDER BY sequence LIMIT ?"));
  query.Bind(number).Bind(start_sequence).Bind(count_max);
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return absl::OkStatus();
    v1::JobEvent event;
    if (!event.ParseFromString(query.Text(1))) return CannotRead(number, query.Int(0));
    visit(std::move(event));
  }
}

}  // namespace

// One subscriber's callback. Its lock is held while the callback runs, so that End() waits for it.
class SqliteEventLog::Listener {
 public:
  explicit Listener(std::function<void(int64_t)> callback) : callback_(std::move(callback)) {}
  void Call(int64_t last_sequence) {
    absl::MutexLock lock(&mu_);
    if (!ended_) callback_(last_sequence);
  }
  void End() {
    absl::MutexLock lock(&mu_);
    ended_ = true;
  }

 private:
  absl::Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  const std::function<void(int64_t)> callback_;
};

class SqliteEventLog::ListenerSubscription : public EventLog::Subscription {
 public:
  ListenerSubscription(SqliteEventLog* log, std::string job_name,
                       std::shared_ptr<Listener> listener)
      : log_(log), job_name_(std::move(job_name)), listener_(std::move(listener)) {}
  ~ListenerSubscription() override { log_->Unsubscribe(job_name_, listener_); }

 private:
  SqliteEventLog* const log_;
  const std::string job_name_;
  const std::shared_ptr<Listener> listener_;
};

absl::Status SqliteEventLog::Append(Connection& connection, int64_t number, absl::Time now,
                                    std::vector<v1::JobEvent>* events, int64_t* last_sequence) {
  TY_ASSIGN_OR_RETURN(*last_sequence, LastSequence(connection, number));
  const google::protobuf::Timestamp timestamp = ToTimestamp(now);
  std::string bytes;
  for (v1::JobEvent& event : *events) {
    event.set_sequence(++*last_sequence);
    *event.mutable_create_time() = timestamp;
    event.SerializeToString(&bytes);
    TY_ASSIGN_OR_RETURN(
        Statement insert,
        connection.Prepare("INSERT INTO events (job, sequence, record) VALUES (?, ?, ?)"));
    insert.Bind(number).Bind(*last_sequence).BindBlob(bytes);
    TY_RETURN_IF_ERROR(insert.Step().status());
  }
  return connection.Run("UPDATE jobs SET last_sequence = ? WHERE number = ?", *last_sequence,
                        number);
}

absl::Status SqliteEventLog::ForEach(Connection& connection, int64_t number,
                                     const std::function<void(const v1::JobEvent&)>& visit) {
  return ReadStored(connection, number, 1, INT64_MAX,
                    [&](const v1::JobEvent& event) { visit(event); });
}

void SqliteEventLog::Open(absl::string_view job_name, int64_t last_sequence) {
  absl::MutexLock lock(&mu_);
  Topic& topic = topics_[job_name];
  topic.open = true;
  topic.last_sequence = last_sequence;
}

void SqliteEventLog::Publish(absl::string_view job_name, std::vector<v1::JobEvent> events) {
  if (events.empty()) return;
  int64_t last_sequence = 0;
  std::vector<std::shared_ptr<Listener>> listeners;
  {
    absl::MutexLock lock(&mu_);
    Topic& topic = topics_[job_name];
    TY_CHECK(events.front().sequence() == topic.last_sequence + 1);
    last_sequence = topic.last_sequence = events.back().sequence();
    for (v1::JobEvent& event : events) {
      topic.tail.push_back(std::make_shared<const v1::JobEvent>(std::move(event)));
    }
    while (static_cast<int64_t>(topic.tail.size()) > kTailEventsMax) topic.tail.pop_front();
    listeners = topic.listeners;
  }
  for (const auto& listener : listeners) listener->Call(last_sequence);
}

void SqliteEventLog::Close(absl::string_view job_name) {
  absl::MutexLock lock(&mu_);
  const auto found = topics_.find(job_name);
  if (found == topics_.end()) return;
  found->second.open = false;
  found->second.tail.clear();
  RemoveIfUnused(job_name);
}

void SqliteEventLog::Delete(absl::string_view job_name) {
  std::vector<std::shared_ptr<Listener>> listeners;
  {
    absl::MutexLock lock(&mu_);
    const auto found = topics_.find(job_name);
    if (found == topics_.end()) return;
    listeners = found->second.listeners;
  }
  for (const auto& listener : listeners) listener->Call(-1);
}

std::optional<std::vector<SharedEvent>> SqliteEventLog::ReadTail(absl::string_view job_name,
                                                                 int64_t start_sequence,
                                                                 int64_t count_max) const {
  absl::MutexLock lock(&mu_);
  const auto found = topics_.find(job_name);
  if (found == topics_.end() || !found->second.open) return std::nullopt;
  const Topic& topic = found->second;
  std::vector<SharedEvent> events;
  if (start_sequence > topic.last_sequence) return events;
  const int64_t tail_start = topic.last_sequence - static_cast<int64_t>(topic.tail.size()) + 1;
  if (start_sequence < tail_start) return std::nullopt;
  const auto begin = topic.tail.begin() + (start_sequence - tail_start);
  const int64_t count = std::min<int64_t>(count_max, topic.tail.end() - begin);
  events.assign(begin, begin + count);
  return events;
}

absl::StatusOr<std::vector<SharedEvent>> SqliteEventLog::Read(absl::string_view job_name,
                                                              int64_t start_sequence,
                                                              int64_t count_max) const {
  start_sequence = std::max<int64_t>(start_sequence, 1);
  if (auto events = ReadTail(job_name, start_sequence, count_max)) return *std::move(events);
  std::vector<SharedEvent> events;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(const int64_t number, FindNumber(connection, job_name));
    return ReadStored(connection, number, start_sequence, count_max, [&](v1::JobEvent event) {
      events.push_back(std::make_shared<const v1::JobEvent>(std::move(event)));
    });
  }));
  return events;
}

std::unique_ptr<EventLog::Subscription> SqliteEventLog::Subscribe(
    absl::string_view job_name, std::function<void(int64_t last_sequence)> callback) {
  auto listener = std::make_shared<Listener>(std::move(callback));
  absl::MutexLock lock(&mu_);
  topics_[job_name].listeners.push_back(listener);
  return std::make_unique<ListenerSubscription>(this, std::string(job_name), std::move(listener));
}

void SqliteEventLog::Unsubscribe(const std::string& job_name,
                                 const std::shared_ptr<Listener>& listener) {
  listener->End();
  absl::MutexLock lock(&mu_);
  const auto found = topics_.find(job_name);
  if (found == topics_.end()) return;
  auto& listeners = found->second.listeners;
  listeners.erase(std::remove(listeners.begin(), listeners.end(), listener), listeners.end());
  RemoveIfUnused(job_name);
}

void SqliteEventLog::RemoveIfUnused(absl::string_view job_name) {
  const auto found = topics_.find(job_name);
  if (!found->second.open && found->second.listeners.empty()) topics_.erase(found);
}

}  // namespace trainyard
