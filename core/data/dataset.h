// Dataset is a table made ready for training: target and features chosen, rows split, features
// scaled by what the training rows say, targets encoded. This is D = {(x_i, y_i)} of the lecture,
// in three parts.
//
//   TY_ASSIGN_OR_RETURN(ResolvedData data, ResolveData(config, table));       // all faults at once
//   TY_ASSIGN_OR_RETURN(Dataset dataset, BuildDataset(table, data, seed));
//
// Thread-safety: immutable once built. Ownership: copies what it needs; the table may go.
#ifndef TRAINYARD_CORE_DATA_DATASET_H_
#define TRAINYARD_CORE_DATA_DATASET_H_

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "core/base/task.h"
#include "core/data/preprocessor.h"
#include "core/data/table.h"
#include "core/tensor/matrix.h"

namespace trainyard {

// "binary", "multiclass", "regression", "multilabel", "unspecified": as in a spec file.
absl::string_view TaskWord(Task task);

struct SplitConfig {
  double validation_fraction = 0.15;  // ratio of rows, [0, 1)
  double test_fraction = 0.15;        // ratio of rows, [0, 1); both together below 1
  bool stratify = false;              // keep class proportions; not for regression
};

// What of a table is learned from, as the user said it. See trainyard.v1.TrainingSpec for each
// field.
struct DataConfig {
  std::string target_column;
  std::vector<std::string> feature_columns;  // empty: every other column
  std::vector<std::string> exclude_columns;  // not together with feature_columns
  std::vector<std::string> label_columns;    // multi-label: columns of 0 and 1; no target_column
  std::string weight_column;  // numeric, ≥ 0, no feature; empty: every row counts 1
  Task task = Task::kUnspecified;
  Scaling scaling = Scaling::kStandardize;
  SplitConfig split;
};

// What a column looks like without its cells: enough to check a spec against (the server has no
// cells at hand).
struct ColumnInfo {
  std::string name;
  ColumnType type = ColumnType::kNumeric;
  int64_t missing_count = 0;
  int64_t distinct_count = 0;
  bool integers = false;
  std::vector<std::string> values;  // the different values when stats list all of them (at most 20)
  // [values] rows of each, or empty when not known: classes too small to stratify are then found by
  // BuildDataset.
  std::vector<int64_t> value_counts;
  // Numeric columns; NaN when not known: a cell out of range is then found by BuildDataset.
  double min = std::numeric_limits<double>::quiet_NaN();
  double max = std::numeric_limits<double>::quiet_NaN();
};
struct Schema {
  int64_t rows = 0;
  std::vector<ColumnInfo> columns;
};
Schema SchemaOf(const Table& table);

// `config` with every choice made: task set, feature_columns full (in table order unless given),
// exclude_columns empty. Faults go to `violations` with paths in the words of the proto without
// "spec." ("target_column", "feature_columns[3]", "split.test_fraction"); notes worth telling the
// user ("task: binary, because …") to `notes`. Errors found: no such column (with the nearest
// name), text feature, missing cells in a used column, target among the features, a column named
// twice, one class only, more classes than limits::kClassesMax, task that does not fit the target,
// fractions out of range, a part of the split that would be empty though its fraction is not 0,
// stratify with regression, with labels or with a class too small to be in each part, no training
// rows, no features left; labels together with a target or another task than kMultilabel, or that
// are not of 0 and 1; a weight column that is text, is used otherwise, has a cell below 0 or none
// above it.
DataConfig ResolveDataConfig(const DataConfig& config, const Schema& schema,
                             std::vector<FieldViolation>* violations,
                             std::vector<std::string>* notes);

// Rows of one part, ready for the network.
struct Part {
  Matrix features;               // [rows, features], scaled
  std::vector<float> targets;    // regression: [rows], original unit; binary: [rows] of 0 or 1;
                                 // multi-label: [rows, labels]
  std::vector<int32_t> classes;  // multiclass: [rows], index into Dataset::classes
  std::vector<float> weights;    // [rows] with a weight column, else empty
  int64_t rows() const { return features.rows(); }
};

struct Dataset {
  DataConfig config;                 // resolved
  std::vector<std::string> classes;  // classification: sorted (numeric targets by value);
                                     // multi-label: label_columns; empty for regression
  Preprocessor preprocessor;         // fitted on the training rows, or given
  Part train, validation, test;

  int64_t feature_count() const { return train.features.cols(); }
  // 1 for binary and regression, else the number of classes or labels.
  int64_t output_count() const;
};

// Target values of a table as a model learns them. `classes` empty: they are numbers (regression).
// Numeric cells are classes by their CellText.
struct EncodedTargets {
  std::vector<float> numbers;    // regression and binary (0 or 1): [rows]; labels: [rows, labels]
  std::vector<int32_t> classes;  // classification: [rows], index into the classes
};

// The different values of a target column in class order: text bytewise, numbers by value.
std::vector<std::string> ClassesOf(const Column& target);

// Errors: INVALID_ARGUMENT/INVALID_REQUEST for a missing cell, a value that is none of `classes`,
// text for regression; each names the row (0-based).
absl::StatusOr<EncodedTargets> EncodeTargets(const Column& target, Task task,
                                             const std::vector<std::string>& classes);

// Label columns as the targets of a multi-label model.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST for a text column, a missing cell, a value that is
// neither 0 nor 1; with row and column. REQUIRES: at least one label; all have the same rows.
absl::StatusOr<EncodedTargets> EncodeLabels(std::span<const Column* const> labels);

// A column of row weights: [rows].
// Errors: INVALID_ARGUMENT/INVALID_REQUEST for a text column, a missing cell, a value below 0 or
// beyond float32; with row and column.
absl::StatusOr<std::vector<float>> EncodeWeights(const Column& column);

// Cells of `columns` in `rows`, preprocessed: [rows, columns].
// Errors: INVALID_ARGUMENT/INVALID_REQUEST for a value beyond the range of float32 after scaling
// (row and column named).
absl::StatusOr<Matrix> BuildFeatures(std::span<const Column* const> columns,
                                     std::span<const int64_t> rows,
                                     const Preprocessor& preprocessor);

// `preprocessor`: what features are scaled by, of a model that knows them so; null: fitted on the
// training rows, by `config`.
// REQUIRES: `config` came out of ResolveDataConfig without violations for this table's schema;
// `preprocessor` is one of its feature columns.
// Errors: INVALID_ARGUMENT/INVALID_SPEC when the table does not fit `config` after all (a class too
// small to stratify, no training row with a weight above 0, a value beyond float32 or otherwise
// out of range).
absl::StatusOr<Dataset> BuildDataset(const Table& table, const DataConfig& config, uint64_t seed,
                                     const Preprocessor* preprocessor = nullptr);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_DATASET_H_
