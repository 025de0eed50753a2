// DeliveryQueue sends what waits in the outbox (delivery_store.h), one delivery after the other,
// until each is delivered or given up.
//
//   DeliveryQueue queue({}, database, {.on_outcome = ...});
//   queue.Wake();                                        // after a transaction that inserted some
//
// At least once: a delivery whose answer was lost, or not durable before a crash, is sent again
// with the same bytes and the same id. An attempt ends in one of these:
//
//   2xx                                    DELIVERED
//   408, 425, 429, 5xx, no answer          again later, at most DeliveryOptions::attempts_max
//   times, then
//                                          GIVEN_UP; Retry-After is heeded
//   409 to an LTI_SCORE after an attempt   DELIVERED: the platform has it, only its answer was lost
//   whose answer is not known
//   any other (3xx, 4xx)                   GIVEN_UP: asking again gives the same. 404 is what the
//   course's
//                                          hook says to a wrong signature, 410 that nobody listens
//                                          there any more, 3xx that the target's url is an old one
//
// Where a target has a token_url, an LTI_SCORE is sent with an access token of the platform
// (lti_token.h). The answer of the token endpoint counts as that of an attempt, as above, with
// "token: " before its outcome; a 401 to a token that was used before drops the token and is
// worth another try.
//
// Delays double from delay_min to delay_max, each 20 % shorter or longer by chance: with the
// defaults the last attempt is about a day after the first. A service that does not answer holds up
// its own course only: the rest of a batch that is the course's waits for the next batch.
//
// What is due goes by the wall clock, because it has to survive restarts: set back, deliveries wait
// longer.
//
// Thread-safety: all methods from any thread. Owns one thread "ty-deliveries"; the destructor stops
// it, within about a second.
#ifndef TRAINYARD_SERVER_GRADING_DELIVERY_QUEUE_H_
#define TRAINYARD_SERVER_GRADING_DELIVERY_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/http_call.h"
#include "server/grading/delivery_store.h"
#include "server/grading/lti_token.h"

namespace trainyard {

class Database;

struct DeliveryOptions {
  absl::Duration delay_min = absl::Seconds(10);
  absl::Duration delay_max = absl::Hours(2);
  int attempts_max = 22;
  // At the latest after this long it is looked for what is due, even if nobody called Wake().
  absl::Duration poll_interval = absl::Seconds(5);
  int64_t batch_max = 256;
  int64_t batch_course_max = 64;
  HttpOptions http;
};

// Called from the queue's thread; each may be empty.
struct DeliveryObserver {
  std::function<void(const DeliveryStats& stats)> on_stats;  // after each batch
  // After each attempt that was stored, with the delivery as it is then; WAITING: it will be tried
  // again.
  std::function<void(const v1::Delivery& delivery)> on_outcome;
};

// How LTI_SCOREs get access tokens.
struct LtiAccess {
  // Of a course (id), for the address of a delivery; nullopt: its target has a bearer token of its
  // own, or is at another origin by now.
  std::function<std::optional<LtiClient>(const std::string& course, const std::string& url)>
      find_client;
  LtiTokens::FindKey find_key;
};

struct DeliveryAttempt {
  absl::StatusOr<HttpAnswer> answer;
  bool for_token = false;   // the answer is the token endpoint's, and the document was not sent
  bool token_used = false;  // the document was sent with a token that had been used before
};

// What an attempt came to. `record` is the delivery before it.
struct DeliveryVerdict {
  v1::Delivery::State state = v1::Delivery::WAITING;
  std::string outcome;         // "HTTP 503", or curl's words
  absl::Duration retry_after;  // what the service asked for
};
DeliveryVerdict JudgeAttempt(const v1::Delivery& record, const DeliveryAttempt& attempt,
                             int attempts_max);

// The delay after attempt `attempts` (1 for the first), before chance has its say.
absl::Duration DeliveryDelay(const DeliveryOptions& options, int attempts);

class DeliveryQueue {
 public:
  // REQUIRES: `*database`, and what is behind `lti`, outlive it. Without `lti` no target has a
  // token_url.
  DeliveryQueue(DeliveryOptions options, Database* database, DeliveryObserver observer,
                LtiAccess lti = {});
  ~DeliveryQueue();
  DeliveryQueue(const DeliveryQueue&) = delete;
  DeliveryQueue& operator=(const DeliveryQueue&) = delete;

  // There may be something due.
  void Wake();

 private:
  void Run();
  // Sends what is due; how long to wait for more.
  absl::StatusOr<absl::Duration> SendBatch();
  // Whether its course's others may be tried now.
  absl::StatusOr<bool> SendOne(const DueDelivery& delivery);
  DeliveryAttempt Send(const DueDelivery& delivery);
  DeliveryAttempt SendWithToken(const DueDelivery& delivery, const LtiClient& client);
  absl::StatusOr<HttpAnswer> Post(const DueDelivery& delivery, absl::string_view secret);
  std::optional<LtiClient> FindClient(const v1::Delivery& record) const;
  v1::Delivery After(const v1::Delivery& before, const DeliveryVerdict& verdict);
  absl::StatusOr<absl::Duration> Observe();
  bool ShouldRun() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return woken_ || stopping_.load(); }

  // Constant after construction.
  const DeliveryOptions options_;
  Database* const database_;
  const DeliveryObserver observer_;
  const LtiAccess lti_;
  // Only the queue's thread.
  absl::BitGen random_;
  LtiTokens tokens_;

  std::atomic<bool> stopping_ = false;  // also read by HttpCall, in the middle of a call
  absl::Mutex mu_;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_DELIVERY_QUEUE_H_
