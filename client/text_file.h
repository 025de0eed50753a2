// A CSV file of the user as the text that it holds: plain, or compressed by gzip or zstd, which is
// found by its content.
//
//   TY_ASSIGN_OR_RETURN(const std::unique_ptr<TextFile> file, TextFile::Open("rows.csv.gz"));
//   TY_ASSIGN_OR_RETURN(const absl::string_view bytes, file->Next());
//
// Thread-safety: none; one object per file. Memory: see decompressing_source.h.
// Errors: usage errors (exit_code.h) that name the file: it cannot be read, is damaged, or is no
// text (an NPY file, a Parquet file, …).
#ifndef TRAINYARD_CLIENT_TEXT_FILE_H_
#define TRAINYARD_CLIENT_TEXT_FILE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/local_file.h"
#include "core/data/byte_source.h"
#include "core/data/decompressing_source.h"

namespace trainyard {

class TextFile : public ByteSource {
 public:
  static absl::StatusOr<std::unique_ptr<TextFile>> Open(const std::string& path);

  absl::Status Rewind() override { return Explain(text_.Rewind()); }
  absl::StatusOr<absl::string_view> Next() override;

 private:
  TextFile(std::string path, std::unique_ptr<SourceFile> file, Compression compression)
      : path_(std::move(path)), file_(std::move(file)), text_(*file_, compression) {}
  absl::Status CheckIsText();
  // A damaged file is for the user to mend, as one that cannot be read.
  absl::Status Explain(const absl::Status& status) const;

  const std::string path_;
  const std::unique_ptr<SourceFile> file_;
  DecompressingSource text_;  // of *file_
};

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_TEXT_FILE_H_
