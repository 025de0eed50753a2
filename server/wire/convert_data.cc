// The part of convert.h that is about datasets: tables, columns and how files are read.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/wire/convert.h"
#include "server/wire/enum_cast.h"
#include "server/wire/unknown_fields.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr int kMissingMarkersMax = 100;

void ColumnToProto(const Column& column, v1::Column* proto) {
  const ColumnStats& stats = column.stats;
  proto->set_name(column.name);
  proto->set_type(column.type == ColumnType::kNumeric ? v1::COLUMN_TYPE_NUMERIC
                                                      : v1::COLUMN_TYPE_TEXT);
  proto->set_kind(EnumCast<v1::ColumnKind>(column.kind));
  proto->set_kind_given(column.kind_given);
  proto->set_missing_count(stats.missing_count);
  proto->set_distinct_count(stats.distinct_count);
  for (const auto& [value, count] : stats.top_values) {
    v1::ValueCount* entry = proto->add_top_values();
    entry->set_value(value);
    entry->set_count(count);
  }
  if (column.type != ColumnType::kNumeric) return;
  proto->set_min(stats.min);
  proto->set_max(stats.max);
  proto->set_mean(stats.mean);
  proto->set_standard_deviation(stats.standard_deviation);
  proto->set_integers(stats.integers);
  for (size_t i = 0; i < stats.quantiles.size(); ++i) {
    v1::Quantile* quantile = proto->add_quantiles();
    quantile->set_probability(kQuantileProbabilities.at(i));
    quantile->set_value(stats.quantiles[i]);
  }
}

// The character that a field of one character gives, or `absent` when it is empty. One that is none of
// `allowed` is a fault.
char CharacterOf(const std::string& text, absl::string_view allowed, char absent,
                 const std::string& field, Violations* violations) {
  if (text.empty()) return absent;
  if (text.size() == 1 && allowed.find(text[0]) != absl::string_view::npos) return text[0];
  std::string list;
  for (const char c : allowed) {
    absl::StrAppend(&list, " ", c == '\t' ? "tab" : c == ' ' ? "space" : std::string(1, c));
  }
  violations->push_back(
      {field, absl::StrCat("\"", text.substr(0, 10), "\" cannot be used; give one of", list)});
  return absent;
}

std::vector<std::string> MarkersOf(const v1::CsvOptions& options, Violations* violations) {
  if (options.no_missing_markers() && options.missing_markers_size() > 0) {
    violations->push_back({"csv.no_missing_markers",
                           "is given together with missing_markers; leave one of both out"});
  }
  if (options.missing_markers_size() > kMissingMarkersMax) {
    violations->push_back(
        {"csv.missing_markers", absl::StrCat("are ", options.missing_markers_size(),
                                             "; give at most ", kMissingMarkersMax)});
    return {};
  }
  if (options.no_missing_markers()) return {};
  if (options.missing_markers_size() == 0) return CsvOptions::DefaultMissingMarkers();
  return {options.missing_markers().begin(), options.missing_markers().end()};
}

}  // namespace

Schema SchemaFromProto(const v1::Dataset& dataset) {
  Schema schema;
  schema.rows = dataset.row_count();
  for (const v1::Column& column : dataset.columns()) {
    ColumnInfo info;
    info.name = column.name();
    info.type = column.type() == v1::COLUMN_TYPE_NUMERIC ? ColumnType::kNumeric : ColumnType::kText;
    info.missing_count = column.missing_count();
    info.distinct_count = column.distinct_count();
    info.integers = column.integers();
    info.kind = EnumCast<ColumnKind>(column.kind());
    info.kind_given = column.kind_given();
    if (info.type == ColumnType::kNumeric) {
      info.min = column.min();
      info.max = column.max();
    }
    if (column.distinct_count() == column.top_values_size()) {
      for (const v1::ValueCount& value : column.top_values()) {
        info.values.push_back(value.value());
        info.value_counts.push_back(value.count());
      }
    }
    schema.columns.push_back(std::move(info));
  }
  return schema;
}

void TableToProto(const Table& table, v1::Dataset* dataset) {
  dataset->set_row_count(table.rows);
  dataset->clear_columns();
  for (const Column& column : table.columns) ColumnToProto(column, dataset->add_columns());
}

v1::CsvOptions CsvOptionsToProto(const CsvOptions& options) {
  v1::CsvOptions proto;
  if (options.delimiter != CsvOptions::kDetectCharacter) {
    proto.set_delimiter(std::string(1, options.delimiter));
  }
  proto.set_header(static_cast<v1::CsvOptions::Header>(options.header));
  proto.set_decimal_mark(static_cast<v1::CsvOptions::DecimalMark>(options.decimal_mark));
  proto.set_quote(static_cast<v1::CsvOptions::Quote>(options.quote));
  if (options.comment != CsvOptions::kDetectCharacter &&
      options.comment != CsvOptions::kNoComment) {
    proto.set_comment(std::string(1, options.comment));
  }
  proto.set_bad_rows_max(options.bad_rows_max);
  *proto.mutable_missing_markers() = {options.missing_markers.begin(),
                                      options.missing_markers.end()};
  proto.set_no_missing_markers(options.missing_markers.empty());
  return proto;
}

CsvOptions CsvOptionsFromProto(const v1::CsvOptions& options, Violations* violations) {
  static_assert(static_cast<int>(CsvOptions::Header::kPresent) == v1::CsvOptions::PRESENT &&
                static_cast<int>(CsvOptions::Header::kAbsent) == v1::CsvOptions::ABSENT &&
                static_cast<int>(CsvOptions::DecimalMark::kComma) == v1::CsvOptions::COMMA &&
                static_cast<int>(CsvOptions::Quote::kNone) == v1::CsvOptions::NONE);
  AddUnknowns(options, "csv", violations);
  CsvOptions result;
  result.delimiter = CharacterOf(options.delimiter(), CsvOptions::kDelimiters, result.delimiter,
                                 "csv.delimiter", violations);
  result.comment = CharacterOf(options.comment(), CsvOptions::kComments, result.comment,
                               "csv.comment", violations);
  result.header = EnumCast<CsvOptions::Header>(options.header());
  result.decimal_mark = EnumCast<CsvOptions::DecimalMark>(options.decimal_mark());
  result.quote = EnumCast<CsvOptions::Quote>(options.quote());
  result.missing_markers = MarkersOf(options, violations);
  result.bad_rows_max = options.bad_rows_max();
  if (options.bad_rows_max() < 0 || options.bad_rows_max() > limits::kBadRowsMax) {
    violations->push_back({"csv.bad_rows_max", absl::StrCat("is ", options.bad_rows_max(),
                                                            "; give 0 to ", limits::kBadRowsMax)});
  }
  return result;
}

IngestOptions IngestOptionsFromProto(const v1::FinalizeDatasetRequest& request,
                                     Violations* violations) {
  IngestOptions options;
  options.csv = CsvOptionsFromProto(request.csv(), violations);
  if (!v1::FileFormat_IsValid(request.format())) {
    violations->push_back({"format", absl::StrCat("value ", static_cast<int>(request.format()),
                                                  " is not known to this server")});
  }
  options.format = EnumCast<FileFormat>(request.format());
  for (const v1::ColumnOverride& given : request.column_overrides()) {
    AddUnknowns(given, absl::StrCat("column_overrides[", options.overrides.size(), "]"),
                violations);
    ColumnOverride& column = options.overrides.emplace_back();
    column.name = given.name();
    if (given.has_index()) column.index = given.index();
    column.kind = EnumCast<ColumnKind>(given.kind());
  }
  options.npz_arrays = {request.npz_arrays().begin(), request.npz_arrays().end()};
  return options;
}

void IngestResultToProto(const IngestResult& result, v1::Dataset* dataset) {
  dataset->set_format(EnumCast<v1::FileFormat>(result.format));
  dataset->set_compression(EnumCast<v1::Compression>(result.compression));
  if (result.format == FileFormat::kCsv) {
    *dataset->mutable_csv() = CsvOptionsToProto(result.csv);
  }
  TableToProto(result.table, dataset);
  dataset->set_rejected_row_count(result.rejected_row_count);
  for (const RejectedCell& cell : result.rejected_cells) {
    *dataset->add_rejected_cells() = RejectedCellToProto(cell);
  }
}

void WarningsToProto(const std::vector<TableWarning>& warnings, v1::Dataset* dataset) {
  for (const TableWarning& warning : warnings) {
    v1::DatasetWarning* proto = dataset->add_warnings();
    proto->set_code(EnumCast<v1::DatasetWarning::Code>(warning.code));
    proto->set_column(warning.column);
    proto->set_message(warning.message);
  }
}

v1::RejectedCell RejectedCellToProto(const RejectedCell& cell) {
  v1::RejectedCell proto;
  proto.set_line(cell.line);
  proto.set_column(cell.column);
  proto.set_byte_offset(cell.byte_offset);
  proto.set_expected(cell.expected);
  proto.set_actual(cell.actual);
  return proto;
}

}  // namespace trainyard
