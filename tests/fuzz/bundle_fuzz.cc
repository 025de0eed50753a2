// Any bytes: DecodeBundle never crashes, and what it takes encodes to the same bytes and can be
// exported.
#include <cstdint>

#include "core/base/check.h"
#include "core/model/bundle.h"
#include "core/model/export.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<trainyard::Bundle> bundle = trainyard::DecodeBundle(bytes);
  if (!bundle.ok()) return 0;
  TY_CHECK(trainyard::EncodeBundle(*bundle) == bytes);
  TY_CHECK(trainyard::ExportOnnx(*bundle).ok());
  TY_CHECK(!trainyard::ExportJson(*bundle).empty());
  return 0;
}
