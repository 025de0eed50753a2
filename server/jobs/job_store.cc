#include "server/jobs/job_store.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/jobs/job.h"
#include "server/storage/database.h"
#include "server/storage/requests.h"
#include "server/wire/names.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {
namespace {

template <typename Message>
absl::StatusOr<Message> ParseRecord(const std::string& bytes, absl::string_view what) {
  Message message;
  if (message.ParseFromString(bytes)) return message;
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat("the stored record of ", what, " cannot be read"),
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "restore the data directory from a backup",
                    .in_force = absl::StrCat("record of ", bytes.size(), " bytes")});
}

// The first column of all rows.
absl::Status CollectTexts(Statement& query, std::vector<std::string>* texts) {
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return absl::OkStatus();
    texts->push_back(query.Text(0));
  }
}

// The digest of a model that does not exist is empty.
absl::StatusOr<std::vector<v1::ModelBlob>> FindModels(Connection& connection,
                                                      const v1::TrainingJob& record) {
  std::vector<v1::ModelBlob> models;
  for (const std::string& name : ModelNames(record)) {
    TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kModels, name));
    TY_ASSIGN_OR_RETURN(Statement query,
                        connection.Prepare("SELECT digest FROM models WHERE id = ?"));
    TY_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Step());
    v1::ModelBlob& model = models.emplace_back();
    model.set_model(name);
    if (found) model.set_digest(query.Text(0));
  }
  return models;
}

absl::StatusOr<std::vector<v1::Checkpoint>> FindCheckpoints(Connection& connection,
                                                            int64_t number) {
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT record FROM checkpoints WHERE job = ? ORDER BY step DESC"));
  query.Bind(number);
  std::vector<v1::Checkpoint> checkpoints;
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return checkpoints;
    TY_ASSIGN_OR_RETURN(v1::Checkpoint checkpoint,
                        ParseRecord<v1::Checkpoint>(query.Text(0), "a checkpoint"));
    checkpoints.push_back(std::move(checkpoint));
  }
}

// The same for every training that gives the same model.
std::string ReuseKey(const v1::JobReceipt& receipt) {
  return Sha256Digest(absl::StrCat(receipt.spec_digest(), " ", receipt.table_digest(), " ",
                                   receipt.test_dataset_digest(), " ", receipt.build()));
}

// Whether a repetition would give the same: a runtime limit depends on the clock.
bool IsReusable(const v1::TrainingJob& record) {
  return record.state() == v1::JOB_STATE_SUCCEEDED && !record.has_analysis() &&
         record.stop_reason() != v1::STOP_REASON_RUNTIME_LIMIT;
}

JobTables TablesOf(const v1::Dataset& dataset) {
  return {.digest = dataset.table_digest(),
          .missing_markers = {dataset.csv().missing_markers().begin(),
                              dataset.csv().missing_markers().end()}};
}

// `query` is for one dataset, and its first column is table_digest.
absl::Status StepToReady(Statement& query, absl::string_view dataset) {
  TY_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return NotFound(dataset);
  if (!query.IsNull(0)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, absl::StrCat(dataset, " is not READY"),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "finalize the dataset first",
                    .in_force = "state UPLOADING"});
}

absl::Status CheckReady(Connection& connection, absl::string_view dataset) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, dataset));
  TY_ASSIGN_OR_RETURN(Statement query,
                      connection.Prepare("SELECT table_digest, sealed FROM datasets WHERE id = ?"));
  query.Bind(id);
  TY_RETURN_IF_ERROR(StepToReady(query, dataset));
  if (query.Int(1) == 0) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, absl::StrCat(dataset, " is sealed"),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "only the grading of submissions uses it"});
}

absl::StatusOr<v1::Dataset> FindReady(Connection& connection, absl::string_view dataset) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, dataset));
  TY_ASSIGN_OR_RETURN(Statement query,
                      connection.Prepare("SELECT table_digest, record FROM datasets WHERE id = ?"));
  query.Bind(id);
  TY_RETURN_IF_ERROR(StepToReady(query, dataset));
  TY_ASSIGN_OR_RETURN(v1::Dataset record, ParseRecord<v1::Dataset>(query.Text(1), dataset));
  record.set_table_digest(query.Text(0));
  return record;
}

// Of every dataset that an unfinished job works on, by its name. A record is read once, however
// many jobs it has.
absl::StatusOr<absl::flat_hash_map<std::string, JobTables>> LoadTables(Connection& connection) {
  // jobs.dataset is `datasets/{id}`: the id starts at its 10th character.
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT id, table_digest, record FROM datasets WHERE id IN "
                         "(SELECT substr(dataset, 10) FROM jobs WHERE state IN (1, 2, 3, 4))"));
  absl::flat_hash_map<std::string, JobTables> tables;
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return tables;
    const std::string name = MakeName(kDatasets, query.Text(0));
    TY_ASSIGN_OR_RETURN(v1::Dataset dataset, ParseRecord<v1::Dataset>(query.Text(2), name));
    dataset.set_table_digest(query.IsNull(1) ? "" : query.Text(1));
    tables.emplace(name, TablesOf(dataset));
  }
}

}  // namespace

absl::StatusOr<int64_t> InsertJob(Connection& connection, const v1::TrainingJob& record) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kTrainingJobs, record.name()));
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare(
          "INSERT INTO jobs (id, owner, dataset, state, infra_failures, last_sequence, "
          "test_dataset, record) VALUES (?, ?, ?, ?, 0, 0, ?, ?)"));
  insert.Bind(id)
      .Bind(record.owner())
      .Bind(record.dataset())
      .Bind(static_cast<int64_t>(record.state()));
  const std::string& test_dataset = record.resolved_spec().test_dataset();
  test_dataset.empty() ? insert.BindNull() : insert.Bind(test_dataset);
  insert.BindBlob(record.SerializeAsString());
  TY_RETURN_IF_ERROR(insert.Step().status());
  return connection.last_insert_rowid();
}

absl::StatusOr<std::vector<v1::ModelBlob>> HoldModels(Connection& connection, int64_t number,
                                                      const v1::TrainingJob& record) {
  TY_ASSIGN_OR_RETURN(std::vector<v1::ModelBlob> models, FindModels(connection, record));
  for (const v1::ModelBlob& model : models) {
    if (model.digest().empty()) return NotFound(model.model());
    TY_RETURN_IF_ERROR(
        connection.Run("INSERT INTO job_models (job, model) VALUES (?, ?)", number, model.model()));
  }
  return models;
}

absl::Status UpdateJob(Connection& connection, int64_t number, int infra_failures,
                       const v1::TrainingJob& record) {
  TY_ASSIGN_OR_RETURN(Statement update,
                      connection.Prepare("UPDATE jobs SET state = ?, infra_failures = ?, "
                                         "result_digest = ?, reuse_key = ?, end_seconds = ?, "
                                         "record = ? "
                                         "WHERE number = ?"));
  update.Bind(static_cast<int64_t>(record.state())).Bind(infra_failures);
  // A model's bundle has a row of its own.
  const std::string digest = record.has_analysis() ? record.receipt().result_digest() : "";
  digest.empty() ? update.BindNull() : update.Bind(digest);
  IsReusable(record) ? update.Bind(ReuseKey(record.receipt())) : update.BindNull();
  record.has_end_time() ? update.Bind(record.end_time().seconds()) : update.BindNull();
  update.BindBlob(record.SerializeAsString()).Bind(number);
  return update.Step().status();
}

absl::StatusOr<std::string> FindFinishedJob(Connection& connection, const v1::TrainingJob& record) {
  // models.job is `trainingJobs/{id}`.
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare("SELECT 'trainingJobs/' || j.id AS name FROM jobs AS j "
                         "WHERE j.reuse_key = ? AND j.owner = ? "
                         "AND EXISTS (SELECT 1 FROM models AS m WHERE m.job = name) "
                         "ORDER BY j.number DESC LIMIT 1"));
  query.Bind(ReuseKey(record.receipt())).Bind(record.owner());
  TY_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? query.Text(0) : std::string();
}

absl::StatusOr<v1::TrainingJob> FindJob(Connection& connection, absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kTrainingJobs, name));
  TY_ASSIGN_OR_RETURN(Statement query, connection.Prepare("SELECT record FROM jobs WHERE id = ?"));
  query.Bind(id);
  TY_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return NotFound(name);
  return ParseRecord<v1::TrainingJob>(query.Text(0), name);
}

absl::StatusOr<JobManager::JobPage> ListJobs(Connection& connection,
                                             const JobManager::ListQuery& query) {
  std::string sql = "SELECT number, id, record FROM jobs WHERE number < ?";
  if (query.state != v1::JOB_STATE_UNSPECIFIED) absl::StrAppend(&sql, " AND state = ?");
  if (!query.dataset.empty()) absl::StrAppend(&sql, " AND dataset = ?");
  if (!query.owner.empty()) absl::StrAppend(&sql, " AND owner = ?");
  absl::StrAppend(&sql, " ORDER BY number DESC LIMIT ?");
  TY_ASSIGN_OR_RETURN(Statement select, connection.Prepare(sql));
  select.Bind(query.before_number > 0 ? query.before_number : INT64_MAX);
  if (query.state != v1::JOB_STATE_UNSPECIFIED) select.Bind(static_cast<int64_t>(query.state));
  if (!query.dataset.empty()) select.Bind(query.dataset);
  if (!query.owner.empty()) select.Bind(query.owner);
  select.Bind(query.page_size + 1);  // one more tells whether there is a next page

  JobManager::JobPage page;
  int64_t last_number = 0;
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, select.Step());
    if (!found) return page;
    if (static_cast<int64_t>(page.jobs.size()) == query.page_size) {
      page.next_before_number = last_number;
      return page;
    }
    last_number = select.Int(0);
    TY_ASSIGN_OR_RETURN(v1::TrainingJob job,
                        ParseRecord<v1::TrainingJob>(select.Text(2), select.Text(1)));
    page.jobs.push_back(std::move(job));
  }
}

absl::StatusOr<std::vector<StoredJob>> LoadUnfinishedJobs(Connection& connection) {
  static_assert(v1::JOB_STATE_PENDING == 1 && v1::JOB_STATE_CANCELLING == 4,
                "the states that are not terminal");
  TY_ASSIGN_OR_RETURN(const auto tables, LoadTables(connection));
  TY_ASSIGN_OR_RETURN(
      Statement query,
      connection.Prepare(
          "SELECT j.number, j.infra_failures, j.dataset, j.record, j.id, t.table_digest "
          "FROM jobs AS j LEFT JOIN datasets AS t ON t.id = substr(j.test_dataset, 10) "
          "WHERE j.state IN (1, 2, 3, 4) ORDER BY j.number"));
  std::vector<StoredJob> jobs;
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return jobs;
    StoredJob job{.number = query.Int(0), .infra_failures = static_cast<int>(query.Int(1))};
    const auto known = tables.find(query.Text(2));
    if (known != tables.end()) job.tables = known->second;
    if (!query.IsNull(5)) job.tables.test_digest = query.Text(5);
    TY_ASSIGN_OR_RETURN(job.record, ParseRecord<v1::TrainingJob>(query.Text(3), query.Text(4)));
    TY_ASSIGN_OR_RETURN(job.models, FindModels(connection, job.record));
    TY_ASSIGN_OR_RETURN(job.checkpoints, FindCheckpoints(connection, job.number));
    jobs.push_back(std::move(job));
  }
}

absl::StatusOr<std::string> DeleteJob(Connection& connection, absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, FindJob(connection, name));
  if (!IsTerminal(job.state()))
    return InvalidState(job, "deleted", "cancel it first, and wait until it is terminal");
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kTrainingJobs, name));
  TY_RETURN_IF_ERROR(
      connection.Run("DELETE FROM events WHERE job = (SELECT number FROM jobs WHERE id = ?)", id));
  TY_RETURN_IF_ERROR(connection.Run(
      "DELETE FROM job_models WHERE job = (SELECT number FROM jobs WHERE id = ?)", id));
  TY_RETURN_IF_ERROR(DeleteRequests(connection, name));
  TY_RETURN_IF_ERROR(connection.Run("DELETE FROM jobs WHERE id = ?", id));
  return job.has_analysis() ? job.receipt().result_digest() : std::string();
}

absl::Status InsertCheckpoint(Connection& connection, int64_t number,
                              const v1::Checkpoint& checkpoint,
                              std::vector<std::string>* deleted_digests) {
  TY_RETURN_IF_ERROR(DeleteCheckpoints(connection, number, checkpoint.step() - 1, deleted_digests));
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare(
          "INSERT INTO checkpoints (job, step, digest, record) VALUES (?, ?, ?, ?)"));
  insert.Bind(number).Bind(checkpoint.step()).Bind(checkpoint.digest());
  insert.BindBlob(checkpoint.SerializeAsString());
  TY_RETURN_IF_ERROR(insert.Step().status());
  TY_ASSIGN_OR_RETURN(Statement prune,
                      connection.Prepare("DELETE FROM checkpoints WHERE job = ?1 AND step IN "
                                         "(SELECT step FROM checkpoints WHERE job = ?1 ORDER BY "
                                         "step DESC LIMIT -1 OFFSET ?2) RETURNING digest"));
  prune.Bind(number).Bind(kCheckpointsKept);
  return CollectTexts(prune, deleted_digests);
}

absl::Status DeleteCheckpoints(Connection& connection, int64_t number, int64_t after_step,
                               std::vector<std::string>* deleted_digests) {
  TY_ASSIGN_OR_RETURN(
      Statement remove,
      connection.Prepare("DELETE FROM checkpoints WHERE job = ? AND step > ? RETURNING digest"));
  remove.Bind(number).Bind(after_step);
  return CollectTexts(remove, deleted_digests);
}

absl::Status CheckTables(Connection& connection, const v1::TrainingJob& record) {
  TY_RETURN_IF_ERROR(CheckReady(connection, record.dataset()));
  const std::string& test_dataset = record.resolved_spec().test_dataset();
  return test_dataset.empty() ? absl::OkStatus() : CheckReady(connection, test_dataset);
}

absl::StatusOr<JobTables> FindTables(Connection& connection, const v1::TrainingJob& record) {
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, FindReady(connection, record.dataset()));
  JobTables tables = TablesOf(dataset);
  const std::string& test_dataset = record.resolved_spec().test_dataset();
  if (test_dataset.empty()) return tables;
  TY_ASSIGN_OR_RETURN(const v1::Dataset test, FindReady(connection, test_dataset));
  tables.test_digest = test.table_digest();
  return tables;
}

}  // namespace trainyard
