// The form an error has on the wire: absl::Status with its ErrorInfo ⇄ code, message and
// google.rpc.Status bytes (the trailer `grpc-status-details-bin`). The server encodes, the client
// decodes; both link only this file of server/.
//
//   WireError wire = EncodeError(status);            // server: grpc::Status(code, wire.message,
//   wire.details) absl::Status back = DecodeError({code, message, details});   // client: the same
//   Status, ErrorInfo included
//
// Message on the wire: `what and where; how to fix it (in force: the options)`, so that a client
// that knows nothing of details shows all three parts. DecodeError takes the last two off again:
// they are in the ErrorInfo.
//
// Size: trailers over 8 KiB are refused by C-core clients with an error that hides ours. Message
// and details together are kept under kWireErrorBytesMax; violations that do not fit are left out,
// and the last one says how many.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_ERROR_DETAIL_H_
#define TRAINYARD_SERVER_WIRE_ERROR_DETAIL_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "core/base/error_info.h"

namespace trainyard {

inline constexpr char kErrorDomain[] = "trainyard";
// Metadata key whose value, in seconds, travels as google.rpc.RetryInfo.
inline constexpr char kRetryAfterKey[] = "retry_after_seconds";
inline constexpr size_t kWireErrorBytesMax = 7'000;

struct WireError {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string message;
  std::string details;  // serialized google.rpc.Status; empty: none
};

// REQUIRES: !status.ok(). A Status without ErrorInfo gets the reason that fits its code.
WireError EncodeError(const absl::Status& status);

// Details that cannot be parsed, or of another domain, are dropped: code and message are kept then.
absl::Status DecodeError(const WireError& error);

// The ErrorInfo of `status`; for a Status without one, the reason that fits its code.
ErrorInfo ErrorInfoOf(const absl::Status& status);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_ERROR_DETAIL_H_
