// Arrays of numbers in files (NPY, NPZ, IDX): what their elements are, how they stand, and the way
// from their bytes to the rows of a table. Internal to the readers.
//
//   ArrayLayout layout{.subject = "array \"X\"", .column_prefix = "X", .type = …, .shape = {3, 2}};
//   TY_RETURN_IF_ERROR(CheckTableShape({&layout, 1}));
//   std::vector<ArrayPart> parts = {{.layout = layout}};          // streamed
//   TY_RETURN_IF_ERROR(ReadArrayRows(&reader, parts, sink));      // at the array's first byte
//
// Thread-safety: values and pure functions.
#ifndef TRAINYARD_CORE_DATA_NUMBER_ARRAY_H_
#define TRAINYARD_CORE_DATA_NUMBER_ARRAY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/row_sink.h"
#include "core/data/source_reader.h"

namespace trainyard {

struct ElementType {
  enum class Kind : uint8_t { kBool, kSigned, kUnsigned, kFloat };
  Kind kind = Kind::kFloat;
  int size_bytes = 8;  // kBool: 1; integers: 1, 2, 4, 8; kFloat: 2, 4, 8
  bool big_endian = false;
};

// "(3, 4)", as numpy prints it.
std::string ShapeText(std::span<const int64_t> shape);

struct ArrayLayout {
  std::string subject;        // of messages: `array "X"`, "the IDX file"
  std::string column_prefix;  // columns are the prefix and their index …
  std::string single_name;    // … but one dimension has this name
  std::string in_force;       // for messages: dtype, order, shape
  ElementType type;
  std::vector<int64_t> shape;
  bool fortran_order = false;

  // REQUIRES for all: CheckTableShape() was OK.
  int64_t rows() const { return shape[0]; }
  int64_t columns() const;
  int64_t size_bytes() const;
  // Whether rows stand one after another, so that they can be streamed.
  bool row_major() const { return !fortran_order || shape.size() == 1; }
  std::vector<std::string> ColumnNames() const;
};

// The number of elements; nullopt for negative sizes and beyond 2^53.
std::optional<int64_t> ElementCount(std::span<const int64_t> shape);

// Whether each can be a table, and all side by side, within limits.h. REQUIRES: equal numbers of
// rows once each has a dimension. Errors: DATASET_REJECTED (no dimension, no rows, no columns),
// TOO_LARGE.
absl::Status CheckTableShape(std::span<const ArrayLayout> layouts);

// An array on its way to be columns of a table.
struct ArrayPart {
  ArrayLayout layout;
  // All bytes of an array that is held; nullopt for the one that is streamed.
  std::optional<std::string> held;
};

// All bytes of an array, from the reader's position on, which must be its end then.
// REQUIRES: the caller has bounded size_bytes.
absl::StatusOr<std::string> HoldArray(SourceReader* reader, const ArrayLayout& layout);

// Begin()s the sink and gives it all rows: columns of the parts side by side. At most one part is
// streamed, from the reader's position on, which must be its end then. REQUIRES: the same number of
// rows; a streamed part is row_major().
absl::Status ReadArrayRows(SourceReader* reader, std::span<const ArrayPart> parts, RowSink& sink);

// The same for one array: held when it must be, within limits::kHeldArrayBytesMax.
absl::Status ReadArray(SourceReader* reader, const ArrayLayout& layout, RowSink& sink);

// For each element in C order of an array of `shape`: its place in Fortran order.
std::vector<int64_t> FortranPlaces(std::span<const int64_t> shape);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_NUMBER_ARRAY_H_
