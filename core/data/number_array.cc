#include "core/data/number_array.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr int64_t kExactIntegerMax = int64_t{1} << 53;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Half a megabyte of doubles: a block stays in a core's own cache.
constexpr int64_t kBlockValues = 65'536;

// IEEE half precision: 1 sign, 5 exponent, 10 fraction bits.
struct Half {
  uint16_t bits = 0;
};

struct Bool {
  uint8_t byte = 0;
};

// Infinite stands for "not a cell": an infinity, or an integer that no double holds exactly.
double CellOf(Half half) {
  const double sign = (half.bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = (half.bits >> 10) & 0x1F;
  const int fraction = half.bits & 0x3FF;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  if (exponent < 31) return sign * std::ldexp(fraction + 1024, exponent - 25);
  return fraction == 0 ? kInfinity : std::numeric_limits<double>::quiet_NaN();
}

double CellOf(Bool value) { return value.byte == 0 ? 0 : 1; }

template <typename Number>
double CellOf(Number value) {
  if constexpr (std::is_floating_point_v<Number> || sizeof(Number) < sizeof(int64_t)) {
    return static_cast<double>(value);
  } else if constexpr (std::is_signed_v<Number>) {
    const bool exact = value <= kExactIntegerMax && value >= -kExactIntegerMax;
    return exact ? static_cast<double>(value) : kInfinity;
  } else {
    return value <= uint64_t{kExactIntegerMax} ? static_cast<double>(value) : kInfinity;
  }
}

// `count` elements, each `src_step` bytes and `dst_step` doubles after the one before.
struct Run {
  const char* src = nullptr;
  size_t src_step = 0;
  double* dst = nullptr;
  size_t dst_step = 1;
  size_t count = 0;
};

template <typename Element>
Element Swapped(Element element) {
  char bytes[sizeof(Element)];
  std::memcpy(bytes, &element, sizeof element);
  std::reverse(bytes, bytes + sizeof element);
  std::memcpy(&element, bytes, sizeof element);
  return element;
}

template <typename Element, bool kSwap>
void ConvertRun(const Run& run) {
  for (size_t i = 0; i < run.count; ++i) {
    Element element;
    std::memcpy(&element, run.src + i * run.src_step, sizeof element);
    if constexpr (kSwap) element = Swapped(element);
    const double cell = CellOf(element);
    // One NaN, and no -0, whatever bits the file has: a table's digest depends on them.
    run.dst[i * run.dst_step] =
        std::isnan(cell) ? std::numeric_limits<double>::quiet_NaN() : cell + 0.0;
  }
}

using Converter = void (*)(const Run&);

template <typename Element>
Converter ConverterOf(bool swap) {
  return swap ? &ConvertRun<Element, true> : &ConvertRun<Element, false>;
}

Converter SignedConverter(int size_bytes, bool swap) {
  switch (size_bytes) {
    case 1:
      return ConverterOf<int8_t>(false);
    case 2:
      return ConverterOf<int16_t>(swap);
    case 4:
      return ConverterOf<int32_t>(swap);
    default:
      return ConverterOf<int64_t>(swap);
  }
}

Converter UnsignedConverter(int size_bytes, bool swap) {
  switch (size_bytes) {
    case 1:
      return ConverterOf<uint8_t>(false);
    case 2:
      return ConverterOf<uint16_t>(swap);
    case 4:
      return ConverterOf<uint32_t>(swap);
    default:
      return ConverterOf<uint64_t>(swap);
  }
}

Converter FloatConverter(int size_bytes, bool swap) {
  switch (size_bytes) {
    case 2:
      return ConverterOf<Half>(swap);
    case 4:
      return ConverterOf<float>(swap);
    default:
      return ConverterOf<double>(swap);
  }
}

Converter FindConverter(const ElementType& type) {
  const bool swap = type.big_endian;
  switch (type.kind) {
    case ElementType::Kind::kBool:
      return ConverterOf<Bool>(false);
    case ElementType::Kind::kSigned:
      return SignedConverter(type.size_bytes, swap);
    case ElementType::Kind::kUnsigned:
      return UnsignedConverter(type.size_bytes, swap);
    case ElementType::Kind::kFloat:
      return FloatConverter(type.size_bytes, swap);
  }
  return nullptr;
}

// Without a branch per value, so that it is done many at a time.
bool AnyInfinite(std::span<const double> values) {
  bool any = false;
  for (const double value : values) any |= std::fabs(value) > std::numeric_limits<double>::max();
  return any;
}

absl::Status BadElement(const ArrayLayout& layout, int64_t row, int64_t column) {
  const std::string place =
      absl::StrCat("row ", row, " (from 0), column \"", layout.ColumnNames()[column], "\"");
  const bool is_float = layout.type.kind == ElementType::Kind::kFloat;
  const std::string what = is_float ? "the number is infinite"
                                    : absl::StrCat("the integer is beyond ±2^53 (",
                                                   kExactIntegerMax, "), and would lose digits");
  return MakeError(
      absl::StatusCode::kInvalidArgument, absl::StrCat(layout.subject, ", ", place, ": ", what),
      {.reason = ErrorReason::kDatasetRejected,
       .hint = is_float ? "replace it; NaN is a missing cell: x[np.isinf(x)] = np.nan"
                        : "save the array as floats, x.astype(np.float64), if the digits do not "
                          "matter; leave it out if it is a name",
       .in_force = layout.in_force,
       .violations = {{place, what}}});
}

absl::Status Truncated(const ArrayLayout& layout, int64_t bytes) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat(layout.subject, " is cut off: of the ", layout.size_bytes(),
                                " bytes of its shape there are ", bytes),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "save the array again, or upload the whole file",
                    .in_force = layout.in_force});
}

// After the last byte of an array: the source must end here. It is asked, so that it can check
// sums.
absl::Status CheckEnd(SourceReader* reader, const ArrayLayout& layout) {
  TY_ASSIGN_OR_RETURN(const absl::string_view rest, reader->Peek());
  if (rest.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat(layout.subject, " has more than the ", layout.size_bytes(),
                                " bytes of its shape"),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "save each array to a file of its own, or all with numpy.savez",
                    .in_force = layout.in_force});
}

absl::Status TooLarge(const ArrayLayout& layout, absl::string_view what, int64_t limit) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat(layout.subject, " makes a table of more than ", limit, " ", what),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = absl::StrCat("upload a part of it, of at most ", limit, " ", what),
                    .in_force = layout.in_force});
}

absl::Status NoTable(const ArrayLayout& layout) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat(layout.subject, " has the shape ", ShapeText(layout.shape),
                                ", which is no table"),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "save an array of shape (rows,) or (rows, columns), neither of them 0",
                    .in_force = layout.in_force});
}

// Rows of a table being put together, [rows, columns].
struct Block {
  int64_t first_row = 0;
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<double> values;
};

// An array, the columns of the table that it fills, and its bytes.
class PartDecoder {
 public:
  PartDecoder(const ArrayPart& part, int64_t first_column)
      : part_(part),
        convert_(FindConverter(part.layout.type)),
        size_bytes_(static_cast<size_t>(part.layout.type.size_bytes)),
        columns_(part.layout.columns()),
        first_column_(first_column) {
    if (!part.layout.row_major()) places_ = FortranPlaces(std::span(part.layout.shape).subspan(1));
  }

  // The next rows of a streamed part, or those of a held one.
  absl::Status Fill(SourceReader* reader, Block* block) {
    if (!part_.held.has_value()) {
      TY_RETURN_IF_ERROR(FillStreamed(reader, block));
    } else if (part_.layout.row_major()) {
      FillRows(part_.held->data() + RowBytes() * static_cast<size_t>(block->first_row), block);
    } else {
      FillColumns(block);
    }
    return CheckFinite(*block);
  }

 private:
  size_t RowBytes() const { return static_cast<size_t>(columns_) * size_bytes_; }

  absl::Status FillStreamed(SourceReader* reader, Block* block) {
    bytes_.resize(RowBytes() * static_cast<size_t>(block->rows));
    TY_ASSIGN_OR_RETURN(const size_t size, reader->Read(bytes_));
    if (size < bytes_.size()) {
      const auto before = static_cast<int64_t>(RowBytes()) * block->first_row;
      return Truncated(part_.layout, before + static_cast<int64_t>(size));
    }
    FillRows(bytes_.data(), block);
    return absl::OkStatus();
  }

  double* Cells(Block* block, int64_t row) const {
    return block->values.data() + row * block->columns + first_column_;
  }

  // `bytes` are those of the block's rows, in order.
  void FillRows(const char* bytes, Block* block) const {
    if (columns_ == block->columns) {
      convert_({bytes, size_bytes_, Cells(block, 0), 1, block->values.size()});
      return;
    }
    if (columns_ == 1) {
      convert_({bytes, size_bytes_, Cells(block, 0), static_cast<size_t>(block->columns),
                static_cast<size_t>(block->rows)});
      return;
    }
    for (int64_t row = 0; row < block->rows; ++row) {
      convert_({bytes + RowBytes() * static_cast<size_t>(row), size_bytes_, Cells(block, row), 1,
                static_cast<size_t>(columns_)});
    }
  }

  void FillColumns(Block* block) const {
    for (int64_t column = 0; column < columns_; ++column) {
      const int64_t element = places_[column] * part_.layout.rows() + block->first_row;
      convert_({part_.held->data() + static_cast<size_t>(element) * size_bytes_, size_bytes_,
                Cells(block, 0) + column, static_cast<size_t>(block->columns),
                static_cast<size_t>(block->rows)});
    }
  }

  absl::Status CheckFinite(Block& block) const {
    if (columns_ == block.columns && !AnyInfinite(block.values)) return absl::OkStatus();
    for (int64_t row = 0; row < block.rows; ++row) {
      const std::span<const double> cells(Cells(&block, row), static_cast<size_t>(columns_));
      if (!AnyInfinite(cells)) continue;
      const auto bad =
          std::find_if(cells.begin(), cells.end(), [](double cell) { return std::isinf(cell); });
      return BadElement(part_.layout, block.first_row + row, bad - cells.begin());
    }
    return absl::OkStatus();
  }

  const ArrayPart& part_;
  const Converter convert_;
  const size_t size_bytes_;  // of an element
  const int64_t columns_;
  const int64_t first_column_;
  std::vector<int64_t> places_;  // Fortran order: of each column
  std::vector<char> bytes_;      // streamed: of the block's rows
};

}  // namespace

std::string ShapeText(std::span<const int64_t> shape) {
  if (shape.size() == 1) return absl::StrCat("(", shape[0], ",)");
  return absl::StrCat("(", absl::StrJoin(shape.begin(), shape.end(), ", "), ")");
}

int64_t ArrayLayout::columns() const {
  return ElementCount(std::span(shape).subspan(1)).value_or(0);
}

int64_t ArrayLayout::size_bytes() const { return rows() * columns() * type.size_bytes; }

std::vector<std::string> ArrayLayout::ColumnNames() const {
  if (shape.size() == 1) return {single_name};
  std::vector<std::string> names;
  for (int64_t i = 0; i < columns(); ++i) names.push_back(absl::StrCat(column_prefix, i));
  return names;
}

std::optional<int64_t> ElementCount(std::span<const int64_t> shape) {
  int64_t count = 1;
  bool has_zero = false;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    has_zero |= size == 0;
    if (size > 0 && count > kExactIntegerMax / size) return std::nullopt;
    if (size > 0) count *= size;
  }
  return has_zero ? 0 : count;
}

absl::Status CheckTableShape(std::span<const ArrayLayout> layouts) {
  int64_t columns = 0;
  for (const ArrayLayout& layout : layouts) {
    if (layout.shape.empty()) return NoTable(layout);
    const std::optional<int64_t> width = ElementCount(std::span(layout.shape).subspan(1));
    if (layout.rows() == 0 || width == 0) return NoTable(layout);
    if (layout.rows() > limits::kDatasetRowsMax)
      return TooLarge(layout, "rows", limits::kDatasetRowsMax);
    if (!width.has_value() || *width > limits::kDatasetColumnsMax - columns)
      return TooLarge(layout, "columns", limits::kDatasetColumnsMax);
    columns += *width;
    if (layout.rows() * columns > limits::kDatasetCellsMax)
      return TooLarge(layout, "cells", limits::kDatasetCellsMax);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> HoldArray(SourceReader* reader, const ArrayLayout& layout) {
  const auto size = static_cast<size_t>(layout.size_bytes());
  std::string bytes;
  bytes.reserve(size);  // pages are taken when they are written
  while (bytes.size() < size) {
    TY_ASSIGN_OR_RETURN(const absl::string_view next, reader->Peek());
    if (next.empty()) return Truncated(layout, static_cast<int64_t>(bytes.size()));
    const absl::string_view wanted = next.substr(0, size - bytes.size());
    bytes.append(wanted.data(), wanted.size());
    reader->Consume(wanted.size());
  }
  TY_RETURN_IF_ERROR(CheckEnd(reader, layout));
  return bytes;
}

absl::Status ReadArrayRows(SourceReader* reader, std::span<const ArrayPart> parts, RowSink& sink) {
  std::vector<std::string> names;
  std::vector<PartDecoder> decoders;
  const ArrayPart* streamed = nullptr;
  for (const ArrayPart& part : parts) {
    TY_CHECK(part.held.has_value() || (streamed == nullptr && part.layout.row_major()));
    if (!part.held.has_value()) streamed = &part;
    decoders.emplace_back(part, static_cast<int64_t>(names.size()));
    for (std::string& name : part.layout.ColumnNames()) names.push_back(std::move(name));
  }
  TY_RETURN_IF_ERROR(sink.Begin(names));
  const int64_t rows = parts.front().layout.rows();
  Block block{.columns = static_cast<int64_t>(names.size())};
  const int64_t block_rows = std::max<int64_t>(1, kBlockValues / block.columns);
  for (; block.first_row < rows; block.first_row += block.rows) {
    block.rows = std::min(block_rows, rows - block.first_row);
    block.values.resize(static_cast<size_t>(block.rows * block.columns));
    for (PartDecoder& decoder : decoders) TY_RETURN_IF_ERROR(decoder.Fill(reader, &block));
    TY_RETURN_IF_ERROR(sink.AddRows(block.values));
  }
  return streamed == nullptr ? absl::OkStatus() : CheckEnd(reader, streamed->layout);
}

absl::Status ReadArray(SourceReader* reader, const ArrayLayout& layout, RowSink& sink) {
  ArrayPart part{.layout = layout};
  if (layout.row_major()) return ReadArrayRows(reader, {&part, 1}, sink);
  if (layout.size_bytes() > limits::kHeldArrayBytesMax) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat(layout.subject, " is in Fortran order and has ", layout.size_bytes(),
                     " bytes; at most ", limits::kHeldArrayBytesMax, " are read in that order"),
        {.reason = ErrorReason::kTooLarge,
         .hint = "save it in C order: numpy.ascontiguousarray(x)",
         .in_force = layout.in_force});
  }
  TY_ASSIGN_OR_RETURN(part.held, HoldArray(reader, layout));
  return ReadArrayRows(reader, {&part, 1}, sink);
}

std::vector<int64_t> FortranPlaces(std::span<const int64_t> shape) {
  std::vector<int64_t> strides;
  int64_t count = 1;
  for (const int64_t size : shape) {
    strides.push_back(count);
    count *= size;
  }
  std::vector<int64_t> places(static_cast<size_t>(count), 0);
  int64_t inner = 1;  // elements of the dimensions after this one
  for (size_t d = shape.size(); d-- > 0;) {
    for (int64_t i = 0; i < count; ++i) places[i] += i / inner % shape[d] * strides[d];
    inner *= shape[d];
  }
  return places;
}

}  // namespace trainyard
