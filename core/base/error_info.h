// ErrorInfo is the part of an error that programs read: a reason from a closed list, how to fix it, the options in
// force, every faulty field. It rides on an absl::Status as a payload, so it needs no protobuf; server/wire turns it
// into google.rpc details.
//
//   return MakeError(absl::StatusCode::kInvalidArgument,
//                    "line 41, column \"age\": cannot read \"n/a\" as a number",
//                    {.reason = ErrorReason::kDatasetRejected,
//                     .hint = "mend the cell, or raise csv.bad_rows_max",
//                     .in_force = "delimiter ',', header present, bad_rows_max 0"});
//
// Thread-safety: values, no shared state.
#ifndef TRAINYARD_CORE_BASE_ERROR_INFO_H_
#define TRAINYARD_CORE_BASE_ERROR_INFO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// Numbers equal trainyard.v1.ErrorReason; tests/server/wire holds the two together. Do not change existing values.
enum class ErrorReason : int {
  kUnspecified = 0,
  kInvalidSpec = 1,
  kInvalidRequest = 2,
  kDatasetRejected = 3,
  kDigestMismatch = 4,
  kOffsetMismatch = 5,
  kTooLarge = 6,
  kQueueFull = 7,
  kOwnerQuota = 8,
  kRequestIdReused = 9,
  kPermission = 10,
  kNotFound = 11,
  kInvalidState = 12,
  kDraining = 13,
  kNonFiniteLoss = 14,
  kOutOfMemory = 15,
  kRuntimeLimit = 16,
  kWorkerLost = 17,
  kCorruptCheckpoint = 18,
  kInternal = 19,
  kDataLoss = 20,
  kDeadline = 21,
  kCancelled = 22,
  kStorageFull = 23,
  kUnauthenticated = 24,
  kRateLimited = 25,
  kAttemptsExhausted = 26,
  kAssignmentClosed = 27,
};
inline constexpr ErrorReason kErrorReasonLast = ErrorReason::kAssignmentClosed;

// One fault of one field. `field` is a path in the words of the proto, e.g. "spec.layers[2].units".
struct FieldViolation {
  std::string field;
  std::string description;
  bool operator==(const FieldViolation&) const = default;
};

struct ErrorInfo {
  ErrorReason reason = ErrorReason::kUnspecified;
  std::string hint;      // how to fix it; a sentence without full stop
  std::string in_force;  // the options in force
  std::vector<FieldViolation> violations;
  // Facts for programs, e.g. {"committed_size_bytes", "4096"}.
  std::vector<std::pair<std::string, std::string>> metadata;
  bool operator==(const ErrorInfo&) const = default;
};

// A Status with `info` attached. REQUIRES: code is not OK.
absl::Status MakeError(absl::StatusCode code, absl::string_view message, const ErrorInfo& info);

// An INVALID_ARGUMENT whose message lists the first few violations. REQUIRES: violations not empty.
absl::Status MakeViolationsError(ErrorReason reason, std::vector<FieldViolation> violations);

// What MakeError attached; nullopt for a Status without it (OK included).
std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status);

// The same Status with `prefix` before its message; the info stays.
absl::Status Annotate(const absl::Status& status, absl::string_view prefix);

// "OFFSET_MISMATCH" for kOffsetMismatch.
absl::string_view ErrorReasonName(ErrorReason reason);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_ERROR_INFO_H_
