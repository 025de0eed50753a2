// Waiting for a submission, with what happens meanwhile on stderr.
//
// Thread-safety: as Remote and Screen.
#ifndef TRAINYARD_CLIENT_SUBMISSION_WAIT_H_
#define TRAINYARD_CLIENT_SUBMISSION_WAIT_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/command.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

// Asks until `enough` says so of the submission, it is terminal, or `limit` (positive) is over;
// then gives it as it was last. A change of its state or position is a line on stderr; on a
// terminal a line with the ETA is redrawn in place. Errors: the server's.
absl::StatusOr<v1::Submission> WaitForSubmission(
    Session& session, const std::string& name, absl::Duration limit,
    const std::function<bool(const v1::Submission&)>& enough);

// The same, to its end.
absl::StatusOr<v1::Submission> WaitForSubmission(Session& session, const std::string& name,
                                                 absl::Duration limit);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_SUBMISSION_WAIT_H_
