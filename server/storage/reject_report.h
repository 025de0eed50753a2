// RejectReport writes every reject of a Finalize into a CSV file, `{directory}/{id}.csv`: line, column, byte_offset,
// expected, actual. The file takes the place of the one before when it is finished.
//
//   RejectReport report(path, files);
//   TY_RETURN_IF_ERROR(report.Add(cell));       // any number of times
//   TY_RETURN_IF_ERROR(report.Finish());        // nothing was added: no file is left
//
// Thread-safety: none. Errors: of the file system.
#ifndef TRAINYARD_SERVER_STORAGE_REJECT_REPORT_H_
#define TRAINYARD_SERVER_STORAGE_REJECT_REPORT_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/base/file_system.h"
#include "core/data/rejected_cell.h"

namespace trainyard {

class RejectReport {
 public:
  RejectReport(std::string path, std::shared_ptr<FileSystem> files)
      : path_(std::move(path)), files_(std::move(files)) {}

  absl::Status Add(const RejectedCell& cell);
  // Durable afterwards.
  absl::Status Finish();

 private:
  absl::Status Flush();
  std::string TemporaryPath() const { return path_ + ".tmp"; }

  const std::string path_;
  const std::shared_ptr<FileSystem> files_;
  std::unique_ptr<WritableFile> file_;  // once something was added
  std::string buffer_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_REJECT_REPORT_H_
