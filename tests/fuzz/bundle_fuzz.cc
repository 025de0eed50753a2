// Any bytes: DecodeBundle never crashes, and what it takes encodes to bytes that are read and
// written the same (to the same bytes if they are of the newest version), and can be exported.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/model/bundle.h"
#include "core/model/export.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<trainyard::Bundle> bundle = trainyard::DecodeBundle(bytes);
  if (!bundle.ok()) return 0;
  constexpr size_t kVersionByte = 8;
  const std::string encoded = trainyard::EncodeBundle(*bundle);
  TY_CHECK(bytes[kVersionByte] < 3 || encoded == bytes);
  const absl::StatusOr<trainyard::Bundle> back = trainyard::DecodeBundle(encoded);
  TY_CHECK(back.ok());
  TY_CHECK(trainyard::EncodeBundle(*back) == encoded);
  const absl::StatusOr<std::string> onnx = trainyard::ExportOnnx(*bundle);
  TY_CHECK(onnx.ok() || absl::IsInvalidArgument(onnx.status()));  // hashed columns
  TY_CHECK(!trainyard::ExportJson(*bundle).empty());
  return 0;
}
