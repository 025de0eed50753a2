#include "server/metrics/grading_metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/metrics/families.h"
#include "server/metrics/labelled_counter.h"

namespace trainyard {
namespace {

using prometheus::Counter;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::MetricFamily;
using Buckets = std::vector<double>;

constexpr char kOther[] = "other";
// Each in the order of its enum.
constexpr std::array<const char*, 4> kOutcomes = {"done", "ungradable", "infra_error", "cancelled"};
constexpr std::array<const char*, 3> kRefundCauses = {"ungradable", "infra_error", "cancelled"};
constexpr std::array<const char*, 2> kDeliveryKinds = {"check_run", "lti_score"};
constexpr std::array<const char*, 3> kDeliveryOutcomes = {"delivered", "retry", "given_up"};

prometheus::Family<Counter>& CounterNamed(prometheus::Registry* registry, const char* name,
                                          const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry);
}

prometheus::Family<Histogram>& HistogramNamed(prometheus::Registry* registry, const char* name,
                                              const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry);
}

// The counters of an enum's values, whose names are `values`: all there from the start.
template <typename Enum, size_t kCount>
class PerValue {
 public:
  PerValue(prometheus::Family<Counter>& family, const Labels& fixed, const char* label,
           const std::array<const char*, kCount>& values) {
    for (size_t i = 0; i < kCount; ++i) {
      Labels labels = fixed;
      labels.emplace(label, values[i]);
      counters_[i] = &family.Add(labels);
    }
  }
  Counter& operator[](Enum value) const { return *counters_[static_cast<size_t>(value)]; }

 private:
  std::array<Counter*, kCount> counters_;
};

MetricFamily ActiveSubmissions(const GradingMetrics::Snapshot& now) {
  MetricFamily family =
      GaugeFamily("trainyard_submissions", "Submissions that have not ended, by state.");
  AddSample(&family, {{"state", "queued"}}, static_cast<double>(now.submissions_queued));
  AddSample(&family, {{"state", "running"}}, static_cast<double>(now.submissions_running));
  AddSample(&family, {{"state", "evaluating"}}, static_cast<double>(now.submissions_evaluating));
  return family;
}

}  // namespace

// Names, labels and buckets are what dashboards depend on.
class GradingMetrics::Impl : public prometheus::Collectable {
 public:
  // The series of one assignment.
  struct Series {
    std::string label;
    Counter* accepted;
    Counter* accepted_cached;
    PerValue<Outcome, kOutcomes.size()> finished;
    Histogram* points;
  };

  explicit Impl(prometheus::Registry* registry) : registry_(registry), other_(MakeSeries(kOther)) {}

  const Series& Find(absl::string_view assignment) const ABSL_LOCKS_EXCLUDED(mutex_);
  void SetSnapshot(std::function<Snapshot()> snapshot) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    snapshot_ = std::move(snapshot);
  }
  std::vector<MetricFamily> Collect() const override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Series MakeSeries(absl::string_view assignment) const;
  MetricFamily Leaks(const std::vector<Assignment>& assignments) const ABSL_LOCKS_EXCLUDED(mutex_);

  prometheus::Registry* const registry_;
  prometheus::Family<Counter>& accepted_ =
      CounterNamed(registry_, "trainyard_submissions_accepted_total",
                   "Submissions accepted; cached ones had been graded before.");
  prometheus::Family<Counter>& finished_ = CounterNamed(
      registry_, "trainyard_submissions_finished_total", "Submissions that ended, by outcome.");
  prometheus::Family<Histogram>& points_ =
      HistogramNamed(registry_, "trainyard_submission_points_ratio",
                     "Points told to students, as a share of the assignment's maximum.");
  prometheus::Family<Counter>& refunds_family_ =
      CounterNamed(registry_, "trainyard_attempts_refunded_total",
                   "Attempts that were given back to students, by the outcome that they had.");
  prometheus::Family<Counter>& replays_ =
      CounterNamed(registry_, "trainyard_grading_replays_total",
                   "Submissions trained again to compare their bits, by result.");
  prometheus::Family<Counter>& delivery_attempts_ =
      CounterNamed(registry_, "trainyard_delivery_attempts_total",
                   "Attempts to send points to another service, by what came of them.");
  prometheus::Family<Histogram>& delivery_seconds_ =
      HistogramNamed(registry_, "trainyard_delivery_seconds",
                     "Time from the creation of a delivery until it was delivered.");

  PerValue<DeliveryOutcome, kDeliveryOutcomes.size()> AttemptsOf(DeliveryKind kind) const {
    const Labels labels = {{"kind", kDeliveryKinds[static_cast<size_t>(kind)]}};
    return {delivery_attempts_, labels, "outcome", kDeliveryOutcomes};
  }
  Histogram* LatencyOf(DeliveryKind kind) const {
    return &delivery_seconds_.Add({{"kind", kDeliveryKinds[static_cast<size_t>(kind)]}},
                                  Buckets{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400});
  }

 public:
  LabelledCounter rejected{CounterNamed(registry_, "trainyard_submissions_rejected_total",
                                        "Submissions that were not accepted, by reason."),
                           {},
                           "reason",
                           ReasonLabels()};
  PerValue<RefundCause, kRefundCauses.size()> refunded{
      refunds_family_, {}, "outcome", kRefundCauses};
  Histogram& queue_wait =
      HistogramNamed(registry_, "trainyard_submission_queue_wait_seconds",
                     "Time from the acceptance of a submission until its first training begins.")
          .Add({}, Buckets{.1, .5, 1, 5, 15, 60, 300, 900, 1800, 3600, 14400});
  Histogram& grade_latency = HistogramNamed(registry_, "trainyard_submission_grade_seconds",
                                            "Time from the acceptance of a submission to its end.")
                                 .Add({}, Buckets{.5, 1, 5, 15, 60, 300, 900, 1800, 3600, 14400});
  Counter& infra_retries = CounterNamed(registry_, "trainyard_submission_infra_retries_total",
                                        "Trainings of submissions that began again after a fault "
                                        "of the service.")
                               .Add({});
  Counter& replays_equal = replays_.Add({{"result", "equal"}});
  Counter& replays_different = replays_.Add({{"result", "different"}});
  // By DeliveryKind.
  const std::array<PerValue<DeliveryOutcome, kDeliveryOutcomes.size()>, kDeliveryKinds.size()>
      delivery_attempts = {AttemptsOf(DeliveryKind::kCheckRun),
                           AttemptsOf(DeliveryKind::kLtiScore)};
  const std::array<Histogram*, kDeliveryKinds.size()> delivery_seconds = {
      LatencyOf(DeliveryKind::kCheckRun), LatencyOf(DeliveryKind::kLtiScore)};

 private:
  const Series other_;
  mutable absl::Mutex mutex_;
  // Only grows, so that a Series found stays where it is.
  mutable absl::flat_hash_map<std::string, std::unique_ptr<const Series>> series_
      ABSL_GUARDED_BY(mutex_);
  std::function<Snapshot()> snapshot_ ABSL_GUARDED_BY(mutex_);
};

GradingMetrics::Impl::Series GradingMetrics::Impl::MakeSeries(absl::string_view assignment) const {
  const Labels labels = {{"assignment", std::string(assignment)}};
  const auto accepted = [&](const char* cached) {
    Labels with = labels;
    with.emplace("cached", cached);
    return &accepted_.Add(with);
  };
  return {.label = std::string(assignment),
          .accepted = accepted("false"),
          .accepted_cached = accepted("true"),
          .finished = {finished_, labels, "outcome", kOutcomes},
          .points = &points_.Add(labels, Buckets{0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1})};
}

const GradingMetrics::Impl::Series& GradingMetrics::Impl::Find(absl::string_view assignment) const {
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = series_.find(assignment);
    if (found != series_.end()) return *found->second;
    if (series_.size() >= kAssignmentsMax) return other_;
  }
  absl::MutexLock lock(&mutex_);
  const auto found = series_.find(assignment);
  if (found != series_.end()) return *found->second;
  if (series_.size() >= kAssignmentsMax) return other_;
  auto made = std::make_unique<const Series>(MakeSeries(assignment));
  return *series_.emplace(assignment, std::move(made)).first->second;
}

MetricFamily GradingMetrics::Impl::Leaks(const std::vector<Assignment>& assignments) const {
  struct Ratios {
    double student = 0, all = 0;
  };
  // By label. Of those that share "other": the nearest to its limit.
  std::map<std::string, Ratios> leaks = {{kOther, {}}};
  for (const Assignment& each : assignments) {
    Ratios& ratios = leaks[Find(each.assignment).label];
    ratios.student = std::max(ratios.student, each.leak_student_ratio);
    ratios.all = std::max(ratios.all, each.leak_class_ratio);
  }
  MetricFamily family = GaugeFamily("trainyard_leak_limit_used_ratio",
                                    "Share of an assignment's leak limit that is used: by the "
                                    "student who learned most, and by the class.");
  for (const auto& [label, ratios] : leaks) {
    AddSample(&family, {{"assignment", label}, {"limit", "student"}}, ratios.student);
    AddSample(&family, {{"assignment", label}, {"limit", "class"}}, ratios.all);
  }
  return family;
}

std::vector<MetricFamily> GradingMetrics::Impl::Collect() const {
  std::function<Snapshot()> snapshot;
  {
    absl::MutexLock lock(&mutex_);
    snapshot = snapshot_;
  }
  const Snapshot now = snapshot ? snapshot() : Snapshot{};
  return {ActiveSubmissions(now),
          SingleGauge("trainyard_submission_oldest_active_timestamp_seconds",
                      "When the oldest submission that has not ended was accepted; 0 when none is.",
                      now.oldest_active_timestamp_seconds),
          Leaks(now.assignments),
          SingleGauge("trainyard_deliveries_waiting", "Deliveries that wait to be sent.",
                      static_cast<double>(now.deliveries_waiting)),
          SingleGauge("trainyard_delivery_oldest_waiting_timestamp_seconds",
                      "When the oldest delivery that waits was created; 0 when none waits.",
                      now.oldest_waiting_delivery_timestamp_seconds),
          SingleGauge("trainyard_deliveries_given_up", "Deliveries that were given up.",
                      static_cast<double>(now.deliveries_given_up))};
}

GradingMetrics::GradingMetrics(prometheus::Registry* registry)
    : impl_(std::make_shared<Impl>(registry)) {}
GradingMetrics::~GradingMetrics() = default;

void GradingMetrics::SubmissionAccepted(absl::string_view assignment, bool cached) {
  const Impl::Series& series = impl_->Find(assignment);
  (cached ? series.accepted_cached : series.accepted)->Increment();
}
void GradingMetrics::SubmissionRejected(absl::string_view reason) {
  impl_->rejected.Increment(reason);
}
void GradingMetrics::SubmissionFinished(absl::string_view assignment, Outcome outcome) {
  impl_->Find(assignment).finished[outcome].Increment();
}
void GradingMetrics::AttemptRefunded(RefundCause cause) { impl_->refunded[cause].Increment(); }
void GradingMetrics::QueueWait(double seconds) { impl_->queue_wait.Observe(seconds); }
void GradingMetrics::GradeLatency(double seconds) { impl_->grade_latency.Observe(seconds); }
void GradingMetrics::InfraRetry() { impl_->infra_retries.Increment(); }
void GradingMetrics::PointsReleased(absl::string_view assignment, int64_t points,
                                    int64_t max_points) {
  impl_->Find(assignment)
      .points->Observe(static_cast<double>(points) / static_cast<double>(max_points));
}
void GradingMetrics::Replay(bool equal) {
  (equal ? impl_->replays_equal : impl_->replays_different).Increment();
}
void GradingMetrics::DeliveryAttempt(DeliveryKind kind, DeliveryOutcome outcome) {
  impl_->delivery_attempts[static_cast<size_t>(kind)][outcome].Increment();
}
void GradingMetrics::DeliveryLatency(DeliveryKind kind, double seconds) {
  impl_->delivery_seconds[static_cast<size_t>(kind)]->Observe(seconds);
}

void GradingMetrics::SetSnapshot(std::function<Snapshot()> snapshot) {
  impl_->SetSnapshot(std::move(snapshot));
}
std::shared_ptr<prometheus::Collectable> GradingMetrics::gauges() const { return impl_; }

}  // namespace trainyard
