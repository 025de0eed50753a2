#include "server/metrics/labelled_counter.h"

#include "absl/strings/ascii.h"
#include "core/base/error_info.h"

namespace trainyard {

std::vector<std::string> ReasonLabels() {
  std::vector<std::string> names;
  for (int reason = 0; reason <= static_cast<int>(kErrorReasonLast); ++reason) {
    names.push_back(absl::AsciiStrToLower(ErrorReasonName(static_cast<ErrorReason>(reason))));
  }
  return names;
}

LabelledCounter::LabelledCounter(prometheus::Family<prometheus::Counter>& family,
                                 const prometheus::Labels& fixed, const std::string& label,
                                 const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    prometheus::Labels labels = fixed;
    labels.emplace(label, value);
    prometheus::Counter* const counter = &family.Add(labels);
    if (fallback_ == nullptr) fallback_ = counter;
    counters_.emplace(value, counter);
  }
}

void LabelledCounter::Increment(absl::string_view value, double by) {
  const auto found = counters_.find(value);
  (found == counters_.end() ? fallback_ : found->second)->Increment(by);
}

}  // namespace trainyard
