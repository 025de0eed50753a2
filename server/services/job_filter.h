// The filter of ListTrainingJobs:
//
//   filter := [ term { "AND" term } ]
//   term   := ( "state" | "dataset" | "owner" ) "=" value
//   value  := word | '"' characters '"'          (no quote inside)
//
// Each field at most once. `state` takes the names of JobState without prefix, in any case.
// Thread-safety: pure.
#ifndef TRAINYARD_SERVER_SERVICES_JOB_FILTER_H_
#define TRAINYARD_SERVER_SERVICES_JOB_FILTER_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/jobs/job_manager.h"

namespace trainyard {

// Sets state, dataset and owner of `query`. INVALID_ARGUMENT/INVALID_REQUEST with the place
// (1-based character) and the grammar.
absl::Status ParseJobFilter(absl::string_view filter, JobManager::ListQuery* query);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_JOB_FILTER_H_
