#include "core/base/crc32c.h"

#include <nmmintrin.h>

#include <array>
#include <cstring>

namespace trainyard::crc32c {
namespace {

// The instruction has a latency of three cycles and a throughput of one, so three independent
// streams go three times as fast as one: 31 against 8 GB/s. Long inputs are cut into thirds of this
// many bytes.
constexpr size_t kStreamBytes = 4096;

uint64_t Load64(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Appending zero bytes to what a state stands for is linear in the state over GF(2): the result is
// the exclusive or of the results of its bits. Table k has it for each value of byte k.
class ZeroBytes {
 public:
  explicit ZeroBytes(size_t count) {
    std::array<uint32_t, 32> of_bit;
    for (int bit = 0; bit < 32; ++bit) {
      uint64_t state = uint64_t{1} << bit;
      for (size_t i = 0; i < count; i += 8) state = _mm_crc32_u64(state, 0);
      of_bit[bit] = static_cast<uint32_t>(state);
    }
    for (int byte = 0; byte < 4; ++byte) {
      for (int value = 0; value < 256; ++value)
        tables_[byte][value] = Sum(&of_bit[8 * byte], value);
    }
  }

  uint32_t Append(uint32_t state) const {
    return tables_[0][state & 255] ^ tables_[1][state >> 8 & 255] ^ tables_[2][state >> 16 & 255] ^
           tables_[3][state >> 24];
  }

 private:
  static uint32_t Sum(const uint32_t* of_bit, int value) {
    uint32_t sum = 0;
    for (int bit = 0; bit < 8; ++bit) {
      if (value >> bit & 1) sum ^= of_bit[bit];
    }
    return sum;
  }

  std::array<std::array<uint32_t, 256>, 4> tables_;
};

// The state after 3 * kStreamBytes more bytes.
uint32_t ExtendThreeStreams(uint32_t state, const char* p) {
  static const ZeroBytes zeros(kStreamBytes);
  uint64_t a = state, b = 0, c = 0;
  for (size_t i = 0; i < kStreamBytes; i += 8) {
    a = _mm_crc32_u64(a, Load64(p + i));
    b = _mm_crc32_u64(b, Load64(p + i + kStreamBytes));
    c = _mm_crc32_u64(c, Load64(p + i + 2 * kStreamBytes));
  }
  const uint32_t ab = zeros.Append(static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
  return zeros.Append(ab) ^ static_cast<uint32_t>(c);
}

}  // namespace

uint32_t Extend(uint32_t crc, absl::string_view data) {
  const char* p = data.data();
  size_t size = data.size();
  uint32_t state32 = crc ^ 0xffffffffu;
  for (; size >= 3 * kStreamBytes; size -= 3 * kStreamBytes, p += 3 * kStreamBytes) {
    state32 = ExtendThreeStreams(state32, p);
  }
  uint64_t state = state32;
  for (; size >= 8; size -= 8, p += 8) state = _mm_crc32_u64(state, Load64(p));
  state32 = static_cast<uint32_t>(state);
  for (; size > 0; --size, ++p) state32 = _mm_crc32_u8(state32, static_cast<unsigned char>(*p));
  return state32 ^ 0xffffffffu;
}

}  // namespace trainyard::crc32c
