#include "core/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/data_warnings.h"
#include "core/data/number.h"
#include "core/data/resolve_features.h"
#include "core/data/schema_index.h"
#include "core/data/split.h"

namespace trainyard {
namespace {

absl::Status CellError(const Column& column, int64_t row, absl::string_view what,
                       absl::string_view hint) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("row ", row, ", column \"", column.name, "\": ", what),
                   {.reason = ErrorReason::kInvalidRequest, .hint = std::string(hint)});
}

absl::StatusOr<EncodedTargets> EncodeNumbers(const Column& target, const TargetUnit& unit) {
  if (target.type != ColumnType::kNumeric) {
    return CellError(target, 0, "the target of a regression is text", "choose a numeric target");
  }
  EncodedTargets targets;
  targets.numbers.reserve(target.numbers.size());
  for (const double number : target.numbers) {
    const auto row = static_cast<int64_t>(targets.numbers.size());
    if (std::isnan(number))
      return CellError(target, row, "the target is missing", "fill the cell or remove the row");
    const auto value = static_cast<float>((number - unit.offset) / unit.scale);
    if (!std::isfinite(static_cast<float>(number)) || !std::isfinite(value)) {
      return CellError(target, row, absl::StrCat(number, " is beyond the range of float32"),
                       "rescale the target");
    }
    targets.numbers.push_back(value);
  }
  return targets;
}

// The columns' cells as floats that pass `check`, which says what is wrong with a number or
// nothing: [rows, columns]. `role` names the cells in errors.
absl::StatusOr<std::vector<float>> EncodeChecked(std::span<const Column* const> columns,
                                                 absl::string_view role,
                                                 absl::string_view (*check)(double number)) {
  const size_t width = columns.size();
  std::vector<float> values(columns[0]->numbers.size() * width);
  for (size_t c = 0; c < width; ++c) {
    const Column& column = *columns[c];
    if (column.type != ColumnType::kNumeric) {
      return CellError(column, 0, absl::StrCat("the ", role, " is text"),
                       "choose a numeric column");
    }
    for (size_t r = 0; r < column.numbers.size(); ++r) {
      const double number = column.numbers[r];
      const auto row = static_cast<int64_t>(r);
      if (std::isnan(number)) {
        return CellError(column, row, absl::StrCat("the ", role, " is missing"),
                         "fill the cell or remove the row");
      }
      const absl::string_view fault = check(number);
      if (!fault.empty()) {
        return CellError(column, row, absl::StrCat("the ", role, " is ", number, "; ", fault),
                         "mend the cell or remove the row");
      }
      values[r * width + c] = static_cast<float>(number);
    }
  }
  return values;
}

// Class of each category of a text column, -1 for one the model does not know.
std::vector<int32_t> ClassOfCategory(const Column& target,
                                     const std::vector<std::string>& classes) {
  absl::flat_hash_map<absl::string_view, int32_t> index;
  for (size_t i = 0; i < classes.size(); ++i) index.emplace(classes[i], static_cast<int32_t>(i));
  std::vector<int32_t> result;
  result.reserve(target.categories.size());
  for (const std::string& category : target.categories) {
    const auto it = index.find(category);
    result.push_back(it == index.end() ? -1 : it->second);
  }
  return result;
}

// [rows] class of each cell; -1 where it is missing or unknown.
std::vector<int32_t> ClassOfRows(const Column& target, const std::vector<std::string>& classes) {
  std::vector<int32_t> result;
  if (target.type == ColumnType::kText) {
    const std::vector<int32_t> of_category = ClassOfCategory(target, classes);
    for (const int32_t code : target.codes) result.push_back(code < 0 ? -1 : of_category[code]);
    return result;
  }
  absl::flat_hash_map<double, int32_t> index;
  for (size_t i = 0; i < classes.size(); ++i) {
    const std::optional<double> number = ParseNumber(classes[i]);
    if (number.has_value()) index.emplace(*number, static_cast<int32_t>(i));
  }
  for (const double number : target.numbers) {
    const auto it = std::isnan(number) ? index.end() : index.find(number);
    result.push_back(it == index.end() ? -1 : it->second);
  }
  return result;
}

absl::Status UnknownClass(const Column& target, int64_t row) {
  const bool is_text = target.type == ColumnType::kText;
  const bool missing = is_text ? target.codes[row] < 0 : std::isnan(target.numbers[row]);
  if (missing)
    return CellError(target, row, "the target is missing", "fill the cell or remove the row");
  const std::string value =
      is_text ? target.categories[target.codes[row]] : NumberText(target.numbers[row]);
  return CellError(target, row, absl::StrCat("the model has no class \"", value, "\""),
                   "use rows of the classes it was trained on");
}

// What the rows of a table are compared with and how much they count.
struct TableTargets {
  EncodedTargets targets;
  std::vector<float> weights;  // [rows], or empty
};

// The rows of `all` that `rows` names.
Part TakePart(Matrix features, const TableTargets& all, Task task, int64_t values_per_row,
              const std::vector<int64_t>& rows) {
  Part part;
  part.features = std::move(features);
  for (const int64_t row : rows) {
    if (task == Task::kMulticlass) {
      part.classes.push_back(all.targets.classes[row]);
    } else {
      const auto first = all.targets.numbers.begin() + row * values_per_row;
      part.targets.insert(part.targets.end(), first, first + values_per_row);
    }
    if (!all.weights.empty()) part.weights.push_back(all.weights[row]);
  }
  return part;
}

absl::Status NoSuchColumn(absl::string_view field, absl::string_view name) {
  return MakeViolationsError(ErrorReason::kInvalidSpec,
                             {{std::string(field), absl::StrCat("no column \"", name, "\"")}});
}

absl::StatusOr<EncodedTargets> EncodeLabelColumns(const Table& table, const DataConfig& config) {
  std::vector<const Column*> labels;
  for (const std::string& name : config.label_columns) {
    labels.push_back(table.FindColumn(name));
    if (labels.back() == nullptr) return NoSuchColumn("label_columns", name);
  }
  return EncodeLabels(labels);
}

// Of every row, by the classes and the target's unit of `dataset`.
absl::StatusOr<EncodedTargets> EncodeTableTargets(const Table& table, const Dataset& dataset) {
  const DataConfig& config = dataset.config;
  if (config.task == Task::kMultilabel) return EncodeLabelColumns(table, config);
  const Column* target = table.FindColumn(config.target_column);
  if (target == nullptr) return NoSuchColumn("target_column", config.target_column);
  return EncodeTargets(*target, config.task, dataset.classes,
                       {dataset.target_offset, dataset.target_scale});
}

// Targets and weights of every row.
absl::StatusOr<TableTargets> EncodeRows(const Table& table, const Dataset& dataset) {
  const DataConfig& config = dataset.config;
  TableTargets all;
  TY_ASSIGN_OR_RETURN(all.targets, EncodeTableTargets(table, dataset));
  if (config.weight_column.empty()) return all;
  const Column* weights = table.FindColumn(config.weight_column);
  if (weights == nullptr) return NoSuchColumn("weight_column", config.weight_column);
  TY_ASSIGN_OR_RETURN(all.weights, EncodeWeights(*weights));
  return all;
}

// Chooses the unit in which the targets of a regression are learned, as `unit` says or as the
// training rows do, and gives the targets in it.
absl::Status ScaleTargets(const Table& table, std::span<const int64_t> train_rows,
                          const TargetUnit* unit, Dataset* dataset, EncodedTargets* targets) {
  const DataConfig& config = dataset->config;
  const bool fits = config.target_scaling == TargetScaling::kStandardize;
  if (config.task != Task::kRegression || (unit == nullptr && !fits)) return absl::OkStatus();
  const Column& target = *table.FindColumn(config.target_column);
  const TargetUnit used = unit != nullptr ? *unit : FitTargetUnit(target, train_rows);
  dataset->target_offset = used.offset;
  dataset->target_scale = used.scale;
  TY_ASSIGN_OR_RETURN(*targets, EncodeTableTargets(table, *dataset));
  return absl::OkStatus();
}

// Those of the target column of `table`, or the names of the labels; none for regression.
absl::StatusOr<std::vector<std::string>> ClassesFor(const Table& table, const DataConfig& config) {
  if (config.task == Task::kMultilabel) return config.label_columns;
  if (config.task == Task::kRegression) return std::vector<std::string>();
  const Column* target = table.FindColumn(config.target_column);
  if (target == nullptr) return NoSuchColumn("target_column", config.target_column);
  return ClassesOf(*target);
}

absl::Status CheckWeightsTrain(const std::vector<float>& weights, const std::vector<int64_t>& rows,
                               const DataConfig& config) {
  const bool counts = weights.empty() || std::any_of(rows.begin(), rows.end(),
                                                     [&](int64_t row) { return weights[row] > 0; });
  if (counts) return absl::OkStatus();
  return MakeViolationsError(
      ErrorReason::kInvalidSpec,
      {{"weight_column",
        absl::StrCat("column \"", config.weight_column, "\" is 0 in all ", rows.size(),
                     " training rows, so nothing would be learned; "
                     "give some a weight above 0, or choose another seed")}});
}

absl::Status CheckStratifies(const EncodedTargets& targets, const Dataset& dataset) {
  std::vector<int64_t> class_rows(dataset.classes.size(), 0);
  for (const int32_t c : targets.classes) ++class_rows[c];
  const std::vector<SplitCounts> counts = CountStratifiedSplit(class_rows, dataset.config.split);
  std::vector<FieldViolation> violations;
  for (size_t c = 0; c < counts.size(); ++c) {
    if (!IsClassTooSmall(counts[c], dataset.config.split)) continue;
    violations.push_back(
        {"split.stratify", DescribeTooSmallClass(dataset.classes[c], class_rows[c])});
    if (violations.size() == static_cast<size_t>(limits::kRejectsKeptMax)) break;
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

absl::StatusOr<std::vector<const Column*>> FindFeatures(const Table& table,
                                                        const DataConfig& config) {
  std::vector<const Column*> columns;
  std::vector<FieldViolation> violations;
  for (size_t i = 0; i < config.feature_columns.size(); ++i) {
    const Column* column = table.FindColumn(config.feature_columns[i]);
    if (column == nullptr) {
      violations.push_back(
          {absl::StrCat("feature_columns[", i, "]"),
           absl::StrCat("the table has no column \"", config.feature_columns[i], "\"")});
    }
    columns.push_back(column);
  }
  if (violations.empty()) return columns;
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

absl::StatusOr<Preprocessor> FitPreprocessor(const Table& table,
                                             std::span<const Column* const> columns,
                                             std::span<const int64_t> rows,
                                             const DataConfig& config) {
  const Schema schema = SchemaOf(table);
  const SchemaIndex index(schema);
  const GivenOptions given(config);
  std::vector<FeatureOptions> options;
  for (const Column* column : columns) {
    options.push_back(ResolvedOptions(given.For(column->name), config, *index.Find(column->name)));
  }
  return Preprocessor::Fit(columns, rows, options);
}

// What a table's parts are made of.
struct TableRows {
  const std::vector<const Column*>& columns;  // the features
  const TableTargets& targets;
  const FeatureMemory& memory;
};

// The part of `rows`, with preprocessor and classes of `dataset`.
absl::StatusOr<Part> BuildPart(const TableRows& table, const std::vector<int64_t>& rows,
                               const Dataset& dataset) {
  TY_ASSIGN_OR_RETURN(Matrix features,
                      BuildFeatures(table.columns, rows, dataset.preprocessor, table.memory));
  return TakePart(std::move(features), table.targets, dataset.config.task, dataset.output_count(),
                  rows);
}

// That of each part, so that all of them together keep to what `memory` allows.
FeatureMemory MemoryOfParts(const FeatureMemory& memory, int64_t rows, const Dataset& dataset) {
  FeatureMemory of_part = memory;
  const int64_t features = dataset.preprocessor.feature_count();
  const bool are_large =
      rows * features * static_cast<int64_t>(sizeof(float)) > memory.memory_bytes_max;
  if (are_large) of_part.memory_bytes_max = 0;
  return of_part;
}

absl::StatusOr<Part> BuildAllRows(const Table& table, const Dataset& dataset,
                                  const FeatureMemory& memory) {
  TY_ASSIGN_OR_RETURN(const TableTargets all, EncodeRows(table, dataset));
  TY_ASSIGN_OR_RETURN(const std::vector<const Column*> columns,
                      FindFeatures(table, dataset.config));
  std::vector<int64_t> rows(table.rows);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return BuildPart({.columns = columns, .targets = all, .memory = memory}, rows, dataset);
}

absl::StatusOr<Part> BuildTestPart(const Table& table, const Dataset& dataset,
                                   const FeatureMemory& memory) {
  absl::StatusOr<Part> part = BuildAllRows(table, dataset, memory);
  if (part.ok()) return part;
  return Annotate(part.status(), "test_dataset");
}

}  // namespace

absl::string_view TaskWord(Task task) {
  switch (task) {
    case Task::kBinary:
      return "binary";
    case Task::kMulticlass:
      return "multiclass";
    case Task::kRegression:
      return "regression";
    case Task::kMultilabel:
      return "multilabel";
    case Task::kUnspecified:
      return "unspecified";
  }
  return "unspecified";
}

Schema SchemaOf(const Table& table) {
  Schema schema;
  schema.rows = table.rows;
  for (const Column& column : table.columns) {
    ColumnInfo info{
        column.name,           column.type, column.stats.missing_count, column.stats.distinct_count,
        column.stats.integers, column.kind, column.kind_given};
    if (column.type == ColumnType::kNumeric) {
      info.min = column.stats.min;
      info.max = column.stats.max;
    }
    const bool all_listed =
        column.stats.distinct_count == static_cast<int64_t>(column.stats.top_values.size());
    for (const auto& [value, count] : column.stats.top_values) {
      if (!all_listed) break;
      info.values.push_back(value);
      info.value_counts.push_back(count);
    }
    schema.columns.push_back(std::move(info));
  }
  return schema;
}

int64_t Dataset::output_count() const {
  const bool one = config.task != Task::kMulticlass && config.task != Task::kMultilabel;
  return one ? 1 : static_cast<int64_t>(classes.size());
}

TargetUnit FitTargetUnit(const Column& target, std::span<const int64_t> rows) {
  const Column* const columns[] = {&target};
  const Preprocessor fitted = Preprocessor::Fit(columns, rows, Scaling::kStandardize);
  const ColumnTransform& line = fitted.transforms()[0];
  const double scale = line.scale == 0 ? 1 : 1 / line.scale;
  // Losses are given in squares of it.
  return {.offset = line.offset, .scale = scale * scale > 0 ? scale : 1};
}

std::vector<std::string> ClassesOf(const Column& target) {
  if (target.type == ColumnType::kText) return target.categories;
  std::vector<double> values;
  for (const double number : target.numbers) {
    if (!std::isnan(number)) values.push_back(number);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::vector<std::string> classes;
  for (const double value : values) classes.push_back(NumberText(value));
  return classes;
}

absl::StatusOr<EncodedTargets> EncodeTargets(const Column& target, Task task,
                                             const std::vector<std::string>& classes,
                                             const TargetUnit& unit) {
  if (task == Task::kRegression) return EncodeNumbers(target, unit);
  EncodedTargets targets;
  targets.classes = ClassOfRows(target, classes);
  const auto unknown = std::find(targets.classes.begin(), targets.classes.end(), -1);
  if (unknown != targets.classes.end())
    return UnknownClass(target, unknown - targets.classes.begin());
  if (task == Task::kBinary) {
    targets.numbers.assign(targets.classes.begin(), targets.classes.end());
  }
  return targets;
}

absl::StatusOr<EncodedTargets> EncodeLabels(std::span<const Column* const> labels) {
  EncodedTargets targets;
  TY_ASSIGN_OR_RETURN(targets.numbers,
                      EncodeChecked(labels, "label", [](double number) -> absl::string_view {
                        return number == 0 || number == 1 ? "" : "must be 0 or 1";
                      }));
  return targets;
}

absl::StatusOr<std::vector<float>> EncodeWeights(const Column& column) {
  const Column* const columns[] = {&column};
  return EncodeChecked(columns, "weight", [](double number) -> absl::string_view {
    if (number < 0) return "must be at least 0";
    return std::isfinite(static_cast<float>(number)) ? "" : "beyond the range of float32";
  });
}

absl::StatusOr<Dataset> BuildDataset(const Table& table, const DataConfig& config, uint64_t seed,
                                     const BuildOptions& options) {
  Dataset dataset;
  dataset.config = config;
  TY_ASSIGN_OR_RETURN(dataset.classes, ClassesFor(table, config));
  TY_ASSIGN_OR_RETURN(TableTargets all, EncodeRows(table, dataset));
  TY_ASSIGN_OR_RETURN(const std::vector<const Column*> columns, FindFeatures(table, config));
  if (config.split.stratify) TY_RETURN_IF_ERROR(CheckStratifies(all.targets, dataset));

  TY_ASSIGN_OR_RETURN(const RowSplit split,
                      SplitTable(table, config.split, all.targets.classes, seed, options.fold));
  TY_RETURN_IF_ERROR(CheckWeightsTrain(all.weights, split.train, config));
  TY_RETURN_IF_ERROR(ScaleTargets(table, split.train, options.target_unit, &dataset, &all.targets));
  TY_ASSIGN_OR_RETURN(dataset.preprocessor,
                      options.preprocessor != nullptr
                          ? *options.preprocessor
                          : FitPreprocessor(table, columns, split.train, config));
  TY_CHECK(dataset.preprocessor.column_count() == static_cast<int64_t>(columns.size()));
  const FeatureMemory memory = MemoryOfParts(options.memory, table.rows, dataset);
  const TableRows rows{.columns = columns, .targets = all, .memory = memory};
  TY_ASSIGN_OR_RETURN(dataset.train, BuildPart(rows, split.train, dataset));
  TY_ASSIGN_OR_RETURN(dataset.validation, BuildPart(rows, split.validation, dataset));
  TY_ASSIGN_OR_RETURN(dataset.test,
                      options.test_table == nullptr
                          ? BuildPart(rows, split.test, dataset)
                          : BuildTestPart(*options.test_table, dataset, options.memory));
  if (options.warnings == nullptr) return dataset;
  const std::vector<std::string> warnings = DiagnoseData(
      {.table = table, .dataset = dataset, .split = split, .test_table = options.test_table});
  options.warnings->insert(options.warnings->end(), warnings.begin(), warnings.end());
  return dataset;
}

}  // namespace trainyard
