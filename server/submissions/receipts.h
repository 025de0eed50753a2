// Receipts of graded submissions: what is known of one, as receipt.h wants it.
//
// Thread-safety: pure functions. Errors: those of BuildReceipt; INTERNAL when a spec has no JSON.
#ifndef TRAINYARD_SERVER_SUBMISSIONS_RECEIPTS_H_
#define TRAINYARD_SERVER_SUBMISSIONS_RECEIPTS_H_

#include <string>

#include "absl/status/status.h"
#include "server/grading/course_state.h"
#include "server/grading/submission_store.h"
#include "server/wire/signature.h"

namespace trainyard {

// Signs both copies of a submission that was evaluated, after `previous`, the digest of the
// course's last receipt, and gives it a receipt's id. `released`: the student's copy with the
// result, too.
absl::Status SignReceipts(const CourseState& state, const std::string& previous,
                          const SigningKey& key, bool released, StoredSubmission* submission);
// Signs the student's copy with the result, which is released later. REQUIRES: SignReceipts.
absl::Status SignReleased(const SigningKey& key, StoredSubmission* submission);

// This machine's, for people: what its CPU calls itself.
std::string CpuFamily();

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SUBMISSIONS_RECEIPTS_H_
