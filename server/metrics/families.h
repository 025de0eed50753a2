// Builds the metric families of our own Collectables: what prometheus-cpp's Registry does not fit,
// because the values are read from elsewhere at each scrape.
//
//   prometheus::MetricFamily jobs = GaugeFamily("trainyard_jobs", "Jobs that are not terminal.");
//   AddSample(&jobs, {{"state", "pending"}}, 3);
//
// Thread-safety: free functions over values.
#ifndef TRAINYARD_SERVER_METRICS_FAMILIES_H_
#define TRAINYARD_SERVER_METRICS_FAMILIES_H_

#include <string>
#include <vector>

#include "prometheus/metric_family.h"

namespace trainyard {

using SampleLabels = std::vector<prometheus::ClientMetric::Label>;

prometheus::MetricFamily GaugeFamily(std::string name, std::string help);
prometheus::MetricFamily CounterFamily(std::string name, std::string help);
void AddSample(prometheus::MetricFamily* family, SampleLabels labels, double value);
// A family with one sample and no labels.
prometheus::MetricFamily SingleGauge(std::string name, std::string help, double value);
prometheus::MetricFamily SingleCounter(std::string name, std::string help, double value);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_FAMILIES_H_
