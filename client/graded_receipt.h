// What an answer says of a graded submission, held against its signed receipt. A program in the
// middle, or a server in error, can write any points into an answer; a receipt it cannot sign.
//
//   TY_RETURN_IF_ERROR(CheckReceipt(document, public_key, told, {.submission = accepted.name(),
//                                                                .assignment = assignment}));
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_GRADED_RECEIPT_H_
#define TRAINYARD_CLIENT_GRADED_RECEIPT_H_

#include <string>

#include "absl/status/status.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

// What is known without the answer.
struct ReceiptExpectation {
  std::string submission;     // name, as it was accepted
  std::string assignment;     // name, as it was asked for
  std::string repository_id;  // of the pipeline; empty: not known
};

// OK when `document` is signed with `public_key`, is of what is `expected`, and has the same
// public score, points, score and criteria as `told`, or no points where they are withheld. A
// repository is compared only where the receipt has one that was proven by an identity token: what
// a submitter says of itself proves nothing.
// FAILED_PRECONDITION/DIGEST_MISMATCH that names every difference, or what is wrong with the
// signature.
// REQUIRES: `told` is DONE; IsPublicKey(public_key).
absl::Status CheckReceipt(const std::string& document, const std::string& public_key,
                          const v1::Submission& told, const ReceiptExpectation& expected);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_GRADED_RECEIPT_H_
