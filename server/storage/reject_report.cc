#include "server/storage/reject_report.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/data/csv_writer.h"

namespace trainyard {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

absl::Status RejectReport::Add(const RejectedCell& cell) {
  if (file_ == nullptr) {
    TY_ASSIGN_OR_RETURN(file_, files_->Create(TemporaryPath()));
    buffer_ = "line,column,byte_offset,expected,actual\n";
  }
  absl::StrAppend(&buffer_, cell.line, ",");
  AppendCsvField(cell.column, ',', &buffer_);
  absl::StrAppend(&buffer_, ",", cell.byte_offset, ",");
  AppendCsvField(cell.expected, ',', &buffer_);
  buffer_.push_back(',');
  AppendCsvField(cell.actual, ',', &buffer_);
  buffer_.push_back('\n');
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status RejectReport::Flush() {
  TY_RETURN_IF_ERROR(file_->Append(buffer_));
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status RejectReport::Finish() {
  if (file_ == nullptr) return RemoveIfThere(*files_, path_);
  TY_RETURN_IF_ERROR(Flush());
  TY_RETURN_IF_ERROR(file_->Sync());
  file_.reset();
  TY_RETURN_IF_ERROR(files_->Rename(TemporaryPath(), path_));
  return files_->SyncDirectory(DirectoryOf(path_));
}

}  // namespace trainyard
