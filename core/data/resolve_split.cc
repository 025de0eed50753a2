#include "core/data/resolve_split.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/data/number.h"
#include "core/data/split.h"

namespace trainyard {
namespace {

constexpr double kFractionDefault = 0.15;
constexpr absl::string_view kParts = "train, validation (val, valid) or test";

bool ClassPrecedes(ColumnType type, const std::string& a, const std::string& b) {
  if (type == ColumnType::kText) return a < b;
  return ParseNumber(a).value_or(0) < ParseNumber(b).value_or(0);
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// One resolution of a split.
class SplitResolver {
 public:
  SplitResolver(const SchemaIndex& columns, DataConfig* config,
                std::vector<FieldViolation>* violations)
      : columns_(columns),
        config_(*config),
        split_(config->split),
        violations_(*violations),
        target_(columns.Find(config->target_column)) {}

  void Run() {
    const size_t before = violations_.size();
    CheckKinds();
    CheckColumns();
    CheckFoldCount();
    CheckFractions();
    ChooseFractions();
    if (violations_.size() == before) CheckSizes();
    CheckStratify();
  }

 private:
  void Fault(absl::string_view field, std::string description) {
    violations_.push_back({std::string(field), std::move(description)});
  }

  // What excludes each other.
  void CheckKinds() {
    const std::vector<std::pair<std::string, std::string>> named = SplitColumns(split_);
    for (size_t i = 1; i < named.size(); ++i) {
      Fault(named[i].first, absl::StrCat("cannot be given together with ", named[0].first,
                                         ", which also says where rows go; leave one of them out"));
    }
    if (split_.fold_count > 0) {
      const absl::string_view why = ", which deals rows into folds; leave one of them out";
      if (!split_.time_column.empty())
        Fault("split.fold_count", absl::StrCat("cannot be given together with time_column", why));
      if (!split_.part_column.empty())
        Fault("split.fold_count", absl::StrCat("cannot be given together with part_column", why));
    }
    if (!split_.stratify || named.empty()) return;
    Fault("split.stratify", absl::StrCat("cannot be true together with ", named[0].first,
                                         ", by which rows go to parts whatever their class; set "
                                         "it to false"));
  }

  void CheckColumns() {
    for (const auto& [field, name] : SplitColumns(split_)) {
      std::string fault = ColumnFault(field, name);
      if (!fault.empty()) Fault(field, std::move(fault));
    }
  }

  std::string ColumnFault(const std::string& field, const std::string& name) const {
    const ColumnInfo* column = columns_.Find(name);
    if (column == nullptr) return columns_.NoSuchColumn(name);
    if (name == config_.target_column || Contains(config_.label_columns, name)) {
      return absl::StrCat("column \"", name,
                          "\" is what is to be predicted; a split by it would "
                          "keep whole classes from training: choose another, or set stratify");
    }
    if (name == config_.weight_column) {
      return absl::StrCat("column \"", name, "\" is the weight_column; choose another");
    }
    if (column->missing_count > 0) return MissingCells(*column);
    return field == "split.part_column" ? PartFault(*column) : "";
  }

  std::string PartFault(const ColumnInfo& column) const {
    const std::string name = absl::StrCat("column \"", column.name, "\"");
    if (column.type != ColumnType::kText) {
      return absl::StrCat(name, " is numbers; its cells must be ", kParts);
    }
    if (column.values.size() != static_cast<size_t>(column.distinct_count)) {
      return absl::StrCat(name, " has ", column.distinct_count, " different values; they must be ",
                          kParts);
    }
    for (size_t i = 0; i < column.values.size(); ++i) {
      if (ParsePartId(column.values[i]).has_value()) continue;
      return absl::StrCat(name, " has the value \"", column.values[i], "\" in ",
                          column.value_counts[i], " rows; it must be ", kParts);
    }
    const SplitCounts counts = CountSplit(columns_.schema(), split_);
    if (counts.train == 0) return absl::StrCat(name, " has no row for \"train\"");
    if (config_.separate_test && counts.test > 0) {
      return absl::StrCat(name, " has ", counts.test,
                          " rows for \"test\", and test_dataset is "
                          "given too; leave one of both out");
    }
    return "";
  }

  void CheckFoldCount() {
    const int64_t count = split_.fold_count;
    if (count == 0 || (count >= limits::kFoldCountMin && count <= limits::kFoldCountMax)) return;
    Fault("split.fold_count", absl::StrCat("is ", count, "; must be from ", limits::kFoldCountMin,
                                           " to ", limits::kFoldCountMax, ": 5 and 10 are usual"));
  }

  // In range, and given only where there is something to choose.
  void CheckFractions() {
    const size_t before = violations_.size();
    CheckFraction("split.validation_fraction", split_.validation_fraction);
    CheckFraction("split.test_fraction", split_.test_fraction);
    if (violations_.size() > before) return;
    if (!split_.part_column.empty()) {
      RefuseFraction("validation_fraction", split_.validation_fraction, "split.part_column says");
      RefuseFraction("test_fraction", split_.test_fraction, "split.part_column says");
    } else if (split_.fold_count > 0) {
      RefuseFraction("validation_fraction", split_.validation_fraction,
                     "each of split.fold_count folds validates once, which says");
    }
    if (config_.separate_test && split_.part_column.empty()) {
      RefuseFraction("test_fraction", split_.test_fraction,
                     "the test rows are those of test_dataset, which says");
    }
  }

  void CheckFraction(absl::string_view field, const std::optional<double>& fraction) {
    if (!fraction || (*fraction >= 0 && *fraction < 1)) return;
    Fault(field, absl::StrCat("is ", *fraction, "; must be at least 0 and below 1"));
  }

  void RefuseFraction(absl::string_view field, const std::optional<double>& fraction,
                      absl::string_view who_says) {
    if (!fraction) return;
    Fault(absl::StrCat("split.", field), absl::StrCat("is ", *fraction, ", but ", who_says,
                                                      " how many rows that is; leave it out"));
  }

  void CheckStratify() {
    const bool classless = config_.task == Task::kRegression || config_.task == Task::kMultilabel;
    if (!split_.stratify || !classless) return;
    Fault("split.stratify", absl::StrCat("keeps class proportions, and ", TaskWord(config_.task),
                                         " has no classes; set it to false"));
  }

  void ChooseFractions() {
    if (!split_.part_column.empty()) return;
    const bool folds = split_.fold_count > 0;
    if (!folds && !split_.validation_fraction) split_.validation_fraction = kFractionDefault;
    if (!config_.separate_test && !split_.test_fraction) {
      split_.test_fraction = folds ? 0 : kFractionDefault;
    }
  }

  void CheckSizes() {
    if (!split_.part_column.empty()) return;
    const double together =
        split_.validation_fraction.value_or(0) + split_.test_fraction.value_or(0);
    if (together >= 1) {
      Fault(
          "split",
          absl::StrCat("validation_fraction and test_fraction are ", together,
                       " together; they must leave rows to train on: lower them below 1 together"));
      return;
    }
    if (!split_.group_column.empty()) return CheckGroupCount();
    CheckPartSizes();
    const bool classifies = config_.task == Task::kBinary || config_.task == Task::kMulticlass;
    if (split_.stratify && classifies && target_ != nullptr) CheckClassSizes();
  }

  void CheckGroupCount() {
    const ColumnInfo& column = *columns_.Find(split_.group_column);
    const int64_t needed = GroupsNeeded(split_);
    if (column.distinct_count >= needed) return;
    Fault("split.group_column",
          absl::StrCat("column \"", column.name, "\" has ", column.distinct_count,
                       " different values, and each of ", needed,
                       split_.fold_count > 0 ? " folds and parts" : " parts",
                       " needs one of its own; ask for fewer parts, or choose another column"));
  }

  void CheckPartSizes() {
    const int64_t rows = columns_.schema().rows;
    // The last fold is among the smallest, and the first leaves the fewest rows to train on.
    const SplitCounts counts =
        CountSplit(rows, split_, std::max<int64_t>(split_.fold_count - 1, 0));
    const std::string of_rows = absl::StrCat(" of ", rows, " rows");
    if (split_.fold_count > 0 && counts.validation == 0) {
      Fault("split.fold_count",
            absl::StrCat(split_.fold_count, of_rows, " leaves folds without a row; lower it"));
      return;
    }
    if (split_.validation_fraction.value_or(0) > 0 && counts.validation == 0) {
      Fault("split.validation_fraction", absl::StrCat(*split_.validation_fraction, of_rows,
                                                      " is no row; raise it, or set it to 0"));
    }
    if (split_.test_fraction.value_or(0) > 0 && counts.test == 0) {
      Fault("split.test_fraction",
            absl::StrCat(*split_.test_fraction, of_rows, " is no row; raise it, or set it to 0"));
    }
    if (counts.train == 0) {
      Fault("split", absl::StrCat("leaves no row", of_rows,
                                  " to train on; lower the fractions, or upload more rows"));
    }
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
    const std::vector<SplitCounts> counts = CountStratifiedSplit(class_rows, split_);
    for (size_t i = 0; i < counts.size(); ++i) {
      if (!IsClassTooSmall(counts[i], split_)) continue;
      Fault("split.stratify", DescribeTooSmallClass(target_->values[order[i]], class_rows[i]));
    }
  }

  const SchemaIndex& columns_;
  DataConfig& config_;
  SplitConfig& split_;
  std::vector<FieldViolation>& violations_;
  const ColumnInfo* target_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> SplitColumns(const SplitConfig& split) {
  std::vector<std::pair<std::string, std::string>> named;
  if (!split.group_column.empty()) named.emplace_back("split.group_column", split.group_column);
  if (!split.time_column.empty()) named.emplace_back("split.time_column", split.time_column);
  if (!split.part_column.empty()) named.emplace_back("split.part_column", split.part_column);
  return named;
}

void ResolveSplit(const SchemaIndex& columns, DataConfig* config,
                  std::vector<FieldViolation>* violations) {
  SplitResolver(columns, config, violations).Run();
}

}  // namespace trainyard
