#include "core/data/data_warnings.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/limits.h"
#include "core/data/duplicate_rows.h"
#include "core/data/number.h"
#include "core/data/schema_index.h"
#include "core/data/target_leaks.h"

namespace trainyard {
namespace {

constexpr int64_t kClassRowsMin = 2;        // of a part
constexpr double kMinorityShareMin = 0.01;  // of the training rows
constexpr double kEvenShareRatioMin = 0.1;  // to what each class would have
constexpr int64_t kClassRatioMax = 100;
constexpr double kUnseenShareMin = 0.01;  // of validation and test rows
constexpr double kUnscaledMax = 100;      // mean or standard deviation
constexpr double kSpreadRatioMax = 1000;
constexpr size_t kExamplesMax = 5;

// The first few, in quotes where they are names, and how many there are more.
std::string Examples(const std::vector<std::string>& texts) {
  const size_t shown = std::min(texts.size(), kExamplesMax);
  std::string list = absl::StrJoin(texts.begin(), texts.begin() + shown, ", ");
  if (shown < texts.size()) absl::StrAppend(&list, " and ", texts.size() - shown, " more");
  return list;
}

// Rows of each class, or rows that have each label.
std::vector<int64_t> CountClasses(const Part& part, const Dataset& dataset) {
  std::vector<int64_t> counts(dataset.classes.size(), 0);
  for (const int32_t c : part.classes) ++counts[c];
  const size_t labels = dataset.config.task == Task::kMultilabel ? counts.size() : 1;
  for (size_t i = 0; i < part.targets.size(); ++i) {
    const bool is_one = part.targets[i] > 0.5F;
    if (labels > 1 || dataset.config.task == Task::kMultilabel) {
      counts[i % labels] += is_one ? 1 : 0;
    } else {
      ++counts[is_one ? 1 : 0];
    }
  }
  return counts;
}

class Diagnoser {
 public:
  explicit Diagnoser(const DataToDiagnose& data)
      : data_(data),
        dataset_(data.dataset),
        config_(data.dataset.config),
        columns_(FeatureColumns(data.table, data.dataset.config)) {}

  std::vector<std::string> Run() {
    Append(FindTargetLeaks(data_));
    Append(FindDuplicateRows(data_));
    const bool classifies = !dataset_.classes.empty();
    if (classifies) DiagnoseSmallClasses();
    if (config_.task == Task::kMultilabel) DiagnoseLabels();
    if (classifies && config_.task != Task::kMultilabel) DiagnoseImbalance();
    if (!classifies) DiagnoseFrequentNumber();
    DiagnoseUnseenCategories();
    DiagnoseConstantFeatures();
    DiagnoseUnscaledFeatures();
    Cap();
    return std::move(messages_);
  }

 private:
  void Append(std::vector<std::string> messages) {
    std::move(messages.begin(), messages.end(), std::back_inserter(messages_));
  }

  void DiagnoseSmallClasses() {
    const std::pair<const Part*, absl::string_view> parts[] = {{&dataset_.train, "training"},
                                                               {&dataset_.validation, "validation"},
                                                               {&dataset_.test, "test"}};
    for (const auto& [part, name] : parts) {
      if (part->rows() == 0) continue;
      const std::vector<int64_t> counts = CountClasses(*part, dataset_);
      std::vector<std::string> small;
      for (size_t c = 0; c < counts.size(); ++c) {
        if (counts[c] >= kClassRowsMin) continue;
        small.push_back(absl::StrCat("\"", dataset_.classes[c], "\" (", counts[c], ")"));
      }
      if (small.empty()) continue;
      const bool labels = config_.task == Task::kMultilabel;
      messages_.push_back(absl::StrCat(
          "fewer than ", kClassRowsMin, " of the ", part->rows(), " ", name, " rows ",
          labels ? "have the label " : "are of class ", Examples(small), "; ",
          part == &dataset_.train ? "too few to learn from" : "metrics say nothing about it", ": ",
          labels || config_.split.stratify ? "" : "set split.stratify, ",
          "choose larger parts, or add rows"));
    }
  }

  void DiagnoseImbalance() {
    const std::vector<int64_t> counts = CountClasses(dataset_.train, dataset_);
    const auto rows = static_cast<double>(dataset_.train.rows());
    const auto largest = std::max_element(counts.begin(), counts.end());
    const double share_min =
        std::min(kMinorityShareMin, kEvenShareRatioMin / static_cast<double>(counts.size()));
    std::vector<std::string> small;
    for (size_t c = 0; c < counts.size(); ++c) {
      const double share = static_cast<double>(counts[c]) / rows;
      const bool fits = share >= share_min && counts[c] * kClassRatioMax >= *largest;
      if (fits || counts[c] == 0) continue;
      small.push_back(absl::StrCat("\"", dataset_.classes[c], "\" (", PercentText(share), ")"));
    }
    if (small.empty()) return;
    messages_.push_back(
        absl::StrCat("the training rows are severely imbalanced: class ", Examples(small),
                     "; answering always \"", dataset_.classes[largest - counts.begin()],
                     "\" is right in ", PercentText(static_cast<double>(*largest) / rows),
                     " of them, so look at f1 or pr_auc, not at accuracy, and set "
                     "loss_options.balanced_class_weights or add rows of the rare class"));
  }

  void DiagnoseLabels() {
    const std::vector<int64_t> counts = CountClasses(dataset_.train, dataset_);
    const auto rows = static_cast<double>(dataset_.train.rows());
    std::vector<std::string> uneven;
    for (size_t c = 0; c < counts.size(); ++c) {
      const double share = static_cast<double>(counts[c]) / rows;
      const bool fits = share >= kMinorityShareMin && share <= 1 - kMinorityShareMin;
      if (fits || counts[c] == 0) continue;
      uneven.push_back(absl::StrCat("\"", dataset_.classes[c], "\" (", PercentText(share), ")"));
    }
    if (uneven.empty()) return;
    messages_.push_back(absl::StrCat(
        "labels that almost no or almost every training row has: ", Examples(uneven),
        "; a constant answer is right in more than ", PercentText(1 - kMinorityShareMin),
        ", so look at f1 or pr_auc, not at accuracy, and weigh them with "
        "loss_options.class_weights"));
  }

  // Boyer and Moore's vote finds a number that more than half of the rows have, if there is one.
  void DiagnoseFrequentNumber() {
    const Column* target = data_.table.FindColumn(config_.target_column);
    if (target == nullptr || target->type != ColumnType::kNumeric) return;
    double candidate = 0;
    int64_t votes = 0;
    for (const int64_t row : data_.split.train) {
      if (votes == 0) candidate = target->numbers[row];
      votes += target->numbers[row] == candidate ? 1 : -1;
    }
    int64_t count = 0;
    for (const int64_t row : data_.split.train) count += target->numbers[row] == candidate ? 1 : 0;
    const double share = static_cast<double>(count) / static_cast<double>(data_.split.train.size());
    if (!(share > 1 - kMinorityShareMin)) return;
    messages_.push_back(absl::StrCat(
        "the target is ", NumberText(candidate), " in ", PercentText(share),
        " of the training rows, so answering always that is right as often; predict first whether "
        "it is another number, or train on the rows where it is"));
  }

  void DiagnoseUnseenCategories() {
    const Table* test_table = data_.test_table;
    std::vector<const Column*> test_columns = columns_;
    if (test_table != nullptr) test_columns = FeatureColumns(*test_table, config_);
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool is_text = columns_[i] != nullptr && columns_[i]->type == ColumnType::kText;
      // Hashing is the choice of who expects new values.
      const bool hashed = dataset_.preprocessor.transforms()[i].encoding == Encoding::kHashing;
      if (is_text && !hashed) DiagnoseUnseen(*columns_[i], test_columns[i]);
    }
  }

  void DiagnoseUnseen(const Column& column, const Column* test_column) {
    absl::flat_hash_set<absl::string_view> seen;
    std::vector<bool> is_seen(column.categories.size(), false);
    for (const int64_t row : data_.split.train) {
      const int32_t code = column.codes[row];
      if (code >= 0) is_seen[code] = true;
    }
    for (size_t code = 0; code < is_seen.size(); ++code) {
      if (is_seen[code]) seen.insert(column.categories[code]);
    }
    Unseen unseen;
    for (const int64_t row : data_.split.validation) CountUnseen(column, row, seen, &unseen);
    for (const int64_t row : data_.split.test) CountUnseen(column, row, seen, &unseen);
    const bool separate = data_.test_table != nullptr && test_column != nullptr &&
                          test_column->type == ColumnType::kText;
    for (int64_t row = 0; separate && row < data_.test_table->rows; ++row) {
      CountUnseen(*test_column, row, seen, &unseen);
    }
    const int64_t rows = dataset_.validation.rows() + dataset_.test.rows();
    const double share = static_cast<double>(unseen.rows) / static_cast<double>(rows);
    if (unseen.rows == 0 || share < kUnseenShareMin) return;
    messages_.push_back(absl::StrCat(unseen.rows, " validation and test rows, ", PercentText(share),
                                     ", have categories in column \"", column.name,
                                     "\" that no training row has: ", Examples(unseen.names),
                                     "; nothing is learned of them: group rare values, encode the "
                                     "column by hashing, or leave it "
                                     "out"));
  }

  struct Unseen {
    int64_t rows = 0;
    std::vector<std::string> names;  // in quotes
    absl::flat_hash_set<absl::string_view> known;
  };

  static void CountUnseen(const Column& column, int64_t row,
                          const absl::flat_hash_set<absl::string_view>& seen, Unseen* unseen) {
    const int32_t code = column.codes[row];
    if (code < 0 || seen.contains(column.categories[code])) return;
    ++unseen->rows;
    const std::string& name = column.categories[code];
    if (unseen->known.insert(name).second) unseen->names.push_back(absl::StrCat("\"", name, "\""));
  }

  // Those that are constant in the whole table are told when the spec is resolved.
  void DiagnoseConstantFeatures() {
    std::vector<std::string> constant;
    for (const Column* column : columns_) {
      if (column == nullptr || column->stats.distinct_count == 1) continue;
      if (IsConstant(*column)) constant.push_back(column->name);
    }
    if (constant.empty()) return;
    messages_.push_back(absl::StrCat(
        "features that are the same in every training row, though not in the table, teach "
        "nothing: ",
        NameList(constant), "; choose another seed or split, or name them in exclude_columns"));
  }

  bool IsConstant(const Column& column) const {
    const std::vector<int64_t>& rows = data_.split.train;
    if (column.type == ColumnType::kText) {
      return std::all_of(rows.begin(), rows.end(),
                         [&](int64_t row) { return column.codes[row] == column.codes[rows[0]]; });
    }
    const double first = column.numbers[rows[0]];
    return std::all_of(rows.begin(), rows.end(), [&](int64_t row) {
      return column.numbers[row] == first || (std::isnan(column.numbers[row]) && std::isnan(first));
    });
  }

  void DiagnoseUnscaledFeatures() {
    std::vector<std::string> far;
    double smallest = std::numeric_limits<double>::infinity();
    double largest = 0;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] == nullptr || !IsLearnedAsItIs(i)) continue;
      const ColumnStats& stats = columns_[i]->stats;
      const double deviation = stats.standard_deviation;
      if (deviation > 0) smallest = std::min(smallest, deviation);
      largest = std::max(largest, deviation);
      if (std::abs(stats.mean) <= kUnscaledMax && deviation <= kUnscaledMax) continue;
      far.push_back(absl::StrCat("\"", columns_[i]->name, "\" (mean ", stats.mean, ", deviation ",
                                 deviation, ")"));
    }
    const bool uneven = largest > kSpreadRatioMax * smallest;
    if (far.empty() && !uneven) return;
    const std::string what =
        far.empty() ? absl::StrCat("their deviations reach from ", smallest, " to ", largest)
                    : Examples(far);
    messages_.push_back(absl::StrCat(
        "features that are not scaled are far from the range that networks learn well in: ", what,
        "; leave scaling out, or set it to standardize"));
  }

  // A number that reaches the network unchanged.
  bool IsLearnedAsItIs(size_t column) const {
    const ColumnTransform& transform = dataset_.preprocessor.transforms()[column];
    return columns_[column]->type == ColumnType::kNumeric &&
           transform.encoding == Encoding::kNumber && transform.offset == 0 && transform.scale == 1;
  }

  void Cap() {
    const auto count = static_cast<int64_t>(messages_.size());
    if (count <= limits::kDataWarningsMax) return;
    messages_.resize(limits::kDataWarningsMax);
    messages_.back() = absl::StrCat(count - limits::kDataWarningsMax + 1,
                                    " or more warnings of the data are left out");
  }

  const DataToDiagnose& data_;
  const Dataset& dataset_;
  const DataConfig& config_;
  const std::vector<const Column*> columns_;
  std::vector<std::string> messages_;
};

}  // namespace

std::vector<std::string> DiagnoseData(const DataToDiagnose& data) { return Diagnoser(data).Run(); }

std::string PercentText(double share) { return absl::StrCat(std::round(share * 1e4) / 1e2, " %"); }

std::vector<int64_t> EvenlySpaced(int64_t count, int64_t size) {
  std::vector<int64_t> numbers;
  numbers.reserve(count);
  for (int64_t i = 0; i < count; ++i) numbers.push_back(i * size / count);
  return numbers;
}

std::vector<const Column*> FeatureColumns(const Table& table, const DataConfig& config) {
  absl::flat_hash_map<absl::string_view, const Column*> by_name;
  for (const Column& column : table.columns) by_name.emplace(column.name, &column);
  std::vector<const Column*> columns;
  for (const std::string& name : config.feature_columns) {
    const auto it = by_name.find(name);
    columns.push_back(it == by_name.end() ? nullptr : it->second);
  }
  return columns;
}

}  // namespace trainyard
