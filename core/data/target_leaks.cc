#include "core/data/target_leaks.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/base/limits.h"

namespace trainyard {
namespace {

constexpr double kCorrelationMin = 0.999;
constexpr double kAccuracyMin = 0.995;
constexpr double kErrorRatioMax = 0.1;     // to the errors of a constant answer
constexpr double kUnexplainedMax = 0.002;  // of the variance: 1 - kCorrelationMin², rounded up
constexpr int64_t kRowsNeeded = 20;        // fewer agree by chance
constexpr int64_t kOtherClassRowsNeeded = 10;
constexpr int64_t kValueRowsNeeded = 5;

constexpr absl::string_view kRemedy =
    "; if it is not known before the target is, name it in exclude_columns";

// A target, or one of several labels, in the rows that are looked at.
struct Target {
  std::string name;              // as it stands in messages
  std::vector<double> numbers;   // [rows]; empty where the classes have no order
  std::vector<int32_t> classes;  // [rows]; empty for a regression
  int64_t class_count = 0;
};

// The values of a feature as numbers from 0 on.
struct Values {
  std::vector<int32_t> of_row;  // [rows]
  int64_t count = 0;
};

// Pearson's, of the pairs added; Welford's update does not cancel however far values are from 0.
class Correlation {
 public:
  void Add(double x, double y) {
    ++count_;
    const double dx = x - mean_x_;
    const double dy = y - mean_y_;
    mean_x_ += dx / static_cast<double>(count_);
    mean_y_ += dy / static_cast<double>(count_);
    xx_ += dx * (x - mean_x_);
    yy_ += dy * (y - mean_y_);
    xy_ += dx * (y - mean_y_);
  }
  int64_t count() const { return count_; }
  // Not a number when one of the two is constant.
  double value() const { return xy_ / std::sqrt(xx_ * yy_); }

 private:
  int64_t count_ = 0;
  double mean_x_ = 0, mean_y_ = 0, xx_ = 0, yy_ = 0, xy_ = 0;
};

std::optional<Values> ValuesOfText(const Column& column, const std::vector<int64_t>& rows) {
  Values values{.count = static_cast<int64_t>(column.categories.size()) + 1};
  if (values.count > limits::kLeakValuesMax) return std::nullopt;
  for (const int64_t row : rows) values.of_row.push_back(column.codes[row] + 1);  // missing: 0
  return values;
}

std::optional<Values> ValuesOfNumbers(const Column& column, const std::vector<int64_t>& rows) {
  absl::flat_hash_map<double, int32_t> index;
  Values values{.count = 1};  // missing: 0
  for (const int64_t row : rows) {
    const double number = column.numbers[row];
    if (std::isnan(number)) {
      values.of_row.push_back(0);
      continue;
    }
    const auto [it, is_new] = index.try_emplace(number, static_cast<int32_t>(values.count));
    if (is_new) ++values.count;
    if (values.count > limits::kLeakValuesMax) return std::nullopt;
    values.of_row.push_back(it->second);
  }
  return values;
}

bool IsMissing(const Column& column, int64_t row) {
  return column.type == ColumnType::kText ? column.codes[row] < 0 : std::isnan(column.numbers[row]);
}

Values Presence(const Column& column, const std::vector<int64_t>& rows) {
  Values values{.count = 2};
  for (const int64_t row : rows) values.of_row.push_back(IsMissing(column, row) ? 1 : 0);
  return values;
}

// How often answering by value, and answering always the same, is right.
struct Accuracy {
  double by_value = 0;
  double constant = 0;
  int64_t other_rows = 0;  // that are not of the most frequent class
};

Accuracy AccuracyOf(const Values& values, const Target& target) {
  const int64_t classes = target.class_count;
  std::vector<int32_t> counts(values.count * classes, 0);  // [values, classes]
  std::vector<int64_t> totals(classes, 0);
  for (size_t i = 0; i < values.of_row.size(); ++i) {
    ++counts[values.of_row[i] * classes + target.classes[i]];
    ++totals[target.classes[i]];
  }
  const auto most = std::max_element(totals.begin(), totals.end()) - totals.begin();
  int64_t right = 0;
  for (int64_t v = 0; v < values.count; ++v) {
    const auto begin = counts.begin() + v * classes;
    int64_t rows = 0;
    for (int64_t c = 0; c < classes; ++c) rows += begin[c];
    right += rows < kValueRowsNeeded ? begin[most] : *std::max_element(begin, begin + classes);
  }
  const auto rows = static_cast<int64_t>(values.of_row.size());
  return {.by_value = static_cast<double>(right) / static_cast<double>(rows),
          .constant = static_cast<double>(totals[most]) / static_cast<double>(rows),
          .other_rows = rows - totals[most]};
}

bool Tells(const Accuracy& accuracy) {
  return accuracy.other_rows >= kOtherClassRowsNeeded && accuracy.by_value >= kAccuracyMin &&
         1 - accuracy.by_value <= kErrorRatioMax * (1 - accuracy.constant);
}

// What the means of the values leave of the variance of a number; 1 when nothing can be said.
double UnexplainedShare(const Values& values, const std::vector<double>& numbers) {
  std::vector<double> sums(values.count, 0);
  std::vector<int64_t> counts(values.count, 0);
  double sum = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    sums[values.of_row[i]] += numbers[i];
    ++counts[values.of_row[i]];
    sum += numbers[i];
  }
  const double mean = sum / static_cast<double>(numbers.size());
  double total = 0;
  double left = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const int32_t value = values.of_row[i];
    const double answer =
        counts[value] < kValueRowsNeeded ? mean : sums[value] / static_cast<double>(counts[value]);
    total += (numbers[i] - mean) * (numbers[i] - mean);
    left += (numbers[i] - answer) * (numbers[i] - answer);
  }
  return total > 0 && std::isfinite(total) ? left / total : 1;
}

class LeakFinder {
 public:
  explicit LeakFinder(const DataToDiagnose& data)
      : data_(data),
        columns_(FeatureColumns(data.table, data.dataset.config)),
        train_rows_(static_cast<int64_t>(data.split.train.size())) {}

  std::vector<std::string> Run() {
    if (train_rows_ < kRowsNeeded || columns_.empty()) return {};
    ChooseRows();
    std::vector<Target> targets;
    for (int64_t t = 0; t < targets_looked_at_; ++t) targets.push_back(TargetAt(t));
    for (const Column* column : columns_) {
      if (column != nullptr) Compare(*column, targets);
    }
    SayWhatWasLeftOut();
    return std::move(messages_);
  }

 private:
  int64_t TargetCount() const {
    const DataConfig& config = data_.dataset.config;
    return config.task == Task::kMultilabel ? static_cast<int64_t>(config.label_columns.size()) : 1;
  }

  void ChooseRows() {
    const auto features = static_cast<int64_t>(columns_.size());
    const int64_t rows_min = std::min(train_rows_, limits::kLeakRowsMin);
    targets_looked_at_ =
        std::clamp<int64_t>(limits::kLeakCellsMax / (features * rows_min), 1, TargetCount());
    const int64_t count =
        std::clamp(limits::kLeakCellsMax / (features * targets_looked_at_), rows_min, train_rows_);
    positions_ = EvenlySpaced(count, train_rows_);
    for (const int64_t position : positions_) rows_.push_back(data_.split.train[position]);
    where_ = count == train_rows_
                 ? absl::StrCat("in all ", count, " training rows")
                 : absl::StrCat("in the ", count, " training rows that were looked at (of ",
                                train_rows_, ")");
  }

  Target TargetAt(int64_t index) const {
    const DataConfig& config = data_.dataset.config;
    const Part& train = data_.dataset.train;
    if (config.task == Task::kMultilabel) {
      Target target{.name = absl::StrCat("label \"", config.label_columns[index], "\"")};
      const int64_t labels = TargetCount();
      return WithTwoClasses(std::move(target), [&](int64_t position) {
        return train.targets[position * labels + index] > 0.5F;
      });
    }
    Target target{.name = absl::StrCat("target \"", config.target_column, "\"")};
    if (config.task == Task::kBinary) {
      return WithTwoClasses(std::move(target),
                            [&](int64_t position) { return train.targets[position] > 0.5F; });
    }
    if (config.task == Task::kMulticlass) {
      target.class_count = static_cast<int64_t>(data_.dataset.classes.size());
      for (const int64_t position : positions_) target.classes.push_back(train.classes[position]);
    }
    const Column* column = data_.table.FindColumn(config.target_column);
    if (column == nullptr || column->type == ColumnType::kText) return target;
    for (const int64_t row : rows_) target.numbers.push_back(column->numbers[row]);
    return target;
  }

  template <typename IsSecond>
  Target WithTwoClasses(Target target, const IsSecond& is_second) const {
    target.class_count = 2;
    for (const int64_t position : positions_) {
      target.classes.push_back(is_second(position) ? 1 : 0);
      target.numbers.push_back(target.classes.back());
    }
    return target;
  }

  void Compare(const Column& column, const std::vector<Target>& targets) {
    const bool is_text = column.type == ColumnType::kText;
    std::optional<Values> values =
        is_text ? ValuesOfText(column, rows_) : ValuesOfNumbers(column, rows_);
    const bool only_presence = !values.has_value() && column.stats.missing_count > 0;
    if (only_presence) values = Presence(column, rows_);
    for (const Target& target : targets) {
      if (static_cast<int64_t>(messages_.size()) > limits::kDataWarningsMax) return;
      std::string fault = is_text ? "" : FaultOfNumbers(column, target);
      if (fault.empty() && values.has_value()) fault = FaultOfValues(*values, target);
      if (fault.empty()) continue;
      messages_.push_back(
          absl::StrCat(only_presence ? "whether a cell is missing in column \"" : "column \"",
                       column.name, "\" ", fault, " ", where_, kRemedy));
    }
  }

  std::string FaultOfNumbers(const Column& column, const Target& target) const {
    if (target.numbers.empty()) return "";
    Correlation correlation;
    int64_t equal = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const double x = column.numbers[rows_[i]];
      if (std::isnan(x)) continue;
      correlation.Add(x, target.numbers[i]);
      equal += x == target.numbers[i] ? 1 : 0;
    }
    const double r = correlation.value();
    if (correlation.count() < kRowsNeeded || !(std::abs(r) > kCorrelationMin)) return "";
    if (!target.classes.empty() && !EnoughOfEachClass(target)) return "";
    if (equal == correlation.count()) return absl::StrCat("equals the ", target.name);
    return absl::StrCat("nearly determines the ", target.name, ": their correlation is ",
                        std::round(r * 1e5) / 1e5);
  }

  bool EnoughOfEachClass(const Target& target) const {
    std::vector<int64_t> totals(target.class_count, 0);
    for (const int32_t c : target.classes) ++totals[c];
    const int64_t most = *std::max_element(totals.begin(), totals.end());
    return static_cast<int64_t>(rows_.size()) - most >= kOtherClassRowsNeeded;
  }

  std::string FaultOfValues(const Values& values, const Target& target) {
    if (target.classes.empty()) {
      const double left = UnexplainedShare(values, target.numbers);
      if (!(left < kUnexplainedMax)) return "";
      return absl::StrCat("nearly determines the ", target.name, ": its values explain ",
                          PercentText(1 - left), " of the variance");
    }
    if (values.count * target.class_count > limits::kLeakCountsMax) {
      ++too_many_values_;
      return "";
    }
    const Accuracy accuracy = AccuracyOf(values, target);
    if (!Tells(accuracy)) return "";
    return absl::StrCat("nearly determines the ", target.name, ": its values tell the class of ",
                        PercentText(accuracy.by_value), " of the rows, a constant answer of ",
                        PercentText(accuracy.constant), ",");
  }

  void SayWhatWasLeftOut() {
    if (targets_looked_at_ < TargetCount()) {
      messages_.push_back(absl::StrCat("only the first ", targets_looked_at_, " of ", TargetCount(),
                                       " labels were compared with the features"));
    }
    if (too_many_values_ > 0) {
      messages_.push_back(absl::StrCat(too_many_values_,
                                       " features of many values were not compared with the ",
                                       data_.dataset.classes.size(), " classes"));
    }
  }

  const DataToDiagnose& data_;
  const std::vector<const Column*> columns_;
  const int64_t train_rows_;
  int64_t targets_looked_at_ = 1;
  std::vector<int64_t> positions_;  // in split.train
  std::vector<int64_t> rows_;       // of the table
  std::string where_;
  int64_t too_many_values_ = 0;
  std::vector<std::string> messages_;
};

}  // namespace

std::vector<std::string> FindTargetLeaks(const DataToDiagnose& data) {
  return LeakFinder(data).Run();
}

}  // namespace trainyard
