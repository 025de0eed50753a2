// Any bytes, detected and decompressed: an error with a hint or bytes, the same however the file is
// cut and when it is read again. Detection takes what comes out.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "tests/support/format_readers.h"

namespace trainyard {
namespace {

// What comes out, then the error if there is one.
std::string Decompress(ByteSource& source) {
  std::string all;
  while (true) {
    const absl::StatusOr<absl::string_view> bytes = source.Next();
    if (!bytes.ok()) {
      const auto info = GetErrorInfo(bytes.status());
      TY_CHECK(info.has_value());
      TY_CHECK(!info->hint.empty());
      return all + std::string(bytes.status().message());
    }
    if (bytes->empty()) return all;
    all.append(bytes->data(), bytes->size());
  }
}

std::string DecompressInChunks(absl::string_view bytes, size_t chunk_size) {
  ChunkedSource file(bytes, chunk_size);
  DecompressingSource source(file, DetectCompression(bytes));
  const std::string first = Decompress(source);
  TY_CHECK(source.Rewind().ok());
  TY_CHECK(Decompress(source) == first);
  return first;
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = trainyard::DecompressInChunks(bytes, size);
  const size_t chunk_size = size == 0 ? 1 : 1 + data[size - 1] % 32;
  TY_CHECK(whole == trainyard::DecompressInChunks(bytes, chunk_size));
  const absl::string_view head = absl::string_view(whole).substr(0, trainyard::kFormatHeadBytes);
  TY_CHECK(!FormatName(trainyard::DetectFormat(head)).empty());
  trainyard::CheckFormatKnown(head).IgnoreError();  // any answer will do
  return 0;
}
