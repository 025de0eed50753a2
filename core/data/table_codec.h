// The columnar file of a frozen table: what workers read instead of the upload.
//
//   file    := magic:"TYTABLE1" version:u32(=1) header_bytes:u64 header header_crc32c:u32 padding
//   column* header  := rows:i64 column_count:u32 column_header* column_header := name:string
//   type:u8 stats categories offset:u64 bytes:u64 crc32c:u32 column  := numbers f64[rows] | codes
//   i32[rows], each starting at its `offset` in the file, a multiple of 64 All numbers
//   little-endian; string := length:u32 bytes.
//
// A reader of a newer version answers FAILED_PRECONDITION with both numbers; damage is DATA_LOSS.
// Thread-safety: free functions over values.
#ifndef TRAINYARD_CORE_DATA_TABLE_CODEC_H_
#define TRAINYARD_CORE_DATA_TABLE_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/table.h"

namespace trainyard {

// The same table gives the same bytes.
std::string EncodeTable(const Table& table);

// Errors: DATA_LOSS (bad magic, CRC, truncation, codes out of range, names twice),
// FAILED_PRECONDITION (version), RESOURCE_EXHAUSTED (over limits.h). Never allocates more than a
// small multiple of bytes.size().
absl::StatusOr<Table> DecodeTable(absl::string_view bytes);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_TABLE_CODEC_H_
