#include "server/grading/submission_store.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/storage/database.h"
#include "server/storage/records.h"
#include "server/wire/names.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

constexpr absl::string_view kWhat = "submissions";

static_assert(v1::SUBMISSION_STATE_QUEUED == 1 && v1::SUBMISSION_STATE_RUNNING == 2 &&
                  v1::SUBMISSION_STATE_EVALUATING == 3 && v1::SUBMISSION_STATE_DONE == 4,
              "the queries below say so");

// Regrades and replays belong to the server.
std::string StudentColumn(const v1::Submission& record) {
  return record.cause() == v1::SUBMISSION_CAUSE_SUBMIT ? record.student() : "";
}

absl::StatusOr<StoredSubmission> ReadRow(Statement& row) {
  StoredSubmission stored{.number = row.Int(0), .cache_key = row.Text(1)};
  TY_RETURN_IF_ERROR(ParseRecord(row.Text(2), kWhat, &stored.record));
  TY_RETURN_IF_ERROR(ParseRecord(row.Text(3), kWhat, &stored.sealed));
  return stored;
}

// `read` takes one of `rows`.
absl::Status VisitRows(Statement& rows, absl::FunctionRef<absl::Status(Statement&)> read) {
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, rows.Step());
    if (!found) return absl::OkStatus();
    TY_RETURN_IF_ERROR(read(rows));
  }
}

// REQUIRES: `rows` selects number, cache_key, record, sealed.
absl::StatusOr<std::vector<StoredSubmission>> ReadRows(Statement& rows) {
  std::vector<StoredSubmission> all;
  const absl::Status read = VisitRows(rows, [&](Statement& row) -> absl::Status {
    TY_ASSIGN_OR_RETURN(StoredSubmission stored, ReadRow(row));
    all.push_back(std::move(stored));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return all;
}

}  // namespace

bool IsTerminal(v1::SubmissionState state) { return state >= v1::SUBMISSION_STATE_DONE; }

absl::Status InsertSubmission(Connection& connection, StoredSubmission* submission) {
  TY_ASSIGN_OR_RETURN(const SubmissionName name,
                      ParseSubmissionName("name", submission->record.name()));
  TY_ASSIGN_OR_RETURN(
      Statement insert,
      connection.Prepare("INSERT INTO submissions (id, course, assignment, student, state, "
                         "cache_key, record, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.Bind(name.submission).Bind(name.parent.course).Bind(name.parent.assignment);
  insert.Bind(StudentColumn(submission->record)).Bind(int64_t{submission->record.state()});
  insert.Bind(submission->cache_key).BindBlob(submission->record.SerializeAsString());
  insert.BindBlob(submission->sealed.SerializeAsString());
  TY_RETURN_IF_ERROR(insert.Step().status());
  submission->number = connection.last_insert_rowid();
  return absl::OkStatus();
}

absl::Status UpdateSubmission(Connection& connection, const StoredSubmission& submission) {
  TY_ASSIGN_OR_RETURN(
      Statement update,
      connection.Prepare(
          "UPDATE submissions SET state = ?, cache_key = ?, record = ?, sealed = ? WHERE number = ?"));
  update.Bind(int64_t{submission.record.state()}).Bind(submission.cache_key);
  update.BindBlob(submission.record.SerializeAsString());
  update.BindBlob(submission.sealed.SerializeAsString()).Bind(submission.number);
  return update.Step().status();
}

absl::StatusOr<StoredSubmission> FindSubmission(Connection& connection, absl::string_view name) {
  TY_ASSIGN_OR_RETURN(const SubmissionName parsed, ParseSubmissionName("name", name));
  TY_ASSIGN_OR_RETURN(Statement row, connection.Prepare(
                                         "SELECT number, cache_key, record, sealed FROM submissions "
                                         "WHERE id = ? AND course = ? AND assignment = ?"));
  row.Bind(parsed.submission).Bind(parsed.parent.course).Bind(parsed.parent.assignment);
  TY_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return NoSuch(name, "`trainyard submission list` shows what there is");
  return ReadRow(row);
}

absl::StatusOr<std::vector<StoredSubmission>> LoadUnfinishedSubmissions(Connection& connection) {
  TY_ASSIGN_OR_RETURN(Statement rows,
                      connection.Prepare("SELECT number, cache_key, record, sealed FROM submissions "
                                         "WHERE state IN (1, 2, 3) ORDER BY number"));
  return ReadRows(rows);
}

absl::StatusOr<std::optional<StoredSubmission>> FindScored(Connection& connection,
                                                           absl::string_view cache_key) {
  // The + keeps SQLite from the index by state, which has every submission that was ever graded.
  TY_ASSIGN_OR_RETURN(
      Statement row,
      connection.Prepare("SELECT number, cache_key, record, sealed FROM submissions "
                         "WHERE cache_key = ? AND +state = 4 ORDER BY number LIMIT 1"));
  TY_ASSIGN_OR_RETURN(const bool found, row.Bind(cache_key).Step());
  if (!found) return std::nullopt;
  TY_ASSIGN_OR_RETURN(StoredSubmission stored, ReadRow(row));
  return stored;
}

absl::StatusOr<std::vector<EarlierSubmission>> LoadEarlier(Connection& connection,
                                                           const AssignmentName& assignment,
                                                           absl::string_view student) {
  // Receipts make `sealed` long, and nobody wants them here.
  TY_ASSIGN_OR_RETURN(
      Statement rows,
      connection.Prepare("SELECT cache_key, record FROM submissions "
                         "WHERE course = ? AND assignment = ? AND student = ? ORDER BY number"));
  rows.Bind(assignment.course).Bind(assignment.assignment).Bind(student);
  std::vector<EarlierSubmission> all;
  const absl::Status read = VisitRows(rows, [&](Statement& row) -> absl::Status {
    v1::Submission record;
    TY_RETURN_IF_ERROR(ParseRecord(row.Text(1), kWhat, &record));
    all.push_back({.name = record.name(),
                   .cache_key = row.Text(0),
                   .state = record.state(),
                   .accepted_at = FromTimestamp(record.accepted_at())});
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return all;
}

absl::StatusOr<std::vector<StoredSubmission>> LoadOfStudent(Connection& connection,
                                                            const AssignmentName& assignment,
                                                            absl::string_view student) {
  TY_ASSIGN_OR_RETURN(
      Statement rows,
      connection.Prepare("SELECT number, cache_key, record, sealed FROM submissions "
                         "WHERE course = ? AND assignment = ? AND student = ? ORDER BY number"));
  rows.Bind(assignment.course).Bind(assignment.assignment).Bind(student);
  return ReadRows(rows);
}

absl::Status VisitSubmitted(Connection& connection, const AssignmentName& assignment,
                            absl::FunctionRef<void(const v1::Submission&)> visit) {
  TY_ASSIGN_OR_RETURN(
      Statement rows,
      connection.Prepare("SELECT record FROM submissions "
                         "WHERE course = ? AND assignment = ? AND student <> '' ORDER BY number"));
  rows.Bind(assignment.course).Bind(assignment.assignment);
  return VisitRows(rows, [&](Statement& row) -> absl::Status {
    v1::Submission record;
    TY_RETURN_IF_ERROR(ParseRecord(row.Text(0), kWhat, &record));
    visit(record);
    return absl::OkStatus();
  });
}

absl::Status VisitOfAssignment(Connection& connection, const AssignmentName& assignment, bool again,
                               absl::FunctionRef<void(StoredSubmission)> visit) {
  TY_ASSIGN_OR_RETURN(
      Statement rows,
      connection.Prepare("SELECT number, cache_key, record, sealed FROM submissions "
                         "WHERE course = ? AND assignment = ? AND (student = '') = ? ORDER BY number"));
  rows.Bind(assignment.course).Bind(assignment.assignment).Bind(again ? 1 : 0);
  return VisitRows(rows, [&](Statement& row) -> absl::Status {
    TY_ASSIGN_OR_RETURN(StoredSubmission stored, ReadRow(row));
    visit(std::move(stored));
    return absl::OkStatus();
  });
}

absl::Status VisitUnfinishedAgain(Connection& connection, const AssignmentName& assignment,
                                  absl::FunctionRef<bool(const v1::Submission&)> visit) {
  // By the index of states, which has few that are not terminal.
  TY_ASSIGN_OR_RETURN(
      Statement rows,
      connection.Prepare("SELECT record FROM submissions WHERE +course = ? AND +assignment = ? "
                         "AND +student = '' AND state IN (1, 2, 3) ORDER BY number"));
  rows.Bind(assignment.course).Bind(assignment.assignment);
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, rows.Step());
    if (!found) return absl::OkStatus();
    v1::Submission record;
    TY_RETURN_IF_ERROR(ParseRecord(rows.Text(0), kWhat, &record));
    if (!visit(record)) return absl::OkStatus();
  }
}

absl::StatusOr<v1::ListSubmissionsResponse> ListSubmissions(Connection& connection,
                                                            const AssignmentName& assignment,
                                                            absl::string_view student,
                                                            const PageQuery& page) {
  // The index serves both: a student's rows lie together, those of all are read through.
  TY_ASSIGN_OR_RETURN(
      Statement rows,
      connection.Prepare("SELECT number, record FROM submissions "
                         "WHERE course = ? AND assignment = ? AND student != '' "
                         "AND (? = '' OR student = ?) AND number < ? ORDER BY number DESC LIMIT ?"));
  rows.Bind(assignment.course).Bind(assignment.assignment).Bind(student).Bind(student);
  rows.Bind(page.before_number).Bind(page.size + 1);
  v1::ListSubmissionsResponse response;
  const auto add = [&](absl::string_view record) -> absl::StatusOr<int64_t> {
    v1::Submission& submission = *response.add_submissions();
    TY_RETURN_IF_ERROR(ParseRecord(record, kWhat, &submission));
    return static_cast<int64_t>(submission.ByteSizeLong());
  };
  TY_ASSIGN_OR_RETURN(*response.mutable_next_page_token(), ReadPage(rows, page.size, add));
  return response;
}

absl::StatusOr<std::optional<StoredLadder>> FindLadder(Connection& connection,
                                                       const AssignmentName& assignment,
                                                       int version, absl::string_view student) {
  TY_ASSIGN_OR_RETURN(
      Statement row,
      connection.Prepare("SELECT best_loss, row_losses FROM ladders "
                         "WHERE course = ? AND assignment = ? AND version = ? AND student = ?"));
  row.Bind(assignment.course).Bind(assignment.assignment).Bind(version).Bind(student);
  TY_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::nullopt;
  StoredLadder ladder{.best_loss = row.Real(0)};
  const std::string bytes = row.Text(1);
  ladder.row_losses.resize(bytes.size() / sizeof(float));
  std::memcpy(ladder.row_losses.data(), bytes.data(), ladder.row_losses.size() * sizeof(float));
  return ladder;
}

absl::Status WriteLadder(Connection& connection, const AssignmentName& assignment, int version,
                         absl::string_view student, const StoredLadder& ladder) {
  TY_ASSIGN_OR_RETURN(
      Statement write,
      connection.Prepare("INSERT INTO ladders (course, assignment, version, student, best_loss, "
                         "row_losses) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                         "best_loss = excluded.best_loss, row_losses = excluded.row_losses"));
  write.Bind(assignment.course).Bind(assignment.assignment).Bind(version).Bind(student);
  write.Bind(ladder.best_loss);
  write.BindBlob({reinterpret_cast<const char*>(ladder.row_losses.data()),
                  ladder.row_losses.size() * sizeof(float)});
  return write.Step().status();
}

absl::Status InsertAssignmentDataset(Connection& connection, const AssignmentName& assignment,
                                     int version, absl::string_view dataset) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseName(kDatasets, dataset));
  TY_ASSIGN_OR_RETURN(Statement row, connection.Prepare("SELECT 1 FROM datasets WHERE id = ?"));
  TY_ASSIGN_OR_RETURN(const bool found, row.Bind(id).Step());
  if (!found) return NotFound(dataset);
  return connection.Run(
      "INSERT OR IGNORE INTO assignment_datasets (course, assignment, version, dataset) "
      "VALUES (?, ?, ?, ?)",
      assignment.course, assignment.assignment, version, dataset);
}

absl::StatusOr<std::optional<std::string>> FindSecret(Connection& connection,
                                                      absl::string_view name) {
  TY_ASSIGN_OR_RETURN(Statement row,
                      connection.Prepare("SELECT value FROM secrets WHERE name = ?"));
  TY_ASSIGN_OR_RETURN(const bool found, row.Bind(name).Step());
  if (!found) return std::nullopt;
  return row.Text(0);
}

absl::Status WriteSecret(Connection& connection, absl::string_view name, absl::string_view value) {
  TY_ASSIGN_OR_RETURN(Statement write,
                      connection.Prepare("INSERT INTO secrets (name, value) VALUES (?, ?) "
                                         "ON CONFLICT DO UPDATE SET value = excluded.value"));
  return write.Bind(name).BindBlob(value).Step().status();
}

}  // namespace trainyard
