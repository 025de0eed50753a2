// The property of every reader of number formats: any bytes are rows or an error with a hint, and
// how the bytes are cut changes nothing.
//
//   extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
//     return trainyard::FuzzFormat(trainyard::FileFormat::kNpy, data, size);
//   }
//
// Thread-safety: none.
#ifndef TRAINYARD_TESTS_SUPPORT_FORMAT_FUZZ_H_
#define TRAINYARD_TESTS_SUPPORT_FORMAT_FUZZ_H_

#include <cstdint>

#include "core/base/check.h"
#include "tests/support/format_readers.h"

namespace trainyard {

inline int FuzzFormat(FileFormat format, const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Reading whole = ReadFormat(bytes, format, size);
  // The last byte chooses how the bytes are cut, and stays in the file: seeds are ordinary files.
  const size_t chunk_size = size == 0 ? 1 : 1 + data[size - 1] % 32;
  TY_CHECK(whole == ReadFormat(bytes, format, chunk_size));
  return 0;
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_FORMAT_FUZZ_H_
