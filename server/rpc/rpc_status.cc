#include "server/rpc/rpc_status.h"

#include <array>

#include "server/wire/error_detail.h"

namespace trainyard {

// Both libraries number the canonical codes alike.
static_assert(static_cast<int>(absl::StatusCode::kUnauthenticated) ==
              static_cast<int>(grpc::StatusCode::UNAUTHENTICATED));

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const WireError wire = EncodeError(status);
  return grpc::Status(static_cast<grpc::StatusCode>(wire.code), wire.message, wire.details);
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return DecodeError({.code = static_cast<absl::StatusCode>(status.error_code()),
                      .message = status.error_message(),
                      .details = status.error_details()});
}

absl::string_view GrpcCodeName(absl::StatusCode code) {
  static constexpr std::array<absl::string_view, 17> kNames = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  const size_t index = static_cast<size_t>(code);
  return index < kNames.size() ? kNames[index] : kNames[2];
}

}  // namespace trainyard
