// Finisher makes the end of a submission durable: its row, the event that the gradebook sees, its receipts, the student's Ladder, and what goes to
// other services, in one transaction. It also tells points when their time has come.
//
// Thread-safety: all methods from any thread, but one submission by one thread at a time.
// Errors: those of Database and CourseStore; what was not written can be written again.
#ifndef TRAINYARD_SERVER_SUBMISSIONS_FINISHER_H_
#define TRAINYARD_SERVER_SUBMISSIONS_FINISHER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/grading/submission_store.h"
#include "server/submissions/evaluator.h"
#include "server/submissions/parts.h"

namespace trainyard {

// The event that the gradebook sees of a submission that was evaluated.
v1::CourseEvent GradedEvent(const v1::Assignment& assignment, const std::string& assignment_id,
                            const StoredSubmission& submission);

v1::CourseEvent ReleasedEvent(const std::string& assignment_id, const StoredSubmission& submission);
// Whether points are told as soon as they are there: when the assignment has closed, or when both
// its newest version and the submission's say so and what was told so far leaves room. The newest
// one's deadline counts: sealed data may be the same.
bool MayRelease(const CourseState& state, const std::string& assignment_id,
                const StoredSubmission& submission, absl::Time now);
// Puts the result where its student sees it. The receipt that tells it is signed beside, see
// receipts.h.
void Tell(StoredSubmission* submission);

class Finisher {
 public:
  // Releases of one transaction.
  static constexpr size_t kReleasesAtOnce = 100;

  explicit Finisher(const SubmissionParts& parts) : parts_(parts) {}

  // DONE: it was evaluated. `public_run` is that of the run whose public value is the median;
  // without public data it is not looked at.
  // `*submission` is as it was unless it returns OK.
  absl::Status FinishGraded(const Evaluation& public_run, StoredSubmission* submission);
  // UNGRADABLE, INFRA_ERROR or CANCELLED, which cost no attempt.
  absl::Status FinishWithout(v1::SubmissionState state, const v1::JobError& error,
                             StoredSubmission* submission);
  // Tells points of what has closed for everybody. To be called every few seconds.
  absl::Status ReleaseDue(absl::Time now);

 private:
  absl::Status FinishAgain(StoredSubmission finished, StoredSubmission* submission);
  absl::Status ReleaseOf(const std::string& course, const std::string& assignment,
                         absl::Time now);
  // What the Ladder reports of the run goes into the record; the ladder to be stored when it is a new best.
  absl::StatusOr<std::optional<StoredLadder>> ClimbLadder(const Evaluation& public_run,
                                                          StoredSubmission* submission);

  const SubmissionParts& parts_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SUBMISSIONS_FINISHER_H_
