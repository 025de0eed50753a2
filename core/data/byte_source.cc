#include "core/data/byte_source.h"

#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr size_t kSourceChunkBytes = size_t{1} << 20;

}  // namespace

absl::StatusOr<std::string> ReadHead(ByteSource& source, size_t size_max) {
  TY_RETURN_IF_ERROR(source.Rewind());
  std::string head;
  while (head.size() < size_max) {
    TY_ASSIGN_OR_RETURN(const absl::string_view bytes, source.Next());
    if (bytes.empty()) break;
    const absl::string_view wanted = bytes.substr(0, size_max - head.size());
    head.append(wanted.data(), wanted.size());
  }
  TY_RETURN_IF_ERROR(source.Rewind());
  return head;
}

absl::Status ViewSource::Rewind() {
  position_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> ViewSource::Next() {
  const absl::string_view chunk = bytes_.substr(position_, kSourceChunkBytes);
  position_ += chunk.size();
  return chunk;
}

}  // namespace trainyard
