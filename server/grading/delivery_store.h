// The outbox: points on their way to other services, as rows that are written in the transaction
// that decided them. delivery_queue.h sends them.
//
//   db->Write([&](Connection& c) -> absl::Status {
//     ... the grade ...
//     TY_ASSIGN_OR_RETURN(InsertedDelivery inserted,
//                         InsertDelivery(c, target, points, absl::Now()));
//     return absl::OkStatus();
//   });
//   queue->Wake();
//
// A delivery's `topic` is its assignment, student and kind: of a topic only the oldest WAITING
// delivery is sent, so what a receiver sees of a student is in order. Bytes never change once they
// are a row.
//
// Thread-safety: functions of a Connection, inside its body. Errors: the connection's, and what is
// said below.
#ifndef TRAINYARD_SERVER_GRADING_DELIVERY_STORE_H_
#define TRAINYARD_SERVER_GRADING_DELIVERY_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/course_event.pb.h"
#include "trainyard/v1/grades.pb.h"

namespace trainyard {

class Connection;

// Rows of a course that may wait. What is inserted beyond it is stored as GIVEN_UP.
inline constexpr int64_t kDeliveriesWaitingMax = 100'000;
// Rows that are kept; the oldest that do not wait go.
inline constexpr int64_t kDeliveriesKeptMax = 1'000'000;
inline constexpr size_t kDeliverySecretBytesMax = 8192;  // bearer tokens may be signed documents

// What a submission came to, for whoever is told.
struct DeliveredPoints {
  std::string course;        // id
  std::string assignment;    // id
  std::string submission;    // name
  std::string student;       // id
  v1::ExternalIds external;  // the student's
  int64_t points = 0;       // CHECK_RUN only
  int64_t centipoints = 0;  // LTI_SCORE only: after penalty and adjustments
  int64_t max_points = 0;
  absl::Time accepted_at;
  // The rest: LTI_SCORE only.
  bool new_submission = false;  // false: the other side knows of it, or there is none
  std::string comment;          // e.g. "Trainyard ty_01J9, late 0 days"
};

struct InsertedDelivery {
  std::string id;  // empty: the target has no url, so nothing is sent
  // Why there is nothing to send, e.g. without github_login; empty: there is.
  std::string impossible;
  std::vector<std::string> warnings;
};

// Writes the document and its row. An LTI_SCORE gets a timestamp that is later, in whole seconds,
// than any of its topic before. When kDeliveriesWaitingMax wait already, the row is GIVEN_UP, with
// a warning, and RetryDelivery sends it: a full outbox holds up no grade. When the points cannot be
// said in the target's form (delivery_document.h), the row is GIVEN_UP, too, and has no document.
absl::StatusOr<InsertedDelivery> InsertDelivery(Connection& connection,
                                                const v1::DeliveryTarget& target,
                                                const DeliveredPoints& points, absl::Time now);

// The secret of a course's target of a kind; nullopt: none. Set: INVALID_ARGUMENT unless it is 1 to
// kDeliverySecretBytesMax printable ASCII characters. It goes to the origin of `url` only (see
// SameOrigin): what waits for another address is sent without; `url` empty: to any.
absl::Status SetDeliverySecret(Connection& connection, absl::string_view course,
                               v1::DeliveryTarget::Kind kind, absl::string_view secret,
                               absl::string_view url = "");
// For a target that moves to another origin without a new secret. Nothing happens without one.
absl::Status DropDeliverySecret(Connection& connection, absl::string_view course,
                                v1::DeliveryTarget::Kind kind);
absl::StatusOr<std::optional<std::string>> GetDeliverySecret(Connection& connection,
                                                             absl::string_view course,
                                                             v1::DeliveryTarget::Kind kind);

// Of one course (id), newest first; state UNSPECIFIED: all. INVALID_ARGUMENT for a bad page.
absl::StatusOr<v1::ListDeliveriesResponse> ListDeliveries(Connection& connection,
                                                          absl::string_view course,
                                                          const v1::ListDeliveriesRequest& request);
// WAITING again, due now, for one more attempt at least. It is sent after what is WAITING in its
// topic and is older, whatever was delivered meanwhile. NOT_FOUND;
// FAILED_PRECONDITION/INVALID_STATE when it was delivered, or has no document.
absl::StatusOr<v1::Delivery> RetryDelivery(Connection& connection, absl::string_view course,
                                           absl::string_view id, absl::Time now);

// For the queue.

struct DueDelivery {
  int64_t number = 0;
  v1::Delivery record;
  std::string document;
  std::string secret;  // as it is now; empty: none
};

// The heads of topics that are due, at most `per_course_max` of a course and `max` in all, those
// that have waited longest first.
absl::StatusOr<std::vector<DueDelivery>> FindDueDeliveries(Connection& connection, absl::Time now,
                                                           int64_t per_course_max, int64_t max);
// When the next head of a topic is due, in whole seconds; nullopt: nothing waits.
absl::StatusOr<std::optional<absl::Time>> NextDeliveryTime(Connection& connection);
// Stores what became of an attempt. Nothing happens when the row is not WAITING any more.
absl::Status UpdateDelivery(Connection& connection, int64_t number, const v1::Delivery& record);

struct DeliveryStats {
  int64_t waiting = 0;
  absl::Duration oldest_waiting;  // since it was made; zero when nothing waits
};
absl::StatusOr<DeliveryStats> ReadDeliveryStats(Connection& connection, absl::Time now);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_DELIVERY_STORE_H_
