// The limits that options may lower, as the services check and show them. core/base/limits.h has
// the rest.
#ifndef TRAINYARD_SERVER_SERVICES_SERVICE_LIMITS_H_
#define TRAINYARD_SERVER_SERVICES_SERVICE_LIMITS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace trainyard {

struct ServiceLimits {
  int64_t dataset_bytes_max = 0;                    // largest upload
  int64_t queued_jobs_max = 0;                      // jobs that are not terminal
  int64_t owner_jobs_max = 0;                       // the same of one owner
  absl::Duration job_runtime_max = absl::Hours(1);  // longest max_runtime, and its default
  int64_t job_memory_bytes_max = 0;  // largest max_memory_bytes, and its default; 0: no limit
  double job_flops_max = 0;          // floating-point operations of a training; 0: no limit
  int job_threads_max = 1;           // worker slots
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_SERVICE_LIMITS_H_
