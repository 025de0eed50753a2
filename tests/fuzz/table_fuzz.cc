// Any bytes: DecodeTable never crashes, and what it takes encodes to a file of the same table: in
// version 2, to the same bytes. Bytes are also taken for cells and a header of version 2 between a
// right preamble and a right trailer, for no mutation gets past its checksum.
#include <algorithm>
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/base/coding.h"
#include "core/base/crc32c.h"
#include "core/data/table_codec.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMagic = "TYTABLE2";

void CheckDecode(absl::string_view bytes) {
  const absl::StatusOr<Table> table = DecodeTable(bytes);
  if (!table.ok()) return;
  const std::string encoded = EncodeTable(*table);
  const bool is_newest = bytes.substr(0, kMagic.size()) == kMagic;
  TY_CHECK(!is_newest || encoded == bytes);
  const absl::StatusOr<Table> again = DecodeTable(encoded);
  TY_CHECK(again.ok());
  TY_CHECK(EncodeTable(*again) == encoded);
}

// The first byte says how many times 8 bytes are cells.
std::string WithPreambleAndTrailer(absl::string_view bytes) {
  const size_t cells_size =
      std::min<size_t>(bytes.size() - 1, 8 * static_cast<unsigned char>(bytes[0]));
  const absl::string_view cells = bytes.substr(1, cells_size);
  const absl::string_view header = bytes.substr(1 + cells_size);
  ByteWriter w;
  w.Raw(kMagic.data(), kMagic.size());
  w.U32(2);
  w.Raw(std::string(52, '\0').data(), 52);
  w.Raw(cells.data(), cells.size());
  w.Raw(header.data(), header.size());
  w.U64(header.size());
  w.U32(crc32c::Value(header));
  w.Raw(kMagic.data(), kMagic.size());
  return std::move(w).Take();
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  trainyard::CheckDecode(bytes);
  if (!bytes.empty()) trainyard::CheckDecode(trainyard::WithPreambleAndTrailer(bytes));
  return 0;
}
