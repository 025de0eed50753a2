// GradingMetrics is what an operator sees of grading: submissions, attempts, points that students
// were told, replays, leaks and deliveries. prometheus-cpp stays in grading_metrics.cc.
//
//   metrics.grading().SubmissionAccepted("dl-2027/hw-mlp", /*cached=*/false);
//
// Nothing here names a student or depends on a sealed value before it was released: whoever reads
// Prometheus would see it (GRADING.md section 5, threat 7).
//
// `assignment` is "course/assignment", e.g. "dl-2027/hw-mlp". The first kAssignmentsMax of them
// have series of their own, for as long as the server runs; more are counted together as "other".
// An assignment's series start at 0 when it is first named, by a method or by the snapshot of a
// scrape.
//
// Thread-safety: all methods from any thread; each costs well under a microsecond once its
// assignment was seen.
#ifndef TRAINYARD_SERVER_METRICS_GRADING_METRICS_H_
#define TRAINYARD_SERVER_METRICS_GRADING_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace prometheus {
class Collectable;
class Registry;
}  // namespace prometheus

namespace trainyard {

class GradingMetrics {
 public:
  static constexpr size_t kAssignmentsMax = 100;

  // How a submission ended; why an attempt was given back; what is sent, and what came of trying.
  // New values go to the end: grading_metrics.cc has their names in this order.
  enum class Outcome { kDone, kUngradable, kInfraError, kCancelled };
  enum class RefundCause { kUngradable, kInfraError, kCancelled };
  enum class DeliveryKind { kCheckRun, kLtiScore };
  // kRetry: failed, and will be tried again. kGivenUp: will not be.
  enum class DeliveryOutcome { kDelivered, kRetry, kGivenUp };

  // Lifetime: `*registry` must outlive this.
  explicit GradingMetrics(prometheus::Registry* registry);
  ~GradingMetrics();

  // Submissions. `cached`: the same was graded before, and nothing is trained.
  void SubmissionAccepted(absl::string_view assignment, bool cached);
  // `reason` is the lower-case name of an ErrorReason; any other counts as "unspecified".
  void SubmissionRejected(absl::string_view reason);
  void SubmissionFinished(absl::string_view assignment, Outcome outcome);
  void AttemptRefunded(RefundCause cause);
  void QueueWait(double seconds);     // accepted to the begin of its first training
  void GradeLatency(double seconds);  // accepted to finished
  void InfraRetry();                  // a training begins again after a fault of the service

  // Points that were told to their student; call it at that moment, never before. Points that
  // wait for the close of the assignment are sealed until then, and so must this series be.
  // REQUIRES: max_points > 0.
  void PointsReleased(absl::string_view assignment, int64_t points, int64_t max_points);

  // A submission was trained again; `equal`: it came out bit for bit.
  void Replay(bool equal);

  // One attempt to send points to another service, and the time from the creation of a delivery
  // until it was delivered.
  void DeliveryAttempt(DeliveryKind kind, DeliveryOutcome outcome);
  void DeliveryLatency(DeliveryKind kind, double seconds);

  // What is collected at each scrape.
  struct Assignment {
    std::string assignment;
    // Shares of its leak limits that are used, from 0: by the student who learned most, and by
    // all together. 0 where there is no limit.
    double leak_student_ratio = 0, leak_class_ratio = 0;
  };
  struct Snapshot {
    int64_t submissions_queued = 0, submissions_running = 0, submissions_evaluating = 0;
    double oldest_active_timestamp_seconds = 0;  // accepted, of those three; 0: none
    // All that may be submitted to, newest first, so that new ones are within kAssignmentsMax.
    std::vector<Assignment> assignments;
    int64_t deliveries_waiting = 0;
    double oldest_waiting_delivery_timestamp_seconds = 0;  // created; 0: none
    int64_t deliveries_given_up = 0;
  };
  // Call it before Metrics::Listen. Without a snapshot all of it is shown as 0.
  void SetSnapshot(std::function<Snapshot()> snapshot);

  // What a scrape asks for the snapshot, for Metrics.
  std::shared_ptr<prometheus::Collectable> gauges() const;

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_GRADING_METRICS_H_
