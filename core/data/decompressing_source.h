// DecompressingSource is what a compressed source holds: gzip (members one after another, CRCs
// checked) or zstd (frames one after another), decompressed as it is read, never wholly in memory.
//
//   TY_ASSIGN_OR_RETURN(std::string head, ReadHead(file, kFormatHeadBytes));
//   DecompressingSource plain(file, DetectCompression(head));    // kNone: the bytes as they are
//   TY_ASSIGN_OR_RETURN(head, ReadHead(plain, kFormatHeadBytes));
//   switch (DetectFormat(head)) …
//
// Thread-safety: none. Lifetime: the source must remain live while this is in use, and nobody else
// may read it. Memory: 1 MiB, and for zstd a window of at most 128 MiB.
// Errors: INVALID_ARGUMENT/DATASET_REJECTED for truncated or damaged data;
// RESOURCE_EXHAUSTED/TOO_LARGE beyond the limits, and for a zstd window over
// 128 MiB. After an error every Next() gives it again, until Rewind().
#ifndef TRAINYARD_CORE_DATA_DECOMPRESSING_SOURCE_H_
#define TRAINYARD_CORE_DATA_DECOMPRESSING_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/data/byte_source.h"
#include "core/data/decoder.h"
#include "core/data/file_format.h"

namespace trainyard {

// What a small file may grow into; see limits.h for the reasons.
struct DecompressionLimits {
  int64_t bytes_max = limits::kDecompressedBytesMax;
  // Bytes out per byte in, once `ratio_free_bytes` are out.
  int64_t ratio_max = limits::kCompressionRatioMax;
  int64_t ratio_free_bytes = limits::kCompressionRatioFreeBytes;
};

class DecompressingSource : public ByteSource {
 public:
  // kNone and kUnspecified: the bytes of `source` as they are.
  DecompressingSource(ByteSource& source, Compression compression,
                      const DecompressionLimits& limits = {});
  // Any decoder; `what` is the subject of messages, such as `array "X"`.
  DecompressingSource(ByteSource& source, std::unique_ptr<Decoder> decoder, std::string what,
                      const DecompressionLimits& limits = {});

  absl::Status Rewind() override;
  absl::StatusOr<absl::string_view> Next() override;

 private:
  // Fills out_, less only at the end.
  absl::StatusOr<absl::string_view> Fill();
  // One step of the decoder; false when there is nothing left.
  absl::StatusOr<bool> Advance(size_t* filled);
  absl::Status CheckLimits() const;
  absl::Status Truncated() const;
  absl::Status TooLarge(const std::string& message) const;

  // Constant after construction.
  ByteSource& source_;
  const std::unique_ptr<Decoder> decoder_;  // null: the bytes as they are
  const std::string what_;
  const DecompressionLimits limits_;

  std::vector<char> out_;
  absl::string_view in_;  // not decoded yet; of source_
  bool source_ended_ = false;
  int64_t read_bytes_ = 0;
  int64_t written_bytes_ = 0;
  absl::Status failure_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_DECOMPRESSING_SOURCE_H_
