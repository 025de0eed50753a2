// Decoder undoes one kind of compression, a piece at a time: gzip, zstd, or the raw deflate of ZIP
// members. The only file that knows zlib and libzstd. Internal; see decompressing_source.h and
// zip_reader.h.
//
// Thread-safety: none.
#ifndef TRAINYARD_CORE_DATA_DECODER_H_
#define TRAINYARD_CORE_DATA_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

class Decoder {
 public:
  struct Step {
    size_t read = 0;
    size_t written = 0;
  };

  virtual ~Decoder() = default;
  // Reads from the start of `in`, writes to the start of `out`. Neither moving means that it wants
  // more input. REQUIRES: `out` is not empty. Errors: DATASET_REJECTED (damaged data),
  // TOO_LARGE (window), OUT_OF_MEMORY; the caller adds what it is that is decoded.
  virtual absl::StatusOr<Step> Decode(absl::string_view in, std::span<char> out) = 0;
  // Whether the input may end here.
  virtual bool AtEnd() const = 0;
  // As newly made.
  virtual void Reset() = 0;
};

// Members one after another are one file; zeros after the last are padding.
std::unique_ptr<Decoder> NewGzipDecoder();
// Frames one after another are one file. Windows of at most 128 MiB, as zstd's own default.
std::unique_ptr<Decoder> NewZstdDecoder();
std::unique_ptr<Decoder> NewDeflateDecoder();

// The CRC-32 of ZIP over `bytes`, after bytes whose CRC was `crc` (0 for none).
uint32_t Crc32(uint32_t crc, absl::string_view bytes);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_DECODER_H_
