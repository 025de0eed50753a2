// Any bytes: ReadPrepared never crashes, and what it takes, its cells included, encodes to a file
// of the same data. Bytes are also taken for a header and blocks with a right checksum between
// them, for no mutation gets past that.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "core/base/coding.h"
#include "core/base/crc32c.h"
#include "core/data/dataset_codec.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMagic = "TYPREP01";

std::string Encoded(const PreparedData& prepared) {
  std::string bytes;
  const absl::Status status = EncodeDataset(prepared, [&bytes](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  TY_CHECK(status.ok());
  return bytes;
}

void CheckRead(std::string bytes) {
  const absl::StatusOr<PreparedFile> file = ReadPrepared(MappedFile::Of(std::move(bytes)), {});
  if (!file.ok() || !file->CheckCells().ok()) return;
  const std::string encoded = Encoded(file->prepared);
  const absl::StatusOr<PreparedFile> again = ReadPrepared(MappedFile::Of(encoded), {});
  TY_CHECK(again.ok());
  TY_CHECK(again->CheckCells().ok());
  TY_CHECK(Encoded(again->prepared) == encoded);
}

// The first two bytes say how many of the others are the header.
std::string WithPreambleAndChecksum(absl::string_view bytes) {
  const auto low = static_cast<unsigned char>(bytes[0]);
  const auto high = static_cast<unsigned char>(bytes[1]);
  const size_t header_size = std::min<size_t>(bytes.size() - 2, low + 256U * high);
  const absl::string_view header = bytes.substr(2, header_size);
  const absl::string_view blocks = bytes.substr(2 + header_size);
  ByteWriter w;
  w.Raw(kMagic.data(), kMagic.size());
  w.U64(header.size());
  w.Raw(header.data(), header.size());
  w.U32(crc32c::Value(header));
  w.Raw(blocks.data(), blocks.size());
  return std::move(w).Take();
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  trainyard::CheckRead(std::string(bytes));
  if (bytes.size() >= 2) trainyard::CheckRead(trainyard::WithPreambleAndChecksum(bytes));
  return 0;
}
