#include "server/metrics/families.h"

#include <utility>

namespace trainyard {

prometheus::MetricFamily GaugeFamily(std::string name, std::string help) {
  return {std::move(name), std::move(help), prometheus::MetricType::Gauge, {}};
}

prometheus::MetricFamily CounterFamily(std::string name, std::string help) {
  return {std::move(name), std::move(help), prometheus::MetricType::Counter, {}};
}

void AddSample(prometheus::MetricFamily* family, SampleLabels labels, double value) {
  prometheus::ClientMetric& sample = family->metric.emplace_back();
  sample.label = std::move(labels);
  // The serializer reads the one that the family's type names.
  sample.gauge.value = value;
  sample.counter.value = value;
}

prometheus::MetricFamily SingleGauge(std::string name, std::string help, double value) {
  prometheus::MetricFamily family = GaugeFamily(std::move(name), std::move(help));
  AddSample(&family, {}, value);
  return family;
}

prometheus::MetricFamily SingleCounter(std::string name, std::string help, double value) {
  prometheus::MetricFamily family = CounterFamily(std::move(name), std::move(help));
  AddSample(&family, {}, value);
  return family;
}

}  // namespace trainyard
