#include "core/base/crc32c.h"

#include <nmmintrin.h>

#include <cstring>

namespace trainyard::crc32c {

uint32_t Extend(uint32_t crc, absl::string_view data) {
  const char* p = data.data();
  size_t size = data.size();
  uint64_t state = crc ^ 0xffffffffu;
  for (; size >= 8; size -= 8, p += 8) {
    uint64_t word;
    std::memcpy(&word, p, sizeof word);
    state = _mm_crc32_u64(state, word);
  }
  uint32_t state32 = static_cast<uint32_t>(state);
  for (; size > 0; --size, ++p) state32 = _mm_crc32_u8(state32, static_cast<unsigned char>(*p));
  return state32 ^ 0xffffffffu;
}

}  // namespace trainyard::crc32c
