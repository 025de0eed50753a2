#include "client/grade_documents.h"

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/grade_formats.h"
#include "client/local_file.h"
#include "core/base/error_info.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

absl::Status WriteFile(const std::string& path, absl::string_view text) {
  if (path.empty()) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target, TargetFile::Create(path));
  TY_RETURN_IF_ERROR(target->Append(text));
  return target->Commit();
}

// GitHub reads what all steps wrote into one file.
absl::Status AppendFile(const std::string& path, absl::string_view text) {
  PosixFileSystem files;
  const absl::StatusOr<std::unique_ptr<WritableFile>> file = files.OpenAppend(path);
  const absl::Status status = file.ok() ? (*file)->Append(text) : file.status();
  if (status.ok()) return status;
  return UsageError(absl::StrCat("cannot append to ", path, ": ", status.message()),
                    {.hint = "name another file with --github-output"});
}

absl::Status WriteOutputs(const GradeDocuments& documents, const v1::Submission& submission) {
  if (!documents.github || documents.github_output.empty()) return absl::OkStatus();
  return AppendFile(documents.github_output, GithubOutputs(submission));
}

}  // namespace

absl::Status WriteGradeDocuments(const GradeDocuments& documents,
                                 const absl::StatusOr<v1::Submission>& submission,
                                 v1::ScoreMetric metric, const std::string& assignment) {
  const bool ok = submission.ok();
  // Formats without a word for errors say of this one that it has no points.
  const v1::Submission known = ok ? *submission : v1::Submission();
  absl::Status status;
  status.Update(
      WriteFile(documents.junit, ok ? JUnitXml(known) : JUnitXml(submission.status(), assignment)));
  status.Update(WriteFile(documents.gradescope, ok ? GradescopeJson(known, metric)
                                                   : GradescopeJson(submission.status())));
  status.Update(WriteFile(documents.reporter, ReporterResult(known)));
  status.Update(WriteFile(documents.classroom50, Classroom50Json(known)));
  status.Update(WriteOutputs(documents, known));
  return status;
}

std::string GithubLines(const GradeDocuments& documents,
                        const absl::StatusOr<v1::Submission>& submission) {
  if (!documents.github) return "";
  return submission.ok() ? GithubNotices(*submission) : GithubNotices(submission.status());
}

}  // namespace trainyard
