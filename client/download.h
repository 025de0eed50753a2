// Receives a file that a call streams as `data` and `total_size_bytes`, and makes sure that all of
// it came.
//
//   const auto call = remote.NewCall(Span::kLong);
//   const auto stream = remote.models().ExportModel(call->grpc(), request);
//   TY_ASSIGN_OR_RETURN(int64_t bytes, Download(remote, *call, *stream, name, sink));
//
// Thread-safety: as Remote. Errors: the server's, `sink`'s (the call is cancelled then), DATA_LOSS
// when bytes are missing.
#ifndef TRAINYARD_CLIENT_DOWNLOAD_H_
#define TRAINYARD_CLIENT_DOWNLOAD_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/remote.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {

// Bytes received. `sink` is given each message; `what` names the file in errors.
template <typename Response>
absl::StatusOr<int64_t> Download(Remote& remote, CallContext& call,
                                 grpc::ClientReader<Response>& stream, absl::string_view what,
                                 const std::function<absl::Status(const Response&)>& sink) {
  Response response;
  int64_t bytes = 0;
  int64_t bytes_total = 0;
  absl::Status written;
  while (written.ok() && stream.Read(&response)) {
    written = sink(response);
    bytes += static_cast<int64_t>(response.data().size());
    bytes_total = response.total_size_bytes();
  }
  if (!written.ok()) call.Cancel();
  const absl::Status status = remote.ToStatus(stream.Finish());
  TY_RETURN_IF_ERROR(written);
  TY_RETURN_IF_ERROR(status);
  if (bytes == bytes_total) return bytes;
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat(what, ": ", bytes, " bytes came of ", bytes_total),
                   {.reason = ErrorReason::kDataLoss, .hint = "ask for it again"});
}

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_DOWNLOAD_H_
