#include "client/model_files.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/download.h"
#include "client/ignored_columns.h"
#include "client/local_file.h"
#include "client/text_file.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using TableStream = grpc::ClientReaderWriter<v1::PredictTableRequest, v1::PredictTableResponse>;
using Sink = std::function<absl::Status(absl::string_view)>;

// The options, then all bytes of `source`. Fails only by `source`: a broken stream says why when it
// is finished.
template <typename Request, typename Stream>
absl::Status SendFile(Stream& stream, const typename Request::Options& options,
                      ByteSource& source) {
  Request request;
  *request.mutable_options() = options;
  while (true) {
    TY_ASSIGN_OR_RETURN(const absl::string_view data, source.Next());
    // An empty file still needs the one message that has the options.
    if (data.empty() && !request.has_options()) break;
    request.set_data(data.data(), data.size());
    if (!stream.Write(request)) return absl::OkStatus();
    if (data.empty()) break;
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

absl::StatusOr<int64_t> StreamTable(Remote& remote, const PredictFile& job, ByteSource& source,
                                    const Sink& sink) {
  v1::PredictTableRequest::Options options;
  options.set_name(job.model.name());
  *options.mutable_csv() = job.csv;
  options.set_hidden_layer(job.hidden_layer);
  const std::unique_ptr<CallContext> call = remote.NewCall(Span::kLong);
  const std::unique_ptr<TableStream> stream = remote.models().PredictTable(call->grpc());
  absl::Status sent;
  std::thread sender([&] {
    sent = SendFile<v1::PredictTableRequest>(*stream, options, source);
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
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TextFile> file, TextFile::Open(job.table_path));
  const std::string note = IgnoredColumnsNote(IgnoredColumns(*file, job.csv, job.model));
  if (!note.empty()) screen.Note(note);
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

absl::StatusOr<ExportedFile> ExportModel(Remote& remote, const v1::ExportModelRequest& request,
                                         const std::string& target_path) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target, TargetFile::Create(target_path));
  const std::unique_ptr<CallContext> call = remote.NewCall(Span::kLong);
  const auto stream = remote.models().ExportModel(call->grpc(), request);
  ExportedFile file;
  const auto take = [&](const v1::ExportModelResponse& response) {
    if (response.has_largest_difference()) file.largest_difference = response.largest_difference();
    file.rows_compared = std::max(file.rows_compared, response.rows_compared());
    return target->Append(response.data());
  };
  TY_ASSIGN_OR_RETURN(file.size_bytes, Download<v1::ExportModelResponse>(remote, *call, *stream,
                                                                         request.name(), take));
  TY_RETURN_IF_ERROR(target->Commit());
  return file;
}

absl::StatusOr<v1::Model> ImportModel(Remote& remote, const std::string& path,
                                      const v1::ImportModelRequest::Options& options) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<SourceFile> file, SourceFile::Open(path));
  const std::unique_ptr<CallContext> call = remote.NewCall(Span::kLong);
  v1::Model model;
  const auto stream = remote.models().ImportModel(call->grpc(), &model);
  const absl::Status sent = SendFile<v1::ImportModelRequest>(*stream, options, *file);
  if (!sent.ok()) call->Cancel();
  const absl::Status status = remote.ToStatus(stream->Finish());
  TY_RETURN_IF_ERROR(sent);
  TY_RETURN_IF_ERROR(status);
  return model;
}

}  // namespace trainyard
