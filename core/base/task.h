// Task: what is to be learned. In base because data (which targets), nn (which loss) and model
// (which prediction) all need the word, and none of them may include another.
#ifndef TRAINYARD_CORE_BASE_TASK_H_
#define TRAINYARD_CORE_BASE_TASK_H_

#include <cstdint>

namespace trainyard {

// Numbers equal trainyard.v1.Task and are persisted in bundles: do not change existing values.
enum class Task : uint8_t {
  kUnspecified = 0,
  kBinary = 1,
  kMulticlass = 2,
  kRegression = 3,
  kMultilabel = 4
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_TASK_H_
