// Any bytes as an NPZ file, see format_fuzz.h; and as initial weights: as many values as the shape
// says, all finite.
#include <cmath>
#include <cstdint>

#include "tests/support/format_fuzz.h"

namespace trainyard {
namespace {

void CheckWeights(absl::string_view bytes) {
  const absl::StatusOr<std::vector<NpzArray>> arrays = ReadNpzArrays(bytes);
  if (!arrays.ok()) {
    TY_CHECK(GetErrorInfo(arrays.status()).has_value());
    return;
  }
  for (const NpzArray& array : *arrays) {
    int64_t count = 1;
    for (const int64_t size : array.shape) count *= size;
    TY_CHECK(static_cast<int64_t>(array.values.size()) == count);
    for (const float value : array.values) TY_CHECK(std::isfinite(value));
  }
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trainyard::CheckWeights(absl::string_view(reinterpret_cast<const char*>(data), size));
  return trainyard::FuzzFormat(trainyard::FileFormat::kNpz, data, size);
}
