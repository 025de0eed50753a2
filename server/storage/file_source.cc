#include "server/storage/file_source.h"

#include "core/base/status_macros.h"
#include "server/base/ids.h"

namespace trainyard {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

}  // namespace

absl::StatusOr<absl::string_view> FileSource::Next() {
  buffer_.resize(kChunkBytes);
  TY_ASSIGN_OR_RETURN(const size_t got, file_->Read(buffer_));
  return absl::string_view(buffer_).substr(0, got);
}

absl::StatusOr<std::string> DigestOf(ByteSource& source) {
  TY_RETURN_IF_ERROR(source.Rewind());
  Sha256 hash;
  while (true) {
    TY_ASSIGN_OR_RETURN(const absl::string_view bytes, source.Next());
    if (bytes.empty()) return hash.Digest();
    hash.Update(bytes);
  }
}

}  // namespace trainyard
