// ReadIdx reads an IDX file, the format of MNIST: bytes, integers or floats of any of its six
// types, one to four dimensions.
//
//   TY_RETURN_IF_ERROR(ReadIdx(source, sink));
//
// File (big-endian): u8 0 | u8 0 | u8 type (08 u8, 09 i8, 0B i16, 0C i32, 0D f32, 0E f64) |
// u8 dimensions | u32 size per dimension | numbers in C order.
// One dimension is the column `label`; more are flattened into `c0`, `c1`, …. NaN is a missing
// cell.
//
// Thread-safety: none; one call per source. Memory: a block of rows.
#ifndef TRAINYARD_CORE_DATA_IDX_READER_H_
#define TRAINYARD_CORE_DATA_IDX_READER_H_

#include "absl/status/status.h"
#include "core/data/byte_source.h"
#include "core/data/row_sink.h"

namespace trainyard {

// Errors, all with an ErrorInfo: INVALID_ARGUMENT/DATASET_REJECTED for another magic, type or
// number of dimensions, a dimension of 0, data of another length than the dimensions say, an
// infinite number (row and column); RESOURCE_EXHAUSTED/TOO_LARGE beyond limits.h; and those of
// source and sink.
absl::Status ReadIdx(ByteSource& source, RowSink& sink);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_IDX_READER_H_
