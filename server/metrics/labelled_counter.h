// LabelledCounter is a counter with one label whose values are known beforehand.
//
//   LabelledCounter rejected(family, {}, "reason", ReasonLabels());
//   rejected.Increment("queue_full");
//
// Thread-safety: all methods from any thread, without a lock. Lifetime: the registry of `family`
// must outlive this.
#ifndef TRAINYARD_SERVER_METRICS_LABELLED_COUNTER_H_
#define TRAINYARD_SERVER_METRICS_LABELLED_COUNTER_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"

namespace trainyard {

// The lower-case names of all ErrorReasons, "unspecified" first.
std::vector<std::string> ReasonLabels();

class LabelledCounter {
 public:
  // One series for each of `values`, from 0 on, with the labels `fixed` beside. REQUIRES: `values`
  // is not empty.
  LabelledCounter(prometheus::Family<prometheus::Counter>& family, const prometheus::Labels& fixed,
                  const std::string& label, const std::vector<std::string>& values);
  // Any value that is not known counts as the first.
  void Increment(absl::string_view value, double by = 1);

 private:
  // Constant after construction, so that no lock is needed.
  prometheus::Counter* fallback_ = nullptr;
  absl::flat_hash_map<std::string, prometheus::Counter*> counters_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_LABELLED_COUNTER_H_
