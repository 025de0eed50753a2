// SpillFile keeps bytes on disk that have no room in memory and that nobody needs after this
// process: its name is removed at once, so that the space comes back when the object goes, or the
// process dies.
//
//   TY_ASSIGN_OR_RETURN(SpillFile spill, SpillFile::Create(path));
//   TY_RETURN_IF_ERROR(spill.Append(bytes));                       // at offset 0
//   TY_RETURN_IF_ERROR(spill.Read(0, buffer));
//   TY_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> bytes, spill.Map());
//
// Thread-safety: none. Errors: those of errno_error.h, STORAGE_FULL among them; DATA_LOSS for a
// read past the end.
#ifndef TRAINYARD_CORE_BASE_SPILL_FILE_H_
#define TRAINYARD_CORE_BASE_SPILL_FILE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/descriptor.h"
#include "core/base/mapped_file.h"

namespace trainyard {

class SpillFile {
 public:
  // Whatever is at `path` is emptied. The directory has to exist.
  static absl::StatusOr<SpillFile> Create(const std::string& path);

  // Writes `bytes` at the end, which is at size_bytes().
  absl::Status Append(absl::string_view bytes);
  // Fills `buffer` with what was appended from `offset` on.
  absl::Status Read(int64_t offset, std::span<char> buffer) const;
  // All that was appended, as memory; it outlives the SpillFile. Nothing may be appended
  // afterwards.
  absl::StatusOr<std::shared_ptr<const MappedFile>> Map() const {
    return MappedFile::Of(descriptor_, path_);
  }
  int64_t size_bytes() const { return size_bytes_; }

 private:
  SpillFile(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  std::string path_;
  Descriptor descriptor_;
  int64_t size_bytes_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_SPILL_FILE_H_
