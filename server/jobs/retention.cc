#include "server/jobs/retention.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/jobs/job.h"
#include "server/jobs/job_manager.h"
#include "server/storage/database.h"
#include "server/storage/dataset_store.h"
#include "server/wire/names.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {
namespace {

// Seconds since 1970 before which something has expired; nothing has with an infinite TTL.
int64_t Limit(absl::Time now, absl::Duration ttl) {
  return ttl == absl::InfiniteDuration() ? 0 : absl::ToUnixSeconds(now - ttl);
}

absl::Status AddExpiredJobs(const RetentionOptions& options, absl::Time now, Connection& connection,
                            RetentionPlan* plan) {
  static_assert(v1::JOB_STATE_SUCCEEDED == 5 && v1::JOB_STATE_CANCELLED == 7,
                "the states that are terminal");
  TY_ASSIGN_OR_RETURN(Statement count,
                      connection.Prepare("SELECT COUNT(*) FROM jobs WHERE state IN (5, 6, 7)"));
  TY_RETURN_IF_ERROR(count.Step().status());
  const int64_t too_many = options.finished_jobs_max > 0
                               ? std::max<int64_t>(0, count.Int(0) - options.finished_jobs_max)
                               : 0;
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT id, end_seconds FROM jobs WHERE end_seconds IS NOT NULL "
                         "ORDER BY end_seconds, number LIMIT ?"));
  query.Bind(kRetentionStepMax);
  const int64_t limit = Limit(now, options.finished_job_ttl);
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, query.Step());
    const bool expired =
        found && (query.Int(1) < limit || static_cast<int64_t>(plan->jobs.size()) < too_many);
    if (!expired) return absl::OkStatus();
    plan->jobs.push_back(MakeName(kTrainingJobs, query.Text(0)));
  }
}

// Of the jobs that stay, and of assignments.
absl::StatusOr<absl::flat_hash_set<std::string>> DatasetsInUse(Connection& connection,
                                                               const RetentionPlan& plan) {
  const absl::flat_hash_set<std::string> going(plan.jobs.begin(), plan.jobs.end());
  TY_ASSIGN_OR_RETURN(Statement query,
                      connection.Prepare("SELECT id, dataset, test_dataset FROM jobs UNION ALL "
                                         "SELECT '', dataset, NULL FROM assignment_datasets"));
  absl::flat_hash_set<std::string> used;
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return used;
    if (going.contains(MakeName(kTrainingJobs, query.Text(0)))) continue;
    used.insert(query.Text(1));
    if (!query.IsNull(2)) used.insert(query.Text(2));
  }
}

absl::Status AddUnusedDatasets(const RetentionOptions& options, absl::Time now,
                               Connection& connection, RetentionPlan* plan) {
  const absl::Time limit = now - options.unused_dataset_ttl;
  TY_ASSIGN_OR_RETURN(const auto used, DatasetsInUse(connection, *plan));
  TY_ASSIGN_OR_RETURN(Statement query,
                      connection.Prepare("SELECT id, record FROM datasets ORDER BY number"));
  while (static_cast<int64_t>(plan->datasets.size()) < kRetentionStepMax) {
    TY_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return absl::OkStatus();
    std::string name = MakeName(kDatasets, query.Text(0));
    v1::Dataset record;
    // What cannot be read is for somebody to look at.
    const bool old = record.ParseFromString(query.Text(1)) && record.has_create_time() &&
                     FromTimestamp(record.create_time()) < limit;
    if (old && !used.contains(name)) plan->datasets.push_back(std::move(name));
  }
  return absl::OkStatus();
}

// Calls `remove` for each; the names for which it was OK.
template <typename Remove>
std::vector<std::string> RemoveAll(const std::vector<std::string>& names, Remove remove) {
  std::vector<std::string> removed;
  for (const std::string& name : names) {
    const absl::Status status = remove(name);
    if (status.ok()) removed.push_back(name);
    if (!status.ok()) Log::Info("retention_kept", {{"name", name}, {"why", status.ToString()}});
  }
  return removed;
}

}  // namespace

absl::StatusOr<RetentionPlan> FindExpired(const RetentionOptions& options, absl::Time now,
                                          Connection& connection) {
  RetentionPlan plan;
  if (options.deletes_nothing()) return plan;
  TY_RETURN_IF_ERROR(AddExpiredJobs(options, now, connection, &plan));
  if (options.unused_dataset_ttl == absl::InfiniteDuration()) return plan;
  TY_RETURN_IF_ERROR(AddUnusedDatasets(options, now, connection, &plan));
  return plan;
}

Retention::Retention(RetentionOptions options, Database* database, JobManager* jobs,
                     DatasetStore* datasets)
    : options_(options), database_(database), jobs_(jobs), datasets_(datasets), thread_([this] {
        Run();
      }) {}

Retention::~Retention() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

absl::StatusOr<RetentionPlan> Retention::Apply(absl::Time now) {
  RetentionPlan plan;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(plan, FindExpired(options_, now, connection));
    return absl::OkStatus();
  }));
  RetentionPlan done;
  done.jobs = RemoveAll(plan.jobs, [this](const std::string& name) { return jobs_->Delete(name); });
  done.datasets =
      RemoveAll(plan.datasets, [this](const std::string& name) { return datasets_->Delete(name); });
  return done;
}

void Retention::Run() {
  pthread_setname_np(pthread_self(), "ty-retention");
  while (true) {
    const absl::StatusOr<RetentionPlan> done = Apply(absl::Now());
    if (!done.ok()) Log::Warning("retention_failed", {{"error", done.status().ToString()}});
    if (done.ok() && !(done->jobs.empty() && done->datasets.empty())) {
      Log::Info("retention", {{"jobs", done->jobs.size()}, {"datasets", done->datasets.size()}});
    }
    absl::MutexLock lock(&mu_);
    if (AwaitFor(mu_, absl::Condition(&stopping_), options_.interval)) return;
  }
}

}  // namespace trainyard
