#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/csv_header.h"
#include "core/data/ingest.h"
#include "core/data/number.h"
#include "core/data/utf8.h"
#include "core/model/predictor.h"

namespace trainyard {
namespace {

// Rows collected before they are predicted; the end of a chunk sends fewer.
constexpr size_t kRowsPerBatch = 256;

void AppendField(absl::string_view field, char delimiter, std::string* out) {
  const bool plain = field.find_first_of("\"\r\n") == absl::string_view::npos &&
                     field.find(delimiter) == absl::string_view::npos;
  if (plain) {
    out->append(field.data(), field.size());
    return;
  }
  out->push_back('"');
  for (const char c : field) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

}  // namespace

class TablePredictor::Impl {
 public:
  Impl(const Predictor& predictor, const CsvOptions& options, int64_t hidden_layer)
      : predictor_(predictor),
        hidden_layer_(hidden_layer),
        options_(options),
        reader_(options),
        status_(CheckCsvOptions(options)) {}

  absl::StatusOr<std::string> Append(absl::string_view bytes) {
    TY_RETURN_IF_ERROR(status_);
    reader_.Append(bytes);
    std::string out;
    status_ = Drain(&out);
    // What is wrong later in the chunk is told by the next call when there are rows to give out.
    if (!status_.ok() && out.empty()) return status_;
    return out;
  }

  absl::StatusOr<std::string> Finish() {
    TY_RETURN_IF_ERROR(status_);
    reader_.FinishInput();
    std::string out;
    status_ = Drain(&out);
    if (status_.ok() && columns_.empty()) status_ = NoRecords();
    TY_RETURN_IF_ERROR(status_);
    return out;
  }

  int64_t rows_done() const { return rows_done_; }

 private:
  // Everything that can be read now; the rows before a bad one go out all the same.
  absl::Status Drain(std::string* out) {
    const absl::Status read = ReadRecords(out);
    const absl::Status flushed = Flush(out);
    return flushed.ok() ? read : flushed;
  }

  absl::Status ReadRecords(std::string* out) {
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool more, reader_.Next(&record_));
      if (!more) return absl::OkStatus();
      if (columns_.empty()) {
        TY_RETURN_IF_ERROR(ReadFirst(out));
        if (options_.header == CsvOptions::Header::kPresent) continue;
      }
      TY_RETURN_IF_ERROR(AddRow());
      if (row_count_ == kRowsPerBatch) TY_RETURN_IF_ERROR(Flush(out));
    }
  }

  // Decides on the header, finds the feature columns and writes the header of the answer.
  absl::Status ReadFirst(std::string* out) {
    const bool has_header = HasHeader(record_, options_);
    options_.header = has_header ? CsvOptions::Header::kPresent : CsvOptions::Header::kAbsent;
    field_count_ = record_.fields.size();
    TY_RETURN_IF_ERROR(has_header ? FindByName() : FindByPosition());
    AppendHeader(out);
    return absl::OkStatus();
  }

  absl::Status FindByName() {
    TY_ASSIGN_OR_RETURN(const std::vector<std::string> names, HeaderNames(record_, options_));
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
    return absl::OkStatus();
  }

  absl::Status FindByPosition() {
    const size_t features = predictor_.bundle().feature_columns.size();
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
      AppendField(absl::StrCat("probability_", name), options_.delimiter, out);
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
      const std::optional<double> number = ParseNumber(cell);
      if (number.has_value() && FitsFloat(i, *number)) {
        values_.push_back(*number);
        continue;
      }
      values_.resize(begin);
      return BadRow(BadCell(i, cell, number.has_value()));
    }
    ++row_count_;
    return absl::OkStatus();
  }

  // Whether the number is one of float32 after preprocessing.
  bool FitsFloat(size_t feature, double number) const {
    const Preprocessor& preprocessor = predictor_.bundle().preprocessor;
    return std::isfinite(static_cast<float>((number - preprocessor.offsets()[feature]) *
                                            preprocessor.scales()[feature]));
  }

  RejectedCell BadCell(size_t feature, absl::string_view cell, bool is_number) const {
    const absl::string_view shown =
        IsUtf8(cell) ? cell : absl::string_view("text that is not UTF-8");
    RejectedCell rejected =
        NotANumber(record_, predictor_.bundle().feature_columns[feature], shown);
    if (is_number) rejected.expected = "a number within the range of float32 after scaling";
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
    rows_done_ += static_cast<int64_t>(row_count_);
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
      absl::StrAppend(out, NumberText(static_cast<float>(prediction.value)));
    } else if (bundle.task == Task::kMultilabel) {
      AppendField(LabelsText(prediction), options_.delimiter, out);
    } else {
      AppendField(bundle.classes[prediction.class_index], options_.delimiter, out);
    }
    for (const double probability : prediction.probabilities) {
      out->push_back(options_.delimiter);
      out->append(NumberText(probability));
    }
    out->push_back('\n');
  }

  const Predictor& predictor_;
  const int64_t hidden_layer_;  // 0: predictions
  CsvOptions options_;          // header is decided by the first record
  CsvReader reader_;
  CsvRecord record_;
  absl::Status status_;  // the first error; every later call gives it
  size_t field_count_ = 0;
  std::vector<size_t> columns_;  // [features] field of each feature; empty before the first record
  std::vector<double> values_;   // [row_count_, features] not yet predicted
  size_t row_count_ = 0;
  int64_t rows_done_ = 0;
};

TablePredictor::TablePredictor(const Predictor& predictor, const CsvOptions& options,
                               int64_t hidden_layer)
    : impl_(std::make_unique<Impl>(predictor, options, hidden_layer)) {}
TablePredictor::~TablePredictor() = default;

absl::StatusOr<std::string> TablePredictor::Append(absl::string_view bytes) {
  return impl_->Append(bytes);
}
absl::StatusOr<std::string> TablePredictor::Finish() { return impl_->Finish(); }
int64_t TablePredictor::rows_done() const { return impl_->rows_done(); }

}  // namespace trainyard
