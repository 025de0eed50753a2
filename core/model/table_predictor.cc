#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/csv_dialect.h"
#include "core/data/csv_header.h"
#include "core/data/csv_writer.h"
#include "core/data/number.h"
#include "core/data/rejected_cell.h"
#include "core/data/utf8.h"
#include "core/model/predictor.h"

namespace trainyard {
namespace {

// Rows collected before they are predicted, at most; the end of a chunk sends fewer.
constexpr int64_t kRowsPerBatchMax = 256;
// A piece of the answer ends with the batch that makes it so long.
constexpr size_t kPieceBytes = size_t{1} << 20;
// A number in text, with its comma.
constexpr int64_t kNumberBytesMax = 25;
// As many as tell every float, or every double, from the next.
constexpr int kFloatDigits = 9;
constexpr int kDoubleDigits = 17;

// A value has the digits of the float that the network gave, which float32 could not hold once a
// large offset is added.
std::string ValueText(const LossConfig& loss, double value) {
  const double digits_lost = std::log10(1 + std::fabs(value) / loss.target_scale);
  if (loss.target_offset == 0 || digits_lost < 1) return NumberText(static_cast<float>(value));
  const int digits = std::min(kFloatDigits + static_cast<int>(digits_lost), kDoubleDigits);
  char text[32];
  const auto written =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::general, digits);
  return NumberText(ParseNumber({text, static_cast<size_t>(written.ptr - text)}).value_or(value));
}

// So many rows that their answer is not much longer than a piece, however many classes there are.
int64_t RowsPerBatch(const Bundle& bundle, int64_t hidden_layer) {
  const int64_t numbers = hidden_layer == 0 ? static_cast<int64_t>(bundle.classes.size()) + 1
                                            : bundle.weights[hidden_layer - 1].out;
  const int64_t rows = static_cast<int64_t>(kPieceBytes) / (kNumberBytesMax * numbers);
  return std::clamp<int64_t>(rows, 1, kRowsPerBatchMax);
}

// The markers are the model's unless the caller names others.
Preprocessor PreprocessorFor(const Preprocessor& preprocessor, const CsvOptions& options) {
  const bool named = options.missing_markers != CsvOptions::DefaultMissingMarkers();
  return named ? preprocessor.WithMissingMarkers(options.missing_markers) : preprocessor;
}

}  // namespace

class TablePredictor::Impl {
 public:
  Impl(const Predictor& predictor, const CsvOptions& options, int64_t hidden_layer)
      : predictor_(predictor),
        preprocessor_(PreprocessorFor(predictor.bundle().preprocessor, options)),
        hidden_layer_(hidden_layer),
        rows_per_batch_(RowsPerBatch(predictor.bundle(), hidden_layer)),
        options_(options),
        reader_(options),
        status_(CheckCsvOptions(options)) {}

  void Append(absl::string_view bytes) { reader_.Append(bytes); }

  void Finish() {
    reader_.FinishInput();
    finished_ = true;
  }

  absl::StatusOr<std::string> Take() {
    TY_RETURN_IF_ERROR(status_);
    std::string out;
    status_ = Drain(&out);
    if (status_.ok() && finished_ && columns_.empty()) status_ = NoRecords();
    // What is wrong later in the input is told by the next call when there are rows to give out.
    if (!status_.ok() && out.empty()) return status_;
    return out;
  }

  int64_t rows_done() const { return rows_done_; }
  const std::vector<std::string>& ignored_columns() const { return ignored_columns_; }

 private:
  // What can be read now, up to a piece; the rows before a bad one go out all the same.
  absl::Status Drain(std::string* out) {
    const absl::Status read = ReadRecords(out);
    const absl::Status flushed = Flush(out);
    return flushed.ok() ? read : flushed;
  }

  absl::Status ReadRecords(std::string* out) {
    while (out->size() < kPieceBytes) {
      TY_ASSIGN_OR_RETURN(const bool more, reader_.Next(&record_));
      if (!more) return absl::OkStatus();
      if (columns_.empty()) {
        TY_RETURN_IF_ERROR(ReadFirst(out));
        if (options_.header == CsvOptions::Header::kPresent) continue;
      }
      TY_RETURN_IF_ERROR(AddRow());
      if (row_count_ == rows_per_batch_) TY_RETURN_IF_ERROR(Flush(out));
    }
    return absl::OkStatus();
  }

  // Decides on the header, finds the feature columns and writes the header of the answer.
  absl::Status ReadFirst(std::string* out) {
    options_ = reader_.options();
    const bool has_header = HasHeader(record_, options_);
    options_.header = has_header ? CsvOptions::Header::kPresent : CsvOptions::Header::kAbsent;
    field_count_ = record_.fields.size();
    TY_RETURN_IF_ERROR(has_header ? FindByHeader() : FindByPosition());
    AppendHeader(out);
    return absl::OkStatus();
  }

  absl::Status FindByHeader() {
    TY_ASSIGN_OR_RETURN(const std::vector<std::string> names, HeaderNames(record_, options_));
    return FindByName(names);
  }

  absl::Status FindByName(const std::vector<std::string>& names) {
    absl::flat_hash_map<absl::string_view, size_t> position;
    for (size_t i = 0; i < names.size(); ++i) position.emplace(names[i], i);
    std::vector<size_t> columns;
    std::vector<FieldViolation> missing;
    for (const std::string& feature : predictor_.bundle().feature_columns) {
      const auto it = position.find(feature);
      if (it == position.end()) {
        missing.push_back({absl::StrCat("column \"", feature, "\""),
                           "is missing, and the model has it as a feature"});
      } else {
        columns.push_back(it->second);
      }
    }
    if (!missing.empty())
      return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(missing));
    columns_ = std::move(columns);
    const absl::flat_hash_set<size_t> used(columns_.begin(), columns_.end());
    for (size_t i = 0; i < names.size(); ++i) {
      if (!used.contains(i)) ignored_columns_.push_back(names[i]);
    }
    return absl::OkStatus();
  }

  absl::Status FindByPosition() {
    const std::vector<std::string>& columns = predictor_.bundle().feature_columns;
    const size_t features = columns.size();
    // A model of a file without header knows columns by their place: the same file finds them again.
    const std::vector<std::string> names = DefaultNames(field_count_);
    const absl::flat_hash_set<absl::string_view> known(names.begin(), names.end());
    const bool by_place = std::all_of(columns.begin(), columns.end(), [&](const std::string& name) {
      return known.contains(name);
    });
    if (field_count_ != features && by_place) return FindByName(names);
    if (field_count_ != features) {
      return MakeViolationsError(
          ErrorReason::kInvalidRequest,
          {{absl::StrCat("line ", record_.line),
            absl::StrCat("without a header the fields must be the model's ", features,
                         " features in their order; there ", field_count_ == 1 ? "is " : "are ",
                         field_count_)}});
    }
    for (size_t i = 0; i < features; ++i) columns_.push_back(i);
    return absl::OkStatus();
  }

  void AppendHeader(std::string* out) const {
    if (hidden_layer_ > 0) return AppendHiddenHeader(out);
    absl::StrAppend(out, "prediction");
    for (const std::string& name : predictor_.bundle().classes) {
      out->push_back(options_.delimiter);
      AppendCsvField(absl::StrCat("probability_", name), options_.delimiter, out);
    }
    out->push_back('\n');
  }

  void AppendHiddenHeader(std::string* out) const {
    const int64_t units = predictor_.bundle().weights[hidden_layer_ - 1].out;
    for (int64_t i = 0; i < units; ++i) {
      if (i > 0) out->push_back(options_.delimiter);
      absl::StrAppend(out, "h", i);
    }
    out->push_back('\n');
  }

  absl::Status AddRow() {
    if (record_.fields.size() != field_count_)
      return BadRow(WrongFieldCount(record_, field_count_));
    const size_t begin = values_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      const absl::string_view cell = TrimCell(record_.fields[columns_[i]]);
      const double raw =
          preprocessor_.RawOf(static_cast<int64_t>(i), cell, options_.decimal_character());
      if (preprocessor_.FaultOf(static_cast<int64_t>(i), raw).empty()) {
        values_.push_back(raw);
        continue;
      }
      values_.resize(begin);
      return BadRow(BadCell(i, cell, raw));
    }
    ++row_count_;
    return absl::OkStatus();
  }

  RejectedCell BadCell(size_t feature, absl::string_view cell, double raw) const {
    const absl::string_view shown =
        IsUtf8(cell) ? cell : absl::string_view("text that is not UTF-8");
    RejectedCell rejected =
        NotANumber(record_, predictor_.bundle().feature_columns[feature], shown);
    if (raw == Preprocessor::kUnseen &&
        preprocessor_.transforms()[feature].encoding != Encoding::kNumber) {
      rejected.expected = "a category of the training rows";
    } else if (std::isnan(raw)) {
      rejected.expected = "a cell that is not missing, as the training rows have none";
    } else if (std::isfinite(raw)) {
      rejected.expected = "a number within the range of float32 after scaling";
    }
    return rejected;
  }

  absl::Status BadRow(const RejectedCell& rejected) const {
    const FieldViolation violation = ViolationOf(rejected);
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat(violation.field, ": ", violation.description),
                     {.reason = ErrorReason::kDatasetRejected,
                      .hint = "mend the row; the rows before it were predicted",
                      .in_force = DescribeCsvOptions(options_),
                      .violations = {violation}});
  }

  absl::Status NoRecords() const {
    return MakeError(absl::StatusCode::kInvalidArgument, "the file has no records: it is empty",
                     {.reason = ErrorReason::kDatasetRejected,
                      .hint = "send a CSV file with the model's feature columns",
                      .in_force = DescribeCsvOptions(options_)});
  }

  // Answers the rows collected so far.
  absl::Status Flush(std::string* out) {
    TY_RETURN_IF_ERROR(hidden_layer_ > 0 ? AppendHiddenOutputs(out) : AppendPredictions(out));
    rows_done_ += row_count_;
    row_count_ = 0;
    values_.clear();
    return absl::OkStatus();
  }

  absl::Status AppendPredictions(std::string* out) const {
    TY_ASSIGN_OR_RETURN(const std::vector<Prediction> predictions, predictor_.Predict(values_));
    for (const Prediction& prediction : predictions) AppendPrediction(prediction, out);
    return absl::OkStatus();
  }

  absl::Status AppendHiddenOutputs(std::string* out) const {
    TY_ASSIGN_OR_RETURN(const Matrix hidden, predictor_.HiddenOutputs(values_, hidden_layer_));
    for (int64_t r = 0; r < hidden.rows(); ++r) {
      for (int64_t c = 0; c < hidden.cols(); ++c) {
        if (c > 0) out->push_back(options_.delimiter);
        out->append(NumberText(hidden.row(r)[c]));
      }
      out->push_back('\n');
    }
    return absl::OkStatus();
  }

  // The labels that are more likely than not, joined.
  std::string LabelsText(const Prediction& prediction) const {
    std::vector<absl::string_view> labels;
    for (const int32_t label : LikelyLabels(prediction)) {
      labels.push_back(predictor_.bundle().classes[label]);
    }
    return absl::StrJoin(labels, ";");
  }

  void AppendPrediction(const Prediction& prediction, std::string* out) const {
    const Bundle& bundle = predictor_.bundle();
    if (bundle.task == Task::kRegression) {
      absl::StrAppend(out, ValueText(bundle.loss, prediction.value));
    } else if (bundle.task == Task::kMultilabel) {
      AppendCsvField(LabelsText(prediction), options_.delimiter, out);
    } else {
      AppendCsvField(bundle.classes[prediction.class_index], options_.delimiter, out);
    }
    for (const double probability : prediction.probabilities) {
      out->push_back(options_.delimiter);
      out->append(NumberText(probability));
    }
    out->push_back('\n');
  }

  const Predictor& predictor_;
  const Preprocessor preprocessor_;  // the bundle's, with the missing markers of this file
  const int64_t hidden_layer_;       // 0: predictions
  const int64_t rows_per_batch_;
  CsvOptions options_;  // as detected once there is a record
  DetectingCsvReader reader_;
  bool finished_ = false;
  CsvRecord record_;
  absl::Status status_;  // the first error; every later call gives it
  size_t field_count_ = 0;
  std::vector<size_t> columns_;  // [features] field of each feature; empty before the first record
  std::vector<std::string> ignored_columns_;
  std::vector<double> values_;  // [row_count_, features] raw, not yet predicted
  int64_t row_count_ = 0;
  int64_t rows_done_ = 0;
};

TablePredictor::TablePredictor(const Predictor& predictor, const CsvOptions& options,
                               int64_t hidden_layer)
    : impl_(std::make_unique<Impl>(predictor, options, hidden_layer)) {}
TablePredictor::~TablePredictor() = default;

void TablePredictor::Append(absl::string_view bytes) { impl_->Append(bytes); }
void TablePredictor::Finish() { impl_->Finish(); }
absl::StatusOr<std::string> TablePredictor::Take() { return impl_->Take(); }
int64_t TablePredictor::rows_done() const { return impl_->rows_done(); }
const std::vector<std::string>& TablePredictor::ignored_columns() const {
  return impl_->ignored_columns();
}

}  // namespace trainyard
