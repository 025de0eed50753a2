// A hash of text that never changes: splits and models depend on it, on every machine and in every
// version.
//
//   uint64_t key = StableHash("patient 17");
//
// Thread-safety: a pure function.
#ifndef TRAINYARD_CORE_BASE_HASH_H_
#define TRAINYARD_CORE_BASE_HASH_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace trainyard {

// FNV-1a of the bytes, 64 bits (h = 14695981039346656037; for each byte: h = (h xor byte) ·
// 1099511628211), then MurmurHash3's finaliser (h ^= h >> 33; h *= 0xff51afd7ed558ccd; h ^= h >>
// 33; h *= 0xc4ceb9fe1a85ec53; h ^= h >> 33), because the low bits of FNV-1a alone are poor.
constexpr uint64_t StableHash(absl::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
  return hash ^ (hash >> 33);
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_HASH_H_
