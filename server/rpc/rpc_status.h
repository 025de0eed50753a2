// absl::Status ⇄ grpc::Status, details included (server/wire/error_detail.h).
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_RPC_RPC_STATUS_H_
#define TRAINYARD_SERVER_RPC_RPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard {

grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

// "OK", "NotFound", …: the label `grpc_code` as go-grpc-prometheus writes it.
absl::string_view GrpcCodeName(absl::StatusCode code);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_RPC_RPC_STATUS_H_
