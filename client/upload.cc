#include "client/upload.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/exit_code.h"
#include "client/local_file.h"
#include "client/render.h"
#include "core/base/crc32c.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr size_t kBarWidth = 32;
constexpr absl::Duration kDrawInterval = absl::Milliseconds(100);

using DatasetStub = v1::DatasetService::Stub;
using WriteStream = grpc::ClientWriter<v1::WriteDatasetRequest>;

std::string BaseName(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

// One upload that is under way.
class Uploader {
 public:
  Uploader(Remote& remote, Screen& screen, SourceFile& file, std::string name)
      : remote_(remote), screen_(screen), file_(file), name_(std::move(name)) {}

  // Returns when every byte is durable.
  absl::Status SendAll();

 private:
  absl::Status SendFrom(int64_t offset);
  absl::Status SendChunks(WriteStream& stream);
  absl::StatusOr<int64_t> CommittedSize();
  bool IsWorthResuming(const absl::Status& status) const;
  void Draw();

  Remote& remote_;
  Screen& screen_;
  SourceFile& file_;
  const std::string name_;
  const absl::Time start_ = absl::Now();
  absl::Time drawn_ = absl::InfinitePast();
};

absl::Status Uploader::SendAll() {
  Backoff backoff = remote_.NewBackoff();
  int64_t committed = 0;
  while (true) {
    const absl::Status status = SendFrom(committed);
    if (status.ok() || !IsWorthResuming(status)) return status;
    TY_ASSIGN_OR_RETURN(const int64_t reached, CommittedSize());
    if (reached > committed) backoff.Reset();
    committed = reached;
    screen_.Note(absl::StrCat("the upload broke off (", Printable(status.message()),
                              "); going on at ", FormatBytes(committed), " in ",
                              DurationText(backoff.delay())));
    if (!backoff.Wait()) return status;
  }
}

bool Uploader::IsWorthResuming(const absl::Status& status) const {
  if (remote_.IsTransient(status)) return true;
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  // An offset mismatch is also said while the server has not yet noticed that the stream before is
  // gone.
  return info.has_value() && (info->reason == ErrorReason::kOffsetMismatch ||
                              info->reason == ErrorReason::kDigestMismatch);
}

absl::Status Uploader::SendFrom(int64_t offset) {
  TY_RETURN_IF_ERROR(file_.SeekTo(offset));
  const std::unique_ptr<CallContext> call = remote_.NewCall(Span::kLong);
  v1::WriteDatasetResponse response;
  const std::unique_ptr<WriteStream> stream =
      remote_.datasets().WriteDataset(call->grpc(), &response);
  const absl::Status read = SendChunks(*stream);
  if (!read.ok()) call->Cancel();
  const absl::Status status = remote_.ToStatus(stream->Finish());
  TY_RETURN_IF_ERROR(read);
  TY_RETURN_IF_ERROR(status);
  if (response.committed_size_bytes() == file_.offset()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kAborted,
                   absl::StrCat("the server has ", response.committed_size_bytes(), " bytes of ",
                                file_.offset(), " that were sent"),
                   {.reason = ErrorReason::kOffsetMismatch});
}

// Fails only by the file: a broken stream says why when it is finished.
absl::Status Uploader::SendChunks(WriteStream& stream) {
  v1::WriteDatasetRequest request;
  request.set_name(name_);
  while (true) {
    request.set_offset(file_.offset());
    TY_RETURN_IF_ERROR(file_.Read(limits::kChunkBytesMax, request.mutable_data()));
    request.set_crc32c(crc32c::Value(request.data()));
    const bool is_last = request.data().empty();
    // When only the answer of the stream before was lost, nothing is left to send but the name.
    if (is_last && request.name().empty()) break;
    if (!stream.Write(request)) return absl::OkStatus();
    if (is_last) break;
    request.clear_name();
    Draw();
  }
  stream.WritesDone();
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Uploader::CommittedSize() {
  v1::GetUploadStatusRequest request;
  request.set_name(name_);
  TY_ASSIGN_OR_RETURN(const v1::UploadStatus status,
                      remote_.Call(remote_.datasets(), &DatasetStub::GetUploadStatus, request));
  return status.committed_size_bytes();
}

void Uploader::Draw() {
  const absl::Time now = absl::Now();
  if (now - drawn_ < kDrawInterval) return;
  drawn_ = now;
  screen_.DrawOnErr([&](size_t width) {
    return UploadLine(file_.offset(), file_.size_bytes(), now - start_, width);
  });
}

absl::StatusOr<v1::Dataset> Create(Remote& remote, const UploadOptions& options,
                                   int64_t size_bytes) {
  v1::CreateDatasetRequest request;
  request.mutable_dataset()->set_display_name(options.display_name.empty() ? BaseName(options.path)
                                                                           : options.display_name);
  request.set_declared_size_bytes(size_bytes);
  request.set_request_id(options.request_id.empty() ? NewRequestId() : options.request_id);
  return remote.Call(remote.datasets(), &DatasetStub::CreateDataset, request);
}

bool IsDatasetName(absl::string_view text) { return absl::StartsWith(text, "datasets/"); }

// Deletes a dataset that came to nothing or has served; `what` is told when it is still there.
void Abandon(Remote& remote, Screen& screen, const std::string& name, absl::string_view what) {
  v1::DeleteDatasetRequest request;
  request.set_name(name);
  const auto deleted =
      remote.Call(remote.datasets(), &DatasetStub::DeleteDataset, request, Span::kCleanup);
  if (deleted.ok()) return;
  screen.Note(
      absl::StrCat(what, " still on the server; delete it with: trainyard dataset delete ", name));
}

// The labels of a table while it is made. Those that were uploaded for it are deleted with this
// object.
class Labels {
 public:
  Labels(Remote& remote, Screen& screen) : remote_(remote), screen_(screen) {}
  ~Labels() {
    if (uploaded_) Abandon(remote_, screen_, name_, "the labels' own dataset is");
  }
  Labels(const Labels&) = delete;
  Labels& operator=(const Labels&) = delete;

  // Uploads a file; a dataset's name is taken as it is, and "" is none.
  absl::Status Resolve(const std::string& labels) {
    name_ = labels;
    if (labels.empty() || IsDatasetName(labels)) return absl::OkStatus();
    const absl::StatusOr<v1::Dataset> dataset = Upload(remote_, screen_, {.path = labels});
    if (!dataset.ok()) return Annotate(dataset.status(), absl::StrCat("labels ", labels));
    name_ = dataset->name();
    uploaded_ = true;
    return absl::OkStatus();
  }
  const std::string& name() const { return name_; }

 private:
  Remote& remote_;
  Screen& screen_;
  std::string name_;
  bool uploaded_ = false;
};

absl::StatusOr<v1::Dataset> Finalize(Remote& remote, Screen& screen,
                                     const v1::FinalizeDatasetRequest& request) {
  screen.DrawOnErr(
      [](size_t width) { return Ellipsize("reading the table on the server", width); });
  absl::StatusOr<v1::Dataset> ready =
      remote.Call(remote.datasets(), &DatasetStub::FinalizeDataset, request, Span::kLong);
  screen.Wipe();
  return ready;
}

bool IsRejection(const absl::Status& status) {
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  return info.has_value() && info->reason == ErrorReason::kDatasetRejected;
}

// The server speaks of the fields of the contract; a person at a command line has flags, and where
// the bytes are `kept` more can be done with them.
absl::Status WithFlags(const absl::Status& status, const std::string& name, bool kept) {
  if (!IsRejection(status)) return status;
  ErrorInfo info = *GetErrorInfo(status);
  absl::StrAppend(&info.hint,
                  "\nflags for it: --bad-rows-max, --header, --delimiter, --missing-marker, … of: "
                  "trainyard dataset upload");
  if (kept) {
    absl::StrAppend(&info.hint, "\nevery reject:  trainyard dataset rejects ", name,
                    " -f rejects.csv\nread it again: trainyard dataset finalize ", name,
                    " --bad-rows-max N\nor give it up: trainyard dataset delete ", name);
  }
  return MakeError(status.code(), status.message(), info);
}

absl::StatusOr<v1::Dataset> SendAndFinalize(Remote& remote, Screen& screen, SourceFile& file,
                                            const v1::FinalizeDatasetRequest& reading,
                                            const std::string& name) {
  Uploader uploader(remote, screen, file, name);
  TY_RETURN_IF_ERROR(uploader.SendAll());
  v1::FinalizeDatasetRequest request = reading;
  request.set_name(name);
  request.set_expected_digest(file.FinishDigest());
  return Finalize(remote, screen, request);
}

// A file of at least one byte.
absl::StatusOr<std::unique_ptr<SourceFile>> OpenTable(const std::string& path) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<SourceFile> file, SourceFile::Open(path));
  if (file->size_bytes() > 0) return file;
  return MakeError(
      absl::StatusCode::kInvalidArgument, absl::StrCat(path, " is empty"),
      {.reason = ErrorReason::kDatasetRejected, .hint = "give a file with at least one row"});
}

}  // namespace

absl::StatusOr<v1::Dataset> Upload(Remote& remote, Screen& screen, const UploadOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<SourceFile> file, OpenTable(options.path));
  // First, since they are small: a fault of theirs is found before the wait.
  Labels labels(remote, screen);
  TY_RETURN_IF_ERROR(labels.Resolve(options.labels));
  TY_ASSIGN_OR_RETURN(const v1::Dataset created, Create(remote, options, file->size_bytes()));
  if (created.state() == v1::Dataset::READY) return created;  // a repeated --request-id
  v1::FinalizeDatasetRequest reading = options.reading;
  reading.set_labels_dataset(labels.name());
  absl::StatusOr<v1::Dataset> ready =
      SendAndFinalize(remote, screen, *file, reading, created.name());
  screen.Wipe();
  if (ready.ok()) return ready;
  const bool kept = options.keep_rejected && IsRejection(ready.status());
  if (!kept) Abandon(remote, screen, created.name(), "the unfinished upload is");
  return WithFlags(ready.status(), created.name(), kept);
}

absl::StatusOr<v1::Dataset> FinalizeUpload(Remote& remote, Screen& screen,
                                           const v1::FinalizeDatasetRequest& reading,
                                           const std::string& labels) {
  Labels resolved(remote, screen);
  TY_RETURN_IF_ERROR(resolved.Resolve(labels));
  v1::FinalizeDatasetRequest request = reading;
  request.set_labels_dataset(resolved.name());
  absl::StatusOr<v1::Dataset> ready = Finalize(remote, screen, request);
  return ready.ok() ? ready : WithFlags(ready.status(), request.name(), /*kept=*/true);
}

absl::StatusOr<std::string> ResolveDataset(Remote& remote, Screen& screen,
                                           const std::string& dataset, absl::string_view flag) {
  if (IsDatasetName(dataset)) return dataset;
  if (access(dataset.c_str(), R_OK) != 0) {
    return UsageError(
        absl::StrCat(flag, " \"", dataset, "\": neither a dataset's name nor a file here"),
        {.hint = "give datasets/ID (see: trainyard dataset list) or the path of a table"});
  }
  TY_ASSIGN_OR_RETURN(const v1::Dataset uploaded, Upload(remote, screen, {.path = dataset}));
  screen.Note(absl::StrCat("uploaded ", dataset, " as ", uploaded.name()));
  return uploaded.name();
}

std::string UploadLine(int64_t done_bytes, int64_t total_bytes, absl::Duration elapsed,
                       size_t width) {
  // A file may have grown since it was opened.
  const double fraction =
      total_bytes == 0
          ? 1
          : std::min(1.0, static_cast<double>(done_bytes) / static_cast<double>(total_bytes));
  const double seconds = std::max(absl::ToDoubleSeconds(elapsed), 1e-3);
  const int64_t per_second = static_cast<int64_t>(static_cast<double>(done_bytes) / seconds);
  return Ellipsize(
      absl::StrCat("uploading ", Bar(fraction, kBarWidth), " ", static_cast<int>(fraction * 100),
                   "%  ", FormatBytes(done_bytes), " of ", FormatBytes(total_bytes), "  ",
                   FormatBytes(per_second), "/s"),
      width);
}

std::string NewRequestId() {
  absl::BitGen bits;
  const uint64_t high = absl::Uniform<uint64_t>(bits);
  const uint64_t low = absl::Uniform<uint64_t>(bits);
  // Version 4, variant 10 (RFC 4122).
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%012x", high >> 32, (high >> 16) & 0xFFFF,
                         high & 0xFFF, 0x8000 | ((low >> 48) & 0x3FFF), low & 0xFFFFFFFFFFFF);
}

}  // namespace trainyard
