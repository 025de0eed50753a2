// The columnar file of a frozen table: what workers map instead of reading the upload. Version 2,
// cells first, so that it can be written column by column:
//
//   file          := preamble column* header trailer
//   preamble      := magic:"TYTABLE2" version:u32(=2) zeros, 64 bytes in all
//   column        := zeros to a multiple of 64, then numbers f64[rows] (NaN: missing) | codes
//   i32[rows] (-1: missing) header        := rows:i64 column_count:u32 column_header*, right after
//   the last column column_header := name:string type:u8 kind:u8 kind_given:u8 stats categories
//   offset:u64 size_bytes:u64 crc32c:u32 stats         := missing_count:i64 distinct_count:i64
//   min:f64 max:f64 mean:f64 standard_deviation:f64 integers:u8
//                    quantile_count:u32 f64* top_count:u32 (value:string count:i64)*
//   categories    := count:u32 string*
//   trailer       := header_bytes:u64 header_crc32c:u32 magic:"TYTABLE2"
//
// All numbers little-endian; string := length:u32 bytes. Version 1 (read only; its statistics are
// found anew, its kinds inferred) has the header first and no kinds or quantiles:
//
//   file := magic:"TYTABLE1" version:u32(=1) header_bytes:u64 header header_crc32c:u32 column*
//
// A reader of a newer version answers FAILED_PRECONDITION with both numbers; damage is DATA_LOSS.
// Thread-safety: free functions over values; a TableFileWriter belongs to one thread.
#ifndef TRAINYARD_CORE_DATA_TABLE_CODEC_H_
#define TRAINYARD_CORE_DATA_TABLE_CODEC_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/coding.h"
#include "core/base/mapped_file.h"
#include "core/data/table.h"

namespace trainyard {

using AppendBytes = std::function<absl::Status(absl::string_view)>;

// Writes a table's file one column after the other.
//
//   TableFileWriter file(append);
//   for (const Column& column : table.columns) TY_RETURN_IF_ERROR(file.AddColumn(column));
//   TY_RETURN_IF_ERROR(file.Finish(table.rows));
//
// Errors: those of `append`, which gets at most 1 MiB at a time, but for the header.
class TableFileWriter {
 public:
  explicit TableFileWriter(AppendBytes append);

  // Its cells may be gone afterwards; the rest of it is kept in memory until Finish.
  absl::Status AddColumn(const Column& column);
  // REQUIRES: each column had `rows` cells.
  absl::Status Finish(int64_t rows);

 private:
  absl::Status Append(absl::string_view bytes);
  absl::Status AppendZerosTo(uint64_t position);
  absl::Status AppendPreamble();

  AppendBytes append_;
  uint64_t position_ = 0;  // in the file
  // One a column: together they may have hundreds of MB of texts, which a single string would hold
  // twice whenever it grows.
  std::vector<std::string> column_headers_;
};

// The same table gives the same bytes.
std::string EncodeTable(const Table& table);

// Errors: DATA_LOSS (bad magic, CRC, truncation, codes out of range, names twice),
// FAILED_PRECONDITION (version), RESOURCE_EXHAUSTED (over limits.h). Never allocates more than a
// small multiple of bytes.size().
absl::StatusOr<Table> DecodeTable(absl::string_view bytes);

struct OpenTableOptions {
  // Reads all cells once and holds them against their CRCs (about 10 GB/s when they are in memory).
  // Without it damage is found only in the header, and a damaged code may lead anywhere: leave it
  // out only for a file that was checked before.
  bool check_cells = true;
};

// A table whose cells are views of the mapped file (mapped_file.h), which lives as long as any copy
// of them; tables of one file share their memory, in other processes too. Errors: as DecodeTable,
// and those of MappedFile::Open.
absl::StatusOr<Table> OpenTable(const std::string& path, const OpenTableOptions& options = {});
// The same of a file that is mapped already.
absl::StatusOr<Table> OpenTable(std::shared_ptr<const MappedFile> file,
                                const OpenTableOptions& options = {});

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_TABLE_CODEC_H_
