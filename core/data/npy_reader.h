// ReadNpy reads a NumPy array file (numpy.save): versions 1 to 3; float16/32/64, signed and
// unsigned integers of 8 to 64 bits and bool, of either byte order, in C or Fortran order.
//
//   TY_RETURN_IF_ERROR(ReadNpy(source, sink));
//
// Columns are `c0`, `c1`, …: one for one dimension, one per column for two; more dimensions are
// flattened as numpy's reshape(rows, -1). NaN is a missing cell.
//
// Thread-safety: none; one call per source. Memory: a block of rows; an array in Fortran order is
// held, up to limits::kHeldArrayBytesMax.
#ifndef TRAINYARD_CORE_DATA_NPY_READER_H_
#define TRAINYARD_CORE_DATA_NPY_READER_H_

#include "absl/status/status.h"
#include "core/data/byte_source.h"
#include "core/data/row_sink.h"

namespace trainyard {

// Errors, all with an ErrorInfo: INVALID_ARGUMENT/DATASET_REJECTED for another dtype (objects,
// text, complex numbers, records), a number that is infinite or an integer beyond 2^53 (row and
// column), a header that numpy would not write, data of another length than its shape says, no rows
// or no columns; RESOURCE_EXHAUSTED/TOO_LARGE beyond limits.h; and those of source and sink.
absl::Status ReadNpy(ByteSource& source, RowSink& sink);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_NPY_READER_H_
