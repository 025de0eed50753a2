// ReadNpz reads a NumPy archive (numpy.savez, numpy.savez_compressed): arrays of equal length side
// by side as one table. npy_reader.h says what arrays may be.
//
//   TY_RETURN_IF_ERROR(ReadNpz(source, {.arrays = {"X", "y"}}, sink));
//
// The columns of an array `X` of two or more dimensions are `X0`, `X1`, …; an array `y` of one
// dimension is the column `y`.
//
// Thread-safety: none; one call per source. Memory: the largest array is streamed, the others are
// held, together up to limits::kHeldArrayBytesMax.
#ifndef TRAINYARD_CORE_DATA_NPZ_READER_H_
#define TRAINYARD_CORE_DATA_NPZ_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/byte_source.h"
#include "core/data/row_sink.h"

namespace trainyard {

struct NpzOptions {
  // Names of the arrays to read, in the order of the table. Empty: all, as they stand in the file.
  std::vector<std::string> arrays;
};

// Errors: as ReadNpy, for the arrays that are read; also INVALID_ARGUMENT/DATASET_REJECTED when the
// ZIP archive is damaged, truncated, encrypted or without arrays, when arrays have different
// numbers of rows (all are listed with their shapes), or two columns the same name;
// INVALID_ARGUMENT/INVALID_REQUEST naming npz_arrays when an array is not there or named twice.
absl::Status ReadNpz(ByteSource& source, const NpzOptions& options, RowSink& sink);

struct NpzArray {
  std::string name;
  std::vector<int64_t> shape;  // empty for a single number
  std::vector<float> values;   // in C order, whatever the file's
};

// All arrays of an archive in memory: initial weights of a network. At most limits::kParametersMax
// values together. Errors: as ReadNpz, and for numbers that float32 cannot hold, NaN among them.
absl::StatusOr<std::vector<NpzArray>> ReadNpzArrays(absl::string_view bytes);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_NPZ_READER_H_
