#include "core/data/source_reader.h"

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace trainyard {

absl::Status SourceReader::SeekTo(int64_t position) {
  if (position_ < 0 || position < position_) {
    TY_RETURN_IF_ERROR(source_.Rewind());
    rest_ = {};
    position_ = 0;
  }
  while (position_ < position) {
    TY_ASSIGN_OR_RETURN(const absl::string_view bytes, Peek());
    if (bytes.empty()) break;
    Consume(std::min(bytes.size(), static_cast<size_t>(position - position_)));
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> SourceReader::Peek() {
  TY_CHECK(position_ >= 0);
  if (rest_.empty()) {
    TY_ASSIGN_OR_RETURN(rest_, source_.Next());
  }
  return rest_;
}

void SourceReader::Consume(size_t size) {
  TY_CHECK(size <= rest_.size());
  rest_.remove_prefix(size);
  position_ += static_cast<int64_t>(size);
}

absl::StatusOr<size_t> SourceReader::Read(std::span<char> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    TY_ASSIGN_OR_RETURN(const absl::string_view bytes, Peek());
    if (bytes.empty()) break;
    const size_t size = std::min(bytes.size(), out.size() - filled);
    std::memcpy(out.data() + filled, bytes.data(), size);
    Consume(size);
    filled += size;
  }
  return filled;
}

}  // namespace trainyard
