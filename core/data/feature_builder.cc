#include "core/data/feature_builder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/spill_file.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

// Rows gathered at once: 8 doubles are one cache line of a column.
constexpr size_t kGatherRows = 8;
// Written to a spill file at once: 4 MiB.
constexpr size_t kSpillPieceFloats = size_t{1} << 20;

// `"Rome"`, or nothing where the cell is missing.
std::string QuotedCell(const Column& column, int64_t row) {
  if (column.type == ColumnType::kText) {
    const int32_t code = column.codes[row];
    return code < 0 ? "" : absl::StrCat("\"", column.categories[code], "\" ");
  }
  const double number = column.numbers[row];
  return std::isnan(number) ? "" : absl::StrCat(NumberText(number), " ");
}

absl::string_view HintOf(const ColumnTransform& transform, double raw) {
  if (std::isnan(raw)) return "fill the cell, or train with imputation";
  if (transform.encoding == Encoding::kNumber)
    return "standardize the features, or rescale the column";
  return "mend the cell, or train with unseen zeros or other";
}

}  // namespace

FeatureBuilder::FeatureBuilder(std::span<const Column* const> columns,
                               const Preprocessor& preprocessor)
    : columns_(columns.begin(), columns.end()), preprocessor_(preprocessor) {
  TY_CHECK(preprocessor.column_count() == static_cast<int64_t>(columns.size()));
  raw_of_code_.resize(columns_.size());
  for (size_t c = 0; c < columns_.size(); ++c) {
    const Column& column = *columns_[c];
    const bool text = column.type == ColumnType::kText;
    is_plain_.push_back(!text && preprocessor_.transforms()[c].encoding == Encoding::kNumber);
    if (!text) continue;
    for (const std::string& category : column.categories)
      raw_of_code_[c].push_back(preprocessor_.RawOfText(static_cast<int64_t>(c), category));
  }
}

void FeatureBuilder::Gather(size_t column, std::span<const int64_t> rows, double* raw) const {
  const size_t width = columns_.size();
  const Column& cells = *columns_[column];
  if (is_plain_[column]) {
    const double* const numbers = cells.numbers.data();
    for (size_t r = 0; r < rows.size(); ++r) raw[r * width] = numbers[rows[r]];
  } else if (cells.type == ColumnType::kText) {
    const double* const raw_of_code = raw_of_code_[column].data();
    for (size_t r = 0; r < rows.size(); ++r) {
      const int32_t code = cells.codes[rows[r]];
      raw[r * width] = code < 0 ? Column::kMissingNumber : raw_of_code[code];
    }
  } else {
    for (size_t r = 0; r < rows.size(); ++r) {
      raw[r * width] =
          preprocessor_.RawOfNumber(static_cast<int64_t>(column), cells.numbers[rows[r]]);
    }
  }
}

absl::StatusOr<Matrix> FeatureBuilder::Build(std::span<const int64_t> rows,
                                             const FeatureMemory& memory) const {
  const auto row_count = static_cast<int64_t>(rows.size());
  const int64_t width = preprocessor_.feature_count();
  const int64_t size_bytes = row_count * width * static_cast<int64_t>(sizeof(float));
  if (!memory.spill_path.empty() && size_bytes > memory.memory_bytes_max) {
    absl::StatusOr<Matrix> spilled = BuildSpilled(rows, memory.spill_path);
    // A cell that is refused is so in memory, too; a disk that is full is not the end.
    if (spilled.ok() || absl::IsInvalidArgument(spilled.status())) return spilled;
  }
  Matrix features(row_count, width);
  TY_RETURN_IF_ERROR(Fill(rows, features.data()));
  return features;
}

absl::StatusOr<Matrix> FeatureBuilder::BuildSpilled(std::span<const int64_t> rows,
                                                    const std::string& path) const {
  const auto width = static_cast<size_t>(preprocessor_.feature_count());
  const size_t piece_rows = kSpillPieceFloats / width + 1;
  std::vector<float> piece(piece_rows * width);  // [piece_rows, width]
  TY_ASSIGN_OR_RETURN(SpillFile spill, SpillFile::Create(path));
  for (size_t begin = 0; begin < rows.size(); begin += piece_rows) {
    const std::span<const int64_t> part =
        rows.subspan(begin, std::min(piece_rows, rows.size() - begin));
    TY_RETURN_IF_ERROR(Fill(part, piece.data()));
    TY_RETURN_IF_ERROR(spill.Append(
        {reinterpret_cast<const char*>(piece.data()), part.size() * width * sizeof(float)}));
  }
  TY_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, spill.Map());
  const auto* const numbers = reinterpret_cast<const float*>(file->bytes().data());
  return Matrix::View(static_cast<int64_t>(rows.size()), static_cast<int64_t>(width), numbers,
                      std::move(file));
}

absl::Status FeatureBuilder::Fill(std::span<const int64_t> rows, float* out) const {
  const size_t width = columns_.size();
  const auto feature_count = static_cast<size_t>(preprocessor_.feature_count());
  std::vector<double> raw(kGatherRows * width);  // [kGatherRows, width]
  for (size_t begin = 0; begin < rows.size(); begin += kGatherRows) {
    const std::span<const int64_t> gathered =
        rows.subspan(begin, std::min(kGatherRows, rows.size() - begin));
    for (size_t c = 0; c < width; ++c) Gather(c, gathered, raw.data() + c);
    for (size_t r = 0; r < gathered.size(); ++r) {
      const std::span<const double> raw_row(raw.data() + r * width, width);
      const std::span<float> features(out + (begin + r) * feature_count, feature_count);
      preprocessor_.Apply(raw_row, features);
      const bool finite =
          std::all_of(features.begin(), features.end(), [](float x) { return std::isfinite(x); });
      if (!finite) return RowError(gathered[r], raw_row);
    }
  }
  return absl::OkStatus();
}

absl::Status FeatureBuilder::RowError(int64_t row, std::span<const double> raw) const {
  size_t bad = 0;
  std::string fault;
  for (size_t c = 0; c < raw.size() && fault.empty(); ++c) {
    fault = preprocessor_.FaultOf(static_cast<int64_t>(c), raw[c]);
    bad = c;
  }
  const Column& column = *columns_[bad];
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("row ", row, ", column \"", column.name, "\": the value ",
                                QuotedCell(column, row), fault),
                   {.reason = ErrorReason::kInvalidRequest,
                    .hint = std::string(HintOf(preprocessor_.transforms()[bad], raw[bad]))});
}

absl::StatusOr<Matrix> BuildFeatures(std::span<const Column* const> columns,
                                     std::span<const int64_t> rows,
                                     const Preprocessor& preprocessor,
                                     const FeatureMemory& memory) {
  return FeatureBuilder(columns, preprocessor).Build(rows, memory);
}

}  // namespace trainyard
