// Any bytes as an svmlight file; see format_fuzz.h.
#include <cstdint>

#include "tests/support/format_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return trainyard::FuzzFormat(trainyard::FileFormat::kSvmlight, data, size);
}
