// The SQL of jobs: rows of the table `jobs`, inside transactions of the caller's. It knows no rules
// of state.
//
// Thread-safety: free functions over a Connection.
// Errors: NOT_FOUND with ErrorInfo; DATA_LOSS when a stored record cannot be read; those of
// Database.
#ifndef TRAINYARD_SERVER_JOBS_JOB_STORE_H_
#define TRAINYARD_SERVER_JOBS_JOB_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/jobs/job_manager.h"
#include "trainyard/v1/dataset.pb.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

class Connection;

// The frozen tables that a job works on. Digests are empty when the dataset is gone.
struct JobTables {
  std::string digest;
  std::string test_digest;                   // of resolved_spec.test_dataset; empty without one
  std::vector<std::string> missing_markers;  // of the first
};

// Kept for each job.
inline constexpr int64_t kCheckpointsKept = 2;

struct StoredJob {
  int64_t number = 0;  // jobs.number
  int infra_failures = 0;
  JobTables tables;
  std::vector<v1::ModelBlob> models;
  std::vector<v1::Checkpoint> checkpoints;  // the newest first
  v1::TrainingJob record;
};

// Returns the new job's number.
absl::StatusOr<int64_t> InsertJob(Connection& connection, const v1::TrainingJob& record);
// The bundles of the models that the job needs, and the memory that it needs them
// (ModelStore::Delete). NOT_FOUND.
absl::StatusOr<std::vector<v1::ModelBlob>> HoldModels(Connection& connection, int64_t number,
                                                      const v1::TrainingJob& record);
// Writes the searched columns and the record; last_sequence belongs to the event log.
absl::Status UpdateJob(Connection& connection, int64_t number, int infra_failures,
                       const v1::TrainingJob& record);
// The newest SUCCEEDED job of the record's owner that gave what the record's would give: the same
// resolved spec, data and build, not cut off by a runtime limit, its model still there. Empty:
// none. REQUIRES: the record's receipt says all of these.
absl::StatusOr<std::string> FindFinishedJob(Connection& connection, const v1::TrainingJob& record);
absl::StatusOr<v1::TrainingJob> FindJob(Connection& connection, absl::string_view name);
absl::StatusOr<JobManager::JobPage> ListJobs(Connection& connection,
                                             const JobManager::ListQuery& query);
// Jobs that are not terminal, oldest first.
absl::StatusOr<std::vector<StoredJob>> LoadUnfinishedJobs(Connection& connection);
// Removes a terminal job with its events and the memory of its request.
// FAILED_PRECONDITION/INVALID_STATE when it is not. Returns the digest of an analysis' result,
// which the caller removes; else empty.
absl::StatusOr<std::string> DeleteJob(Connection& connection, absl::string_view name);
// Whether FindTables would find them, without reading records.
absl::Status CheckTables(Connection& connection, const v1::TrainingJob& record);
// Inserts the job's newest checkpoint, in place of one after as many steps, and deletes those
// beyond kCheckpointsKept.
absl::Status InsertCheckpoint(Connection& connection, int64_t number,
                              const v1::Checkpoint& checkpoint,
                              std::vector<std::string>* deleted_digests);
// Deletes the job's checkpoints of more than `after_step` steps.
absl::Status DeleteCheckpoints(Connection& connection, int64_t number, int64_t after_step,
                               std::vector<std::string>* deleted_digests);
// NOT_FOUND; FAILED_PRECONDITION/INVALID_STATE when a dataset is not READY.
absl::StatusOr<JobTables> FindTables(Connection& connection, const v1::TrainingJob& record);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_JOB_STORE_H_
