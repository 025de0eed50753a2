#include "server/auth/audit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/storage/database.h"
#include "server/storage/records.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Room for what an answer has around its entries.
constexpr size_t kListBytesMax = static_cast<size_t>(limits::kAnswerBytesMax) - 65'536;

// The value of a singular string field; empty when there is no such field.
std::string StringField(const Message& message, const char* name) {
  const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(name);
  const bool is_text = field != nullptr && !field->is_repeated() &&
                       field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  return is_text ? message.GetReflection()->GetString(message, field) : "";
}

// The name of the message itself, or of the first message in it that has one.
std::string NameIn(const Message& message) {
  std::string name = StringField(message, "name");
  if (!name.empty()) return name;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_message =
        !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (is_message) name = StringField(reflection.GetMessage(message, field), "name");
    if (!name.empty()) return name;
  }
  return name;
}

absl::Status InsertEntry(Connection& connection, const v1::AuditEntry& entry) {
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare("INSERT INTO audit (sequence, digest, record) VALUES (?, ?, ?)"));
  insert.Bind(entry.sequence()).Bind(entry.digest());
  return insert.BindBlob(entry.SerializeAsString()).Step().status();
}

// The oldest block, once there is a whole one more than `entries_max`.
absl::Status DropOldest(Connection& connection, int64_t last, int64_t entries_max) {
  TY_ASSIGN_OR_RETURN(Statement first, connection.Prepare("SELECT MIN(sequence) FROM audit"));
  TY_RETURN_IF_ERROR(first.Step().status());
  const int64_t oldest = first.Int(0);
  if (last - oldest + 1 < entries_max + Audit::kDropBlock) return absl::OkStatus();
  return connection.Run("DELETE FROM audit WHERE sequence < ?", oldest + Audit::kDropBlock);
}

absl::Status CheckPage(const v1::ListAuditEntriesRequest& request) {
  std::vector<FieldViolation> violations;
  if (request.start_sequence() < 0) {
    violations.push_back({"start_sequence", "is negative; give 0 to start at the oldest"});
  }
  if (request.page_size() < 0) violations.push_back({"page_size", "is negative; give 0 for 1000"});
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

}  // namespace

std::string AuditDigest(v1::AuditEntry entry) {
  entry.clear_digest();
  return Sha256Digest(entry.SerializeAsString());
}

std::string ResourceOf(const Message& message) {
  std::string name = NameIn(message);
  if (!name.empty()) return name;
  for (const char* field : {"parent", "course", "assignment", "user"}) {
    name = StringField(message, field);
    // The id of an assignment says nothing without its course.
    if (absl::StrContains(name, '/')) return name;
  }
  return "";
}

absl::StatusOr<std::unique_ptr<Audit>> Audit::Open(Database* database, int64_t entries_max) {
  auto audit = std::unique_ptr<Audit>(new Audit(database, entries_max));
  TY_RETURN_IF_ERROR(audit->Load());
  return audit;
}

absl::Status Audit::Load() {
  absl::MutexLock lock(&mutex_);
  const auto load = [this](Connection& connection)
                        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
    TY_ASSIGN_OR_RETURN(
        Statement last,
        connection.Prepare("SELECT sequence, digest FROM audit ORDER BY sequence DESC LIMIT 1"));
    TY_ASSIGN_OR_RETURN(const bool found, last.Step());
    if (!found) return absl::OkStatus();
    last_sequence_ = last.Int(0);
    last_digest_ = last.Text(1);
    return absl::OkStatus();
  };
  return database_->Read(load);
}

Audit::~Audit() {
  const absl::Status flushed = Flush();
  if (!flushed.ok()) Log::Error("audit_lost", {{"why", flushed.message()}});
}

absl::Status Audit::CheckRoom() const {
  absl::MutexLock lock(&mutex_);
  if (waiting_.size() < kWaitingMax) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted, "the audit log cannot be written",
                   {.reason = ErrorReason::kStorageFull,
                    .hint = "the operator finds why in the server's log; try again later",
                    .in_force = absl::StrCat("at most ", kWaitingMax, " entries wait"),
                    .metadata = {{kRetryAfterKey, "10"}}});
}

void Audit::Append(v1::AuditEntry entry) {
  absl::MutexLock lock(&mutex_);
  entry.set_sequence(++last_sequence_);
  entry.set_previous_digest(last_digest_);
  last_digest_ = AuditDigest(entry);
  entry.set_digest(last_digest_);
  waiting_.push_back(std::move(entry));
  MaybeWrite();
}

void Audit::MaybeWrite() {
  if (writing_ || waiting_.empty()) return;
  writing_ = true;
  auto entries = std::make_shared<const std::deque<v1::AuditEntry>>(waiting_);
  database_->WriteAsync(
      [this, entries](Connection& connection) { return InsertAll(connection, *entries); },
      [this, entries](const absl::Status& status) { OnWritten(entries->size(), status); });
}

absl::Status Audit::InsertAll(Connection& connection,
                              const std::deque<v1::AuditEntry>& entries) const {
  for (const v1::AuditEntry& entry : entries) {
    TY_RETURN_IF_ERROR(InsertEntry(connection, entry));
  }
  return DropOldest(connection, entries.back().sequence(), entries_max_);
}

void Audit::OnWritten(size_t count, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  last_write_ = status;
  if (!status.ok()) {
    // They wait for the next Append, or Flush, which tries again.
    Log::Error("audit_not_written", {{"entries", count}, {"why", status.message()}});
    return;
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  MaybeWrite();
}

absl::Status Audit::Flush() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &Audit::idle));
  if (waiting_.empty()) return absl::OkStatus();
  MaybeWrite();
  mutex_.Await(absl::Condition(this, &Audit::idle));
  return waiting_.empty() ? absl::OkStatus() : last_write_;
}

absl::StatusOr<v1::ListAuditEntriesResponse> Audit::List(
    const v1::ListAuditEntriesRequest& request) {
  TY_RETURN_IF_ERROR(CheckPage(request));
  TY_RETURN_IF_ERROR(Flush());
  const int64_t count =
      request.page_size() == 0 ? kPageDefault : std::min<int64_t>(request.page_size(), kPageMax);
  v1::ListAuditEntriesResponse response;
  size_t bytes = 0;
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(Statement rows,
                        connection.Prepare("SELECT sequence, record FROM audit "
                                           "WHERE sequence >= ? ORDER BY sequence LIMIT ?"));
    rows.Bind(request.start_sequence()).Bind(count + 1);
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      const std::string record = rows.Text(1);
      bytes += record.size() + 8;
      if (response.entries_size() == count || bytes > kListBytesMax) break;
      TY_RETURN_IF_ERROR(ParseRecord(record, "audit", response.add_entries()));
    }
    response.set_next_sequence(rows.Int(0));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return response;
}

}  // namespace trainyard
