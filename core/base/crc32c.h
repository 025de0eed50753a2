// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected, initial and final inversion), as in RFC 3720 appendix B.4.
// Uses the SSE4.2 instruction, which every x86-64-v2 machine has.
#ifndef TRAINYARD_CORE_BASE_CRC32C_H_
#define TRAINYARD_CORE_BASE_CRC32C_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace trainyard::crc32c {

// The CRC of A followed by `data`, where `crc` is the CRC of A; Extend(0, data) is the CRC of `data`.
uint32_t Extend(uint32_t crc, absl::string_view data);

inline uint32_t Value(absl::string_view data) { return Extend(0, data); }

}  // namespace trainyard::crc32c

#endif  // TRAINYARD_CORE_BASE_CRC32C_H_
