// LiveGauges shows what is true at the moment of a scrape: queue, workers, datasets, disk, build.
//
// Thread-safety: all methods from any thread. Lifetime: `*job_series` must outlive this.
#ifndef TRAINYARD_SERVER_METRICS_LIVE_GAUGES_H_
#define TRAINYARD_SERVER_METRICS_LIVE_GAUGES_H_

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/collectable.h"
#include "server/metrics/families.h"
#include "server/metrics/job_series.h"
#include "server/metrics/metrics.h"

namespace trainyard {

class LiveGauges : public prometheus::Collectable {
 public:
  explicit LiveGauges(const JobSeriesCollectable* job_series) : job_series_(job_series) {}

  void SetSource(std::function<Metrics::Snapshot()> source) ABSL_LOCKS_EXCLUDED(mutex_);
  // Labels of trainyard_build_info.
  void SetBuildInfo(SampleLabels labels) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<prometheus::MetricFamily> Collect() const override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const JobSeriesCollectable* const job_series_;
  mutable absl::Mutex mutex_;
  std::function<Metrics::Snapshot()> source_ ABSL_GUARDED_BY(mutex_);
  SampleLabels build_info_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_LIVE_GAUGES_H_
