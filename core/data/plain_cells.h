// ParsePlainCells parses the plain numbers (padded_number.h) of many cells one behind the other,
// eight at once where the processor has AVX-512: about a nanosecond for each.
//
//   const size_t count = ParsePlainCells(cells, '.', numbers, unusual);
//   for (const uint32_t i : std::span(unusual, count)) …  // no plain number: numbers[i] is not set
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_PLAIN_CELLS_H_
#define TRAINYARD_CORE_DATA_PLAIN_CELLS_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace trainyard {

// Cells with one character between each and the next. The first starts behind ends[-1], and cell i
// ends before ends[i]; both count from `data`, modulo 2^32.
struct CellRun {
  // Bytes before the end of any cell that may be read, whatever they are.
  static constexpr size_t kPaddingBefore = 16;

  absl::string_view operator[](size_t i) const {
    const uint32_t begin = ends[static_cast<ptrdiff_t>(i) - 1] + 1;
    return {data + begin, ends[i] - begin};
  }

  const char* data = nullptr;
  const uint32_t* ends = nullptr;
  size_t count = 0;
};

// Sets numbers[i] to the value of each cell that is a plain number, and gives how many are not;
// their places are in `unusual`, ascending, which has room for all. A plain number may count as
// unusual. REQUIRES: the kNumberPadding bytes behind each cell and CellRun::kPaddingBefore before
// its end may be read.
size_t ParsePlainCells(const CellRun& cells, char decimal_mark, double* numbers, uint32_t* unusual);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_PLAIN_CELLS_H_
