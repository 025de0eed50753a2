#include "client/model_files.h"

#include <functional>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/local_file.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using TableStream = grpc::ClientReaderWriter<v1::PredictTableRequest, v1::PredictTableResponse>;
using Sink = std::function<absl::Status(absl::string_view)>;

// Fails only by the file: a broken stream says why when it is finished.
absl::Status SendTable(TableStream& stream, const PredictFile& job, SourceFile& file) {
  v1::PredictTableRequest request;
  request.mutable_options()->set_name(job.model);
  *request.mutable_options()->mutable_csv() = job.csv;
  request.mutable_options()->set_hidden_layer(job.hidden_layer);
  while (true) {
    TY_RETURN_IF_ERROR(file.Read(limits::kChunkBytesMax, request.mutable_data()));
    const bool is_last = request.data().empty();
    // An empty file still needs the one message that has the options.
    if (is_last && !request.has_options()) break;
    if (!stream.Write(request)) return absl::OkStatus();
    if (is_last) break;
    request.clear_options();
  }
  stream.WritesDone();
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ReceiveTable(TableStream& stream, const Sink& sink) {
  int64_t rows = 0;
  v1::PredictTableResponse response;
  while (stream.Read(&response)) {
    TY_RETURN_IF_ERROR(sink(response.data()));
    rows += response.row_count();
  }
  return rows;
}

absl::StatusOr<int64_t> StreamTable(Remote& remote, const PredictFile& job, SourceFile& file,
                                    const Sink& sink) {
  const std::unique_ptr<CallContext> call = remote.NewCall(Span::kLong);
  const std::unique_ptr<TableStream> stream = remote.models().PredictTable(call->grpc());
  absl::Status sent;
  std::thread sender([&] {
    sent = SendTable(*stream, job, file);
    if (!sent.ok()) call->Cancel();
  });
  absl::StatusOr<int64_t> rows = ReceiveTable(*stream, sink);
  if (!rows.ok()) call->Cancel();
  sender.join();
  const absl::Status status = remote.ToStatus(stream->Finish());
  // Our own faults cancelled the call; they say more than its CANCELLED.
  TY_RETURN_IF_ERROR(sent);
  TY_RETURN_IF_ERROR(rows.status());
  TY_RETURN_IF_ERROR(status);
  return rows;
}

}  // namespace

absl::StatusOr<int64_t> PredictTable(Remote& remote, Screen& screen, const PredictFile& job) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<SourceFile> file, SourceFile::Open(job.table_path));
  if (job.target_path.empty()) {
    return StreamTable(remote, job, *file, [&](absl::string_view bytes) {
      screen.Print(bytes);
      return absl::OkStatus();
    });
  }
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target,
                      TargetFile::Create(job.target_path));
  TY_ASSIGN_OR_RETURN(const int64_t rows,
                      StreamTable(remote, job, *file,
                                  [&](absl::string_view bytes) { return target->Append(bytes); }));
  TY_RETURN_IF_ERROR(target->Commit());
  return rows;
}

absl::StatusOr<int64_t> ExportModel(Remote& remote, const v1::ExportModelRequest& request,
                                    const std::string& target_path) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target, TargetFile::Create(target_path));
  const std::unique_ptr<CallContext> call = remote.NewCall(Span::kLong);
  const auto stream = remote.models().ExportModel(call->grpc(), request);
  v1::ExportModelResponse response;
  int64_t bytes = 0;
  int64_t bytes_total = 0;
  absl::Status written;
  while (written.ok() && stream->Read(&response)) {
    written = target->Append(response.data());
    bytes += static_cast<int64_t>(response.data().size());
    bytes_total = response.total_size_bytes();
  }
  if (!written.ok()) call->Cancel();
  const absl::Status status = remote.ToStatus(stream->Finish());
  TY_RETURN_IF_ERROR(written);
  TY_RETURN_IF_ERROR(status);
  if (bytes != bytes_total) {
    return MakeError(absl::StatusCode::kDataLoss,
                     absl::StrCat(request.name(), ": ", bytes, " bytes came of ", bytes_total),
                     {.reason = ErrorReason::kDataLoss, .hint = "export it again"});
  }
  TY_RETURN_IF_ERROR(target->Commit());
  return bytes;
}

}  // namespace trainyard
