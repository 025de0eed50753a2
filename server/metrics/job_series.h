// JobSeriesCollectable shows running jobs at /metrics/jobs, each as a handful of gauges (METRICS.md
// section 3), read from a snapshot at each scrape: nothing is kept per job, so a job that ended
// leaves nothing behind.
//
// Bound: Metrics::JobSeriesOptions::jobs_max jobs a scrape, the first of the snapshot; the others
// are counted as dropped.
// Thread-safety: all methods from any thread.
#ifndef TRAINYARD_SERVER_METRICS_JOB_SERIES_H_
#define TRAINYARD_SERVER_METRICS_JOB_SERIES_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/collectable.h"
#include "server/metrics/metrics.h"

namespace trainyard {

class JobSeriesCollectable : public prometheus::Collectable {
 public:
  using Source = std::function<std::vector<Metrics::JobSeries>()>;

  void SetSource(const Metrics::JobSeriesOptions& options, Source source)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<prometheus::MetricFamily> Collect() const override ABSL_LOCKS_EXCLUDED(mutex_);

  // Jobs that the last scrape showed.
  int64_t shown() const { return shown_.load(std::memory_order_relaxed); }
  // Jobs left out, summed over all scrapes.
  int64_t dropped_total() const { return dropped_total_.load(std::memory_order_relaxed); }

 private:
  mutable absl::Mutex mutex_;
  Metrics::JobSeriesOptions options_ ABSL_GUARDED_BY(mutex_);
  Source source_ ABSL_GUARDED_BY(mutex_);
  mutable std::atomic<int64_t> shown_{0};
  mutable std::atomic<int64_t> dropped_total_{0};
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_JOB_SERIES_H_
