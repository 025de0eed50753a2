// ProcessMetrics shows this process as every Prometheus client library does (process_*), from
// /proc/self.
//
// Thread-safety: all methods from any thread. A figure that cannot be read is left out.
#ifndef TRAINYARD_SERVER_METRICS_PROCESS_METRICS_H_
#define TRAINYARD_SERVER_METRICS_PROCESS_METRICS_H_

#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace trainyard {

class ProcessMetrics : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_PROCESS_METRICS_H_
