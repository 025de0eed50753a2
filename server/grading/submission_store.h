// The SQL of submissions: rows of the tables `submissions`, `ladders`, `assignment_datasets` and `secrets`, inside transactions of the caller's.
//
// Thread-safety: free functions over a Connection.
// Errors: NOT_FOUND with ErrorInfo; DATA_LOSS when a stored record cannot be read; those of Database.
#ifndef TRAINYARD_SERVER_GRADING_SUBMISSION_STORE_H_
#define TRAINYARD_SERVER_GRADING_SUBMISSION_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/grading/course_names.h"
#include "server/storage/paging.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

class Connection;

struct StoredSubmission {
  int64_t number = 0;
  std::string cache_key;
  v1::Submission record;  // as its student sees it
  v1::SealedRecord sealed;
};

// What the next submission of a student depends on.
struct EarlierSubmission {
  std::string name, cache_key;
  v1::SubmissionState state = v1::SUBMISSION_STATE_UNSPECIFIED;  // as stored
  absl::Time accepted_at;
};

bool IsTerminal(v1::SubmissionState state);

// Sets the number. Regrades and replays are listed to nobody by the student's name.
absl::Status InsertSubmission(Connection& connection, StoredSubmission* submission);
absl::Status UpdateSubmission(Connection& connection, const StoredSubmission& submission);
absl::StatusOr<StoredSubmission> FindSubmission(Connection& connection, absl::string_view name);
// Those that are not terminal, oldest first.
absl::StatusOr<std::vector<StoredSubmission>> LoadUnfinishedSubmissions(Connection& connection);
// DONE ones of the key, the oldest; nullopt: none.
absl::StatusOr<std::optional<StoredSubmission>> FindScored(Connection& connection,
                                                           absl::string_view cache_key);
// Of one student at an assignment, oldest first.
absl::StatusOr<std::vector<EarlierSubmission>> LoadEarlier(Connection& connection,
                                                           const AssignmentName& assignment,
                                                           absl::string_view student);
absl::StatusOr<std::vector<StoredSubmission>> LoadOfStudent(Connection& connection,
                                                            const AssignmentName& assignment,
                                                            absl::string_view student);
// All that were submitted at an assignment, oldest first, as their students see them.
absl::Status VisitSubmitted(Connection& connection, const AssignmentName& assignment,
                            absl::FunctionRef<void(const v1::Submission&)> visit);
// All that were submitted, or trained again (`again`), at an assignment, oldest first.
absl::Status VisitOfAssignment(Connection& connection, const AssignmentName& assignment, bool again,
                               absl::FunctionRef<void(StoredSubmission)> visit);
// Regrades and replays at an assignment that are not terminal, oldest first, until `visit` says no.
absl::Status VisitUnfinishedAgain(Connection& connection, const AssignmentName& assignment,
                                  absl::FunctionRef<bool(const v1::Submission&)> visit);
// Newest first; `student` empty: of all.
absl::StatusOr<v1::ListSubmissionsResponse> ListSubmissions(Connection& connection,
                                                            const AssignmentName& assignment,
                                                            absl::string_view student,
                                                            const PageQuery& page);

// The state of a student's Ladder at a version of an assignment.
struct StoredLadder {
  double best_loss = 0;
  std::vector<float> row_losses;
};
absl::StatusOr<std::optional<StoredLadder>> FindLadder(Connection& connection,
                                                       const AssignmentName& assignment,
                                                       int version, absl::string_view student);
absl::Status WriteLadder(Connection& connection, const AssignmentName& assignment, int version,
                         absl::string_view student, const StoredLadder& ladder);

// NOT_FOUND when the dataset was deleted meanwhile.
absl::Status InsertAssignmentDataset(Connection& connection, const AssignmentName& assignment,
                                     int version, absl::string_view dataset);

absl::StatusOr<std::optional<std::string>> FindSecret(Connection& connection,
                                                      absl::string_view name);
absl::Status WriteSecret(Connection& connection, absl::string_view name, absl::string_view value);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_SUBMISSION_STORE_H_
