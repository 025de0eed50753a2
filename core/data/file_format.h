// Formats and compressions of uploaded files, and what tells them apart: the first bytes.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_FILE_FORMAT_H_
#define TRAINYARD_CORE_DATA_FILE_FORMAT_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// Numbers equal trainyard.v1.FileFormat and trainyard.v1.Compression.
enum class FileFormat : uint8_t {
  kUnspecified = 0,
  kCsv = 1,
  kNpy = 2,
  kNpz = 3,
  kIdx = 4,
  kSvmlight = 5,
};
enum class Compression : uint8_t { kUnspecified = 0, kNone = 1, kGzip = 2, kZstd = 3 };

// How much of the start of a file the functions below want to see.
inline constexpr size_t kFormatHeadBytes = size_t{64} << 10;

// "csv", "npy", …; "gzip", …; "none"; "unspecified".
absl::string_view FormatName(FileFormat format);
absl::string_view CompressionName(Compression compression);

// By the magic bytes at the start of a file.
Compression DetectCompression(absl::string_view head);
// By the first bytes after decompression: magic bytes; svmlight when the first lines (at most 20)
// that are no comments all read `number index:number …`; else CSV.
FileFormat DetectFormat(absl::string_view head);

// Errors: INVALID_ARGUMENT/DATASET_REJECTED, naming the format and what to do, when the first bytes
// after decompression are those of a well-known format that nothing here reads (Parquet, HDF5,
// Excel, pickle, xz, UTF-16, …), or of a file that was compressed twice.
absl::Status CheckFormatKnown(absl::string_view head);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_FILE_FORMAT_H_
