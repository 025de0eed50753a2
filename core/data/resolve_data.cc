// ResolveDataConfig: what a user said about the data, checked against the schema and filled in.
#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/limits.h"
#include "core/base/nearest.h"
#include "core/data/dataset.h"
#include "core/data/number.h"
#include "core/data/split.h"

namespace trainyard {
namespace {

constexpr size_t kNamesShownMax = 20;
// With more different values than this, or any that is not an integer, a numeric target is a
// quantity.
constexpr int64_t kNumericClassesInferredMax = 20;

// "a", "b", "c" and 7 more.
std::string NameList(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamesShownMax);
  std::string list = absl::StrJoin(
      names.begin(), names.begin() + shown, ", ",
      [](std::string* out, const std::string& name) { absl::StrAppend(out, "\"", name, "\""); });
  if (shown < names.size()) absl::StrAppend(&list, " and ", names.size() - shown, " more");
  return list;
}

bool ClassPrecedes(ColumnType type, const std::string& a, const std::string& b) {
  if (type == ColumnType::kText) return a < b;
  return ParseNumber(a).value_or(0) < ParseNumber(b).value_or(0);
}

// One resolution: reads config and schema, collects faults and notes.
class Resolver {
 public:
  Resolver(const DataConfig& config, const Schema& schema, std::vector<FieldViolation>* violations,
           std::vector<std::string>* notes)
      : config_(config), schema_(schema), violations_(*violations), notes_(*notes) {
    for (const ColumnInfo& column : schema.columns) by_name_.emplace(column.name, &column);
  }

  DataConfig Run() {
    ResolveTarget();
    CheckLabels();
    CheckWeights();
    ResolveFeatures();
    if (HasLabels()) {
      ResolveMultilabel();
    } else if (target_ != nullptr) {
      ResolveTask();
    }
    if (config_.scaling == Scaling::kUnspecified) config_.scaling = Scaling::kStandardize;
    CheckSplit();
    return std::move(config_);
  }

 private:
  void Fault(std::string field, std::string description) {
    violations_.push_back({std::move(field), std::move(description)});
  }

  const ColumnInfo* Find(absl::string_view name) const {
    const auto it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : it->second;
  }

  std::string NoSuchColumn(absl::string_view name) const {
    std::vector<std::string> names;
    for (const ColumnInfo& column : schema_.columns) names.push_back(column.name);
    const std::string nearest = Nearest(name, names);
    if (!nearest.empty())
      return absl::StrCat("no column \"", name, "\"; did you mean \"", nearest, "\"?");
    return absl::StrCat("no column \"", name, "\"; the columns are ", NameList(names));
  }

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
    if (config_.target_column.empty()) {
      Fault("target_column", "is required: the name of the column to predict");
      return;
    }
    target_ = Find(config_.target_column);
    if (target_ == nullptr) {
      Fault("target_column", NoSuchColumn(config_.target_column));
    } else if (target_->missing_count > 0) {
      Fault("target_column", MissingCells(*target_));
    }
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

  static std::string MissingCells(const ColumnInfo& column) {
    return absl::StrCat("column \"", column.name, "\" has ", column.missing_count,
                        " missing cells; fill them or remove their rows, and upload again");
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

  void ResolveFeatures() {
    const bool both = !config_.feature_columns.empty() && !config_.exclude_columns.empty();
    if (both)
      Fault("exclude_columns",
            "cannot be given together with feature_columns; leave one of them empty");
    CheckExcluded();
    if (!config_.feature_columns.empty()) {
      CheckGivenFeatures();
    } else if (target_ != nullptr || !config_.label_columns.empty()) {
      TakeOtherColumns();  // without a known target it would be among them, and look like a fault
    }
    config_.exclude_columns.clear();
    NoteConstantFeatures();
  }

  void CheckExcluded() {
    absl::flat_hash_set<absl::string_view> seen;
    for (size_t i = 0; i < config_.exclude_columns.size(); ++i) {
      const std::string& name = config_.exclude_columns[i];
      std::string field = absl::StrCat("exclude_columns[", i, "]");
      if (Find(name) == nullptr) {
        Fault(std::move(field), NoSuchColumn(name));
      } else if (!seen.insert(name).second) {
        Fault(std::move(field), absl::StrCat("column \"", name, "\" is named twice"));
      }
    }
  }

  void CheckGivenFeatures() {
    absl::flat_hash_set<absl::string_view> seen;
    for (size_t i = 0; i < config_.feature_columns.size(); ++i) {
      const std::string& name = config_.feature_columns[i];
      const ColumnInfo* column = Find(name);
      std::string fault;
      if (column == nullptr) {
        fault = NoSuchColumn(name);
      } else if (!seen.insert(name).second) {
        fault = absl::StrCat("column \"", name, "\" is named twice");
      } else if (name == config_.target_column) {
        fault = absl::StrCat("column \"", name, "\" is the target; remove it from the features");
      } else if (IsLabel(name) || name == config_.weight_column) {
        fault = absl::StrCat("column \"", name, "\" is a ", IsLabel(name) ? "label" : "weight",
                             "; remove it from the features");
      } else if (column->type == ColumnType::kText) {
        fault =
            absl::StrCat("column \"", name,
                         "\" is text; features must be numeric: code it as numbers or remove it");
      } else if (column->missing_count > 0) {
        fault = absl::StrCat("column \"", name, "\" has ", column->missing_count,
                             " missing cells; fill them, or remove the column");
      }
      if (!fault.empty()) Fault(absl::StrCat("feature_columns[", i, "]"), std::move(fault));
    }
  }

  // Every column that has no other part and is not excluded, in table order.
  void TakeOtherColumns() {
    absl::flat_hash_set<std::string> excluded(config_.exclude_columns.begin(),
                                              config_.exclude_columns.end());
    excluded.insert(config_.label_columns.begin(), config_.label_columns.end());
    excluded.insert({config_.target_column, config_.weight_column});
    std::vector<std::string> text;
    std::vector<std::string> with_missing;
    for (const ColumnInfo& column : schema_.columns) {
      if (excluded.contains(column.name)) continue;
      config_.feature_columns.push_back(column.name);
      if (column.type == ColumnType::kText) {
        text.push_back(column.name);
      } else if (column.missing_count > 0) {
        with_missing.push_back(column.name);
      }
    }
    if (!text.empty()) {
      Fault("feature_columns",
            absl::StrCat("features must be numeric, and these columns are text: ", NameList(text),
                         "; name them in exclude_columns, or code them as numbers"));
    }
    if (!with_missing.empty()) {
      Fault("feature_columns",
            absl::StrCat("these columns have missing cells: ", NameList(with_missing),
                         "; name them in exclude_columns, or fill the cells"));
    }
    if (config_.feature_columns.empty()) {
      Fault("feature_columns", "no column is left to learn from; exclude fewer columns");
    }
  }

  void NoteConstantFeatures() {
    std::vector<std::string> constant;
    for (const std::string& name : config_.feature_columns) {
      const ColumnInfo* column = Find(name);
      if (column != nullptr && column->distinct_count == 1) constant.push_back(name);
    }
    if (!constant.empty()) {
      notes_.push_back(absl::StrCat("features that are the same in every row teach nothing: ",
                                    NameList(constant)));
    }
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
    if (target_->type == ColumnType::kText) {
      config_.task = target_->distinct_count <= 2 ? Task::kBinary : Task::kMulticlass;
      because =
          absl::StrCat(column, " is text with ", target_->distinct_count, " different values");
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
                         " different integers; set task to binary, multiclass or regression"));
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
      // Counting stops at kDistinctCountMax, which is the same number.
      Fault("target_column",
            absl::StrCat("column \"", target_->name, "\" has ", limits::kClassesMax,
                         " different values or more; a classifier takes fewer: group them, or set "
                         "task to regression for a numeric target"));
    }
  }

  void CheckSplit() {
    const SplitConfig& split = config_.split;
    const bool validation_ok =
        CheckFraction("split.validation_fraction", split.validation_fraction);
    const bool test_ok = CheckFraction("split.test_fraction", split.test_fraction);
    if (validation_ok && test_ok) CheckPartSizes();
    const bool classless = config_.task == Task::kRegression || config_.task == Task::kMultilabel;
    if (split.stratify && classless) {
      Fault("split.stratify", absl::StrCat("keeps class proportions, and ", TaskWord(config_.task),
                                           " has no classes; set it to false"));
    }
  }

  bool CheckFraction(std::string field, double fraction) {
    if (fraction >= 0 && fraction < 1) return true;
    Fault(std::move(field), absl::StrCat("is ", fraction, "; must be at least 0 and below 1"));
    return false;
  }

  void CheckPartSizes() {
    const SplitConfig& split = config_.split;
    const double together = split.validation_fraction + split.test_fraction;
    if (together >= 1) {
      Fault(
          "split",
          absl::StrCat("validation_fraction and test_fraction are ", together,
                       " together; they must leave rows to train on: lower them below 1 together"));
      return;
    }
    const SplitCounts counts = CountSplit(schema_.rows, split);
    const std::string of_rows = absl::StrCat(" of ", schema_.rows, " rows");
    if (split.validation_fraction > 0 && counts.validation == 0) {
      Fault("split.validation_fraction", absl::StrCat(split.validation_fraction, of_rows,
                                                      " is no row; raise it, or set it to 0"));
    }
    if (split.test_fraction > 0 && counts.test == 0) {
      Fault("split.test_fraction",
            absl::StrCat(split.test_fraction, of_rows, " is no row; raise it, or set it to 0"));
    }
    if (counts.train == 0) {
      Fault("split", absl::StrCat("leaves no row", of_rows,
                                  " to train on; lower the fractions, or upload more rows"));
    }
    const bool classifies = config_.task == Task::kBinary || config_.task == Task::kMulticlass;
    if (split.stratify && classifies && target_ != nullptr) CheckClassSizes();
  }

  void CheckClassSizes() {
    if (target_->value_counts.size() != target_->values.size()) return;
    // In class order, which decides ties between equal remainders.
    std::vector<size_t> order(target_->values.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return ClassPrecedes(target_->type, target_->values[a], target_->values[b]);
    });
    std::vector<int64_t> class_rows;
    for (const size_t c : order) class_rows.push_back(target_->value_counts[c]);
    const std::vector<SplitCounts> counts = CountStratifiedSplit(class_rows, config_.split);
    for (size_t i = 0; i < counts.size(); ++i) {
      if (!IsClassTooSmall(counts[i], config_.split)) continue;
      Fault("split.stratify", DescribeTooSmallClass(target_->values[order[i]], class_rows[i]));
    }
  }

  DataConfig config_;
  const Schema& schema_;
  std::vector<FieldViolation>& violations_;
  std::vector<std::string>& notes_;
  absl::flat_hash_map<absl::string_view, const ColumnInfo*> by_name_;
  const ColumnInfo* target_ = nullptr;
};

}  // namespace

DataConfig ResolveDataConfig(const DataConfig& config, const Schema& schema,
                             std::vector<FieldViolation>* violations,
                             std::vector<std::string>* notes) {
  return Resolver(config, schema, violations, notes).Run();
}

}  // namespace trainyard
