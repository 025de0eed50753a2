#include "core/model/onnx_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"
#include "core/model/onnx_model.h"
#include "core/model/onnx_runner.h"

namespace trainyard {
namespace {

// Of the widest tensor between two nodes, which decides how many rows run at once.
constexpr int64_t kBatchElementsMax = int64_t{1} << 22;
// A file of ours takes little more than kOnnxComparisonWorkMax.
constexpr int64_t kRunWorkMax = 16 * kOnnxComparisonWorkMax;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A number that is in no table: text where a number should be.
constexpr double kNotANumber = kInfinity;

absl::StatusOr<std::vector<const Column*>> FindColumns(const Table& table, const Bundle& bundle) {
  std::vector<const Column*> columns;
  std::vector<FieldViolation> violations;
  for (const std::string& name : bundle.feature_columns) {
    columns.push_back(table.FindColumn(name));
    if (columns.back() != nullptr) continue;
    violations.push_back(
        {absl::StrCat("column \"", name, "\""), "is missing, and the model has it as a feature"});
  }
  if (table.rows == 0) violations.push_back({"rows", "are needed to compare with; there are none"});
  if (violations.empty()) return columns;
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

// The cell as a file has it, empty when missing.
std::string TextOf(const Column& column, int64_t row) {
  if (column.type == ColumnType::kNumeric) {
    const double number = column.numbers[row];
    return std::isnan(number) ? "" : NumberText(number);
  }
  const int32_t code = column.codes[row];
  return code == Column::kMissingCode ? "" : column.categories[code];
}

double NumberOf(const std::vector<std::string>& markers, const Column& column, int64_t row) {
  if (column.type == ColumnType::kNumeric) return column.numbers[row];
  const std::string text = TextOf(column, row);
  const bool missing =
      text.empty() || std::find(markers.begin(), markers.end(), text) != markers.end();
  return missing ? kNaN : ParseNumber(text).value_or(kNotANumber);
}

double Difference(double file, double native) {
  if (file == native || (std::isnan(file) && std::isnan(native))) return 0;
  const double difference = std::abs(file - native) / std::max(1.0, std::abs(native));
  return std::isnan(difference) ? kInfinity : difference;
}

// The outputs of a file by name; null where it has none of that name.
struct FileOutputs {
  const std::vector<float>* value = nullptr;
  const std::vector<float>* probabilities = nullptr;
  const std::vector<absl::string_view>* label = nullptr;
  const std::vector<int64_t>* labels = nullptr;
};

class Comparer {
 public:
  Comparer(const Predictor& predictor, std::vector<const Column*> columns, const OnnxModel& model,
           const OnnxRunner& runner)
      : predictor_(predictor), columns_(std::move(columns)), model_(model), runner_(runner) {}

  absl::StatusOr<OnnxComparison> Compare(int64_t rows) {
    const int64_t batch = std::max<int64_t>(1, kBatchElementsMax / Width());
    OnnxBudget budget{.elements_max = 2 * std::max(Width(), kBatchElementsMax),
                      .work = kRunWorkMax};
    for (int64_t begin = 0; begin < rows; begin += batch) {
      const int64_t end = std::min(rows, begin + batch);
      TY_ASSIGN_OR_RETURN(const std::vector<OnnxTensor> outputs,
                          runner_.Run(InputsOf(begin, end), &budget));
      TY_ASSIGN_OR_RETURN(const FileOutputs file, OutputsOf(outputs, end - begin));
      natives_.clear();
      TY_RETURN_IF_ERROR(PredictRows(begin, end));
      for (int64_t at = 0; at < end - begin; ++at) CompareRow(file, at);
    }
    return found_;
  }

 private:
  const Bundle& bundle() const { return predictor_.bundle(); }

  int64_t Width() const {
    int64_t width = bundle().preprocessor.feature_count();
    for (const LayerWeights& layer : bundle().weights) width = std::max(width, layer.out);
    return width;
  }

  // One matrix of all columns, or one input per column in their order.
  std::vector<OnnxTensor> InputsOf(int64_t begin, int64_t end) {
    texts_.clear();
    std::vector<OnnxTensor> inputs;
    if (model_.inputs.size() != columns_.size()) {
      std::vector<float> numbers;
      for (int64_t row = begin; row < end; ++row) {
        for (const Column* column : columns_) {
          numbers.push_back(static_cast<float>(NumberOf(bundle().preprocessor.missing_markers(), *column, row)));
        }
      }
      inputs.push_back({{end - begin, static_cast<int64_t>(columns_.size())}, std::move(numbers)});
      return inputs;
    }
    for (size_t i = 0; i < columns_.size(); ++i) {
      inputs.push_back(model_.inputs[i].type == OnnxType::kString
                           ? TextInput(*columns_[i], begin, end)
                           : NumberInput(*columns_[i], begin, end));
    }
    return inputs;
  }

  OnnxTensor NumberInput(const Column& column, int64_t begin, int64_t end) const {
    std::vector<float> numbers;
    for (int64_t row = begin; row < end; ++row) {
      numbers.push_back(static_cast<float>(NumberOf(bundle().preprocessor.missing_markers(), column, row)));
    }
    return {{end - begin, 1}, std::move(numbers)};
  }

  OnnxTensor TextInput(const Column& column, int64_t begin, int64_t end) {
    std::vector<std::string>& kept = texts_.emplace_back();
    for (int64_t row = begin; row < end; ++row) kept.push_back(TextOf(column, row));
    return {{end - begin, 1}, std::vector<absl::string_view>(kept.begin(), kept.end())};
  }

  // Sizes are checked here, so that rows can be looked at without.
  absl::StatusOr<FileOutputs> OutputsOf(const std::vector<OnnxTensor>& outputs,
                                        int64_t rows) const {
    const auto classes = static_cast<int64_t>(bundle().classes.size());
    FileOutputs file;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const absl::string_view name = model_.outputs[i].name;
      const auto find = [&](absl::string_view wanted, int64_t width, auto** values) {
        if (name != wanted || outputs[i].element_count() != rows * width) return;
        *values = std::get_if<std::decay_t<decltype(**values)>>(&outputs[i].values);
      };
      find("value", 1, &file.value);
      find("probabilities", classes, &file.probabilities);
      find("label", 1, &file.label);
      find("labels", classes, &file.labels);
    }
    const bool regression = bundle().task == Task::kRegression;
    const bool has_numbers = (regression ? file.value : file.probabilities) != nullptr;
    const bool has_labels =
        regression ||
        (bundle().task == Task::kMultilabel ? file.labels != nullptr : file.label != nullptr);
    if (has_numbers && has_labels) return file;
    return OnnxFault("it lacks an output that models of its task have");
  }

  // What the native predictor says of rows [begin, end), into natives_; nullopt for a row that it
  // refuses. It refuses rows together, so halves are tried until single rows are left.
  absl::Status PredictRows(int64_t begin, int64_t end) {
    std::vector<double> raw;
    for (int64_t row = begin; row < end; ++row) {
      for (size_t i = 0; i < columns_.size(); ++i) {
        raw.push_back(
            bundle().preprocessor.RawOf(static_cast<int64_t>(i), TextOf(*columns_[i], row)));
      }
    }
    absl::StatusOr<std::vector<Prediction>> predictions = predictor_.Predict(raw);
    if (predictions.ok()) {
      natives_.insert(natives_.end(), std::make_move_iterator(predictions->begin()),
                      std::make_move_iterator(predictions->end()));
      return absl::OkStatus();
    }
    if (!absl::IsInvalidArgument(predictions.status())) return predictions.status();
    if (end - begin == 1) {
      natives_.emplace_back(std::nullopt);
      return absl::OkStatus();
    }
    const int64_t middle = begin + (end - begin) / 2;
    TY_RETURN_IF_ERROR(PredictRows(begin, middle));
    return PredictRows(middle, end);
  }

  // `at` within the batch.
  void CompareRow(const FileOutputs& file, int64_t at) {
    ++found_.rows_compared;
    if (!natives_[at].has_value()) {
      ++found_.rows_refused;
      return CompareRefused(file, at);
    }
    const Prediction& prediction = *natives_[at];
    if (file.value != nullptr) Add((*file.value)[at], prediction.value);
    if (file.probabilities == nullptr) return;
    const auto classes = static_cast<int64_t>(bundle().classes.size());
    for (int64_t c = 0; c < classes; ++c) {
      Add((*file.probabilities)[at * classes + c], prediction.probabilities[c]);
    }
    if (bundle().task == Task::kMultilabel) {
      CompareLabels(*file.labels, at, prediction);
    } else {
      CompareLabel((*file.label)[at], prediction);
    }
  }

  // The native predictor refuses the row: the file must not answer.
  void CompareRefused(const FileOutputs& file, int64_t at) {
    if (file.value != nullptr) Add((*file.value)[at], kNaN);
    const auto classes = static_cast<int64_t>(bundle().classes.size());
    for (int64_t c = 0; file.probabilities != nullptr && c < classes; ++c) {
      Add((*file.probabilities)[at * classes + c], kNaN);
    }
    if (file.label != nullptr && !(*file.label)[at].empty()) AddLabel(kInfinity);
  }

  void CompareLabel(absl::string_view label, const Prediction& prediction) {
    const std::vector<std::string>& classes = bundle().classes;
    if (label == classes[prediction.class_index]) return;
    const auto it = std::find(classes.begin(), classes.end(), label);
    if (it == classes.end()) return AddLabel(kInfinity);
    AddLabel(prediction.probabilities[prediction.class_index] -
             prediction.probabilities[it - classes.begin()]);
  }

  void CompareLabels(const std::vector<int64_t>& labels, int64_t at, const Prediction& prediction) {
    const auto count = static_cast<int64_t>(prediction.probabilities.size());
    for (int64_t i = 0; i < count; ++i) {
      const double probability = prediction.probabilities[i];
      const int64_t label = labels[at * count + i];
      if (label != 0 && label != 1) {
        AddLabel(kInfinity);
      } else if ((label == 1) != (probability > 0.5)) {
        AddLabel(2 * std::abs(probability - 0.5));
      }
    }
  }

  void Add(double file, double native) {
    found_.largest_difference = std::max(found_.largest_difference, Difference(file, native));
  }

  void AddLabel(double difference) {
    ++found_.labels_differing;
    found_.largest_difference = std::max(found_.largest_difference, difference);
  }

  const Predictor& predictor_;
  const std::vector<const Column*> columns_;
  const OnnxModel& model_;
  const OnnxRunner& runner_;
  std::vector<std::vector<std::string>> texts_;     // of the batch; inputs are views of them
  std::vector<std::optional<Prediction>> natives_;  // of the batch
  OnnxComparison found_;
};

// One cell in eight is missing where that is no error.
constexpr uint64_t kMissingEvery = 8;

Column RandomNumbers(const ColumnTransform& transform, int64_t rows, Rng* rng) {
  const double deviation = transform.scale == 0 ? 0 : 1 / transform.scale;
  std::vector<double> numbers;
  for (int64_t row = 0; row < rows; ++row) {
    // What float32 holds exactly: the rounding of real numbers is not the file's fault.
    const double number = static_cast<float>(transform.offset + deviation * rng->Normal());
    const bool missing = !std::isnan(transform.fill) && rng->Below(kMissingEvery) == 0;
    numbers.push_back(missing ? kNaN : number);
  }
  Column column;
  column.numbers = std::move(numbers);
  return column;
}

// Of the transform's categories and, where that is no error, of one that is not among them.
Column RandomCategories(const ColumnTransform& transform, int64_t rows, Rng* rng) {
  std::vector<std::string> cells = transform.categories;
  const bool any_cell = transform.unseen != UnseenCategory::kRefuse || cells.empty();
  if (any_cell) cells.push_back(transform.numeric_categories ? "-98765" : "(never seen)");
  std::sort(cells.begin(), cells.end());
  cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
  const bool may_miss = any_cell || transform.missing_indicator;
  std::vector<int32_t> codes;
  std::vector<double> numbers;
  for (int64_t row = 0; row < rows; ++row) {
    const auto code = static_cast<int32_t>(rng->Below(cells.size()));
    const bool missing = may_miss && rng->Below(kMissingEvery) == 0;
    codes.push_back(missing ? Column::kMissingCode : code);
    numbers.push_back(missing ? kNaN : ParseNumber(cells[code]).value_or(0));
  }
  Column column;
  if (transform.numeric_categories) {
    column.numbers = std::move(numbers);
    return column;
  }
  column.type = ColumnType::kText;
  column.codes = std::move(codes);
  column.categories = std::move(cells);
  return column;
}

}  // namespace

absl::StatusOr<OnnxComparison> CompareOnnx(absl::string_view onnx_bytes, const Predictor& predictor,
                                           const Table& rows, int64_t rows_max) {
  TY_ASSIGN_OR_RETURN(std::vector<const Column*> columns, FindColumns(rows, predictor.bundle()));
  TY_ASSIGN_OR_RETURN(const OnnxModel model, ParseOnnx(onnx_bytes));
  TY_ASSIGN_OR_RETURN(const OnnxRunner runner, OnnxRunner::Create(model));
  if (model.inputs.size() != 1 && model.inputs.size() != columns.size()) {
    return OnnxFault(
        absl::StrCat("it has ", model.inputs.size(), " inputs for ", columns.size(), " columns"));
  }
  const int64_t work = std::max<int64_t>(1, predictor.bundle().parameter_count());
  const int64_t count =
      std::min({rows.rows, rows_max, std::max<int64_t>(1, kOnnxComparisonWorkMax / work)});
  return Comparer(predictor, std::move(columns), model, runner).Compare(count);
}

absl::Status CheckOnnxTolerance(const OnnxComparison& comparison, double tolerance) {
  if (comparison.largest_difference <= tolerance) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(
          "on ", comparison.rows_compared, " rows the ONNX file differs from the model by ",
          std::isfinite(comparison.largest_difference) ? NumberText(comparison.largest_difference)
                                                       : "infinity",
          "; ", comparison.labels_differing, " labels are others"),
      {.reason = ErrorReason::kInvalidState,
       .hint = "raise the tolerance if that is good enough, or export in format NATIVE; numbers "
               "that float32 rounds (above 16 777 216, or with many digits) are the usual reason",
       .in_force = absl::StrCat("tolerance ", NumberText(tolerance))});
}

Table RandomFeatureRows(const Bundle& bundle, int64_t rows, uint64_t seed) {
  TY_CHECK(rows >= 1);
  Rng rng(seed, RngStream::kAnalysis);
  Table table{.rows = rows};
  for (size_t i = 0; i < bundle.feature_columns.size(); ++i) {
    const ColumnTransform& transform = bundle.preprocessor.transforms()[i];
    table.columns.push_back(transform.encoding == Encoding::kNumber
                                ? RandomNumbers(transform, rows, &rng)
                                : RandomCategories(transform, rows, &rng));
    table.columns.back().name = bundle.feature_columns[i];
  }
  return table;
}

}  // namespace trainyard
