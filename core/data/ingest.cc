#include "core/data/ingest.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/csv_ingest.h"
#include "core/data/decompressing_source.h"
#include "core/data/idx_reader.h"
#include "core/data/npy_reader.h"
#include "core/data/npz_reader.h"
#include "core/data/row_sink.h"
#include "core/data/svmlight_reader.h"

namespace trainyard {
namespace {

constexpr absl::string_view kLabelName = "label";

// Gives rows of numbers to a TableWriter that it makes when it knows the columns.
class WriterSink : public RowSink {
 public:
  explicit WriterSink(const TableWriter::Options& options) : options_(options) {}

  absl::Status Begin(const std::vector<std::string>& names) override {
    std::vector<TableWriter::ColumnPlan> plans;
    for (const std::string& name : names) plans.push_back({name, ColumnType::kNumeric});
    writer_.emplace(std::move(plans), options_);
    return absl::OkStatus();
  }

  absl::Status AddRows(std::span<const double> values) override {
    return writer_->AddNumberRows(values);
  }

  // REQUIRES: the reader ended without an error.
  TableWriter Take() && { return *std::move(writer_); }

 private:
  const TableWriter::Options options_;
  std::optional<TableWriter> writer_;
};

// A kind that says more than the cells do about how they are to be read.
std::optional<ColumnType> TypeOf(ColumnKind kind) {
  if (kind == ColumnKind::kNumeric || kind == ColumnKind::kIntegerCategory) {
    return ColumnType::kNumeric;
  }
  if (kind == ColumnKind::kFreeText) return ColumnType::kText;
  return std::nullopt;
}

bool IsOf(const ColumnOverride& given, const std::string& name, size_t index) {
  return given.index >= 0 ? given.index == static_cast<int64_t>(index) : given.name == name;
}

CsvIngestOptions::GivenTypes GivenTypes(const std::vector<ColumnOverride>& overrides,
                                        const std::vector<std::string>& names) {
  CsvIngestOptions::GivenTypes types(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    for (const ColumnOverride& given : overrides) {
      if (IsOf(given, names[i], i)) types[i] = TypeOf(given.kind);
    }
  }
  return types;
}

absl::StatusOr<TableWriter> ReadCsvRows(ByteSource& source, const IngestOptions& options,
                                        IngestResult* result) {
  CsvIngestOptions csv{.csv = options.csv, .writer = options.writer};
  csv.on_rejected = options.on_rejected;
  csv.give_types = [&options](const std::vector<std::string>& names) {
    return GivenTypes(options.overrides, names);
  };
  TY_ASSIGN_OR_RETURN(CsvIngestResult read, ReadCsv(source, csv));
  result->csv = std::move(read.csv);
  result->rejected_row_count = read.rejected_row_count;
  result->rejected_cells = std::move(read.rejected_cells);
  return std::move(read.writer);
}

absl::StatusOr<TableWriter> ReadNumberRows(ByteSource& source, const IngestOptions& options,
                                           FileFormat format) {
  WriterSink sink(options.writer);
  absl::Status read;
  switch (format) {
    case FileFormat::kNpy:
      read = ReadNpy(source, sink);
      break;
    case FileFormat::kNpz:
      read = ReadNpz(source, {.arrays = options.npz_arrays}, sink);
      break;
    case FileFormat::kIdx:
      read = ReadIdx(source, sink);
      break;
    case FileFormat::kSvmlight:
      read = ReadSvmlight(source, sink);
      break;
    case FileFormat::kCsv:
    case FileFormat::kUnspecified:
      read = absl::InternalError("not a format of numbers");
      break;
  }
  TY_RETURN_IF_ERROR(read);
  return std::move(sink).Take();
}

absl::Status GiveKinds(const std::vector<ColumnOverride>& overrides, TableWriter* writer) {
  if (overrides.empty()) return absl::OkStatus();
  std::vector<ColumnTypeOf> columns;
  for (const TableWriter::ColumnPlan& plan : writer->plans()) {
    columns.push_back({plan.name, plan.type});
  }
  TY_ASSIGN_OR_RETURN(const std::vector<ColumnKind> kinds, ResolveOverrides(columns, overrides));
  writer->GiveKinds(kinds);
  return absl::OkStatus();
}

bool HasColumn(const TableWriter& writer, const std::string& name) {
  for (const TableWriter::ColumnPlan& plan : writer.plans()) {
    if (plan.name == name) return true;
  }
  return false;
}

absl::Status AddLabels(const Table& labels, TableWriter* writer) {
  const bool renames = labels.columns.size() == 1 && HasColumn(*writer, labels.columns[0].name);
  if (!renames) return writer->AddColumns(labels);
  Table renamed = labels;
  renamed.columns[0].name = std::string(kLabelName);
  return writer->AddColumns(renamed);
}

absl::Status CheckArrays(const IngestOptions& options, FileFormat format) {
  if (options.npz_arrays.empty() || format == FileFormat::kNpz) return absl::OkStatus();
  return MakeViolationsError(
      ErrorReason::kInvalidRequest,
      {{"npz_arrays", absl::StrCat("is for npz files, and this one is ", FormatName(format),
                                   "; leave it out")}});
}

}  // namespace

absl::StatusOr<IngestResult> IngestTable(ByteSource& source, const IngestOptions& options,
                                         const TableWriter::AppendBytes& append) {
  IngestResult result;
  TY_ASSIGN_OR_RETURN(std::string head, ReadHead(source, kFormatHeadBytes));
  result.compression = DetectCompression(head);
  DecompressingSource plain(source, result.compression);
  TY_RETURN_IF_ERROR(plain.Rewind());
  TY_ASSIGN_OR_RETURN(head, ReadHead(plain, kFormatHeadBytes));
  TY_RETURN_IF_ERROR(plain.Rewind());
  const bool detects = options.format == FileFormat::kUnspecified;
  result.format = detects ? DetectFormat(head) : options.format;
  TY_RETURN_IF_ERROR(CheckArrays(options, result.format));
  // CSV is also what is taken for granted where nothing is recognised.
  if (result.format == FileFormat::kCsv) TY_RETURN_IF_ERROR(CheckFormatKnown(head));
  TY_ASSIGN_OR_RETURN(TableWriter writer, result.format == FileFormat::kCsv
                                              ? ReadCsvRows(plain, options, &result)
                                              : ReadNumberRows(plain, options, result.format));
  TY_RETURN_IF_ERROR(GiveKinds(options.overrides, &writer));
  if (options.labels != nullptr) TY_RETURN_IF_ERROR(AddLabels(*options.labels, &writer));
  TY_ASSIGN_OR_RETURN(result.table, append ? std::move(writer).FinishTo(append)
                                           : std::move(writer).Finish());
  return result;
}

}  // namespace trainyard
