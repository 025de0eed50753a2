#include "server/grading/delivery_store.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/ids.h"
#include "server/grading/delivery_document.h"
#include "server/storage/database.h"
#include "server/storage/paging.h"
#include "server/storage/records.h"

namespace trainyard {
namespace {

using google::protobuf::util::TimeUtil;

static_assert(v1::Delivery::WAITING == 1, "stands in the statements below");

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(time));
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixNanos(TimeUtil::TimestampToNanoseconds(timestamp));
}

std::string TopicOf(const DeliveredPoints& points, v1::DeliveryTarget::Kind kind) {
  return absl::StrCat(points.course, "/", points.assignment, "/", points.student, "/",
                      v1::DeliveryTarget::Kind_Name(kind));
}

std::string SecretName(absl::string_view course, v1::DeliveryTarget::Kind kind) {
  return absl::StrCat("delivery/", course, "/", v1::DeliveryTarget::Kind_Name(kind));
}

// Where the secret may go; no row: anywhere.
std::string SecretUrlName(absl::string_view course, v1::DeliveryTarget::Kind kind) {
  return absl::StrCat("delivery-url/", course, "/", v1::DeliveryTarget::Kind_Name(kind));
}

absl::StatusOr<std::optional<std::string>> ReadSecret(Connection& connection,
                                                      const std::string& name) {
  TY_ASSIGN_OR_RETURN(Statement query,
                      connection.Prepare("SELECT value FROM secrets WHERE name = ?"));
  TY_ASSIGN_OR_RETURN(const bool found, query.Bind(name).Step());
  if (!found) return std::nullopt;
  return query.Text(0);
}

absl::Status StoreSecret(Connection& connection, const std::string& name, absl::string_view value) {
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare("INSERT OR REPLACE INTO secrets (name, value) VALUES (?, ?)"));
  return insert.Bind(name).BindBlob(value).Step().status();
}

// delivery_counts is kept by the triggers of deliveries (storage/migrations.h).
absl::StatusOr<bool> HasRoom(Connection& connection, absl::string_view course) {
  TY_ASSIGN_OR_RETURN(Statement query,
                      connection.Prepare("SELECT waiting FROM delivery_counts WHERE course = ?"));
  TY_ASSIGN_OR_RETURN(const bool found, query.Bind(course).Step());
  return !found || query.Int(0) < kDeliveriesWaitingMax;
}

// The whole second of a new score: now, but later than any before.
absl::StatusOr<int64_t> NextTimestamp(Connection& connection, absl::string_view topic,
                                      absl::Time now) {
  TY_ASSIGN_OR_RETURN(
      Statement newest,
      connection.Prepare("SELECT MAX(timestamp_seconds) FROM deliveries WHERE topic = ?"));
  TY_RETURN_IF_ERROR(newest.Bind(topic).Step().status());
  const int64_t seconds = absl::ToUnixSeconds(now);
  return newest.IsNull(0) ? seconds : std::max(seconds, newest.Int(0) + 1);
}

absl::StatusOr<DeliveryDocument> MakeDocument(const v1::DeliveryTarget& target,
                                              const DeliveredPoints& points,
                                              int64_t timestamp_seconds) {
  if (target.kind() == v1::DeliveryTarget::LTI_SCORE) {
    return LtiScoreDocument({.user_id = points.external.lti_user_id(),
                             .centipoints = points.centipoints,
                             .max_points = points.max_points,
                             .above_max = target.above_max(),
                             .timestamp = absl::FromUnixSeconds(timestamp_seconds),
                             .submitted_at = points.accepted_at,
                             .new_submission = points.new_submission,
                             .comment = points.comment});
  }
  return CheckRunDocument({.repository_prefix = target.repository_prefix(),
                           .assignment = points.assignment,
                           .github_login = points.external.github_login(),
                           .points = points.points,
                           .max_points = points.max_points,
                           .completed_at = points.accepted_at});
}

// Of an assignment at an LMS.
const std::string& LineItemOf(const v1::DeliveryTarget& target, const std::string& assignment) {
  const auto found = target.line_items().find(assignment);
  return found == target.line_items().end() ? target.url() : found->second;
}

// `given_up`: why it is not even tried; empty: it is.
v1::Delivery MakeRecord(const v1::DeliveryTarget& target, const DeliveredPoints& points,
                        absl::Time now, absl::string_view given_up) {
  v1::Delivery record;
  record.set_id(NewId());
  record.set_course(absl::StrCat("courses/", points.course));
  record.set_submission(points.submission);
  record.set_kind(target.kind());
  const bool is_lti = target.kind() == v1::DeliveryTarget::LTI_SCORE;
  record.set_url(is_lti ? LtiScoresUrl(LineItemOf(target, points.assignment), points.assignment)
                        : target.url());
  *record.mutable_create_time() = ToTimestamp(now);
  if (!given_up.empty()) {
    record.set_state(v1::Delivery::GIVEN_UP);
    record.set_last_outcome(absl::StrCat("never tried: ", given_up));
    return record;
  }
  record.set_state(v1::Delivery::WAITING);
  *record.mutable_next_attempt_time() = ToTimestamp(now);
  return record;
}

absl::Status NoSuchDelivery(absl::string_view id) {
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat("there is no delivery \"", id.substr(0, 80), "\" in this course"),
                   {.reason = ErrorReason::kNotFound, .hint = "see ListDeliveries"});
}

absl::Status AlreadyDelivered(absl::string_view id) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("delivery \"", id, "\" was delivered"),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "regrade the submission to send its points again"});
}

absl::Status NothingToSend(const v1::Delivery& record) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("delivery \"", record.id(), "\" has nothing to send: it was ",
                                record.last_outcome()),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "mend the student's ids in the roster; the points are then sent by "
                            "themselves"});
}

absl::Status StoreRecord(Connection& connection, int64_t number, const v1::Delivery& record) {
  TY_ASSIGN_OR_RETURN(Statement update,
                      connection.Prepare("UPDATE deliveries SET state = ?, next_attempt_seconds = "
                                         "?, record = ? WHERE number = ?"));
  update.Bind(static_cast<int64_t>(record.state())).Bind(record.next_attempt_time().seconds());
  return update.BindBlob(record.SerializeAsString()).Bind(number).Step().status();
}

absl::Status ForgetOldest(Connection& connection) {
  return connection.Run(
      "DELETE FROM deliveries WHERE state != 1 AND number <= (SELECT MAX(number) FROM deliveries) "
      "- "
      "?",
      kDeliveriesKeptMax);
}

// nullopt, too, when there is one for another service.
absl::StatusOr<std::optional<std::string>> SecretFor(Connection& connection,
                                                     absl::string_view course,
                                                     const v1::Delivery& record) {
  TY_ASSIGN_OR_RETURN(const std::optional<std::string> url,
                      ReadSecret(connection, SecretUrlName(course, record.kind())));
  if (url.has_value() && !SameOrigin(*url, record.url())) return std::nullopt;
  return GetDeliverySecret(connection, course, record.kind());
}

absl::Status ReadSecrets(Connection& connection, std::vector<DueDelivery>* due) {
  constexpr size_t kPrefixBytes = sizeof("courses/") - 1;
  for (DueDelivery& delivery : *due) {
    TY_ASSIGN_OR_RETURN(
        const std::optional<std::string> secret,
        SecretFor(connection, delivery.record.course().substr(kPrefixBytes), delivery.record));
    delivery.secret = secret.value_or("");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InsertedDelivery> InsertDelivery(Connection& connection,
                                                const v1::DeliveryTarget& target,
                                                const DeliveredPoints& points, absl::Time now) {
  if (target.url().empty()) return InsertedDelivery();
  TY_ASSIGN_OR_RETURN(const bool has_room, HasRoom(connection, points.course));
  const std::string topic = TopicOf(points, target.kind());
  TY_ASSIGN_OR_RETURN(const int64_t timestamp_seconds, NextTimestamp(connection, topic, now));
  absl::StatusOr<DeliveryDocument> document = MakeDocument(target, points, timestamp_seconds);
  const std::string impossible(document.ok() ? "" : document.status().message());
  const v1::Delivery record = MakeRecord(
      target, points, now, !has_room && document.ok() ? "the outbox was full" : impossible);
  if (!document.ok()) document.emplace();
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare("INSERT INTO deliveries (id, course, state, next_attempt_seconds, topic, "
                         "timestamp_seconds, record, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.Bind(record.id()).Bind(points.course).Bind(static_cast<int64_t>(record.state()));
  insert.Bind(absl::ToUnixSeconds(now)).Bind(topic).Bind(timestamp_seconds);
  insert.BindBlob(record.SerializeAsString()).BindBlob(document->body);
  TY_RETURN_IF_ERROR(insert.Step().status());
  InsertedDelivery inserted{.id = record.id(),
                            .impossible = impossible,
                            .warnings = std::move(document->warnings)};
  if (record.state() == v1::Delivery::WAITING) return inserted;
  TY_RETURN_IF_ERROR(ForgetOldest(connection));
  if (!impossible.empty()) return inserted;
  inserted.warnings.push_back(absl::StrCat(
      kDeliveriesWaitingMax,
      " deliveries of the course wait already: this one is given up until RetryDelivery"));
  return inserted;
}

absl::Status SetDeliverySecret(Connection& connection, absl::string_view course,
                               v1::DeliveryTarget::Kind kind, absl::string_view secret,
                               absl::string_view url) {
  // It may become a header: no line end must get in.
  const bool fits =
      !secret.empty() && secret.size() <= kDeliverySecretBytesMax &&
      std::all_of(secret.begin(), secret.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!fits) {
    return MakeViolationsError(ErrorReason::kInvalidRequest,
                               {{"secret", absl::StrCat("must be 1 to ", kDeliverySecretBytesMax,
                                                        " printable ASCII characters")}});
  }
  TY_RETURN_IF_ERROR(DropDeliverySecret(connection, course, kind));
  TY_RETURN_IF_ERROR(StoreSecret(connection, SecretName(course, kind), secret));
  if (url.empty()) return absl::OkStatus();
  return StoreSecret(connection, SecretUrlName(course, kind), url);
}

absl::Status DropDeliverySecret(Connection& connection, absl::string_view course,
                                v1::DeliveryTarget::Kind kind) {
  TY_ASSIGN_OR_RETURN(Statement drop,
                      connection.Prepare("DELETE FROM secrets WHERE name IN (?, ?)"));
  return drop.Bind(SecretName(course, kind)).Bind(SecretUrlName(course, kind)).Step().status();
}

absl::StatusOr<std::optional<std::string>> GetDeliverySecret(Connection& connection,
                                                             absl::string_view course,
                                                             v1::DeliveryTarget::Kind kind) {
  return ReadSecret(connection, SecretName(course, kind));
}

absl::StatusOr<v1::ListDeliveriesResponse> ListDeliveries(
    Connection& connection, absl::string_view course, const v1::ListDeliveriesRequest& request) {
  TY_ASSIGN_OR_RETURN(const PageQuery page, ParsePage(request.page_size(), request.page_token()));
  TY_ASSIGN_OR_RETURN(
      Statement rows,
      connection.Prepare("SELECT number, record, document FROM deliveries WHERE course = ? AND "
                         "number < ? AND (? = 0 OR state = ?) ORDER BY number DESC LIMIT ?"));
  rows.Bind(course).Bind(page.before_number).Bind(static_cast<int64_t>(request.state()));
  rows.Bind(static_cast<int64_t>(request.state())).Bind(page.size + 1);
  v1::ListDeliveriesResponse response;
  TY_ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      ReadPage(rows, page.size, [&](absl::string_view record) -> absl::StatusOr<int64_t> {
        v1::Delivery* const delivery = response.add_deliveries();
        TY_RETURN_IF_ERROR(ParseRecord(record, "a delivery", delivery));
        delivery->set_document(rows.Text(2));
        return static_cast<int64_t>(record.size() + delivery->document().size());
      }));
  return response;
}

absl::StatusOr<v1::Delivery> RetryDelivery(Connection& connection, absl::string_view course,
                                           absl::string_view id, absl::Time now) {
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT number, record, LENGTH(document) FROM deliveries WHERE id = ? "
                         "AND course = ?"));
  TY_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Bind(course).Step());
  if (!found) return NoSuchDelivery(id);
  v1::Delivery record;
  TY_RETURN_IF_ERROR(ParseRecord(query.Text(1), "a delivery", &record));
  if (record.state() == v1::Delivery::DELIVERED) return AlreadyDelivered(id);
  if (query.Int(2) == 0) return NothingToSend(record);
  record.set_state(v1::Delivery::WAITING);
  *record.mutable_next_attempt_time() = ToTimestamp(now);
  TY_RETURN_IF_ERROR(StoreRecord(connection, query.Int(0), record));
  return record;
}

absl::StatusOr<std::vector<DueDelivery>> FindDueDeliveries(Connection& connection, absl::Time now,
                                                           int64_t per_course_max, int64_t max) {
  TY_ASSIGN_OR_RETURN(
      Statement rows,
      connection.Prepare(
          "SELECT number, record, document FROM (SELECT d.number, d.record, d.document, "
          "d.next_attempt_seconds AS due, ROW_NUMBER() OVER (PARTITION BY d.course ORDER BY "
          "d.next_attempt_seconds, d.number) AS place FROM deliveries d WHERE d.state = 1 AND "
          "d.next_attempt_seconds <= ? AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.topic = "
          "d.topic AND e.state = 1 AND e.number < d.number)) WHERE place <= ? ORDER BY due, number "
          "LIMIT ?"));
  rows.Bind(absl::ToUnixSeconds(now)).Bind(per_course_max).Bind(max);
  std::vector<DueDelivery> due;
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    DueDelivery& delivery = due.emplace_back();
    delivery.number = rows.Int(0);
    TY_RETURN_IF_ERROR(ParseRecord(rows.Text(1), "a delivery", &delivery.record));
    delivery.document = rows.Text(2);
  }
  TY_RETURN_IF_ERROR(ReadSecrets(connection, &due));
  return due;
}

absl::StatusOr<std::optional<absl::Time>> NextDeliveryTime(Connection& connection) {
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT MIN(d.next_attempt_seconds) FROM deliveries d WHERE d.state = 1 "
                         "AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.topic = d.topic AND "
                         "e.state = 1 AND e.number < d.number)"));
  TY_RETURN_IF_ERROR(query.Step().status());
  if (query.IsNull(0)) return std::nullopt;
  return absl::FromUnixSeconds(query.Int(0));
}

absl::Status UpdateDelivery(Connection& connection, int64_t number, const v1::Delivery& record) {
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT 1 FROM deliveries WHERE number = ? AND state = 1"));
  TY_ASSIGN_OR_RETURN(const bool waits, query.Bind(number).Step());
  if (!waits) return absl::OkStatus();
  TY_RETURN_IF_ERROR(StoreRecord(connection, number, record));
  return ForgetOldest(connection);
}

absl::StatusOr<DeliveryStats> ReadDeliveryStats(Connection& connection, absl::Time now) {
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT record FROM deliveries WHERE number = (SELECT MIN(number) FROM "
                         "deliveries WHERE state = 1)"));
  DeliveryStats stats;
  TY_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return stats;
  v1::Delivery oldest;
  TY_RETURN_IF_ERROR(ParseRecord(query.Text(0), "a delivery", &oldest));
  stats.oldest_waiting = std::max(absl::ZeroDuration(), now - ToTime(oldest.create_time()));
  TY_ASSIGN_OR_RETURN(Statement count,
                      connection.Prepare("SELECT SUM(waiting) FROM delivery_counts"));
  TY_RETURN_IF_ERROR(count.Step().status());
  stats.waiting = count.Int(0);
  return stats;
}

}  // namespace trainyard
