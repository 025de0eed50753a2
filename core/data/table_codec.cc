#include "core/data/table_codec.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/coding.h"
#include "core/base/crc32c.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMagic = "TYTABLE1";
constexpr uint32_t kVersion = 1;
constexpr size_t kPreambleBytes = 8 + 4 + 8;  // magic, version, header_bytes
constexpr size_t kCrcBytes = 4;
constexpr size_t kAlignment = 64;

// Where a column's cells stand in the file.
struct CellRange {
  uint64_t offset = 0;
  uint64_t size_bytes = 0;
  uint32_t crc = 0;
};

size_t AlignUp(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

absl::string_view CellBytes(const Column& column) {
  if (column.type == ColumnType::kNumeric) {
    return {reinterpret_cast<const char*>(column.numbers.data()),
            column.numbers.size() * sizeof(double)};
  }
  return {reinterpret_cast<const char*>(column.codes.data()),
          column.codes.size() * sizeof(int32_t)};
}

uint64_t CellBytesOf(ColumnType type, int64_t rows) {
  return static_cast<uint64_t>(rows) *
         (type == ColumnType::kNumeric ? sizeof(double) : sizeof(int32_t));
}

void WriteStats(const ColumnStats& stats, ByteWriter* w) {
  w->I64(stats.missing_count);
  w->I64(stats.distinct_count);
  w->F64(stats.min);
  w->F64(stats.max);
  w->F64(stats.mean);
  w->F64(stats.standard_deviation);
  w->U8(stats.integers ? 1 : 0);
  w->U32(static_cast<uint32_t>(stats.top_values.size()));
  for (const auto& [value, count] : stats.top_values) {
    w->String(value);
    w->I64(count);
  }
}

std::string EncodeHeader(const Table& table, const std::vector<CellRange>& ranges) {
  ByteWriter w;
  w.I64(table.rows);
  w.U32(static_cast<uint32_t>(table.columns.size()));
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Column& column = table.columns[i];
    w.String(column.name);
    w.U8(static_cast<uint8_t>(column.type));
    WriteStats(column.stats, &w);
    w.U32(static_cast<uint32_t>(column.categories.size()));
    for (const std::string& category : column.categories) w.String(category);
    w.U64(ranges[i].offset);
    w.U64(ranges[i].size_bytes);
    w.U32(ranges[i].crc);
  }
  return std::move(w).Take();
}

void PadToAlignment(std::string* bytes) { bytes->resize(AlignUp(bytes->size()), '\0'); }

absl::Status Damaged(absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, absl::StrCat("table file is damaged: ", what),
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "upload the dataset again, or restore it from a backup"});
}

absl::Status OverLimit(absl::string_view what, int64_t limit) {
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("table file has more ", what, " than ", limit),
      {.reason = ErrorReason::kTooLarge, .hint = "it was written by a build with other limits"});
}

bool ReadFlag(ByteReader* r, bool* flag) {
  uint8_t byte = 0;
  if (!r->U8(&byte) || byte > 1) return false;
  *flag = byte == 1;
  return true;
}

bool ReadStats(ByteReader* r, ColumnStats* stats) {
  uint32_t top_count = 0;
  const bool ok = r->I64(&stats->missing_count) && r->I64(&stats->distinct_count) &&
                  r->F64(&stats->min) && r->F64(&stats->max) && r->F64(&stats->mean) &&
                  r->F64(&stats->standard_deviation) && ReadFlag(r, &stats->integers) &&
                  r->U32(&top_count) && top_count <= limits::kTopValuesMax;
  if (!ok) return false;
  stats->top_values.resize(top_count);
  for (auto& [value, count] : stats->top_values) {
    if (!r->String(&value, limits::kFieldBytesMax) || !r->I64(&count)) return false;
  }
  return true;
}

// Sorted and different, as TableBuilder makes them.
bool ReadCategories(ByteReader* r, Column* column) {
  uint32_t count = 0;
  if (!r->U32(&count) || count > limits::kDistinctTextMax) return false;
  if (column->type == ColumnType::kNumeric && count != 0) return false;
  // A string takes at least its length: no more memory than the bytes can be worth.
  column->categories.reserve(std::min<size_t>(count, r->remaining() / sizeof(uint32_t)));
  for (uint32_t i = 0; i < count; ++i) {
    std::string category;
    if (!r->String(&category, limits::kFieldBytesMax)) return false;
    if (i > 0 && category <= column->categories.back()) return false;
    column->categories.push_back(std::move(category));
  }
  return true;
}

bool ReadColumnHeader(ByteReader* r, Column* column, CellRange* range) {
  uint8_t type = 0;
  if (!r->String(&column->name, limits::kColumnNameBytesMax) || !r->U8(&type)) return false;
  column->type = static_cast<ColumnType>(type);
  if (column->type != ColumnType::kNumeric && column->type != ColumnType::kText) return false;
  return ReadStats(r, &column->stats) && ReadCategories(r, column) && r->U64(&range->offset) &&
         r->U64(&range->size_bytes) && r->U32(&range->crc);
}

absl::StatusOr<Table> DecodeHeader(absl::string_view header, std::vector<CellRange>* ranges) {
  ByteReader r(header);
  Table table;
  uint32_t column_count = 0;
  if (!r.I64(&table.rows) || table.rows < 0 || !r.U32(&column_count))
    return Damaged("the header ends early");
  if (table.rows > limits::kDatasetRowsMax) return OverLimit("rows", limits::kDatasetRowsMax);
  if (column_count > limits::kDatasetColumnsMax)
    return OverLimit("columns", limits::kDatasetColumnsMax);
  absl::flat_hash_set<std::string> names;
  for (uint32_t i = 0; i < column_count; ++i) {
    Column column;
    if (!ReadColumnHeader(&r, &column, &ranges->emplace_back())) {
      return Damaged(absl::StrCat("the header of column ", i, " cannot be read"));
    }
    if (!names.insert(column.name).second) return Damaged("two columns of one name");
    table.columns.push_back(std::move(column));
  }
  if (!r.done()) return Damaged("bytes after the last column's header");
  return table;
}

bool CellsAreValid(const Column& column) {
  const auto categories = static_cast<int64_t>(column.categories.size());
  const bool codes_fit = std::all_of(column.codes.begin(), column.codes.end(), [&](int32_t code) {
    return code >= Column::kMissingCode && code < categories;
  });
  return codes_fit && std::none_of(column.numbers.begin(), column.numbers.end(),
                                   [](double number) { return std::isinf(number); });
}

absl::Status ReadCells(absl::string_view cells, int64_t rows, Column* column) {
  ByteReader r(cells);
  bool ok = false;
  if (column->type == ColumnType::kNumeric) {
    column->numbers.resize(rows);
    ok = r.Raw(column->numbers.data(), cells.size());
  } else {
    column->codes.resize(rows);
    ok = r.Raw(column->codes.data(), cells.size());
  }
  if (!ok || !CellsAreValid(*column))
    return Damaged(absl::StrCat("impossible cells in column \"", column->name, "\""));
  return absl::OkStatus();
}

// Padding has no CRC of its own; a reader that let it pass would take a damaged file for a whole
// one.
bool IsZeros(absl::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

// Reads all columns; `position` is the end of the header's CRC.
absl::Status DecodeColumns(absl::string_view bytes, size_t position,
                           const std::vector<CellRange>& ranges, Table* table) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    Column& column = table->columns[i];
    const CellRange& range = ranges[i];
    const size_t begin = AlignUp(position);
    const bool fits = range.offset == begin &&
                      range.size_bytes == CellBytesOf(column.type, table->rows) &&
                      begin <= bytes.size() && range.size_bytes <= bytes.size() - begin;
    if (!fits)
      return Damaged(
          absl::StrCat("the cells of column \"", column.name, "\" are not where they should be"));
    if (!IsZeros(bytes.substr(position, begin - position))) return Damaged("padding is not zero");
    const absl::string_view cells = bytes.substr(begin, range.size_bytes);
    if (crc32c::Value(cells) != range.crc)
      return Damaged(absl::StrCat("checksum of column \"", column.name, "\""));
    TY_RETURN_IF_ERROR(ReadCells(cells, table->rows, &column));
    position = begin + range.size_bytes;
  }
  if (position != bytes.size()) return Damaged("bytes after the last column");
  return absl::OkStatus();
}

}  // namespace

std::string EncodeTable(const Table& table) {
  // The header's size does not depend on the ranges, so a first one tells where the cells start.
  std::vector<CellRange> ranges(table.columns.size());
  size_t position = AlignUp(kPreambleBytes + EncodeHeader(table, ranges).size() + kCrcBytes);
  for (size_t i = 0; i < ranges.size(); ++i) {
    const absl::string_view cells = CellBytes(table.columns[i]);
    ranges[i] = {AlignUp(position), cells.size(), crc32c::Value(cells)};
    position = ranges[i].offset + cells.size();
  }
  const std::string header = EncodeHeader(table, ranges);
  ByteWriter w;
  w.Raw(kMagic.data(), kMagic.size());
  w.U32(kVersion);
  w.U64(header.size());
  w.Raw(header.data(), header.size());
  w.U32(crc32c::Value(header));
  std::string bytes = std::move(w).Take();
  bytes.reserve(position);
  for (const Column& column : table.columns) {
    PadToAlignment(&bytes);
    const absl::string_view cells = CellBytes(column);
    bytes.append(cells.data(), cells.size());
  }
  return bytes;
}

absl::StatusOr<Table> DecodeTable(absl::string_view bytes) {
  ByteReader r(bytes);
  std::string magic(kMagic.size(), '\0');
  uint32_t version = 0;
  uint64_t header_size = 0;
  if (!r.Raw(magic.data(), magic.size()) || magic != kMagic)
    return Damaged("it does not start with TYTABLE1");
  if (!r.U32(&version) || version == 0) return Damaged("no version");
  if (version > kVersion) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat("table file has version ", version, "; this build reads up to ", kVersion),
        {.reason = ErrorReason::kInvalidState, .hint = "use the newer build that wrote it"});
  }
  if (!r.U64(&header_size) || header_size > r.remaining()) return Damaged("the header ends early");
  const absl::string_view header = bytes.substr(kPreambleBytes, header_size);
  const size_t header_end = kPreambleBytes + header.size() + kCrcBytes;
  uint32_t crc = 0;
  ByteReader after_header(bytes.substr(kPreambleBytes + header.size()));
  if (!after_header.U32(&crc) || crc != crc32c::Value(header))
    return Damaged("checksum of the header");
  std::vector<CellRange> ranges;
  TY_ASSIGN_OR_RETURN(Table table, DecodeHeader(header, &ranges));
  TY_RETURN_IF_ERROR(DecodeColumns(bytes, header_end, ranges, &table));
  return table;
}

}  // namespace trainyard
