// Retention deletes what nobody has needed for long: finished jobs with their events, and datasets
// that no job uses. It looks when it is made and then every Options::interval.
//
//   Retention retention({.finished_job_ttl = absl::Hours(24 * 30)}, database, jobs, datasets);
//   RetentionPlan plan = *FindExpired(options, absl::Now(), connection);     // a dry run
//
// Never touched: jobs that are not terminal, models, and datasets that a job of any state names. A
// job's model stays, as with DeleteTrainingJob. Jobs that finished before this build have no time
// of their end in the database and are kept.
//
// Thread-safety: owns one thread "ty-retention"; the destructor joins it.
#ifndef TRAINYARD_SERVER_JOBS_RETENTION_H_
#define TRAINYARD_SERVER_JOBS_RETENTION_H_

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace trainyard {

class Connection;
class Database;
class DatasetStore;
class JobManager;

struct RetentionOptions {
  absl::Duration finished_job_ttl = absl::InfiniteDuration();  // since its end; infinite: for ever
  int64_t finished_jobs_max = 0;                               // the oldest go; 0: no limit
  absl::Duration unused_dataset_ttl = absl::InfiniteDuration();  // since it was made
  absl::Duration interval = absl::Hours(1);

  bool deletes_nothing() const {
    return finished_job_ttl == absl::InfiniteDuration() && finished_jobs_max == 0 &&
           unused_dataset_ttl == absl::InfiniteDuration();
  }
};

// What is to go, oldest first.
struct RetentionPlan {
  std::vector<std::string> jobs;  // trainingJobs/{id}
  std::vector<std::string>
      datasets;  // datasets/{id}; of those that stay unused without `jobs`, too
};

// At most kRetentionStepMax of each: the rest comes next time.
inline constexpr int64_t kRetentionStepMax = 10'000;
absl::StatusOr<RetentionPlan> FindExpired(const RetentionOptions& options, absl::Time now,
                                          Connection& connection);

class Retention {
 public:
  // REQUIRES: what it is given outlives it.
  Retention(RetentionOptions options, Database* database, JobManager* jobs, DatasetStore* datasets);
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

  // Deletes what is expired at `now`; what it was. A job or dataset that came into use meanwhile
  // stays.
  absl::StatusOr<RetentionPlan> Apply(absl::Time now);

 private:
  void Run();

  const RetentionOptions options_;
  Database* const database_;
  JobManager* const jobs_;
  DatasetStore* const datasets_;
  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_RETENTION_H_
