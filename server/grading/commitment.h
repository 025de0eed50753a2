// A promise about a sealed dataset, published before anybody is graded by it: with the salt, which
// is revealed after the course, everybody can check that the dataset was not swapped; without it
// nobody can guess at the rows (a plain hash of a small set can be tried).
//
//   const std::string salt = NewSalt();                         // sealed with the dataset
//   const std::string commitment = Commit(salt, {digest, rows});   // published
//   VerifyCommitment(commitment, salt, {digest, rows})          // anybody, later
//
// commitment = hex(HMAC-SHA256(key = the 32 bytes of the salt, message)), with
//   message = "trainyard-dataset-commitment-v1\n" digest "\n" rows "\n"
// where digest is that of the table's bytes ("sha256:" and 64 hex digits) and rows is decimal. In
// Python: hmac.new(bytes.fromhex(salt), message.encode(), "sha256").hexdigest().
//
// Thread-safety: functions without state.
#ifndef TRAINYARD_SERVER_GRADING_COMMITMENT_H_
#define TRAINYARD_SERVER_GRADING_COMMITMENT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

struct CommittedDataset {
  std::string digest;  // of the table; see IsDigest of server/base/ids.h
  int64_t rows = 0;
};

// 32 bytes of the system's entropy, as 64 lower-case hex digits.
std::string NewSalt();

// 64 lower-case hex digits. Errors: INVALID_ARGUMENT/INVALID_REQUEST for a salt that is not 64 hex
// digits, no digest, or negative rows, all at once.
absl::StatusOr<std::string> Commit(absl::string_view salt, const CommittedDataset& dataset);

// OK, or FAILED_PRECONDITION/DIGEST_MISMATCH: it is not the dataset that was committed to, or not
// the salt. Compares in constant time. Errors: as Commit.
absl::Status VerifyCommitment(absl::string_view commitment, absl::string_view salt,
                              const CommittedDataset& dataset);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_COMMITMENT_H_
