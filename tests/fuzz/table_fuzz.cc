// Any bytes: DecodeTable never crashes, and what it takes encodes to the same bytes.
#include <cstdint>

#include "core/base/check.h"
#include "core/data/table_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<trainyard::Table> table = trainyard::DecodeTable(bytes);
  TY_CHECK(!table.ok() || trainyard::EncodeTable(*table) == bytes);
  return 0;
}
