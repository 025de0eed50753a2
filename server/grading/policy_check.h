// Every fault of a resolved grading policy: what is missing, out of range, or contradicts itself.
// For policy.h; nothing else calls it.
//
// Grades of the past are computed by policies of the past: a check that is added later goes into
// NewPolicyFaults, unless nothing could be computed without it.
//
// Thread-safety: pure function, but for the system's time zones, which are read from disk.
#ifndef TRAINYARD_SERVER_GRADING_POLICY_CHECK_H_
#define TRAINYARD_SERVER_GRADING_POLICY_CHECK_H_

#include <vector>

#include "core/base/error_info.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

// What keeps grades from being computed.
std::vector<FieldViolation> PolicyFaults(const v1::GradingPolicy& policy);
// That, and what can have no effect: of a policy that is to be set.
std::vector<FieldViolation> NewPolicyFaults(const v1::GradingPolicy& policy);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_POLICY_CHECK_H_
