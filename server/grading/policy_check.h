// Every fault of a resolved grading policy: what is missing, out of range, or contradicts itself.
// For policy.h; nothing else calls it.
//
// Thread-safety: pure function, but for the system's time zones, which are read from disk.
#ifndef TRAINYARD_SERVER_GRADING_POLICY_CHECK_H_
#define TRAINYARD_SERVER_GRADING_POLICY_CHECK_H_

#include <vector>

#include "core/base/error_info.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

std::vector<FieldViolation> PolicyFaults(const v1::GradingPolicy& policy);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_POLICY_CHECK_H_
