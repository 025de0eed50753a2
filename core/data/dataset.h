// Dataset is a table made ready for training: target and features chosen, rows split, features and
// the target of a regression scaled by what the training rows say, classes encoded. This is D =
// {(x_i, y_i)} of the lecture, in three parts.
//
//   TY_ASSIGN_OR_RETURN(ResolvedData data, ResolveData(config, table));       // all faults at once
//   TY_ASSIGN_OR_RETURN(Dataset dataset, BuildDataset(table, data, seed));
//
// Thread-safety: immutable once built. Ownership: copies what it needs; the table may go.
#ifndef TRAINYARD_CORE_DATA_DATASET_H_
#define TRAINYARD_CORE_DATA_DATASET_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "core/base/task.h"
#include "core/data/feature_builder.h"
#include "core/data/feature_options.h"
#include "core/data/preprocessor.h"
#include "core/data/table.h"
#include "core/tensor/matrix.h"

namespace trainyard {

// "binary", "multiclass", "regression", "multilabel", "unspecified": as in a spec file.
absl::string_view TaskWord(Task task);

// See split.h for what each kind of split does, trainyard.v1.SplitSpec for what goes together.
struct SplitConfig {
  // Ratios of rows, or of groups, in [0, 1); both together below 1. Not given: ResolveDataConfig
  // chooses 0.15, or 0 for the test with folds; in a resolved config there is then no such part but
  // for what part_column, folds or a separate test give.
  std::optional<double> validation_fraction;
  std::optional<double> test_fraction;
  bool stratify = false;     // keep class proportions; not for regression
  std::string group_column;  // rows of one value stay in one part; or empty
  std::string time_column;   // earliest rows train, latest test; or empty
  std::string part_column;   // says the part of each row; or empty
  int64_t fold_count = 0;    // cross-validation: 2 or more; 0: none
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
  FeatureOptions feature_defaults;                             // `column` empty
  std::vector<FeatureOptions> feature_options;                 // one per column that is named
  TargetScaling target_scaling = TargetScaling::kUnspecified;  // unspecified: none
  SplitConfig split;
  bool separate_test = false;  // the test rows are another table's
};

// What a column looks like without its cells: enough to check a spec against (the server has no
// cells at hand).
struct ColumnInfo {
  std::string name;
  ColumnType type = ColumnType::kNumeric;
  int64_t missing_count = 0;
  int64_t distinct_count = 0;
  bool integers = false;
  ColumnKind kind = ColumnKind::kUnspecified;
  bool kind_given = false;          // by the user, not inferred
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

// `config` with every choice made: target and task set, feature_columns full (in table order unless
// given), exclude_columns empty, fractions chosen where the kind of split has them. Resolving it
// again changes nothing. Faults go to `violations` with paths in the words of the proto without
// "spec." ("target_column", "feature_columns[3]", "split.test_fraction"); notes worth telling the
// user ("task: binary, because …") to `notes`. Errors found: no such column (with the nearest
// name), text feature, missing cells in a used column, target among the features, a column named
// twice or with two parts to play, one class only, more classes than limits::kClassesMax, task that
// does not fit the target, fractions out of range, ways to split that exclude each other, a part of
// the split that would be empty though its fraction is not 0, a value of part_column that is no
// part, fewer groups or rows than parts or folds, stratify with regression, with labels or with a
// class too small to be in each part, no training rows, no features left; labels together with a
// target or another task than kMultilabel, or that are not of 0 and 1; a weight column that is
// text, is used otherwise, has a cell below 0 or none above it.
DataConfig ResolveDataConfig(const DataConfig& config, const Schema& schema,
                             std::vector<FieldViolation>* violations,
                             std::vector<std::string>* notes);

// Rows of one part, ready for the network.
struct Part {
  Matrix features;               // [rows, features], scaled
  std::vector<float> targets;    // regression: [rows], scaled; binary: [rows] of 0 or 1;
                                 // multi-label: [rows, labels]
  std::vector<int32_t> classes;  // multiclass: [rows], index into Dataset::classes
  std::vector<float> weights;    // [rows] with a weight column, else empty
  int64_t rows() const { return features.rows(); }
};

struct Dataset {
  DataConfig config;                       // resolved
  std::vector<std::string> classes;        // classification: sorted (numeric targets by value);
                                           // multi-label: label_columns; empty for regression
  Preprocessor preprocessor;               // fitted on the training rows, or given
  // Regression: targets are (y - target_offset) / target_scale, as the preprocessor fitted or
  // given.
  double target_offset = 0;
  double target_scale = 1;
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

// How the targets of a regression are scaled: what a network learns is (y - offset) / scale.
struct TargetUnit {
  double offset = 0;
  double scale = 1;  // > 0, and its square is one of double
};

// Mean and standard deviation (divisor N) of a target's training rows. Where these are all equal,
// or so close that the square of their deviation is 0, the scale is 1. Row weights do not count
// here, as they do not for features.
TargetUnit FitTargetUnit(const Column& target, std::span<const int64_t> rows);

// The different values of a target column in class order: text bytewise, numbers by value.
std::vector<std::string> ClassesOf(const Column& target);

// `unit` is that of a regression's numbers, computed in double. Errors:
// INVALID_ARGUMENT/INVALID_REQUEST for a missing cell, a value that is none of `classes`, text for
// regression, a number beyond float32, scaled or not; each names the row (0-based).
absl::StatusOr<EncodedTargets> EncodeTargets(const Column& target, Task task,
                                             const std::vector<std::string>& classes,
                                             const TargetUnit& unit = {});

// Label columns as the targets of a multi-label model.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST for a text column, a missing cell, a value that is
// neither 0 nor 1; with row and column. REQUIRES: at least one label; all have the same rows.
absl::StatusOr<EncodedTargets> EncodeLabels(std::span<const Column* const> labels);

// A column of row weights: [rows].
// Errors: INVALID_ARGUMENT/INVALID_REQUEST for a text column, a missing cell, a value below 0 or
// beyond float32; with row and column.
absl::StatusOr<std::vector<float>> EncodeWeights(const Column& column);

struct BuildOptions {
  // What features are scaled by, of a model that knows them so; null: fitted on the training rows,
  // by `config`. REQUIRES: it is one of the config's feature columns.
  const Preprocessor* preprocessor = nullptr;
  // The same for the target.
  const TargetUnit* target_unit = nullptr;
  // The test rows are all rows of this table, whose columns are found by name. REQUIRES: null
  // unless config.separate_test.
  const Table* test_table = nullptr;
  int64_t fold = 0;  // which fold validates, with config.split.fold_count
  FeatureMemory memory;  // of the features of all parts; a separate test table counts by itself
  // Not null: what DiagnoseData (data_warnings.h) says of the data is added.
  std::vector<std::string>* warnings = nullptr;
};

// REQUIRES: `config` came out of ResolveDataConfig without violations for this table's schema.
// Errors: INVALID_ARGUMENT/INVALID_SPEC when the table does not fit `config` after all (a class too
// small to stratify, a cell that the split cannot read, no training row with a weight above 0, a
// value beyond float32 or otherwise out of range); the same of the test table, with "test_dataset"
// in front.
absl::StatusOr<Dataset> BuildDataset(const Table& table, const DataConfig& config, uint64_t seed,
                                     const BuildOptions& options = {});

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_DATASET_H_
