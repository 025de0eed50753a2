// The header of a NumPy array file, versions 1 to 3. Internal to npy_reader and npz_reader.
//
//   "\x93NUMPY" | u8 major | u8 minor | version 1: u16, 2 and 3: u32 size of the text | the text:
//   {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }   (a Python literal, padded)
//
// Thread-safety: values and pure functions.
#ifndef TRAINYARD_CORE_DATA_NPY_HEADER_H_
#define TRAINYARD_CORE_DATA_NPY_HEADER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/number_array.h"
#include "core/data/source_reader.h"

namespace trainyard {

struct NpyHeader {
  std::string descr;  // "<f8"; of a structured dtype the text of its list
  bool fortran_order = false;
  std::vector<int64_t> shape;

  // `dtype <f8, C order, shape (3, 4)`
  std::string Describe() const;
};

// Reads it from the reader's position; what follows is the array. `subject` begins messages.
// Errors: DATASET_REJECTED when it is not a header that numpy writes.
absl::StatusOr<NpyHeader> ReadNpyHeader(SourceReader* reader, absl::string_view subject);

// How numbers of the header's dtype are stored. Errors: DATASET_REJECTED, with a remedy, for other
// dtypes.
absl::StatusOr<ElementType> ElementTypeOf(const NpyHeader& header, absl::string_view subject);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_NPY_HEADER_H_
