#include "client/text_file.h"

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/file_format.h"

namespace trainyard {

absl::StatusOr<std::unique_ptr<TextFile>> TextFile::Open(const std::string& path) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<SourceFile> file, SourceFile::Open(path));
  TY_ASSIGN_OR_RETURN(const std::string head, ReadHead(*file, kFormatHeadBytes));
  auto text = absl::WrapUnique(new TextFile(path, std::move(file), DetectCompression(head)));
  TY_RETURN_IF_ERROR(text->CheckIsText());
  return text;
}

absl::Status TextFile::CheckIsText() {
  const absl::StatusOr<std::string> head = ReadHead(text_, kFormatHeadBytes);
  TY_RETURN_IF_ERROR(Explain(head.status()));
  TY_RETURN_IF_ERROR(Explain(CheckFormatKnown(*head)));
  const FileFormat format = DetectFormat(*head);
  if (format == FileFormat::kCsv) return absl::OkStatus();
  return UsageError(absl::StrCat(path_, ": is ", FormatName(format), ", not CSV"),
                    {.hint = "give the rows as a CSV file"});
}

absl::StatusOr<absl::string_view> TextFile::Next() {
  const absl::StatusOr<absl::string_view> bytes = text_.Next();
  if (!bytes.ok()) return Explain(bytes.status());
  return bytes;
}

absl::Status TextFile::Explain(const absl::Status& status) const {
  if (status.ok() || IsUsageError(status)) return status;
  return AsUsageError(Annotate(status, path_));
}

}  // namespace trainyard
