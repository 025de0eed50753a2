#include "core/data/table_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/mapped_file.h"
#include "core/base/status_macros.h"
#include "core/data/column_kind.h"
#include "core/data/column_stats.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMagic = "TYTABLE2";
constexpr absl::string_view kMagicOne = "TYTABLE1";
constexpr uint32_t kVersion = 2;
constexpr size_t kVersionBytes = 4;
constexpr size_t kSizeBytes = 8;
constexpr size_t kCrcBytes = 4;
constexpr size_t kPreambleOneBytes = 8 + kVersionBytes + kSizeBytes;
constexpr size_t kTrailerBytes = kSizeBytes + kCrcBytes + 8;
constexpr size_t kAlignment = 64;  // also the size of the preamble
constexpr size_t kPieceBytes = size_t{1} << 20;

// Where a column's cells stand in the file.
struct CellRange {
  uint64_t offset = 0;
  uint64_t size_bytes = 0;
  uint32_t crc = 0;
};

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
  w->U32(static_cast<uint32_t>(stats.quantiles.size()));
  for (const double quantile : stats.quantiles) w->F64(quantile);
  w->U32(static_cast<uint32_t>(stats.top_values.size()));
  for (const auto& [value, count] : stats.top_values) {
    w->String(value);
    w->I64(count);
  }
}

void WriteColumnHeader(const Column& column, const CellRange& range, ByteWriter* w) {
  w->String(column.name);
  w->U8(static_cast<uint8_t>(column.type));
  w->U8(static_cast<uint8_t>(column.kind));
  w->U8(column.kind_given ? 1 : 0);
  WriteStats(column.stats, w);
  w->U32(static_cast<uint32_t>(column.categories.size()));
  for (const std::string& category : column.categories) w->String(category);
  w->U64(range.offset);
  w->U64(range.size_bytes);
  w->U32(range.crc);
}

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

bool ReadQuantiles(ByteReader* r, ColumnStats* stats) {
  uint32_t count = 0;
  if (!r->U32(&count) || (count != 0 && count != kQuantileProbabilities.size())) return false;
  stats->quantiles.resize(count);
  return r->Raw(stats->quantiles.data(), count * sizeof(double));
}

bool ReadStats(ByteReader* r, uint32_t version, ColumnStats* stats) {
  uint32_t top_count = 0;
  const bool ok = r->I64(&stats->missing_count) && r->I64(&stats->distinct_count) &&
                  r->F64(&stats->min) && r->F64(&stats->max) && r->F64(&stats->mean) &&
                  r->F64(&stats->standard_deviation) && ReadFlag(r, &stats->integers) &&
                  (version == 1 || ReadQuantiles(r, stats)) && r->U32(&top_count) &&
                  top_count <= limits::kTopValuesMax;
  if (!ok) return false;
  stats->top_values.resize(top_count);
  for (auto& [value, count] : stats->top_values) {
    if (!r->String(&value, limits::kFieldBytesMax) || !r->I64(&count)) return false;
  }
  return true;
}

// Sorted and different, as TableWriter makes them.
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

bool ReadKind(ByteReader* r, Column* column) {
  uint8_t kind = 0;
  if (!r->U8(&kind) || kind > static_cast<uint8_t>(ColumnKind::kFreeText)) return false;
  column->kind = static_cast<ColumnKind>(kind);
  return ReadFlag(r, &column->kind_given);
}

bool ReadColumnHeader(ByteReader* r, uint32_t version, Column* column, CellRange* range) {
  uint8_t type = 0;
  if (!r->String(&column->name, limits::kColumnNameBytesMax) || !r->U8(&type)) return false;
  column->type = static_cast<ColumnType>(type);
  if (column->type != ColumnType::kNumeric && column->type != ColumnType::kText) return false;
  return (version == 1 || ReadKind(r, column)) && ReadStats(r, version, &column->stats) &&
         ReadCategories(r, column) && r->U64(&range->offset) && r->U64(&range->size_bytes) &&
         r->U32(&range->crc);
}

absl::StatusOr<Table> DecodeHeader(absl::string_view header, uint32_t version,
                                   std::vector<CellRange>* ranges) {
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
    if (!ReadColumnHeader(&r, version, &column, &ranges->emplace_back())) {
      return Damaged(absl::StrCat("the header of column ", i, " cannot be read"));
    }
    if (!names.insert(column.name).second) return Damaged("two columns of one name");
    table.columns.push_back(std::move(column));
  }
  if (!r.done()) return Damaged("bytes after the last column's header");
  return table;
}

// No early end, so that it is a loop over whole registers.
bool CodesAreValid(std::span<const int32_t> codes, size_t category_count) {
  int32_t lowest = Column::kMissingCode;
  int32_t highest = Column::kMissingCode;
  for (const int32_t code : codes) {
    lowest = std::min(lowest, code);
    highest = std::max(highest, code);
  }
  return lowest == Column::kMissingCode && highest < static_cast<int64_t>(category_count);
}

bool NumbersAreValid(std::span<const double> numbers) {
  uint64_t infinities = 0;
  for (const double number : numbers) {
    const auto bits = std::bit_cast<uint64_t>(number);
    infinities |= bits << 1 == uint64_t{0x7ff} << 53 ? 1 : 0;
  }
  return infinities == 0;
}

bool CellsAreValid(const Column& column) {
  return CodesAreValid(column.codes, column.categories.size()) && NumbersAreValid(column.numbers);
}

// Cells of type T: a view of `cells` that keeps `owner` alive, or a copy when that is null.
template <typename T>
Cells<T> CellsOf(absl::string_view cells, const std::shared_ptr<const void>& owner) {
  const size_t count = cells.size() / sizeof(T);
  if (owner != nullptr)
    return Cells<T>::View({reinterpret_cast<const T*>(cells.data()), count}, owner);
  std::vector<T> copy(count);
  if (count > 0) std::memcpy(copy.data(), cells.data(), cells.size());
  return copy;
}

// Padding has no CRC of its own; a reader that let it pass would take a damaged file for a whole
// one.
bool IsZeros(absl::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

// What the cells of a file are read from, and into what.
struct CellSource {
  absl::string_view bytes;  // of the file, up to the end of the last column
  size_t position = 0;      // where the first column's padding starts
  bool check = true;
  std::shared_ptr<const void> owner;  // null: copy
};

absl::Status DecodeColumn(const CellSource& source, const CellRange& range, int64_t rows,
                          Column* column) {
  const auto what = [&] { return absl::StrCat("column \"", column->name, "\""); };
  const absl::string_view bytes = source.bytes;
  const size_t begin = AlignUp(source.position, kAlignment);
  const bool fits = range.offset == begin && range.size_bytes == CellBytesOf(column->type, rows) &&
                    begin <= bytes.size() && range.size_bytes <= bytes.size() - begin;
  if (!fits) return Damaged(absl::StrCat("the cells of ", what(), " are not where they should be"));
  if (!IsZeros(bytes.substr(source.position, begin - source.position)))
    return Damaged("padding is not zero");
  const absl::string_view cells = bytes.substr(begin, range.size_bytes);
  if (source.check && crc32c::Value(cells) != range.crc)
    return Damaged(absl::StrCat("checksum of ", what()));
  if (column->type == ColumnType::kNumeric) {
    column->numbers = CellsOf<double>(cells, source.owner);
  } else {
    column->codes = CellsOf<int32_t>(cells, source.owner);
  }
  if (source.check && !CellsAreValid(*column))
    return Damaged(absl::StrCat("impossible cells in ", what()));
  return absl::OkStatus();
}

absl::Status DecodeColumns(CellSource source, const std::vector<CellRange>& ranges, Table* table) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    TY_RETURN_IF_ERROR(DecodeColumn(source, ranges[i], table->rows, &table->columns[i]));
    source.position = ranges[i].offset + ranges[i].size_bytes;
  }
  if (source.position != source.bytes.size()) return Damaged("bytes after the last column");
  return absl::OkStatus();
}

absl::Status CheckVersion(uint32_t version, uint32_t expected) {
  if (version == expected) return absl::OkStatus();
  if (version < kVersion) return Damaged("its version is not that of its first bytes");
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("table file has version ", version, "; this build reads up to ", kVersion),
      {.reason = ErrorReason::kInvalidState, .hint = "use the newer build that wrote it"});
}

// What version 1 did not have, and what it counted less exactly.
void FillIn(Table* table) {
  StatsComputer computer;
  for (Column& column : table->columns) {
    column.stats = computer.Compute(column);
    column.kind = InferKind(column, table->rows);
  }
}

absl::StatusOr<Table> DecodeOne(absl::string_view bytes) {
  ByteReader r(bytes.substr(kMagicOne.size()));
  uint32_t version = 0;
  uint64_t header_size = 0;
  if (!r.U32(&version)) return Damaged("no version");
  TY_RETURN_IF_ERROR(CheckVersion(version, 1));
  if (!r.U64(&header_size) || header_size > r.remaining()) return Damaged("the header ends early");
  const absl::string_view header = bytes.substr(kPreambleOneBytes, header_size);
  uint32_t crc = 0;
  ByteReader after_header(bytes.substr(kPreambleOneBytes + header.size()));
  if (!after_header.U32(&crc) || crc != crc32c::Value(header))
    return Damaged("checksum of the header");
  std::vector<CellRange> ranges;
  TY_ASSIGN_OR_RETURN(Table table, DecodeHeader(header, 1, &ranges));
  const CellSource source{.bytes = bytes,
                          .position = kPreambleOneBytes + header.size() + kCrcBytes};
  TY_RETURN_IF_ERROR(DecodeColumns(source, ranges, &table));
  FillIn(&table);
  return table;
}

// The header, its bounds in the file and its CRC checked.
absl::StatusOr<absl::string_view> FindHeader(absl::string_view bytes) {
  ByteReader preamble(bytes.substr(kMagic.size()));
  uint32_t version = 0;
  if (!preamble.U32(&version)) return Damaged("no version");
  TY_RETURN_IF_ERROR(CheckVersion(version, kVersion));
  if (bytes.size() < kAlignment + kTrailerBytes) return Damaged("it ends early");
  const size_t version_end = kMagic.size() + kVersionBytes;
  if (!IsZeros(bytes.substr(version_end, kAlignment - version_end)))
    return Damaged("padding is not zero");
  const absl::string_view trailer = bytes.substr(bytes.size() - kTrailerBytes);
  if (trailer.substr(kSizeBytes + kCrcBytes) != kMagic) return Damaged("it ends early");
  ByteReader r(trailer);
  uint64_t header_size = 0;
  uint32_t crc = 0;
  const size_t size_max = bytes.size() - kAlignment - kTrailerBytes;
  if (!r.U64(&header_size) || !r.U32(&crc) || header_size > size_max)
    return Damaged("the size of the header");
  const size_t begin = bytes.size() - kTrailerBytes - static_cast<size_t>(header_size);
  const absl::string_view header = bytes.substr(begin, static_cast<size_t>(header_size));
  if (crc != crc32c::Value(header)) return Damaged("checksum of the header");
  return header;
}

absl::StatusOr<Table> DecodeTwo(absl::string_view bytes, bool check_cells,
                                std::shared_ptr<const void> owner) {
  TY_ASSIGN_OR_RETURN(const absl::string_view header, FindHeader(bytes));
  std::vector<CellRange> ranges;
  TY_ASSIGN_OR_RETURN(Table table, DecodeHeader(header, kVersion, &ranges));
  const size_t cells_end = bytes.size() - kTrailerBytes - header.size();
  CellSource source{.bytes = bytes.substr(0, cells_end), .position = kAlignment};
  source.check = check_cells;
  source.owner = std::move(owner);
  TY_RETURN_IF_ERROR(DecodeColumns(std::move(source), ranges, &table));
  return table;
}

}  // namespace

TableFileWriter::TableFileWriter(AppendBytes append) : append_(std::move(append)) {}

absl::Status TableFileWriter::Append(absl::string_view bytes) {
  position_ += bytes.size();
  return append_(bytes);
}

absl::Status TableFileWriter::AppendZerosTo(uint64_t position) {
  const std::string zeros(position - position_, '\0');
  return zeros.empty() ? absl::OkStatus() : Append(zeros);
}

absl::Status TableFileWriter::AddColumn(const Column& column) {
  if (position_ == 0) TY_RETURN_IF_ERROR(AppendPreamble());
  TY_RETURN_IF_ERROR(AppendZerosTo(AlignUp(position_, kAlignment)));
  const absl::string_view cells = column.cell_bytes();
  CellRange range{.offset = position_, .size_bytes = cells.size()};
  for (size_t i = 0; i < cells.size(); i += kPieceBytes) {
    const absl::string_view piece = cells.substr(i, kPieceBytes);
    range.crc = crc32c::Extend(range.crc, piece);
    TY_RETURN_IF_ERROR(Append(piece));
  }
  ByteWriter header;
  WriteColumnHeader(column, range, &header);
  column_headers_.push_back(std::move(header).Take());
  column_headers_.back().shrink_to_fit();
  return absl::OkStatus();
}

absl::Status TableFileWriter::AppendPreamble() {
  ByteWriter preamble;
  preamble.Raw(kMagic.data(), kMagic.size());
  preamble.U32(kVersion);
  TY_RETURN_IF_ERROR(Append(preamble.bytes()));
  return AppendZerosTo(kAlignment);
}

absl::Status TableFileWriter::Finish(int64_t rows) {
  if (position_ == 0) TY_RETURN_IF_ERROR(AppendPreamble());
  ByteWriter start;
  start.I64(rows);
  start.U32(static_cast<uint32_t>(column_headers_.size()));
  TY_RETURN_IF_ERROR(Append(start.bytes()));
  uint64_t header_bytes = start.size_bytes();
  uint32_t crc = crc32c::Value(start.bytes());
  for (const std::string& header : column_headers_) {
    TY_RETURN_IF_ERROR(Append(header));
    header_bytes += header.size();
    crc = crc32c::Extend(crc, header);
  }
  ByteWriter trailer;
  trailer.U64(header_bytes);
  trailer.U32(crc);
  trailer.Raw(kMagic.data(), kMagic.size());
  return Append(trailer.bytes());
}

std::string EncodeTable(const Table& table) {
  std::string bytes;
  TableFileWriter file([&](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  for (const Column& column : table.columns) TY_CHECK(file.AddColumn(column).ok());
  TY_CHECK(file.Finish(table.rows).ok());
  return bytes;
}

absl::StatusOr<Table> DecodeTable(absl::string_view bytes) {
  const absl::string_view magic = bytes.substr(0, kMagic.size());
  if (magic == kMagicOne) return DecodeOne(bytes);
  if (magic == kMagic) return DecodeTwo(bytes, /*check_cells=*/true, nullptr);
  return Damaged(absl::StrCat("it does not start with ", kMagic));
}

absl::StatusOr<Table> OpenTable(std::shared_ptr<const MappedFile> file,
                                const OpenTableOptions& options) {
  const absl::string_view bytes = file->bytes();
  return bytes.substr(0, kMagic.size()) == kMagic ? DecodeTwo(bytes, options.check_cells, file)
                                                  : DecodeTable(bytes);
}

absl::StatusOr<Table> OpenTable(const std::string& path, const OpenTableOptions& options) {
  TY_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  absl::StatusOr<Table> table = OpenTable(std::move(file), options);
  if (!table.ok()) return Annotate(table.status(), absl::StrCat("\"", path, "\""));
  return table;
}

}  // namespace trainyard
