// ResolveDataConfig: what a user said about the data, checked against the schema and filled in.
#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/data/dataset.h"
#include "core/data/resolve_features.h"
#include "core/data/resolve_split.h"
#include "core/data/schema_index.h"

namespace trainyard {
namespace {

// With more different values than this, or any that is not an integer, a numeric target is a
// quantity.
constexpr int64_t kNumericClassesInferredMax = 20;

// A target that is not named has one of these names, upper or lower case, or is the last column.
constexpr absl::string_view kTargetNames[] = {"target", "label", "labels", "class", "y", "outcome"};

// One resolution: reads config and schema, collects faults and notes.
class Resolver {
 public:
  Resolver(const DataConfig& config, const Schema& schema, std::vector<FieldViolation>* violations,
           std::vector<std::string>* notes)
      : config_(config),
        schema_(schema),
        columns_(schema),
        violations_(*violations),
        notes_(*notes) {}

  DataConfig Run() {
    ResolveTarget();
    CheckLabels();
    CheckWeights();
    ResolveFeatures(columns_, &config_, &violations_, &notes_);
    if (HasLabels()) {
      ResolveMultilabel();
    } else if (target_ != nullptr) {
      ResolveTask();
    }
    if (config_.scaling == Scaling::kUnspecified) config_.scaling = Scaling::kStandardize;
    ResolveSplit(columns_, &config_, &violations_);
    return std::move(config_);
  }

 private:
  void Fault(std::string field, std::string description) {
    violations_.push_back({std::move(field), std::move(description)});
  }

  const ColumnInfo* Find(absl::string_view name) const { return columns_.Find(name); }

  std::string NoSuchColumn(absl::string_view name) const { return columns_.NoSuchColumn(name); }

  // The user wants several labels, whether or not they are in order.
  bool HasLabels() const {
    return !config_.label_columns.empty() || config_.task == Task::kMultilabel;
  }

  bool IsLabel(absl::string_view name) const {
    const std::vector<std::string>& labels = config_.label_columns;
    return std::find(labels.begin(), labels.end(), name) != labels.end();
  }

  void ResolveTarget() {
    if (HasLabels()) {
      if (config_.target_column.empty()) return;
      Fault("target_column",
            config_.label_columns.empty()
                ? "cannot be given with task multilabel; name label_columns instead"
                : "cannot be given together with label_columns; leave one of them empty");
      return;
    }
    if (config_.target_column.empty()) InferTarget();
    if (config_.target_column.empty()) return;
    target_ = Find(config_.target_column);
    if (target_ == nullptr) {
      Fault("target_column", NoSuchColumn(config_.target_column));
    } else if (target_->missing_count > 0) {
      Fault("target_column", MissingCells(*target_));
    }
  }

  void InferTarget() {
    std::vector<std::string> free;
    std::vector<std::string> named;
    for (const ColumnInfo& column : schema_.columns) {
      if (HasOtherPart(column.name)) continue;
      free.push_back(column.name);
      const std::string name = absl::AsciiStrToLower(column.name);
      const bool is_named = std::find(std::begin(kTargetNames), std::end(kTargetNames), name) !=
                            std::end(kTargetNames);
      if (is_named) named.push_back(column.name);
    }
    if (free.empty()) {
      Fault("target_column", "cannot be inferred: every column is used otherwise; name it");
      return;
    }
    const bool by_name = named.size() == 1;
    config_.target_column = by_name ? named[0] : free.back();
    notes_.push_back(
        absl::StrCat("target_column: \"", config_.target_column, "\", because it is ",
                     by_name ? "the only column with the name of a target" : "the last column",
                     "; name target_column to predict another"));
  }

  // What the user says the column is, besides a target.
  bool HasOtherPart(const std::string& name) const {
    const auto has = [&name](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    return has(config_.feature_columns) || has(config_.exclude_columns) ||
           name == config_.weight_column || IsSplitColumn(name);
  }

  bool IsSplitColumn(absl::string_view name) const {
    const SplitConfig& split = config_.split;
    return name == split.group_column || name == split.time_column || name == split.part_column;
  }

  void CheckLabels() {
    if (config_.task == Task::kMultilabel && config_.label_columns.empty()) {
      Fault("label_columns", "is required with task multilabel: the names of columns of 0 and 1");
    }
    absl::flat_hash_set<absl::string_view> seen;
    for (size_t i = 0; i < config_.label_columns.size(); ++i) {
      const std::string& name = config_.label_columns[i];
      std::string fault = seen.insert(name).second
                              ? LabelFault(name)
                              : absl::StrCat("column \"", name, "\" is named twice");
      if (!fault.empty()) Fault(absl::StrCat("label_columns[", i, "]"), std::move(fault));
    }
  }

  std::string LabelFault(const std::string& name) const {
    const ColumnInfo* column = Find(name);
    if (column == nullptr) return NoSuchColumn(name);
    if (column->type == ColumnType::kText) {
      return absl::StrCat("column \"", name, "\" is text; a label must be 0 or 1 in every row");
    }
    if (column->missing_count > 0) return MissingCells(*column);
    if (column->integers && !(column->min < 0) && !(column->max > 1)) return "";
    return absl::StrCat("column \"", name, "\" has other values than 0 and 1 (from ", column->min,
                        " to ", column->max, "); code the label as 0 and 1");
  }

  void CheckWeights() {
    if (config_.weight_column.empty()) return;
    std::string fault = WeightFault(config_.weight_column);
    if (!fault.empty()) Fault("weight_column", std::move(fault));
  }

  std::string WeightFault(const std::string& name) const {
    const std::string column_name = absl::StrCat("column \"", name, "\"");
    const ColumnInfo* column = Find(name);
    if (column == nullptr) return NoSuchColumn(name);
    if (name == config_.target_column || IsLabel(name)) {
      return absl::StrCat(column_name, " is what is to be predicted; choose another weight");
    }
    if (column->type == ColumnType::kText) {
      return absl::StrCat(column_name, " is text; weights must be numbers of at least 0");
    }
    if (column->missing_count > 0) return MissingCells(*column);
    if (column->min < 0) {
      return absl::StrCat(column_name, " has values down to ", column->min,
                          "; weights must be at least 0");
    }
    if (column->max == 0) {
      return absl::StrCat(column_name, " is 0 in every row; some weight must be above 0");
    }
    return "";
  }

  void ResolveMultilabel() {
    if (config_.task == Task::kUnspecified) {
      notes_.push_back("task: multilabel, because label_columns are given");
      config_.task = Task::kMultilabel;
    } else if (config_.task != Task::kMultilabel) {
      Fault("task", absl::StrCat("is ", TaskWord(config_.task),
                                 ", and label_columns are for multilabel; leave task out, or name "
                                 "a target_column instead of label_columns"));
    }
  }

  void ResolveTask() {
    if (config_.task == Task::kUnspecified) InferTask();
    if (config_.task == Task::kUnspecified) return;
    if (config_.task == Task::kRegression) {
      CheckRegression();
    } else {
      CheckClassification();
    }
  }

  void InferTask() {
    const std::string column = absl::StrCat("target \"", target_->name, "\"");
    std::string because;
    const bool names = target_->kind_given && (target_->kind == ColumnKind::kCategory ||
                                               target_->kind == ColumnKind::kBoolean);
    if (target_->type == ColumnType::kText || names) {
      config_.task = target_->distinct_count <= 2 ? Task::kBinary : Task::kMulticlass;
      because =
          absl::StrCat(column, names ? " was said to be a category and has " : " is text with ",
                       target_->distinct_count, " different values");
    } else if (!target_->integers) {
      config_.task = Task::kRegression;
      because = absl::StrCat(column, " has values that are not integers");
    } else if (target_->distinct_count > kNumericClassesInferredMax) {
      config_.task = Task::kRegression;
      because =
          absl::StrCat(column, " is numeric with ", target_->distinct_count, " different values");
    } else {
      Fault("task",
            absl::StrCat("cannot be inferred: ", column, " has ", target_->distinct_count,
                         " different integers, which may be names or a quantity; set task to ",
                         target_->distinct_count == 2 ? "binary" : "multiclass",
                         " to predict one of them, or to regression to predict a number"));
      return;
    }
    if (target_->distinct_count < 2 && config_.task != Task::kRegression)
      return;  // a fault, not a note
    notes_.push_back(absl::StrCat("task: ", TaskWord(config_.task), ", because ", because));
  }

  void CheckRegression() {
    if (target_->type == ColumnType::kText) {
      Fault("task",
            absl::StrCat("regression needs a numeric target, and \"", target_->name,
                         "\" is text; set task to multiclass, or to binary for two values"));
    }
  }

  void CheckClassification() {
    const int64_t classes = target_->distinct_count;
    if (classes < 2) {
      Fault("target_column",
            absl::StrCat("column \"", target_->name, "\" has ", classes,
                         " class only; there is nothing to tell apart: choose another target"));
    } else if (config_.task == Task::kBinary && classes != 2) {
      Fault("task", absl::StrCat("binary needs 2 different values, and \"", target_->name,
                                 "\" has ", classes, "; set task to multiclass or regression"));
    } else if (classes >= limits::kClassesMax) {
      Fault("target_column",
            absl::StrCat("column \"", target_->name, "\" has ", classes,
                         " different values; a classifier takes fewer than ", limits::kClassesMax,
                         ": group them, or set "
                         "task to regression for a numeric target"));
    }
  }

  DataConfig config_;
  const Schema& schema_;
  const SchemaIndex columns_;
  std::vector<FieldViolation>& violations_;
  std::vector<std::string>& notes_;
  const ColumnInfo* target_ = nullptr;
};

}  // namespace

DataConfig ResolveDataConfig(const DataConfig& config, const Schema& schema,
                             std::vector<FieldViolation>* violations,
                             std::vector<std::string>* notes) {
  return Resolver(config, schema, violations, notes).Run();
}

}  // namespace trainyard
