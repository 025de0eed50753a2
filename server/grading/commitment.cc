#include "server/grading/commitment.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"

namespace trainyard {
namespace {

constexpr size_t kSaltBytes = crypto_auth_hmacsha256_KEYBYTES;

bool IsSalt(absl::string_view salt) {
  return salt.size() == 2 * kSaltBytes && std::all_of(salt.begin(), salt.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
}

absl::Status Check(absl::string_view salt, const CommittedDataset& dataset) {
  std::vector<FieldViolation> violations;
  if (!IsSalt(salt)) {
    violations.push_back({"salt", absl::StrCat("has ", salt.size(), " characters; give ",
                                               2 * kSaltBytes, " hex digits")});
  }
  if (!IsDigest(dataset.digest)) {
    violations.push_back(
        {"digest", absl::StrCat("is \"", absl::CEscape(dataset.digest),
                                "\"; give `sha256:` and 64 lower-case hex digits")});
  }
  if (dataset.rows < 0) {
    violations.push_back({"rows", absl::StrCat("is ", dataset.rows, "; give 0 or more")});
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

const unsigned char* BytesOf(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string HexOf(const unsigned char* bytes, size_t size) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), size});
}

}  // namespace

std::string NewSalt() {
  std::array<unsigned char, kSaltBytes> salt;
  randombytes_buf(salt.data(), salt.size());
  return HexOf(salt.data(), salt.size());
}

absl::StatusOr<std::string> Commit(absl::string_view salt, const CommittedDataset& dataset) {
  TY_RETURN_IF_ERROR(Check(salt, dataset));
  const std::string key = absl::HexStringToBytes(salt);
  const std::string message =
      absl::StrCat("trainyard-dataset-commitment-v1\n", dataset.digest, "\n", dataset.rows, "\n");
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> code;
  crypto_auth_hmacsha256(code.data(), BytesOf(message), message.size(), BytesOf(key));
  return HexOf(code.data(), code.size());
}

absl::Status VerifyCommitment(absl::string_view commitment, absl::string_view salt,
                              const CommittedDataset& dataset) {
  TY_ASSIGN_OR_RETURN(const std::string expected, Commit(salt, dataset));
  const bool same = commitment.size() == expected.size() &&
                    sodium_memcmp(commitment.data(), expected.data(), expected.size()) == 0;
  if (same) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition, "the commitment is not of this dataset and salt",
      {.reason = ErrorReason::kDigestMismatch,
       .hint = "compare digest, number of rows and salt with what was revealed",
       .in_force = absl::StrCat("dataset ", dataset.digest, " of ", dataset.rows, " rows")});
}

}  // namespace trainyard
