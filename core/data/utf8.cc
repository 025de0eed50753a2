#include "core/data/utf8.h"

#include <cstdint>
#include <cstring>

namespace trainyard {
namespace {

bool IsContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Bytes of the well-formed character at the start of `text`; 0 when there is none. `text` starts
// with a byte >= 0x80.
size_t MultibyteSize(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (!IsContinuation(byte(i))) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) > 0x9F;
  const bool too_high = lead == 0xF4 && byte(1) > 0x8F;
  return overlong || surrogate || too_high ? 0 : size;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    uint64_t eight = 0;
    if (i + sizeof eight <= text.size()) std::memcpy(&eight, text.data() + i, sizeof eight);
    const bool eight_ascii = i + sizeof eight <= text.size() && (eight & 0x8080808080808080u) == 0;
    if (eight_ascii) {
      i += sizeof eight;
      continue;
    }
    const bool ascii = static_cast<uint8_t>(text[i]) < 0x80;
    const size_t size = ascii ? 1 : MultibyteSize(text.substr(i));
    if (size == 0) return false;
    i += size;
  }
  return true;
}

absl::string_view Utf8Prefix(absl::string_view text, size_t size_max) {
  if (text.size() <= size_max) return text;
  size_t size = size_max;
  while (size > 0 && IsContinuation(static_cast<uint8_t>(text[size]))) --size;
  return text.substr(0, size);
}

}  // namespace trainyard
