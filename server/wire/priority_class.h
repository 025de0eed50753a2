// The classes of the queue, highest first: what a JobPriority means to whoever keeps something per
// class, and what the class is called in metrics.
//
//   ++counts[PriorityClassOf(job.priority())];
//
// Thread-safety: pure.
#ifndef TRAINYARD_SERVER_WIRE_PRIORITY_CLASS_H_
#define TRAINYARD_SERVER_WIRE_PRIORITY_CLASS_H_

#include <array>
#include <cstddef>

#include "trainyard/v1/job.pb.h"

namespace trainyard {

inline constexpr size_t kPriorityClassCount = 3;
inline constexpr std::array<const char*, kPriorityClassCount> kPriorityClassNames = {
    "interactive", "normal", "batch"};

// UNSPECIFIED is NORMAL.
constexpr size_t PriorityClassOf(v1::JobPriority priority) {
  if (priority == v1::JOB_PRIORITY_INTERACTIVE) return 0;
  return priority == v1::JOB_PRIORITY_BATCH ? 2 : 1;
}

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_PRIORITY_CLASS_H_
